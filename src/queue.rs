//! The writes of a handle, in the order of its calls.
//!
//! A small group at a level that does not wait for the disk is done at once. All else is done by the thread of the
//! handle, which starts with the first such job, and then whatever comes later waits for its turn behind it. At level
//! `full` a small group is appended at once, so that its place is settled, and only the sync is left to the thread; the
//! groups that wait for one share it.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar};
use std::thread;
use std::time::{Duration, Instant};

use cairndb::{Database, Durability};
use napi::bindgen_prelude::ToNapiValue;
use napi::{Env, Result};

use crate::failure::{Failure, Outcome, guarded};
use crate::jobs::{self, Job, Unsynced};
use crate::promise::Deferred;
use crate::registry::Lease;
use crate::request;
use crate::settle::{SettleFunction, Settled, Settler};
use crate::sync::{Lock, wait_while};
use crate::values::Outcomes;

/// The largest request that is done at once, in bytes: about what can be appended without the event loop noticing.
const SMALL: usize = 256 << 10;

/// How long the thread stays awake when there is no job. Who awaits each durable write comes with the next one within
/// half of it, and to wake the thread for that takes a tenth of a quick disk's sync.
const AWAKE: Duration = Duration::from_micros(30);

pub(crate) struct Queue {
    engine: Database,
    settler: Settler,
    state: Lock<State>,
    /// Wakes the thread for its jobs, if it sleeps, and others for what it has done.
    changed: Condvar,
    /// There are jobs. Changed with `state` only; a hint for who does not hold it.
    has_jobs: AtomicBool,
    /// How many queued jobs later writes and reads have to wait for. Only the thread of the environment adds to them.
    ahead: AtomicUsize,
    /// Nothing more is accepted.
    ended: AtomicBool,
    /// The process is about to end: what was acknowledged must not stay in its memory.
    exiting: AtomicBool,
    /// Something was acknowledged from memory.
    in_memory: AtomicBool,
}

struct State {
    jobs: VecDeque<Job>,
    tickets: u64,
    has_thread: bool,
    /// The thread has to be woken for a job.
    sleeps: bool,
    lease: Option<Lease>,
    released: Option<Outcome<()>>,
    /// Who waits for the release.
    closers: Vec<Deferred<()>>,
}

/// What a commit returns.
pub(crate) enum Committed {
    Now(Outcomes),
    Later { ticket: u64 },
}

impl Queue {
    pub(crate) fn new(lease: Lease, settler: Settler) -> Self {
        Queue {
            engine: lease.engine().clone(),
            settler,
            state: Lock::new(State {
                jobs: VecDeque::new(),
                tickets: 0,
                has_thread: false,
                sleeps: false,
                lease: Some(lease),
                released: None,
                closers: Vec::new(),
            }),
            changed: Condvar::new(),
            has_jobs: AtomicBool::new(false),
            ahead: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            exiting: AtomicBool::new(false),
            in_memory: AtomicBool::new(false),
        }
    }

    pub(crate) fn check_open(&self) -> Outcome<()> {
        if self.ended.load(Ordering::Acquire) { Err(Failure::closed()) } else { Ok(()) }
    }

    /// The engine, to read from: every write that was called for has taken effect.
    pub(crate) fn engine(&self) -> Outcome<&Database> {
        self.check_open()?;
        if self.ahead.load(Ordering::Acquire) > 0 {
            let state = self.state.lock();
            drop(wait_while(&self.changed, state, |_| self.ahead.load(Ordering::Acquire) > 0));
        }
        Ok(&self.engine)
    }

    /// Takes the turn of the directory, unless another handle has it. It ends when it is given up or the handle is closed.
    pub(crate) fn take_turn(&self) -> Outcome<bool> {
        self.check_open()?;
        self.state.lock().lease.as_mut().map(Lease::take_turn).ok_or_else(Failure::closed)
    }

    pub(crate) fn end_turn(&self) {
        if let Some(lease) = &mut self.state.lock().lease {
            lease.end_turn();
        }
    }

