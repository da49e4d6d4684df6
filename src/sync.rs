//! A lock without poison.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A mutex of which no holder panics: every panic is caught where it can happen, so a lock protects what it always did.
#[derive(Default)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Lock(Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets go of the lock until `changed` is notified and `pending` says no more.
pub(crate) fn wait_while<'a, T>(
    changed: &Condvar,
    guard: MutexGuard<'a, T>,
    pending: impl FnMut(&mut T) -> bool,
) -> MutexGuard<'a, T> {
    changed.wait_while(guard, pending).unwrap_or_else(PoisonError::into_inner)
}
