//! What to flush, to carry and to merge: decisions alone, as pure functions.

use std::ops::Range;

/// A table whose unflushed part is below this is carried into the next journal segment instead of getting a stone:
/// ten thousand small tables must not mean ten thousand small files.
const CARRY_BYTES: usize = 64 << 10;

/// A stone is at least this many times as large as the one on it.
const STACK_FACTOR: u64 = 4;

/// What is merged at once when there is nothing else to do takes about a second.
const IDLE_BYTES: u64 = 256 << 20;

/// Which tables are flushed, as indexes into `memory`, the bytes that each holds unflushed.
///
/// Tables are carried, smallest first, while they are tiny and together take no more than a quarter of the budget, so
/// that a checkpoint always frees most of it.
pub(crate) fn plan_flush(memory: &[usize], budget: usize) -> Vec<usize> {
    let mut by_size: Vec<(usize, usize)> = memory.iter().copied().zip(0..).filter(|&(bytes, _)| bytes > 0).collect();
    by_size.sort_unstable();
    let mut carried = 0;
    by_size
        .into_iter()
        .skip_while(|&(bytes, _)| {
            carried += bytes;
            bytes < CARRY_BYTES && carried <= budget / 4
        })
        .map(|(_, index)| index)
        .collect()
}

/// Which stones of a stack to merge into one, given their sizes, newest first. `None` while the stack keeps its rule.
pub(crate) fn plan_merge(sizes: &[u64]) -> Option<Range<usize>> {
    (0..sizes.len())
        .map(|start| start..start + run_length(sizes.get(start..).unwrap_or_default()))
        .find(|run| run.len() > 1)
}

/// Which stones of a stack to merge while nobody writes: from the top, as many as do not take long together. Each stone
/// less is one less that every search looks into.
pub(crate) fn plan_idle_merge(sizes: &[u64]) -> Option<Range<usize>> {
    let mut sum = 0_u64;
    let quick = |size: &&u64| {
        sum = sum.saturating_add(**size);
        sum <= IDLE_BYTES
    };
    let run = sizes.iter().take_while(quick).count();
    (run > 1).then_some(0..run)
}

/// How many stones from the top the first one pulls in.
fn run_length(sizes: &[u64]) -> usize {
    let mut weight = 0_u64;
    sizes
        .iter()
        .take_while(|&&size| {
            let joins = weight == 0 || size < weight.saturating_mul(STACK_FACTOR);
            weight = weight.saturating_add(size);
            joins
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stack_that_keeps_the_rule_is_left_alone() {
        assert_eq!(plan_merge(&[]), None);
        assert_eq!(plan_merge(&[5]), None);
        assert_eq!(plan_merge(&[1, 4, 16, 64]), None);
    }

    #[test]
    fn a_light_stone_pulls_in_what_it_would_outgrow() {
        assert_eq!(plan_merge(&[1, 3]), Some(0..2));
        assert_eq!(plan_merge(&[1, 3, 15, 100]), Some(0..3));
        assert_eq!(plan_merge(&[1, 10, 20]), Some(1..3));
    }

    #[test]
    fn who_is_idle_merges_what_does_not_take_long() {
        assert_eq!(plan_idle_merge(&[]), None);
        assert_eq!(plan_idle_merge(&[5]), None);
        assert_eq!(plan_idle_merge(&[1, IDLE_BYTES - 1]), Some(0..2));
        assert_eq!(plan_idle_merge(&[1, IDLE_BYTES]), None);
        assert_eq!(plan_idle_merge(&[1, 4, 16, IDLE_BYTES, 5]), Some(0..3));
        assert_eq!(plan_idle_merge(&[1, u64::MAX, u64::MAX]), None);
    }

    #[test]
    fn tiny_tables_are_carried_and_large_ones_are_not() {
        assert_eq!(plan_flush(&[100, 1 << 20, 0, 200], 64 << 20), vec![1]);
        assert_eq!(plan_flush(&[100, 100], 64 << 20), Vec::<usize>::new());
    }

    proptest! {
        #[test]
        fn merging_ends_with_the_rule_kept_and_few_stones(mut sizes in proptest::collection::vec(1_u64..1 << 40, 0..40)) {
            let mut rounds = 0;
            while let Some(run) = plan_merge(&sizes) {
                let sum = sizes[run.clone()].iter().sum();
                sizes.splice(run, [sum]);
                rounds += 1;
                prop_assert!(rounds <= 40);
            }
            prop_assert!(sizes.windows(2).all(|pair| pair[1] >= 4 * pair[0]));
        }

        #[test]
        fn what_is_carried_is_small(memory in proptest::collection::vec(0_usize..1 << 20, 0..200), budget in 1_usize << 16..1 << 27) {
            let flushed = plan_flush(&memory, budget);
            let carried: usize = (0..memory.len()).filter(|i| !flushed.contains(i)).map(|i| memory[i]).sum();
            prop_assert!(carried <= budget / 4);
        }
    }
}
