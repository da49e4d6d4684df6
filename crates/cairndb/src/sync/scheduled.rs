//! The locks of the engine, made of Shuttle's: at each use another thread may get its turn.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, PoisonError};

use shuttle::sync;

/// As that of `parking_lot`: no poison.
#[derive(Default)]
pub(crate) struct Mutex<T>(sync::Mutex<T>);

/// Empty only while its owner waits for a condition.
pub(crate) struct MutexGuard<'a, T>(Option<sync::MutexGuard<'a, T>>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Mutex(sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[allow(clippy::expect_used, reason = "nobody sees the guard of somebody who waits")]
    fn deref(&self) -> &T {
        self.0.as_deref().expect("nobody waits")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    #[allow(clippy::expect_used, reason = "nobody sees the guard of somebody who waits")]
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_deref_mut().expect("nobody waits")
    }
}

pub(crate) struct Condvar(sync::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Condvar(sync::Condvar::new())
    }

    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        if let Some(held) = guard.0.take() {
            guard.0 = Some(self.0.wait(held).unwrap_or_else(PoisonError::into_inner));
        }
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// As that of `arc_swap`: loads and swaps are one step each.
pub(crate) struct ArcSwap<T>(Mutex<Arc<T>>);

impl<T> ArcSwap<T> {
    pub(crate) fn from_pointee(value: T) -> Self {
        ArcSwap(Mutex::new(Arc::new(value)))
    }

    pub(crate) fn load(&self) -> Arc<T> {
        Arc::clone(&self.0.lock())
    }

    pub(crate) fn load_full(&self) -> Arc<T> {
        self.load()
    }

    pub(crate) fn swap(&self, new: Arc<T>) -> Arc<T> {
        std::mem::replace(&mut *self.0.lock(), new)
    }

    /// Between the look at the old value and the swap others have their turns, as they do in a program.
    pub(crate) fn rcu(&self, change: impl Fn(&Arc<T>) -> T) -> Arc<T> {
        loop {
            let old = self.load();
            let new = Arc::new(change(&old));
            let mut current = self.0.lock();
            if Arc::ptr_eq(&current, &old) {
                *current = new;
                return old;
            }
        }
    }
}
