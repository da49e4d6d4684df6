//! Watches: what any process commits is told once, in order, and nothing else is.
#![allow(clippy::print_stderr, reason = "how much was tried is worth knowing")]

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cairndb::env::{Env, Mode};
use cairndb::{Change, Code, Database, Durability, Error, Kind, Op, Options, Outcome, Watch};
use cairndb_sim::driver::Driver;
use cairndb_sim::model::View;
use cairndb_sim::{CrashPlan, Interruption, Rng, SimEnv, interrupted, reads, seeds};

fn look(machine: &SimEnv) -> Database {
    let options = Options { read_only: true, ..Options::default() };
    Database::open_with(Arc::new(machine.other_process()), "db", options).unwrap()
}

/// What somebody knows who began with a view and has followed the changes since.
struct Replica {
    watch: Watch,
    /// Expired records too, until somebody says that they are gone.
    tables: View,
}

impl Replica {
    /// Nobody writes meanwhile, so that nothing lies between the two.
    fn new(machine: &SimEnv) -> Self {
        let watch = Watch::open_with(Arc::new(machine.other_process()), "db").unwrap();
        Replica { watch, tables: reads::view(&look(machine)).unwrap() }
    }

    fn follow(&mut self) -> Result<u64, Error> {
        let mut told = 0;
        loop {
            let changes = self.watch.next_changes()?;
            if changes.is_empty() {
                return Ok(told);
            }
            told += changes.len() as u64;
            changes.into_iter().for_each(|change| self.apply(change));
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Put { table, key, record } => {
                if record.kind == Kind::PACKED {
                    self.watch.unpack(&record).unwrap();
                }
                let record = reads::record(&record);
                let before = self.tables.entry(table).or_default().insert(key.to_vec(), record.clone());
                assert_ne!(before, Some(record), "{key:?} was told twice");
            }
            Change::Delete { table, key, .. } => {
                self.tables.entry(table).or_default().remove(&*key);
            }
            Change::DropTable { table } => assert!(self.tables.remove(&table).is_some(), "{table} was not there"),
        }
    }

    fn view(&self, now: u64) -> View {
        let live = |record: &cairndb_sim::model::Record| record.put.expiration.is_none_or(|at| now as f64 <= at);
        let mut view = self.tables.clone();
        view.values_mut().for_each(|records| records.retain(|_, record| live(record)));
        view
    }
}

/// A history with one who follows it. Returns how many changes he was told.
fn follow_history(seed: u64, steps: usize, chosen: cairndb_sim::shrink::Chosen<'_>, lost: &Cell<u64>) -> u64 {
    let mut driver = Driver::new(SimEnv::new(seed), seed);
    driver.choose(chosen);
    driver.open().unwrap();
    let mut replica = Replica::new(driver.env());
    let mut told = 0;
    for step in 0..steps {
        driver.step().unwrap_or_else(|error| panic!("{error} at {}", driver.position()));
        match replica.follow() {
            Ok(changes) => told += changes,
            Err(error) => {
                // In one step more can be flushed and removed than can be followed.
                assert_eq!(error.code(), Code::Behind, "{error} at {}", driver.position());
                lost.set(lost.get() + 1);
                replica = Replica::new(driver.env());
            }
        }
        if step % 8 == 0 {
            let (found, now) = (replica.view(driver.env().now()), driver.env().now());
            let state = driver.timeline().find(CrashPlan::Process, &found, now);
            assert!(state.is_some(), "no state that is allowed after {}: {found:#?}", driver.position());
        }
    }
    driver.close().unwrap();
    replica.follow().unwrap();
    let now = driver.env().now();
    assert_eq!(replica.view(now), driver.timeline().now().view(now));
    told
}

#[test]
fn whoever_follows_the_changes_has_what_the_database_has() {
    let lost = Cell::new(0);
    let told = seeds::each("watch", 40, 300, |seed, chosen| follow_history(seed, 300, chosen, &lost));
    eprintln!("{told} changes, fell behind {} times", lost.get());
    assert!((told > 20_000 && lost.get() < 40) || std::env::var_os("SEEDS").is_some(), "{told}, {}", lost.get());
}

