//! Group commit: one sync serves all who wait for one.
//!
//! Whoever finds nobody syncing leads: it syncs without holding the lock, so that others append meanwhile and wait
//! for the next round. When it is done it wakes those whose bytes are on the disk now, and one of the others, who leads
//! next: to wake all of them would wake most of them twice.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::env::{Env, File};
use crate::error::{Code, Error, Result};
use crate::sync::{AtomicU64, Condvar, Mutex};

/// An open segment. Shared by who appends to it and who syncs it.
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    pub(crate) file: Box<dyn File>,
    /// The position in the journal (all bytes since it was opened) of the segment's first byte.
    pub(crate) start: u64,
    /// How many bytes of the file are known to be on the disk, its entry in the directory included.
    pub(crate) durable: AtomicU64,
}

/// How far the journal has come, as a count of bytes since it was opened.
///
/// What [`Database::append`](crate::Database::append) gives out and [`Database::sync`](crate::Database::sync) takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub(crate) u64);

/// Brings what was written to the disk.
pub(crate) struct Syncer {
    env: Arc<dyn Env>,
    directory: PathBuf,
    state: Mutex<State>,
    /// Where one waits for the end of a round: by turns, since those of two rounds wait at a time.
    finished: [Condvar; 2],
    syncs: AtomicU64,
}

#[derive(Default)]
struct State {
    /// What the operating system was given.
    written: u64,
    /// What is on the disk.
    durable: u64,
    /// Somebody brings what was written before `target` to the disk. He ends the round of this number.
    leading: bool,
    round: usize,
    target: u64,
    /// The segments that may have bytes that are not on the disk, oldest first; the last one is being appended to.
    open: Vec<Arc<Segment>>,
    /// Once a sync fails the pages that it was to write may be gone, and a later sync can claim success for them.
    failed: Option<Error>,
}

impl Syncer {
    pub(crate) fn new(env: Arc<dyn Env>, directory: PathBuf) -> Self {
        Syncer { env, directory, state: Mutex::default(), finished: Default::default(), syncs: AtomicU64::new(0) }
    }

    /// Says that bytes up to `position` were handed to the operating system.
    pub(crate) fn wrote(&self, position: u64) {
        self.state.lock().written = position;
    }

    /// Whether the operating system has everything up to `ticket`.
    pub(crate) fn was_written(&self, ticket: Ticket) -> bool {
        self.state.lock().written >= ticket.0
    }

    /// Says that a segment was begun: its file is new, and so is its entry in the directory.
    pub(crate) fn began(&self, segment: Arc<Segment>) {
        self.state.lock().open.push(segment);
    }

    /// Takes [`Syncer::began`] back for a segment that could not be begun after all.
    pub(crate) fn retract(&self, segment: &Arc<Segment>) {
        self.state.lock().open.retain(|open| !Arc::ptr_eq(open, segment));
    }

    /// The error that stopped the journal, if one did.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.state.lock().failed.as_ref().map(|error| {
            Error::new(
                Code::Failed,
                format!("an earlier write failed, so nothing more is written ({error}); close and reopen the database"),
            )
        })
    }

    /// Stops the journal for good: what it says on disk is no longer certain.
    pub(crate) fn fail(&self, error: Error) {
        self.state.lock().failed.get_or_insert(error);
        self.finished.iter().for_each(Condvar::notify_all);
    }

    /// Lets the segments go. What was not synced by now never will be, and `error` says so to whoever waits for it.
    pub(crate) fn give_up(&self, error: Error) {
        self.state.lock().open.clear();
        self.fail(error);
    }

    /// How many syncs were done.
    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// Returns once everything that was written is on the disk.
    pub(crate) fn sync_all(&self) -> Result<()> {
        let written = self.state.lock().written;
        self.sync(Ticket(written))
    }

    /// Returns once everything up to `ticket` is on the disk.
    pub(crate) fn sync(&self, ticket: Ticket) -> Result<()> {
        let mut state = self.state.lock();
        loop {
            if state.durable >= ticket.0 {
                return Ok(());
            }
            if let Some(error) = &state.failed {
                return Err(error.clone());
            }
            if !state.leading {
                break;
            }
            let round = state.round + usize::from(ticket.0 > state.target);
            state = self.end_of(round).wait(state);
        }
        state.leading = true;
        let target = state.written;
        state.round += 1;
        state.target = target;
        let segments = state.open.clone();
        drop(state);

        let outcome = self.sync_segments(&segments, target);
        self.syncs.fetch_add(1, Ordering::Relaxed);

        let mut state = self.state.lock();
        state.leading = false;
        match &outcome {
            Ok(()) => {
                state.durable = target;
                let last = segments.last().map_or(0, |segment| segment.number);
                state.open.retain(|segment| segment.number >= last);
            }
            Err(error) => {
                state.failed.get_or_insert(error.clone());
            }
        }
        let round = state.round;
        drop(state);
        self.end_of(round).notify_all();
        if outcome.is_ok() {
            self.end_of(round + 1).notify_one();
        } else {
            self.end_of(round + 1).notify_all();
        }
        outcome
    }

    fn end_of(&self, round: usize) -> &Condvar {
        let [even, odd] = &self.finished;
        if round.is_multiple_of(2) { even } else { odd }
    }

    /// Oldest first: a frame may claim that bytes of its own segment are on the disk, which has to mean that all
    /// earlier segments are.
    fn sync_segments(&self, segments: &[Arc<Segment>], target: u64) -> Result<()> {
        for (index, segment) in segments.iter().enumerate() {
            segment.file.sync().map_err(|error| Error::unsynced(&segment.path, "sync the journal", &error))?;
            let is_new = segment.durable.load(Ordering::Acquire) == 0;
            if is_new {
                self.env
                    .sync_dir(&self.directory)
                    .map_err(|error| Error::unsynced(&self.directory, "sync the directory", &error))?;
            }
            let end = segments.get(index + 1).map_or(target, |next| next.start);
            segment.durable.store(end.saturating_sub(segment.start), Ordering::Release);
        }
        Ok(())
    }
}
