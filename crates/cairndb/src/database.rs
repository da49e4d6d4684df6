//! The public face of an open database.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::batch::{DictionaryId, Durability, Op, Outcome};
use crate::dictionary::Dictionary;
use crate::env::{Env, RealEnv};
use crate::error::Result;
use crate::inner::{Inner, Shared};
use crate::journal::Ticket;
use crate::options::Options;
use crate::packed::{self, MAX_SHAPES, Shape, Value};
use crate::progress::Progress;
use crate::range::Range;
use crate::read::{Record, Scan, Snapshot};
use crate::reclaim::Pruned;
use crate::stats::Stats;
use crate::verify::Report;

/// Below this much unflushed memory closing leaves the journal to the next open instead of writing stones, in bytes.
const SMALL: usize = 256 << 10;

/// An open database: a directory that this process alone uses, unless the [`Options`] say otherwise. Clones are handles on the same database.
///
/// ```
/// use cairndb::{Database, Durability, Kind, Op, Options, Outcome, Range};
///
/// # let directory = tempfile::tempdir().unwrap();
/// let db = Database::open(directory.path(), Options::default())?;
/// let outcomes = db.commit(
///     &[
///         Op::put("users", b"u1", Kind::JSON, br#"{"name":"Alice"}"#),
///         Op::put("users", b"u2", Kind::JSON, br#"{"name":"Bob"}"#).joined(),
///     ],
///     Durability::Full,
/// )?;
/// assert_eq!(outcomes, [Outcome::Written(1), Outcome::Written(1)]);
///
/// for user in db.scan("users", &Range::prefix(b"u"))? {
///     let (key, record) = user?;
///     println!("{key:?} is {:?}, version {}", record.value, record.version);
/// }
/// db.close()?;
/// # Ok::<(), cairndb::Error>(())
/// ```
#[derive(Clone)]
pub struct Database(pub(crate) Arc<Shared>);

impl Database {
    /// Opens the database in a directory, which is created if need be, and recovers what a crash left.
    ///
    /// # Errors
    /// [`Code::Locked`](crate::Code::Locked) while another process has it open, `Directory` if the directory cannot be
    /// used, `Corrupt` if something that had been on the disk is damaged, `Format` if a newer version wrote it. With
    /// [`Options::read_only`], `Directory` also if there is no database, and `Behind` if its files were replaced again and
    /// again while they were read.
    pub fn open(directory: impl AsRef<Path>, options: Options) -> Result<Self> {
        Database::open_with(Arc::new(RealEnv::new()), directory, options)
    }

    /// As [`Database::open`], with files, clock and background work of another kind.
    pub fn open_with(env: Arc<dyn Env>, directory: impl AsRef<Path>, options: Options) -> Result<Self> {
        crate::recover::open(env, directory.as_ref(), options).map(|inner| Database(Arc::new(Shared(inner))))
    }

