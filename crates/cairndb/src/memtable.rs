//! What was written since the last flush: ordered in memory, backed by the journal.

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::iter;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use foldhash::fast::RandomState;

use crate::error::Result;
use crate::log::Log;
use crate::order::Order;
use crate::places::Places;
use crate::range::Bounds;
use crate::record::{Edge, Entry, Meta, Visit};
use crate::slice::{Key, Slice};
use crate::stone::key_hash;
use crate::sync::{ArcSwap, AtomicU32, AtomicUsize, Mutex};

/// A record in memory, and the commit that wrote it.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) sequence: u64,
    pub(crate) meta: Meta,
    pub(crate) value: Slice,
}

impl Held {
    /// The first and the last byte of the value.
    fn ends(&self) -> (u8, u8) {
        (self.value.first().copied().unwrap_or(0), self.value.last().copied().unwrap_or(0))
    }

    /// The record with its key.
    pub(crate) fn entry<'a>(&'a self, key: &'a [u8]) -> Entry<'a> {
        Entry { key, meta: self.meta, value: &self.value }
    }
}

/// A version of a key.
struct Version {
    key: Key,
    held: Held,
    /// Where the one before it stands, and the one after it, counted from 1; 0 if there is none.
    older: u32,
    newer: AtomicU32,
}

/// The recent records of one table: every version of every key, until the table is flushed. So each reader finds what he may
/// see, however old his snapshot is, and nobody has to know of him.
///
/// Readers wait for nobody, whatever is being written meanwhile.
pub(crate) struct Memtable {
    /// In the order in which they were written.
    versions: Log<Version>,
    hasher: RandomState,
    /// Where the newest version of each key is, by the key's hash.
    newest: Places,
    /// The same by the order of the keys, as far as somebody has asked for it. Most memtables get to be stones before, and to
    /// sort the keys once is much cheaper than to put each in its place when it comes.
    order: ArcSwap<Order>,
    /// Expirations by time. An entry may be out of date: whoever uses it looks at the record.
    expirations: Mutex<BTreeSet<(u64, Key)>>,
    bytes: AtomicUsize,
}

/// What a record takes in memory beside its bytes in the journal's frame, as long as nobody asks for the order: itself, and at
/// most three slots of [`Places`].
const OVERHEAD: usize = size_of::<Version>() + 3 * size_of::<u64>();

impl Default for Memtable {
    fn default() -> Self {
        Memtable {
            versions: Log::default(),
            hasher: RandomState::default(),
            newest: Places::default(),
            order: ArcSwap::from_pointee(Order::default()),
            expirations: Mutex::default(),
            bytes: AtomicUsize::default(),
        }
    }
}

