//! The take-over of a store of persistent-kv, killed at every step: at every change of the disk, with everything that a
//! power cut can leave of it, and with every operation failing once.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cairndb::env::Env;
use cairndb::map::{Config, MapKey};
use cairndb::persistent_kv::{LossKind, Losses, PersistentKeyValueStore};
use cairndb::{Code, Durability, Error, Options};
use cairndb_sim::{CrashPlan, Failure, Fault, Gaps, Kept, SimEnv};

type Store = PersistentKeyValueStore<String, String>;

fn record(key: &str, value: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (tag, field) in [(0x0a, key), (0x12, value)] {
        if !field.is_empty() {
            body.extend([tag, field.len() as u8]);
            body.extend(field.as_bytes());
        }
    }
    [vec![body.len() as u8], body].concat()
}

/// A machine with a store: a full snapshot, a log of two shards, and a second one that a crash cut.
fn machine() -> SimEnv {
    let env = SimEnv::new(1);
    env.create_dir(Path::new("store")).unwrap();
    let cut = &record("never acknowledged", "value")[..9];
    let files = [
        ("lockfile", vec![]),
        ("snapshot_2_0-of-1_full.bin", [record("a", "old"), record("b", "1"), record("c", "1")].concat()),
        ("snapshot_3_0-of-2_diff.bin", [record("a", "new"), record("d", "1")].concat()),
        ("snapshot_3_1-of-2_diff.bin", record("b", "")),
        ("snapshot_10_0-of-1_diff.bin", [&record("d", "2"), cut].concat()),
    ];
    for (name, bytes) in files {
        env.put_file(Path::new("store").join(name), &bytes).unwrap();
    }
    env
}