    /// Does a group, or sees to it that it is done in its turn.
    pub(crate) fn commit(self: &Arc<Self>, env: &Env, bytes: &[u8], durability: Durability) -> Outcome<Committed> {
        self.check_open()?;
        let ops = request::decode(bytes)?;
        let durability = self.level(durability);
        let at_once =
            bytes.len() <= SMALL && self.ahead.load(Ordering::Acquire) == 0 && self.engine.pressure().is_zero();
        if at_once && durability != Durability::Full {
            return Ok(Committed::Now(self.engine.append(&ops, durability)?.0.into()));
        }
        self.start_thread()?;
        let ticket = if at_once {
            let (outcomes, position) = self.engine.append(&ops, durability)?;
            self.push(|ticket| Job::Sync { ticket, outcomes: outcomes.into(), position })
        } else {
            self.push(|ticket| Job::Commit { ticket, request: bytes.to_vec(), durability })
        };
        self.settler.expect(env);
        Ok(Committed::Later { ticket })
    }

    /// Does a group behind all that is queued, and returns once it has reached its level.
    pub(crate) fn commit_sync(&self, bytes: &[u8], durability: Durability) -> Outcome<Outcomes> {
        let ops = request::decode(bytes)?;
        Ok(self.engine()?.commit(&ops, self.level(durability))?.into())
    }

    fn level(&self, asked: Durability) -> Durability {
        if asked != Durability::Eventual {
            return asked;
        }
        if self.exiting.load(Ordering::Acquire) {
            return Durability::Os;
        }
        self.in_memory.store(true, Ordering::Release);
        asked
    }

    /// Tells `settle` what became of the groups that are done.
    pub(crate) fn settle(&self, env: &Env, settle: &SettleFunction<'_>) -> Result<()> {
        self.settler.report_now(env, settle)
    }

    /// Drops a table in its turn; `deferred` is told once that is on the disk. Later writes and reads wait for the drop, but
    /// not for the disk.
    pub(crate) fn drop_table(self: &Arc<Self>, deferred: Deferred<bool>, table: String) {
        match self.check_open().and_then(|()| self.start_thread()) {
            Ok(()) => drop(self.push(|_| Job::Drop { table, deferred })),
            Err(failure) => deferred.settle(Err(failure)),
        }
    }

