//! Backups on a real disk, with real threads.

mod common;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use cairndb::{Code, Database, Durability, Kind, Op, Options, Progress, Range, restore};
use common::Scratch;

fn number(db: &Database, table: &str, key: &[u8]) -> u64 {
    let record = db.get(table, key).unwrap().expect("a record");
    u64::from_be_bytes(record.value[..].try_into().unwrap())
}

/// Each of four threads writes the same number under its name to two tables, in one batch, again and again.
#[test]
fn a_backup_is_of_one_moment_while_threads_write() {
    let (scratch, targets) = (Scratch::new(), tempfile::tempdir().unwrap());
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let write = |name: &[u8; 1], n: u64| {
        let value = n.to_be_bytes();
        let log = [&name[..], &value].concat();
        let ops = [
            Op::put("left", name, Kind::BYTES, &value),
            Op::put("log", &log, Kind::BYTES, &[7; 300]).joined(),
            Op::put("right", name, Kind::BYTES, &value).joined(),
        ];
        scratch.db.commit(&ops, Durability::Os).unwrap();
    };
    thread::scope(|scope| {
        for name in [b"a", b"b", b"c", b"d"] {
            let (write, stop, written) = (&write, &stop, &written);
            // Before the first backup, whichever thread has its turn last.
            write(name, 0);
            scope.spawn(move || {
                for n in 1..2_000 {
                    write(name, n);
                    written.fetch_add(1, Ordering::Relaxed);
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
        }
        while written.load(Ordering::Relaxed) < 100 {
            thread::yield_now();
        }
        for round in 0..3 {
            let (backup, restored) = (format!("backup{round}"), format!("restored{round}"));
            let before = written.load(Ordering::Relaxed);
            scratch.db.backup(targets.path().join(&backup)).unwrap();
            if round % 2 == 0 {
                scratch.db.compact().unwrap();
            }
            restore(targets.path().join(&backup), targets.path().join(&restored)).unwrap();
            let copy = Database::open(targets.path().join(&restored), Options::default()).unwrap();
            let mut total = 0;
            for name in [b"a", b"b", b"c", b"d"] {
                let n = number(&copy, "left", name);
                assert_eq!(number(&copy, "right", name), n);
                assert_eq!(copy.scan("log", &Range::prefix(name)).unwrap().count() as u64, n + 1);
                total += n + 1;
            }
            assert!(total >= before, "{before} batches had been written, {total} are there");
            assert_eq!(copy.verify().unwrap().damage, []);
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn another_thread_can_stop_it_and_then_nothing_is_left() {
    let (scratch, targets) = (Scratch::new(), tempfile::tempdir().unwrap());
    for n in 0..40_000_u64 {
        let key = n.to_be_bytes();
        scratch.db.commit(&[Op::put("t", &key, Kind::BYTES, &[7; 200])], Durability::Os).unwrap();
    }
    let target = targets.path().join("backup");
    let progress = Arc::new(Progress::default());
    let watched = Arc::clone(&progress);
    let watcher = thread::spawn(move || {
        while watched.done() == 0 {
            thread::yield_now();
        }
        watched.cancel();
    });
    let error = scratch.db.backup_with(&target, &progress).unwrap_err();
    watcher.join().unwrap();
    assert_eq!(error.code(), Code::Cancelled);
    assert!(progress.done() < progress.total());
    assert_eq!(fs::read_dir(&target).unwrap().count(), 0);
    assert_eq!(scratch.db.backup(&target).unwrap().records, 40_000);
}

#[test]
fn a_target_in_the_database_is_refused_however_it_is_named() {
    let scratch = Scratch::new();
    let inside = scratch.directory.path().join("inside");
    assert_eq!(scratch.db.backup(&inside).unwrap_err().code(), Code::Directory);
    assert!(!inside.exists());
}

#[test]
fn a_backup_and_what_is_restored_of_it_are_packed_as_the_database_is() {
    let (scratch, targets) = (Scratch::new(), tempfile::tempdir().unwrap());
    let records: Vec<(String, String)> =
        (0..1000).map(|n| (format!("user:{n:06}"), format!("user-{n}@example.com"))).collect();
    let ops: Vec<Op<'_>> =
        records.iter().map(|(key, value)| Op::put("mail", key.as_bytes(), Kind::BYTES, value.as_bytes())).collect();
    scratch.db.commit(&ops, Durability::Os).unwrap();
    scratch.db.compact().unwrap();
    let packed = scratch.db.stats().stone_bytes;
    assert!(packed * 10 < scratch.db.stats().live_bytes * 8, "{packed}");
    let (backup, restored) = (targets.path().join("backup"), targets.path().join("restored"));
    scratch.db.backup(&backup).unwrap();
    restore(&backup, &restored).unwrap();
    for directory in [backup, restored] {
        let db = Database::open(&directory, Options::default()).unwrap();
        assert!(db.stats().stone_bytes <= packed + 200, "{} and {packed}", db.stats().stone_bytes);
        for (key, value) in &records {
            assert_eq!(&*db.get("mail", key.as_bytes()).unwrap().unwrap().value, value.as_bytes());
        }
    }
}
