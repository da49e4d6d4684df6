//! Whatever the order in which threads take turns: what is acknowledged is there, what is read belongs together, and
//! nothing is touched that was given up. A schedule that fails is printed, and `shuttle::replay` runs it again.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cairndb::{Code, Database, Durability, Kind, Op, Range};
use common::overtaking::{self, Overtaken};
use common::{Machine, explore, number, put};
use shuttle::thread;

/// Writes `a` and `b` in one commit.
fn put_both(db: &Database, value: u64) -> cairndb::Result<()> {
    let bytes = value.to_le_bytes();
    let ops = [Op::put("t", b"a", Kind::BYTES, &bytes), Op::put("t", b"b", Kind::BYTES, &bytes).joined()];
    db.commit(&ops, Durability::Os).map(drop)
}

fn put_number(db: &Database, key: &[u8], number: u64) {
    db.commit(&[Op::put("t", key, Kind::BYTES, &number.to_le_bytes())], Durability::Os).unwrap();
}

/// Takes a snapshot and looks whether it is one moment, not before the last commit that was acknowledged.
fn read_snapshot(db: &Database, acknowledged: &AtomicU64) {
    let least = acknowledged.load(Ordering::SeqCst);
    let snapshot = db.snapshot("t").unwrap();
    let seen = number(snapshot.get(b"a").unwrap());
    assert!(seen >= least, "a snapshot shows {seen} after {least} was acknowledged");
    let other = number(db.get("t", b"b").unwrap());
    assert!(other >= seen, "a read shows {other} after a snapshot showed {seen}");
    assert_eq!(number(snapshot.get(b"b").unwrap()), seen, "halves of a commit");
    let rows: Vec<u64> = snapshot.scan(&Range::all()).unwrap().map(|row| number(Some(row.unwrap().1))).collect();
    assert_eq!(rows, [seen, seen], "the same snapshot later");
}

#[test]
fn a_snapshot_is_one_moment_and_stays_it() {
    explore(2000, || {
        let machine = Machine::new();
        let db = machine.open();
        put_both(&db, 1).unwrap();
        let acknowledged = Arc::new(AtomicU64::new(1));
        let writer = {
            let (db, acknowledged) = (db.clone(), Arc::clone(&acknowledged));
            thread::spawn(move || {
                for value in 2..5 {
                    put_both(&db, value).unwrap();
                    acknowledged.store(value, Ordering::SeqCst);
                }
            })
        };
        let flusher = {
            let db = db.clone();
            thread::spawn(move || db.checkpoint().unwrap())
        };
        let readers = [(); 2].map(|()| {
            let (db, acknowledged) = (db.clone(), Arc::clone(&acknowledged));
            thread::spawn(move || read_snapshot(&db, &acknowledged))
        });
        writer.join().unwrap();
        flusher.join().unwrap();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        assert_eq!(number(db.get("t", b"a").unwrap()), 4);
        db.close().unwrap();
        machine.rest();
    });
}

#[test]
fn a_snapshot_that_is_overtaken_anywhere_is_one_moment() {
    let places = overtaking::explore(|overtaken| {
        let machine = Machine::new();
        let db = machine.open();
        put_both(&db, 1).unwrap();
        let reader = {
            let db = db.clone();
            thread::spawn(move || read_snapshot(&db, &AtomicU64::new(1)))
        };
        overtaken.is(&reader);
        for value in 2..6 {
            put_both(&db, value).unwrap();
            if value == 4 {
                db.compact().unwrap();
            }
        }
        reader.join().unwrap();
        db.close().unwrap();
        machine.rest();
    });
    assert!(places > 20, "overtaken at {places} places only");
}

#[test]
fn a_snapshot_in_the_middle_of_a_commit_stays_what_it_was() {
    let places = overtaking::explore(|overtaken| {
        let machine = Machine::new();
        let db = machine.open();
        put_both(&db, 1).unwrap();
        let writer = {
            let db = db.clone();
            thread::spawn(move || put_both(&db, 2).unwrap())
        };
        overtaken.is(&writer);
        let snapshot = db.snapshot("t").unwrap();
        let seen = number(snapshot.get(b"a").unwrap());
        let least = number(db.get("t", b"b").unwrap());
        writer.join().unwrap();
        assert_eq!([b"a", b"b"].map(|key| number(snapshot.get(key).unwrap())), [seen, seen], "the same snapshot later");
        assert!(number(db.get("t", b"b").unwrap()) >= least);
        drop(snapshot);
        db.close().unwrap();
        machine.rest();
    });
    assert!(places > 20, "overtaken at {places} places only");
}

