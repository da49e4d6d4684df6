//! The order of what a log has.

use std::cmp::Ordering;
use std::iter;
use std::ops::Bound;
use std::sync::Arc;

use crate::slice::prefix;

/// The place of something that has a key, and the [`prefix`] of the key: most are told apart by that alone.
#[derive(Clone, Copy)]
struct Placed {
    prefix: u64,
    place: u32,
}

impl Placed {
    /// Compares the key with another one, whose prefix is known too.
    fn compare<'k, 'o>(&self, key: impl Fn(u32) -> &'k [u8], prefix: u64, other: impl Fn() -> &'o [u8]) -> Ordering {
        self.prefix.cmp(&prefix).then_with(|| key(self.place).cmp(other()))
    }
}

/// A run is at least this many times as long as the next one.
const FACTOR: usize = 32;

/// The places of a log in the order of their keys: for each key the last one. It is never changed: whoever finds that more has
/// come makes another one ([`Order::with`]).
///
/// It consists of sorted runs, each much longer than the next: so what comes is not copied together with all the rest.
#[derive(Clone, Default)]
pub(crate) struct Order {
    runs: Vec<Arc<Vec<Placed>>>,
    len: usize,
}

impl Order {
    /// How much of the log is in order.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The order of the first `len` places. `last` gives the key of a place behind those that are in order by now, unless
    /// another one of them has the same; `key` that of any place.
    pub(crate) fn with<'k>(
        &self,
        len: usize,
        last: impl Fn(u32) -> Option<&'k [u8]>,
        key: impl Fn(u32) -> &'k [u8] + Copy,
    ) -> Order {
        let placed = |place| Some(Placed { prefix: prefix(last(place)?), place });
        let mut new: Vec<Placed> = (self.len as u32..len as u32).filter_map(placed).collect();
        new.sort_unstable_by(|a, b| a.compare(key, b.prefix, || key(b.place)));
        let mut runs = self.runs.clone();
        while let Some(run) = runs.pop_if(|run| run.len() < FACTOR * new.len()) {
            new = merge(&run, &new, key);
        }
        runs.push(Arc::new(new));
        Order { runs, len }
    }

    /// The places whose keys lie within the bounds, in order or against it.
    pub(crate) fn range<'a, 'k: 'a>(
        &'a self,
        bounds: (Bound<&'a [u8]>, Bound<&'a [u8]>),
        reverse: bool,
        key: impl Fn(u32) -> &'k [u8] + Copy + 'a,
    ) -> impl Iterator<Item = u32> + 'a {
        let mut runs: Vec<&[Placed]> = self.runs.iter().map(|run| within(run, bounds, key)).collect();
        runs.retain(|run| !run.is_empty());
        let pass =
            move |run: &mut &[Placed]| if reverse { run.split_off_last() } else { run.split_off_first() }.copied();
        let near = move |run: &[Placed]| if reverse { run.last().copied() } else { run.first().copied() };
        let compare = move |a: &Placed, b: &Placed| a.compare(key, b.prefix, || key(b.place));
        let next = move || {
            if let [run] = &mut *runs {
                return pass(run);
            }
            let next = runs.iter().filter_map(|run| near(run)).reduce(|next, head| match compare(&head, &next) {
                // Of places with the same key that of the later run is the last one.
                Ordering::Equal => head,
                order if order.is_gt() == reverse => head,
                _ => next,
            })?;
            for run in &mut runs {
                if near(run).is_some_and(|head| head.place == next.place || compare(&head, &next).is_eq()) {
                    pass(run);
                }
            }
            runs.retain(|run| !run.is_empty());
            Some(next)
        };
        iter::from_fn(next).map(|placed| placed.place)
    }
}

