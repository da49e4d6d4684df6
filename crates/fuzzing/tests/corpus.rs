//! The corpus of the fuzzers, and random changes of it, on any toolchain and without libFuzzer.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use cairndb_fuzzing::mutation::mutate;
use cairndb_fuzzing::{TARGETS, Target};
use cairndb_sim::{Rng, seeds};

/// The inputs of a target, by their names.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).expect("a file that can be read"))).collect()
}

fn target(name: &str) -> Target {
    *TARGETS.iter().find(|(known, _)| *known == name).expect("a target")
}

#[test]
fn nothing_in_the_corpus_breaks_an_invariant() {
    for (name, run) in TARGETS {
        let inputs = corpus(name);
        assert!(inputs.len() > 5, "{name} has a corpus of {} inputs", inputs.len());
        for (path, bytes) in inputs {
            let held = catch_unwind(AssertUnwindSafe(|| run(&bytes)));
            assert!(held.is_ok(), "{} breaks {name}", path.display());
        }
    }
}

/// Runs a target with so many changed inputs, times `SEEDS`. One that fails is the first of its own seed.
fn mutations(name: &str, usual: u64) {
    let (_, run) = target(name);
    let inputs = corpus(name);
    let first = seeds::number("FIRST", 1);
    let usual = if seeds::number("FIRST", 0) == 0 { usual } else { 1 };
    for seed in first..first + usual * seeds::number("SEEDS", 1) {
        let mut rng = Rng::new(seed);
        let (input, other) = (rng.index(inputs.len()), rng.index(inputs.len()));
        let bytes = mutate(&mut rng, &inputs[input].1, &inputs[other].1);
        if catch_unwind(AssertUnwindSafe(|| run(&bytes))).is_err() {
            let test = std::thread::current().name().unwrap_or_default().to_owned();
            panic!("replay it with:\nFIRST={seed} cargo test -p cairndb-fuzzing --test corpus {test}\n{bytes:?}");
        }
    }
}

#[test]
fn changed_segments_are_replayed_or_refused() {
    mutations("journal", 60_000);
}

#[test]
fn changed_manifests_are_read_or_refused() {
    mutations("manifest", 100_000);
}

#[test]
fn changed_stones_are_read_or_refused() {
    mutations("stone", 30_000);
}

#[test]
fn changed_records_are_read_or_refused() {
    mutations("record", 200_000);
}

#[test]
fn changed_dictionaries_are_read_or_refused() {
    mutations("dictionary", 100_000);
}

#[test]
fn changed_packed_values_are_read_or_refused() {
    mutations("packed", 200_000);
}

#[test]
fn changed_directories_are_opened_or_refused() {
    mutations("database", 10_000);
}

#[test]
fn changed_plans_are_carried_out_as_the_model_says() {
    mutations("ops_and_crash", 3000);
}
