//! A backup or a restore on a disk that fails, is full, or has damaged what was written.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cairndb::env::{Env, Mode};
use cairndb::{BackupReport, Code, Database, Error, Result};
use cairndb_sim::model::View;
use cairndb_sim::{CrashPlan, Failure, Fault, Interruption, Rng, SimEnv, interrupted, seeds};

use crate::{files_in, is_whole, machine, machine_with_backup, open, options, restore};

const FAILURES: [Failure; 6] = [
    Failure::Error(ErrorKind::Other),
    Failure::Error(ErrorKind::StorageFull),
    Failure::Error(ErrorKind::Interrupted),
    Failure::Short(7),
    Failure::LosePages,
    Failure::FlipBit(12_345),
];

/// What a fault may be answered with.
fn typed(error: &Error) {
    let codes = [Code::Io, Code::Full, Code::Directory, Code::Locked, Code::Corrupt];
    assert!(codes.contains(&error.code()), "{:?}: {error}", error.code());
}

/// Lets each operation of `work` fail in each way, alone or with all after it. Then `target` is whole, or it is refused; and
/// empty, if nothing kept the engine from removing what it had written.
fn fail_everywhere(machine: fn() -> (SimEnv, View), target: &str, work: impl Fn(&SimEnv) -> Result<BackupReport>) {
    let operations = {
        let (env, _) = machine();
        let before = env.operations();
        work(&env).unwrap();
        env.operations() - before
    };
    let mut refused = 0;
    for (failure, sticky) in FAILURES.into_iter().flat_map(|failure| [(failure, false), (failure, true)]) {
        // A signal that never ends is not one.
        if sticky && failure == Failure::Error(ErrorKind::Interrupted) {
            continue;
        }
        for nth in 1..=operations {
            let (env, view) = machine();
            let fault = Fault::new(failure).nth(nth);
            env.inject(if sticky { fault.sticky() } else { fault });
            let outcome = work(&env);
            env.clear_faults();
            seeds::locate(
                || format!("{failure:?} at {nth}, sticky {sticky}: {outcome:?}\n{}", env.history()),
                || {
                    let names = env.names(Path::new(target));
                    let whole = is_whole(&env.crashed(CrashPlan::Process), target, &view);
                    assert!(is_whole(&env.crashed(CrashPlan::Process), "db", &view), "the source");
                    match &outcome {
                        Ok(_) => {
                            assert!(whole && is_whole(&env.crashed(CrashPlan::POWER_LOSS), target, &view));
                        }
                        Err(error) => {
                            typed(error);
                            refused += 1;
                            assert!(sticky || names.iter().all(|name| name == "lock"), "left {names:?}");
                        }
                    }
                },
            );
        }
    }
    assert!(refused > operations, "{refused} of {operations} operations");
}

#[test]
fn an_operation_that_fails_in_a_backup_is_told_and_leaves_no_half_backup() {
    let closed = || {
        let (env, db, view) = machine();
        db.close().unwrap();
        (env, view)
    };
    // The opening may suffer too: that is looked at elsewhere, and its error is typed as well.
    fail_everywhere(closed, "backup", |env| open(env, "db")?.backup("backup"));
}

#[test]
fn an_operation_that_fails_in_a_restore_is_told_and_leaves_no_half_database() {
    fail_everywhere(machine_with_backup, "restored", |env| restore(env, "backup", "restored"));
}

#[test]
fn on_a_full_disk_nothing_is_left_of_a_backup() {
    let (env, db, view) = machine();
    let size: usize = env.files().values().map(Vec::len).sum();
    let mut failed = 0;
    for room in (0..).step_by(100) {
        env.set_quota(Some((size + room) as u64));
        match db.backup("backup") {
            Ok(_) => break,
            Err(error) => assert_eq!(error.code(), Code::Full, "{error}"),
        }
        assert_eq!(env.names(Path::new("backup")), [""; 0], "with {room} bytes of room");
        failed += 1;
    }
    assert!(failed > 10, "{failed}");
    env.set_quota(None);
    assert!(is_whole(&env.crashed(CrashPlan::POWER_LOSS), "backup", &view));
}

#[test]
fn damage_anywhere_in_a_backup_is_told_by_restoring_it() {
    let (env, view) = machine_with_backup();
    let files = files_in(&env, "backup");
    let mut rng = Rng::of(1, 8);
    for (path, bytes) in files.iter().filter(|(path, _)| path.extension().is_some()) {
        let mut bits: BTreeSet<usize> = (0..200).map(|_| rng.index(bytes.len() * 8)).collect();
        bits.extend([0, bytes.len() * 8 - 1]);
        for bit in bits {
            let damaged = env.crashed(CrashPlan::Process);
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            damaged.put_file(path, &bytes).unwrap();
            let error = restore(&damaged, "backup", "restored").unwrap_err();
            assert_eq!((error.code(), error.path()), (Code::Corrupt, Some(&**path)), "bit {bit}: {error}");
            assert!(error.message().contains("repair"), "{error}");
            assert_eq!(damaged.names(Path::new("restored")), [""; 0], "bit {bit} of {path:?}");
        }
        let damaged = env.crashed(CrashPlan::Process);
        damaged.remove(path).unwrap();
        assert_eq!(restore(&damaged, "backup", "restored").unwrap_err().code(), Code::Corrupt, "without {path:?}");
    }
    restore(&env, "backup", "restored").unwrap();
    assert!(is_whole(&env, "restored", &view));
}

/// A disk makes something else of what it was given.
#[test]
fn what_reads_back_as_something_else_is_no_backup() {
    let (sim, db, view) = machine();
    db.close().unwrap();
    let reads_back =
        |path: &Path, mode: Mode| mode == Mode::Read && path.starts_with("backup") && path.extension().is_some();
    let stones = [1, 2, 3, 4].map(|number| PathBuf::from(format!("backup/{number:012}.stone")));
    let (mut damaged, mut rng) = (0, Rng::of(1, 9));
    for stone in stones {
        for _ in 0..20 {
            let (env, interruption, bit) =
                (sim.crashed(CrashPlan::Process), Interruption::default(), rng.index(1 << 20));
            let (machine, path) = (env.clone(), stone.clone());
            interruption.set(move || {
                if let Some(mut bytes) = machine.bytes(&path) {
                    let bit = bit % (bytes.len() * 8);
                    bytes[bit / 8] ^= 1 << (bit % 8);
                    machine.put_file(&path, &bytes).unwrap();
                }
            });
            let disk = Arc::new(interrupted(env.clone(), reads_back, &interruption));
            let outcome = Database::open_with(disk, "db", options()).unwrap().backup("backup");
            interruption.clear();
            match outcome {
                Ok(_) => assert_eq!(env.bytes(&stone), None, "bit {bit} of {stone:?}"),
                Err(error) => {
                    assert_eq!((error.code(), error.path()), (Code::Corrupt, Some(&*stone)), "bit {bit}: {error}");
                    assert_eq!(env.names(Path::new("backup")), [""; 0]);
                    damaged += 1;
                }
            }
            assert!(is_whole(&env.crashed(CrashPlan::Process), "db", &view));
        }
    }
    assert!(damaged >= 60, "{damaged}");
}
