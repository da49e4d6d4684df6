//! SQLite, by way of rusqlite: a B-tree with a write-ahead log.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use crate::data::Batch;
use crate::store::{Engine, Level, OnPair, OnValue, Result, Store, View};

const PUT: &str = "INSERT INTO bench (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2";
const DELETE: &str = "DELETE FROM bench WHERE key = ?1";
const GET: &str = "SELECT value FROM bench WHERE key = ?1";
const RANGE: &str = "SELECT key, value FROM bench WHERE key >= ?1 ORDER BY key LIMIT ?2";

pub(crate) const ENGINE: Engine = Engine {
    name: "rusqlite",
    open: |directory, level| Ok(Box::new(Sqlite::open(directory, level)?)),
    compact: Some(|directory| {
        let store = Sqlite::open(directory, Level::Os)?;
        store.with(|connection| Ok(connection.execute_batch("VACUUM")?))?;
        Box::new(store).close()
    }),
    ordered: true,
    setup: "bundled SQLite, WAL, a table without rowid, 256 MiB page cache and 1 GiB mapped, a connection for each thread",
    survives_os: "kill -9; of a power cut all up to some checkpoint (`synchronous = NORMAL`)",
    survives_full: "kill -9 and power loss (`synchronous = FULL`)",
};

/// A connection serves one thread at a time, so each thread takes one that is idle.
struct Sqlite {
    file: PathBuf,
    level: Level,
    idle: Mutex<Vec<Connection>>,
}

impl Sqlite {
    fn open(directory: &Path, level: Level) -> Result<Self> {
        let store = Sqlite { file: directory.join("bench.sqlite"), level, idle: Mutex::default() };
        store.with(|connection| {
            let table = "CREATE TABLE IF NOT EXISTS bench (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID";
            Ok(connection.execute_batch(table)?)
        })?;
        Ok(store)
    }

    fn connect(&self) -> Result<Connection> {
        let connection = Connection::open(&self.file)?;
        connection.busy_timeout(Duration::from_secs(60))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", if self.level == Level::Os { "NORMAL" } else { "FULL" })?;
        connection.pragma_update(None, "cache_size", -(256 << 10))?;
        connection.pragma_update(None, "mmap_size", 1 << 30)?;
        Ok(connection)
    }

    fn take(&self) -> Result<Connection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| self.connect(), Ok)
    }

    fn give_back(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    fn with<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        let mut connection = self.take()?;
        let outcome = work(&mut connection);
        self.give_back(connection);
        outcome
    }

    fn write(&self, work: impl FnOnce(&Transaction) -> Result<()>) -> Result<()> {
        self.with(|connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            work(&transaction)?;
            Ok(transaction.commit()?)
        })
    }
}

impl Store for Sqlite {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.with(|connection| {
            connection.prepare_cached(PUT)?.execute([key, value])?;
            Ok(())
        })
    }

    fn put_batch(&self, batch: &Batch) -> Result<()> {
        self.write(|transaction| {
            let mut put = transaction.prepare_cached(PUT)?;
            for (key, value) in batch.pairs() {
                put.execute([key, value])?;
            }
            Ok(())
        })
    }

    fn delete_batch(&self, batch: &Batch) -> Result<()> {
        self.write(|transaction| {
            let mut delete = transaction.prepare_cached(DELETE)?;
            for (key, _) in batch.pairs() {
                delete.execute([key])?;
            }
            Ok(())
        })
    }

    fn get(&self, key: &[u8], found: OnValue) -> Result<bool> {
        self.with(|connection| get(connection, key, found))
    }

    fn view(&self) -> Result<Box<dyn View + '_>> {
        let connection = self.take()?;
        connection.execute_batch("BEGIN")?;
        Ok(Box::new(Moment { store: self, connection: Some(connection) }))
    }

    fn len(&self) -> Result<u64> {
        self.with(|connection| {
            let count: i64 = connection.query_row("SELECT count(*) FROM bench", [], |row| row.get(0))?;
            Ok(count.try_into()?)
        })
    }

    fn flush(&self) -> Result<()> {
        self.with(|connection| Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?))
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.flush()
    }
}

fn get(connection: &Connection, key: &[u8], found: OnValue) -> Result<bool> {
    let mut select = connection.prepare_cached(GET)?;
    let outcome = select.query_row([key], |row| Ok(found(row.get_ref(0)?.as_blob()?))).optional()?;
    outcome.map_or(Ok(false), |outcome| outcome.map(|()| true))
}

/// A read transaction, which keeps its connection while it lives.
struct Moment<'a> {
    store: &'a Sqlite,
    connection: Option<Connection>,
}

impl Moment<'_> {
    fn connection(&self) -> Result<&Connection> {
        Ok(self.connection.as_ref().ok_or("the view has ended")?)
    }
}

impl View for Moment<'_> {
    fn get(&self, key: &[u8], found: OnValue) -> Result<bool> {
        get(self.connection()?, key, found)
    }

    fn range(&self, from: &[u8], limit: usize, each: OnPair) -> Result<()> {
        let mut select = self.connection()?.prepare_cached(RANGE)?;
        let mut rows = select.query((from, i64::try_from(limit).unwrap_or(i64::MAX)))?;
        while let Some(row) = rows.next()? {
            each(row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?)?;
        }
        Ok(())
    }
}

impl Drop for Moment<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && connection.execute_batch("END").is_ok()
        {
            self.store.give_back(connection);
        }
    }
}
