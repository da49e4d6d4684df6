//! Expired records: found from lists in the order of time, without a scan of the table.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::batch::{Durability, Op, Outcome};
use crate::env::Lane;
use crate::error::Result;
use crate::inner::Inner;
use crate::table::{Levels, Table};

/// How often expired records are removed in the background.
const INTERVAL: Duration = Duration::from_secs(60);

/// Records removed by one commit of a sweep.
const BATCH: usize = 1024;

/// The expired records of a table at one moment.
struct Expired {
    now: u64,
    levels: Arc<Levels>,
    /// Each once, in order.
    keys: Vec<Vec<u8>>,
}

impl Inner {
    /// How many records have expired and were not removed yet.
    pub(crate) fn count_expired(&self, table: &Table) -> Result<u64> {
        Ok(self.expired(table)?.map_or(0, |expired| expired.keys.len() as u64))
    }

    /// Removes the expired records of a table and returns how many there were.
    pub(crate) fn sweep(self: &Arc<Self>, table: &Table) -> Result<u64> {
        let Some(expired) = self.expired(table)? else { return Ok(0) };
        let mut removed = 0;
        for keys in expired.keys.chunks(BATCH) {
            let ops: Vec<Op<'_>> = keys.iter().map(|key| Op::expire(&table.name, key)).collect();
            let (outcomes, _) = self.append(&ops, Durability::Os)?;
            removed += outcomes.iter().filter(|outcome| **outcome == Outcome::Deleted).count() as u64;
        }
        expired.levels.forget_expired(expired.now);
        Ok(removed)
    }

    fn expired(&self, table: &Table) -> Result<Option<Expired>> {
        if !table.expires.load(Ordering::Acquire) {
            return Ok(None);
        }
        let now = self.env.now();
        let levels = table.levels.load_full();
        let mut keys = levels.expired_keys(now)?;
        keys.sort_unstable();
        keys.dedup();
        let mut expired = Vec::new();
        for key in keys {
            // A list may name a record that was written again since, or deleted.
            if levels.newest_meta(&key)?.is_some_and(|(meta, _)| !meta.tombstone && meta.is_expired(now)) {
                expired.push(key);
            }
        }
        Ok(Some(Expired { now, levels, keys: expired }))
    }

    /// Sweeps all tables now and then for as long as the database is open.
    pub(crate) fn schedule_sweep(self: &Arc<Self>) {
        self.schedule(
            |jobs| &jobs.sweep,
            Lane::Sync,
            INTERVAL,
            |inner| {
                let swept = inner.tables().iter().try_for_each(|table| inner.sweep(table).map(drop));
                inner.note_background(Lane::Sync, swept);
                inner.schedule_sweep();
            },
        );
    }
}
