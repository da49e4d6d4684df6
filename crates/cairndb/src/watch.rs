//! What is committed, as it is committed, by whichever process: the journal, read on and on.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use foldhash::fast::RandomState;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::batch::DictionaryId;
use crate::catalog::Catalog;
use crate::env::{Env, RealEnv};
use crate::error::{Code, Error, Result};
use crate::files::Files;
use crate::journal::{Item, ReplayedFrame, Tail, segment_path};
use crate::manifest::Manifest;
use crate::packed::Value;
use crate::read::{Bytes, Record};
use crate::record::Entry;
use crate::slice::{Key, Slice};
use crate::table::Table;
use crate::view::with_newest;

/// So many bytes of the journal are read for one call, and the rest of the last commit.
const MOST: usize = 1 << 20;

/// Something that was committed.
#[derive(Debug)]
pub enum Change {
    /// A record was written.
    Put {
        /// The table.
        table: String,
        /// The key.
        key: Bytes,
        /// What was written. It may have expired since.
        record: Record,
    },
    /// A record was deleted, or removed since it had expired.
    Delete {
        /// The table.
        table: String,
        /// The key.
        key: Bytes,
        /// When, in milliseconds since the epoch.
        timestamp: u64,
    },
    /// A table was dropped with all that was in it.
    DropTable {
        /// The table.
        table: String,
    },
}

/// Follows what any process commits to a database from the opening of the watch on. It takes no lock and changes nothing,
/// and does not wait: whoever wants to know asks again now and then.
///
/// ```
/// use cairndb::{Change, Database, Durability, Kind, Op, Options, Watch};
///
/// # let directory = tempfile::tempdir().unwrap();
/// let db = Database::open(directory.path(), Options::default())?;
/// let mut watch = Watch::open(directory.path())?;
/// assert!(watch.next_changes()?.is_empty());
/// db.commit(&[Op::put("users", b"u1", Kind::JSON, br#"{"name":"Alice"}"#)], Durability::Os)?;
/// match &watch.next_changes()?[..] {
///     [Change::Put { table, key, record }] => {
///         assert_eq!((&table[..], &key[..], record.version), ("users", &b"u1"[..], 1));
///     }
///     changes => panic!("{changes:?}"),
/// }
/// # Ok::<(), cairndb::Error>(())
/// ```
pub struct Watch {
    env: Arc<dyn Env>,
    tail: Tail,
    follower: Follower,
    /// The newest manifest that was looked at, and the first segment that it needs.
    needed: (u64, u64),
}

impl Watch {
    /// Begins to follow the database in a directory.
    ///
    /// # Errors
    /// [`Code::Directory`] if there is none; `Corrupt`, `Format` or `Behind` as [`Database::open`](crate::Database::open).
    pub fn open(directory: impl AsRef<Path>) -> Result<Self> {
        Watch::open_with(Arc::new(RealEnv::new()), directory)
    }

    /// As [`Watch::open`], with files of another kind.
    pub fn open_with(env: Arc<dyn Env>, directory: impl AsRef<Path>) -> Result<Self> {
        let directory = directory.as_ref();
        with_newest(&*env, directory, |newest| {
            let manifest = &newest.manifest;
            let mut follower = Follower::new(directory, manifest);
            let tail = newest.read_journal(&env, directory, &mut |frame| follower.take(frame, None))?;
            let needed = (manifest.generation, manifest.first_segment);
            Ok(Watch { env: Arc::clone(&env), tail, follower, needed })
        })
    }

    /// What was committed since the last call, in the order of the commits; nothing if that is nothing. A commit is given as
    /// a whole, with the changes in their order. If there is very much it is a part, and the next call gives more.
    ///
    /// A commit is given once it has reached the operating system. One whose process is killed before it was acknowledged
    /// may be given too.
    ///
    /// # Errors
    /// [`Code::Behind`] if the journal was removed before it was read, as it is some time after it was flushed (see
    /// [`Options::reclaim_delay`](crate::Options)), or if a commit that was given was undone. `Corrupt` if what is there
    /// cannot be read. Then this watch does not go on; read the database, and open another.
    pub fn next_changes(&mut self) -> Result<Vec<Change>> {
        let (mut changes, before) = (Vec::new(), self.tail.end());
        let read = self.tail.read(MOST, &mut |frame| {
            let whole = changes.len();
            self.follower.take(frame, Some(&mut changes)).inspect_err(|_| changes.truncate(whole))
        });
        if self.tail.end().number != before.number {
            // If that cannot be read now, the next segment gives another occasion.
            let first = self.first_needed().unwrap_or(self.needed.1);
            self.follower.seen.forget_before(first);
        }
        match read {
            // What came before is told first; the next call meets it again.
            Err(_) if !changes.is_empty() => Ok(changes),
            Err(error) => Err(error),
            Ok(()) if self.tail.end() != before => Ok(changes),
            Ok(()) if self.is_behind()? => Err(self.behind()),
            Ok(()) => self.tail.refuse_damage().map(|()| changes),
        }
    }

    /// The structured data of a record: see [`Database::unpack`](crate::Database::unpack).
    ///
    /// # Errors
    /// `Corrupt` if the bytes are not what their kind says.
    pub fn unpack(&self, record: &Record) -> Result<Value> {
        self.follower.catalog.unpack(record, &self.follower.directory)
    }

    /// The keys of the shapes from number `first` on.
    #[must_use]
    pub fn shapes(&self, first: u32) -> Vec<Vec<String>> {
        self.follower.catalog.shapes_from(first)
    }

