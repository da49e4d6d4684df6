//! redb: a copy-on-write B+tree in one file.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use redb::{Database, Durability, ReadOnlyTable, ReadableDatabase, ReadableTableMetadata, TableDefinition};

use crate::data::Batch;
use crate::store::{Engine, Level, OnPair, OnValue, Result, Store, View};

const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("bench");
const FILE: &str = "bench.redb";
/// Pages that commits without sync replace are free for use again after a durable commit only, so an application makes
/// one from time to time.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

pub(crate) const ENGINE: Engine = Engine {
    name: "redb",
    open: |directory, level| Ok(Box::new(Redb::open(directory, level)?)),
    compact: Some(|directory| {
        let mut db = Database::open(directory.join(FILE))?;
        db.compact()?;
        Ok(db.close()?)
    }),
    ordered: true,
    setup: "1 GiB cache (its default); without sync a durable commit once in a second, which frees its pages",
    survives_os: "**not** kill -9: what came since the last durable commit is gone (`Durability::None`)",
    survives_full: "kill -9 and power loss (`Durability::Immediate`)",
};

struct Redb {
    db: Database,
    level: Level,
    synced: Mutex<Instant>,
}

impl Redb {
    fn open(directory: &Path, level: Level) -> Result<Self> {
        let db = Database::create(directory.join(FILE))?;
        let transaction = db.begin_write()?;
        transaction.open_table(TABLE)?;
        transaction.commit()?;
        Ok(Redb { db, level, synced: Mutex::new(Instant::now()) })
    }

    fn durability(&self) -> Durability {
        let mut synced = self.synced.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if self.level == Level::Os && synced.elapsed() < SYNC_INTERVAL {
            return Durability::None;
        }
        *synced = Instant::now();
        Durability::Immediate
    }

    fn write(&self, work: impl FnOnce(&mut redb::Table<&[u8], &[u8]>) -> Result<()>) -> Result<()> {
        let mut transaction = self.db.begin_write()?;
        transaction.set_durability(self.durability())?;
        work(&mut transaction.open_table(TABLE)?)?;
        Ok(transaction.commit()?)
    }

    fn table(&self) -> Result<ReadOnlyTable<&'static [u8], &'static [u8]>> {
        Ok(self.db.begin_read()?.open_table(TABLE)?)
    }
}

impl Store for Redb {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.write(|table| {
            table.insert(key, value)?;
            Ok(())
        })
    }

    fn put_batch(&self, batch: &Batch) -> Result<()> {
        self.write(|table| {
            for (key, value) in batch.pairs() {
                table.insert(key, value)?;
            }
            Ok(())
        })
    }

    fn delete_batch(&self, batch: &Batch) -> Result<()> {
        self.write(|table| {
            for (key, _) in batch.pairs() {
                table.remove(key)?;
            }
            Ok(())
        })
    }

    fn get(&self, key: &[u8], found: OnValue) -> Result<bool> {
        View::get(&self.table()?, key, found)
    }

    fn view(&self) -> Result<Box<dyn View + '_>> {
        Ok(Box::new(self.table()?))
    }

    fn len(&self) -> Result<u64> {
        Ok(self.table()?.len()?)
    }

    fn flush(&self) -> Result<()> {
        Ok(self.db.begin_write()?.commit()?)
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.flush()?;
        Ok(self.db.close()?)
    }
}

impl View for ReadOnlyTable<&'static [u8], &'static [u8]> {
    fn get(&self, key: &[u8], found: OnValue) -> Result<bool> {
        let value = ReadOnlyTable::get(self, key)?;
        value.map_or(Ok(false), |value| found(value.value()).map(|()| true))
    }

    fn range(&self, from: &[u8], limit: usize, each: OnPair) -> Result<()> {
        for row in ReadOnlyTable::range(self, from..)?.take(limit) {
            let (key, value) = row?;
            each(key.value(), value.value())?;
        }
        Ok(())
    }
}
