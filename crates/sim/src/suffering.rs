//! Histories on a machine on which an operation fails, whichever it is: no panic, no wrong answer, and what was promised
//! is there afterwards.

use std::io::ErrorKind;

use cairndb::{Code, Durability, Error};

use crate::crash::CrashPlan;
use crate::driver::Driver;
use crate::env::SimEnv;
use crate::faults::{Failure, Fault};
use crate::rng::Rng;
use crate::seeds::locate;
use crate::shrink::Chosen;

/// What an operation that failed may be answered with.
const CODES: [Code; 6] = [Code::Io, Code::Full, Code::Failed, Code::Directory, Code::Closed, Code::Locked];

/// How an operation fails.
const FAILURES: [Failure; 5] = [
    Failure::Error(ErrorKind::Other),
    Failure::Error(ErrorKind::StorageFull),
    Failure::Error(ErrorKind::Interrupted),
    Failure::Short(7),
    Failure::LosePages,
];

/// How many steps the histories have.
pub const STEPS: usize = 20;

/// Lets each operation of a history fail in each way, alone or, if the fault is `sticky`, with all after it. Returns in
/// how many ways. With `chosen`, only these steps are done.
///
/// # Panics
/// If something is lost or answered wrong.
pub fn fail_everywhere(seed: u64, sticky: bool, chosen: Chosen<'_>) -> u64 {
    let mut driver = Driver::new(SimEnv::new(seed), seed);
    driver.choose(chosen);
    driver.run(STEPS).expect("no fault, no error");
    let (operations, mut rng, mut count) = (driver.env().operations(), Rng::of(seed, 5), 0);
    for failure in FAILURES {
        // A signal that never ends is not one.
        if sticky && failure == Failure::Error(ErrorKind::Interrupted) {
            continue;
        }
        for nth in 1..=operations {
            let fault = Fault::new(failure).nth(nth);
            let fault = if sticky { fault.sticky() } else { fault };
            locate(|| format!("{fault:?}"), || strike(seed, fault, &mut rng, chosen));
            count += 1;
        }
    }
    count
}

fn strike(seed: u64, fault: Fault, rng: &mut Rng, chosen: Chosen<'_>) {
    let env = SimEnv::new(seed);
    env.inject(fault);
    let mut driver = Driver::new(env.clone(), seed);
    driver.choose(chosen);
    let opened = driver.open();
    let going = match &opened {
        Ok(()) => suffer(&mut driver),
        Err(error) => {
            typed(error, &driver);
            false
        }
    };
    let plans: Vec<CrashPlan> = env.plans(2).collect();
    for plan in [CrashPlan::Process, CrashPlan::POWER_LOSS, plans[rng.index(plans.len())]] {
        driver.look_after(plan).unwrap_or_else(|error| panic!("{plan:?} after {}: {error}", driver.position()));
    }
    env.clear_faults();
    let again = driver.recover(CrashPlan::Process);
    again.unwrap_or_else(|error| panic!("reopening after {} ({going}): {error}", driver.position()));
    for _ in 0..4 {
        driver.step().unwrap_or_else(|error| panic!("going on at {}: {error}", driver.position()));
    }
    driver.crash(CrashPlan::POWER_LOSS).unwrap_or_else(|error| panic!("after all: {error}"));
}

/// Does a history while an operation fails, or all from some operation on. False if the database could not go on.
fn suffer(driver: &mut Driver) -> bool {
    for _ in 0..STEPS {
        if !driver.is_open()
            && let Err(error) = driver.recover(CrashPlan::Process)
        {
            typed(&error, driver);
            // A second try, in case that it was the fault's only one.
            if let Err(error) = driver.recover(CrashPlan::Process) {
                typed(&error, driver);
                return false;
            }
        }
        if let Err(error) = driver.act() {
            typed(&error, driver);
            if driver.is_open() && !survives(driver, &error) {
                return false;
            }
        } else if let Err(error) = driver.ask() {
            typed(&error, driver);
        }
    }
    true
}

/// Whether the database still answers after a step failed; then it answers right.
fn survives(driver: &mut Driver, error: &Error) -> bool {
    match driver.after_failure() {
        Err(error) => {
            typed(&error, driver);
            false
        }
        Ok(false) => true,
        Ok(true) => {
            // What is to be seen of a failed write failed in its sync.
            let sync = driver.level_of_step().is_none_or(|level| level == Durability::Full);
            assert!(sync || !driver.wrote(), "{error}: written all the same at {}", driver.position());
            true
        }
    }
}

fn typed(error: &Error, driver: &Driver) {
    assert!(CODES.contains(&error.code()), "{:?}: {error} at {}", error.code(), driver.position());
}
