//! Measures CairnDB's engine beside its peers. `cargo bench -- --help` says how.

mod data;
mod measure;
mod processes;
mod report;
mod store;
mod stores;
mod workloads;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tempfile::TempDir;

use crate::processes::{CHILD, Size, be_measured, copy, measure};
use crate::report::Results;
use crate::store::{Engine, Result};
use crate::stores::ENGINES;
use crate::workloads::{Start, WORKLOADS, Workload};

const HELP: &str = "Measures CairnDB's engine beside its peers.

  cargo bench                             1,000,000 records, 3 rounds: takes hours, and 5 GB of disk
  cargo bench -- --quick                  20,000 records, 3 rounds, half a second for each measurement
  cargo bench -- --records 100000         another number of records
  cargo bench -- --only YCSB              the workloads with this in their name; can be given again
  cargo bench -- --engines cairndb,heed   these engines, and no others
  cargo bench -- --rounds 5               more rounds: the median gets steadier
  cargo bench -- --seconds 10             the longest that one measurement may take (5)
  cargo bench -- --directory /mnt/disk    where the stores are; by default .cache in the repository
  cargo bench -- --list                   the names of engines and workloads
  cargo bench --features rocksdb          with RocksDB, which takes a C++ compiler and libclang to build

Each engine and workload is a process of its own, and the engines take turns. A store is left to itself for half a minute
after it was loaded, whatever its size: that is most of what --quick takes. After each run every record is compared;
a wrong one ends the benchmark with exit code 1. The tables go to bench/results/rust.md, every figure of every round to
bench/results/rust.json. On a machine that does something else too, trust the figures per second of processor time, and
of these the ratios. Where the system's temporary folder is in memory, a sync costs nothing: so keep the stores on a disk.
Needs Linux, or macOS, where bytes written are not counted.";

struct Settings {
    engines: Vec<&'static Engine>,
    only: Vec<String>,
    records: usize,
    rounds: u64,
    seconds: f64,
    directory: PathBuf,
}

impl Settings {
    fn selects(&self, workload: &Workload) -> bool {
        let named = |text: &String| workload.name.to_lowercase().contains(&text.to_lowercase());
        self.only.is_empty() || self.only.iter().any(named)
    }

