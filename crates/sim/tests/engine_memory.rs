//! How much is kept in memory, and what happens when that is full.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use cairndb::{Code, Database, Durability, Kind, Op, Options};
use cairndb_sim::{CrashPlan, Failure, Fault, Op as FileOp, SimEnv};

const SMALL: usize = 64 << 10;

fn open(env: &SimEnv) -> Database {
    let options = Options { memtable_bytes: SMALL, ..Options::default() };
    Database::open_with(Arc::new(env.clone()), "db", options).unwrap()
}

fn put(db: &Database, key: &str, value: &[u8], level: Durability) -> cairndb::Result<()> {
    db.commit(&[Op::put("t", key.as_bytes(), Kind::BYTES, value)], level).map(drop)
}

#[test]
fn memory_takes_four_times_its_budget_while_flushing_fails_and_no_more() {
    let env = SimEnv::new(1);
    let db = open(&env);
    // There is room for the journal, and none for manifests.
    env.inject(Fault::new(Failure::Error(ErrorKind::StorageFull)).of(FileOp::Rename).sticky());
    let mut written = 0;
    let refused = loop {
        if let Err(error) = put(&db, &format!("{written}"), &[7; 1000], Durability::Os) {
            break error;
        }
        written += 1;
        env.run_due();
        assert!(written < 1000, "{written} records of 1000 bytes were taken into memory");
    };
    assert_eq!(refused.code(), Code::Full, "{refused}");
    assert!((3 * SMALL..5 * SMALL).contains(&(written * 1000)), "{written}");
    env.clear_faults();
    env.advance(Duration::from_secs(3));
    put(&db, "again", b"v", Durability::Os).unwrap();
    assert_eq!(db.len("t").unwrap(), written as u64 + 1);
}

#[test]
fn a_writer_waits_in_proportion_to_how_far_flushing_lags() {
    // What one commit leaves in memory; no time passes in which it could be flushed.
    let wait = |bytes: usize| {
        let db = open(&SimEnv::new(1));
        put(&db, "k", &vec![7; bytes], Durability::Os).unwrap();
        db.pressure()
    };
    let millis = |from: u64, to: u64| Duration::from_millis(from)..Duration::from_millis(to);
    assert_eq!(wait(2 * SMALL - 2000), Duration::ZERO);
    assert!(millis(5, 6).contains(&wait(3 * SMALL)), "{:?}", wait(3 * SMALL));
    assert!(millis(10, 11).contains(&wait(4 * SMALL)), "{:?}", wait(4 * SMALL));
    assert_eq!(wait(100 * SMALL), Duration::from_millis(100), "and never longer");
}

#[test]
fn a_checkpoint_waits_until_the_journal_has_grown_by_the_budget_again() {
    let env = SimEnv::new(1);
    let db = open(&env);
    // One key over and over, so that it is the journal that grows, and not the memory.
    let write = |times: usize| {
        for _ in 0..times {
            put(&db, "k", &[1; 1000], Durability::Os).unwrap();
            env.run_due();
        }
        db.stats().generation
    };
    assert_eq!(write(50), 1);
    let first = write(30);
    assert!(first > 1);
    assert_eq!(write(20), first);
    assert!(write(50) > first);
}

#[test]
fn a_table_that_was_dropped_takes_no_memory_after_reopening_either() {
    let env = SimEnv::new(1);
    let db = open(&env);
    put(&db, "k", &[1; 4 * SMALL], Durability::Os).unwrap();
    assert!(!db.pressure().is_zero());
    db.drop_table("t", Durability::Os).unwrap();
    assert!(db.pressure().is_zero());
    assert!(open(&env.crashed(CrashPlan::Process)).pressure().is_zero());
}

#[test]
fn a_block_that_was_read_without_mapping_is_kept_in_memory() {
    let env = SimEnv::new(1);
    let db = Database::open_with(Arc::new(env.clone()), "db", Options { mmap: false, ..Options::default() }).unwrap();
    put(&db, "k", b"v", Durability::Os).unwrap();
    db.checkpoint().unwrap();
    assert!(db.get("t", b"k").unwrap().is_some());
    let before = env.operations();
    assert!(db.get("t", b"k").unwrap().is_some());
    assert_eq!(env.operations(), before);
}

/// However little memory a database may take for what it writes, a megabyte of what was read is kept.
#[test]
fn a_small_budget_for_writing_does_not_make_reading_without_mapping_slow() {
    let env = SimEnv::new(1);
    let options = Options { mmap: false, memtable_bytes: 64 << 10, ..Options::default() };
    let db = Database::open_with(Arc::new(env.clone()), "db", options).unwrap();
    let keys: Vec<String> = (0..64).map(|n| format!("k{n:02}")).collect();
    for key in &keys {
        put(&db, key, &[7; 4000], Durability::Os).unwrap();
    }
    db.compact().unwrap();
    let read_all = || keys.iter().for_each(|key| assert!(db.get("t", key.as_bytes()).unwrap().is_some()));
    read_all();
    let before = env.operations();
    read_all();
    assert_eq!(env.operations(), before);
}
