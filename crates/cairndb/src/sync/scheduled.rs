//! What is made of the locks of the scheduler, for what the others get from a library.

use std::sync::Arc;

use super::Mutex;

/// As that of `arc_swap`: loads and swaps are one step each.
pub(crate) struct ArcSwap<T>(Mutex<Arc<T>>);

impl<T> ArcSwap<T> {
    pub(crate) fn from_pointee(value: T) -> Self {
        ArcSwap(Mutex::new(Arc::new(value)))
    }

    pub(crate) fn load(&self) -> Arc<T> {
        Arc::clone(&self.0.lock())
    }

    pub(crate) fn load_full(&self) -> Arc<T> {
        self.load()
    }

    pub(crate) fn swap(&self, new: Arc<T>) -> Arc<T> {
        std::mem::replace(&mut *self.0.lock(), new)
    }

    /// Between the look at the old value and the swap others have their turns, as they do in a program.
    pub(crate) fn rcu(&self, change: impl Fn(&Arc<T>) -> T) -> Arc<T> {
        loop {
            let old = self.load();
            let new = Arc::new(change(&old));
            let mut current = self.0.lock();
            if Arc::ptr_eq(&current, &old) {
                *current = new;
                return old;
            }
        }
    }
}
