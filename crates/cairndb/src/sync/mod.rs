//! Locks and atomics: those of a program, or, with the feature `schedules`, those of a scheduler that tries the orders in
//! which threads can take turns. `crates/schedules` has the tests.
//!
//! What threads of the engine meet at comes from here. Figures that nothing depends on may be ordinary atomics.

mod locks;
#[cfg(feature = "schedules")]
mod scheduled;

pub(crate) use locks::{Condvar, Mutex, MutexGuard};

#[cfg(not(feature = "schedules"))]
pub(crate) use {
    arc_swap::ArcSwap,
    std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize},
};

/// What is loaded of an [`ArcSwap`]; for a short time, and without a count that all readers would change.
#[cfg(not(feature = "schedules"))]
pub(crate) type Loaded<T> = arc_swap::Guard<std::sync::Arc<T>>;

#[cfg(feature = "schedules")]
pub(crate) type Loaded<T> = std::sync::Arc<T>;

#[cfg(feature = "schedules")]
pub(crate) use {
    scheduled::ArcSwap,
    shuttle::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize},
};
