//! Where things stand in a list, found by their hash.

use std::sync::atomic::Ordering;

use crate::sync::{ArcSwap, AtomicU64, AtomicUsize};

/// The size of the first table; a power of two, as all others are.
const FIRST: usize = 16;

/// A hash table of places in a list. It only grows, and has 32 bits of each hash beside the place: so another thing than
/// the one that is looked for is hardly ever looked at, and growing needs to look at none.
///
/// Readers wait for nobody. One who began before the table grew goes on in the smaller one, and finds all that was there
/// when he began.
pub(crate) struct Places {
    /// The hash in the upper half and the place, counted from 1, in the lower; 0 is free. At least a third are free.
    slots: ArcSwap<Vec<AtomicU64>>,
    used: AtomicUsize,
}

impl Default for Places {
    fn default() -> Self {
        Places { slots: ArcSwap::from_pointee(Vec::new()), used: AtomicUsize::new(0) }
    }
}

impl Places {
    /// The first place of those with this hash that `is_it` accepts.
    pub(crate) fn find(&self, hash: u32, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        let slots = self.slots.load();
        let there = from(&slots, hash).map(|slot| slot.load(Ordering::Acquire)).take_while(|slot| *slot != 0);
        let same = there.filter(|slot| (slot >> 32) as u32 == hash);
        same.map(|slot| slot as u32 as usize - 1).find(|place| is_it(*place))
    }

    /// Puts a place, which is below 2^32 - 1, where `before` stands, or adds it. One thread at a time does.
    pub(crate) fn put(&self, hash: u32, before: Option<usize>, place: usize) {
        let slot = |place: usize| u64::from(hash) << 32 | (place as u64 + 1);
        if let Some(before) = before {
            return replace(&self.slots.load(), slot(before), slot(place));
        }
        let used = self.used.load(Ordering::Relaxed) + 1;
        if used * 3 > self.slots.load().len() * 2 {
            self.grow();
        }
        replace(&self.slots.load(), 0, slot(place));
        self.used.store(used, Ordering::Relaxed);
    }

    fn grow(&self) {
        let slots = self.slots.load();
        let twice: Vec<AtomicU64> = (0..(2 * slots.len()).max(FIRST)).map(|_| AtomicU64::new(0)).collect();
        let used = slots.iter().map(|slot| slot.load(Ordering::Relaxed)).filter(|slot| *slot != 0);
        used.for_each(|slot| replace(&twice, 0, slot));
        self.slots.swap(std::sync::Arc::new(twice));
    }
}

fn replace(slots: &[AtomicU64], before: u64, slot: u64) {
    if let Some(there) = from(slots, (slot >> 32) as u32).find(|there| there.load(Ordering::Relaxed) == before) {
        // Whoever finds the place finds what stands there.
        there.store(slot, Ordering::Release);
    }
}

/// All slots, from the one on where a hash belongs.
fn from(slots: &[AtomicU64], hash: u32) -> impl Iterator<Item = &AtomicU64> {
    let (before, behind) = slots.split_at(hash as usize & slots.len().saturating_sub(1));
    behind.iter().chain(before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_place_is_found_among_those_with_its_hash(
            // Few hashes, so that many are the same, at both ends of the table too.
            hashes in proptest::collection::vec(prop_oneof![0..8_u32, u32::MAX - 3..=u32::MAX, any::<u32>()], 0..300),
        ) {
            let places = Places::default();
            for (place, hash) in hashes.iter().enumerate() {
                prop_assert_eq!(places.find(*hash, |other| other >= place), None);
                places.put(*hash, None, place);
            }
            for (place, hash) in hashes.iter().enumerate() {
                prop_assert_eq!(places.find(*hash, |other| other == place), Some(place));
                places.put(*hash, Some(place), hashes.len() + place);
            }
            for (place, hash) in hashes.iter().enumerate() {
                prop_assert_eq!(places.find(*hash, |other| other == place), None);
                prop_assert_eq!(places.find(*hash, |other| other == hashes.len() + place), Some(hashes.len() + place));
            }
            prop_assert!(places.slots.load().len() * 2 >= hashes.len() * 3);
        }
    }

    #[test]
    fn what_has_another_hash_is_not_looked_at() {
        let places = Places::default();
        (0..1000).for_each(|place| places.put(place as u32 * 64, None, place));
        let looked_at = std::cell::RefCell::new(Vec::new());
        let look = |place| {
            looked_at.borrow_mut().push(place);
            false
        };
        assert_eq!(places.find(640, look), None);
        assert_eq!(*looked_at.borrow(), [10]);
    }
}
