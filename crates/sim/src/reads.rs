//! Everything that a reader can ask for, asked of a database and of the model.

use std::ops::{Bound, ControlFlow};

use cairndb::{Database, Kind, Range, Result, Scan, Snapshot, Value};

use crate::model::{Model, Put, Record, View};
use crate::rng::Rng;
use crate::workload::{DICTIONARIES, Workload};

/// A record as the database gives it.
///
/// # Panics
/// If it names a dictionary that no history defines.
pub fn record<V: AsRef<[u8]>>(found: &cairndb::Record<V>) -> Record {
    let known = |name: &String| DICTIONARIES.iter().find(|known| known.0 == name).expect("a name that was defined").0;
    let put = Put {
        value: found.value.as_ref().to_vec(),
        kind: found.kind,
        expiration: found.expiration,
        dictionary: found.dictionary.as_ref().map(known),
    };
    Record { put, version: found.version, time: found.timestamp }
}

/// All that a database shows, where point reads and counts agree with scans.
///
/// # Panics
/// If they do not.
pub fn view(db: &Database) -> Result<View> {
    let mut view = View::new();
    for table in db.tables()? {
        let rows = db.scan(&table, &Range::all())?.map(|row| row.map(|(key, found)| (key.to_vec(), record(&found))));
        let rows: Vec<_> = rows.collect::<Result<_>>()?;
        assert!(rows.is_sorted_by(|a, b| a.0 < b.0), "a scan of {table} is out of order");
        for (key, scanned) in &rows {
            let found = db.get(&table, key)?;
            if let Some(found) = found.as_ref().filter(|found| found.kind == Kind::PACKED) {
                let value = db.unpack(found)?;
                assert!(matches!(value, Value::Object(_)), "{table} {key:?} is {value:?}");
            }
            let found = found.as_ref().map(record);
            assert_eq!(found.as_ref(), Some(scanned), "{table} {key:?}: get, and scan");
            assert_eq!(db.visit(&table, key, |found| record(&found))?, found, "{table} {key:?}: visit, and get");
        }
        assert_eq!(db.len(&table)?, rows.len() as u64, "the count of {table}");
        view.insert(table, rows.into_iter().collect());
    }
    Ok(view)
}

/// A question about a range of keys.
#[derive(Clone, Debug)]
struct Query {
    table: String,
    low: Bound<Vec<u8>>,
    high: Bound<Vec<u8>>,
    prefix: Vec<u8>,
    reverse: bool,
    limit: Option<usize>,
}

impl Query {
    fn range(&self) -> Range<'_> {
        let (low, high) = (self.low.as_ref().map(Vec::as_slice), self.high.as_ref().map(Vec::as_slice));
        let mut range = Range::between(low, high).with_prefix(&self.prefix);
        if self.reverse {
            range = range.reverse();
        }
        self.limit.map_or(range.clone(), |limit| range.limit(limit))
    }

    fn includes(&self, key: &[u8]) -> bool {
        let above = match &self.low {
            Bound::Unbounded => true,
            Bound::Included(low) => key >= low.as_slice(),
            Bound::Excluded(low) => key > low.as_slice(),
        };
        let below = match &self.high {
            Bound::Unbounded => true,
            Bound::Included(high) => key <= high.as_slice(),
            Bound::Excluded(high) => key < high.as_slice(),
        };
        above && below && key.starts_with(&self.prefix)
    }

    fn expected(&self, model: &Model, now: u64) -> Vec<(Vec<u8>, Record)> {
        let included = model.scan(&self.table, now).filter(|(key, _)| self.includes(key));
        let mut rows: Vec<_> = included.map(|(key, record)| (key.to_vec(), record.clone())).collect();
        if self.reverse {
            rows.reverse();
        }
        rows.truncate(self.limit.unwrap_or(usize::MAX));
        rows
    }

    fn check(&self, mut scan: Scan, model: &Model, now: u64) -> Result<()> {
        let mut rows = Vec::new();
        // Records are shown and taken by turns, since either has to go on where the other has left off.
        loop {
            let seen = scan.visit(2, |key, found| {
                rows.push((key.to_vec(), record(&found)));
                ControlFlow::Continue(())
            })?;
            match scan.next().transpose()? {
                Some((key, found)) => rows.push((key.to_vec(), record(&found))),
                None => break,
            }
            assert_eq!(seen, 2, "{self:?}: a visit ended before the scan did");
        }
        assert_eq!(rows, self.expected(model, now), "{self:?}");
        Ok(())
    }
}