fn count(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// The writer commits, flushes and removes files between any two files that the watch opens.
#[test]
fn every_commit_is_told_once_and_in_order_while_segments_come_and_go() {
    let (told, lost) = (Cell::new(0), Cell::new(0));
    seeds::each("watch", 60, 1, |seed, _| {
        let machine = SimEnv::new(seed);
        let options = Options { reclaim_delay: Duration::from_secs(seed % 3), ..Options::default() };
        let writer = Database::open_with(Arc::new(machine.clone()), "db", options).unwrap();
        let interruption = Interruption::default();
        let env = interrupted(machine.other_process(), |_: &Path, mode| mode == Mode::Read, &interruption);
        let mut watch = Watch::open_with(Arc::new(env), "db").unwrap();
        let written = Arc::new(AtomicU64::new(0));
        let (busy, env, counter, mut rng) = (writer.clone(), machine.clone(), Arc::clone(&written), Rng::of(seed, 1));
        let work = move || {
            let number = counter.fetch_add(1, Ordering::Relaxed) + 1;
            busy.commit(&[Op::put("small", b"n", Kind::BYTES, &count(number))], Durability::Os).unwrap();
            match rng.below(12) {
                0 => busy.compact().unwrap(),
                1 | 2 => {
                    // Not everything: the table is carried behind the cut.
                    busy.commit(&[Op::put("large", b"k", Kind::BYTES, &[0; 70_000])], Durability::Os).unwrap();
                    busy.checkpoint().unwrap();
                }
                3 => drop(env.advance(Duration::from_millis(700))),
                _ => {}
            }
        };
        interruption.set(work);
        let mut expected = 1;
        for _ in 0..40 {
            let changes = match watch.next_changes() {
                Ok(changes) => changes,
                Err(error) => {
                    assert_eq!(error.code(), Code::Behind, "{error}");
                    lost.set(lost.get() + 1);
                    break;
                }
            };
            for change in changes {
                match change {
                    Change::Put { table, record, .. } if table == "small" => {
                        assert_eq!(record.value, count(expected), "seed {seed}");
                        expected += 1;
                    }
                    Change::Put { table, .. } => assert_eq!(table, "large"),
                    other => panic!("{other:?}"),
                }
            }
        }
        interruption.clear();
        told.set(told.get() + expected);
        1
    });
    eprintln!("{} commits, fell behind {} times", told.get(), lost.get());
    assert!(told.get() > 1000 || std::env::var_os("SEEDS").is_some(), "{}", told.get());
}

#[test]
fn whoever_falls_behind_is_told_so() {
    let machine = SimEnv::new(1);
    let writer = Database::open_with(Arc::new(machine.clone()), "db", Options::default()).unwrap();
    let put = |value: u8| {
        writer.commit(&[Op::put("t", b"k", Kind::BYTES, &[value])], Durability::Os).unwrap();
    };
    put(1);
    let mut watch = Watch::open_with(Arc::new(machine.other_process()), "db").unwrap();
    put(2);
    assert_eq!(watch.next_changes().unwrap().len(), 1);
    put(3);
    writer.compact().unwrap();
    // The segment is gone, but it was open.
    assert_eq!(watch.next_changes().unwrap().len(), 1);
    put(4);
    writer.compact().unwrap();
    put(5);
    writer.compact().unwrap();
    for _ in 0..2 {
        assert_eq!(watch.next_changes().unwrap_err().code(), Code::Behind);
    }
    let mut again = Watch::open_with(Arc::new(machine.other_process()), "db").unwrap();
    assert!(again.next_changes().unwrap().is_empty());
    put(6);
    assert_eq!(again.next_changes().unwrap().len(), 1);
}

/// Else it would wait for ever for what cannot be read.
#[test]
fn damage_in_what_is_to_be_told_is_told_instead() {
    let machine = SimEnv::new(1);
    let writer = Database::open_with(Arc::new(machine.clone()), "db", Options::default()).unwrap();
    let put = |key: u8| writer.commit(&[Op::put("t", &[key], Kind::BYTES, b"value")], Durability::Full).unwrap();
    put(0);
    let mut watch = Watch::open_with(Arc::new(machine.other_process()), "db").unwrap();
    (1..6).for_each(|key| drop(put(key)));
    writer.checkpoint().unwrap();
    put(6);
    let segment = Path::new("db/000000000001.journal");
    let mut bytes = machine.bytes(segment).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end - 60] ^= 1;
    machine.put_file(segment, &bytes).unwrap();
    let told = watch.next_changes().unwrap().len();
    assert!((1..5).contains(&told), "{told}");
    let error = watch.next_changes().unwrap_err();
    assert_eq!((error.code(), error.path()), (Code::Corrupt, Some(segment)), "{error}");
}

/// The database as a process has it that shares it.
fn shared(env: &SimEnv) -> Database {
    let options = Options { shared: true, ..Options::default() };
    Database::open_with(Arc::new(env.clone()), "db", options).unwrap()
}

fn put(db: &Database, key: &[u8]) -> cairndb::Result<Vec<Outcome>> {
    db.commit(&[Op::put("t", key, Kind::BYTES, b"v")], Durability::Os)
}

/// What a process wrote that died before it told the others is undone by the next one that writes.
#[test]
fn a_commit_that_was_told_and_undone_is_told_to_be_undone() {
    let (mut died, mut undone) = (0, 0);
    for steps in 0..12 {
        let one = SimEnv::new(steps);
        let two = one.other_process();
        let (a, b) = (shared(&one), shared(&two));
        put(&a, b"1").unwrap();
        let mut replica = Replica::new(&two);
        one.kill_after(steps);
        let _dies_somewhere = put(&a, b"2");
        if one.is_alive() {
            continue;
        }
        died += 1;
        let told = replica.follow().unwrap();
        for key in [b"3", b"4"] {
            put(&b, key).unwrap();
            let now = two.now();
            match replica.follow() {
                Ok(_) => assert_eq!(replica.view(now), reads::view(&b).unwrap(), "after {steps} steps"),
                Err(error) => {
                    assert_eq!((error.code(), told), (Code::Behind, 1), "{error}");
                    undone += 1;
                    break;
                }
            }
        }
    }
    assert!(died > 2 && undone > 0, "{died} died, {undone} commits were undone");
}

/// One process dies after it has begun a segment, before it told the others, and they go on in the one before.
#[test]
fn a_segment_that_nobody_knows_of_is_passed_over() {
    let mut died = 0;
    for steps in 0..25 {
        let one = SimEnv::new(steps);
        let two = one.other_process();
        let (a, b) = (shared(&one), shared(&two));
        put(&a, b"1").unwrap();
        let mut replica = Replica::new(&two);
        one.kill_after(steps);
        let _dies_somewhere = a.checkpoint();
        died += u64::from(!one.is_alive());
        replica.follow().unwrap();
        for key in [b"2", b"3"] {
            put(&b, key).unwrap();
            assert_eq!(replica.follow().unwrap(), 1, "after {steps} steps");
            b.checkpoint().unwrap();
            assert_eq!(replica.follow().unwrap(), 0, "after {steps} steps");
        }
        assert_eq!(replica.view(two.now()), reads::view(&b).unwrap());
    }
    assert!(died > 10, "{died}");
}
