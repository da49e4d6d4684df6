//! LMDB, by way of heed: a copy-on-write B+tree in a mapped file.

use std::fs;
use std::ops::Bound;
use std::path::Path;

use heed::types::Bytes;
use heed::{CommitOrAbort, CompactionOption, Database, Env, EnvFlags, EnvOpenOptions, RoTxn, RwTxn, WithTls};

use crate::data::Batch;
use crate::store::{Engine, Level, OnPair, OnValue, Result, Store, View};

/// The most that the file can grow to, in bytes.
const MAP_BYTES: usize = 64 << 30;

pub(crate) const ENGINE: Engine = Engine {
    name: "heed",
    open: |directory, level| Ok(Box::new(Lmdb::open(directory, level)?)),
    compact: Some(|directory| {
        let copy = directory.join("compacted.mdb");
        let store = Lmdb::open(directory, Level::Os)?;
        store.env.copy_to_path(&copy, CompactionOption::Enabled)?;
        Box::new(store).close()?;
        Ok(fs::rename(copy, directory.join("data.mdb"))?)
    }),
    ordered: true,
    setup: "without sync `WRITE_MAP`, which is faster there; compacted by a copy",
    survives_os: "kill -9; a power cut may leave a corrupt file (`NO_SYNC`)",
    survives_full: "kill -9 and power loss (the default)",
};

struct Lmdb {
    env: Env,
    records: Database<'static, Bytes, Bytes>,
}

impl Lmdb {
    fn open(directory: &Path, level: Level) -> Result<Self> {
        let mut options = EnvOpenOptions::new();
        options.map_size(MAP_BYTES);
        if level == Level::Os {
            // SAFETY: what these flags give up is what a power cut may take, and that this process could write to the
            // map, which it does not.
            unsafe { options.flags(EnvFlags::NO_SYNC | EnvFlags::WRITE_MAP) };
        }
        // SAFETY: nobody else changes the files, and they are not on a network file system.
        let env = unsafe { options.open(directory)? };
        let records = env
            .create_databases_and_commit(env.write_txn()?, |opener, transaction| {
                opener.create_database(transaction, None).map(CommitOrAbort::<_, ()>::Commit)
            })?
            .unwrap_commit();
        Ok(Lmdb { env, records })
    }

    fn write(&self, work: impl FnOnce(&mut RwTxn) -> Result<()>) -> Result<()> {
        let mut transaction = self.env.write_txn()?;
        work(&mut transaction)?;
        Ok(transaction.commit()?)
    }
}

impl Store for Lmdb {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.write(|transaction| Ok(self.records.put(transaction, key, value)?))
    }

    fn put_batch(&self, batch: &Batch) -> Result<()> {
        self.write(|transaction| {
            for (key, value) in batch.pairs() {
                self.records.put(transaction, key, value)?;
            }
            Ok(())
        })
    }

    fn delete_batch(&self, batch: &Batch) -> Result<()> {
        self.write(|transaction| {
            for (key, _) in batch.pairs() {
                self.records.delete(transaction, key)?;
            }
            Ok(())
        })
    }

    fn get(&self, key: &[u8], found: OnValue) -> Result<bool> {
        let transaction = self.env.read_txn()?;
        self.records.get(&transaction, key)?.map_or(Ok(false), |value| found(value).map(|()| true))
    }

    fn view(&self) -> Result<Box<dyn View + '_>> {
        Ok(Box::new(Moment { records: self.records, transaction: self.env.read_txn()? }))
    }

    fn len(&self) -> Result<u64> {
        let transaction = self.env.read_txn()?;
        Ok(self.records.len(&transaction)?)
    }

    fn flush(&self) -> Result<()> {
        Ok(self.env.force_sync()?)
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.flush()?;
        self.env.prepare_for_closing().wait();
        Ok(())
    }
}

struct Moment<'a> {
    records: Database<'static, Bytes, Bytes>,
    transaction: RoTxn<'a, WithTls>,
}

impl View for Moment<'_> {
    fn get(&self, key: &[u8], found: OnValue) -> Result<bool> {
        self.records.get(&self.transaction, key)?.map_or(Ok(false), |value| found(value).map(|()| true))
    }

    fn range(&self, from: &[u8], limit: usize, each: OnPair) -> Result<()> {
        // An empty key is none that LMDB could look for.
        let low = if from.is_empty() { Bound::Unbounded } else { Bound::Included(from) };
        for row in self.records.range(&self.transaction, &(low, Bound::Unbounded))?.take(limit) {
            let (key, value) = row?;
            each(key, value)?;
        }
        Ok(())
    }
}
