//! sled: a lock-free tree on a log.

use sled::{Config, Db, Mode};

use crate::data::Batch;
use crate::store::{Engine, Level, OnPair, OnValue, Result, Store, View};

pub(crate) const ENGINE: Engine = Engine {
    name: "sled",
    open: |directory, level| {
        let db = Config::new().path(directory.join("bench.sled")).mode(Mode::HighThroughput).open()?;
        Ok(Box::new(Sled { db, durable: level == Level::Full }))
    },
    compact: None,
    ordered: true,
    setup: "`Mode::HighThroughput`, 1 GiB cache (its default); no snapshots: a view sees later writes",
    survives_os: "of kill -9 all but the last half second; not power loss",
    survives_full: "kill -9; **not** power loss (`flush()` ends in `sync_file_range`, which does not reach the disk)",
};

struct Sled {
    db: Db,
    durable: bool,
}

impl Sled {
    fn written(&self) -> Result<()> {
        if self.durable { self.flush() } else { Ok(()) }
    }
}

impl Store for Sled {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.db.insert(key, value)?;
        self.written()
    }

    fn put_batch(&self, batch: &Batch) -> Result<()> {
        let mut writes = sled::Batch::default();
        batch.pairs().for_each(|(key, value)| writes.insert(key, value));
        self.db.apply_batch(writes)?;
        self.written()
    }

    fn delete_batch(&self, batch: &Batch) -> Result<()> {
        let mut writes = sled::Batch::default();
        batch.pairs().for_each(|(key, _)| writes.remove(key));
        self.db.apply_batch(writes)?;
        self.written()
    }

    fn get(&self, key: &[u8], found: OnValue) -> Result<bool> {
        self.db.get(key)?.map_or(Ok(false), |value| found(&value).map(|()| true))
    }

    fn view(&self) -> Result<Box<dyn View + '_>> {
        Ok(Box::new(self))
    }

    fn len(&self) -> Result<u64> {
        Ok(self.db.len() as u64)
    }

    fn flush(&self) -> Result<()> {
        self.db.flush()?;
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.flush()
    }
}

impl View for &Sled {
    fn get(&self, key: &[u8], found: OnValue) -> Result<bool> {
        Store::get(*self, key, found)
    }

    fn range(&self, from: &[u8], limit: usize, each: OnPair) -> Result<()> {
        for row in self.db.range(from..).take(limit) {
            let (key, value) = row?;
            each(&key, &value)?;
        }
        Ok(())
    }
}
