//! A history, crashed at every change in every way, and recovered from what is left: twice each time, and with a crash
//! of the recovery too.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{AddAssign, Range};
use std::time::Duration;

use cairndb::env::Env;

use crate::crash::{CrashPlan, Tears};
use crate::driver::{CrashPoint, Driver};
use crate::env::SimEnv;
use crate::model::Timeline;
use crate::moment::Moment;
use crate::recovery::Judge;
use crate::rng::Rng;
use crate::seeds::locate;
use crate::shrink::Chosen;

/// How thoroughly a history is crashed.
#[derive(Clone, Debug)]
pub struct Depth {
    /// The steps of the history.
    pub steps: usize,
    /// Where the last write is torn.
    pub tears: Tears,
    /// How many random subsets of the pending changes are tried at each point, of whole changes and of sectors.
    pub random: u64,
    /// One in so many states is written to again, and looked at after a further crash.
    pub write_on: u64,
    /// One in so many states has its recovery crashed too, at every change; 0 for none.
    pub recoveries: u64,
}

/// How much was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Points of the history at which it was crashed.
    pub points: u64,
    /// Crashes: each point in each way.
    pub crashes: u64,
    /// Different states that those left. Each was recovered twice.
    pub states: u64,
    /// Recoveries that were crashed at each of their changes.
    pub recoveries: u64,
    /// Different states that those crashes left, which no other crash had left. Each was recovered twice.
    pub second_states: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.points += other.points;
        self.crashes += other.crashes;
        self.states += other.states;
        self.recoveries += other.recoveries;
        self.second_states += other.second_states;
    }
}

/// Crashes the history of a seed everywhere, or what is left of it when only the chosen steps are done.
///
/// # Panics
/// If some crash leaves what it must not.
pub fn crash_everywhere(seed: u64, depth: &Depth, chosen: Chosen<'_>) -> Counts {
    let mut driver = Driver::small(SimEnv::new(seed), seed);
    let points = run(&mut driver, depth, chosen);
    let judge = Judge { timeline: driver.timeline(), options: driver.options() };
    let mut crashes =
        Crashes { depth, judge, known: BTreeMap::new(), rng: Rng::of(seed, 6), counts: Counts::default() };
    for point in &points {
        crashes.counts.points += 1;
        for plan in point.machine.plans(depth.tears, depth.random) {
            locate(|| driver.place(point, plan), || crashes.strike(point, plan));
        }
    }
    crashes.counts
}

/// Crashes the history of a seed everywhere, on a disk that acknowledges each sync up to some seconds before it is done.
///
/// A disk that keeps the order may lose the last seconds. One that does not may also leave what cannot be told from
/// damage: then the database must say so. Returns how many different states there were, and how many were refused.
///
/// # Panics
/// If some crash leaves what it must not.
pub fn crash_a_liar(seed: u64, depth: &Depth, chosen: Chosen<'_>) -> (u64, u64) {
    let mut driver = Driver::small(SimEnv::new(seed), seed);
    driver.lie(Duration::from_millis(1 + Rng::of(seed, 7).below(5000)));
    let points = run(&mut driver, depth, chosen);
    let judge = Judge { timeline: driver.timeline(), options: driver.options() };
    let (mut known, mut refused) = (BTreeSet::new(), 0);
    for point in &points {
        for plan in point.machine.plans(depth.tears, depth.random) {
            let left = point.machine.crashed(plan);
            let allowed = Timeline::allowed(point.mark, plan);
            if known.insert((left.fingerprint(), allowed.start)) {
                let state = locate(|| driver.place(point, plan), || judge.recover_lies(&left, allowed));
                let right = state.is_some() || !plan.keeps_order();
                assert!(right, "refused, though in order: {}", driver.place(point, plan));
                refused += u64::from(state.is_none());
            }
        }
    }
    (known.len() as u64, refused)
}

fn run(driver: &mut Driver, depth: &Depth, chosen: Chosen<'_>) -> Vec<CrashPoint> {
    driver.choose(chosen);
    driver.run(depth.steps).unwrap_or_else(|error| panic!("{error} at {}, without a crash", driver.position()));
    driver.crash_points()
}

/// The crashes of one history, and what is known about the states that they leave.
struct Crashes<'a> {
    depth: &'a Depth,
    judge: Judge<'a>,
    /// By their fingerprints, which state of the history each of them was recovered to.
    known: BTreeMap<u64, usize>,
    rng: Rng,
    counts: Counts,
}

impl Crashes<'_> {
    fn strike(&mut self, point: &CrashPoint, plan: CrashPlan) {
        self.counts.crashes += 1;
        let left = point.machine.crashed(plan);
        let allowed = Timeline::allowed(point.mark, plan);
        let fingerprint = left.fingerprint();
        if let Some(&state) = self.known.get(&fingerprint) {
            self.know(state, allowed, &left);
            return;
        }
        let crash_recovery = self.depth.recoveries > 0 && self.rng.chance(1, self.depth.recoveries);
        if crash_recovery {
            left.keep_moments();
        }
        let state = self.judge(&left, allowed);
        self.known.insert(fingerprint, state);
        self.counts.states += 1;
        if crash_recovery {
            let mut moments = left.take_moments();
            moments.push(left.moment());
            self.crash_recovery(point, plan, state, &moments);
        }
    }

    /// Recovers a state that no crash has left before, twice, and returns which state of the history it is.
    fn judge(&mut self, left: &SimEnv, allowed: Range<usize>) -> usize {
        let recovered = self.judge.recover(left, allowed);
        let (again, db) = self.judge.recover_again(left, &recovered);
        if self.rng.chance(1, self.depth.write_on) {
            self.judge.write_on(&again, &db, &recovered.found);
        }
        recovered.state
    }

    /// A state that was recovered before is recovered to the same again. What this crash may leave can be less.
    fn know(&self, state: usize, allowed: Range<usize>, left: &SimEnv) {
        let right = self.judge.allows(state, allowed.clone(), left.now());
        assert!(right, "state {state} is found, and those that are allowed are {allowed:?}");
    }

    /// Crashes a recovery that came to `state` at every change that it made.
    fn crash_recovery(&mut self, point: &CrashPoint, plan: CrashPlan, state: usize, moments: &[Moment]) {
        self.counts.recoveries += 1;
        for moment in moments {
            for second in moment.plans(Tears::Sampled(2), 2) {
                let what = || format!("then {second:?} before change {} of the recovery", moment.changes());
                locate(what, || self.strike_recovery(point, plan, state, &moment.crashed(second), second));
            }
        }
    }

    fn strike_recovery(
        &mut self,
        point: &CrashPoint,
        first: CrashPlan,
        state: usize,
        left: &SimEnv,
        second: CrashPlan,
    ) {
        let worse = if first == CrashPlan::Process { second } else { first };
        // What a power loss had left was all on the disk, and what the death of a process leaves is still where it was.
        let same = first != CrashPlan::Process || second == CrashPlan::Process;
        let allowed = if same { state..state + 1 } else { Timeline::allowed(point.mark, worse) };
        let fingerprint = left.fingerprint();
        match self.known.get(&fingerprint) {
            Some(&known) => self.know(known, allowed, left),
            None => {
                let found = self.judge(left, allowed);
                self.known.insert(fingerprint, found);
                self.counts.second_states += 1;
            }
        }
    }
}
