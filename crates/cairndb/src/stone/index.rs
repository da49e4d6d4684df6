//! The hash index: from a key to the place of its record, in one or two lines.

use super::format::{PAYLOAD, per_line, put_u40};
use super::place::Place;
use super::reader::Stone;
use crate::error::Result;

/// The hash of a key, by which every stone finds it.
pub(crate) fn key_hash(key: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(key)
}

/// How many buckets of so many slots leave one and a half slots free in each, on average.
fn bucket_count(records: u64, slots: u64) -> u64 {
    records.saturating_mul(2).div_ceil(2 * slots - 3)
}

/// The upper 56 bits of a key's hash: the index uses no more of it, so that the writer need not keep more.
#[derive(Clone, Copy)]
struct Hash56(u64);

impl Hash56 {
    fn new(hash: u64) -> Hash56 {
        Hash56(hash >> 8)
    }

    fn home(self, buckets: u64) -> u64 {
        ((u128::from(self.0) * u128::from(buckets)) >> 56) as u64
    }

    fn fingerprint(self) -> u8 {
        self.0 as u8
    }
}

/// Calls `visit` with the place of each record that may have the hash, until it gives something. What goes wrong with
/// one record does not matter if another is the one that is looked for.
pub(super) fn find<T>(stone: &Stone, hash: u64, visit: impl FnMut(Place) -> Result<Option<T>>) -> Result<Option<T>> {
    match stone.footer()?.slot() {
        4 => find_in::<4, T>(stone, hash, visit),
        5 => find_in::<5, T>(stone, hash, visit),
        _ => find_in::<6, T>(stone, hash, visit),
    }
}

/// As [`find`], in an index with slots of `N` bytes.
fn find_in<const N: usize, T>(
    stone: &Stone,
    hash: u64,
    mut visit: impl FnMut(Place) -> Result<Option<T>>,
) -> Result<Option<T>> {
    let region = &stone.footer()?.index;
    let buckets = region.lines();
    if buckets == 0 {
        return Ok(None);
    }
    let hash = Hash56::new(hash);
    let mut bucket = hash.home(buckets);
    let mut further = None;
    let mut missed = Ok(None);
    loop {
        let line = stone.line(region, bucket)?;
        let (slots, _) = line.as_chunks::<N>();
        for slot in slots {
            if slot.first() == Some(&hash.fingerprint()) && place(slot) != FREE {
                match visit(place(slot)) {
                    Ok(None) => {}
                    Err(error) => missed = Err(error),
                    found => return found,
                }
            }
        }
        let left = further.unwrap_or_else(|| reach(slots).min(buckets - 1));
        if left == 0 {
            return missed;
        }
        further = Some(left - 1);
        bucket = if bucket + 1 == buckets { 0 } else { bucket + 1 };
    }
}

/// A place that no record has.
const FREE: Place = Place(0);
/// The bit of a slot's last byte that counts for the reach of its bucket.
const REACH_BIT: u8 = 0x80;

/// The place in a slot: all behind the fingerprint but the mark.
fn place<const N: usize>(slot: &[u8; N]) -> Place {
    let mut bytes = [0; 8];
    if let (Some(low), Some((_, stored))) = (bytes.get_mut(..N - 1), slot.split_first()) {
        low.copy_from_slice(stored);
    }
    Place(u64::from_le_bytes(bytes) & ((1 << (8 * (N - 1) - 1)) - 1))
}

/// In how many buckets after this one records are that have it for their home.
fn reach<const N: usize>(slots: &[[u8; N]]) -> u64 {
    let marked = slots.iter().filter(|slot| slot.last().is_some_and(|last| last & REACH_BIT != 0)).count();
    // More is not told apart. Nobody gets there without choosing keys for their hashes.
    if marked == slots.len() { u64::MAX } else { marked as u64 }
}

/// How many slots of so many bytes are used in a bucket.
pub(super) fn used(line: &[u8; PAYLOAD], slot: usize) -> u64 {
    match slot {
        4 => used_in::<4>(line),
        5 => used_in::<5>(line),
        _ => used_in::<6>(line),
    }
}

fn used_in<const N: usize>(line: &[u8; PAYLOAD]) -> u64 {
    line.as_chunks::<N>().0.iter().filter(|slot| place(slot) != FREE).count() as u64
}