    /// The workloads that were asked for, and loading, which others need.
    fn workloads(&self) -> Vec<&'static Workload> {
        let loads = |start| matches!(start, Start::Loaded | Start::Copied);
        let needs_load = WORKLOADS.iter().any(|workload| self.selects(workload) && loads(workload.start));
        let is_needed = |workload: &&Workload| self.selects(workload) || needs_load && workload.start == Start::Loads;
        WORKLOADS.iter().filter(is_needed).collect()
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        Some((first, rest)) if first == CHILD => be_measured(rest).map(|figures| {
            println!("{figures}");
            true
        }),
        _ => start(),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether nothing failed.
fn start() -> Result<bool> {
    let Some(settings) = settings()? else { return Ok(true) };
    fs::create_dir_all(&settings.directory)?;
    let folder = tempfile::Builder::new().prefix("bench-rust-").tempdir_in(&settings.directory)?;
    let mut results = Results::new(
        settings.engines.clone(),
        settings.records,
        settings.rounds,
        settings.seconds,
        format!("{} {}, {}", std::env::consts::OS, std::env::consts::ARCH, processors()),
    );
    for round in 0..settings.rounds {
        one_round(&settings, round, &folder, &mut results)?;
    }
    let text = results.markdown();
    println!("{text}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("rust.md"), text)?;
    fs::write(folder.join("rust.json"), serde_json::to_string_pretty(&results.json())?)?;
    Ok(results.failures.is_empty())
}

fn one_round(settings: &Settings, round: u64, folder: &TempDir, results: &mut Results) -> Result<()> {
    let size = Size { records: settings.records, seconds: settings.seconds, round };
    let mut not_loaded = HashSet::new();
    for workload in settings.workloads() {
        eprintln!("round {} of {}: {}", round + 1, settings.rounds, workload.name);
        // Another engine begins each round, so that none always runs after the same one.
        let mut engines = settings.engines.clone();
        engines.rotate_left(round as usize % settings.engines.len());
        for engine in engines {
            if !(workload.suits)(engine) || not_loaded.contains(engine.name) && workload.start != Start::Empty {
                continue;
            }
            match one_run(engine, workload, folder.path(), size) {
                Ok(figures) => figures.into_iter().for_each(|figure| results.add(engine, figure)),
                Err(error) => {
                    if workload.start == Start::Loads {
                        not_loaded.insert(engine.name);
                    }
                    let failure = format!("{}, {}, round {}: {error}", engine.name, workload.name, round + 1);
                    eprintln!("FAILED {failure}");
                    results.failures.push(failure);
                }
            }
        }
    }
    Ok(())
}

fn one_run(engine: &Engine, workload: &Workload, folder: &Path, size: Size) -> Result<Vec<crate::measure::Figure>> {
    let loaded = folder.join(format!("{}-loaded", engine.name));
    let own = folder.join(format!("{}-own", engine.name));
    let directory = match workload.start {
        Start::Loads => {
            remove(&loaded)?;
            fs::create_dir(&loaded)?;
            &loaded
        }
        Start::Loaded => &loaded,
        Start::Empty => {
            fs::create_dir(&own)?;
            &own
        }
        Start::Copied => {
            copy(&loaded, &own)?;
            &own
        }
    };
    let outcome = measure(engine, workload, directory, size);
    remove(&own)?;
    outcome
}

fn remove(directory: &Path) -> Result<()> {
    if directory.try_exists()? { Ok(fs::remove_dir_all(directory)?) } else { Ok(()) }
}

fn processors() -> String {
    let count = std::thread::available_parallelism().map_or(1, |count| count.get());
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':')).map(|(_, name)| name);
    format!("{count} × {}", model.unwrap_or("processor").trim())
}

/// `None` if all that was asked for was text.
fn settings() -> Result<Option<Settings>> {
    use lexopt::prelude::*;
    let mut settings = Settings {
        engines: ENGINES.iter().collect(),
        only: Vec::new(),
        records: 1_000_000,
        rounds: 3,
        seconds: 5.0,
        directory: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache"),
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("quick") => (settings.records, settings.seconds) = (20_000, 0.5),
            Long("records") => settings.records = parser.value()?.parse()?,
            Long("rounds") => settings.rounds = parser.value()?.parse()?,
            Long("seconds") => settings.seconds = parser.value()?.parse()?,
            Long("only") => settings.only.push(parser.value()?.string()?),
            Long("directory") => settings.directory = parser.value()?.into(),
            Long("engines") => settings.engines = engines(&parser.value()?.string()?)?,
            Long("list") => return Ok(print(&list())),
            Long("help") | Short('h') => return Ok(print(HELP)),
            // What cargo itself adds.
            Long("bench") => {}
            other => return Err(format!("{}; --help says what there is", other.unexpected()).into()),
        }
    }
    if settings.records < 1_000 || settings.rounds == 0 || settings.workloads().is_empty() {
        return Err("at least 1,000 records, one round and one workload are needed; --list has the names".into());
    }
    Ok(Some(settings))
}

fn print(text: &str) -> Option<Settings> {
    println!("{text}");
    None
}

fn list() -> String {
    let engines: Vec<_> = ENGINES.iter().map(|engine| engine.name).collect();
    let workloads: Vec<_> = WORKLOADS.iter().map(|workload| workload.name).collect();
    format!("engines: {}\nworkloads: {}", engines.join(", "), workloads.join(", "))
}

fn engines(names: &str) -> Result<Vec<&'static Engine>> {
    let find = |name: &str| ENGINES.iter().find(|engine| engine.name == name.trim());
    names
        .split(',')
        .map(|name| find(name).ok_or(format!("there is no engine {name}; --list has the names").into()))
        .collect()
}
