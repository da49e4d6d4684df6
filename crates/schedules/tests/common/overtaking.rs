//! One thread is overtaken at one place: all schedules of that kind, one after the other.
//!
//! At random a thread is seldom held for as long as a whole `close` takes. Most races of one call with another need just
//! that, at one certain place.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};
use shuttle::{Config, Runner, thread};

/// The thread that is overtaken, once there is one.
#[derive(Default)]
pub(crate) struct Overtaken(AtomicUsize);

impl Overtaken {
    /// To be called right after the thread was spawned.
    pub(crate) fn is<T>(&self, thread: &thread::JoinHandle<T>) {
        self.0.store(thread.thread().id().into(), Ordering::Relaxed);
    }
}

struct OneByOne {
    overtaken: Arc<Overtaken>,
    /// How many steps the thread does before the others overtake it, and how many it has done.
    steps: usize,
    done: usize,
    executions: Arc<AtomicUsize>,
}

impl Scheduler for OneByOne {
    fn new_execution(&mut self) -> Option<Schedule> {
        if self.executions.load(Ordering::Relaxed) > 0 {
            if self.done < self.steps {
                // It came to its end before it was overtaken.
                return None;
            }
            self.steps += 1;
        }
        self.done = 0;
        self.overtaken.0.store(0, Ordering::Relaxed);
        self.executions.fetch_add(1, Ordering::Relaxed);
        Some(Schedule::new(0))
    }

    fn next_task(&mut self, runnable: &[&Task], _current: Option<TaskId>, _yields: bool) -> Option<TaskId> {
        let slow = self.overtaken.0.load(Ordering::Relaxed);
        let ids = || runnable.iter().map(|task| task.id());
        if slow > 0 && self.done < self.steps && ids().any(|id| usize::from(id) == slow) {
            self.done += 1;
            return Some(slow.into());
        }
        ids().find(|id| usize::from(*id) != slow).or_else(|| ids().next())
    }

    fn next_u64(&mut self) -> u64 {
        0
    }
}

/// Runs `test` once for each step of the thread that it names. Gives how often that was.
pub(crate) fn explore(test: impl Fn(&Overtaken) + Send + Sync + 'static) -> usize {
    let (overtaken, executions) = (Arc::new(Overtaken::default()), Arc::new(AtomicUsize::new(0)));
    let scheduler =
        OneByOne { overtaken: Arc::clone(&overtaken), steps: 0, done: 0, executions: Arc::clone(&executions) };
    let mut config = Config::new();
    config.stack_size = 1 << 20;
    Runner::new(scheduler, config).run(move || test(&overtaken));
    executions.load(Ordering::Relaxed)
}