fn expected() -> BTreeMap<String, String> {
    [("a", "new"), ("c", "1"), ("d", "2")].into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

/// The files of the original.
fn originals(env: &SimEnv) -> BTreeMap<PathBuf, Vec<u8>> {
    env.files().into_iter().filter(|(path, _)| path.parent() == Some(Path::new("store"))).collect()
}

fn open(env: &SimEnv) -> Result<Store, Error> {
    let config = Config { durability: Durability::Full, ..Config::default() };
    Store::open_with(Arc::new(env.clone()), "store", config, Losses::Refuse)
}

/// Opened again, it is whole, whatever happened before.
fn is_whole(env: &SimEnv, what: &dyn std::fmt::Debug) {
    let store = open(env).unwrap_or_else(|error| panic!("{what:?}: {error}\n{}", env.history()));
    let found: BTreeMap<String, String> = store.iter().collect();
    assert_eq!(found, expected(), "{what:?}\n{}", env.history());
    assert_eq!(store.taken_over().unwrap().losses.len(), 1, "{what:?}");
    assert_eq!(originals(env), originals(&machine()), "{what:?}");
}

/// How many changes an undisturbed take-over makes.
fn changes() -> u64 {
    let env = machine();
    let before = env.changes();
    is_whole(&env, &"undisturbed");
    env.changes() - before
}

#[test]
fn a_take_over_that_is_killed_at_any_step_is_done_by_the_next_opening() {
    let changes = changes();
    assert!(changes > 15, "{changes}");
    let mut states = 0;
    for step in 0..=changes {
        let env = machine();
        env.crash_at(env.changes() + step);
        drop(open(&env));
        for plan in env.plans(8) {
            is_whole(&env.crashed(plan), &(step, plan));
            states += 1;
        }
    }
    assert!(states > 500, "{states}");
}

#[test]
fn a_take_over_that_is_killed_twice_is_done_by_the_third_opening() {
    for first in 0..changes() {
        let env = machine();
        env.crash_at(env.changes() + first);
        drop(open(&env));
        // As the disk is after the process died; a power cut is looked at above.
        let plan = || env.plans(0).next().unwrap();
        for second in 0.. {
            let again = env.crashed(plan());
            again.crash_at(again.changes() + second);
            drop(open(&again));
            let ended = !again.is_off();
            is_whole(&again.crashed(again.plans(0).next().unwrap()), &(first, second));
            if ended {
                break;
            }
        }
    }
}

/// The fixture with integers, with this in the place of its last file.
fn numbers(last: &[u8]) -> PersistentKeyValueStore<u64, Vec<u8>> {
    let env = SimEnv::new(1);
    env.create_dir(Path::new("store")).unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cairndb/tests/fixtures/persistent-kv/u64");
    for entry in std::fs::read_dir(fixture).unwrap() {
        let path = entry.unwrap().path();
        let name = Path::new("store").join(path.file_name().unwrap());
        let bytes = if name.ends_with(LAST) { last.to_vec() } else { std::fs::read(path).unwrap() };
        env.put_file(name, &bytes).unwrap();
    }
    PersistentKeyValueStore::open_with(Arc::new(env), "store", Config::default(), Losses::Refuse).unwrap()
}

const LAST: &str = "snapshot_5_2-of-3_diff.bin";

/// The original cannot open such a store: its log ends at any byte.
#[test]
fn a_log_cut_at_any_byte_is_taken_over_to_its_last_whole_record() {
    let whole = include_bytes!("../../cairndb/tests/fixtures/persistent-kv/u64/snapshot_5_2-of-3_diff.bin");
    // The state before the file, and its records, found by a reader of its own: all lengths here are one byte.
    let mut state: BTreeMap<u64, Vec<u8>> = numbers(&[]).iter().collect();
    let mut at = 0;
    for len in 0..=whole.len() {
        let end = at + 1 + whole.get(at).map_or(0, |length| usize::from(*length));
        if end == len {
            let body = &whole[at + 1..end];
            assert_eq!(body[..2], [0x0a, 8]);
            let key = u64::from_le_bytes(body[2..10].try_into().unwrap());
            match body.get(12..) {
                Some(value) => state.insert(key, value.to_vec()),
                None => state.remove(&key),
            };
            at = end;
        }
        let store = numbers(&whole[..len]);
        assert_eq!(store.iter().collect::<BTreeMap<_, _>>(), state, "cut at {len}");
        let losses = &store.taken_over().unwrap().losses;
        if at == len {
            assert_eq!(losses[..], [], "cut at {len}");
        } else {
            let [loss] = &losses[..] else { panic!("cut at {len}: {losses:?}") };
            assert_eq!((&*loss.file, loss.kind, loss.places), (LAST, LossKind::Cut, 1));
            assert_eq!((loss.offset, loss.bytes), (at as u64, (len - at) as u64));
        }
    }
    assert_eq!((at, state.len()), (whole.len(), 245));
}

#[test]
fn one_of_several_processes_takes_over_and_the_others_find_what_it_took() {
    let one = machine();
    let two = one.other_process();
    let open = |env: &SimEnv| {
        let options = Options { shared: true, ..Options::default() };
        let config = Config { options, ..Config::default() };
        Store::open_with(Arc::new(env.clone()), "store", config, Losses::Refuse)
    };
    one.create_dir(Path::new("store/.cairndb")).unwrap();
    let turn = two.process_lock(Path::new("store/.cairndb/takeover.lock")).unwrap();
    assert!(turn.try_exclusive().unwrap());
    assert_eq!(open(&one).unwrap_err().code(), Code::Locked);
    turn.release().unwrap();
    let first = open(&one).unwrap();
    let second = open(&two).unwrap();
    for store in [&first, &second] {
        assert_eq!(store.iter().collect::<BTreeMap<_, _>>(), expected());
        assert!(store.taken_over().is_some());
    }
    first.set("later", "value").unwrap();
    assert_eq!(second.get("later").as_deref(), Some("value"));
    assert_eq!(originals(&one), originals(&machine()));
}

/// Whoever goes back to the original after a take-over that was killed finds later what the original has then.
#[test]
fn nothing_stays_of_a_take_over_that_was_killed_before_its_end() {
    let (mut again, mut done) = (0, 0);
    for step in 0..=changes() {
        let env = machine();
        env.crash_at(env.changes() + step);
        drop(open(&env));
        let env = env.crashed(env.plans(0).next().unwrap());
        env.put_file("store/snapshot_11_0-of-1_full.bin", &record("z", "1")).unwrap();
        let found: BTreeMap<String, String> = open(&env).unwrap().iter().collect();
        if found == expected() {
            done += 1;
        } else {
            assert_eq!(found, BTreeMap::from([("z".into(), "1".into())]), "{step}");
            again += 1;
        }
    }
    assert!(again > 10 && done > 0, "{again} {done}");
}

#[test]
fn what_is_written_after_a_take_over_survives_a_crash_at_any_later_step() {
    let taken = changes();
    let mut written = 0;
    for step in 0..taken + 20 {
        let env = machine();
        env.crash_at(env.changes() + step);
        let acknowledged =
            open(&env).is_ok_and(|store| store.set("later", "value").is_ok() && store.unset("a").is_ok());
        if !acknowledged {
            continue;
        }
        written += 1;
        for plan in env.plans(8) {
            let store = open(&env.crashed(plan)).unwrap();
            assert_eq!(store.get("later").as_deref(), Some("value"), "{step} {plan:?}");
            assert_eq!(store.get("a"), None, "{step} {plan:?}");
        }
    }
    assert!(written > 5, "{written}");
}

#[test]
fn a_take_over_in_which_any_operation_fails_once_is_done_by_the_next_opening() {
    let mut failures = 0;
    for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
        for nth in 1.. {
            let env = machine();
            let before = env.operations();
            env.inject(Fault::new(Failure::Error(kind)).nth(nth));
            let outcome = open(&env).map(drop);
            if env.operations() - before < nth {
                break;
            }
            failures += u64::from(outcome.is_err());
            env.clear_faults();
            is_whole(&env, &(kind, nth));
        }
    }
    assert!(failures > 40, "{failures}");
}