#[test]
fn a_read_never_goes_back_in_time() {
    explore(2000, || {
        let machine = Machine::new();
        let db = machine.open();
        let writer = {
            let db = db.clone();
            thread::spawn(move || (1..5).for_each(|value| put_both(&db, value).unwrap()))
        };
        let flusher = {
            let db = db.clone();
            thread::spawn(move || db.compact().unwrap())
        };
        let mut last = 0;
        for _ in 0..4 {
            let seen = number(db.get("t", b"a").unwrap());
            assert!(seen >= last, "{seen} after {last}");
            last = seen;
        }
        writer.join().unwrap();
        flusher.join().unwrap();
        machine.rest();
        db.close().unwrap();
        machine.rest();
    });
}

/// The table of places doubles at the eleventh key, and each reader puts new keys in order.
#[test]
fn a_memtable_that_grows_is_whole_for_whoever_reads_it() {
    explore(1000, || {
        let machine = Machine::new();
        let db = machine.open();
        let key = |n: u64| vec![(n * 7 % 16) as u8];
        (0..9).for_each(|n| put_number(&db, &key(n), n));
        let acknowledged = Arc::new(AtomicU64::new(9));
        let readers = [(); 2].map(|()| {
            let (db, acknowledged) = (db.clone(), Arc::clone(&acknowledged));
            thread::spawn(move || {
                for _ in 0..2 {
                    let least = acknowledged.load(Ordering::SeqCst);
                    let found = (0..least).filter(|n| db.contains("t", &key(*n)).unwrap()).count() as u64;
                    assert_eq!(found, least, "keys are missing that were acknowledged");
                    let rows: Vec<_> = db.scan("t", &Range::all()).unwrap().map(|row| row.unwrap()).collect();
                    assert!(rows.len() as u64 >= least, "{} of {least} keys", rows.len());
                    assert!(rows.is_sorted_by(|a, b| *a.0 < *b.0), "keys are out of order, or twice there");
                }
            })
        });
        for n in 9..13 {
            put_number(&db, &key(n), n);
            acknowledged.store(n + 1, Ordering::SeqCst);
            // Written again, a key stays where it is in the order.
            put_number(&db, &key(n - 9), n);
        }
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        db.close().unwrap();
        machine.rest();
    });
}

#[test]
fn what_a_sync_acknowledges_survives_a_power_loss() {
    explore(1500, || {
        let machine = Machine::new();
        let db = machine.open();
        let writers = [0_u64, 1, 2].map(|number| {
            let (db, machine) = (db.clone(), machine.clone());
            thread::spawn(move || {
                let key = format!("k{number}");
                if number < 2 {
                    put(&db, &key, b"v", Durability::Full).unwrap();
                } else {
                    let (_, ticket) =
                        db.append(&[Op::put("t", key.as_bytes(), Kind::BYTES, b"v")], Durability::Os).unwrap();
                    db.sync(ticket).unwrap();
                }
                assert!(machine.after_power_loss().contains("t", key.as_bytes()).unwrap(), "{key} was acknowledged");
            })
        });
        // A checkpoint ends the segment in the middle of it all.
        db.checkpoint().unwrap();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        db.close().unwrap();
        machine.rest();
    });
}

#[test]
fn a_ticket_of_a_write_that_is_in_memory_only_is_honoured_too() {
    explore(200, || {
        let machine = Machine::new();
        let db = machine.open();
        let (_, ticket) = db.append(&[Op::put("t", b"k", Kind::BYTES, b"v")], Durability::Eventual).unwrap();
        db.sync(ticket).unwrap();
        assert!(machine.after_power_loss().contains("t", b"k").unwrap(), "what a ticket stands for was synced");
        db.close().unwrap();
        machine.rest();
    });
}

/// What can be under way while another thread closes the database.
type Call = fn(&Database) -> cairndb::Result<()>;

