//! How a database is opened.

use std::time::Duration;

use crate::error::{Code, Error, Result};

/// Settings of an open database. The defaults suit almost everybody.
///
/// ```
/// # use cairndb::Options;
/// # use std::time::Duration;
/// let careful = Options { reclaim_delay: Duration::from_secs(900), ..Options::default() };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What was acknowledged at level `Os` is on the disk no later than this. Default 1 s.
    pub sync_interval: Duration,
    /// What was acknowledged at level `Eventual` is handed to the operating system no later than this. Default 100 ms.
    pub flush_interval: Duration,
    /// Files that were replaced stay this long, since a disk may acknowledge a sync that it has not done. Default 10 s.
    pub reclaim_delay: Duration,
    /// How many generations of the database are kept, the present one included, however old. Default 1.
    pub keep_generations: u32,
    /// Memory for recent writes before they go to stones, in bytes; at least 64 KiB. Default 64 MiB.
    pub memtable_bytes: usize,
    /// Whether stones are mapped into memory. Without it they are read through a cache as large as
    /// [`memtable_bytes`](Options::memtable_bytes), but of 1 to 64 MiB, which is slower and does without mappings, as
    /// network file systems want it. Default true.
    pub mmap: bool,
    /// Whether other processes may use the directory at the same time, which then all have to open it in this way. Each
    /// sees at once what the others have committed. `Eventual` is `Os` then. Not for network file systems. Default false.
    pub shared: bool,
    /// Whether an existing database is only looked at: nothing in the directory is made, changed, locked or removed, so it
    /// may be on a read-only file system, and other processes may have it open and write. What is seen is one moment:
    /// all that had reached the operating system before the opening, and nothing later. What would write is refused with
    /// [`Code::ReadOnly`]. Default false.
    ///
    /// ```
    /// # use cairndb::{Code, Database, Durability, Kind, Op, Options};
    /// # let directory = tempfile::tempdir().unwrap();
    /// let writer = Database::open(directory.path(), Options::default())?;
    /// let put = Op::put("t", b"k", Kind::BYTES, b"v");
    /// writer.commit(&[put], Durability::Os)?;
    /// let view = Database::open(directory.path(), Options { read_only: true, ..Options::default() })?;
    /// assert_eq!(view.get("t", b"k")?.unwrap().value, b"v");
    /// assert_eq!(view.commit(&[put], Durability::Os).unwrap_err().code(), Code::ReadOnly);
    /// # Ok::<(), cairndb::Error>(())
    /// ```
    pub read_only: bool,
    /// Whether each commit gets a SHA-256 in the journal besides its XXH3, at once. What is finished, manifests and table
    /// files, has one always. Costs 35 bytes and the hashing for each commit. Default false.
    pub sha256: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            sync_interval: Duration::from_secs(1),
            flush_interval: Duration::from_millis(100),
            reclaim_delay: Duration::from_secs(10),
            keep_generations: 1,
            memtable_bytes: 64 << 20,
            mmap: true,
            shared: false,
            read_only: false,
            sha256: false,
        }
    }
}

impl Options {
    pub(crate) fn validate(&self) -> Result<()> {
        let refuse = |what: &str| Err(Error::new(Code::InvalidOptions, what));
        if self.keep_generations == 0 {
            return refuse("keep_generations is 0, but the present generation is always kept; use 1 or more");
        }
        if self.memtable_bytes < 64 << 10 {
            return refuse("memtable_bytes is below 64 KiB; use more");
        }
        if self.read_only && self.shared {
            return refuse("read_only is for one who looks on, shared for one who writes too; choose one");
        }
        Ok(())
    }
}
