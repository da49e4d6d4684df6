//! persistent-kv: a hash map in memory with a journal and snapshots.

use persistent_kv::{Config, PersistentKeyValueStore, SyncMode};

use crate::data::Batch;
use crate::store::{Engine, Level, OnPair, OnValue, Result, Store, View};

pub(crate) const ENGINE: Engine = Engine {
    name: "persistent-kv",
    open: |directory, level| {
        let sync_mode = match level {
            Level::Os => SyncMode::BlockNoExplicitSync,
            Level::Full => SyncMode::BlockAndSync,
        };
        // By default it writes all records again after 10,000 writes, which is quadratic.
        let config = Config { silent: true, snapshot_interval: 1_000_000, sync_mode, ..Config::default() };
        Ok(Box::new(PersistentKv(PersistentKeyValueStore::new(directory, config)?)))
    },
    compact: None,
    ordered: false,
    setup: "a snapshot after each 1,000,000 writes; no order of keys, no batches: their records are written one by one",
    survives_os: "kill -9; not power loss (`BlockNoExplicitSync`)",
    survives_full: "kill -9 and power loss (`BlockAndSync`), without checksums",
};

struct PersistentKv(PersistentKeyValueStore<Vec<u8>, Vec<u8>>);

impl Store for PersistentKv {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.0.set(key, value)
    }

    fn put_batch(&self, batch: &Batch) -> Result<()> {
        batch.pairs().try_for_each(|(key, value)| self.0.set(key, value))
    }

    fn delete_batch(&self, batch: &Batch) -> Result<()> {
        batch.pairs().try_for_each(|(key, _)| self.0.unset(&key.to_vec()))
    }

    fn get(&self, key: &[u8], found: OnValue) -> Result<bool> {
        // Only a `Vec` can be looked up by: a slice is not among the types that it serializes.
        self.0.get(&key.to_vec()).map_or(Ok(false), |value| found(&value).map(|()| true))
    }

    fn view(&self) -> Result<Box<dyn View + '_>> {
        Ok(Box::new(self))
    }

    fn scan(&self, each: OnPair) -> Result<()> {
        self.0.iter().try_for_each(|(key, value)| each(&key, &value))
    }

    fn len(&self) -> Result<u64> {
        Ok(self.0.iter().count() as u64)
    }

    /// It has no way to sync what was written without.
    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// It has no snapshots that can be read, so a view sees later writes too.
impl View for &PersistentKv {
    fn get(&self, key: &[u8], found: OnValue) -> Result<bool> {
        Store::get(*self, key, found)
    }

    fn range(&self, _from: &[u8], _limit: usize, _each: OnPair) -> Result<()> {
        Err("persistent-kv has no order of keys".into())
    }
}
