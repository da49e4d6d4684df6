//! What was acknowledged while the disk is full gets there once there is room, and nobody has to reopen anything.

use std::sync::Arc;
use std::time::Duration;

use cairndb::{Code, Database, Durability, Kind, Op, Options};
use cairndb_sim::{CrashPlan, SimEnv};

const SMALL: usize = 64 << 10;

fn open(env: &SimEnv) -> Database {
    let options = Options { memtable_bytes: SMALL, ..Options::default() };
    Database::open_with(Arc::new(env.clone()), "db", options).unwrap()
}

fn put(db: &Database, key: &str, value: &[u8], level: Durability) -> cairndb::Result<()> {
    db.commit(&[Op::put("t", key.as_bytes(), Kind::BYTES, value)], level).map(drop)
}

fn fill(env: &SimEnv) {
    let used: usize = env.files().values().map(Vec::len).sum();
    env.set_quota(Some(used as u64));
}

#[test]
fn what_was_acknowledged_from_memory_is_written_once_there_is_room_without_a_further_write() {
    let env = SimEnv::new(1);
    let db = open(&env);
    put(&db, "before", b"v", Durability::Os).unwrap();
    fill(&env);
    put(&db, "eventual", &[7; 10_000], Durability::Eventual).unwrap();
    env.advance(Duration::from_secs(5));
    env.set_quota(None);
    env.advance(Duration::from_secs(3));
    let after = open(&env.crashed(CrashPlan::Process));
    assert!(after.contains("t", b"eventual").unwrap());
}

#[test]
fn a_full_disk_is_told_to_the_next_write_from_memory_which_is_not_done() {
    let env = SimEnv::new(1);
    let db = open(&env);
    put(&db, "before", b"v", Durability::Os).unwrap();
    fill(&env);
    put(&db, "first", &[7; 10_000], Durability::Eventual).unwrap();
    env.advance(Duration::from_secs(1));
    let refused = put(&db, "second", b"v", Durability::Eventual).unwrap_err();
    assert_eq!(refused.code(), Code::Full, "{refused}");
    assert!(db.contains("t", b"first").unwrap() && !db.contains("t", b"second").unwrap());
    env.set_quota(None);
    put(&db, "second", b"v", Durability::Eventual).unwrap();
    db.close().unwrap();
    let db = open(&env);
    assert!(db.contains("t", b"first").unwrap() && db.contains("t", b"second").unwrap());
}

#[test]
fn what_waits_in_memory_to_be_written_is_bounded_however_often_a_key_is_overwritten() {
    let env = SimEnv::new(1);
    let db = open(&env);
    put(&db, "before", b"v", Durability::Os).unwrap();
    fill(&env);
    // No time passes, so that no background work can learn of it.
    let written = (0..10_000).take_while(|_| put(&db, "k", &[7; 1000], Durability::Eventual).is_ok()).count();
    assert!((1..10_000).contains(&written), "{written} writes of 1000 bytes were taken into memory");
}

#[test]
fn a_merge_that_found_the_disk_full_is_tried_again() {
    let env = SimEnv::new(1);
    let db = open(&env);
    for round in 0..2_u8 {
        put(&db, &format!("k{round}"), &[round; SMALL], Durability::Full).unwrap();
        if round == 1 {
            // Room for the stone of this flush and its manifest, but not for the merge of both.
            let used: usize = env.files().values().map(Vec::len).sum();
            env.set_quota(Some((used + SMALL + SMALL / 2) as u64));
        }
        env.run_due();
    }
    assert_eq!(db.flush().unwrap_err().code(), Code::Full, "a merge has failed");
    env.set_quota(None);
    env.advance(Duration::from_secs(3));
    db.flush().unwrap();
    assert_eq!(db.stats().tables[0].stones.len(), 1);
}

#[test]
fn manifests_that_did_not_fit_leave_nothing_behind() {
    let env = SimEnv::new(1);
    let db = open(&env);
    put(&db, "k", &[1; 200], Durability::Full).unwrap();
    for name in 0..200 {
        put(&db, "k", &[1; 200], Durability::Full).unwrap();
        db.commit(&[Op::put(&format!("table-{name}"), b"k", Kind::BYTES, b"v")], Durability::Os).unwrap();
    }
    db.flush().unwrap();
    let used: usize = env.files().values().map(Vec::len).sum();
    for room in (0..300_000).step_by(3000) {
        env.set_quota(Some((used + room) as u64));
        if db.checkpoint().is_ok() {
            break;
        }
        assert_eq!((env.count_files(".tmp"), env.count_files(".stone")), (0, 0), "with room for {room} bytes");
    }
    assert!(env.count_files(".stone") > 0, "it fits at last");
}
