//! The engine and the clock: expirations, background syncs, reclaim delays; stepped by a virtual clock.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cairndb::env::Env;
use cairndb::{Code, Database, Durability, Kind, Op, Options, Outcome, Progress};
use cairndb_sim::{CrashPlan, Failure, Fault, Op as FileOp, SimEnv, obfuscated};

fn open(env: &SimEnv, options: Options) -> Database {
    Database::open_with(Arc::new(env.clone()), "db", options).unwrap()
}

fn put(db: &Database, key: &str, level: Durability) {
    db.commit(&[Op::put("t", key.as_bytes(), Kind::BYTES, b"v")], level).unwrap();
}

fn put_expiring(db: &Database, key: &str, at: f64) -> Outcome {
    db.commit(&[Op::put("t", key.as_bytes(), Kind::BYTES, b"v").expires_at(at)], Durability::Os).unwrap()[0]
}

fn has(db: &Database, key: &str) -> bool {
    db.contains("t", key.as_bytes()).unwrap()
}

#[test]
fn an_expired_record_is_missing_everywhere_and_its_key_begins_again() {
    let env = SimEnv::new(1);
    let db = open(&env, Options::default());
    let now = env.now() as f64;
    for checkpoint in [false, true] {
        put_expiring(&db, "soon", env.now() as f64 + 10.0);
        put_expiring(&db, "later", now + 1e9);
        put_expiring(&db, "past", -1.5);
        if checkpoint {
            db.checkpoint().unwrap();
        }
        assert!(has(&db, "soon") && has(&db, "later") && !has(&db, "past"));
        assert_eq!(db.len("t").unwrap(), 2);
        env.advance(Duration::from_millis(11));
        assert!(!has(&db, "soon"));
        assert_eq!(db.len("t").unwrap(), 1);
        assert_eq!(db.scan("t", &cairndb::Range::all()).unwrap().count(), 1);
        assert_eq!(db.commit(&[Op::delete("t", b"soon")], Durability::Os).unwrap(), [Outcome::Missing]);
        assert_eq!(put_expiring(&db, "past", -2.0), Outcome::Written(1));
    }
}

#[test]
fn cleaning_up_counts_each_expired_record_once_wherever_it_lies() {
    let env = SimEnv::new(1);
    let db = open(&env, Options::default());
    let at = |after: u64| (env.now() + after) as f64;
    for n in 0..3000 {
        put_expiring(&db, &format!("a{n}"), at(5));
    }
    db.checkpoint().unwrap();
    for n in 0..10 {
        put_expiring(&db, &format!("a{n}"), at(1_000_000));
        put_expiring(&db, &format!("b{n}"), at(5));
    }
    put(&db, "a11", Durability::Os);
    db.commit(&[Op::delete("t", b"a12")], Durability::Os).unwrap();
    env.advance(Duration::from_millis(6));
    assert_eq!(db.len("t").unwrap(), 11);
    assert_eq!(db.cleanup_expired("t").unwrap(), 3000 - 12 + 10);
    assert_eq!(db.cleanup_expired("t").unwrap(), 0);
    assert_eq!((db.len("t").unwrap(), db.stats().live_records), (11, 11));
    assert_eq!(db.cleanup_expired("nothing").unwrap(), 0);
}

#[test]
fn expired_records_go_by_themselves() {
    let env = SimEnv::new(1);
    let db = open(&env, Options::default());
    put_expiring(&db, "k", env.now() as f64 + 10.0);
    put(&db, "stays", Durability::Os);
    assert_eq!(db.stats().live_records, 2);
    env.advance(Duration::from_secs(61));
    assert_eq!(db.stats().live_records, 1);
}

#[test]
fn the_background_bounds_what_a_power_cut_takes() {
    let env = SimEnv::new(1);
    let db = open(&env, Options::default());
    put(&db, "old", Durability::Os);
    env.advance(Duration::from_millis(1001));
    put(&db, "new", Durability::Os);
    let after = open(&env.crashed(CrashPlan::POWER_LOSS), Options::default());
    assert!(has(&after, "old") && !has(&after, "new"));
}

#[test]
fn the_background_bounds_what_a_crash_takes_of_eventual_writes() {
    let env = SimEnv::new(1);
    let db = open(&env, Options::default());
    put(&db, "old", Durability::Eventual);
    env.advance(Duration::from_millis(101));
    put(&db, "new", Durability::Eventual);
    assert!(has(&db, "new"));
    let after = open(&env.crashed(CrashPlan::Process), Options::default());
    assert!(has(&after, "old") && !has(&after, "new"));
    db.flush().unwrap();
    assert!(has(&open(&env.crashed(CrashPlan::POWER_LOSS), Options::default()), "new"));
}

