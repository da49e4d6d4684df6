//! What was written since the last flush: ordered in memory, backed by the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::hint::black_box;
use std::ops::{Bound, ControlFlow};
use std::sync::atomic::Ordering;

use foldhash::fast::RandomState;

use crate::error::Result;
use crate::places::Places;
use crate::record::{Edge, Entry, Meta, Visit};
use crate::slice::{Key, Slice, prefix};
use crate::stone::key_hash;
use crate::sync::{AtomicUsize, Mutex, RwLock};

/// A record in memory, and the commit that wrote it.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) sequence: u64,
    pub(crate) meta: Meta,
    pub(crate) value: Slice,
}

impl Held {
    /// The record with its key.
    pub(crate) fn entry<'a>(&'a self, key: &'a [u8]) -> Entry<'a> {
        Entry { key, meta: self.meta, value: &self.value }
    }
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

/// The chains of a memtable, in the order in which their keys were first written.
#[derive(Default)]
struct Chains {
    chains: Vec<(Key, Chain)>,
    hasher: RandomState,
    /// Where each key's chain is, by the key's hash.
    places: Places,
    /// The same by order of the keys, from the first time on that somebody asked for it. Most memtables get to be stones
    /// before, and to sort the keys once is much cheaper than to put each in its place when it comes.
    order: Option<BTreeMap<Key, usize>>,
}

impl Chains {
    fn hash(&self, key: &[u8]) -> u32 {
        (self.hasher.hash_one(key) >> 32) as u32
    }

    fn place(&self, hash: u32, key: &[u8]) -> Option<usize> {
        self.places.find(hash, |place| self.chains.get(place).is_some_and(|(other, _)| **other == *key))
    }

    fn get(&self, key: &[u8]) -> Option<&Chain> {
        self.chains.get(self.place(self.hash(key), key)?).map(|(_, chain)| chain)
    }

    /// Puts a record on top of its key's chain, which is begun if there is none. As [`Chain::push`].
    fn push(&mut self, key: Key, held: Held, snapshots_open: bool) -> (usize, usize) {
        let hash = self.hash(&key);
        if let Some(place) = self.place(hash, &key) {
            let chain = self.chains.get_mut(place);
            return chain.map_or((0, 0), |(_, chain)| chain.push(held, snapshots_open));
        }
        let place = self.chains.len();
        self.places.add(hash, place);
        if let Some(order) = &mut self.order {
            order.insert(key.clone(), place);
        }
        self.chains.push((key, Chain { newest: held, older: Vec::new() }));
        (0, 0)
    }

    /// The keys that were first written after `count` others, with their places.
    fn keys_after(&self, count: usize) -> impl Iterator<Item = (Key, usize)> {
        self.chains.iter().enumerate().skip(count).map(|(place, (key, _))| (key.clone(), place))
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

/// What a record takes in memory beside its bytes in the journal's frame, as long as nobody asks for the order: its chain,
/// and at most three slots of [`Places`].
const OVERHEAD: usize = size_of::<(Key, Chain)>() + 3 * size_of::<u64>();

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
        self.put_in_order();
        let chains = self.chains.read();
        let Some(order) = &chains.order else { return Vec::new() };
        let range = order.range::<[u8], _>(bounds);
        let seen = |(_, place): (&Key, &usize)| {
            let (key, chain) = chains.chains.get(*place)?;
            Some((key, chain.at(sequence)?))
        };
        let page: Vec<(&Key, &Held)> = if reverse {
            range.rev().filter_map(seen).take(max).collect()
        } else {
            range.filter_map(seen).take(max).collect()
        };
        touch(page.iter().map(|(_, held)| *held));
        page.into_iter().map(|(key, held)| (key.clone(), held.clone())).collect()
    }

    /// The newest records of about so many keys, picked by their hashes: every hundredth might end like the others.
    pub(crate) fn sample(&self, count: u64) -> Vec<(Key, Held)> {
        let chains = self.chains.read();
        let every = (chains.chains.len() as u64 / count.max(1)).max(1);
        let picked = chains.chains.iter().filter(|(key, _)| key_hash(key).is_multiple_of(every));
        picked.map(|(key, chain)| (key.clone(), chain.newest.clone())).collect()
    }

    /// Sees to it that the order of the keys is known, and kept from now on.
    fn put_in_order(&self) {
        if self.chains.read().order.is_some() {
            return;
        }
        // Sorted without the lock, so that nobody waits for it.
        let keys: Vec<_> = self.chains.read().keys_after(0).collect();
        let mut order: BTreeMap<Key, usize> = keys.into_iter().collect();
        let mut chains = self.chains.write();
        if chains.order.is_none() {
            order.extend(chains.keys_after(order.len()));
            chains.order = Some(order);
        }
    }