    /// Does the operations in order and returns, when they are as durable as asked, what became of each. A batch (an
    /// operation and those [joined](Op::joined) to it) happens whole or not at all, and so does everything else that
    /// one call writes. The conditions of a batch are compared with what stands before the batch.
    ///
    /// # Errors
    /// If this fails nothing was written, except that after a failed sync (`Code::Io` at [`Durability::Full`]) the
    /// writes may or may not survive; then the database refuses writes (`Code::Failed`) until it is reopened.
    pub fn commit(&self, ops: &[Op<'_>], durability: Durability) -> Result<Vec<Outcome>> {
        let pause = self.pressure();
        if !pause.is_zero() {
            self.0.counters.paused(pause.as_nanos() as u64);
            self.0.env.pause(pause);
        }
        let (outcomes, ticket) = self.append(ops, durability)?;
        if durability == Durability::Full {
            self.sync(ticket)?;
        }
        Ok(outcomes)
    }

    /// The first half of [`Database::commit`], which never waits for the disk: [`Database::sync`] is the other.
    pub fn append(&self, ops: &[Op<'_>], durability: Durability) -> Result<(Vec<Outcome>, Ticket)> {
        self.0.append(ops, durability)
    }

    /// Returns once what was appended up to `ticket` is on the disk. Callers that wait at the same time share a sync.
    pub fn sync(&self, ticket: Ticket) -> Result<()> {
        if !self.0.syncer.was_written(ticket) {
            // What was acknowledged from memory, the operating system does not have yet.
            self.0.core.lock().journal.write_out()?;
        }
        self.0.sync(Some(ticket))
    }

    /// How long a writer should wait before its next write because flushing lags; [`Database::commit`] does so by
    /// itself.
    #[must_use]
    pub fn pressure(&self) -> Duration {
        self.0.pressure()
    }

    /// The record under `key`; `None` if there is none or it has expired.
    pub fn get(&self, table: &str, key: &[u8]) -> Result<Option<Record>> {
        self.0.get(table, key)
    }

    /// Whether [`Database::get`] would find a record.
    pub fn contains(&self, table: &str, key: &[u8]) -> Result<bool> {
        self.0.contains(table, key)
    }

    /// A table as it is now, undisturbed by later writes.
    pub fn snapshot(&self, table: &str) -> Result<Snapshot> {
        Snapshot::new(&self.0, table)
    }

    /// The records of a range, in the order of their keys' bytes, as they are now.
    pub fn scan(&self, table: &str, range: &Range<'_>) -> Result<Scan> {
        self.snapshot(table)?.scan(range)
    }

    /// The names of all tables, in order. A table is there from its first write until it is dropped.
    pub fn tables(&self) -> Result<Vec<String>> {
        self.0.follow()?;
        let names = self.0.tables().iter().map(|table| table.name.clone()).collect();
        self.0.check_open()?;
        Ok(names)
    }

    /// How many records a table has that have not expired. Does not scan it.
    pub fn len(&self, table: &str) -> Result<u64> {
        self.0.len(table)
    }

    /// How many records of a table expire before `moment`, in milliseconds since the epoch, as its lists of expirations
    /// say: those that have been written again or deleted since count until they are merged away. Does not scan it.
    ///
    /// ```
    /// # use cairndb::{Database, Durability, Kind, Op, Options};
    /// # let directory = tempfile::tempdir().unwrap();
    /// let db = Database::open(directory.path(), Options::default())?;
    /// let put = Op::put("sessions", b"s1", Kind::BYTES, b"v").expires_at(4e12);
    /// db.commit(&[put], Durability::Os)?;
    /// assert_eq!(db.expirations_before("sessions", 4e12)?, 0);
    /// assert_eq!(db.expirations_before("sessions", 5e12)?, 1);
    /// # Ok::<(), cairndb::Error>(())
    /// ```
    pub fn expirations_before(&self, table: &str, moment: f64) -> Result<u64> {
        self.0.expirations_before(table, moment)
    }

    /// Whether a table has no record that has not expired.
    pub fn is_empty(&self, table: &str) -> Result<bool> {
        Ok(self.len(table)? == 0)
    }

    /// Removes a table with all its records. Returns whether it was there.
    pub fn drop_table(&self, table: &str, durability: Durability) -> Result<bool> {
        let (was_there, ticket) = self.append_drop(table, durability)?;
        if durability == Durability::Full {
            self.sync(ticket)?;
        }
        Ok(was_there)
    }

    /// The first half of [`Database::drop_table`], which never waits for the disk: [`Database::sync`] is the other.
    pub fn append_drop(&self, table: &str, durability: Durability) -> Result<(bool, Ticket)> {
        self.0.drop_table(table, durability)
    }

    /// Removes the expired records of a table and returns how many there were. Does not scan the table.
    pub fn cleanup_expired(&self, table: &str) -> Result<u64> {
        self.0.check_writable()?;
        self.0.follow()?;
        let Some(found) = self.0.table(table)? else { return Ok(0) };
        self.0.sweep(&found)
    }

    /// Makes a key dictionary known, as pairs of a long and a short name, and returns the number of its revision: a new
    /// one only if the name or the mapping is new.
    ///
    /// # Errors
    /// [`Code::InvalidDictionary`](crate::Code::InvalidDictionary) if the mapping is not one-to-one or a name is empty.
    pub fn define_dictionary(&self, name: &str, pairs: &[(&str, &str)]) -> Result<DictionaryId> {
        self.0.define_dictionary(Dictionary::new(name, pairs)?)
    }

    /// Structured data as the bytes of a value of [`Kind::PACKED`](crate::Kind::PACKED), for this database only: the keys of
    /// its objects become known to it.
    ///
    /// ```
    /// # use cairndb::{Database, Durability, Kind, Op, Options, Value};
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let db = Database::open(directory.path(), Options::default())?;
    /// let alice = Value::from(serde_json::json!({ "name": "Alice", "born": 1990 }));
    /// db.commit(&[Op::put("users", b"u1", Kind::PACKED, &db.pack(&alice)?)], Durability::Os)?;
    /// let record = db.get("users", b"u1")?.expect("it was just written");
    /// assert_eq!(db.unpack(&record)?, alice);
    /// # Ok::<(), cairndb::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidValue` if the value is nested deeper than 1000 lists and objects.
    pub fn pack(&self, value: &Value) -> Result<Vec<u8>> {
        packed::encode(value, &mut |keys| self.define_shape(keys))
    }

    /// The structured data of a record: what [`Database::pack`] made into bytes, the text of
    /// [`Kind::JSON`](crate::Kind::JSON), or [`Kind::BYTES`](crate::Kind::BYTES) as they are.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are not what their kind says.
    pub fn unpack<V: AsRef<[u8]>>(&self, record: &Record<V>) -> Result<Value> {
        self.0.catalog.load().unpack(record, &self.0.directory)
    }

    /// Makes the keys of objects known, in this order, and returns the number of their shape. `None` if there are too many
    /// keys, or too many shapes already: then objects name their keys.
    pub fn define_shape(&self, keys: &[&str]) -> Result<Option<u32>> {
        match Shape::new(keys.iter().copied()) {
            Ok(shape) => self.0.define_shape(shape),
            Err(_) => Ok(None),
        }
    }

    /// The keys of the shapes from number `first` on.
    #[must_use]
    pub fn shapes(&self, first: u32) -> Vec<Vec<String>> {
        self.0.catalog.load().shapes_from(first)
    }

    /// The pairs of long and short names of a dictionary.
    #[must_use]
    pub fn dictionary(&self, id: DictionaryId) -> Option<Vec<(String, String)>> {
        self.0.dictionary(id.0).map(|dictionary| dictionary.pairs())
    }

    /// Returns once everything that was acknowledged is on the disk.
    ///
    /// # Errors
    /// Also what made background work fail, if it has not succeeded since.
    pub fn flush(&self) -> Result<()> {
        self.0.check_open()?;
        // What others have committed was acknowledged too.
        self.0.follow()?;
        self.0.core.lock().journal.write_out()?;
        self.0.sync(None)?;
        self.0.background_error().map_or(Ok(()), Err)
    }

    /// Moves what is in memory to stones now, instead of when the memtables are full. Not needed for durability.
    pub fn checkpoint(&self) -> Result<()> {
        self.0.check_open()?;
        self.0.check_writable()?;
        self.0.checkpoint(true, &Progress::default())
    }

    /// Merges each table into one stone and gives the space of deleted and overwritten records back at once, without
    /// waiting for the reclaim delay: afterwards there is one generation only, plus those that
    /// [`Options::keep_generations`] asks for.
    pub fn compact(&self) -> Result<()> {
        self.compact_with(&Progress::default())
    }

    /// As [`Database::compact`], for somebody who watches. Cancelled it leaves the tables that it was done with compacted,
    /// and the others as they were.
    pub fn compact_with(&self, progress: &Progress) -> Result<()> {
        self.0.check_open()?;
        self.0.check_writable()?;
        let (memory, stones) = self.0.to_compact();
        progress.begin(2 * memory + stones)?;
        for table in self.tables()? {
            self.cleanup_expired(&table)?;
            progress.check()?;
        }
        progress.part(memory);
        self.0.checkpoint(true, progress)?;
        progress.part(memory + stones);
        self.0.merge_all(|sizes| (sizes.len() > 1).then_some(0..sizes.len()), progress)?;
        self.0.rewrite_tombstones(progress)?;
        self.prune(self.0.options.keep_generations)?;
        progress.end();
        Ok(())
    }

    /// Removes all generations but the `keep` newest, the present one included, without waiting for the reclaim delay;
    /// 0 counts as 1. What somebody still reads goes later.
    ///
    /// ```
    /// # use cairndb::{Database, Durability, Kind, Op, Options};
    /// # let directory = tempfile::tempdir().unwrap();
    /// let db = Database::open(directory.path(), Options::default())?;
    /// db.commit(&[Op::put("t", b"a", Kind::BYTES, b"1")], Durability::Os)?;
    /// db.checkpoint()?;
    /// assert_eq!(db.prune(1)?.generations, 1);
    /// # Ok::<(), cairndb::Error>(())
    /// ```
    pub fn prune(&self, keep: u32) -> Result<Pruned> {
        self.0.check_open()?;
        self.0.check_writable()?;
        let _upkeep = self.0.upkeep()?;
        let (gone, again) = self.0.reclaim(Duration::ZERO, keep.max(1))?;
        if let Some(delay) = again {
            self.0.schedule_reclaim(delay);
        }
        Ok(gone)
    }

    /// A number that moves by 2 with each change of what readers see: by 1 before and by 1 after. What was read is what the
    /// database still holds if the number has not moved since before the reading.
    #[must_use]
    pub fn changes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.0.changes)
    }

