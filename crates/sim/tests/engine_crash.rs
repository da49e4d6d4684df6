//! The engine on a disk that crashes at every change: what was acknowledged is there, and nothing is half there.
#![allow(clippy::print_stderr, reason = "how much was tried is worth knowing")]

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use cairndb::{Database, Durability, Kind, Op, Options};
use cairndb_sim::driver::Driver;
use cairndb_sim::explore::{Depth, crash_a_liar, crash_everywhere};
use cairndb_sim::model::Timeline;
use cairndb_sim::{CrashPlan, SimEnv, Tears, seeds};

const STEPS: usize = 16;

/// Histories of this depth are crashed at every change: in every way that loses whole changes, at the end of every
/// sector of the last write, and at some of its other bytes.
fn depth() -> Depth {
    Depth { steps: STEPS, tears: Tears::Sampled(24), random: 16, write_on: 4, recoveries: 0 }
}

/// The death of a process between the renaming of a manifest and the sync of the directory leaves a name that is not on
/// the disk. Whoever goes on from there must not give up the generation before on the strength of it.
#[test]
fn no_generation_is_given_up_for_one_whose_name_is_not_on_the_disk() {
    let options = Options { reclaim_delay: Duration::ZERO, ..Options::default() };
    let open = |env: &SimEnv| Database::open_with(Arc::new(env.clone()), "db", options.clone());
    let run = |changes: u64| {
        let env = SimEnv::new(1);
        env.crash_at(changes);
        let done = open(&env).and_then(|db| {
            db.commit(&[Op::put("t", b"k", Kind::BYTES, b"v")], Durability::Full)?;
            db.checkpoint()
        });
        (env, done.is_err())
    };
    let (mut changes, mut found) = (0, 0);
    loop {
        let (env, crashed) = run(changes);
        let left = env.crashed(CrashPlan::Process);
        if let Ok(db) = open(&left) {
            left.run_due();
            let held = db.len("t").unwrap();
            found += held;
            for plan in left.plans(20) {
                let again = open(&left.crashed(plan)).unwrap_or_else(|error| panic!("{changes}, {plan:?}: {error}"));
                assert_eq!(again.len("t").unwrap(), held, "before change {changes}, {plan:?}\n{}", left.history());
            }
        }
        if !crashed {
            break;
        }
        changes += 1;
    }
    assert!(changes > 10 && found > 5, "{changes} changes, {found} times with the record");
}

/// So many different states, each recovered twice.
#[test]
fn nothing_acknowledged_is_lost_wherever_the_machine_crashes() {
    let states =
        seeds::each("engine_crash", 220, STEPS, |seed, chosen| crash_everywhere(seed, &depth(), chosen).states);
    eprintln!("{states} crash states");
    assert!(states >= 200_000 || replaying());
}

#[test]
fn nothing_acknowledged_is_lost_at_whichever_byte_a_write_is_torn() {
    let depth = Depth { tears: Tears::EachByte, ..depth() };
    let states = seeds::each("engine_crash", 4, STEPS, |seed, chosen| crash_everywhere(seed, &depth, chosen).states);
    eprintln!("{states} crash states");
    assert!(states >= 10_000 || replaying());
}

#[test]
fn nothing_acknowledged_is_lost_wherever_the_recovery_crashes_too() {
    let depth = Depth { tears: Tears::Sampled(2), random: 4, recoveries: 2, ..depth() };
    let states =
        seeds::each("engine_crash", 60, STEPS, |seed, chosen| crash_everywhere(seed, &depth, chosen).second_states);
    eprintln!("{states} crash states of recoveries");
    assert!(states >= 20_000 || replaying());
}

/// A disk that acknowledges syncs too early may take the last seconds. It never leaves what opens to something else.
#[test]
fn a_disk_that_lies_takes_the_last_seconds_at_most() {
    let refused = Cell::new(0);
    let states = seeds::each("engine_crash", 12, STEPS, |seed, chosen| {
        let (states, refused_of_seed) = crash_a_liar(seed, &depth(), chosen);
        refused.set(refused.get() + refused_of_seed);
        states
    });
    let refused = refused.get();
    eprintln!("{states} crash states of a lying disk, {refused} of them refused as damage");
    assert!((states > 10_000 && refused < states / 2) || replaying());
}

/// The points of a history that is run once are those at which the machine of another run goes off for good.
#[test]
fn a_picture_of_the_machine_is_what_a_crash_then_would_leave() {
    let mut points = 0;
    for seed in 1..=3 {
        let mut whole = Driver::small(SimEnv::new(seed), seed);
        whole.run(STEPS).unwrap();
        for point in whole.crash_points() {
            let env = SimEnv::new(seed);
            env.crash_at(point.machine.changes());
            let mut cut = Driver::small(env.clone(), seed);
            let _ends_somehow = cut.run(STEPS);
            for plan in [CrashPlan::Process, CrashPlan::POWER_LOSS] {
                let (pictured, left) = (point.machine.crashed(plan), env.crashed(plan));
                assert_eq!(pictured.files(), left.files(), "seed {seed}, change {}", point.machine.changes());
                let (known, later) =
                    (Timeline::allowed(point.mark, plan), Timeline::allowed(cut.timeline().mark(), plan));
                // Where a background job met the end, the next step was still tried.
                assert!(known.start == later.start && known.end <= later.end, "{known:?}, {later:?}");
            }
            points += 1;
        }
    }
    assert!(points > 100, "{points}");
}

/// Somebody looks at fewer seeds than the counts are of.
fn replaying() -> bool {
    std::env::var_os("SEEDS").is_some()
}
