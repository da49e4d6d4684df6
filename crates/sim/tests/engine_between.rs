//! Writes and reads that come in the middle of a flush or a merge, as those of another thread do.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use cairndb::env::{Env, Mode};
use cairndb::{Database, Durability, Kind, Op, Options};
use cairndb_sim::{CrashPlan, Interruption, SimEnv, interrupted, reads};

/// The file of a stone or of a manifest is begun: a moment at which the engine must hold no lock that a writer or a reader
/// needs.
fn begins(path: &Path, mode: Mode) -> bool {
    mode == Mode::Create && path.extension().is_none_or(|ending| ending != "journal")
}

fn put(db: &Database, table: &str, key: u64, value: &[u8]) {
    db.commit(&[Op::put(table, &key.to_be_bytes(), Kind::BYTES, value)], Durability::Os).unwrap();
}

/// Writes, deletes, drops and creates at every file that checkpoints and merges begin, and compares what is there with
/// what is found after a reopening and after a power loss.
#[test]
fn what_is_written_during_a_flush_or_a_merge_is_neither_lost_nor_counted_twice() {
    let sim = SimEnv::new(1);
    let interruption = Interruption::default();
    let open = |env: Arc<dyn Env>| Database::open_with(env, "db", Options::default()).unwrap();
    let db = open(Arc::new(interrupted(sim.clone(), begins, &interruption)));
    let (writer, mut turn) = (db.clone(), 0);
    let budget = Arc::new(AtomicU64::new(0));
    let left = Arc::clone(&budget);
    interruption.set(move || {
        // A table that is dropped asks for a checkpoint, which is interrupted again, and so on for ever.
        if left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err() {
            return;
        }
        turn += 1;
        let before = writer.snapshot("t").unwrap();
        let first = before.get(&0_u64.to_be_bytes()).unwrap().map(|record| record.version);
        put(&writer, "t", 0, b"overwritten");
        put(&writer, "t", 1000 + turn, b"new");
        put(&writer, &format!("table{}", turn % 3), turn, b"in a table that comes and goes");
        writer.commit(&[Op::delete("t", &(turn % 20).to_be_bytes())], Durability::Os).unwrap();
        writer.drop_table(&format!("table{}", (turn + 1) % 3), Durability::Os).unwrap();
        let again = before.get(&0_u64.to_be_bytes()).unwrap().map(|record| record.version);
        assert_eq!(first, again, "a snapshot saw a later write");
    });
    for round in 0..8 {
        for key in 0..20 {
            put(&db, "t", key, &[round; 50]);
        }
        budget.store(4, Ordering::Relaxed);
        if round % 3 == 2 {
            db.compact().unwrap()
        } else {
            db.checkpoint().unwrap()
        }
        sim.run_due();
        assert!(budget.load(Ordering::Relaxed) < 4, "nothing came between in round {round}");
        let (found, stats) = (reads::view(&db).unwrap(), db.stats());
        db.flush().unwrap();
        for plan in [CrashPlan::Process, CrashPlan::POWER_LOSS] {
            let after = open(Arc::new(sim.crashed(plan)));
            assert_eq!(reads::view(&after).unwrap(), found, "{plan:?} after round {round}");
            assert_eq!(after.stats().live_bytes, stats.live_bytes, "{plan:?} after round {round}");
        }
    }
    interruption.clear();
}

/// A generation that a merge puts in place in the middle of a checkpoint must not claim of the segment that the checkpoint
/// has just ended, and that no sync has covered, that its name is on the disk: after a power loss it may not be there.
#[test]
fn a_merge_in_the_middle_of_a_checkpoint_claims_nothing_that_is_not_on_the_disk() {
    let (sim, interruption) = (SimEnv::new(1), Interruption::default());
    let open = |env: Arc<dyn Env>| Database::open_with(env, "db", Options::default()).unwrap();
    let db = open(Arc::new(interrupted(sim.clone(), begins, &interruption)));
    // The second of two stones asks for a merge, which waits for its turn.
    for round in 0..2 {
        put(&db, "t", 0, &[round; 50]);
        db.checkpoint().unwrap();
    }
    let before = reads::view(&db).unwrap();
    put(&db, "t", 1, b"not synced");
    let left = Arc::new(Mutex::new(None));
    let (machine, pictured) = (sim.clone(), Arc::clone(&left));
    interruption.set(move || {
        while machine.run_one() {}
        pictured.lock().unwrap().get_or_insert_with(|| machine.crashed(CrashPlan::POWER_LOSS));
    });
    db.checkpoint().unwrap();
    interruption.clear();
    let left = left.lock().unwrap().take().expect("something came between");
    assert!(left.names(Path::new("db")).iter().any(|name| name.ends_with("4.manifest")), "the merge was not done");
    assert_eq!(reads::view(&open(Arc::new(left))).unwrap(), before);
}
