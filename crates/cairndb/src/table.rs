//! A table: a stack of memtables and stones, newest on top.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::Result;
use crate::manifest::Count;
use crate::memtable::{Held, Memtable};
use crate::range::Bounds;
use crate::record::{Entry, Meta};
use crate::runs::Run;
use crate::stone::{Stone, StoneRecord, key_hash};
use crate::sync::{ArcSwap, AtomicBool, AtomicU64};
use crate::walk::MemtableWalk;

/// A stone of a stack.
#[derive(Clone)]
pub(crate) struct Layer {
    pub(crate) number: u64,
    pub(crate) stone: Arc<Stone>,
    /// What expired before this time, milliseconds since the epoch, was removed by a sweep.
    swept: Arc<AtomicU64>,
}

impl Layer {
    pub(crate) fn new(number: u64, stone: Arc<Stone>) -> Self {
        Layer { number, stone, swept: Arc::default() }
    }

    /// Where a sweep goes on. Expirations lie before the epoch too.
    fn swept(&self) -> f64 {
        match self.swept.load(Ordering::Acquire) {
            0 => f64::NEG_INFINITY,
            time => time as f64,
        }
    }
}

/// The stack at one moment. Readers take it whole and never wait for the next one.
#[derive(Clone, Default)]
pub(crate) struct Levels {
    /// Takes the writes.
    pub(crate) active: Arc<Memtable>,
    /// Closed, waiting to become stones; newest first.
    pub(crate) frozen: Vec<Arc<Memtable>>,
    /// Newest first.
    pub(crate) stones: Vec<Layer>,
    /// The stones hold no commit after this one.
    pub(crate) settled_sequence: u64,
}

/// A record somewhere in a stack.
pub(crate) enum Found {
    Held(Held),
    Stored(StoneRecord),
}

impl Found {
    pub(crate) fn meta(&self) -> &Meta {
        match self {
            Found::Held(held) => &held.meta,
            Found::Stored(record) => record.meta(),
        }
    }
}

impl Levels {
    fn memtables(&self) -> impl Iterator<Item = &Arc<Memtable>> {
        std::iter::once(&self.active).chain(&self.frozen)
    }

    /// The newest record under `key` that a reader at `sequence` sees, a tombstone too; and how many stones were asked.
    pub(crate) fn find(&self, key: &[u8], sequence: u64) -> Result<(Option<Found>, u32)> {
        if let Some(held) = self.memtables().find_map(|memtable| memtable.get(key, sequence)) {
            return Ok((Some(Found::Held(held.clone())), 0));
        }
        let (found, asked) = self.find_stored(key, |stone, hash| stone.get(key, hash))?;
        Ok((found.map(Found::Stored), asked))
    }

    /// As [`Levels::find`], for somebody who needs the record no longer than he looks at it.
    pub(crate) fn show<T>(
        &self,
        key: &[u8],
        sequence: u64,
        show: impl FnOnce(&Entry<'_>) -> T,
    ) -> Result<(Option<T>, u32)> {
        if let Some(held) = self.memtables().find_map(|memtable| memtable.get(key, sequence)) {
            return Ok((Some(show(&held.entry(key))), 0));
        }
        let mut show = Some(show);
        let look = |stone: &Arc<Stone>, hash| stone.show(key, hash, |entry| show.take().map(|show| show(entry)));
        let (seen, asked) = self.find_stored(key, look)?;
        Ok((seen.flatten(), asked))
    }

    /// The newest meta data under `key`, whatever its commit, and the length of the value.
    pub(crate) fn newest_meta(&self, key: &[u8]) -> Result<Option<(Meta, usize)>> {
        if let Some(found) = self.memtables().find_map(|memtable| memtable.newest_meta(key)) {
            return Ok(Some(found));
        }
        let look = |stone: &Arc<Stone>, hash| stone.show(key, hash, |entry| (entry.meta, entry.value.len()));
        Ok(self.find_stored(key, look)?.0)
    }

    /// What `look` finds in the newest stone that has the key, whose hash it is told; and how many were asked.
    fn find_stored<T>(
        &self,
        key: &[u8],
        mut look: impl FnMut(&Arc<Stone>, u64) -> Result<Option<T>>,
    ) -> Result<(Option<T>, u32)> {
        if self.stones.is_empty() {
            return Ok((None, 0));
        }
        let hash = key_hash(key);
        let mut asked = 0;
        for layer in &self.stones {
            asked += 1;
            if let Some(found) = look(&layer.stone, hash)? {
                return Ok((Some(found), asked));
            }
        }
        Ok((None, asked))
    }

    /// The records within the bounds as a reader at `sequence` sees them, newest first, in key order or against it. At most
    /// `limit` are wanted, if none of them is a tombstone.
    pub(crate) fn runs(&self, bounds: &Bounds, sequence: u64, reverse: bool, limit: Option<usize>) -> Result<Vec<Run>> {
        let memtables = self.memtables().map(|memtable| {
            let walk = MemtableWalk::new(memtable, bounds.clone(), sequence, reverse, limit);
            Ok(Run::Memtable(walk))
        });
        let stones = self.stones.iter().map(|layer| Run::stone(&layer.stone, bounds.clone(), reverse));
        memtables.chain(stones).collect()
    }

    pub(crate) fn memory(&self) -> usize {
        self.memtables().map(|memtable| memtable.bytes()).sum()
    }

    /// The keys of records that have expired before `now`, with repetitions, some of them written again since.
    pub(crate) fn expired_keys(&self, now: u64) -> Result<Vec<Vec<u8>>> {
        let mut keys = Vec::new();
        for memtable in self.memtables() {
            memtable.expired_keys(now, &mut keys);
        }
        for layer in &self.stones {
            for record in layer.stone.expirations(layer.swept(), now as f64)? {
                keys.push(record?.key().to_vec());
            }
        }
        Ok(keys)
    }

    /// How many expirations lie before `moment`, those included of records that have been replaced since.
    pub(crate) fn count_expirations(&self, moment: f64) -> Result<u64> {
        let recent: u64 = self.memtables().map(|memtable| memtable.count_expirations(moment)).sum();
        self.stones.iter().try_fold(recent, |sum, layer| Ok(sum + layer.stone.count_expirations(moment)?))
    }

    /// Says that no record that expired before `now` is left.
    pub(crate) fn forget_expired(&self, now: u64) {
        for memtable in self.memtables() {
            memtable.forget_expired(now);
        }
        for layer in &self.stones {
            layer.swept.store(now, Ordering::Release);
        }
    }
}

/// A table's identity, its stack and its counts.
pub(crate) struct Table {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) levels: ArcSwap<Levels>,
    live_records: AtomicU64,
    live_bytes: AtomicU64,
    pub(crate) dropped: AtomicBool,
    /// Whether a record with an expiration was ever written, so that a table without any is not searched for them.
    pub(crate) expires: AtomicBool,
}