    /// The places of all records, in the order of their keys, for [`Memtable::newest`] and [`Memtable::visit`].
    pub(crate) fn sorted(&self) -> Vec<u32> {
        let chains = self.chains.read();
        if let Some(order) = &chains.order {
            return order.values().map(|place| *place as u32).collect();
        }
        let key = |place: u32| chains.chains.get(place as usize).map(|(key, _)| key);
        let mut places: Vec<(u64, u32)> = chains.chains.iter().map(|(key, _)| prefix(key)).zip(0..).collect();
        // The keys themselves lie far from each other.
        places.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| key(a.1).cmp(&key(b.1))));
        places.iter().map(|(_, place)| *place).collect()
    }

    /// The newest record at a place.
    pub(crate) fn newest(&self, place: u32) -> Option<(Key, Held)> {
        let chains = self.chains.read();
        chains.chains.get(place as usize).map(|(key, chain)| (key.clone(), chain.newest.clone()))
    }

    /// Shows the newest records at these places, where they lie, until `visit` breaks off.
    pub(crate) fn visit(&self, places: &[u32], visit: &mut Visit<'_>) -> Result<ControlFlow<Edge>> {
        let chains = self.chains.read();
        let there = || places.iter().filter_map(|place| chains.chains.get(*place as usize));
        touch(there().map(|(_, chain)| &chain.newest));
        for (key, Chain { newest, .. }) in there() {
            let flow = visit(&newest.entry(key))?;
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
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

/// Loads the values of records into the processor's cache. In the order of keys each lies somewhere else, and to touch them
/// all at once is to wait for memory once.
fn touch<'a>(records: impl Iterator<Item = &'a Held>) {
    let ends = records.map(|held| (held.value.first(), held.value.last()));
    black_box(ends.fold(0, |sum, ends| sum ^ ends.0.unwrap_or(&0) ^ ends.1.unwrap_or(&0)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Kind;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn insert(memtable: &Memtable, key: &[u8], sequence: u64) {
        let frame: Arc<[u8]> = [key, &sequence.to_le_bytes()].concat().into();
        let meta = Meta {
            kind: Kind::BYTES,
            tombstone: false,
            version: sequence,
            time: 0,
            expiration: None,
            dictionary: None,
        };
        let held = Held { sequence, meta, value: Slice::new(&frame, key.len()..frame.len()) };
        memtable.insert(std::iter::once((Key::new(&frame, 0..key.len()), held)), false);
    }

    fn paged(memtable: &Memtable) -> Vec<(Vec<u8>, u64)> {
        let page = memtable.page((Bound::Unbounded, Bound::Unbounded), false, u64::MAX, usize::MAX);
        page.into_iter().map(|(key, held)| (key.to_vec(), held.sequence)).collect()
    }

    fn visited(memtable: &Memtable) -> Vec<(Vec<u8>, u64)> {
        let mut seen = Vec::new();
        let mut visit = |entry: &Entry<'_>| {
            assert_eq!(entry.value, entry.meta.version.to_le_bytes());
            seen.push((entry.key.to_vec(), entry.meta.version));
            Ok(ControlFlow::Continue(()))
        };
        assert!(memtable.visit(&memtable.sorted(), &mut visit).unwrap().is_continue());
        seen
    }

    proptest! {
        #[test]
        fn records_are_in_the_order_of_their_keys_whenever_that_is_asked_for(
            // Some keys are a part of others, some differ behind their first 8 bytes or are longer than is kept in place.
            keys in proptest::collection::vec("(|prefix__)[a-c\0]{0,3}(|[xy]{30})", 0..60),
            // Often never, before the flush.
            first_asked in 0..120_usize,
        ) {
            let memtable = Memtable::default();
            let mut expected = BTreeMap::new();
            for (key, sequence) in keys.iter().zip(1..) {
                insert(&memtable, key.as_bytes(), sequence);
                expected.insert(key.clone().into_bytes(), sequence);
                if sequence as usize > first_asked {
                    prop_assert_eq!(paged(&memtable), expected.clone().into_iter().collect::<Vec<_>>());
                }
            }
            let expected: Vec<_> = expected.into_iter().collect();
            prop_assert_eq!(visited(&memtable), &*expected);
            prop_assert_eq!(paged(&memtable), &*expected);
            prop_assert_eq!(visited(&memtable), expected);
        }
    }

    #[test]
    fn a_visit_ends_where_it_is_broken_off() {
        let memtable = Memtable::default();
        (0..100_u8).for_each(|n| insert(&memtable, &[n], u64::from(n) + 1));
        let mut seen = 0;
        let mut visit = |_: &Entry<'_>| {
            seen += 1;
            Ok(if seen == 7 { ControlFlow::Break(Edge::Behind) } else { ControlFlow::Continue(()) })
        };
        assert!(memtable.visit(&memtable.sorted(), &mut visit).unwrap().is_break());
        assert_eq!(seen, 7);
    }
}