#[test]
fn eventual_writes_that_found_the_disk_full_are_written_once_there_is_room() {
    let env = SimEnv::new(1);
    let db = open(&env, Options::default());
    put(&db, "first", Durability::Os);
    put(&db, "second", Durability::Eventual);
    env.set_quota(Some(0));
    env.advance(Duration::from_millis(150));
    assert!(db.stats().background_error.is_some());
    env.set_quota(None);
    env.advance(Duration::from_secs(1));
    assert!(db.stats().background_error.is_none());
    let db = open(&env.crashed(CrashPlan::Process), Options::default());
    assert!(has(&db, "second"));
}

#[test]
fn a_full_write_takes_all_earlier_ones_with_it() {
    let env = SimEnv::new(1);
    let db = open(&env, Options::default());
    put(&db, "eventual", Durability::Eventual);
    put(&db, "os", Durability::Os);
    put(&db, "full", Durability::Full);
    let after = open(&env.crashed(CrashPlan::POWER_LOSS), Options::default());
    assert!(has(&after, "eventual") && has(&after, "os") && has(&after, "full"));
}

/// What a later segment says was on the disk has to mean that all earlier ones are: also to whoever appends meanwhile.
#[test]
fn segments_are_synced_oldest_first() {
    let env = SimEnv::new(1);
    let db = open(&env, Options { memtable_bytes: 1 << 16, ..Options::default() });
    // The large table fills the memory, and the tiny one is carried into the next segment by the checkpoint: so two
    // segments have something to be synced.
    put(&db, "k", Durability::Os);
    db.commit(&[Op::put("large", b"k", Kind::BYTES, &[7; 1 << 17])], Durability::Os).unwrap();
    let before = env.history().events.len();
    env.run_due();
    let events = env.history().events.split_off(before);
    let is_segment = |path: &Path| path.extension().is_some_and(|extension| extension == "journal");
    let synced: Vec<_> = events.iter().filter(|e| e.op == FileOp::Sync && is_segment(&e.path)).collect();
    assert!(synced.len() >= 2, "{}", env.history());
    assert!(synced.is_sorted_by_key(|event| &event.path), "{synced:?}");
}

#[test]
fn replaced_files_stay_for_the_reclaim_delay() {
    let env = SimEnv::new(1);
    let db = open(&env, Options { reclaim_delay: Duration::from_secs(30), ..Options::default() });
    for _ in 0..5 {
        put(&db, "k", Durability::Os);
        db.checkpoint().unwrap();
    }
    while env.run_one() && env.now() < 1_700_000_020_000 {}
    let (manifests, stones) = (env.count_files(".manifest"), env.count_files(".stone"));
    assert!(manifests > 5 && stones > 1, "{manifests} {stones}");
    assert!(db.stats().reclaimable_bytes > 0);
    env.advance(Duration::from_secs(120));
    assert_eq!((env.count_files(".manifest"), env.count_files(".stone")), (1, 1));
    assert_eq!(db.stats().reclaimable_bytes, 0);
}

#[test]
fn each_replaced_file_stays_for_the_reclaim_delay() {
    let env = SimEnv::new(1);
    let db = open(&env, Options { reclaim_delay: Duration::from_secs(30), ..Options::default() });
    // The first generation is replaced at once, the second one 20 seconds later.
    for (table, seconds) in [("a", 20), ("b", 15)] {
        db.commit(&[Op::put(table, b"k", Kind::BYTES, b"v")], Durability::Os).unwrap();
        db.checkpoint().unwrap();
        env.advance(Duration::from_secs(seconds));
    }
    assert_eq!(env.count_files(".manifest"), 2);
    env.advance(Duration::from_secs(14));
    assert_eq!(env.count_files(".manifest"), 2);
    // And no longer.
    env.advance(Duration::from_secs(2));
    assert_eq!(env.count_files(".manifest"), 1);
}