    /// Figures about what the database holds and has done.
    #[must_use]
    pub fn stats(&self) -> Stats {
        // If that fails the figures are those of what this process knows, and the next read tells why.
        let _told_by_the_next_read = self.0.follow();
        self.0.stats()
    }

    /// Reads every file back and reports what is damaged. Reads and writes go on meanwhile.
    pub fn verify(&self) -> Result<Report> {
        self.verify_with(&Progress::default())
    }

    /// As [`Database::verify`], for somebody who watches.
    pub fn verify_with(&self, progress: &Progress) -> Result<Report> {
        self.0.verify(progress)
    }

    /// Brings everything to the disk and gives the directory up. Other handles get `Code::Closed` from then on. Closing
    /// a closed database does nothing.
    pub fn close(&self) -> Result<()> {
        self.0.close()
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("directory", &self.0.directory).finish_non_exhaustive()
    }
}

impl Inner {
    fn define_dictionary(self: &Arc<Self>, dictionary: Dictionary) -> Result<DictionaryId> {
        self.check_open()?;
        let known = |inner: &Inner| {
            let catalog = inner.catalog.load();
            let revision = catalog.dictionaries.iter().rposition(|known| **known == dictionary);
            revision.map(|revision| DictionaryId(revision as u32))
        };
        if let Some(id) = known(self) {
            return Ok(id);
        }
        let mut core = self.committing()?;
        self.check_open()?;
        if let Some(id) = known(self) {
            return Ok(id);
        }
        let revision = self.catalog.load().dictionaries.len() as u32;
        let mut frame = core.journal.begin(self.env.now())?;
        frame.define_dictionary(revision, &dictionary);
        let (frame, _) = core.journal.append(frame, Durability::Os)?;
        self.counters.appended(frame.len(), 0, 0);
        self.catalog.edit(|catalog| Arc::make_mut(&mut catalog.dictionaries).push(Arc::new(dictionary)));
        Ok(DictionaryId(revision))
    }

