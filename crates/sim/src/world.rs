//! All that is behind the handles: the disk, the clock, the processes, and what is to go wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use cairndb::env::Job;

use crate::crash::{self, CrashPlan};
use crate::disk::{Disk, Node};
use crate::faults::{Failure, Faults, Op};
use crate::history::{Event, History};
use crate::jobs::Jobs;
use crate::locks::Locks;
use crate::moment::Moment;
use crate::rng::Rng;

/// The moment at which virtual time begins, in milliseconds since the epoch.
pub(crate) const EPOCH: u64 = 1_700_000_000_000;
const FIRST_PROCESS: u32 = 1000;

/// What a call finds once the machine is off or its process dead.
pub(crate) const OFF: io::ErrorKind = io::ErrorKind::HostUnreachable;

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) rng: Rng,
    pub(crate) disk: Disk,
    /// Nanoseconds since the beginning.
    pub(crate) clock: u64,
    pub(crate) jobs: Jobs,
    pub(crate) pauses: u64,
    pub(crate) off: bool,
    pub(crate) crash_at: Option<u64>,
    pub(crate) operations: u64,
    pub(crate) changes: u64,
    pub(crate) faults: Faults,
    pub(crate) quota: Option<u64>,
    /// For how many nanoseconds a sync is only acknowledged.
    pub(crate) lie: Option<u64>,
    pub(crate) history: History,
    /// The machine before each change, where somebody wants to know.
    pub(crate) moments: Option<Vec<Moment>>,
    /// How many open files each node has.
    pub(crate) open: BTreeMap<Node, usize>,
    processes: BTreeSet<u32>,
    last_process: u32,
    pub(crate) locks: Locks,
    /// Numbers that processes share, by the path under which they do.
    pub(crate) numbers: BTreeMap<Arc<Path>, Arc<[AtomicU64]>>,
    /// Which process is to die, and after how many more steps.
    pub(crate) kill_at: Option<(u32, u64)>,
    /// Jobs of such a process, to be dropped by somebody who does not hold this world.
    remains: Vec<Job>,
}

/// What an operation is about, for the history.
pub(crate) struct About<'a> {
    pub(crate) op: Op,
    pub(crate) path: &'a Arc<Path>,
    pub(crate) to: Option<&'a Arc<Path>>,
    pub(crate) offset: u64,
    pub(crate) len: usize,
}

impl World {
    pub(crate) fn new(seed: u64, disk: Disk, clock: u64, last_process: u32) -> Self {
        World {
            seed,
            rng: Rng::new(seed),
            disk,
            clock,
            jobs: Jobs::default(),
            pauses: 0,
            off: false,
            crash_at: None,
            operations: 0,
            changes: 0,
            faults: Faults::default(),
            quota: None,
            lie: None,
            history: History::default(),
            moments: None,
            open: BTreeMap::new(),
            processes: BTreeSet::new(),
            last_process,
            locks: Locks::default(),
            numbers: BTreeMap::new(),
            kill_at: None,
            remains: Vec::new(),
        }
    }

    pub(crate) fn empty(seed: u64) -> Self {
        World::new(seed, Disk::default(), 0, FIRST_PROCESS - 1)
    }

    /// The world after a crash.
    pub(crate) fn after(&mut self, plan: CrashPlan) -> World {
        self.disk.settle(self.clock);
        let disk = crash::crash(&self.disk, plan, self.seed);
        World::found(self.seed, disk, self.clock, self.last_process, plan)
    }

    /// The world in which this disk is found.
    pub(crate) fn found(seed: u64, disk: Disk, clock: u64, last_process: u32, plan: CrashPlan) -> World {
        let mut next = World::new(seed, disk, clock, last_process);
        next.history.after = Some(plan);
        next
    }

    pub(crate) fn last_process(&self) -> u32 {
        self.last_process
    }

    pub(crate) fn start_process(&mut self) -> u32 {
        self.last_process += 1;
        self.processes.insert(self.last_process);
        self.last_process
    }

    /// Ends a process and returns its jobs, for the caller to drop outside the lock.
    pub(crate) fn kill(&mut self, process: u32) -> Vec<Job> {
        self.processes.remove(&process);
        self.locks.release_all(process);
        let mut jobs = mem::take(&mut self.remains);
        jobs.extend(self.jobs.remove(process));
        jobs
    }