#[test]
fn a_file_that_a_snapshot_reads_stays_until_it_is_let_go() {
    let env = SimEnv::new(1);
    let db = open(&env, Options::default());
    put(&db, "k", Durability::Os);
    db.checkpoint().unwrap();
    let snapshot = db.snapshot("t").unwrap();
    put(&db, "k", Durability::Os);
    db.compact().unwrap();
    env.advance(Duration::from_secs(60));
    // Generations go oldest first: with the one that is read, those after it stay.
    assert_eq!(env.count_files(".stone"), 3);
    assert_eq!(snapshot.get(b"k").unwrap().unwrap().version, 1);
    drop(snapshot);
    env.advance(Duration::from_secs(60));
    assert_eq!(env.count_files(".stone"), 1);
}

#[test]
fn a_small_stone_upon_a_large_one_is_merged_once_nobody_has_written_for_ten_seconds() {
    let env = SimEnv::new(1);
    let db = open(&env, Options::default());
    for keys in [0..1000, 1000..1010] {
        keys.for_each(|key| put(&db, &format!("{key:04}"), Durability::Os));
        db.checkpoint().unwrap();
    }
    let stones = || db.stats().tables[0].stones.len();
    for _ in 0..5 {
        env.advance(Duration::from_secs(4));
        assert!(stones() > 1);
        put(&db, "again", Durability::Os);
        db.checkpoint().unwrap();
    }
    env.advance(Duration::from_secs(9));
    assert!(stones() > 1);
    env.advance(Duration::from_secs(11));
    assert_eq!(stones(), 1);
    assert_eq!(db.scan("t", &cairndb::Range::all()).unwrap().count(), 1011);
    // And then there is nothing more to do.
    let generation = db.stats().generation;
    env.advance(Duration::from_secs(60));
    assert_eq!(db.stats().generation, generation);
}

#[test]
fn a_table_without_records_has_no_file() {
    let env = SimEnv::new(1);
    let db = open(&env, Options::default());
    put(&db, "k", Durability::Os);
    db.checkpoint().unwrap();
    assert_eq!(env.count_files(".stone"), 1);
    db.commit(&[Op::delete("t", b"k")], Durability::Os).unwrap();
    db.compact().unwrap();
    assert_eq!((env.count_files(".stone"), db.tables().unwrap()), (0, vec!["t".to_owned()]));
}

#[test]
fn pruning_does_not_wait_for_the_reclaim_delay() {
    let env = SimEnv::new(1);
    let db = open(&env, Options { reclaim_delay: Duration::from_secs(3600), ..Options::default() });
    for _ in 0..5 {
        put(&db, "k", Durability::Os);
        db.checkpoint().unwrap();
    }
    db.prune(3).unwrap();
    assert_eq!(env.count_files(".manifest"), 3);
    db.prune(0).unwrap();
    assert_eq!(env.count_files(".manifest"), 1);
}

#[test]
fn after_a_failed_sync_writes_are_refused_until_reopening_and_reads_go_on() {
    let env = SimEnv::new(1);
    let db = open(&env, Options::default());
    put(&db, "before", Durability::Full);
    env.inject(Fault::new(Failure::LosePages).of(cairndb_sim::Op::Sync).nth(1));
    let write = || db.commit(&[Op::put("t", b"lost", Kind::BYTES, b"v")], Durability::Full);
    assert_eq!(write().unwrap_err().code(), Code::Io);
    assert_eq!(write().unwrap_err().code(), Code::Failed);
    assert_eq!(db.flush().unwrap_err().code(), Code::Io);
    assert!(has(&db, "before"));
    drop(db);
    let after = open(&env.crashed(CrashPlan::POWER_LOSS), Options::default());
    assert!(has(&after, "before") && !has(&after, "lost"));
    put(&after, "again", Durability::Full);
}

#[test]
fn after_a_failed_write_writes_are_refused_until_reopening_and_reads_go_on() {
    let env = SimEnv::new(1);
    let db = open(&env, Options::default());
    put(&db, "before", Durability::Full);
    env.inject(Fault::new(Failure::Error(std::io::ErrorKind::Other)).of(FileOp::Write).nth(1));
    let write = || db.commit(&[Op::put("t", b"lost", Kind::BYTES, b"v")], Durability::Os);
    assert_eq!(write().unwrap_err().code(), Code::Io);
    assert_eq!(write().unwrap_err().code(), Code::Failed);
    assert!(has(&db, "before") && !has(&db, "lost"));
    drop(db);
    let after = open(&env.crashed(CrashPlan::Process), Options::default());
    assert!(has(&after, "before") && !has(&after, "lost"));
    put(&after, "again", Durability::Full);
}