    fn define_shape(self: &Arc<Self>, shape: Shape) -> Result<Option<u32>> {
        self.check_open()?;
        let known = |inner: &Inner| {
            let catalog = inner.catalog.load();
            let number = catalog.shapes.iter().position(|known| **known == shape);
            (number.map(|number| number as u32), catalog.shapes.len())
        };
        if let (Some(number), _) = known(self) {
            return Ok(Some(number));
        }
        let mut core = self.committing()?;
        self.check_open()?;
        let number = match known(self) {
            (Some(number), _) => return Ok(Some(number)),
            (None, MAX_SHAPES..) => return Ok(None),
            (None, count) => count as u32,
        };
        let mut frame = core.journal.begin(self.env.now())?;
        frame.define_shape(number, &shape);
        let (frame, _) = core.journal.append(frame, Durability::Os)?;
        self.counters.appended(frame.len(), 0, 0);
        self.catalog.edit(|catalog| Arc::make_mut(&mut catalog.shapes).push(Arc::new(shape)));
        Ok(Some(number))
    }

    fn close(self: &Arc<Self>) -> Result<()> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.stop_merging.store(true, Ordering::Release);
        let outcome = self.settle();
        self.release();
        outcome
    }

    /// Leaves the directory as the next open likes it best: nothing, or little, to replay, and every byte of the
    /// journal known to be on the disk.
    fn settle(self: &Arc<Self>) -> Result<()> {
        if self.options.read_only {
            return Ok(());
        }
        self.core.lock().journal.write_out()?;
        self.syncer.sync_all()?;
        if self.sharing.is_some() {
            // The others go on with it as it is, and whoever comes when nobody is left recovers it.
            return self.committing().map(drop);
        }
        if self.memory.load(Ordering::Acquire) > SMALL {
            return self.checkpoint(false, &Progress::default());
        }
        // One after the other: in one statement both locks would be held, and in the wrong order.
        let durable = self.core.lock().journal.durable();
        let known = self.generations.lock().current.durable;
        if known == durable { Ok(()) } else { self.publish(|_| (), || ()) }
    }
}