    /// Does other work after all that was called for before it.
    pub(crate) fn in_turn<V: ToNapiValue + Send + 'static>(
        self: &Arc<Self>,
        deferred: Deferred<V>,
        work: impl FnOnce(&Database) -> Outcome<V> + Send + 'static,
    ) {
        if let Err(failure) = self.check_open().and_then(|()| self.start_thread()) {
            return deferred.settle(Err(failure));
        }
        let work = Box::new(move |engine: &Database| deferred.settle(guarded(|| work(engine))));
        self.push(|_| Job::Work(work));
    }

    /// Accepts nothing more, does what is queued, and gives the directory up; `deferred` is told when that is done.
    pub(crate) fn close(self: &Arc<Self>, deferred: Deferred<()>) {
        let mut state = self.state.lock();
        match &state.released {
            Some(outcome) => deferred.settle(outcome.clone()),
            None => state.closers.push(deferred),
        }
        drop(state);
        self.abandon();
    }

    /// As `close`, with nobody to be told.
    pub(crate) fn abandon(self: &Arc<Self>) {
        self.ended.store(true, Ordering::Release);
        if self.start_thread().is_err() {
            // Late and here, rather than never.
            self.release();
        }
        self.wake();
    }

    /// As `close`, and waits for it.
    pub(crate) fn close_sync(&self) -> Outcome<()> {
        self.ended.store(true, Ordering::Release);
        if !self.state.lock().has_thread {
            self.release();
        }
        self.wake();
        let state = wait_while(&self.changed, self.state.lock(), |state| state.released.is_none());
        state.released.clone().unwrap_or(Ok(()))
    }

    /// As `close`, and waits for it: the environment ends.
    pub(crate) fn end(&self) {
        let _nobody_is_left_to_be_told = self.close_sync();
    }

    /// The process is about to end, maybe without a further word: hands over what is in memory.
    pub(crate) fn prepare_exit(&self) -> Outcome<()> {
        self.exiting.store(true, Ordering::Release);
        if self.in_memory.load(Ordering::Acquire) && self.check_open().is_ok() {
            guarded(|| Ok(self.engine.flush()?))?;
        }
        Ok(())
    }

    fn push(&self, job: impl FnOnce(u64) -> Job) -> u64 {
        let mut state = self.state.lock();
        state.tickets += 1;
        let ticket = state.tickets;
        let job = job(ticket);
        if job.is_ahead() {
            self.ahead.fetch_add(1, Ordering::AcqRel);
        }
        state.jobs.push_back(job);
        self.has_jobs.store(true, Ordering::Release);
        let sleeps = state.sleeps;
        drop(state);
        if sleeps {
            self.changed.notify_all();
        }
        ticket
    }

    fn wake(&self) {
        // Whoever looks at the state now either sees what changed or is woken: the lock orders the two.
        drop(self.state.lock());
        self.changed.notify_all();
    }

    fn start_thread(self: &Arc<Self>) -> Outcome<()> {
        let mut state = self.state.lock();
        if !state.has_thread && state.released.is_none() {
            let queue = Arc::clone(self);
            let spawned = thread::Builder::new().name("cairndb-writer".into()).spawn(move || queue.run());
            spawned.map_err(|error| Failure::no_thread(&error))?;
            state.has_thread = true;
        }
        Ok(())
    }

    fn run(&self) {
        loop {
            let jobs = self.next_jobs();
            if jobs.is_empty() {
                return self.release();
            }
            self.work_off(jobs);
        }
    }

    /// Waits for jobs. There are none if there will be no more.
    fn next_jobs(&self) -> VecDeque<Job> {
        let awake = Instant::now();
        while !self.has_jobs.load(Ordering::Acquire) && awake.elapsed() < AWAKE {
            thread::yield_now();
        }
        let mut state = self.state.lock();
        state.sleeps = true;
        let idle = |state: &mut State| state.jobs.is_empty() && !self.ended.load(Ordering::Acquire);
        state = wait_while(&self.changed, state, idle);
        state.sleeps = false;
        self.has_jobs.store(false, Ordering::Release);
        mem::take(&mut state.jobs)
    }

    fn work_off(&self, jobs: VecDeque<Job>) {
        let mut unsynced = Unsynced::default();
        for job in jobs {
            match job {
                Job::Sync { ticket, outcomes, position } => unsynced.add(ticket, outcomes, position),
                Job::Commit { ticket, request, durability } => {
                    match guarded(|| jobs::commit(&self.engine, &request, durability)) {
                        Ok((outcomes, Some(position))) => unsynced.add(ticket, outcomes, position),
                        Ok((outcomes, None)) => self.settler.report([Settled { ticket, outcome: Ok(outcomes) }]),
                        Err(failure) => self.settler.report([Settled { ticket, outcome: Err(failure) }]),
                    }
                    self.let_pass();
                }
                Job::Drop { table, deferred } => {
                    let dropped = guarded(|| Ok(self.engine.append_drop(&table, Durability::Full)?));
                    self.let_pass();
                    self.settler.report(mem::take(&mut unsynced).sync(&self.engine));
                    deferred.settle(dropped.and_then(|(was_there, position)| {
                        guarded(|| Ok(self.engine.sync(position)?)).map(|()| was_there)
                    }));
                }
                Job::Work(work) => {
                    self.settler.report(mem::take(&mut unsynced).sync(&self.engine));
                    work(&self.engine);
                }
            }
        }
        self.settler.report(unsynced.sync(&self.engine));
    }

    /// A job that later writes and reads wait for has taken effect.
    fn let_pass(&self) {
        self.ahead.fetch_sub(1, Ordering::AcqRel);
        self.wake();
    }

    /// Gives the directory up, once.
    fn release(&self) {
        let Some(lease) = self.state.lock().lease.take() else {
            return;
        };
        let outcome = lease.give_back();
        let mut state = self.state.lock();
        state.released = Some(outcome.clone());
        let closers = mem::take(&mut state.closers);
        drop(state);
        self.changed.notify_all();
        for closer in closers {
            closer.settle(outcome.clone());
        }
    }
}
