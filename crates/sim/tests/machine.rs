//! Faults, lies, the clock, jobs, locks and processes.

mod common;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cairndb::env::{Env, Lane, LockAttempt, Mode};
use cairndb_sim::{CrashPlan, Failure, Fault, Gaps, Kept, Op, Rng, SimEnv};
use common::{at, durable, fresh, machine, outcomes, set, sync_dir, text};
use parking_lot::Mutex;

const MS: Duration = Duration::from_millis(1);

fn power_loss_text(env: &SimEnv, name: &str) -> Option<String> {
    text(&env.crashed(CrashPlan::POWER_LOSS), name)
}

#[test]
fn the_machine_goes_off_at_each_change_and_stays_off() {
    let work = |env: &SimEnv| -> std::io::Result<()> {
        env.create_dir(Path::new("db"))?;
        let file = env.open(&at("a"), Mode::Create)?;
        file.write_all_at(b"x", 0)?;
        file.read_all()?;
        file.sync()?;
        env.sync_dir(Path::new("db"))
    };
    let whole = SimEnv::new(1);
    work(&whole).unwrap();
    assert_eq!((whole.changes(), whole.operations()), (5, 7), "a read and a length are no changes");
    for changes in 0..5 {
        let env = SimEnv::new(1);
        env.crash_at(changes);
        assert_eq!(work(&env).unwrap_err().kind(), SimEnv::MACHINE_OFF);
        assert!(env.is_off());
        assert_eq!(env.changes(), changes);
        assert_eq!(env.list(Path::new("")).unwrap_err().kind(), SimEnv::MACHINE_OFF, "reads fail too");
        let history = env.history();
        assert_eq!(history.events.iter().filter(|event| event.op.changes_disk()).count() as u64, changes);
        let found = env.reboot(CrashPlan::Process).files();
        assert_eq!(
            found,
            whole
                .files()
                .into_iter()
                .filter(|_| changes > 1)
                .map(|(path, bytes)| { (path, if changes > 2 { bytes } else { Vec::new() }) })
                .collect()
        );
    }
    let env = SimEnv::new(1);
    env.crash_at(5);
    work(&env).unwrap();
    assert!(!env.is_off());
}

#[test]
fn a_rebooted_machine_works_and_the_old_one_does_not() {
    let env = machine();
    env.inject(Fault::new(Failure::Error(ErrorKind::Other)).of(Op::List).sticky());
    env.set_quota(Some(0));
    let file = durable(&env, "a", "x");
    let after = env.reboot(CrashPlan::POWER_LOSS);
    assert_eq!(file.write_at(b"y", 0).unwrap_err().kind(), SimEnv::MACHINE_OFF);
    assert_eq!(env.file_len(&at("a")).unwrap_err().kind(), SimEnv::MACHINE_OFF);
    assert_eq!(after.list(Path::new("db")).unwrap(), ["a"], "faults ended with the old machine");
    after.open(&at("a"), Mode::Write).unwrap().write_all_at(b"longer", 0).unwrap();
    assert_eq!(text(&env.reboot(CrashPlan::POWER_LOSS), "a").unwrap(), "x", "each reboot starts from the crash");
    assert_eq!(after.history().after, Some(CrashPlan::POWER_LOSS));
}