/// What is held open over many steps, and what the table was when it was opened.
enum Held {
    Snapshot(Snapshot),
    /// With the last key that it gave.
    Scan(Box<Scan>, Option<Vec<u8>>),
}

struct Pinned {
    table: String,
    model: Model,
    held: Held,
}

/// A reader that asks random questions.
pub struct Reader {
    rng: Rng,
    names: Workload,
    pinned: Vec<Pinned>,
}

/// More than this are not held open at a time.
const PINNED: usize = 4;

impl Reader {
    /// The reader of a seed. What it asks does not depend on what the writer does.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Reader { rng: Rng::of(seed, 1), names: Workload::new(!seed), pinned: Vec::new() }
    }

    /// Lets go of all that is held open.
    pub fn release(&mut self) {
        self.pinned.clear();
    }

    /// Asks a few questions about the present state and about those that are held open.
    ///
    /// # Panics
    /// If an answer is not the model's.
    pub fn ask(&mut self, db: &Database, model: &Model, now: u64) -> Result<()> {
        let (table, key) = (self.names.table(), self.names.key());
        let found = db.get(&table, &key)?.as_ref().map(record);
        assert_eq!(found.as_ref(), model.get(&table, &key, now), "get {table} {key:?}");
        assert_eq!(db.visit(&table, &key, |found| record(&found))?, found, "visit {table} {key:?}");
        assert_eq!(db.contains(&table, &key)?, found.is_some(), "contains {table} {key:?}");
        assert_eq!(db.len(&table)?, model.scan(&table, now).count() as u64, "the count of {table}");
        if self.rng.chance(1, 2) {
            let query = self.query();
            query.check(db.scan(&query.table, &query.range())?, model, now)?;
        }
        self.ask_pinned(now)?;
        if self.pinned.len() < PINNED && self.rng.chance(1, 8) {
            let table = self.names.table();
            let snapshot = db.snapshot(&table)?;
            let held = match self.rng.chance(1, 2) {
                true => Held::Snapshot(snapshot),
                false => Held::Scan(Box::new(snapshot.scan(&Range::all())?), None),
            };
            self.pinned.push(Pinned { table, model: model.clone(), held });
        }
        Ok(())
    }

    fn ask_pinned(&mut self, now: u64) -> Result<()> {
        let Some(place) = self.rng.index(2 * PINNED).checked_sub(PINNED) else { return Ok(()) };
        if place >= self.pinned.len() {
            return Ok(());
        }
        let key = self.names.key();
        let query = self.query();
        let pinned = &mut self.pinned[place];
        let ended = match &mut pinned.held {
            Held::Snapshot(snapshot) => {
                let found = snapshot.get(&key)?.as_ref().map(record);
                assert_eq!(
                    found.as_ref(),
                    pinned.model.get(&pinned.table, &key, now),
                    "a snapshot of {}",
                    pinned.table
                );
                self.rng.chance(1, 12)
            }
            Held::Scan(scan, last) => {
                let row = scan.next().transpose()?.map(|(key, found)| (key.to_vec(), record(&found)));
                let mut expected = pinned.model.scan(&pinned.table, now);
                let expected = expected.find(|(key, _)| last.as_deref().is_none_or(|last| *key > last));
                let expected = expected.map(|(key, record)| (key.to_vec(), record.clone()));
                assert_eq!(row, expected, "a scan of {} goes on", pinned.table);
                *last = row.map(|(key, _)| key);
                last.is_none() || self.rng.chance(1, 40)
            }
        };
        if ended && let Pinned { table, model, held: Held::Snapshot(snapshot) } = self.pinned.swap_remove(place) {
            let query = Query { table, ..query };
            query.check(snapshot.scan(&query.range())?, &model, now)?;
        }
        Ok(())
    }

    fn query(&mut self) -> Query {
        const PREFIXES: [&[u8]; 6] = [b"", b"", b"k", b"k1", &[0xff], &[0xff, 0xff]];
        Query {
            table: self.names.table(),
            low: self.bound(),
            high: self.bound(),
            prefix: PREFIXES[self.rng.index(PREFIXES.len())].to_vec(),
            reverse: self.rng.chance(1, 2),
            limit: self.rng.chance(1, 3).then(|| self.rng.index(8)),
        }
    }

    fn bound(&mut self) -> Bound<Vec<u8>> {
        match self.rng.below(4) {
            0 => Bound::Included(self.names.key()),
            1 => Bound::Excluded(self.names.key()),
            _ => Bound::Unbounded,
        }
    }
}