/// The fixture of this name, which the original wrote, on a machine.
fn fixture(name: &str) -> SimEnv {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cairndb/tests/fixtures/persistent-kv").join(name);
    let env = SimEnv::new(1);
    env.create_dir(Path::new("store")).unwrap();
    env.put_file("store/lockfile", &[]).unwrap();
    for entry in std::fs::read_dir(files).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        env.put_file(Path::new("store").join(path.file_name().unwrap()), &bytes).unwrap();
    }
    env
}

/// Kills the take-over of a fixture before each of its changes, and once more after power cuts; it is whole each time.
fn killed_at_every_step<K: MapKey + Ord + Debug>(name: &str) {
    let taken_over = |env: &SimEnv| {
        let config = Config { durability: Durability::Full, ..Config::default() };
        let store: PersistentKeyValueStore<K, Vec<u8>> =
            PersistentKeyValueStore::open_with(Arc::new(env.clone()), "store", config, Losses::Refuse)?;
        assert_eq!(originals(env), originals(&fixture(name)), "{name}");
        Ok::<BTreeMap<K, Vec<u8>>, Error>(store.iter().collect())
    };
    let undisturbed = fixture(name);
    let before = undisturbed.changes();
    // That these are right is told by the crate's own test of the take-over.
    let expected = taken_over(&undisturbed).unwrap();
    assert!(expected.len() > 200, "{name}");
    let changes = undisturbed.changes() - before;
    assert!(changes > 15, "{name}: {changes}");
    for step in 0..changes {
        let env = fixture(name);
        env.crash_at(env.changes() + step);
        drop(taken_over(&env));
        assert!(env.is_off(), "{name}, step {step}");
        let power_loss = |kept| CrashPlan::PowerLoss { kept, gaps: Gaps::Zeros };
        let losses = [Kept::None, Kept::All, Kept::Subset(step)].map(power_loss);
        for plan in [CrashPlan::Process].into_iter().chain(losses) {
            let found = taken_over(&env.crashed(plan));
            let found = found.unwrap_or_else(|error| panic!("{name}, step {step}, {plan:?}: {error}"));
            assert!(found == expected, "{name}, step {step}, {plan:?}");
        }
    }
}

#[test]
fn the_fixtures_are_taken_over_whole_after_a_kill_at_every_step() {
    killed_at_every_step::<String>("string");
    killed_at_every_step::<u64>("u64");
}