/// What the writer remembers of each record, in 12 bytes: 56 bits of the hash, 40 of the place.
#[derive(Clone, Copy)]
struct Item([u8; 12]);

impl Item {
    fn new(hash: u64, Place(place): Place) -> Item {
        let [a, b, c, d, e, f, g, _] = hash.to_be_bytes();
        let [h, i, j, k, l] = put_u40(place);
        Item([a, b, c, d, e, f, g, h, i, j, k, l])
    }

    fn hash(&self) -> Hash56 {
        let [a, b, c, d, e, f, g, ..] = self.0;
        Hash56(u64::from_be_bytes([0, a, b, c, d, e, f, g]))
    }

    /// The slot is long enough for the place: see `slot_for`.
    fn slot<const N: usize>(&self) -> [u8; N] {
        let [.., a, b, c, d, e] = self.0;
        let mut slot = [0; N];
        let bytes = [self.hash().fingerprint(), a, b, c, d, e];
        slot.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
        slot
    }
}

/// Collects the records of a stone that is written, and then lays out its index.
#[derive(Default)]
pub(super) struct IndexBuilder {
    items: Vec<Item>,
}

impl IndexBuilder {
    pub(super) fn add(&mut self, hash: u64, place: Place) {
        if self.items.len() == self.items.capacity() {
            // Doubling would let a large stone take 24 bytes a record.
            self.items.reserve_exact(self.items.len() / 4 + 64);
        }
        self.items.push(Item::new(hash, place));
    }

    /// Gives the buckets to `put`, first to last. In order of their hashes the records stand in order of their home
    /// buckets too, so the table is filled in one pass: each bucket takes what those before it had no room for, then
    /// its own.
    pub(super) fn write(self, slot: usize, put: impl FnMut(&[u8; PAYLOAD]) -> Result<()>) -> Result<()> {
        match slot {
            4 => self.write_slots::<4>(put),
            5 => self.write_slots::<5>(put),
            _ => self.write_slots::<6>(put),
        }
    }

    fn write_slots<const N: usize>(mut self, mut put: impl FnMut(&[u8; PAYLOAD]) -> Result<()>) -> Result<()> {
        let in_line = per_line(N);
        let buckets = bucket_count(self.items.len() as u64, in_line);
        self.items.sort_unstable_by_key(|item| item.hash().0);
        let wrapped = self.past_the_end(buckets, in_line);
        let (first, last) = self.items.split_at(self.items.len() - wrapped);
        let mut arriving = self.items.iter().map(|item| item.hash().home(buckets)).peekable();
        let mut placing = last.iter().chain(first);
        let mut waiting = wrapped as u64;
        for bucket in 0..buckets {
            let mut line = [0; PAYLOAD];
            let (slots, _) = line.as_chunks_mut::<N>();
            let mut at_home = 0;
            while arriving.next_if_eq(&bucket).is_some() {
                at_home += 1;
            }
            waiting += at_home;
            let reach = if at_home == 0 { 0 } else { (waiting - 1) / in_line };
            for (slot, item) in slots.iter_mut().zip(placing.by_ref().take(waiting.min(in_line) as usize)) {
                *slot = item.slot();
            }
            for last in slots.iter_mut().take(reach.min(in_line) as usize).filter_map(|slot| slot.last_mut()) {
                *last |= REACH_BIT;
            }
            waiting = waiting.saturating_sub(in_line);
            put(&line)?;
        }
        Ok(())
    }

