//! What all parts of an open database share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::catalog::{Catalog, Names};
use crate::dictionary::Dictionary;
use crate::env::{Env, Lane};
use crate::error::{Code, Error, Result};
use crate::journal::{Syncer, Writer};
use crate::manifest::Manifest;
use crate::options::Options;
use crate::reclaim::Superseded;
use crate::sharing::Sharing;
use crate::stats::Counters;
use crate::stone::{Access, Stone};
use crate::sync::{AtomicBool, AtomicU64, AtomicUsize, Mutex};
use crate::table::Table;

/// What failed in the background, on a full disk say, or what somebody still reads is tried or looked at again after this
/// long.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// What only the holder of the commit lock touches.
pub(crate) struct Core {
    pub(crate) journal: Writer,
    /// The number of the last commit since the database was opened.
    pub(crate) sequence: u64,
    pub(crate) next_table: u32,
    /// Where the journal stood at the last checkpoint.
    pub(crate) checkpoint_position: u64,
}

/// What only the holder of the manifest lock touches.
pub(crate) struct Generations {
    pub(crate) current: Manifest,
    /// Earlier generations whose files are still there, oldest first.
    pub(crate) superseded: Vec<Superseded>,
    pub(crate) next_generation: u64,
}

/// An open database.
///
/// Locks are taken in this order: maintenance (`flushing`, then `merging`), `core`, `generations`, `catalog`.
pub(crate) struct Inner {
    pub(crate) env: Arc<dyn Env>,
    pub(crate) directory: PathBuf,
    pub(crate) options: Options,
    pub(crate) catalog: Names,
    /// The commit lock: journal and memtables change together under it.
    pub(crate) core: Mutex<Core>,
    pub(crate) syncer: Arc<Syncer>,
    /// Readers see all commits up to this one.
    pub(crate) visible: AtomicU64,
    /// Moves before and after readers see a change. Whoever caches what was read, and finds that this has not moved since
    /// before the reading, knows that the database holds the same.
    pub(crate) changes: Arc<std::sync::atomic::AtomicU64>,
    /// Bytes of all memtables; of those that are frozen.
    pub(crate) memory: AtomicUsize,
    pub(crate) frozen_memory: AtomicUsize,
    pub(crate) flushing: Mutex<()>,
    pub(crate) merging: Mutex<()>,
    pub(crate) generations: Mutex<Generations>,
    pub(crate) next_stone: AtomicU64,
    /// How stones are read.
    pub(crate) access: Access,
    /// The stones that somebody may be reading, by number.
    pub(crate) stones: Mutex<HashMap<u64, Weak<Stone>>>,
    pub(crate) scheduled: Scheduled,
    /// The last commit when somebody began to wait until nobody writes.
    pub(crate) last_seen: AtomicU64,
    pub(crate) counters: Counters,
    /// Why background work failed, by lane, until work of that lane succeeds.
    pub(crate) background_errors: Mutex<HashMap<Lane, Error>>,
    pub(crate) closed: AtomicBool,
    /// Tells a merge that runs to give up: closing does not wait for gigabytes.
    pub(crate) stop_merging: AtomicBool,
    /// Dropped last of all: then another process may open the directory.
    pub(crate) lock: Mutex<Option<Box<dyn Send + Sync>>>,
    /// Set if other processes use the directory at the same time.
    pub(crate) sharing: Option<Sharing>,
}

/// Which background jobs have been submitted and not begun.
#[derive(Default)]
pub(crate) struct Scheduled {
    pub(crate) write_out: AtomicBool,
    pub(crate) sync: AtomicBool,
    pub(crate) checkpoint: AtomicBool,
    pub(crate) merge: AtomicBool,
    pub(crate) idle_merge: AtomicBool,
    pub(crate) reclaim: AtomicBool,
    pub(crate) sweep: AtomicBool,
}

fn closed() -> Error {
    Error::new(Code::Closed, "the database is closed; open it again")
}

