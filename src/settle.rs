//! Telling JavaScript what became of the groups that it was given tickets for.

use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use napi::bindgen_prelude::{FnArgs, Function, FunctionCallContext};
use napi::threadsafe_function::{
    ThreadsafeFunction, ThreadsafeFunctionCallMode, ThreadsafeFunctionHandle, UnknownReturnValue,
};
use napi::{Env, Result, Status, sys};

use crate::failure::{Failure, Outcome};
use crate::sync::Lock;
use crate::values::Outcomes;

/// The arguments of the callback: error, ticket, outcomes. The first is null if the group was done, the last if all of it was
/// written.
pub(crate) type Settle = FnArgs<(Option<Failure>, f64, Option<Outcomes>)>;

pub(crate) type SettleFunction<'env> = Function<'env, Settle, UnknownReturnValue>;

/// What became of a group.
pub(crate) struct Settled {
    pub(crate) ticket: u64,
    pub(crate) outcome: Outcome<Outcomes>,
}

/// Calls the callback of a handle, on its thread.
pub(crate) struct Settler {
    shared: Arc<Shared>,
    wake: ThreadsafeFunction<(), (), (), Status, false, true>,
}

struct Shared {
    settled: Lock<Vec<Settled>>,
    /// Tickets that were given out and not reported. Changed on the thread of the environment only.
    open: AtomicUsize,
    wake: OnceLock<Weak<ThreadsafeFunctionHandle>>,
}

impl Settler {
    pub(crate) fn new(env: &Env, settle: &SettleFunction<'_>) -> Result<Self> {
        let shared = Arc::new(Shared { settled: Lock::default(), open: AtomicUsize::new(0), wake: OnceLock::new() });
        let settle = settle.create_ref()?;
        let reported = Arc::clone(&shared);
        let report = env.create_function_from_closure("settle", move |call: FunctionCallContext<'_>| {
            reported.report(call.env, &settle.borrow_back(call.env)?)
        })?;
        // Weak: an open database does nothing by itself, so it is no reason for the process to go on.
        let wake = report.build_threadsafe_function().callee_handled::<false>().weak::<true>().build()?;
        let _first = shared.wake.set(Arc::downgrade(&wake.handle));
        Ok(Settler { shared, wake })
    }

    /// Says that a ticket is given out. Until it is reported the process stays alive.
    pub(crate) fn expect(&self, env: &Env) {
        if self.shared.open.fetch_add(1, Ordering::Relaxed) == 0 {
            keep_alive(&self.wake.handle, env, true);
        }
    }

    /// Reports tickets, later and on the thread of the environment: all that come together, with one call.
    pub(crate) fn report(&self, tickets: impl IntoIterator<Item = Settled>) {
        let mut settled = self.shared.settled.lock();
        let underway = !settled.is_empty();
        settled.extend(tickets);
        let is_first = !underway && !settled.is_empty();
        // The call takes longer than an event loop that is awake takes to look.
        drop(settled);
        if is_first {
            // It fails if the environment has ended, and then there is nobody to tell.
            let _told_or_gone = self.wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// Reports here and now what there is to report, on the thread of the environment.
    pub(crate) fn report_now(&self, env: &Env, settle: &SettleFunction<'_>) -> Result<()> {
        self.shared.report(env, settle)
    }
}

impl Shared {
    fn report(&self, env: &Env, settle: &SettleFunction<'_>) -> Result<()> {
        let settled = mem::take(&mut *self.settled.lock());
        if settled.is_empty() {
            return Ok(());
        }
        // Before JavaScript runs, which may get further tickets.
        if self.open.fetch_sub(settled.len(), Ordering::Relaxed) == settled.len()
            && let Some(wake) = self.wake.get().and_then(Weak::upgrade)
        {
            keep_alive(&wake, env, false);
        }
        let mut thrown = Ok(());
        for Settled { ticket, outcome } in settled {
            let (failure, outcomes) =
                outcome.map_or_else(|failure| (Some(failure), None), |done| (None, done.unless_written()));
            // One that throws must not cost the others their turn; what it threw is an uncaught exception.
            thrown = settle.call((failure, ticket as f64, outcomes).into()).map(drop).and(thrown);
        }
        thrown
    }
}

/// Whether this function keeps the event loop going.
fn keep_alive(wake: &ThreadsafeFunctionHandle, env: &Env, yes: bool) {
    wake.with_read_aborted(|aborted| {
        if aborted {
            return;
        }
        // SAFETY: this is the thread of the environment, and while the guard of `aborted` is held the function, which
        // is not aborted, is not finalized.
        let status = unsafe {
            if yes {
                sys::napi_ref_threadsafe_function(env.raw(), wake.get_raw())
            } else {
                sys::napi_unref_threadsafe_function(env.raw(), wake.get_raw())
            }
        };
        debug_assert_eq!(status, sys::Status::napi_ok);
    });
}
