//! How far long work has come, and the wish that it ends.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::{Code, Error, Result};

/// How far one long call has come, for whoever shares it with the thread that makes the call.
///
/// ```
/// use std::sync::Arc;
/// use cairndb::{Code, Database, Durability, Kind, Op, Options, Progress};
///
/// # let directory = tempfile::tempdir().unwrap();
/// let db = Database::open(directory.path(), Options::default())?;
/// db.commit(&[Op::put("users", b"u1", Kind::BYTES, b"Alice")], Durability::Os)?;
///
/// let progress = Arc::new(Progress::default());
/// let watched = Arc::clone(&progress);
/// std::thread::spawn(move || println!("{} of {} bytes", watched.done(), watched.total())).join().unwrap();
/// db.verify_with(&progress)?;
/// assert_eq!(progress.done(), progress.total());
///
/// progress.cancel();
/// assert_eq!(db.verify_with(&progress).unwrap_err().code(), Code::Cancelled);
/// # Ok::<(), cairndb::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
    /// Where the part ends that is being done.
    part: AtomicU64,
    cancelled: AtomicBool,
}

// Only the thread that does the work stores the counts, so that no update is lost between a load and a store.
impl Progress {
    /// Bytes that are done: never fewer than before, and [`Progress::total`] once the call has succeeded.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Bytes that there are to do; 0 until that is known.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Makes the call fail with [`Code::Cancelled`] soon, or the next one if there is none. It cannot be taken back.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Begins with nothing done of `total` bytes.
    pub(crate) fn begin(&self, total: u64) -> Result<()> {
        self.part.store(0, Ordering::Relaxed);
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
        self.check()
    }

    /// Ends the part before, and begins one that counts for as many bytes, however many it turns out to be.
    pub(crate) fn part(&self, bytes: u64) {
        let before = self.part.load(Ordering::Relaxed);
        self.done.store(before, Ordering::Relaxed);
        self.part.store(before.saturating_add(bytes).min(self.total()), Ordering::Relaxed);
    }

    /// Counts bytes that were done, and fails if no more are wanted.
    pub(crate) fn advance(&self, bytes: u64) -> Result<()> {
        let done = self.done().saturating_add(bytes).min(self.part.load(Ordering::Relaxed));
        self.done.store(done, Ordering::Relaxed);
        self.check()
    }

    /// Fails if no more is wanted.
    pub(crate) fn check(&self) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Error::new(Code::Cancelled, "it was cancelled, and what it had begun was removed"));
        }
        Ok(())
    }

    /// Says that all is done.
    pub(crate) fn end(&self) {
        self.done.store(self.total(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_counts_for_what_was_said_however_long_it_is() {
        let progress = Progress::default();
        progress.advance(5).unwrap();
        assert_eq!((progress.done(), progress.total()), (0, 0));
        progress.begin(100).unwrap();
        progress.part(60);
        progress.advance(7).unwrap();
        assert_eq!(progress.done(), 7);
        progress.advance(70).unwrap();
        assert_eq!(progress.done(), 60);
        progress.part(60);
        assert_eq!(progress.done(), 60);
        progress.advance(70).unwrap();
        assert_eq!((progress.done(), progress.total()), (100, 100));
        progress.begin(10).unwrap();
        progress.part(4);
        progress.part(4);
        assert_eq!(progress.done(), 4);
        progress.end();
        assert_eq!(progress.done(), 10);
    }

    #[test]
    fn what_was_cancelled_goes_no_further() {
        let progress = Progress::default();
        progress.begin(10).unwrap();
        progress.cancel();
        assert_eq!(progress.advance(1).unwrap_err().code(), Code::Cancelled);
        assert_eq!(progress.begin(10).unwrap_err().code(), Code::Cancelled);
    }
}