impl Inner {
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(closed());
        }
        Ok(())
    }

    /// Refuses what would change a database that was opened to be read only.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.options.read_only {
            let what = "the database was opened read-only; open it without that option to write";
            return Err(Error::new(Code::ReadOnly, what));
        }
        Ok(())
    }

    /// The table of a name, if there is one. Asks whether the database is open after the look: closing lets the tables go.
    pub(crate) fn table(&self, name: &str) -> Result<Option<Arc<Table>>> {
        let table = self.catalog.load().table(name).cloned();
        self.check_open()?;
        Ok(table)
    }

    /// All tables, in the order of their names; none once the database is closed.
    pub(crate) fn tables(&self) -> Vec<Arc<Table>> {
        self.catalog.load().tables()
    }

    pub(crate) fn dictionary(&self, revision: u32) -> Option<Arc<Dictionary>> {
        self.catalog.load().dictionaries.get(revision as usize).cloned()
    }

    /// Submits a job unless it is waiting already. The job does not keep the database alive.
    pub(crate) fn schedule(
        self: &Arc<Self>,
        waiting: fn(&Scheduled) -> &AtomicBool,
        lane: Lane,
        delay: Duration,
        job: fn(&Arc<Inner>),
    ) {
        if waiting(&self.scheduled).swap(true, Ordering::AcqRel) {
            return;
        }
        let inner = Arc::downgrade(self);
        self.env.submit(
            lane,
            delay,
            Box::new(move || {
                if let Some(inner) = inner.upgrade() {
                    waiting(&inner.scheduled).store(false, Ordering::Release);
                    inner.run(job);
                }
            }),
        );
    }

    /// Runs background work. A defect in it must neither end the thread, on which all later work waits, nor go unseen:
    /// since it may have left things half done, nothing more is written.
    fn run(self: &Arc<Self>, job: fn(&Arc<Inner>)) {
        if self.closed.load(Ordering::Acquire) {
            return;
        }
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job(self))).is_err() {
            self.syncer.fail(Error::new(Code::Internal, "background work met a defect of CairnDB; please report it"));
        }
    }

    /// Gives up the directory, once all work on files that is under way has ended. Whoever takes one of these locks
    /// later asks [`Inner::check_held`] first.
    pub(crate) fn release(&self) {
        self.stop_merging.store(true, Ordering::Release);
        let _maintenance = (self.flushing.lock(), self.merging.lock());
        self.core.lock().journal.give_up();
        self.syncer.give_up(closed());
        // Files that nobody reads are closed with their tables, so that the directory can be removed or unmounted while
        // handles are still there.
        self.catalog.edit(Catalog::clear_tables);
        let _generations = self.generations.lock();
        *self.lock.lock() = None;
    }

    /// Refuses to touch files that were given up while the caller waited for a lock: another process may have them.
    pub(crate) fn check_held(&self) -> Result<()> {
        if self.lock.lock().is_none() { Err(closed()) } else { Ok(()) }
    }

    /// Keeps the error of background work for whoever asks, or takes it back once such work has succeeded.
    pub(crate) fn note_background(&self, lane: Lane, outcome: Result<()>) {
        let mut errors = self.background_errors.lock();
        match outcome {
            Err(error) if error.code() != Code::Closed => drop(errors.insert(lane, error)),
            _ => drop(errors.remove(&lane)),
        }
    }

    /// What makes background work fail at present.
    pub(crate) fn background_error(&self) -> Option<Error> {
        let errors = self.background_errors.lock();
        [Lane::Flush, Lane::Merge, Lane::Sync].iter().find_map(|lane| errors.get(lane)).cloned()
    }

    /// Makes a stone known and gives the handle that everybody shares.
    pub(crate) fn adopt(&self, number: u64, stone: Stone) -> Arc<Stone> {
        let stone = Arc::new(stone);
        self.stones.lock().insert(number, Arc::downgrade(&stone));
        stone
    }
}

/// What handles and snapshots share. Background work holds `Inner` alone, so that it does not keep a database open.
pub(crate) struct Shared(pub(crate) Arc<Inner>);

impl std::ops::Deref for Shared {
    type Target = Arc<Inner>;

    fn deref(&self) -> &Arc<Inner> {
        &self.0
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        // Whoever lets the last handle go without closing still keeps what was acknowledged from memory. An error here
        // has nobody left to tell it to; what it means is what a crash at this moment means.
        let _lost_as_in_a_crash = self.core.lock().journal.write_out();
        self.release();
    }
}
