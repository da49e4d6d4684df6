//! Views: whoever looks at a directory without touching it sees a prefix of the commits with all that was acknowledged,
//! whatever the one who writes there is in the middle of.
#![allow(clippy::print_stderr, reason = "how much was tried is worth knowing")]

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cairndb::env::{Env, Mode};
use cairndb::{Code, Database, Durability, Kind, Op, Options, Result};
use cairndb_sim::driver::Driver;
use cairndb_sim::model::Timeline;
use cairndb_sim::recovery::Judge;
use cairndb_sim::{CrashPlan, Interruption, SimEnv, interrupted, reads, seeds};

fn read_only() -> Options {
    Options { read_only: true, ..Options::default() }
}

fn look(env: impl Env) -> Result<Database> {
    Database::open_with(Arc::new(env), "db", read_only())
}

fn put(db: &Database, key: u64, value: &[u8]) {
    db.commit(&[Op::put("t", &key.to_be_bytes(), Kind::BYTES, value)], Durability::Os).unwrap();
}

/// Looks from another process, which must not change anything, and gives what it sees.
fn view_of(machine: &SimEnv) -> Result<cairndb_sim::model::View> {
    let (files, changes) = (machine.fingerprint_of_files(), machine.changes());
    let db = look(machine.other_process())?;
    let seen = reads::view(&db)?;
    assert_eq!(db.verify()?.damage, [], "a view finds damage in a sound directory");
    db.close()?;
    assert_eq!(machine.jobs(), 0, "a view has left work to be done");
    assert!(machine.changes() == changes && machine.fingerprint_of_files() == files, "a view has changed something");
    Ok(seen)
}

/// A history, stopped before each of its changes of the disk, and looked at from there.
fn look_everywhere(seed: u64, steps: usize, chosen: cairndb_sim::shrink::Chosen<'_>) -> u64 {
    let mut driver = Driver::small(SimEnv::new(seed), seed);
    driver.choose(chosen);
    driver.run(steps).unwrap_or_else(|error| panic!("{error} at {}", driver.position()));
    let points = driver.crash_points();
    let judge = Judge { timeline: driver.timeline(), options: driver.options() };
    let mut looked = 0;
    for point in &points {
        // The one who writes is stopped here, and the system has all that it was told.
        let machine = point.machine.crashed(CrashPlan::Process);
        let allowed = Timeline::allowed(point.mark, CrashPlan::Process);
        seeds::locate(
            || driver.place(point, CrashPlan::Process),
            || match view_of(&machine) {
                Ok(seen) => {
                    let state = judge.state(&seen, allowed.clone(), machine.now());
                    assert!(state.is_some(), "none of the states {allowed:?} that are allowed: {seen:#?}");
                }
                // Before the first manifest is in place there is no database, and nothing was acknowledged.
                Err(error) => assert!(error.code() == Code::Directory && allowed.start == 0, "{error}"),
            },
        );
        looked += 1;
    }
    looked
}

#[test]
fn a_view_shows_a_prefix_with_all_that_was_acknowledged_wherever_the_writer_is() {
    let looked = seeds::each("views", 60, 40, |seed, chosen| look_everywhere(seed, 40, chosen));
    eprintln!("{looked} views");
    assert!(looked > 5000 || std::env::var_os("SEEDS").is_some(), "{looked}");
}

/// Everything that a view opens is a moment at which the other process may do something.
fn reads(_: &Path, mode: Mode) -> bool {
    mode == Mode::Read
}

