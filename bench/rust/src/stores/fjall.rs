//! fjall: an LSM-tree.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Readable, Snapshot};

use super::CACHE_BYTES;
use crate::data::Batch;
use crate::store::{Engine, Level, OnPair, OnValue, Result, Store, View};

pub(crate) const ENGINE: Engine = Engine {
    name: "fjall",
    open: |directory, level| Ok(Box::new(Fjall::open(directory, level)?)),
    compact: Some(|directory| {
        let store = Fjall::open(directory, Level::Os)?;
        store.records.major_compact()?;
        Box::new(store).close()
    }),
    ordered: true,
    setup: "1 GiB block cache",
    survives_os: "kill -9; not power loss (`PersistMode::Buffer`)",
    survives_full: "kill -9 and power loss (a batch with `PersistMode::SyncData`)",
};

struct Fjall {
    db: Database,
    records: Keyspace,
    persist: PersistMode,
}

impl Fjall {
    fn open(directory: &Path, level: Level) -> Result<Self> {
        let db = Database::builder(directory).cache_size(CACHE_BYTES as u64).open()?;
        let records = db.keyspace("bench", KeyspaceCreateOptions::default)?;
        let persist = match level {
            Level::Os => PersistMode::Buffer,
            Level::Full => PersistMode::SyncData,
        };
        Ok(Fjall { db, records, persist })
    }

    fn write(&self, fill: impl FnOnce(&mut OwnedWriteBatch)) -> Result<()> {
        let mut batch = self.db.batch().durability(Some(self.persist));
        fill(&mut batch);
        Ok(batch.commit()?)
    }
}

impl Store for Fjall {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        match self.persist {
            PersistMode::Buffer => Ok(self.records.insert(key, value)?),
            _ => self.write(|batch| batch.insert(&self.records, key, value)),
        }
    }

    fn put_batch(&self, batch: &Batch) -> Result<()> {
        self.write(|writes| batch.pairs().for_each(|(key, value)| writes.insert(&self.records, key, value)))
    }

    fn delete_batch(&self, batch: &Batch) -> Result<()> {
        self.write(|writes| batch.pairs().for_each(|(key, _)| writes.remove(&self.records, key)))
    }

    fn get(&self, key: &[u8], found: OnValue) -> Result<bool> {
        self.records.get(key)?.map_or(Ok(false), |value| found(&value).map(|()| true))
    }

    fn view(&self) -> Result<Box<dyn View + '_>> {
        Ok(Box::new(Moment { snapshot: self.db.snapshot(), records: &self.records }))
    }

    fn len(&self) -> Result<u64> {
        Ok(self.records.len()? as u64)
    }

    fn flush(&self) -> Result<()> {
        Ok(self.db.persist(PersistMode::SyncAll)?)
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.flush()
    }
}

struct Moment<'a> {
    snapshot: Snapshot,
    records: &'a Keyspace,
}

impl View for Moment<'_> {
    fn get(&self, key: &[u8], found: OnValue) -> Result<bool> {
        self.snapshot.get(self.records, key)?.map_or(Ok(false), |value| found(&value).map(|()| true))
    }

    fn range(&self, from: &[u8], limit: usize, each: OnPair) -> Result<()> {
        for row in self.snapshot.range(self.records, from..).take(limit) {
            let (key, value) = row.into_inner()?;
            each(&key, &value)?;
        }
        Ok(())
    }
}
