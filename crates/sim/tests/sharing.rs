//! Processes that share a directory: each finds at once what the others have committed, whoever dies when.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cairndb::{Code, Database, Durability, Kind, Op, Options, Outcome};
use cairndb_sim::members::shared_history;
use cairndb_sim::{CrashPlan, Failure, Fault, Op as DiskOp, SimEnv, seeds};

fn options() -> Options {
    Options { shared: true, ..Options::default() }
}

fn open(env: &SimEnv) -> Database {
    Database::open_with(Arc::new(env.clone()), "db", options()).unwrap()
}

fn put(db: &Database, key: &str, value: &str) {
    let op = Op::put("t", key.as_bytes(), Kind::BYTES, value.as_bytes());
    db.commit(&[op], Durability::Os).unwrap();
}

fn get(db: &Database, key: &str) -> Option<String> {
    db.get("t", key.as_bytes()).unwrap().map(|record| String::from_utf8(record.value.to_vec()).unwrap())
}

#[test]
fn what_one_commits_the_others_see_at_once() {
    let one = SimEnv::new(1);
    let two = one.other_process();
    let (a, b) = (open(&one), open(&two));
    put(&a, "k", "1");
    assert_eq!(get(&b, "k").as_deref(), Some("1"));
    put(&b, "k", "2");
    assert_eq!(get(&a, "k").as_deref(), Some("2"));
    let op = Op::put("t", b"k", Kind::BYTES, b"3");
    assert_eq!(a.commit(&[op.if_version(1)], Durability::Os).unwrap(), [Outcome::Conflict(2)]);
    assert_eq!(a.commit(&[op.if_version(2)], Durability::Full).unwrap(), [Outcome::Written(3)]);
    b.checkpoint().unwrap();
    assert_eq!(get(&a, "k").as_deref(), Some("3"));
    put(&a, "l", "4");
    a.compact().unwrap();
    assert_eq!(get(&b, "k").as_deref(), Some("3"));
    assert_eq!((b.len("t").unwrap(), a.len("t").unwrap()), (2, 2));
}

#[test]
fn every_answer_is_the_models_in_whichever_process() {
    let sum = |seed, chosen: Option<&_>| {
        let mishaps = shared_history(seed, 300, chosen);
        mishaps.kills + (mishaps.crashes << 32)
    };
    let mishaps = seeds::each("sharing", 32, 300, sum);
    assert!(mishaps as u32 > 100 && mishaps >> 32 > 10, "hardly anything went wrong: {mishaps:x}");
}

#[test]
fn one_who_wants_the_directory_alone_is_refused_and_refuses_others() {
    let one = SimEnv::new(1);
    let two = one.other_process();
    let alone = |env: &SimEnv| Database::open_with(Arc::new(env.clone()), "db", Options::default());
    let shared = open(&one);
    assert_eq!(alone(&two).unwrap_err().code(), Code::Locked);
    shared.close().unwrap();
    let exclusive = alone(&two).unwrap();
    let refused = Database::open_with(Arc::new(one.clone()), "db", options()).unwrap_err();
    assert_eq!(refused.code(), Code::Locked);
    assert!(refused.to_string().contains(&two.process().to_string()), "{refused}");
    exclusive.close().unwrap();
    assert!(open(&one).tables().unwrap().is_empty());
}

#[test]
fn nobody_is_idle_while_another_process_writes() {
    let one = SimEnv::new(1);
    let two = one.other_process();
    let (a, b) = (open(&one), open(&two));
    for keys in [0..1000, 1000..1010] {
        keys.for_each(|key| put(&a, &format!("{key:04}"), "value"));
        a.checkpoint().unwrap();
    }
    for _ in 0..5 {
        put(&b, "again", "value");
        one.advance(Duration::from_secs(4));
        assert_eq!(one.count_files(".stone"), 2);
    }
    one.advance(Duration::from_secs(60));
    assert_eq!((one.count_files(".stone"), get(&a, "again").as_deref()), (1, Some("value")));
}

#[test]
fn a_snapshot_stays_what_it_was_while_another_process_replaces_its_files() {
    let one = SimEnv::new(1);
    let two = one.other_process();
    let (a, b) = (open(&one), open(&two));
    for n in 0..100 {
        put(&a, &format!("k{n:03}"), "old");
    }
    a.checkpoint().unwrap();
    let before = b.snapshot("t").unwrap();
    for n in 0..100 {
        put(&a, &format!("k{n:03}"), "new");
    }
    a.compact().unwrap();
    assert_eq!(one.count_files(".stone"), 1);
    assert_eq!(before.get(b"k050").unwrap().unwrap().value, b"old");
    assert_eq!(get(&b, "k050").as_deref(), Some("new"));
}

#[test]
fn a_failed_sync_stops_all_until_all_have_closed() {
    let one = SimEnv::new(1);
    let two = one.other_process();
    let (a, b) = (open(&one), open(&two));
    put(&a, "k", "1");
    one.inject(Fault::new(Failure::LosePages).of(DiskOp::Sync));
    let op = Op::put("t", b"k", Kind::BYTES, b"2");
    assert_eq!(a.commit(&[op], Durability::Full).unwrap_err().code(), Code::Io);
    assert_eq!(b.commit(&[op], Durability::Os).unwrap_err().code(), Code::Failed);
    assert_eq!(Database::open_with(Arc::new(two.other_process()), "db", options()).unwrap_err().code(), Code::Failed);
    assert!(get(&b, "k").is_some());
    a.close().unwrap_err();
    b.close().unwrap_err();
    let again = open(&one);
    assert!(get(&again, "k").is_some());
    again.commit(&[op], Durability::Full).unwrap();
}

#[test]
fn what_a_process_left_that_died_in_a_flush_is_removed_by_whoever_does_the_upkeep_next() {
    let mut died = 0;
    for steps in 0..40 {
        let one = SimEnv::new(steps);
        let two = one.other_process();
        let (a, b) = (open(&one), open(&two));
        put(&a, "k", "1");
        one.kill_after(steps);
        let flushed = a.checkpoint();
        if one.is_alive() {
            flushed.unwrap();
            continue;
        }
        died += 1;
        put(&b, "l", "2");
        b.compact().unwrap();
        let mut kinds: Vec<String> = two.names(Path::new("db"));
        kinds.retain(|name| name.contains(".stone") || name.contains(".manifest"));
        assert_eq!(kinds.len(), 2, "one table file and one manifest after {steps} steps: {kinds:?}");
        assert_eq!((get(&b, "k").as_deref(), get(&b, "l").as_deref()), (Some("1"), Some("2")));
        assert!(b.verify().unwrap().damage.is_empty());
    }
    assert!(died > 15, "{died}");
}

#[test]
fn after_a_segment_that_could_not_be_begun_writes_are_as_durable_as_before() {
    let mut failed = 0;
    for write in 1..6 {
        let env = SimEnv::new(1);
        let db = open(&env);
        put(&db, "before", "1");
        env.inject(Fault::new(Failure::Error(ErrorKind::StorageFull)).of(DiskOp::Write).nth(write));
        failed += u64::from(db.checkpoint().is_err());
        env.clear_faults();
        for key in ["a", "b"] {
            let op = Op::put("t", key.as_bytes(), Kind::BYTES, b"2");
            db.commit(&[op], Durability::Full).unwrap();
        }
        let after = open(&env.crashed(CrashPlan::POWER_LOSS));
        assert_eq!(after.len("t").unwrap(), 3, "write {write} of the checkpoint found the disk full");
    }
    assert!(failed > 2, "{failed}");
}
