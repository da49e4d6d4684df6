//! Long random histories: every answer of the database is the model's, through flushes, merges, crashes and time.

use crate::crash::CrashPlan;
use crate::driver::Driver;
use crate::env::SimEnv;
use crate::rng::Rng;
use crate::shrink::Chosen;

/// A history without a crash. Returns how many steps it had.
///
/// # Panics
/// If an answer is not the model's.
pub fn history(seed: u64, steps: usize, chosen: Chosen<'_>) -> u64 {
    let mut driver = Driver::new(SimEnv::new(seed), seed);
    driver.choose(chosen);
    driver.run(steps).unwrap_or_else(|error| panic!("{error} at {}", driver.position()));
    steps as u64
}

/// A history that crashes now and then, in any way, and goes on from what is left. Returns how many crashes it had.
///
/// # Panics
/// If an answer is not the model's, or a crash leaves what it must not.
pub fn crashing_history(seed: u64, steps: usize, chosen: Chosen<'_>) -> u64 {
    let mut rng = Rng::of(seed, 3);
    let mut driver = Driver::new(SimEnv::new(seed), seed);
    driver.choose(chosen);
    driver.open().unwrap_or_else(|error| panic!("a new database: {error}"));
    let mut crashes = 0;
    for _ in 0..steps {
        let mut done = driver.step();
        if rng.chance(1, 12) {
            let plans: Vec<CrashPlan> = driver.env().plans(4).collect();
            let plan = if rng.chance(1, 3) { CrashPlan::Process } else { plans[rng.index(plans.len())] };
            done = done.and_then(|()| driver.crash(plan));
            crashes += 1;
        }
        done.unwrap_or_else(|error| panic!("{error} at {}\n{}", driver.position(), driver.env().history()));
    }
    crashes
}
