//! Backups on the simulator: what they hold, whatever is written meanwhile; crashes, faults and a full disk in the middle of
//! a backup, a restore or a prune; and long work that is cancelled.

mod faults;
mod upkeep;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cairndb::env::{Env, Mode};
use cairndb::{
    BackupReport, Code, Database, Durability, Error, Kind, Op, Options, Progress, Result, Value, repair_with,
    restore_with,
};
use cairndb_sim::driver::Driver;
use cairndb_sim::model::View;
use cairndb_sim::workload::DICTIONARIES;
use cairndb_sim::{CrashPlan, Interruption, Rng, SimEnv, interrupted, reads, seeds};

fn options() -> Options {
    Options { memtable_bytes: 64 << 10, keep_generations: 9, ..Options::default() }
}

fn open(env: &SimEnv, directory: &str) -> Result<Database> {
    Database::open_with(Arc::new(env.clone()), directory, options())
}

fn restore(env: &SimEnv, source: &str, target: &str) -> Result<BackupReport> {
    restore_with(Arc::new(env.clone()), source, target, &Progress::default())
}

fn put(db: &Database, table: &str, key: &str, value: &[u8]) {
    db.commit(&[Op::put(table, key.as_bytes(), Kind::BYTES, value)], Durability::Os).unwrap();
}

