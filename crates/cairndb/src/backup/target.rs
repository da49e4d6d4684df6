//! Writing a new database to a directory of its own: for backups, restores and repairs.
//!
//! The order is what makes it whole or nothing: a mark that says that it is unfinished; a stone for each table, synced and
//! read back; the names of the stones on the disk; the manifest. Without a manifest a directory is no database.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::{BackupReport, first_damage};
use crate::dictionary::Dictionary;
use crate::env::{Env, Mode};
use crate::error::{Code, Error, Result};
use crate::files::Files;
use crate::manifest::{Manifest, StoneEntry, TableEntry, manifest_path};
use crate::merge::stone_path;
use crate::packed::Shape;
use crate::progress::Progress;
use crate::reclaim::remove_if_there;
use crate::record::Entry;
use crate::recover::{take_lock, unusable};
use crate::sample::Sample;
use crate::stone::{Access, Stone, StoneInfo, StoneWriter};

/// The name of the empty file that is in a directory until the database in it is whole.
pub(crate) const UNFINISHED: &str = "unfinished";
/// The file that a directory is locked by.
pub(super) const LOCK: &str = "lock";
/// The number of the only generation.
const FIRST: u64 = 1;

/// What the values of a database need to be read.
pub(crate) struct Definitions {
    /// By revision.
    pub(crate) dictionaries: Vec<Arc<Dictionary>>,
    /// By number.
    pub(crate) shapes: Vec<Arc<Shape>>,
}

/// A new database that is being written.
pub(crate) struct Target<'a> {
    env: &'a Arc<dyn Env>,
    directory: &'a Path,
    pub(crate) progress: &'a Progress,
    tables: Vec<TableEntry>,
    /// The stones that were begun.
    stones: Vec<PathBuf>,
}