#[test]
fn a_full_disk_refuses_writes_loses_nothing_and_recovers_when_there_is_room() {
    let env = SimEnv::new(1);
    let options = Options { memtable_bytes: 64 << 10, ..Options::default() };
    let db = open(&env, options.clone());
    put(&db, "before", Durability::Full);
    let used: usize = env.files().values().map(Vec::len).sum();
    env.set_quota(Some(used as u64 + 100));
    let large = vec![7; 300_000];
    let error = db.commit(&[Op::put("t", b"large", Kind::BYTES, &large)], Durability::Os).unwrap_err();
    assert_eq!(error.code(), Code::Full, "{error}");
    assert!(has(&db, "before") && !has(&db, "large"));
    env.set_quota(None);
    for n in 0..40 {
        db.commit(&[Op::put("t", format!("k{n}").as_bytes(), Kind::BYTES, &[7; 4000])], Durability::Os).unwrap();
    }
    db.close().unwrap();
    let db = open(&env, options);
    assert!(has(&db, "before") && !has(&db, "large") && has(&db, "k39"));
    assert_eq!(db.len("t").unwrap(), 41);
}

#[test]
fn flushing_that_fails_is_tried_again_and_told() {
    let env = SimEnv::new(1);
    let db = open(&env, Options { memtable_bytes: 64 << 10, ..Options::default() });
    for n in 0..40 {
        db.commit(&[Op::put("t", format!("k{n}").as_bytes(), Kind::BYTES, &[1; 4000])], Durability::Os).unwrap();
    }
    env.inject(Fault::new(Failure::Error(std::io::ErrorKind::StorageFull)).of(cairndb_sim::Op::Create).nth(1));
    env.advance(Duration::ZERO);
    assert!(db.stats().background_error.unwrap().contains("space"));
    assert_eq!(db.flush().unwrap_err().code(), Code::Full);
    assert!(has(&db, "k0") && env.count_files(".stone") == 0);
    env.advance(Duration::from_secs(2));
    assert_eq!(db.stats().background_error, None);
    assert!(env.count_files(".stone") > 0);
    db.flush().unwrap();
}

#[test]
fn a_tiny_table_whose_flush_failed_is_not_taken_for_one_to_carry() {
    let env = SimEnv::new(1);
    let db = open(&env, Options { memtable_bytes: 64 << 10, ..Options::default() });
    put(&db, "tiny", Durability::Full);
    env.inject(Fault::new(Failure::Error(std::io::ErrorKind::StorageFull)).of(cairndb_sim::Op::Create).nth(2));
    assert_eq!(db.checkpoint().unwrap_err().code(), Code::Full);
    db.commit(&[Op::put("large", b"k", Kind::BYTES, &[1; 70_000])], Durability::Full).unwrap();
    env.advance(Duration::ZERO);
    assert_eq!(db.stats().background_error, None);
    db.prune(1).unwrap();
    let after = open(&env.crashed(CrashPlan::POWER_LOSS), Options::default());
    assert!(has(&after, "tiny"));
}

#[test]
fn another_process_is_kept_out_until_the_first_closes_or_dies() {
    let env = SimEnv::new(1);
    let db = open(&env, Options::default());
    put(&db, "k", Durability::Os);
    let other = env.other_process();
    let attempt = || Database::open_with(Arc::new(other.clone()), "db", Options::default());
    let error = attempt().unwrap_err();
    assert_eq!(error.code(), Code::Locked);
    env.kill();
    assert!(has(&attempt().unwrap(), "k"));
}

#[test]
fn nothing_goes_around_the_environment() {
    let env = SimEnv::new(1);
    let hidden = || Arc::new(obfuscated(env.clone()));
    let db = Database::open_with(hidden(), "db", Options::default()).unwrap();
    for n in 0..200 {
        put(&db, &format!("{n}"), Durability::Os);
        if n % 50 == 0 {
            db.checkpoint().unwrap();
        }
    }
    db.compact().unwrap();
    assert_eq!(db.verify().unwrap().damage, []);
    db.close().unwrap();
    for (path, bytes) in env.files() {
        let clear = bytes.windows(5).any(|window| window == b"CAIRN");
        assert!(!clear, "{} was written past the environment", Path::new(&path).display());
    }
    let db = Database::open_with(hidden(), "db", Options::default()).unwrap();
    assert_eq!(db.len("t").unwrap(), 200);
}

