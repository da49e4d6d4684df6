//! Background jobs that wait for the test to let them run.

use std::collections::{BTreeMap, BTreeSet};

use cairndb::env::{Job, Lane};

use crate::rng::Rng;

/// Jobs in the order in which they fall due; those due together, by lane and by order of submission.
#[derive(Default)]
pub(crate) struct Jobs {
    waiting: BTreeMap<Turn, (u32, Job)>,
    submitted: u64,
}

/// When, in nanoseconds, in which lane, and as which submission.
type Turn = (u64, u8, u64);

impl Jobs {
    pub(crate) fn submit(&mut self, process: u32, due: u64, lane: Lane, job: Job) {
        let lane = match lane {
            Lane::Sync => 0,
            Lane::Flush => 1,
            Lane::Merge => 2,
        };
        self.waiting.insert((due, lane, self.submitted), (process, job));
        self.submitted += 1;
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn next_due(&self) -> Option<u64> {
        self.waiting.keys().next().map(|&(due, _, _)| due)
    }

    /// The first job, if it is due at `now`.
    pub(crate) fn take(&mut self, now: u64) -> Option<Job> {
        let first = self.waiting.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(first.remove().1)
    }

    /// The first job of a random lane that has one due at `now`: lanes run side by side, so any may be ahead.
    pub(crate) fn take_any(&mut self, now: u64, rng: &mut Rng) -> Option<Job> {
        let mut lanes = BTreeSet::new();
        let due = self.waiting.range(..=(now, u8::MAX, u64::MAX));
        let firsts: Vec<Turn> =
            due.filter(|(turn, (process, _))| lanes.insert((*process, turn.1))).map(|(turn, _)| *turn).collect();
        let turn = firsts.get(rng.index(firsts.len()))?;
        self.waiting.remove(turn).map(|(_, job)| job)
    }

    /// The jobs of a process that died, for the caller to drop where no lock is held: they may own what uses this disk.
    #[must_use]
    pub(crate) fn remove(&mut self, process: u32) -> Vec<Job> {
        let turns: Vec<Turn> =
            self.waiting.iter().filter(|(_, (of, _))| *of == process).map(|(turn, _)| *turn).collect();
        turns.iter().filter_map(|turn| self.waiting.remove(turn)).map(|(_, job)| job).collect()
    }
}
