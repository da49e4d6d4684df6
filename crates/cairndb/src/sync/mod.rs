//! Locks and atomics: those of a program, or, with the feature `schedules`, those of a scheduler that tries the orders in
//! which threads can take turns. `crates/schedules` has the tests.
//!
//! What threads of the engine meet at comes from here. Figures that nothing depends on may be ordinary atomics.

#[cfg(feature = "schedules")]
mod scheduled;

#[cfg(not(feature = "schedules"))]
pub(crate) use {
    arc_swap::ArcSwap,
    parking_lot::{Condvar, Mutex, MutexGuard, RwLock},
    std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize},
};

#[cfg(feature = "schedules")]
pub(crate) use {
    scheduled::{ArcSwap, Condvar, Mutex, MutexGuard, RwLock},
    shuttle::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize},
};
