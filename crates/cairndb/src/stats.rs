//! Figures about an open database.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::inner::Inner;
use crate::manifest::Count;
use crate::stripes::Striped;

/// What the database counted since it was opened.
#[derive(Default)]
pub(crate) struct Counters {
    records_written: AtomicU64,
    journal_bytes: AtomicU64,
    carried_bytes: AtomicU64,
    flushed_bytes: AtomicU64,
    merged_bytes: AtomicU64,
    manifest_bytes: AtomicU64,
    payload_bytes: AtomicU64,
    paused: AtomicU64,
    reads: Striped,
    stones_asked: Striped,
}

fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn appended(&self, frame: usize, records: usize, payload: usize) {
        add(&self.journal_bytes, frame as u64);
        add(&self.records_written, records as u64);
        add(&self.payload_bytes, payload as u64);
    }

    pub(crate) fn carried(&self, frame: usize) {
        add(&self.carried_bytes, frame as u64);
    }

    pub(crate) fn flushed(&self, bytes: u64) {
        add(&self.flushed_bytes, bytes);
    }

    pub(crate) fn merged(&self, bytes: u64) {
        add(&self.merged_bytes, bytes);
    }

    pub(crate) fn published(&self, bytes: u64) {
        add(&self.manifest_bytes, bytes);
    }

    pub(crate) fn read(&self, stones_asked: u32) {
        self.reads.add(1);
        if stones_asked > 0 {
            self.stones_asked.add(u64::from(stones_asked));
        }
    }

    pub(crate) fn paused(&self, nanoseconds: u64) {
        add(&self.paused, nanoseconds);
    }
}

/// Figures about a database: what it holds, and what was done since it was opened.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Each table, in the order of the names.
    pub tables: Vec<TableStats>,
    /// Records that are not deleted; those that have expired count until they are swept or merged away.
    pub live_records: u64,
    /// Bytes of their keys and values.
    pub live_bytes: u64,
    /// Memory held for what is not in stones yet, in bytes.
    pub memory_bytes: u64,
    /// Bytes of all stones of the present generation.
    pub stone_bytes: u64,
    /// Bytes of the journal that the present generation needs.
    pub journal_bytes: u64,
    /// Bytes of files that only earlier generations need; they go after the reclaim delay.
    pub reclaimable_bytes: u64,
    /// The number of the present generation.
    pub generation: u64,
    /// Bytes of keys and values that were written since the database was opened.
    pub written_bytes: u64,
    /// Records that were written since then, deletions included.
    pub written_records: u64,
    /// Bytes that went to the disk for that: journal, flushes, merges, manifests.
    pub disk_written_bytes: u64,
    /// `disk_written_bytes` for each written byte; 0 before the first write.
    pub write_amplification: f64,
    /// Bytes on disk that are in use for each live byte; 0 for an empty database.
    pub space_amplification: f64,
    /// Point reads since the database was opened.
    pub reads: u64,
    /// Stones asked for each of them, on average.
    pub read_amplification: f64,
    /// Syncs of the journal.
    pub syncs: u64,
    /// How long writers were made to wait because flushing lagged, in nanoseconds.
    pub paused_nanoseconds: u64,
    /// Why the last flush, merge or removal of files failed, while it has not succeeded again.
    pub background_error: Option<String>,
}

/// Figures about one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableStats {
    /// Its name.
    pub name: String,
    /// Records that are not deleted.
    pub live_records: u64,
    /// Bytes of their keys and values.
    pub live_bytes: u64,
    /// Bytes of its stones, newest first.
    pub stones: Vec<u64>,
    /// Bytes of the records in its stones, deleted and replaced ones among them, before they are packed.
    pub content_bytes: u64,
    /// Memory held for what is not in stones yet, in bytes.
    pub memory_bytes: u64,
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl Inner {
    pub(crate) fn stats(&self) -> Stats {
        let tables: Vec<TableStats> = self
            .tables()
            .iter()
            .map(|table| {
                let levels = table.levels.load();
                let Count { records, bytes } = table.live();
                TableStats {
                    name: table.name.clone(),
                    live_records: records,
                    live_bytes: bytes,
                    stones: levels.stones.iter().map(|layer| layer.stone.info().size).collect(),
                    content_bytes: levels.stones.iter().map(|layer| layer.stone.info().content).sum(),
                    memory_bytes: levels.memory() as u64,
                }
            })
            .collect();
        let sum = |figure: fn(&TableStats) -> u64| tables.iter().map(figure).sum::<u64>();
        let live_bytes = sum(|table| table.live_bytes);
        let stone_bytes = sum(|table| table.stones.iter().sum());
        let (live_records, memory_bytes) = (sum(|table| table.live_records), sum(|table| table.memory_bytes));
        let journal_bytes = self.journal_bytes();
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        let written_bytes = get(&counters.payload_bytes);
        let disk_written_bytes = [
            &counters.journal_bytes,
            &counters.carried_bytes,
            &counters.flushed_bytes,
            &counters.merged_bytes,
            &counters.manifest_bytes,
        ]
        .into_iter()
        .map(get)
        .sum();
        let (generation, reclaimable_bytes) = self.generation_stats();
        Stats {
            tables,
            live_records,
            live_bytes,
            memory_bytes,
            stone_bytes,
            journal_bytes,
            reclaimable_bytes,
            generation,
            written_bytes,
            written_records: get(&counters.records_written),
            disk_written_bytes,
            write_amplification: ratio(disk_written_bytes, written_bytes),
            space_amplification: ratio(stone_bytes + journal_bytes, live_bytes),
            reads: counters.reads.sum(),
            read_amplification: ratio(counters.stones_asked.sum(), counters.reads.sum()),
            syncs: self.syncer.syncs(),
            paused_nanoseconds: get(&counters.paused),
            background_error: self.background_error().map(|error| error.to_string()),
        }
    }
}