/// What of a sorted list lies within the bounds; nothing if they cross.
fn within<'a, 'k>(
    list: &'a [Placed],
    (low, high): (Bound<&'a [u8]>, Bound<&'a [u8]>),
    key: impl Fn(u32) -> &'k [u8] + Copy,
) -> &'a [Placed] {
    // How many keys lie below a bound, or also at it.
    let below = |list: &[Placed], bound: &'a [u8], at_too: bool| {
        let first = prefix(bound);
        list.partition_point(|placed| {
            let order = placed.compare(key, first, || bound);
            order.is_lt() || at_too && order.is_eq()
        })
    };
    let begin = match low {
        Bound::Included(low) => below(list, low, false),
        Bound::Excluded(low) => below(list, low, true),
        Bound::Unbounded => 0,
    };
    let list = list.get(begin..).unwrap_or_default();
    let end = match high {
        Bound::Included(high) => below(list, high, true),
        Bound::Excluded(high) => below(list, high, false),
        Bound::Unbounded => list.len(),
    };
    list.get(..end).unwrap_or_default()
}

/// Two sorted runs as one. Of the shorter one, which is newer, are the places of keys that are in both.
fn merge<'k>(run: &[Placed], newer: &[Placed], key: impl Fn(u32) -> &'k [u8] + Copy) -> Vec<Placed> {
    let mut merged = Vec::with_capacity(run.len() + newer.len());
    let mut rest = run;
    for placed in newer {
        let compare = |other: &Placed| other.compare(key, placed.prefix, || key(placed.place));
        let (before, behind) = rest.split_at(rest.partition_point(|other| compare(other).is_lt()));
        merged.extend_from_slice(before);
        merged.push(*placed);
        let is_older = behind.first().is_some_and(|other| compare(other).is_eq());
        rest = behind.get(usize::from(is_older)..).unwrap_or_default();
    }
    merged.extend_from_slice(rest);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn is_within(key: &[u8], (low, high): (Bound<&[u8]>, Bound<&[u8]>)) -> bool {
        (match low {
            Bound::Included(low) => low <= key,
            Bound::Excluded(low) => low < key,
            Bound::Unbounded => true,
        }) && (match high {
            Bound::Included(high) => key <= high,
            Bound::Excluded(high) => key < high,
            Bound::Unbounded => true,
        })
    }

    fn bound() -> impl Strategy<Value = Bound<String>> {
        let key = "(|prefix__)[a-c]{0,2}";
        prop_oneof![key.prop_map(Bound::Included), key.prop_map(Bound::Excluded), Just(Bound::Unbounded)]
    }

    proptest! {
        #[test]
        fn the_last_places_come_in_the_order_of_their_keys(
            // Many are written again, some are a part of others, some differ behind their first 8 bytes.
            keys in proptest::collection::vec("(|prefix__)[a-c\0]{0,3}", 0..120),
            // How many there were when somebody asked.
            asked in proptest::collection::vec(0..120_usize, 0..20),
            (low, high) in (bound(), bound()),
            reverse in any::<bool>(),
        ) {
            let key = |place: u32| keys[place as usize].as_bytes();
            let bounds = (low.as_ref().map(|low| low.as_bytes()), high.as_ref().map(|high| high.as_bytes()));
            let mut order = Order::default();
            for len in asked.into_iter().chain([keys.len()]) {
                let len = len.min(keys.len()).max(order.len());
                let last = |place: u32| {
                    let again = keys[place as usize + 1..len].contains(&keys[place as usize]);
                    (!again).then(|| key(place))
                };
                order = order.with(len, last, key);
                prop_assert_eq!(order.len(), len);
                prop_assert!(order.runs.windows(2).all(|runs| runs[0].len() >= FACTOR * runs[1].len()));
                let map: BTreeMap<&[u8], u32> = (0..len as u32).map(|place| (key(place), place)).collect();
                let inside = map.into_iter().filter(|(key, _)| is_within(key, bounds));
                let mut expected: Vec<u32> = inside.map(|(_, place)| place).collect();
                if reverse {
                    expected.reverse();
                }
                prop_assert_eq!(order.range(bounds, reverse, key).collect::<Vec<_>>(), expected);
            }
        }
    }

    #[test]
    fn what_comes_is_not_copied_with_all_the_rest() {
        let keys: Vec<[u8; 4]> = (0..10_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
        let key = |place: u32| &keys[place as usize][..];
        let order = Order::default().with(9_000, |place| Some(key(place)), key);
        let next = (9_001..9_100).fold(order.clone(), |order, len| order.with(len, |place| Some(key(place)), key));
        assert!(Arc::ptr_eq(&order.runs[0], &next.runs[0]));
        assert!((2..=3).contains(&next.runs.len()));
    }
}