const CALLS: [Call; 9] = [
    |db| put(db, "late", b"v", Durability::Os),
    |db| put(db, "late", b"v", Durability::Full),
    |db| put(db, "late", b"v", Durability::Eventual),
    |db| db.define_dictionary("d", &[("long", "l")]).map(drop),
    |db| db.drop_table("other", Durability::Os).map(drop),
    Database::checkpoint,
    Database::compact,
    |db| db.prune(1).map(drop),
    |db| db.verify().map(drop),
];

/// Closes the database while a call is under way.
fn close_during(number: usize, overtaken: &Overtaken) {
    let machine = Machine::new();
    let db = machine.open();
    // A stone, records that a compaction makes another of and merges with it, and generations of which some can go.
    put(&db, "early", b"v", Durability::Os).unwrap();
    db.checkpoint().unwrap();
    put(&db, "early", b"v", Durability::Os).unwrap();
    db.commit(&[Op::put("other", b"k", Kind::BYTES, b"v")], Durability::Os).unwrap();
    machine.rest();
    let late = {
        let db = db.clone();
        thread::spawn(move || match CALLS[number](&db) {
            Ok(()) => true,
            Err(error) => {
                assert_eq!(error.code(), Code::Closed, "{error}");
                false
            }
        })
    };
    overtaken.is(&late);
    db.close().unwrap();
    let changes = machine.disk.changes();
    let acknowledged = late.join().unwrap();
    machine.rest();
    assert_eq!(machine.disk.changes(), changes, "call {number} changed a directory that another process may have");
    let next = machine.open();
    assert!(next.contains("t", b"early").unwrap());
    assert!(number >= 3 || !acknowledged || next.contains("t", b"late").unwrap(), "what was acknowledged");
    assert_eq!(next.verify().unwrap().damage, []);
    next.close().unwrap();
    machine.rest();
}

#[test]
fn nothing_is_written_once_the_directory_was_given_up() {
    for number in 0..CALLS.len() {
        let places = overtaking::explore(move |overtaken| close_during(number, overtaken));
        assert!(places > 5, "call {number} was overtaken at {places} places only");
    }
    explore(2000, || {
        let number = shuttle::rand::Rng::gen_range(&mut shuttle::rand::thread_rng(), 0..CALLS.len());
        close_during(number, &Overtaken::default());
    });
}

#[test]
fn files_that_somebody_reads_stay_until_they_were_read() {
    let places = overtaking::explore(read_while_files_go);
    assert!(places > 10, "overtaken at {places} places only");
    explore(1000, || read_while_files_go(&Overtaken::default()));
}

/// Reads stones that nobody has opened, of a table that is dropped, and whose files go unless somebody reads them.
fn read_while_files_go(overtaken: &Overtaken) {
    let machine = Machine::new();
    let db = machine.open();
    put_both(&db, 1).unwrap();
    db.checkpoint().unwrap();
    machine.rest();
    let reader = {
        let db = db.clone();
        thread::spawn(move || {
            let snapshot = db.snapshot("t").unwrap();
            let found = [b"a", b"b"].map(|key| number(snapshot.get(key).unwrap()));
            assert_eq!(found[0], found[1], "halves of a commit");
            let rows = snapshot.scan(&Range::all()).unwrap().map(|row| number(Some(row.unwrap().1)));
            assert_eq!(rows.sum::<u64>(), found[0] + found[1], "the same snapshot later");
        })
    };
    overtaken.is(&reader);
    db.drop_table("t", Durability::Os).unwrap();
    db.checkpoint().unwrap();
    db.prune(1).unwrap();
    reader.join().unwrap();
    db.prune(1).unwrap();
    assert_eq!(db.stats().reclaimable_bytes, 0, "what nobody reads any more is given back");
    db.close().unwrap();
    machine.rest();
}

#[test]
fn memory_that_is_full_is_flushed_whoever_noticed_it() {
    explore(200, || {
        let machine = Machine::new();
        let db = machine.open();
        let writers = [0, 1].map(|number| {
            let db = db.clone();
            thread::spawn(move || {
                for part in 0..3 {
                    put(&db, &format!("k{number}{part}"), &[7; 24 << 10], Durability::Os).unwrap();
                }
            })
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        machine.rest();
        let stats = db.stats();
        assert!(stats.memory_bytes < 64 << 10, "{} bytes wait for nobody", stats.memory_bytes);
        assert_eq!(stats.background_error, None);
        assert_eq!(stats.live_records, 6);
        db.close().unwrap();
        machine.rest();
    });
}
