//! Long work that is cancelled, and generations that are pruned.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cairndb::env::Env;
use cairndb::{Code, Database, Progress, Pruned, Result, repair_with, restore_with};
use cairndb_sim::model::View;
use cairndb_sim::{CrashPlan, Interruption, SimEnv, interrupted, reads, seeds};

use crate::{files_in, is_whole, machine, open, options, put};

/// Runs `work` again and again, and cancels it at the first file that it opens, at the second, and so on until it is done.
fn cancel_everywhere(what: &str, work: fn(Arc<dyn Env>, &Progress) -> Result<()>, check: fn(&SimEnv, &View)) {
    for nth in 0.. {
        let (env, db, view) = machine();
        db.backup("backup").unwrap();
        db.close().unwrap();
        let (env, interruption) = (env.reboot(CrashPlan::Process), Interruption::default());
        let (progress, opened) = (Arc::new(Progress::default()), AtomicU64::new(0));
        let watched = Arc::clone(&progress);
        let mut done = 0;
        interruption.set(move || {
            assert!(watched.done() >= done && watched.done() <= watched.total(), "it went back");
            done = watched.done();
            if watched.total() > 0 && opened.fetch_add(1, Ordering::Relaxed) == nth {
                watched.cancel();
            }
        });
        let outcome = work(Arc::new(interrupted(env.clone(), |_, _| true, &interruption)), &progress);
        interruption.clear();
        seeds::locate(|| format!("{what}, cancelled at file {nth}: {outcome:?}"), || check(&env, &view));
        match outcome {
            Ok(()) => {
                assert!(nth > 1, "{what} was never cancelled");
                assert_eq!(progress.done(), progress.total(), "{what}");
                assert!(progress.total() > 1000, "{what}");
                return;
            }
            Err(error) => assert_eq!(error.code(), Code::Cancelled, "{what}: {error}"),
        }
    }
}

/// The database and its backup are sound, and hold what they held.
fn sound(env: &SimEnv, view: &View) {
    for directory in ["db", "backup"] {
        let db = open(&env.crashed(CrashPlan::Process), directory).unwrap();
        assert_eq!(&reads::view(&db).unwrap(), view, "{directory}");
        assert_eq!(db.verify().unwrap().damage, [], "{directory}");
    }
}

/// Besides, what was to be written is not there, or is there as a whole.
fn sound_and_no_half_target(env: &SimEnv, view: &View) {
    sound(env, view);
    let names = env.names(Path::new("target"));
    assert!(names.is_empty() || is_whole(&env.crashed(CrashPlan::Process), "target", view), "left {names:?}");
}

fn database(env: Arc<dyn Env>) -> Result<Database> {
    Database::open_with(env, "db", options())
}

#[test]
fn long_work_that_is_cancelled_leaves_no_half_result() {
    cancel_everywhere("verify", |env, progress| database(env)?.verify_with(progress).map(drop), sound);
    cancel_everywhere("compact", |env, progress| database(env)?.compact_with(progress), sound);
    cancel_everywhere(
        "backup",
        |env, progress| database(env)?.backup_with("target", progress).map(drop),
        sound_and_no_half_target,
    );
    cancel_everywhere(
        "restore",
        |env, progress| restore_with(env, "backup", "target", progress).map(drop),
        sound_and_no_half_target,
    );
    cancel_everywhere(
        "repair",
        |env, progress| repair_with(env, "db", "target", progress).map(drop),
        sound_and_no_half_target,
    );
}

/// How many bytes a compaction says that it has to do, and those in memory and of records in stones before it.
fn to_compact(db: &Database) -> (u64, u64, u64) {
    let (before, progress) = (db.stats(), Progress::default());
    db.compact_with(&progress).unwrap();
    assert_eq!(progress.done(), progress.total());
    (progress.total(), before.memory_bytes, before.tables.iter().map(|table| table.content_bytes).sum())
}