    /// The pairs of long and short names of a dictionary.
    #[must_use]
    pub fn dictionary(&self, id: DictionaryId) -> Option<Vec<(String, String)>> {
        self.follower.catalog.dictionaries.get(id.0 as usize).map(|dictionary| dictionary.pairs())
    }

    /// Whether the segment that comes next has been removed. Segments are removed in order, so it has not as long as the one
    /// is there that was read last.
    fn is_behind(&mut self) -> Result<bool> {
        let end = self.tail.end();
        let path = segment_path(&self.follower.directory, end.number);
        match self.env.file_len(&path) {
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(&path, "look at the journal", &error)),
        }
        let files = Files::list(&*self.env, &self.follower.directory)?;
        let next = end.number + 1;
        let later = files.segments.iter().any(|number| *number > next);
        Ok(!files.segments.contains(&next) && (later || self.first_needed()? > next))
    }

    /// The first segment that the newest generation needs, as far as that can be read now.
    fn first_needed(&mut self) -> Result<u64> {
        let directory = &self.follower.directory;
        let newest = Files::list(&*self.env, directory)?.generations.last().copied();
        if let Some(newest) = newest.filter(|newest| *newest != self.needed.0) {
            match Manifest::load(&*self.env, directory, newest) {
                Ok(manifest) => self.needed = (newest, manifest.first_segment),
                // It may have been replaced just now, and the next call sees the one that did.
                Err(error) if matches!(error.code(), Code::Io | Code::Corrupt) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.needed.1)
    }

    fn behind(&self) -> Error {
        let what = "the journal was flushed and removed before this watch had read it; read the database, and watch anew, \
                    more often or with a longer reclaim delay";
        Error::new(Code::Behind, what).about(&self.follower.directory)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("directory", &self.follower.directory).finish_non_exhaustive()
    }
}

/// What has to be known to understand the next frame.
struct Follower {
    directory: PathBuf,
    /// The names alone: its tables have no stacks.
    catalog: Catalog,
    seen: Seen,
}

impl Follower {
    fn new(directory: &Path, manifest: &Manifest) -> Self {
        let named = |entry: &crate::manifest::TableEntry| {
            Arc::new(Table::new(entry.id, &entry.name, Default::default(), Vec::new()))
        };
        let catalog = Catalog::new(manifest.tables.iter().map(named), &manifest.dictionaries, &manifest.shapes);
        Follower { directory: directory.to_path_buf(), catalog, seen: Seen::default() }
    }

    /// Learns from a frame, and adds what it has changed.
    fn take(&mut self, frame: &ReplayedFrame<'_>, changes: Option<&mut Vec<Change>>) -> Result<()> {
        let mut wanted = changes.map(|changes| (changes, frame.shared()));
        frame.items(|item| {
            let change = match item {
                Item::Record { table, entry } if self.seen.is_new(frame.segment, table, &entry) => {
                    let change = wanted.as_ref().map(|(_, shared)| self.change(frame, shared, table, &entry));
                    change.transpose()?
                }
                Item::Record { .. } => None,
                definition => {
                    let dropped = self.catalog.define(frame, definition)?;
                    dropped.map(|table| Change::DropTable { table: table.name.clone() })
                }
            };
            if let Some((changes, _)) = &mut wanted {
                changes.extend(change);
            }
            Ok(())
        })
    }

    fn change(&self, frame: &ReplayedFrame<'_>, shared: &Arc<[u8]>, table: u32, entry: &Entry<'_>) -> Result<Change> {
        let table = self.catalog.table_by_id(table);
        let table = table.ok_or_else(|| frame.unreadable("writes to a table that was never defined"))?.name.clone();
        let key = Bytes::key(Key::new(shared, frame.place_of(entry.key)));
        if entry.meta.tombstone {
            return Ok(Change::Delete { table, key, timestamp: entry.meta.time });
        }
        let stored = Bytes::value(Slice::new(shared, frame.place_of(entry.value)));
        let dictionary = |revision: u32| self.catalog.dictionaries.get(revision as usize).cloned();
        Ok(Change::Put { table, key, record: Record::of(entry.meta, stored, &self.directory, dictionary)? })
    }
}

/// The last record of each key that stands in the journal, as far as it is needed: a flush repeats those of small tables
/// behind its cut (see `checkpoint.rs`), and a repetition is no change.
#[derive(Default)]
struct Seen {
    /// By the digest of table and key: the digest of the record, and the segment in which it stood last.
    records: HashMap<u64, (u64, u64), RandomState>,
    scratch: Vec<u8>,
}

impl Seen {
    fn is_new(&mut self, segment: u64, table: u32, entry: &Entry<'_>) -> bool {
        self.scratch.clear();
        self.scratch.extend_from_slice(&table.to_le_bytes());
        self.scratch.extend_from_slice(entry.key);
        let key = xxh3_64(&self.scratch);
        self.scratch.clear();
        Entry { value: &[], ..*entry }.encode(0, &mut self.scratch);
        let record = xxh3_64_with_seed(entry.value, xxh3_64(&self.scratch));
        let before = self.records.insert(key, (record, segment));
        before.is_none_or(|(before, _)| before != record)
    }

    /// What stands in earlier segments alone is in the stones, and not repeated any more.
    fn forget_before(&mut self, first: u64) {
        self.records.retain(|_, (_, segment)| *segment >= first);
    }
}