    /// Counts a step of a process, which may be the one before which it dies.
    fn step(&mut self, process: u32) {
        match &mut self.kill_at {
            Some((doomed, 0)) if *doomed == process => {
                self.kill_at = None;
                self.remains = self.kill(process);
            }
            Some((doomed, left)) if *doomed == process => *left -= 1,
            _ => {}
        }
    }

    /// Whether a process gets to store a number that others see.
    pub(crate) fn may_store(&mut self, process: u32) -> bool {
        self.step(process);
        self.is_alive(process)
    }

    /// Turns the machine off for good and returns all jobs, for the caller to drop outside the lock.
    pub(crate) fn turn_off(&mut self) -> Jobs {
        self.off = true;
        self.locks.clear();
        mem::take(&mut self.jobs)
    }

    pub(crate) fn is_alive(&self, process: u32) -> bool {
        !self.off && self.processes.contains(&process)
    }

    /// Does one operation: counts it, lets the crash or a fault strike it, and writes it down.
    pub(crate) fn operate<T>(
        &mut self,
        process: u32,
        about: About<'_>,
        run: impl FnOnce(&mut World, Option<Failure>) -> io::Result<T>,
    ) -> io::Result<T> {
        let op = about.op;
        if op.changes_disk() && self.crash_at.is_some_and(|changes| self.changes >= changes) {
            self.off = true;
        }
        if op.changes_disk() {
            self.step(process);
        }
        if !self.is_alive(process) {
            return Err(io::Error::new(OFF, "the simulated machine is off"));
        }
        if op.changes_disk() && self.moments.is_some() {
            let moment = Moment::of(self);
            self.moments.get_or_insert_default().push(moment);
        }
        self.operations += 1;
        self.changes += u64::from(op.changes_disk());
        self.disk.settle(self.clock);
        let failure = self.faults.strike(op);
        let outcome = match failure {
            Some(Failure::Error(kind)) => Err(io::Error::new(kind, "injected by the simulation")),
            other => run(self, other),
        };
        self.history.events.push(Event {
            number: self.operations,
            process,
            time: self.now(),
            op,
            path: Arc::clone(about.path),
            to: about.to.cloned(),
            offset: about.offset,
            len: about.len,
            failure,
            error: outcome.as_ref().err().map(io::Error::kind),
        });
        outcome
    }

    /// Milliseconds since the Unix epoch.
    pub(crate) fn now(&self) -> u64 {
        EPOCH + self.clock / 1_000_000
    }

    pub(crate) fn later(&self, delay: Duration) -> u64 {
        self.clock.saturating_add(u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX))
    }

    /// The first job due up to a moment, with the clock moved to its time.
    pub(crate) fn next_until(&mut self, until: u64) -> Option<Job> {
        let due = self.jobs.next_due().filter(|&due| due <= until)?;
        self.clock = self.clock.max(due);
        self.jobs.take(self.clock)
    }

    /// When a sync that is acknowledged now will have been done, if the disk lies.
    pub(crate) fn settles(&self) -> Option<u64> {
        self.lie.map(|lie| self.clock.saturating_add(lie))
    }

    /// How many of `len` bytes at `offset` fit into the quota.
    pub(crate) fn room(&mut self, node: Node, offset: u64, len: usize) -> io::Result<usize> {
        let Some(quota) = self.quota else { return Ok(len) };
        let left = quota.saturating_sub(self.disk.used(&self.open));
        let limit = self.disk.content(node).written().saturating_add(left);
        let fits = limit.saturating_sub(offset).min(len as u64) as usize;
        if fits == 0 && len > 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(fits) }
    }

    /// Takes a lock: the number of its guard, or the process that has it.
    pub(crate) fn lock(&mut self, process: u32, path: &Arc<Path>) -> io::Result<Result<u64, u32>> {
        self.lock_file(path)?;
        let guard = self.locks.guard();
        Ok(self.locks.take(path, process, guard, true).map(|()| guard))
    }

    /// Creates the file that a lock is about, if it is not there.
    pub(crate) fn lock_file(&mut self, path: &Arc<Path>) -> io::Result<()> {
        match self.disk.create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.disk.node(path).map(drop),
            created => created.map(drop),
        }
    }

    pub(crate) fn opened(&mut self, node: Node) {
        *self.open.entry(node).or_default() += 1;
    }

    pub(crate) fn closed(&mut self, node: Node) {
        if let Some(count) = self.open.get_mut(&node) {
            *count -= 1;
            if *count == 0 {
                self.open.remove(&node);
            }
        }
    }
}