/// The writer writes, flushes, merges and removes what it has replaced, between any two files that the view opens. What
/// the view shows is a moment between the beginning and the end of the opening.
#[test]
fn a_view_that_is_opened_while_files_are_replaced_shows_one_moment() {
    let tries = Cell::new(0);
    seeds::each("views", 60, 1, |seed, _| {
        let machine = SimEnv::new(seed);
        let options = Options { reclaim_delay: Duration::ZERO, memtable_bytes: 64 << 10, ..Options::default() };
        let writer = Database::open_with(Arc::new(machine.clone()), "db", options).unwrap();
        let mut rng = cairndb_sim::Rng::of(seed, 1);
        for key in 0..200 {
            put(&writer, key, &[0; 300]);
            if rng.chance(1, 40) {
                writer.checkpoint().unwrap();
            }
        }
        let interruption = Interruption::default();
        let counter = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let (busy, env, written) = (writer.clone(), machine.clone(), Arc::clone(&counter));
        let mut left = 40;
        interruption.set(move || {
            if left == 0 {
                return;
            }
            left -= 1;
            // What is on the disk at once, as the commits behind it say, is what speaks of damage if it is not found.
            let level = if rng.chance(1, 2) { Durability::Full } else { Durability::Os };
            for _ in 0..1 + rng.below(3) {
                // One key says how many commits there were, and the others follow it in the same commits.
                let count = written.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
                let (number, key) = (count.to_be_bytes(), (count % 200).to_be_bytes());
                let ops =
                    [Op::put("count", b"n", Kind::BYTES, &number), Op::put("t", &key, Kind::BYTES, &number).joined()];
                busy.commit(&ops, level).unwrap();
            }
            match rng.below(6) {
                0 => busy.checkpoint().unwrap(),
                1 => busy.compact().unwrap(),
                _ => drop(env.run_due()),
            }
        });
        let view = look(interrupted(machine.other_process(), reads, &interruption));
        interruption.clear();
        let view = view.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let last = counter.load(std::sync::atomic::Ordering::Relaxed);
        let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
        let count = view.get("count", b"n").unwrap().map_or(0, |record| number(&record.value));
        assert!(count <= last);
        // Each key has the newest of the commits up to that one which wrote it.
        for key in 0..200_u64 {
            let newest = (1..=count).rev().find(|number| number % 200 == key);
            let found = view.get("t", &key.to_be_bytes()).unwrap().unwrap();
            match newest {
                Some(newest) => assert_eq!(number(&found.value), newest, "key {key} of {count}"),
                None => assert_eq!(found.value, [0; 300], "key {key} of {count}"),
            }
        }
        assert_eq!(view.len("t").unwrap(), 200);
        assert!(view.verify().unwrap().damage.is_empty());
        tries.set(tries.get() + last);
        1
    });
    assert!(tries.get() > 300 || std::env::var_os("SEEDS").is_some(), "{} interruptions", tries.get());
}

#[test]
fn what_a_view_shows_stays_when_the_files_are_replaced_and_removed() {
    let machine = SimEnv::new(1);
    let writer = Database::open_with(Arc::new(machine.clone()), "db", Options::default()).unwrap();
    for key in 0..500 {
        put(&writer, key, &[1; 100]);
    }
    writer.checkpoint().unwrap();
    put(&writer, 0, b"in the journal");
    for mmap in [true, false] {
        let options = Options { mmap, ..read_only() };
        let view = Database::open_with(Arc::new(machine.other_process()), "db", options).unwrap();
        let before = reads::view(&view).unwrap();
        for key in 0..500 {
            put(&writer, key, &[2; 100]);
        }
        writer.compact().unwrap();
        assert_eq!(reads::view(&view).unwrap(), before);
        assert_eq!(view.verify().unwrap().damage, []);
        assert_ne!(reads::view(&look(machine.other_process()).unwrap()).unwrap(), before);
    }
}

/// A frame that is there in parts only, zeros that were written ahead, and what a disk left behind them.
#[test]
fn what_stands_behind_the_last_whole_frame_is_nothing() {
    let machine = SimEnv::new(1);
    let writer = Database::open_with(Arc::new(machine.clone()), "db", Options::default()).unwrap();
    put(&writer, 1, b"one");
    let segment = Path::new("db/000000000001.journal");
    let before = machine.bytes(segment).unwrap();
    put(&writer, 2, &[7; 50]);
    let whole = machine.bytes(segment).unwrap();
    for cut in before.len()..whole.len() {
        for behind in [&[][..], &[0; 100], &[0xa5; 100], &whole[80..]] {
            let left = machine.crashed(CrashPlan::Process);
            left.put_file(segment, &[&whole[..cut], behind].concat()).unwrap();
            let view = look(left).unwrap();
            assert_eq!(view.len("t").unwrap(), 1, "cut at {cut}");
        }
    }
    assert_eq!(look(machine.other_process()).unwrap().len("t").unwrap(), 2);
}

