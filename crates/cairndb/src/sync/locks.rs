//! Locks that are not poisoned: whoever panics while he holds one is reported where he panics.
//!
//! They are those of the standard library since it wakes all who wait for a condition with one call of the system, and
//! a durable write of one thread among many is little else than being woken.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

#[cfg(feature = "schedules")]
use shuttle::sync;
#[cfg(not(feature = "schedules"))]
use std::sync;

pub(crate) use sync::MutexGuard;
use sync::atomic::AtomicUsize;

#[derive(Default)]
pub(crate) struct Mutex<T>(sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Mutex(sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
pub(crate) struct Condvar {
    condition: sync::Condvar,
    /// How many wait. Counted with the mutex held that protects what they wait for: whoever changed that since sees them.
    waiting: AtomicUsize,
}

impl Condvar {
    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let guard = self.condition.wait(guard).unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        guard
    }

    pub(crate) fn notify_one(&self) {
        if self.has_waiting() {
            self.condition.notify_one();
        }
    }

    pub(crate) fn notify_all(&self) {
        if self.has_waiting() {
            self.condition.notify_all();
        }
    }

    /// To call the system for nobody takes 3 µs.
    fn has_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}
