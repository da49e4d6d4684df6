//! Counts that many threads add to.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const STRIPES: usize = 16;

/// A count in parts that lie apart: threads that add to the same one would wait for each other's processors at each step, and
/// reads would be as slow as counting them.
#[derive(Default)]
pub(crate) struct Striped([Stripe; STRIPES]);

/// As long as what processors take from each other, two lines at a time on some.
#[derive(Default)]
#[repr(align(128))]
struct Stripe(AtomicU64);

thread_local! {
    /// Which part a thread adds to: threads take turns at the parts as they come.
    static MINE: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES
    };
}

impl Striped {
    pub(crate) fn add(&self, amount: u64) {
        // Where a thread ends and has no part any more, any one will do.
        let mine = MINE.try_with(|mine| *mine).unwrap_or(0);
        self.0.get(mine).map(|stripe| stripe.0.fetch_add(amount, Ordering::Relaxed));
    }

    pub(crate) fn sum(&self) -> u64 {
        self.0.iter().map(|stripe| stripe.0.load(Ordering::Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_among_threads() {
        let count = Striped::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * STRIPES {
                scope.spawn(|| (0..100).for_each(|n| count.add(n)));
            }
        });
        assert_eq!(count.sum(), 2 * STRIPES as u64 * 4950);
        assert!(count.0.iter().all(|stripe| stripe.0.load(Ordering::Relaxed) > 0));
    }
}