impl Memtable {
    /// Memory held, in bytes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.versions.len() == 0
    }

    /// Adds the records of one commit and returns how many bytes of memory that takes. Only the holder of the commit lock
    /// calls this.
    pub(crate) fn insert(&self, records: impl Iterator<Item = (Key, Held)>) -> usize {
        let mut versions = self.versions.appender();
        let mut added = 0;
        for (key, held) in records {
            added += key.len() + held.value.len() + OVERHEAD;
            if let Some(at) = held.meta.expiration {
                self.expirations.lock().insert((order_of(at), key.clone()));
            }
            let hash = self.hash(&key);
            let place = self.versions.len();
            let before = self.place(hash, &key);
            if let Some(before) = before.and_then(|before| self.versions.get(before)) {
                // Told first: whoever finds the new one in the log knows by then that this one is not the newest.
                before.newer.store(place as u32 + 1, Ordering::Release);
            }
            let older = before.map_or(0, |before| before as u32 + 1);
            versions.push(Version { key, held, older, newer: AtomicU32::new(0) });
            self.newest.put(hash, before, place);
        }
        self.bytes.fetch_add(added, Ordering::Relaxed);
        added
    }

    fn hash(&self, key: &[u8]) -> u32 {
        (self.hasher.hash_one(key) >> 32) as u32
    }

    fn place(&self, hash: u32, key: &[u8]) -> Option<usize> {
        self.newest.find(hash, |place| self.versions.get(place).is_some_and(|version| *version.key == *key))
    }

    fn newest(&self, key: &[u8]) -> Option<&Version> {
        self.versions.get(self.place(self.hash(key), key)?)
    }

    /// The version of `newest` and those before it that a reader at `sequence` sees.
    fn seen<'a>(&'a self, newest: &'a Version, sequence: u64) -> Option<&'a Version> {
        let older = |version: &&'a Version| self.versions.get((version.older as usize).checked_sub(1)?);
        iter::successors(Some(newest), older).find(|version| version.held.sequence <= sequence)
    }

    /// What a writer holds while he writes.
    #[cfg(test)]
    pub(crate) fn lock_for_test(&self) -> impl Sized + '_ {
        self.versions.appender()
    }

    /// The record under `key` as a reader at `sequence` sees it; a tombstone too.
    pub(crate) fn get(&self, key: &[u8], sequence: u64) -> Option<&Held> {
        Some(&self.seen(self.newest(key)?, sequence)?.held)
    }

    /// The meta data alone of the newest record under `key`, with the length of its value.
    pub(crate) fn newest_meta(&self, key: &[u8]) -> Option<(Meta, usize)> {
        let Held { meta, value, .. } = &self.newest(key)?.held;
        Some((*meta, value.len()))
    }

    /// Up to `max` records within the bounds, in key order or, `reverse`, against it. Copies handles, no bytes.
    pub(crate) fn page(
        &self,
        bounds: (Bound<&[u8]>, Bound<&[u8]>),
        reverse: bool,
        sequence: u64,
        max: usize,
    ) -> Vec<(Key, Held)> {
        let order = self.order();
        let places = order.range(bounds, reverse, |place| self.key(place));
        let newest = places.filter_map(|place| self.versions.get(place as usize));
        let page: Vec<&Version> = newest.filter_map(|newest| self.seen(newest, sequence)).take(max).collect();
        touch(page.iter().map(|version| version.held.ends()));
        page.into_iter().map(|version| (version.key.clone(), version.held.clone())).collect()
    }

    fn versions_at<'a, 'p>(&'a self, places: &'p [u32]) -> impl Iterator<Item = &'a Version> + use<'a, 'p> {
        places.iter().filter_map(|place| self.versions.get(*place as usize))
    }

    fn key(&self, place: u32) -> &[u8] {
        self.versions.get(place as usize).map_or(&[], |version| &version.key)
    }

    /// The order of all keys that are there. Who finds that there is more puts it in order for others, too: two who do it at
    /// once do it twice, and neither waits.
    fn order(&self) -> Arc<Order> {
        let order = self.order.load_full();
        let len = self.versions.len();
        if order.len() >= len {
            return order;
        }
        let is_newest = |place: u32| {
            let newer = self.versions.get(place as usize).map_or(0, |version| version.newer.load(Ordering::Acquire));
            newer == 0 || newer as usize > len
        };
        let order = order.with(len, |place| is_newest(place).then(|| self.key(place)), |place| self.key(place));
        self.order.rcu(|current| if current.len() < order.len() { order.clone() } else { Order::clone(current) });
        Arc::new(order)
    }

    /// The newest records of about so many keys, picked by their hashes: every hundredth might end like the others.
    pub(crate) fn sample(&self, count: u64) -> Vec<(Key, Held)> {
        let every = (self.versions.len() as u64 / count.max(1)).max(1);
        let newest = self.versions.iter().filter(|version| version.newer.load(Ordering::Acquire) == 0);
        let picked = newest.filter(|version| key_hash(&version.key).is_multiple_of(every));
        picked.map(|version| (version.key.clone(), version.held.clone())).collect()
    }

    /// The places of the newest records, in the order of their keys, for [`Memtable::at`] and [`Memtable::visit`].
    pub(crate) fn sorted(&self) -> Vec<u32> {
        self.order().range(Bounds::all().as_ref(), false, |place| self.key(place)).collect()
    }

    /// The record at a place.
    pub(crate) fn at(&self, place: u32) -> Option<(Key, Held)> {
        self.versions.get(place as usize).map(|version| (version.key.clone(), version.held.clone()))
    }

    /// Shows the records at these places, where they lie, until `visit` breaks off.
    pub(crate) fn visit(&self, places: &[u32], visit: &mut Visit<'_>) -> Result<ControlFlow<Edge>> {
        touch(self.versions_at(places).map(|version| version.held.ends()));
        for version in self.versions_at(places) {
            let flow = visit(&version.held.entry(&version.key))?;
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

/// Loads what lies scattered into the processor's cache: to look at all of it at once is to wait for memory once.
fn touch<T>(there: impl Iterator<Item = T>) {
    there.for_each(|part| drop(black_box(part)));
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
    use std::collections::BTreeMap;

    fn record(key: &[u8], sequence: u64) -> (Key, Held) {
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
        (Key::new(&frame, 0..key.len()), held)
    }

    fn insert(memtable: &Memtable, key: &[u8], sequence: u64) {
        memtable.insert(iter::once(record(key, sequence)));
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

    proptest! {
        #[test]
        fn every_reader_finds_what_there_was_when_he_began(
            // Commits of some records, a few of which write a key twice.
            commits in proptest::collection::vec(proptest::collection::vec("[a-f]", 1..4), 1..30),
            ordered in any::<bool>(),
        ) {
            let memtable = Memtable::default();
            let mut expected: Vec<BTreeMap<Vec<u8>, u64>> = vec![BTreeMap::new()];
            for (keys, sequence) in commits.iter().zip(1..) {
                let mut now = expected.last().unwrap().clone();
                now.extend(keys.iter().map(|key| (key.clone().into_bytes(), sequence)));
                // Nobody who reads in the middle of a commit sees any of it.
                let reader = |before: &BTreeMap<Vec<u8>, u64>| {
                    for key in b'a'..=b'f' {
                        let found = memtable.get(&[key], sequence - 1).map(|held| held.sequence);
                        assert_eq!(found, before.get(&[key][..]).copied());
                    }
                    if ordered {
                        let page = memtable.page(Bounds::all().as_ref(), false, sequence - 1, usize::MAX);
                        let page = page.into_iter().map(|(key, held)| (key.to_vec(), held.sequence));
                        assert_eq!(page.collect::<BTreeMap<_, _>>(), *before);
                    }
                };
                let before = expected.last().unwrap();
                memtable.insert(keys.iter().map(|key| {
                    reader(before);
                    record(key.as_bytes(), sequence)
                }));
                expected.push(now);
            }
            for (sequence, map) in (0..).zip(&expected) {
                for reverse in [false, true] {
                    let mut page = memtable.page(Bounds::all().as_ref(), reverse, sequence, usize::MAX);
                    if reverse {
                        page.reverse();
                    }
                    let page: Vec<_> = page.into_iter().map(|(key, held)| (key.to_vec(), held.sequence)).collect();
                    prop_assert_eq!(page, map.clone().into_iter().collect::<Vec<_>>());
                }
                for (key, newest) in map {
                    prop_assert_eq!(memtable.get(key, sequence).map(|held| held.sequence), Some(*newest));
                }
            }
            let newest: Vec<_> = expected.pop().unwrap().into_iter().collect();
            prop_assert_eq!(visited(&memtable), newest);
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
