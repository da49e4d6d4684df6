//! The subject.

use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::sync::Arc;

use cairndb::env::{Env, RealEnv};
use cairndb::{Database, Durability, Kind, Op, Options, Range, Snapshot};

use crate::data::Batch;
use crate::store::{Engine, Level, OnPair, OnValue, Result, Store, View};

const TABLE: &str = "bench";

pub(crate) const ENGINE: Engine = Engine {
    name: "cairndb",
    open: |directory, level| Ok(Box::new(CairnDb::open(Arc::new(RealEnv::new()), directory, level)?)),
    compact: Some(|directory| {
        let db = Database::open(directory, Options::default())?;
        db.compact()?;
        Ok(db.close()?)
    }),
    ordered: true,
    setup: "defaults",
    survives_os: "kill -9; of a power cut all but the last second (`Durability::Os`)",
    survives_full: "kill -9 and power loss (`Durability::Full`: `fdatasync`, shared by those who wait)",
};

pub(crate) struct CairnDb {
    db: Database,
    durability: Durability,
}

impl CairnDb {
    pub(crate) fn open(env: Arc<dyn Env>, directory: &Path, level: Level) -> Result<Self> {
        let durability = match level {
            Level::Os => Durability::Os,
            Level::Full => Durability::Full,
        };
        Ok(CairnDb { db: Database::open_with(env, directory, Options::default())?, durability })
    }

    fn commit(&self, ops: &[Op<'_>]) -> Result<()> {
        self.db.commit(ops, self.durability)?;
        Ok(())
    }
}

impl Store for CairnDb {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.commit(&[Op::put(TABLE, key, Kind::BYTES, value)])
    }

    fn put_batch(&self, batch: &Batch) -> Result<()> {
        self.commit(&batch.pairs().map(|(key, value)| Op::put(TABLE, key, Kind::BYTES, value)).collect::<Vec<_>>())
    }

    fn delete_batch(&self, batch: &Batch) -> Result<()> {
        self.commit(&batch.pairs().map(|(key, _)| Op::delete(TABLE, key)).collect::<Vec<_>>())
    }

    fn get(&self, key: &[u8], found: OnValue) -> Result<bool> {
        let record = self.db.get(TABLE, key)?;
        record.map_or(Ok(false), |record| found(&record.value).map(|()| true))
    }

    fn view(&self) -> Result<Box<dyn View + '_>> {
        Ok(Box::new(Moment { db: &self.db, snapshot: self.db.snapshot(TABLE)? }))
    }

    fn range(&self, from: &[u8], limit: usize, each: OnPair) -> Result<()> {
        range(&self.db, from, limit, each)
    }

    fn len(&self) -> Result<u64> {
        Ok(self.db.len(TABLE)?)
    }

    fn flush(&self) -> Result<()> {
        Ok(self.db.flush()?)
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.db.close()?)
    }
}

struct Moment<'a> {
    db: &'a Database,
    snapshot: Snapshot,
}

impl View for Moment<'_> {
    fn get(&self, key: &[u8], found: OnValue) -> Result<bool> {
        let record = self.snapshot.get(key)?;
        record.map_or(Ok(false), |record| found(&record.value).map(|()| true))
    }

    /// A scan uses its snapshot up, so each range is read in one of its own.
    fn range(&self, from: &[u8], limit: usize, each: OnPair) -> Result<()> {
        range(self.db, from, limit, each)
    }
}

fn range(db: &Database, from: &[u8], limit: usize, each: OnPair) -> Result<()> {
    let mut outcome = Ok(());
    let range = Range::between(Bound::Included(from), Bound::Unbounded).limit(limit);
    db.scan(TABLE, &range)?.visit(limit, |key, record| {
        outcome = each(key, &record.value);
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome
}
