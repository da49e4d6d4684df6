//! Where things stand in a list, found by their hash.

/// The size of the first table; a power of two, as all others are.
const FIRST: usize = 16;

/// A hash table of places in a list. It only grows, and has 32 bits of each hash beside the place: so another thing than
/// the one that is looked for is hardly ever looked at, and growing needs to look at none.
#[derive(Default)]
pub(crate) struct Places {
    /// The hash in the upper half and the place, counted from 1, in the lower; 0 is free. At least a third are free.
    slots: Vec<u64>,
    used: usize,
}

impl Places {
    /// The first place of those with this hash that `is_it` accepts.
    pub(crate) fn find(&self, hash: u32, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        let there = self.from(hash).map_while(|at| self.slots.get(at).copied().filter(|slot| *slot != 0));
        let same = there.filter(|slot| (slot >> 32) as u32 == hash);
        same.map(|slot| slot as u32 as usize - 1).find(|place| is_it(*place))
    }

    /// Adds a place, which is below 2^32 - 1.
    pub(crate) fn add(&mut self, hash: u32, place: usize) {
        if (self.used + 1) * 3 > self.slots.len() * 2 {
            self.grow();
        }
        self.put(u64::from(hash) << 32 | (place as u64 + 1));
        self.used += 1;
    }

    fn grow(&mut self) {
        let twice = vec![0; (2 * self.slots.len()).max(FIRST)];
        let slots = std::mem::replace(&mut self.slots, twice);
        slots.into_iter().filter(|slot| *slot != 0).for_each(|slot| self.put(slot));
    }

    fn put(&mut self, slot: u64) {
        let free = self.from((slot >> 32) as u32).find(|at| self.slots.get(*at) == Some(&0));
        if let Some(place) = free.and_then(|at| self.slots.get_mut(at)) {
            *place = slot;
        }
    }

    /// All slots, from the one on where a hash belongs.
    fn from(&self, hash: u32) -> impl Iterator<Item = usize> + use<> {
        let slots = self.slots.len();
        (0..slots).map(move |step| (hash as usize + step) & (slots - 1))
    }
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
            let mut places = Places::default();
            for (place, hash) in hashes.iter().enumerate() {
                prop_assert_eq!(places.find(*hash, |other| other >= place), None);
                places.add(*hash, place);
            }
            for (place, hash) in hashes.iter().enumerate() {
                prop_assert_eq!(places.find(*hash, |other| other == place), Some(place));
            }
            prop_assert!(places.slots.len() * 2 >= places.used * 3);
        }
    }

    #[test]
    fn what_has_another_hash_is_not_looked_at() {
        let mut places = Places::default();
        (0..1000).for_each(|place| places.add(place as u32 * 64, place));
        let looked_at = std::cell::RefCell::new(Vec::new());
        let look = |place| {
            looked_at.borrow_mut().push(place);
            false
        };
        assert_eq!(places.find(640, look), None);
        assert_eq!(*looked_at.borrow(), [10]);
    }
}