/// Stones in layers, tombstones, a dictionary, shapes, expirations, a table without records; and a part of it in memory.
fn fill(db: &Database) {
    let (name, pairs) = DICTIONARIES[0];
    let dictionary = db.define_dictionary(name, pairs).unwrap();
    let mapped = Op::put("users", b"anna", Kind::JSON, br#"{"name":"Anna"}"#).dictionary(dictionary);
    let packed = db.pack(&Value::Object(vec![("id".into(), Value::Number(7.5))])).unwrap();
    let late = Op::put("log", b"late", Kind::PACKED, &packed).expires_at(1e15);
    let gone = Op::put("log", b"gone", Kind::BYTES, b"v").expires_at(-1.5);
    db.commit(&[mapped, late, gone], Durability::Os).unwrap();
    for key in ["a", "b", "c"] {
        put(db, "bulk", key, &[key.as_bytes()[0]; 1390]);
    }
    put(db, "empty", "k", b"v");
    db.checkpoint().unwrap();
    db.commit(&[Op::delete("bulk", b"b"), Op::delete("empty", b"k")], Durability::Os).unwrap();
    put(db, "bulk", "c", b"again");
    db.checkpoint().unwrap();
    put(db, "bulk", "d", b"in memory");
    put(db, "users", "bert", b"in memory too");
    db.flush().unwrap();
}

/// A machine with an open database, and what it holds.
fn machine() -> (SimEnv, Database, View) {
    let env = SimEnv::new(1);
    let db = open(&env, "db").unwrap();
    fill(&db);
    let view = reads::view(&db).unwrap();
    (env, db, view)
}

/// A machine with a finished backup, and what it holds.
fn machine_with_backup() -> (SimEnv, View) {
    let (env, db, view) = machine();
    db.backup("backup").unwrap();
    db.close().unwrap();
    (env.reboot(CrashPlan::POWER_LOSS), view)
}

fn files_in(env: &SimEnv, directory: &str) -> Vec<(PathBuf, Vec<u8>)> {
    env.files().into_iter().filter(|(path, _)| path.parent() == Some(Path::new(directory))).collect()
}

/// Whether a directory holds the whole of a database. If it does not it must be empty, or be refused as what it is by all
/// that could take it for one.
fn is_whole(env: &SimEnv, directory: &str, expected: &View) -> bool {
    let names = env.names(Path::new(directory));
    if names.iter().all(|name| name == "lock") {
        return false;
    }
    match open(env, directory) {
        Ok(db) => {
            assert_eq!(&reads::view(&db).unwrap(), expected, "{names:?}");
            assert_eq!(db.verify().unwrap().damage, [], "{names:?}");
            true
        }
        Err(error) => {
            let refused = |error: Error| {
                assert_eq!(error.code(), Code::Directory, "{error} with {names:?}");
                assert!(error.message().contains("was interrupted"), "{error} with {names:?}");
            };
            refused(error);
            refused(restore(env, directory, "other").unwrap_err());
            refused(repair_with(Arc::new(env.clone()), directory, "other", &Progress::default()).unwrap_err());
            refused(restore(env, "db", directory).unwrap_err());
            false
        }
    }
}

/// A database goes through a history, and is backed up at random moments of it. What is restored is what the model held
/// then, also after a power loss right after the backup.
#[test]
fn a_backup_holds_what_the_model_held() {
    let count = seeds::each("backup", 24, 120, |seed, chosen| {
        let mut rng = Rng::of(seed, 7);
        let mut driver = Driver::new(SimEnv::new(seed), seed);
        driver.choose(chosen);
        driver.open().unwrap();
        let mut count = 0;
        for step in 0..120 {
            driver.step().unwrap_or_else(|error| panic!("{error} at {}", driver.position()));
            if !rng.chance(1, 10) {
                continue;
            }
            let (backup, model) = (format!("backup{step}"), driver.timeline().now().clone());
            let report = driver.db().backup(&backup).unwrap_or_else(|error| panic!("{error} at {}", driver.position()));
            assert_eq!(report.tables, model.tables().count() as u64);
            let plan = if rng.chance(1, 2) { CrashPlan::Process } else { CrashPlan::POWER_LOSS };
            let env = driver.env().crashed(plan);
            let before = files_in(&env, &backup);
            let restored = restore(&env, &backup, "restored").unwrap();
            assert_eq!((restored.tables, restored.records), (report.tables, report.records));
            assert_eq!(files_in(&env, &backup), before, "the backup was changed");
            for directory in [&backup, "restored"] {
                let db = open(&env, directory).unwrap();
                assert!(model.shows(&reads::view(&db).unwrap(), env.now()), "{directory} at {}", driver.position());
            }
            count += 1;
        }
        count
    });
    assert!(count > 0);
}

/// A file is begun or looked at: a moment at which somebody else writes.
fn anything(path: &Path, _mode: Mode) -> bool {
    path.extension().is_none_or(|ending| ending == "stone" || ending == "tmp")
}

/// Writes, deletes, drops, flushes and merges, as others do meanwhile, in one round.
fn disturb(db: &Database, turn: u64) {
    put(db, "bulk", "c", format!("overwritten {turn}").as_bytes());
    put(db, "bulk", &format!("new {turn}"), &[7; 400]);
    put(db, &format!("table {}", turn % 2), "k", b"v");
    db.commit(&[Op::delete("users", b"bert"), Op::put("bulk", b"d", Kind::BYTES, b"joined").joined()], Durability::Os)
        .unwrap();
    db.drop_table(if turn.is_multiple_of(3) { "log" } else { "table 1" }, Durability::Os).unwrap();
    match turn % 3 {
        0 => db.checkpoint().unwrap(),
        1 => db.compact().unwrap(),
        _ => drop(db.prune(1).unwrap()),
    }
}

/// Somebody works on a database while it is backed up: this process, or another one that shares it.
#[test]
fn what_is_written_during_a_backup_is_not_part_of_it() {
    for shared in [false, true] {
        for mmap in [false, true] {
            let (env, interruption) = (SimEnv::new(1), Interruption::default());
            let options = Options { shared, mmap, ..options() };
            let open_as = |env: Arc<dyn Env>| Database::open_with(env, "db", options.clone()).unwrap();
            let db = open_as(Arc::new(interrupted(env.clone(), anything, &interruption)));
            let other = if shared { open_as(Arc::new(env.other_process())) } else { db.clone() };
            fill(&other);
            let before = reads::view(&db).unwrap();
            let (machine, turns) = (env.clone(), Arc::new(AtomicU64::new(0)));
            let counted = Arc::clone(&turns);
            interruption.set(move || {
                disturb(&other, counted.fetch_add(1, Ordering::Relaxed));
                machine.run_due();
            });
            db.backup("backup").unwrap_or_else(|error| panic!("shared {shared}, mmap {mmap}: {error}"));
            interruption.clear();
            assert!(turns.load(Ordering::Relaxed) > 5, "nobody wrote meanwhile");
            assert_ne!(reads::view(&db).unwrap(), before, "nothing was written meanwhile");
            let env = env.crashed(CrashPlan::POWER_LOSS);
            restore(&env, "backup", "restored").unwrap();
            assert_eq!(reads::view(&open(&env, "restored").unwrap()).unwrap(), before, "shared {shared}, mmap {mmap}");
        }
    }
}

#[test]
fn a_crash_in_a_backup_leaves_the_database_and_no_half_backup() {
    let changes = {
        let (env, db, _) = machine();
        let before = env.changes();
        db.backup("backup").unwrap();
        env.changes() - before
    };
    let (mut whole, mut unfinished) = (0, 0);
    for change in 0..=changes {
        let (env, db, view) = machine();
        env.crash_at(env.changes() + change);
        let acknowledged = db.backup("backup").is_ok();
        for plan in env.plans(8) {
            let found = seeds::locate(
                || format!("{plan:?} before change {change}\n{}", env.history()),
                || {
                    let after = env.crashed(plan);
                    assert_eq!(reads::view(&open(&after, "db").unwrap()).unwrap(), view, "the source");
                    is_whole(&after, "backup", &view)
                },
            );
            assert!(found || !acknowledged, "{plan:?} took an acknowledged backup");
            *(if found { &mut whole } else { &mut unfinished }) += 1;
        }
    }
    assert!(whole > 10 && unfinished > 100, "{whole} whole, {unfinished} unfinished");
}

#[test]
fn a_crash_in_a_restore_leaves_the_backup_and_no_half_database() {
    let changes = {
        let (env, _) = machine_with_backup();
        let before = env.changes();
        restore(&env, "backup", "restored").unwrap();
        env.changes() - before
    };
    let (mut whole, mut unfinished) = (0, 0);
    for change in 0..=changes {
        let (env, view) = machine_with_backup();
        let backup = files_in(&env, "backup");
        env.crash_at(env.changes() + change);
        let acknowledged = restore(&env, "backup", "restored").is_ok();
        for plan in env.plans(8) {
            let found = seeds::locate(
                || format!("{plan:?} before change {change}\n{}", env.history()),
                || {
                    let after = env.crashed(plan);
                    assert_eq!(files_in(&after, "backup"), backup);
                    is_whole(&after, "restored", &view)
                },
            );
            assert!(found || !acknowledged, "{plan:?} took an acknowledged restore");
            *(if found { &mut whole } else { &mut unfinished }) += 1;
        }
    }
    assert!(whole > 10 && unfinished > 100, "{whole} whole, {unfinished} unfinished");
}

#[test]
fn a_backup_that_was_opened_and_written_to_is_restored_with_what_was_written() {
    let (env, _) = machine_with_backup();
    let db = open(&env, "backup").unwrap();
    put(&db, "bulk", "later", b"written to the backup");
    let error = restore(&env, "backup", "restored").unwrap_err();
    assert_eq!(error.code(), Code::Locked, "{error}");
    db.checkpoint().unwrap();
    put(&db, "bulk", "latest", b"in the journal");
    let view = reads::view(&db).unwrap();
    db.close().unwrap();
    restore(&env, "backup", "restored").unwrap();
    assert!(is_whole(&env, "restored", &view));
}

#[test]
fn what_is_no_backup_or_has_no_place_is_refused() {
    let (env, db, _) = machine();
    env.create_dir(Path::new("full")).unwrap();
    env.open(Path::new("full/notes"), Mode::Create).unwrap();
    env.create_dir(Path::new("empty")).unwrap();
    for target in ["db", "db/inside", "full"] {
        assert_eq!(db.backup(target).unwrap_err().code(), Code::Directory, "{target}");
    }
    assert_eq!(env.names(Path::new("full")), ["notes"]);
    for source in ["nothing", "empty", "full"] {
        assert_eq!(restore(&env, source, "restored").unwrap_err().code(), Code::Directory, "{source}");
    }
    assert_eq!(restore(&env, "db", "restored").unwrap_err().code(), Code::Locked, "it is open");
    assert!(env.names(Path::new("restored")).is_empty());
    db.backup("empty").unwrap();
    assert_eq!(restore(&env, "empty", "empty/inside").unwrap_err().code(), Code::Directory);
    assert_eq!(restore(&env, "empty", "empty").unwrap_err().code(), Code::Directory);
    db.close().unwrap();
    assert_eq!(db.backup("late").unwrap_err().code(), Code::Closed);
}
