//! Reading: points, snapshots and scans.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::ops::{ControlFlow, Deref};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::batch::{DictionaryId, check_key, check_table};
use crate::database::Database;
use crate::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::inner::{Inner, Shared};
use crate::range::Range;
use crate::record::{DictionaryUse, Edge, Entry, Kind, Meta};
use crate::runs::Merged;
use crate::slice::{Key, Slice};
use crate::stone::StoneRecord;
use crate::table::{Found, Levels, Table};
use crate::walk::Row;

/// A record as a reader gets it; `V` is what holds the bytes of its value.
#[derive(Debug)]
pub struct Record<V = Bytes> {
    /// The bytes of the value.
    pub value: V,
    /// What they are.
    pub kind: Kind,
    /// 1 for the first write of the key, then one more for each.
    pub version: u64,
    /// When it was written, in milliseconds since the epoch.
    pub timestamp: u64,
    /// When it expires, in milliseconds since the epoch.
    pub expiration: Option<f64>,
    /// The name of the dictionary that it was written with.
    pub dictionary: Option<String>,
    /// The dictionary whose short keys a packed value has; [`Database::unpack`](crate::Database::unpack) gives the long ones.
    pub mapped_by: Option<DictionaryId>,
}

/// The bytes of a key or a value, where they lie: in memory, in a mapped file, or in a copy.
pub struct Bytes(Place);

enum Place {
    Held(Slice),
    HeldKey(Key),
    Stored(StoneRecord),
    StoredKey(StoneRecord),
    Owned(Vec<u8>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Place::Held(slice) => slice,
            Place::HeldKey(key) => key,
            Place::Stored(record) => record.value(),
            Place::StoredKey(record) => record.key(),
            Place::Owned(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes(Place::Owned(bytes))
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.escape_ascii())
    }
}

impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for Bytes {
    fn eq(&self, other: &T) -> bool {
        **self == *other.as_ref()
    }
}

impl Bytes {
    /// A value in the memory of a frame.
    pub(crate) fn value(slice: Slice) -> Self {
        Bytes(Place::Held(slice))
    }

    /// A key in the memory of a frame.
    pub(crate) fn key(key: Key) -> Self {
        Bytes(Place::HeldKey(key))
    }
}

impl<V: AsRef<[u8]> + From<Vec<u8>>> Record<V> {
    /// Turns what is stored in the database in `directory` into what was written.
    pub(crate) fn of(
        meta: Meta,
        stored: V,
        directory: &Path,
        dictionary: impl FnOnce(u32) -> Option<Arc<Dictionary>>,
    ) -> Result<Self> {
        let (value, name) = match meta.dictionary {
            None => (stored, None),
            Some(used) => lengthen(used, meta.kind, stored, directory, dictionary(used.revision))?,
        };
        let mapped = meta.dictionary.filter(|used| used.mapped && meta.kind == Kind::PACKED);
        Ok(Record {
            value,
            kind: meta.kind,
            version: meta.version,
            timestamp: meta.time,
            expiration: meta.expiration,
            dictionary: name,
            mapped_by: mapped.map(|used| DictionaryId(used.revision)),
        })
    }
}

fn lengthen<V: AsRef<[u8]> + From<Vec<u8>>>(
    used: DictionaryUse,
    kind: Kind,
    stored: V,
    directory: &Path,
    dictionary: Option<Arc<Dictionary>>,
) -> Result<(V, Option<String>)> {
    let unreadable = |what: &str| {
        let what = format!("a record was written with dictionary revision {} {what}", used.revision);
        Error::corrupt(directory, 0, what)
    };
    let dictionary = dictionary.ok_or_else(|| unreadable("that the database does not have"))?;
    let name = Some(dictionary.name.clone());
    if !used.mapped || kind == Kind::PACKED {
        return Ok((stored, name));
    }
    let text = std::str::from_utf8(stored.as_ref()).ok();
    let long = text.and_then(|text| dictionary.inflate(text)).ok_or_else(|| unreadable("and is not JSON"))?;
    Ok((V::from(long.into_owned().into_bytes()), name))
}

