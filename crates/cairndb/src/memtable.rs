//! What was written since the last flush: ordered in memory, backed by the journal.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::atomic::Ordering;

use foldhash::fast::RandomState;

use crate::record::Meta;
use crate::slice::{Key, Slice};
use crate::stone::key_hash;
use crate::sync::{AtomicUsize, Mutex, RwLock};

/// A record in memory, and the commit that wrote it.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) sequence: u64,
    pub(crate) meta: Meta,
    pub(crate) value: Slice,
}

/// The versions of one key, as far as a reader may still ask for them.
struct Chain {
    newest: Held,
    /// Oldest first. Empty almost always, and then it takes no memory of its own.
    older: Vec<Held>,
}

impl Chain {
    /// The newest version that a reader at `sequence` may see.
    fn at(&self, sequence: u64) -> Option<&Held> {
        if self.newest.sequence <= sequence {
            return Some(&self.newest);
        }
        self.older.iter().rev().find(|held| held.sequence <= sequence)
    }

    /// What a reader without a snapshot gets, who saw all commits up to `visible` when it began.
    ///
    /// Since then the key may have been written more than once, and the version that was newest then been let go. Then
    /// the oldest that is left is returned: it was committed while the reader was reading.
    fn recent(&self, visible: u64) -> Option<&Held> {
        self.at(visible).or_else(|| self.older.first())
    }

    /// Puts `held` on top.
    ///
    /// Readers see commits up to some sequence below that of `held`, so the version that was on top has to stay for
    /// them. The ones below it have to stay only while a snapshot is open: a reader that comes now sees at least the
    /// commit before this one.
    ///
    /// Gives the bytes that the values take which were let go, and how many they are.
    fn push(&mut self, held: Held, snapshots_open: bool) -> (usize, usize) {
        let previous = std::mem::replace(&mut self.newest, held);
        if previous.sequence == self.newest.sequence {
            return (previous.value.len(), 1);
        }
        let mut gone = (0, 0);
        if !snapshots_open {
            gone = (self.older.iter().map(|old| old.value.len()).sum(), self.older.len());
            self.older.clear();
        }
        self.older.push(previous);
        gone
    }
}

/// The chains of a memtable: found by their key in two steps, and walked in the order of keys.
///
/// A search tree alone would be one structure less. But each step down a large one waits for memory, so that a write in
/// a table of a million records cost three times as much as in one of a thousand.
#[derive(Default)]
struct Chains {
    chains: Vec<Chain>,
    /// Where each key's chain is.
    places: HashMap<Key, usize, RandomState>,
    /// The same, by order of the keys.
    order: BTreeMap<Key, usize>,
}

impl Chains {
    fn get(&self, key: &[u8]) -> Option<&Chain> {
        self.places.get(key).and_then(|place| self.chains.get(*place))
    }

    /// Puts a record on top of its key's chain, which is begun if there is none. As [`Chain::push`].
    fn push(&mut self, key: Key, held: Held, snapshots_open: bool) -> (usize, usize) {
        match self.places.entry(key) {
            Entry::Occupied(place) => {
                let chain = self.chains.get_mut(*place.get());
                chain.map_or((0, 0), |chain| chain.push(held, snapshots_open))
            }
            Entry::Vacant(vacant) => {
                let place = self.chains.len();
                self.order.insert(vacant.key().clone(), place);
                vacant.insert(place);
                self.chains.push(Chain { newest: held, older: Vec::new() });
                (0, 0)
            }
        }
    }
}

/// The recent records of one table.
#[derive(Default)]
pub(crate) struct Memtable {
    chains: RwLock<Chains>,
    /// Expirations by time. An entry may be out of date: whoever uses it looks at the record.
    expirations: Mutex<BTreeSet<(u64, Key)>>,
    bytes: AtomicUsize,
}

/// What a record takes in memory beside its bytes in the journal's frame.
const OVERHEAD: usize = 240;