/// What is in memory is written, and written again with the stones that it is merged with. A table of one stone without
/// tombstones is left as it is.
#[test]
fn a_compaction_counts_what_it_has_to_do() {
    let env = SimEnv::new(1);
    let db = open(&env, "db").unwrap();
    assert_eq!(to_compact(&db), (0, 0, 0));
    put(&db, "t", "a", b"in memory");
    put(&db, "u", "a", b"in memory");
    let (total, memory, stones) = to_compact(&db);
    assert!(memory > 0 && stones == 0, "{memory} {stones}");
    assert_eq!(total, 2 * memory);

    let (total, memory, stones) = to_compact(&db);
    assert!(memory == 0 && stones > 0, "{memory} {stones}");
    assert_eq!(total, 0, "there are two tables of one stone each");

    put(&db, "t", "a", b"again");
    let alone = db.stats().tables[1].content_bytes;
    let (total, memory, stones) = to_compact(&db);
    assert!(memory > 0, "{memory}");
    assert_eq!(total, 2 * memory + stones - alone, "a stone with something in memory over it");

    put(&db, "t", "b", &[7; 2000]);
    db.checkpoint().unwrap();
    let (total, memory, stones) = to_compact(&db);
    assert_eq!((total, memory), (stones - alone, 0), "two stones");
}

#[test]
fn a_repair_counts_each_byte_of_stones_and_journal_three_times() {
    let (env, db, _) = machine();
    db.close().unwrap();
    let stored = |path: &Path| path.extension().is_some_and(|end| end == "stone" || end == "journal");
    let files = files_in(&env, "db");
    let bytes: usize = files.iter().filter(|(path, _)| stored(path)).map(|(_, bytes)| bytes.len()).sum();
    let progress = Progress::default();
    repair_with(Arc::new(env), "db", "target", &progress).unwrap();
    assert_eq!((progress.done(), progress.total()), (3 * bytes as u64, 3 * bytes as u64));
}

/// A database of several generations, none of which has been removed.
fn generations() -> (SimEnv, Database, View) {
    let (env, db, _) = machine();
    for round in 0..3 {
        put(&db, "bulk", "a", format!("round {round}").as_bytes());
        db.checkpoint().unwrap();
        env.run_due();
    }
    db.flush().unwrap();
    let view = reads::view(&db).unwrap();
    (env, db, view)
}

#[test]
fn pruning_tells_what_it_removed_and_keeps_what_it_should() {
    for keep in [1, 2, 3, 100] {
        let (env, db, view) = generations();
        let before = files_in(&env, "db");
        let manifests = |files: &[(PathBuf, Vec<u8>)]| {
            files.iter().filter(|(path, _)| path.extension().is_some_and(|end| end == "manifest")).count() as u64
        };
        let gone = db.prune(keep).unwrap();
        let after = files_in(&env, "db");
        let bytes = |files: &[(PathBuf, Vec<u8>)]| files.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>();
        assert_eq!(gone.generations, manifests(&before) - manifests(&after), "keep {keep}");
        assert_eq!(manifests(&after), manifests(&before).min(u64::from(keep)), "keep {keep}");
        assert_eq!(gone.files, (before.len() - after.len()) as u64, "keep {keep}");
        assert_eq!(gone.bytes, bytes(&before) - bytes(&after), "keep {keep}");
        assert_eq!(db.prune(keep).unwrap(), Pruned::default(), "there is nothing left to remove");
        assert_eq!(reads::view(&db).unwrap(), view);
    }
}

#[test]
fn a_crash_while_pruning_loses_nothing() {
    let mut states = 0;
    for change in 0.. {
        let (env, db, view) = generations();
        env.crash_at(env.changes() + change);
        let done = db.prune(1).is_ok();
        for plan in env.plans(8) {
            let after = env.crashed(plan);
            let db = open(&after, "db").unwrap_or_else(|error| panic!("{plan:?} before change {change}: {error}"));
            assert_eq!(reads::view(&db).unwrap(), view, "{plan:?} before change {change}");
            assert_eq!(db.verify().unwrap().damage, [], "{plan:?} before change {change}");
            states += 1;
        }
        if done {
            break;
        }
    }
    assert!(states > 100, "{states}");
}