impl Database {
    /// Shows the record under `key` to `visit`, where it lies, and gives what that makes of it; `None` if there is no record,
    /// or it has expired. Fails as [`Database::get`] does and costs less, since its record has to keep alive what it lies in.
    ///
    /// ```
    /// # use cairndb::{Database, Durability, Kind, Op, Options};
    /// # let directory = tempfile::tempdir().unwrap();
    /// let db = Database::open(directory.path(), Options::default())?;
    /// db.commit(&[Op::put("t", b"a", Kind::BYTES, b"12")], Durability::Os)?;
    /// assert_eq!(db.visit("t", b"a", |record| record.value.len())?, Some(2));
    /// assert_eq!(db.visit("t", b"b", |record| record.value.len())?, None);
    /// # Ok::<(), cairndb::Error>(())
    /// ```
    pub fn visit<T>(
        &self,
        table: &str,
        key: &[u8],
        visit: impl FnOnce(Record<Cow<'_, [u8]>>) -> T,
    ) -> Result<Option<T>> {
        let inner = &self.0;
        // Where another process has replaced the files, they are looked at once more; nothing has been shown by then.
        let visit = Cell::new(Some(visit));
        inner.look(table, key, |levels, visible| {
            let show = |entry: &Entry<'_>| {
                if !inner.is_live(&entry.meta) {
                    return Ok(None);
                }
                let record = inner.finish(entry.meta, Cow::Borrowed(entry.value))?;
                Ok(visit.take().map(|visit| visit(record)))
            };
            let (seen, asked) = levels.show(key, visible, show)?;
            Ok((seen.transpose()?.flatten(), asked))
        })
    }
}

impl Inner {
    /// The live record under `key`, as the last commit left it.
    pub(crate) fn get(&self, table: &str, key: &[u8]) -> Result<Option<Record>> {
        let found = self.look(table, key, |levels, visible| levels.find(key, visible))?;
        found.filter(|found| self.is_live(found.meta())).map(|found| self.record(found)).transpose()
    }

    pub(crate) fn contains(&self, table: &str, key: &[u8]) -> Result<bool> {
        let is_live = |entry: &Entry<'_>| self.is_live(&entry.meta);
        Ok(self.look(table, key, |levels, visible| levels.show(key, visible, is_live))?.unwrap_or(false))
    }

    /// What `look` finds in the stack of a table as the last commit left it; it says how many stones were asked, too.
    fn look<T>(
        &self,
        table: &str,
        key: &[u8],
        look: impl Fn(&Levels, u64) -> Result<(Option<T>, u32)>,
    ) -> Result<Option<T>> {
        self.check_open()?;
        check_table(table)?;
        check_key(key)?;
        let (found, asked) = self.up_to_date(|| {
            let catalog = self.catalog.load();
            // Closing lets the tables go.
            self.check_open()?;
            let Some(table) = catalog.table(table) else { return Ok((None, 0)) };
            let visible = self.visible.load(Ordering::Acquire);
            look(&table.levels.load(), visible)
        })?;
        self.counters.read(asked);
        Ok(found)
    }

    /// Asks for the time only where it matters.
    fn is_live(&self, meta: &Meta) -> bool {
        !meta.tombstone && (meta.expiration.is_none() || !meta.is_expired(self.env.now()))
    }

    fn record(&self, found: Found) -> Result<Record> {
        let meta = *found.meta();
        let place = match found {
            Found::Held(held) => Place::Held(held.value),
            Found::Stored(record) => Place::Stored(record),
        };
        self.finish(meta, Bytes(place))
    }

    fn finish<V: AsRef<[u8]> + From<Vec<u8>>>(&self, meta: Meta, stored: V) -> Result<Record<V>> {
        Record::of(meta, stored, &self.directory, |revision| self.dictionary(revision))
    }

    /// Records that are there and have not expired.
    pub(crate) fn len(&self, name: &str) -> Result<u64> {
        self.up_to_date(|| {
            let Some(table) = self.table(name)? else { return Ok(0) };
            Ok(table.live().records.saturating_sub(self.count_expired(&table)?))
        })
    }