    /// How many records, the last ones, find all slots from their home bucket to the last taken, and go to the first.
    /// Those that they push aside there find room before the end, since there are more slots than records.
    fn past_the_end(&self, buckets: u64, slots: u64) -> usize {
        let mut free = 0;
        let mut wrapped = 0;
        for item in &self.items {
            free = u64::max(free, item.hash().home(buckets) * slots);
            wrapped += usize::from(free >= buckets * slots);
            free += 1;
        }
        wrapped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Lays out an index of these hashes; the place of the record with hash `i` is `i + 1`.
    fn build<const N: usize>(hashes: &[u64]) -> Vec<[u8; PAYLOAD]> {
        let mut index = IndexBuilder::default();
        hashes.iter().enumerate().for_each(|(i, hash)| index.add(*hash, Place(i as u64 + 1)));
        let mut buckets = Vec::new();
        let put = |line: &[u8; PAYLOAD]| {
            buckets.push(*line);
            Ok(())
        };
        index.write(N, put).unwrap();
        buckets
    }

    /// Looks up as [`find`] does; gives the places with the hash's fingerprint and how many buckets it took.
    fn probe<const N: usize>(buckets: &[[u8; PAYLOAD]], hash: u64) -> (Vec<Place>, usize) {
        let hash = Hash56::new(hash);
        let home = hash.home(buckets.len() as u64) as usize;
        let reach = reach(buckets[home].as_chunks::<N>().0).min(buckets.len() as u64 - 1) as usize;
        let slots = (0..=reach).flat_map(|i| buckets[(home + i) % buckets.len()].as_chunks::<N>().0);
        let matching = slots.filter(|slot| slot[0] == hash.fingerprint() && place(slot) != FREE);
        (matching.map(place).collect(), reach + 1)
    }

    fn check(hashes: &[u64]) {
        check_slots::<4>(hashes);
        check_slots::<5>(hashes);
        check_slots::<6>(hashes);
    }

    fn check_slots<const N: usize>(hashes: &[u64]) {
        let buckets = build::<N>(hashes);
        assert_eq!(buckets.len() as u64, bucket_count(hashes.len() as u64, per_line(N)));
        assert_eq!(buckets.iter().map(|line| used(line, N)).sum::<u64>(), hashes.len() as u64);
        for (i, hash) in hashes.iter().enumerate() {
            assert!(probe::<N>(&buckets, *hash).0.contains(&Place(i as u64 + 1)), "{hash} of {hashes:?}");
        }
    }

    proptest! {
        #[test]
        fn every_record_is_found_from_its_home_bucket(
            hashes in proptest::collection::vec(prop_oneof![
                any::<u64>(),
                // Crowds at both ends of the table and in its middle.
                (0..100_u64).prop_map(|low| u64::MAX - (low << 56)),
                0..1000_u64,
                (0..9_u64).prop_map(|low| (1 << 63) + low),
            ], 0..300),
        ) {
            check(&hashes);
        }
    }

    #[test]
    fn crowds_wrap_around() {
        for len in 1..=100 {
            check(&vec![u64::MAX; len]);
            check(&vec![0; len]);
        }
    }

    #[test]
    fn a_key_costs_under_eight_bytes_and_is_missed_in_one_or_two_buckets() {
        let hashes: Vec<u64> = (0..50_000_u64).map(|i| key_hash(&i.to_le_bytes())).collect();
        let buckets = build::<6>(&hashes);
        assert!(buckets.len() * 64 <= hashes.len() * 8);
        let missing = (50_000..100_000_u64).map(|i| probe::<6>(&buckets, key_hash(&i.to_le_bytes())));
        let taken: Vec<_> = missing.collect();
        assert!(taken.iter().map(|(_, taken)| taken).sum::<usize>() < 75_000);
        assert!(taken.iter().filter(|(_, taken)| *taken <= 2).count() > 48_000);
        assert!(taken.iter().map(|(places, _)| places.len()).sum::<usize>() < 50_000 / 15);
    }

    #[test]
    fn a_bucket_reaches_as_far_as_its_records_and_no_further() {
        let buckets = build::<6>(&[vec![0; 33], vec![u64::MAX; 2]].concat());
        let reaches: Vec<_> = buckets.iter().map(|line| reach(line.as_chunks::<6>().0)).collect();
        assert_eq!(reaches, [3, 0, 0, 0, 0]);
        let crowd = build::<6>(&vec![0; 200]);
        assert_eq!(reach(crowd[0].as_chunks::<6>().0), u64::MAX);
        assert_eq!(probe::<6>(&crowd, 0).1, crowd.len());
    }

    #[test]
    fn an_item_keeps_what_the_index_needs() {
        let item = Item::new(0x0123_4567_89ab_cdef, Place((1 << 40) - 2));
        assert_eq!(item.hash().0, 0x0001_2345_6789_abcd);
        assert_eq!(item.slot::<6>(), [0xcd, 0xfe, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(Item::new(0x0123_4567_89ab_cdef, Place(0x0012_3456)).slot::<4>(), [0xcd, 0x56, 0x34, 0x12]);
    }
}
