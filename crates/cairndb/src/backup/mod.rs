//! Backups: a copy of a database as it was at one moment, made while it is being read and written.
//!
//! A backup is a database of its own: each table in one stone, and a manifest. Nothing is frozen or locked for it. It holds
//! the stacks of all tables as a snapshot does, so that it sees the commits before its moment and none behind.
//!
//! - **Checked.** Each record is compared with its checksum when it is read, and each stone is read back when it is written.
//! - **All or nothing.** The manifest comes last, when all else is on the disk ([`target`]); the directory is marked until
//!   then. So one that was interrupted is no database, and says what it is.

mod restore;
mod target;

use std::path::Path;
use std::sync::Arc;

pub use restore::{restore, restore_with};
pub(crate) use target::{Definitions, Target, UNFINISHED, write_new};

use crate::catalog::Catalog;
use crate::database::Database;
use crate::error::{Error, Result};
use crate::inner::{Inner, Shared};
use crate::progress::Progress;
use crate::range::Bounds;
use crate::runs::Merged;
use crate::sample::Sample;
use crate::stone::Stone;
use crate::table::Levels;

/// What a backup or a restore has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupReport {
    /// Tables, also those that are empty.
    pub tables: u64,
    /// Records, also those that have expired and were not removed yet.
    pub records: u64,
    /// Bytes of files.
    pub bytes: u64,
}

impl Database {
    /// Writes a copy of the database as it is now to `target`, a directory that is missing or empty. Reads and writes go
    /// on meanwhile, here and in other processes, and are not waited for. What is written is read back, and all of it is
    /// on the disk when this returns. The copy is a database of its own: open it, or [`restore`] it.
    ///
    /// Values, versions, times, expirations, dictionaries and shapes are what they are here.
    ///
    /// ```
    /// use cairndb::{Database, Durability, Kind, Op, Options};
    ///
    /// # let parent = tempfile::tempdir().unwrap();
    /// # let [data, backup, restored] = ["data", "backup", "restored"].map(|name| parent.path().join(name));
    /// let db = Database::open(&data, Options::default())?;
    /// db.commit(&[Op::put("users", b"u1", Kind::BYTES, b"Alice")], Durability::Full)?;
    /// assert_eq!(db.backup(&backup)?.records, 1);
    ///
    /// cairndb::restore(&backup, &restored)?;
    /// assert!(Database::open(&restored, Options::default())?.get("users", b"u1")?.is_some());
    /// # Ok::<(), cairndb::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Code::Directory`](crate::Code::Directory) if `target` is not empty, or in this database's directory; `Locked` if
    /// somebody else uses it; `Corrupt` if a record fails its checksum, or if what was written reads back as something
    /// else; `Full` and `Io` if the target cannot be written. What it had written is removed then.
    pub fn backup(&self, target: impl AsRef<Path>) -> Result<BackupReport> {
        self.backup_with(target, &Progress::default())
    }

    /// As [`Database::backup`], for somebody who watches.
    ///
    /// # Errors
    /// Also `Cancelled`.
    pub fn backup_with(&self, target: impl AsRef<Path>, progress: &Progress) -> Result<BackupReport> {
        let inner = &self.0;
        let moment = Moment { database: Some(Arc::clone(inner)), ..inner.moment()? };
        progress.begin(moment.work())?;
        write_new(&inner.env, &inner.directory, target.as_ref(), progress, |target| moment.write(target))
    }
}

/// A database at one moment.
struct Moment {
    tables: Vec<(String, Arc<Levels>)>,
    /// Later commits are not part of it.
    sequence: u64,
    definitions: Definitions,
    /// The open database that it is of.
    database: Option<Arc<Shared>>,
}

impl Inner {
    fn moment(&self) -> Result<Moment> {
        self.up_to_date(|| {
            let moment = {
                // Nobody commits meanwhile, so that the stacks of all tables are of one moment.
                let core = self.core.lock();
                Moment::of(&self.catalog.load(), core.sequence)
            };
            self.check_open()?;
            if self.sharing.is_some() {
                // Another process does not know what is read here, and removes what it has replaced: an open file stays.
                moment.stones().try_for_each(|stone| stone.touch())?;
            }
            Ok(moment)
        })
    }
}

impl Moment {
    fn of(catalog: &Catalog, sequence: u64) -> Self {
        let tables = catalog.tables().into_iter().map(|table| (table.name.clone(), table.levels.load_full())).collect();
        let definitions = Definitions { dictionaries: catalog.dictionaries.to_vec(), shapes: catalog.shapes.to_vec() };
        Moment { tables, sequence, definitions, database: None }
    }

    fn stones(&self) -> impl Iterator<Item = &Arc<Stone>> {
        self.tables.iter().flat_map(|(_, levels)| &levels.stones).map(|layer| &layer.stone)
    }

    /// Bytes that are read, and as many that are read back.
    fn work(&self) -> u64 {
        self.tables.iter().map(|(_, levels)| work_of(levels)).sum()
    }

    /// Writes each table, as the newest record of each key.
    fn write(self, target: &mut Target<'_>) -> Result<Definitions> {
        let progress = target.progress;
        for (name, levels) in self.tables {
            progress.part(work_of(&levels));
            let runs = levels.runs(&Bounds::all(), self.sequence, false, None)?;
            let mut table = target.table(&name, Sample::of(&runs)?);
            let mut rows = Merged::new(runs, false)?;
            rows.visit_all(|record| {
                if let Some(inner) = &self.database {
                    // Once a database is closed its files are those of whoever opens it next.
                    inner.check_open()?;
                }
                progress.advance(record.len())?;
                if record.meta.tombstone { Ok(()) } else { table.add(*record) }
            })?;
            table.finish()?;
        }
        Ok(self.definitions)
    }
}

fn work_of(levels: &Levels) -> u64 {
    let stones = levels.stones.iter().map(|layer| layer.stone.info().size).sum::<u64>();
    2 * (levels.memory() as u64 + stones)
}

/// The first thing that is wrong with a stone, all of which is read.
fn first_damage(stone: &Stone, progress: &Progress) -> Result<Option<Error>> {
    let mut first = None;
    stone.verify(progress, &mut |damage| {
        first.get_or_insert(damage.error);
    })?;
    Ok(first)
}
