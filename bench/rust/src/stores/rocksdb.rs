//! RocksDB: an LSM-tree. Built with the feature `rocksdb`.

use std::path::Path;

use rocksdb::{
    BlockBasedOptions, Cache, DB, DBCompressionType, Direction, IteratorMode, Options, SnapshotWithThreadMode,
    WriteBatch, WriteOptions,
};

use super::CACHE_BYTES;
use crate::data::Batch;
use crate::store::{Engine, Level, OnPair, OnValue, Result, Store, View};

pub(crate) const ENGINE: Engine = Engine {
    name: "rocksdb",
    open: |directory, level| Ok(Box::new(RocksDb::open(directory, level)?)),
    compact: Some(|directory| {
        let store = RocksDb::open(directory, Level::Os)?;
        store.db.compact_range::<&[u8], &[u8]>(None, None);
        Box::new(store).close()
    }),
    ordered: true,
    setup: "1 GiB block cache, bloom filter of 10 bits for each key, no compression",
    survives_os: "kill -9; not power loss (the default)",
    survives_full: "kill -9 and power loss (`sync = true`, shared by those who wait)",
};

struct RocksDb {
    db: DB,
    level: Level,
}

impl RocksDb {
    fn open(directory: &Path, level: Level) -> Result<Self> {
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&Cache::new_lru_cache(CACHE_BYTES));
        blocks.set_bloom_filter(10.0, false);
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_compression_type(DBCompressionType::None);
        options.set_block_based_table_factory(&blocks);
        Ok(RocksDb { db: DB::open(&options, directory)?, level })
    }

    fn options(&self) -> WriteOptions {
        let mut options = WriteOptions::default();
        options.set_sync(self.level == Level::Full);
        options
    }
}

impl Store for RocksDb {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        Ok(self.db.put_opt(key, value, &self.options())?)
    }

    fn put_batch(&self, batch: &Batch) -> Result<()> {
        let mut writes = WriteBatch::default();
        batch.pairs().for_each(|(key, value)| writes.put(key, value));
        Ok(self.db.write_opt(writes, &self.options())?)
    }

    fn delete_batch(&self, batch: &Batch) -> Result<()> {
        let mut writes = WriteBatch::default();
        batch.pairs().for_each(|(key, _)| writes.delete(key));
        Ok(self.db.write_opt(writes, &self.options())?)
    }

    fn get(&self, key: &[u8], found: OnValue) -> Result<bool> {
        self.db.get_pinned(key)?.map_or(Ok(false), |value| found(&value).map(|()| true))
    }

    fn view(&self) -> Result<Box<dyn View + '_>> {
        Ok(Box::new(self.db.snapshot()))
    }

    fn len(&self) -> Result<u64> {
        let mut count = 0;
        self.scan(&mut |_, _| {
            count += 1;
            Ok(())
        })?;
        Ok(count)
    }

    fn flush(&self) -> Result<()> {
        Ok(self.db.flush_wal(true)?)
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.flush()?;
        self.db.cancel_all_background_work(true);
        Ok(())
    }
}

impl View for SnapshotWithThreadMode<'_, DB> {
    fn get(&self, key: &[u8], found: OnValue) -> Result<bool> {
        self.get_pinned(key)?.map_or(Ok(false), |value| found(&value).map(|()| true))
    }

    fn range(&self, from: &[u8], limit: usize, each: OnPair) -> Result<()> {
        for row in self.iterator(IteratorMode::From(from, Direction::Forward)).take(limit) {
            let (key, value) = row?;
            each(&key, &value)?;
        }
        Ok(())
    }
}