impl Memtable {
    /// Memory held, in bytes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chains.read().chains.is_empty()
    }

    /// Adds the records of one commit and returns how many bytes of memory that takes, less than none if larger ones
    /// were let go. Only the holder of the commit
    /// lock calls this.
    pub(crate) fn insert(&self, records: impl Iterator<Item = (Key, Held)>, snapshots_open: bool) -> isize {
        let mut change = 0_isize;
        let mut chains = self.chains.write();
        for (key, held) in records {
            let cost = key.len() + OVERHEAD;
            change += (cost + held.value.len()) as isize;
            if let Some(at) = held.meta.expiration {
                self.expirations.lock().insert((order_of(at), key.clone()));
            }
            let (bytes, count) = chains.push(key, held, snapshots_open);
            change -= (bytes + count * cost) as isize;
        }
        // Adding a negative number wraps round to the right sum.
        self.bytes.fetch_add(change as usize, Ordering::Relaxed);
        change
    }

    /// The record under `key` as a reader at `sequence` sees it; a tombstone too.
    pub(crate) fn get(&self, key: &[u8], sequence: u64) -> Option<Held> {
        self.chains.read().get(key).and_then(|chain| chain.at(sequence)).cloned()
    }

    /// The record under `key` for a reader without a snapshot, who saw all commits up to `visible` when it began.
    pub(crate) fn recent(&self, key: &[u8], visible: u64) -> Option<Held> {
        self.chains.read().get(key).and_then(|chain| chain.recent(visible)).cloned()
    }

    /// The meta data alone of the newest record under `key`, with the length of its value.
    pub(crate) fn newest_meta(&self, key: &[u8]) -> Option<(Meta, usize)> {
        self.chains.read().get(key).map(|chain| (chain.newest.meta, chain.newest.value.len()))
    }

    /// Up to `max` records within the bounds, in key order or, `reverse`, against it. Copies handles, no bytes, and
    /// holds the lock no longer than that takes.
    pub(crate) fn page(
        &self,
        bounds: (Bound<&[u8]>, Bound<&[u8]>),
        reverse: bool,
        sequence: u64,
        max: usize,
    ) -> Vec<(Key, Held)> {
        if is_empty_range(bounds) {
            return Vec::new();
        }
        let chains = self.chains.read();
        let range = chains.order.range::<[u8], _>(bounds);
        let seen = |(key, place): (&Key, &usize)| Some((key.clone(), chains.chains.get(*place)?.at(sequence)?.clone()));
        if reverse {
            range.rev().filter_map(seen).take(max).collect()
        } else {
            range.filter_map(seen).take(max).collect()
        }
    }

    /// The newest records of about so many keys, picked by their hashes: every hundredth might end like the others.
    pub(crate) fn sample(&self, count: u64) -> Vec<(Key, Held)> {
        let chains = self.chains.read();
        let every = (chains.order.len() as u64 / count).max(1);
        let picked = chains.order.iter().filter(|(key, _)| key_hash(key).is_multiple_of(every));
        picked.filter_map(|(key, place)| Some((key.clone(), chains.chains.get(*place)?.newest.clone()))).collect()
    }

    /// Appends the keys of records that expire before `now`, some of which may have been written again since.
    pub(crate) fn expired_keys(&self, now: u64, keys: &mut Vec<Vec<u8>>) {
        let end = order_of(now as f64);
        keys.extend(self.expirations.lock().iter().take_while(|(at, _)| *at < end).map(|(_, key)| key.to_vec()));
    }

    /// How many expirations lie before `moment`; also those of records that have been written again since.
    pub(crate) fn count_expirations(&self, moment: f64) -> u64 {
        let end = order_of(moment);
        self.expirations.lock().iter().take_while(|(at, _)| *at < end).count() as u64
    }

    /// Forgets the expirations before `now`, of which the records were removed. One that was written meanwhile with an
    /// expiration in the past is found again in the stone that it gets to.
    pub(crate) fn forget_expired(&self, now: u64) {
        let mut expirations = self.expirations.lock();
        let end = order_of(now as f64);
        while expirations.first().is_some_and(|(at, _)| *at < end) {
            expirations.pop_first();
        }
    }
}

/// `BTreeMap::range` panics on bounds that cross.
fn is_empty_range(bounds: (Bound<&[u8]>, Bound<&[u8]>)) -> bool {
    match bounds {
        (Bound::Included(low), Bound::Included(high)) => low > high,
        (Bound::Included(low) | Bound::Excluded(low), Bound::Included(high) | Bound::Excluded(high)) => low >= high,
        _ => false,
    }
}

/// Maps finite numbers to integers in the same order.
pub(crate) fn order_of(number: f64) -> u64 {
    let bits = (number + 0.0).to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}