#[test]
fn a_newer_format_is_refused_and_left_as_it_is() {
    let env = SimEnv::new(1);
    let db = open(&env, Options::default());
    put(&db, "k", Durability::Full);
    let (path, mut bytes) = env.files().into_iter().find(|(path, _)| path.ends_with("000000000001.journal")).unwrap();
    db.close().unwrap();
    bytes[8] += 1;
    let digest = xxhash_rust::xxh3::xxh3_64(&bytes[..72]);
    bytes[72..80].copy_from_slice(&digest.to_le_bytes());
    env.put_file(&path, &bytes).unwrap();
    let error = Database::open_with(Arc::new(env.clone()), "db", Options::default()).unwrap_err();
    assert_eq!(error.code(), Code::Format, "{error}");
    assert_eq!(env.files()[&path], bytes);
}

#[test]
fn what_a_process_that_died_left_undone_is_done_by_the_next_one() {
    let options = Options { memtable_bytes: 64 << 10, ..Options::default() };
    let env = SimEnv::new(1);
    let db = open(&env, options.clone());
    put(&db, "k", Durability::Os);
    db.checkpoint().unwrap();
    // Its replaced files are removed, in their time.
    let next = env.crashed(CrashPlan::Process);
    let _db = open(&next, options.clone());
    assert_eq!(next.count_files(".manifest"), 2);
    next.advance(Duration::from_secs(60));
    assert_eq!(next.count_files(".manifest"), 1);
    // What is more than the memory's budget is flushed.
    db.commit(&[Op::put("t", b"large", Kind::BYTES, &[1; 100_000])], Durability::Os).unwrap();
    let next = env.crashed(CrashPlan::Process);
    let db = open(&next, options);
    next.run_due();
    assert!(has(&db, "large") && db.stats().memory_bytes == 0);
}

#[test]
fn what_was_acknowledged_from_memory_is_on_the_disk_once_its_ticket_was_synced() {
    let env = SimEnv::new(1);
    let db = open(&env, Options::default());
    let (_, ticket) = db.append(&[Op::put("t", b"k", Kind::BYTES, b"v")], Durability::Eventual).unwrap();
    db.sync(ticket).unwrap();
    assert!(has(&open(&env.crashed(CrashPlan::POWER_LOSS), Options::default()), "k"));
}

#[test]
fn what_a_failed_sync_left_in_a_later_segment_is_written_again_too() {
    let env = SimEnv::new(1);
    let db = open(&env, Options::default());
    (0..9).for_each(|n| put(&db, &format!("{n}"), Durability::Full));
    db.close().unwrap();
    let db = open(&env, Options::default());
    env.inject(Fault::new(Failure::LosePages).of(FileOp::Sync));
    let lost = db.commit(&[Op::put("t", b"read", Kind::BYTES, b"v")], Durability::Full).unwrap_err();
    assert_eq!(lost.code(), Code::Io);
    // The process dies, and the next one reads from memory what the disk does not have.
    let next = env.crashed(CrashPlan::Process);
    let db = open(&next, Options::default());
    assert!(has(&db, "read"));
    put(&db, "after", Durability::Full);
    let after = open(&next.crashed(CrashPlan::POWER_LOSS), Options::default());
    assert!(has(&after, "read") && has(&after, "after"));
}

#[test]
fn tombstones_that_have_nothing_left_to_hide_are_compacted_away() {
    let env = SimEnv::new(1);
    let db = open(&env, Options::default());
    let write = |keys: std::ops::Range<u32>, delete: bool| {
        for key in keys.map(|n| n.to_be_bytes().repeat(50)) {
            let op = if delete { Op::delete("t", &key) } else { Op::put("t", &key, Kind::BYTES, b"v") };
            db.commit(&[op], Durability::Os).unwrap();
        }
    };
    write(0..100, false);
    db.checkpoint().unwrap();
    write(0..100, true);
    db.checkpoint().unwrap();
    // A light stone with tombstones on two heavy ones, which merge into nothing.
    write(100..105, false);
    write(100..105, true);
    put(&db, "k", Durability::Os);
    db.checkpoint().unwrap();
    env.run_due();
    let stones = || db.stats().tables[0].stones.clone();
    let (before, content, progress) = (stones(), db.stats().tables[0].content_bytes, Progress::default());
    db.compact_with(&progress).unwrap();
    assert!(before.len() == 1 && before[0] > stones()[0] + 500, "{before:?} {:?}", stones());
    assert_eq!(progress.total(), content, "it is counted as what there is to do");
}