    pub(crate) fn expirations_before(&self, name: &str, moment: f64) -> Result<u64> {
        self.up_to_date(|| match self.table(name)? {
            Some(table) => table.levels.load().count_expirations(moment),
            None => Ok(0),
        })
    }
}

/// One table as it was at one moment; later writes do not disturb it.
///
/// ```
/// # use cairndb::{Database, Durability, Kind, Op, Options};
/// # let directory = tempfile::tempdir().unwrap();
/// let db = Database::open(directory.path(), Options::default())?;
/// db.commit(&[Op::put("t", b"a", Kind::BYTES, b"1")], Durability::Os)?;
/// let before = db.snapshot("t")?;
/// db.commit(&[Op::put("t", b"a", Kind::BYTES, b"2")], Durability::Os)?;
/// assert_eq!(before.get(b"a")?.unwrap().value, b"1");
/// # Ok::<(), cairndb::Error>(())
/// ```
pub struct Snapshot {
    inner: Arc<Shared>,
    levels: Option<Arc<Levels>>,
    sequence: u64,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

impl Snapshot {
    pub(crate) fn new(inner: &Arc<Shared>, table: &str) -> Result<Self> {
        inner.check_open()?;
        check_table(table)?;
        inner.up_to_date(|| {
            let of = |levels, sequence| Snapshot { inner: Arc::clone(inner), levels, sequence };
            let Some(table) = inner.table(table)? else { return Ok(of(None, 0)) };
            let (levels, sequence) = Self::view(inner, &table);
            if inner.sharing.is_some() {
                // Another process does not know what is read here, and removes what it has replaced: an open file stays.
                levels.stones.iter().try_for_each(|layer| layer.stone.touch())?;
            }
            Ok(of(Some(levels), sequence))
        })
    }

    fn view(inner: &Inner, table: &Table) -> (Arc<Levels>, u64) {
        loop {
            let sequence = inner.visible.load(Ordering::Acquire);
            let levels = table.levels.load_full();
            // A flush may have put later commits into the stones, where a key has its newest version only.
            if levels.settled_sequence <= sequence {
                return (levels, sequence);
            }
        }
    }

    /// The record under `key`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Record>> {
        check_key(key)?;
        let Some(levels) = &self.levels else { return Ok(None) };
        let (found, asked) = levels.find(key, self.sequence)?;
        self.inner.counters.read(asked);
        match found.filter(|found| self.inner.is_live(found.meta())) {
            Some(found) => self.inner.record(found).map(Some),
            None => Ok(None),
        }
    }

    /// The records in a range, in the order of their keys.
    pub fn scan(self, range: &Range<'_>) -> Result<Scan> {
        let runs = match &self.levels {
            Some(levels) => levels.runs(&range.bounds(), self.sequence, range.reverse, range.limit)?,
            None => Vec::new(),
        };
        let left = range.limit.unwrap_or(usize::MAX);
        Ok(Scan { snapshot: self, merged: Merged::new(runs, range.reverse)?, left })
    }
}

/// An iterator over the records of a range, as they were when the scan began.
pub struct Scan {
    snapshot: Snapshot,
    merged: Merged,
    left: usize,
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan").field("left", &self.left).finish_non_exhaustive()
    }
}

impl Scan {
    fn step(&mut self) -> Result<Option<(Bytes, Record)>> {
        let inner = &self.snapshot.inner;
        while self.left > 0 {
            let Some(row) = self.merged.next()? else {
                self.left = 0;
                break;
            };
            if inner.is_live(row.meta()) {
                self.left -= 1;
                let meta = *row.meta();
                let (key, value) = match row {
                    Row::Held(key, held) => (Place::HeldKey(key), Place::Held(held.value)),
                    Row::Stored(record) => (Place::StoredKey(record.clone()), Place::Stored(record)),
                };
                return Ok(Some((Bytes(key), inner.finish(meta, Bytes(value))?)));
            }
        }
        Ok(None)
    }