impl Table {
    pub(crate) fn new(id: u32, name: &str, settled: Count, stones: Vec<Layer>) -> Self {
        let levels = Levels { stones, ..Levels::default() };
        Table {
            id,
            name: name.into(),
            levels: ArcSwap::from_pointee(levels),
            live_records: AtomicU64::new(settled.records),
            live_bytes: AtomicU64::new(settled.bytes),
            dropped: AtomicBool::new(false),
            expires: AtomicBool::new(false),
        }
    }

    /// Records that are not deleted; expired ones count until they are swept.
    pub(crate) fn live(&self) -> Count {
        Count { records: self.live_records.load(Ordering::Acquire), bytes: self.live_bytes.load(Ordering::Acquire) }
    }

    /// Takes the stack and the counts of `other`, the same table as it was read anew. What is in it counts as committed
    /// up to `sequence`.
    pub(crate) fn become_like(&self, other: &Table, sequence: u64) {
        let Count { records, bytes } = other.live();
        let levels = Levels { settled_sequence: sequence, ..Levels::clone(&other.levels.load()) };
        self.levels.swap(Arc::new(levels));
        self.live_records.store(records, Ordering::Release);
        self.live_bytes.store(bytes, Ordering::Release);
        self.expires.store(other.expires.load(Ordering::Acquire), Ordering::Release);
    }

    /// Lets the stack go of a table that is no more, and returns it.
    pub(crate) fn drop_stack(&self) -> Arc<Levels> {
        self.dropped.store(true, Ordering::Release);
        self.levels.swap(Arc::default())
    }

    /// Adds records in place of others. Only the holder of the commit lock calls this.
    pub(crate) fn recount(&self, change: &Recount) {
        self.live_records.fetch_add(change.records as u64, Ordering::AcqRel);
        self.live_bytes.fetch_add(change.bytes as u64, Ordering::AcqRel);
    }

    /// Changes the stack and returns the one before. The closure may run again if another change comes between.
    pub(crate) fn restack(&self, change: impl Fn(&mut Levels)) -> Arc<Levels> {
        self.levels.rcu(|levels| {
            let mut changed = Levels::clone(levels);
            change(&mut changed);
            changed
        })
    }
}

/// A change of a table's counts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Recount {
    records: i64,
    bytes: i64,
}

impl Recount {
    /// One record gives way to another; tombstones and absent records count as nothing.
    pub(crate) fn replace(&mut self, key: &[u8], old: Option<(Meta, usize)>, new: Option<usize>) {
        if let Some((meta, value)) = old
            && !meta.tombstone
        {
            self.records -= 1;
            self.bytes -= (key.len() + value) as i64;
        }
        if let Some(value) = new {
            self.records += 1;
            self.bytes += (key.len() + value) as i64;
        }
    }
}