#[test]
fn damage_before_what_had_been_on_the_disk_is_told() {
    let machine = SimEnv::new(1);
    let writer = Database::open_with(Arc::new(machine.clone()), "db", Options::default()).unwrap();
    for key in 0..20 {
        writer.commit(&[Op::put("t", &[key], Kind::BYTES, b"v")], Durability::Full).unwrap();
    }
    let segment = Path::new("db/000000000001.journal");
    let sound = machine.bytes(segment).unwrap();
    let end = sound.iter().rposition(|byte| *byte != 0).unwrap();
    let mut refused = 0;
    for place in 80..end {
        let left = machine.crashed(CrashPlan::Process);
        let mut bytes = sound.clone();
        bytes[place] ^= 1;
        left.put_file(segment, &bytes).unwrap();
        let found = look(left.other_process()).map(|view| view.len("t").unwrap());
        let recovered = Database::open_with(Arc::new(left), "db", Options::default()).map(|db| db.len("t").unwrap());
        match (found, recovered) {
            (Err(found), Err(recovered)) => {
                assert_eq!((found.code(), found.offset()), (Code::Corrupt, recovered.offset()));
                refused += 1;
            }
            (found, recovered) => assert_eq!(found.unwrap(), recovered.unwrap()),
        }
    }
    assert!(refused > 300, "{refused}");
}

#[test]
fn a_directory_without_a_database_is_refused_and_nothing_is_made() {
    let machine = SimEnv::new(1);
    let refused = |directory: &str| {
        let opened = Database::open_with(Arc::new(machine.clone()), directory, read_only());
        opened.unwrap_err().code()
    };
    assert_eq!(refused("nowhere"), Code::Directory);
    machine.create_dir(Path::new("db")).unwrap();
    let changes = machine.changes();
    assert_eq!(refused("db"), Code::Directory);
    assert_eq!(machine.changes(), changes);
    machine.put_file("db/000000000001.journal", b"").unwrap();
    assert_eq!(refused("db"), Code::Corrupt);
}

/// The process that dies between writing a commit and telling the others leaves a frame over which the next one is written.
#[test]
fn a_view_beside_processes_that_share_the_directory_shows_what_they_have_committed() {
    let shared = || Options { shared: true, ..Options::default() };
    let mut died = 0;
    for steps in 0..30 {
        let one = SimEnv::new(steps);
        let two = one.other_process();
        let open = |env: &SimEnv| Database::open_with(Arc::new(env.clone()), "db", shared()).unwrap();
        let (a, b) = (open(&one), open(&two));
        put(&a, 1, b"a");
        put(&b, 2, b"b");
        one.kill_after(steps);
        let done = a.commit(&[Op::put("t", &3_u64.to_be_bytes(), Kind::BYTES, b"c")], Durability::Os);
        let done = done.and_then(|_| a.checkpoint());
        died += u64::from(!one.is_alive());
        let found = look(two.other_process()).unwrap().len("t").unwrap();
        assert!(found == 3 || (done.is_err() && found == 2), "{found} after {steps} steps");
        put(&b, 4, b"d");
        let view = look(two.other_process()).unwrap();
        assert_eq!(reads::view(&view).unwrap(), reads::view(&b).unwrap(), "after {steps} steps");
        b.checkpoint().unwrap();
        put(&b, 5, b"e");
        let view = look(two.other_process()).unwrap();
        assert_eq!(reads::view(&view).unwrap(), reads::view(&b).unwrap(), "after {steps} steps");
    }
    assert!(died > 10, "{died}");
}