    /// Shows up to `max` further records to `visit`, where they lie, until it breaks off. Gives how many it has seen:
    /// fewer than `max` at the end of the range, if it did not break off. Costs much less than to take each record out of
    /// the scan, which has to keep alive what it lies in.
    ///
    /// ```
    /// # use std::ops::ControlFlow;
    /// # use cairndb::{Database, Durability, Kind, Op, Options, Range};
    /// # let directory = tempfile::tempdir().unwrap();
    /// let db = Database::open(directory.path(), Options::default())?;
    /// db.commit(&[Op::put("t", b"a", Kind::BYTES, b"12"), Op::put("t", b"b", Kind::BYTES, b"345")], Durability::Os)?;
    /// let mut bytes = 0;
    /// let mut scan = db.snapshot("t")?.scan(&Range::all())?;
    /// let seen = scan.visit(usize::MAX, |_key, record| {
    ///     bytes += record.value.len();
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!((seen, bytes), (2, 5));
    /// assert_eq!(scan.size_hint(), (0, Some(0)));
    /// # Ok::<(), cairndb::Error>(())
    /// ```
    ///
    /// At the end of the range [`Iterator::size_hint`] has no more than 0.
    ///
    /// # Errors
    /// As the iterator. What comes next is the record that could not be read.
    pub fn visit(
        &mut self,
        max: usize,
        mut visit: impl FnMut(&[u8], Record<Cow<'_, [u8]>>) -> ControlFlow<()>,
    ) -> Result<usize> {
        let inner = &self.snapshot.inner;
        let max = max.min(self.left);
        let mut seen = 0;
        if max > 0 {
            let ended = self.merged.visit(&mut |&Entry { key, ref meta, value }| {
                if !inner.is_live(meta) {
                    return Ok(ControlFlow::Continue(()));
                }
                let record = inner.finish(*meta, Cow::Borrowed(value))?;
                seen += 1;
                self.left -= 1;
                let flow = visit(key, record);
                let is_over = seen == max || flow.is_break();
                Ok(if is_over { ControlFlow::Break(Edge::Behind) } else { ControlFlow::Continue(()) })
            })?;
            if ended.is_continue() {
                self.left = 0;
            }
        }
        Ok(seen)
    }
}

impl Iterator for Scan {
    type Item = Result<(Bytes, Record)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::batch::{Durability, Op};
    use crate::options::Options;

    /// Whoever holds the locks of writers, flushes and merges for long, or loses the processor while he does, holds nobody up
    /// who reads.
    #[test]
    #[allow(clippy::disallowed_methods, reason = "a reader who waits must not hold up the test")]
    fn readers_wait_for_no_lock() {
        let directory = tempfile::tempdir().unwrap();
        let db = Database::open(directory.path(), Options::default()).unwrap();
        let put = |key: &[u8]| db.commit(&[Op::put("t", key, Kind::BYTES, key)], Durability::Os).unwrap();
        // One in a stone, which is open by then, and one in the memtable.
        put(b"a");
        db.checkpoint().unwrap();
        put(b"b");
        assert!(db.get("t", b"a").unwrap().is_some());
        let inner = Arc::clone(&db.0);
        let active = Arc::clone(&inner.table("t").unwrap().unwrap().levels.load().active);
        let _background = (inner.flushing.lock(), inner.merging.lock(), inner.generations.lock());
        let _writers = (inner.core.lock(), active.lock_for_test(), inner.catalog.lock_for_test());
        let (told, done) = mpsc::channel();
        std::thread::spawn(move || {
            let found = [b"a", b"b", b"c"].map(|key| db.get("t", key).unwrap().is_some());
            let snapshot = db.snapshot("t").unwrap();
            assert!(snapshot.get(b"b").unwrap().is_some());
            let scanned = snapshot.scan(&Range::all()).unwrap().count();
            told.send((found, scanned, db.len("t").unwrap())).unwrap();
        });
        // It takes no time; a minute is for the machine.
        assert_eq!(done.recv_timeout(Duration::from_secs(60)), Ok(([true, true, false], 2, 2)));
    }
}