#[test]
fn an_injected_error_does_nothing_and_is_written_down() {
    let env = machine();
    let file = durable(&env, "a", "x");
    env.inject(Fault::new(Failure::Error(ErrorKind::StorageFull)).of(Op::Write).nth(2));
    file.write_all_at(b"1", 0).unwrap();
    assert_eq!(file.write_at(b"2", 0).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(text(&env, "a").unwrap(), "1");
    file.write_all_at(b"3", 0).unwrap();
    let history = env.history().to_string();
    assert!(history.contains("Write db/a at 0 +1 [Error(StorageFull)] failed: no storage space"), "{history}");
}

#[test]
fn every_operation_can_fail() {
    type Run = fn(&SimEnv) -> std::io::Result<()>;
    let all: [(Op, Run); 15] = [
        (Op::CreateDir, |env| env.create_dir(Path::new("db/x"))),
        (Op::List, |env| env.list(Path::new("db")).map(drop)),
        (Op::Open, |env| env.open(&at("a"), Mode::Read).map(drop)),
        (Op::Create, |env| env.open(&at("new"), Mode::Create).map(drop)),
        (Op::FileLen, |env| env.file_len(&at("a")).map(drop)),
        (Op::Rename, |env| env.rename(&at("a"), &at("b"))),
        (Op::Remove, |env| env.remove(&at("a"))),
        (Op::SyncDir, |env| env.sync_dir(Path::new("db"))),
        (Op::Lock, |env| env.lock(&at("lock")).map(drop)),
        (Op::Len, |env| env.open(&at("a"), Mode::Write)?.len().map(drop)),
        (Op::Read, |env| env.open(&at("a"), Mode::Write)?.read_at(&mut [0], 0).map(drop)),
        (Op::Write, |env| env.open(&at("a"), Mode::Write)?.write_at(b"y", 0).map(drop)),
        (Op::SetLen, |env| env.open(&at("a"), Mode::Write)?.set_len(5)),
        (Op::Sync, |env| env.open(&at("a"), Mode::Write)?.sync()),
        (Op::Map, |env| env.open(&at("a"), Mode::Write)?.map().map(drop)),
    ];
    for (op, run) in all {
        let env = machine();
        durable(&env, "a", "x").write_all_at(b"X", 0).unwrap();
        let (files, pending) = (env.files(), env.pending());
        env.inject(Fault::new(Failure::Error(ErrorKind::Other)).of(op));
        assert_eq!(run(&env).unwrap_err().kind(), ErrorKind::Other, "{op:?}");
        assert_eq!((env.files(), env.pending()), (files, pending), "{op:?} did something");
        run(&env).unwrap();
    }
}

#[test]
fn short_reads_and_writes_move_less_and_the_loops_go_on() {
    let env = machine();
    let file = durable(&env, "a", "");
    env.inject(Fault::new(Failure::Short(2)).sticky());
    assert_eq!(file.write_at(b"12345", 0).unwrap(), 2);
    file.write_all_at(b"abcde", 0).unwrap();
    assert_eq!(file.read_at(&mut [0; 5], 0).unwrap(), 2);
    assert_eq!(file.read_all().unwrap(), b"abcde");
    env.clear_faults();
    assert_eq!(file.read_at(&mut [0; 5], 0).unwrap(), 5);
}

#[test]
fn a_full_disk_takes_what_fits_and_more_once_there_is_room() {
    let env = machine();
    let other = durable(&env, "other", "1234");
    let file = durable(&env, "a", "");
    env.set_quota(Some(7));
    file.set_len(100).unwrap();
    assert_eq!(file.write_at(b"abcd", 0).unwrap(), 3);
    assert_eq!(file.write_at(b"d", 3).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(file.write_at(b"ABC", 0).unwrap(), 3, "bytes in place need no space");
    env.remove(&at("other")).unwrap();
    assert_eq!(file.write_at(b"d", 3).unwrap_err().kind(), ErrorKind::StorageFull, "an open file keeps its space");
    drop(other);
    assert_eq!(file.write_at(b"defghi", 3).unwrap(), 4);
    env.set_quota(None);
    assert_eq!(file.write_at(b"12345", 8).unwrap(), 5);
}

#[test]
fn a_failed_sync_that_loses_the_pages_shows_only_at_a_power_loss() {
    let env = machine();
    let file = durable(&env, "a", "old");
    file.write_all_at(b"newer", 0).unwrap();
    env.inject(Fault::new(Failure::LosePages));
    file.sync().unwrap_err();
    assert_eq!(file.read_all().unwrap(), b"newer");
    file.sync().unwrap();
    assert_eq!(env.pending(), 0, "the second sync has nothing to write");
    assert_eq!(text(&env.crashed(CrashPlan::Process), "a").unwrap(), "newer");
    assert_eq!(power_loss_text(&env, "a").unwrap(), "old\0\0", "the length was kept and synced, the bytes were not");
}

#[test]
fn a_sync_that_only_fails_leaves_all_to_be_synced() {
    let env = machine();
    let file = durable(&env, "a", "old");
    file.write_all_at(b"new", 0).unwrap();
    env.inject(Fault::new(Failure::Error(ErrorKind::Other)).of(Op::Sync));
    file.sync().unwrap_err();
    assert_eq!(power_loss_text(&env, "a").unwrap(), "old");
    let after = env.reboot(CrashPlan::Process);
    after.open(&at("a"), Mode::Write).unwrap().sync().unwrap();
    assert_eq!(power_loss_text(&after, "a").unwrap(), "new");
}

#[test]
fn a_lying_disk_loses_what_it_acknowledged_but_not_for_longer_than_it_lies() {
    let lied = || {
        let env = machine();
        let file = fresh(&env, "a", "x");
        env.set_lie(Some(10 * MS));
        file.sync().unwrap();
        sync_dir(&env);
        env
    };
    let env = lied();
    env.advance(9 * MS);
    assert_eq!(outcomes(&env, "a"), set(["-", "", "\0", "x"]));
    let env = lied();
    env.set_lie(None);
    env.advance(10 * MS);
    assert_eq!(power_loss_text(&env, "a").unwrap(), "x", "it does what it promised");
    let env = lied();
    env.advance(5 * MS);
    env.open(&at("a"), Mode::Write).unwrap().sync().unwrap();
    env.advance(5 * MS);
    assert_eq!(outcomes(&env, "a"), set(["x"]), "another sync does not put it off");
    let env = lied();
    env.set_lie(None);
    env.open(&at("a"), Mode::Write).unwrap().sync().unwrap();
    sync_dir(&env);
    assert_eq!(power_loss_text(&env, "a").unwrap(), "x", "an honest sync makes up for it");
}

#[test]
fn bits_flip_in_a_read_or_for_good() {
    let env = machine();
    let file = durable(&env, "a", "aaa");
    env.inject(Fault::new(Failure::FlipBit(8)).of(Op::Read));
    assert_eq!(file.read_all().unwrap(), b"a`a");
    assert_eq!(file.read_all().unwrap(), b"aaa");
    env.inject(Fault::new(Failure::FlipBit(24)).of(Op::Map));
    assert_eq!(&*file.map().unwrap(), b"`aa", "counted round the end");
    env.put_file(at("a"), b"axa").unwrap();
    assert_eq!(file.read_all().unwrap(), b"axa");
    assert_eq!(power_loss_text(&env, "a").unwrap(), "axa");
}

#[test]
fn put_file_is_durable_over_what_was_pending() {
    let env = machine();
    let file = fresh(&env, "a", "pending");
    env.put_file(at("a"), b"put").unwrap();
    assert_eq!(file.read_all().unwrap(), b"put");
    assert_eq!(outcomes(&env, "a"), set(["-", "put"]), "the bytes are durable, the name is what it was");
    env.rename(&at("a"), &at("b")).unwrap();
    env.remove(&at("b")).unwrap();
    env.put_file(at("b"), b"new").unwrap();
    assert_eq!(outcomes(&env, "b"), set(["new"]));
    assert_eq!(outcomes(&env, "a"), set(["-", "put"]));
    assert_eq!(env.put_file("nowhere/a", b"").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn files_behave_as_in_a_directory() {
    let env = machine();
    let kind = |result: std::io::Result<()>| result.unwrap_err().kind();
    let open = |path: &Path, mode| kind(env.open(path, mode).map(drop));
    let file = durable(&env, "a", "x");
    env.create_dir(Path::new("db/sub/deep")).unwrap();
    let mut names = env.list(Path::new("db")).unwrap();
    names.sort();
    assert_eq!(names, ["a", "sub"]);
    assert_eq!(open(&at("a"), Mode::Create), ErrorKind::AlreadyExists);
    assert_eq!(open(&at("b"), Mode::Read), ErrorKind::NotFound);
    assert_eq!(open(&at("b"), Mode::Write), ErrorKind::NotFound);
    assert_eq!(open(&at("sub"), Mode::Read), ErrorKind::InvalidInput);
    assert_eq!(open(Path::new("nowhere/a"), Mode::Create), ErrorKind::NotFound);
    assert_eq!(kind(env.list(Path::new("nowhere")).map(drop)), ErrorKind::NotFound);
    assert_eq!(kind(env.list(&at("a")).map(drop)), ErrorKind::NotADirectory);
    assert_eq!(kind(env.create_dir(&at("a/b"))), ErrorKind::NotADirectory);
    assert_eq!(kind(env.remove(&at("b"))), ErrorKind::NotFound);
    assert_eq!(kind(env.rename(&at("b"), &at("a"))), ErrorKind::NotFound);
    assert_eq!(kind(env.rename(&at("a"), &at("sub"))), ErrorKind::IsADirectory);
    assert_eq!(kind(env.rename(&at("a"), &at("sub/a"))), ErrorKind::CrossesDevices);
    assert_eq!(kind(env.sync_dir(Path::new("nowhere"))), ErrorKind::NotFound);
    assert_eq!(kind(file.set_len(u64::MAX)), ErrorKind::FileTooLarge);
    assert_eq!(kind(file.write_at(b"x", u64::MAX).map(drop)), ErrorKind::FileTooLarge);
    let reader = env.open(&at("a"), Mode::Read).unwrap();
    assert_eq!(kind(reader.write_at(b"y", 0).map(drop)), ErrorKind::PermissionDenied);
    assert_eq!(kind(reader.set_len(0)), ErrorKind::PermissionDenied);
    assert_eq!(env.file_len(&at("a")).unwrap(), 1);
    env.remove(&at("a")).unwrap();
    sync_dir(&env);
    file.write_all_at(b"yz", 0).unwrap();
    assert_eq!(reader.read_all().unwrap(), b"yz", "an open file outlives its name");
}

#[test]
fn listings_come_in_any_order() {
    let env = machine();
    ["a", "b", "c", "d"].iter().for_each(|name| drop(durable(&env, name, "")));
    let orders: std::collections::BTreeSet<_> = (0..200).map(|_| env.list(Path::new("db")).unwrap()).collect();
    assert_eq!(orders.len(), 24);
}

#[test]
fn a_lock_is_one_process_s_until_the_guard_or_the_process_is_gone() {
    let env = machine();
    let other = env.other_process();
    let take = |env: &SimEnv| match env.lock(&at("lock")).unwrap() {
        LockAttempt::Held(guard) => Ok(guard),
        LockAttempt::Busy(holder) => Err(holder),
    };
    let guard = take(&env).ok().unwrap();
    assert_eq!(take(&other).err(), Some(Some(env.process())));
    assert_eq!(take(&env.clone()).err(), Some(Some(env.process())), "the same process has it once too");
    drop(guard);
    let old = take(&other).ok().unwrap();
    assert_eq!(take(&env).err(), Some(Some(other.process())));
    other.kill();
    let new = take(&env).ok().unwrap();
    drop(old);
    assert!(take(&env.other_process()).is_err(), "a dead process's guard releases nothing of others");
    let after = env.reboot(CrashPlan::Process);
    assert!(take(&after).is_ok());
    drop(new);
}

#[test]
fn a_killed_process_is_dead_and_the_others_live() {
    let env = machine();
    let other = env.other_process();
    other.submit(Lane::Sync, Duration::ZERO, Box::new(|| panic!("a dead process's job ran")));
    let file = other.open(&at("a"), Mode::Create).unwrap();
    other.kill();
    assert_eq!(file.write_at(b"x", 0).unwrap_err().kind(), SimEnv::MACHINE_OFF);
    other.submit(Lane::Sync, Duration::ZERO, Box::new(|| panic!("a dead process's job ran")));
    assert_eq!((env.jobs(), env.run_due()), (0, 0));
    assert_eq!(env.list(Path::new("db")).unwrap(), ["a"]);
}

#[test]
fn a_dead_machine_drops_its_jobs_outside_its_lock() {
    let env = machine();
    let (file, in_job) = (fresh(&env, "a", "x"), env.clone());
    env.submit(Lane::Merge, Duration::ZERO, Box::new(move || drop((file, in_job))));
    assert_eq!(env.reboot(CrashPlan::Process).jobs(), 0);
    let (late, in_job) = (env.reboot(CrashPlan::Process), env.clone());
    env.submit(Lane::Merge, Duration::ZERO, Box::new(move || drop((late, in_job))));
    assert_eq!(env.jobs(), 0);
}

/// Submits a job that writes its name and the time down.
fn note(env: &SimEnv, log: &Arc<Mutex<Vec<String>>>, lane: Lane, delay: u32, name: &'static str) {
    let (log, clock) = (Arc::clone(log), env.clone());
    let job = move || log.lock().push(format!("{name}@{}", clock.monotonic() / 1_000_000));
    env.submit(lane, delay * MS, Box::new(job));
}

#[test]
fn jobs_run_when_they_are_due_in_order_and_only_when_told() {
    let env = machine();
    let log = Arc::default();
    note(&env, &log, Lane::Merge, 5, "merge");
    note(&env, &log, Lane::Sync, 5, "sync");
    note(&env, &log, Lane::Sync, 5, "sync2");
    note(&env, &log, Lane::Flush, 2, "flush");
    note(&env, &log, Lane::Flush, 20, "late");
    assert_eq!((env.run_due(), env.run_one()), (0, false));
    env.pause(3 * MS);
    assert!(log.lock().is_empty(), "a pause moves the clock and runs nothing");
    assert!(env.run_one());
    assert_eq!(env.advance(5 * MS), 3);
    assert_eq!(*log.lock(), ["flush@3", "sync@5", "sync2@5", "merge@5"]);
    assert_eq!((env.monotonic(), env.jobs()), (8_000_000, 1));
    let before = env.now();
    env.advance(12 * MS);
    assert_eq!((env.now() - before, env.jobs()), (12, 0));
}

#[test]
fn jobs_may_submit_jobs() {
    fn again(env: &SimEnv, runs: &Arc<AtomicU64>) {
        let (next, runs) = (env.clone(), Arc::clone(runs));
        env.submit(
            Lane::Sync,
            10 * MS,
            Box::new(move || {
                runs.fetch_add(1, Ordering::Relaxed);
                again(&next, &runs);
            }),
        );
    }
    let (env, runs) = (machine(), Arc::default());
    again(&env, &runs);
    assert_eq!(env.advance(100 * MS), 10);
    assert_eq!(runs.load(Ordering::Relaxed), 10);
    env.kill();
}

#[test]
fn a_random_lane_may_be_ahead_but_a_lane_keeps_its_order() {
    let mut orders = std::collections::BTreeSet::new();
    for seed in 0..100 {
        let (env, log, mut rng) = (machine(), Arc::default(), Rng::new(seed));
        note(&env, &log, Lane::Sync, 0, "a");
        note(&env, &log, Lane::Sync, 0, "b");
        note(&env, &log, Lane::Merge, 0, "c");
        note(&env, &log, Lane::Merge, 1, "late");
        while env.run_any(&mut rng) {}
        orders.insert(log.lock().concat());
    }
    let orders: Vec<_> = orders.iter().map(String::as_str).collect();
    assert_eq!(orders, ["a@0b@0c@0", "a@0c@0b@0", "c@0a@0b@0"]);
}

#[test]
#[should_panic(expected = "without end")]
fn a_writer_that_waits_for_a_job_for_ever_is_found_out() {
    let env = machine();
    loop {
        env.pause(MS);
    }
}

#[test]
fn a_machine_that_crashes_again_and_again_keeps_its_clock_and_its_process_ids_apart() {
    let mut env = machine();
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..10 {
        env.advance(MS);
        assert!(seen.insert(env.process()));
        env = env.reboot(CrashPlan::PowerLoss { kept: Kept::Prefix(round), gaps: Gaps::Zeros });
    }
    assert_eq!(env.monotonic(), 10_000_000);
}