/// Writes to `directory`, which must be missing or empty and not in `source`, a new database of what `fill` gives. Unless
/// this succeeds it leaves the directory empty.
pub(crate) fn write_new(
    env: &Arc<dyn Env>,
    source: &Path,
    directory: &Path,
    progress: &Progress,
    fill: impl FnOnce(&mut Target<'_>) -> Result<Definitions>,
) -> Result<BackupReport> {
    if is_in(source, directory) {
        return Err(Error::new(Code::Directory, "the target is in the source; name another directory").about(directory));
    }
    let _lock = claim(&**env, directory)?;
    let mut target = Target { env, directory, progress, tables: Vec::new(), stones: Vec::new() };
    let written = target.mark().and_then(|()| fill(&mut target)).and_then(|definitions| target.finish(definitions));
    if written.is_err() {
        target.discard();
    }
    written
}

/// Whether a path leads into a directory, as far as the paths tell.
fn is_in(directory: &Path, path: &Path) -> bool {
    match (std::path::absolute(directory), std::path::absolute(path)) {
        (Ok(directory), Ok(path)) => path.starts_with(directory),
        _ => path.starts_with(directory),
    }
}

/// Takes a directory that nothing is in.
fn claim(env: &dyn Env, directory: &Path) -> Result<Box<dyn Send + Sync>> {
    env.create_dir(directory).map_err(|error| unusable(directory, &error))?;
    let is_empty = || -> Result<()> {
        Files::list(env, directory)?.check_finished(directory)?;
        let names = env.list(directory).map_err(|error| unusable(directory, &error))?;
        if names.iter().any(|name| name != LOCK) {
            return Err(Error::new(Code::Directory, "the target is not empty; name a new directory").about(directory));
        }
        Ok(())
    };
    is_empty()?;
    let lock = take_lock(env, directory)?;
    // Somebody else may have been writing until now.
    is_empty()?;
    Ok(lock)
}

impl<'a> Target<'a> {
    /// Says that what is in the directory is no database yet.
    fn mark(&self) -> Result<()> {
        let path = self.directory.join(UNFINISHED);
        let marked = self.env.open(&path, Mode::Create).and_then(|file| file.sync());
        marked.map_err(|error| Error::io(&path, "mark the directory as unfinished", &error))?;
        self.sync_names()
    }

    fn sync_names(&self) -> Result<()> {
        self.env.sync_dir(self.directory).map_err(|error| Error::io(self.directory, "sync the directory", &error))
    }

    /// Reads a stone back: what a disk has made of it must not be found out when it is needed.
    fn read_back(&self, path: &Path, table: u32, info: &StoneInfo) -> Result<()> {
        let stone = Stone::new(Arc::clone(self.env), path.to_path_buf(), table, info.clone(), Access::Mapped);
        match first_damage(&stone, self.progress)? {
            Some(error) if error.code() == Code::Corrupt => {
                let what = "what was just written reads back as something else; the disk may be failing, use another";
                Err(Error::corrupt(path, error.offset().unwrap_or_default(), what))
            }
            other => other.map_or(Ok(()), Err),
        }
    }

    /// Begins a table of records like those of the sample. It has no stone until it has a record.
    pub(crate) fn table<'t>(&'t mut self, name: &str, sample: Sample) -> NewTable<'t, 'a> {
        let entry = TableEntry::new(self.tables.len() as u32 + 1, name);
        NewTable { target: self, entry, sample, writer: None }
    }

    /// Makes a database of the tables that were written.
    fn finish(&mut self, definitions: Definitions) -> Result<BackupReport> {
        self.progress.check()?;
        self.sync_names()?;
        let mut seed = self.directory.as_os_str().as_encoded_bytes().to_vec();
        seed.extend_from_slice(&self.env.now().to_le_bytes());
        seed.extend_from_slice(&self.env.monotonic().to_le_bytes());
        let manifest = Manifest {
            database: xxh3_64(&seed),
            generation: FIRST,
            time: self.env.now(),
            first_segment: 1,
            durable: (0, 0),
            next_stone: self.tables.len() as u64 + 1,
            next_table: self.tables.len() as u32 + 1,
            tables: std::mem::take(&mut self.tables),
            dictionaries: definitions.dictionaries,
            shapes: definitions.shapes,
        };
        let written = manifest.store(&**self.env, self.directory)?;
        // Beside a manifest the mark says nothing, and opening removes it.
        let unmarked = remove_if_there(&**self.env, &self.directory.join(UNFINISHED));
        let _left_for_the_next_open = unmarked.and_then(|()| self.sync_names());
        self.progress.end();
        Ok(BackupReport {
            tables: manifest.tables.len() as u64,
            records: manifest.tables.iter().map(|table| table.settled.records).sum(),
            bytes: written + manifest.stones().map(|stone| stone.info.size).sum::<u64>(),
        })
    }

    /// Removes what was written: the manifest first, since one that names missing files must not be found, and the mark
    /// behind the stones. What cannot be removed is marked as what it is.
    fn discard(&self) {
        let manifest = manifest_path(self.directory, FIRST);
        let mut paths = vec![manifest.with_extension("manifest.tmp"), manifest];
        paths.extend_from_slice(&self.stones);
        paths.extend([UNFINISHED, LOCK].map(|name| self.directory.join(name)));
        for path in paths {
            if remove_if_there(&**self.env, &path).is_err() {
                return;
            }
        }
        let _nobody_takes_it_for_a_database = self.env.sync_dir(self.directory);
    }
}

/// A table that is being written.
pub(crate) struct NewTable<'t, 'a> {
    target: &'t mut Target<'a>,
    entry: TableEntry,
    sample: Sample,
    writer: Option<StoneWriter>,
}

impl NewTable<'_, '_> {
    fn path(&self) -> PathBuf {
        stone_path(self.target.directory, u64::from(self.entry.id))
    }

    /// Appends a record, whose key must be greater than that of the one before.
    pub(crate) fn add(&mut self, record: Entry<'_>) -> Result<()> {
        if self.writer.is_none() {
            self.writer = Some(self.begin()?);
        }
        self.writer.as_mut().map_or(Ok(()), |writer| writer.add(record))?;
        self.entry.settled.records += 1;
        self.entry.settled.bytes += (record.key.len() + record.value.len()) as u64;
        self.entry.expires |= record.meta.expiration.is_some();
        Ok(())
    }

    fn begin(&mut self) -> Result<StoneWriter> {
        let path = self.path();
        self.target.stones.push(path.clone());
        self.sample.begin(&**self.target.env, &path, self.entry.id)
    }

    /// Ends the table, and reads back what was written of it.
    pub(crate) fn finish(mut self) -> Result<()> {
        if let Some(writer) = self.writer.take() {
            let info = writer.finish()?;
            self.target.read_back(&self.path(), self.entry.id, &info)?;
            self.entry.stones.push(StoneEntry { number: u64::from(self.entry.id), info });
        }
        self.target.tables.push(self.entry);
        Ok(())
    }
}
