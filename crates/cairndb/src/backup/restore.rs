//! Restoring: a new database from a backup, all of which is looked at before it counts.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::target::{LOCK, write_new};
use super::{BackupReport, Moment, first_damage};
use crate::env::{Env, ProcessLock, RealEnv};
use crate::error::{Code, Error, Result};
use crate::files::Files;
use crate::journal::{ReplayFrom, replay};
use crate::manifest::Manifest;
use crate::progress::Progress;
use crate::recover::{Replayed, check_stones, unusable};
use crate::stone::{Access, BlockCache};

/// Stones are read through a cache of this many bytes. They are not mapped: an unreadable block is to be an error, and
/// under a mapping it would end the process.
const CACHE: u64 = 16 << 20;

/// Writes what is in the backup in `source` to `target`, a directory that is missing or empty, as a new database. The
/// backup is only read, may be on a medium that cannot be written to, and may have been opened since it was made.
///
/// ```
/// use cairndb::{Database, Options};
///
/// # let parent = tempfile::tempdir().unwrap();
/// # let [data, backup, restored] = ["data", "backup", "restored"].map(|name| parent.path().join(name));
/// let db = Database::open(&data, Options::default())?;
/// db.backup(&backup)?;
///
/// assert_eq!(cairndb::restore(&backup, &restored)?.tables, 0);
/// # Ok::<(), cairndb::Error>(())
/// ```
///
/// # Errors
/// [`Code::Directory`] if there is no backup in `source`, or one that was interrupted, or if `target` is not empty or is in
/// the source; `Corrupt` if anything in the backup is damaged: [`repair`](crate::repair) keeps the rest of it; `Locked`
/// while somebody has it open for himself; `Format` if a newer version wrote it; `Full` and `Io` if the target cannot be written. What
/// it had written is removed then.
pub fn restore(source: impl AsRef<Path>, target: impl AsRef<Path>) -> Result<BackupReport> {
    restore_with(Arc::new(RealEnv::new()), source, target, &Progress::default())
}

/// As [`restore`], with files and a clock of another kind, and for somebody who watches.
///
/// # Errors
/// Also `Cancelled`.
pub fn restore_with(
    env: Arc<dyn Env>,
    source: impl AsRef<Path>,
    target: impl AsRef<Path>,
    progress: &Progress,
) -> Result<BackupReport> {
    let (source, target) = (source.as_ref(), target.as_ref());
    let _lock = hold(&*env, source)?;
    let moment = read(&env, source, progress)?;
    let stones: u64 = moment.stones().map(|stone| stone.info().size).sum();
    progress.begin(stones + moment.work())?;
    write_new(&env, source, target, progress, |target| {
        for stone in moment.stones() {
            progress.part(stone.info().size);
            first_damage(stone, progress)?.map_or(Ok(()), Err)?;
        }
        moment.write(target)
    })
}

/// Why a file cannot be locked by whoever may only read it.
const CANNOT_LOCK: [io::ErrorKind; 3] =
    [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem, io::ErrorKind::Unsupported];

/// Sees to it that nobody opens a directory for himself. Makes no file: where there is none to lock nobody has ever opened
/// it, and where it cannot be locked nothing can be written.
fn hold(env: &dyn Env, directory: &Path) -> Result<Option<Arc<dyn ProcessLock>>> {
    let names = env.list(directory).map_err(|error| {
        Error::new(Code::Directory, format!("there is no backup to read ({error}); name its directory"))
            .about(directory)
    })?;
    if !names.iter().any(|name| name == LOCK) {
        return Ok(None);
    }
    let lock = match env.process_lock(&directory.join(LOCK)) {
        Err(error) if CANNOT_LOCK.contains(&error.kind()) => return Ok(None),
        lock => lock.map_err(|error| unusable(directory, &error))?,
    };
    if !lock.try_shared().map_err(|error| unusable(directory, &error))? {
        let what = "the backup is in use as a database; close it there first";
        return Err(Error::new(Code::Locked, what).about(directory));
    }
    Ok(Some(lock))
}

/// What the newest generation and the journal say. Nothing is stepped back to: in a backup there is no reason for it but
/// damage.
fn read(env: &Arc<dyn Env>, directory: &Path, progress: &Progress) -> Result<Moment> {
    let files = Files::list(&**env, directory)?;
    files.check_finished(directory)?;
    let Some(newest) = files.generations.last() else {
        if files.segments.is_empty() && files.stones.is_empty() {
            return Err(Error::new(Code::Directory, "there is no backup; name its directory").about(directory));
        }
        return Err(Error::corrupt(directory, 0, "the manifest is missing; take another backup, or repair this one"));
    };
    let manifest = Manifest::load(&**env, directory, *newest)?;
    check_stones(&**env, directory, &manifest)?;
    let access = Access::Cached(Arc::new(BlockCache::new(CACHE)?));
    let mut state = Replayed::new(env, directory, &manifest, &access);
    let Manifest { database, first_segment: first, durable, .. } = manifest;
    replay(&**env, directory, &files.segments, ReplayFrom { database, first, durable }, |frame| {
        progress.check()?;
        state.sequence += 1;
        state.apply(&frame)
    })?;
    Ok(Moment::of(&state.catalog.load(), state.sequence))
}
