//! A list that grows while others read it.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::sync::atomic::Ordering;

use crate::sync::{AtomicPtr, AtomicUsize, Mutex, MutexGuard};

/// Items in the first bucket; each further one has twice as many.
const FIRST: usize = 4;
const BUCKETS: usize = 30;

/// Items that are appended and stay where they are until all of them go. Readers wait for nobody: what is there is never
/// moved, so that growing copies nothing, and an item counts only once it is whole.
pub(crate) struct Log<T> {
    /// Each bucket is allocated when the first item comes into it. Null until then.
    buckets: [AtomicPtr<MaybeUninit<T>>; BUCKETS],
    /// Those before it are whole, and never written again.
    len: AtomicUsize,
    appending: Mutex<()>,
    /// Items are owned: threads share them, and get the log, only if the items allow it.
    items: PhantomData<T>,
}

/// Who may append to a log: one at a time.
pub(crate) struct Appender<'a, T> {
    log: &'a Log<T>,
    _turn: MutexGuard<'a, ()>,
}

/// The bucket of an item, and its place there.
fn place(index: usize) -> (usize, usize) {
    let bucket = ((index / FIRST) + 1).ilog2() as usize;
    (bucket, index - FIRST * ((1 << bucket) - 1))
}

impl<T> Log<T> {
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    #[allow(unsafe_code, reason = "what is written once and read by many cannot be expressed safely at this price")]
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        if index >= self.len() {
            return None;
        }
        let (bucket, offset) = place(index);
        let items = self.buckets.get(bucket)?.load(Ordering::Acquire);
        // SAFETY: the length is stored with `Release` after its last item was written, so this one is whole, and its bucket
        // was allocated with more than `offset` items. Neither is touched again before the log is dropped, which cannot be
        // while it is borrowed.
        Some(unsafe { (*items.add(offset)).assume_init_ref() })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.len()).map_while(|index| self.get(index))
    }

    /// The right to append, which others wait for.
    pub(crate) fn appender(&self) -> Appender<'_, T> {
        Appender { log: self, _turn: self.appending.lock() }
    }
}

impl<T: Send> Appender<'_, T> {
    /// Appends an item, and gives its index. Another thread may let it go.
    #[allow(unsafe_code, reason = "what is written once and read by many cannot be expressed safely at this price")]
    #[allow(clippy::expect_used, reason = "4 billion items, each of which takes memory, are more than there can be")]
    pub(crate) fn push(&mut self, item: T) -> usize {
        let index = self.log.len();
        let (bucket, offset) = place(index);
        let slot = self.log.buckets.get(bucket).expect("a log has fewer than 4 billion items");
        let mut items = slot.load(Ordering::Acquire);
        if items.is_null() {
            items = Box::into_raw(Box::<[T]>::new_uninit_slice(FIRST << bucket)).cast();
            slot.store(items, Ordering::Release);
        }
        // SAFETY: the bucket has more than `offset` items. Nobody else writes there, since there is one appender at a time,
        // and nobody reads there, since the length does not cover it yet.
        unsafe { (*items.add(offset)).write(item) };
        self.log.len.store(index + 1, Ordering::Release);
        index
    }
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        let buckets = std::array::from_fn(|_| AtomicPtr::new(std::ptr::null_mut()));
        Log { buckets, len: AtomicUsize::new(0), appending: Mutex::default(), items: PhantomData }
    }
}

impl<T> Drop for Log<T> {
    #[allow(unsafe_code, reason = "what was allocated by hand is let go by hand")]
    fn drop(&mut self) {
        let mut left = self.len();
        for (bucket, items) in self.buckets.iter().enumerate() {
            let (items, len) = (items.load(Ordering::Acquire), FIRST << bucket);
            if items.is_null() {
                break;
            }
            // SAFETY: the bucket was made of a box of so many items, and nobody else has it any more.
            let mut items = unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(items, len)) };
            for item in items.iter_mut().take(left) {
                // SAFETY: the length covers it, so it is whole, and it is let go once.
                unsafe { item.assume_init_drop() };
            }
            left = left.saturating_sub(len);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn buckets_follow_each_other_without_gaps() {
        let mut expected = (0, 0);
        for index in 0..1000 {
            assert_eq!(place(index), expected, "item {index}");
            expected.1 += 1;
            if expected.1 == FIRST << expected.0 {
                expected = (expected.0 + 1, 0);
            }
        }
        assert_eq!(place(u32::MAX as usize).0, BUCKETS);
        assert_eq!(place(u32::MAX as usize - FIRST).0, BUCKETS - 1);
    }

    #[test]
    fn items_stay_where_they_are_and_go_once() {
        let log = Log::default();
        let item = Arc::new(7);
        let first = {
            log.appender().push(Arc::clone(&item));
            std::ptr::from_ref(log.get(0).unwrap())
        };
        for index in 1..1000 {
            assert!(log.get(index).is_none());
            assert_eq!(log.appender().push(Arc::clone(&item)), index);
        }
        assert_eq!(std::ptr::from_ref(log.get(0).unwrap()), first);
        assert_eq!((log.len(), log.iter().count(), Arc::strong_count(&item)), (1000, 1000, 1001));
        drop(log);
        assert_eq!(Arc::strong_count(&item), 1);
    }

    #[test]
    fn readers_see_whole_items_while_others_append() {
        let log: Log<Box<usize>> = Log::default();
        let last = || log.len().checked_sub(1).and_then(|last| Some((last, **log.get(last)?)));
        let items = if cfg!(miri) { 100 } else { 100_000 };
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while log.len() < items {
                        assert!(last().is_none_or(|(last, item)| item == last));
                    }
                });
            }
            (0..items).for_each(|item| assert_eq!(log.appender().push(Box::new(item)), item));
        });
    }
}
