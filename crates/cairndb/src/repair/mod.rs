//! Repair: a new database of all that can be proved good in a damaged one.
//!
//! Nothing is mended in place. The source is only read, and what is sound in it is written to a directory of its own: a
//! stone for each table, and a manifest, last. So a repair that fails, or that somebody does not like, costs nothing.
//!
//! - **Which generation.** The newest one of which nothing is lost, if there is one; else the newest whose manifest is
//!   whole. Without any manifest all stones count, of each key the record that was written last by its time; deleted
//!   records may be back then, and tables whose names nothing tells are called `recovered-` and their number.
//! - **Stones.** Each record whose checksum is right counts; see [`salvage`](crate::stone::Salvage).
//! - **The journal.** If recovery takes it as it is, so does repair. Else each frame that is sound in its place counts,
//!   also behind a break: its digest is bound to the database, the segment and the offset, so it was written there.
//!   What cannot be proved is that nothing was lost before it but what the report names.
//! - **Versions of a record.** Where the newest one is lost an older one is kept if it is there. So a record in a range
//!   that the report names may be older than it was, or deleted.
//! - **Dictionaries.** A record whose keys were mapped by a revision that is lost cannot be read, and is dropped.

mod source;
mod target;

use std::path::Path;
use std::sync::Arc;

use crate::backup::write_new;
use crate::env::{Env, RealEnv};
use crate::error::{Code, Error, Result};
use crate::files::Files;
use crate::progress::Progress;
use crate::recover::take_lock;
use crate::verify::Damage;

/// What [`repair`] kept, and what it had to drop.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RepairReport {
    /// The generation that the new database was made of; `None` if no manifest was whole.
    pub generation: Option<u64>,
    /// Tables in the new database.
    pub tables: u64,
    /// Records in the new database.
    pub records: u64,
    /// What was damaged, and which records are lost by it; empty if nothing was.
    pub damage: Vec<Damage>,
}

/// Writes a new database to `target` of all that can be proved good in the directory `source`, which stays as it is (but
/// for the lock that is taken, and its file). `target` must be missing or empty.
///
/// ```
/// use cairndb::{Database, Durability, Kind, Op, Options};
///
/// # let parent = tempfile::tempdir().unwrap();
/// # let (damaged, repaired) = (parent.path().join("damaged"), parent.path().join("repaired"));
/// let db = Database::open(&damaged, Options::default())?;
/// db.commit(&[Op::put("users", b"u1", Kind::BYTES, b"Alice")], Durability::Full)?;
/// db.close()?;
///
/// let report = cairndb::repair(&damaged, &repaired)?;
/// assert_eq!((report.records, report.damage.len()), (1, 0));
/// assert!(Database::open(&repaired, Options::default())?.get("users", b"u1")?.is_some());
/// # Ok::<(), cairndb::Error>(())
/// ```
///
/// # Errors
/// [`Code::Directory`] if there is no database in `source`, or if `target` is not empty; `Locked` while the source is in
/// use; `Format` if a newer version wrote it; `Full` and `Io` if the target cannot be written. Damage is no error.
pub fn repair(source: impl AsRef<Path>, target: impl AsRef<Path>) -> Result<RepairReport> {
    repair_with(Arc::new(RealEnv::new()), source, target, &Progress::default())
}

/// As [`repair`], with files and a clock of another kind, and for somebody who watches.
///
/// # Errors
/// Also `Cancelled`.
pub fn repair_with(
    env: Arc<dyn Env>,
    source: impl AsRef<Path>,
    target: impl AsRef<Path>,
    progress: &Progress,
) -> Result<RepairReport> {
    let (source, target) = (source.as_ref(), target.as_ref());
    let files = Files::list(&*env, source)?;
    files.check_finished(source)?;
    if files.segments.is_empty() && files.stones.is_empty() && files.generations.is_empty() {
        return Err(Error::new(Code::Directory, "there is no database to repair; name its directory").about(source));
    }
    let bytes = files.bytes(&*env, source);
    // All is read, written, and read back.
    progress.begin(3 * bytes)?;
    let _lock = take_lock(&*env, source)?;
    let mut report = RepairReport::default();
    let written = write_new(&env, source, target, progress, |target| {
        progress.part(bytes);
        let rescued = source::read(&env, source, &files, progress, &mut report)?;
        progress.part(2 * bytes);
        target::write(target, rescued, &mut report)
    })?;
    Ok(RepairReport { tables: written.tables, records: written.records, ..report })
}
