//! What a benchmark asks of a store, and what it has to know about it.

use std::path::Path;

use crate::data::Batch;

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// When a write is acknowledged. Several stores fix it when they are opened, so a run has one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Without waiting for the disk.
    Os,
    /// Once it is on the disk.
    Full,
}

/// Takes a value where the store has it, so that no store is charged for a copy that it need not make.
pub(crate) type OnValue<'a> = &'a mut dyn FnMut(&[u8]) -> Result<()>;
/// Takes a key and its value.
pub(crate) type OnPair<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<()>;

/// An open store. Writes are acknowledged at the level that it was opened with.
pub(crate) trait Store: Send + Sync {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<()>;

    /// Writes all pairs at once, atomically where the store can.
    fn put_batch(&self, batch: &Batch) -> Result<()>;

    /// Removes the keys of all pairs at once, atomically where the store can.
    fn delete_batch(&self, batch: &Batch) -> Result<()>;

    /// Reads what was written last; whether there is a value.
    fn get(&self, key: &[u8], found: OnValue) -> Result<bool>;

    /// The store as it is now, for many reads.
    fn view(&self) -> Result<Box<dyn View + '_>>;

    /// At most `limit` pairs from `from` on, in the order of the keys.
    fn range(&self, from: &[u8], limit: usize, each: OnPair) -> Result<()> {
        self.view()?.range(from, limit, each)
    }

    /// All pairs, in the order of the keys if the store has one.
    fn scan(&self, each: OnPair) -> Result<()> {
        self.range(&[], usize::MAX, each)
    }

    fn len(&self) -> Result<u64>;

    /// Returns once everything is on the disk, as far as the store can tell.
    fn flush(&self) -> Result<()>;

    fn close(self: Box<Self>) -> Result<()>;
}

/// A store as it was at one moment.
pub(crate) trait View {
    fn get(&self, key: &[u8], found: OnValue) -> Result<bool>;
    fn range(&self, from: &[u8], limit: usize, each: OnPair) -> Result<()>;
}

/// A store that can be measured.
pub(crate) struct Engine {
    /// The name of its crate.
    pub(crate) name: &'static str,
    pub(crate) open: fn(&Path, Level) -> Result<Box<dyn Store>>,
    /// Gives back the space of what was overwritten and deleted, in a store that is closed.
    pub(crate) compact: Option<fn(&Path) -> Result<()>>,
    /// Whether it can read a range of keys.
    pub(crate) ordered: bool,
    /// How it is set up, where that is not its default.
    pub(crate) setup: &'static str,
    /// What a write without sync survives.
    pub(crate) survives_os: &'static str,
    /// What a durable write survives.
    pub(crate) survives_full: &'static str,
}
