//! What a program that uses the crate persistent-kv needs, so that it has to change an import only, and the take-over of
//! its data.
//!
//! [`PersistentKeyValueStore`] has the methods of the original over a [`Map`], which is in the directory `.cairndb` below
//! the store's. The first time that a store of persistent-kv is opened, what is in it is taken over. Its own files are
//! read and never changed, so the way back stays open. `docs/from-persistent-kv.md` compares the two in full.
//!
//! ```
//! use cairndb::persistent_kv::{Config, PersistentKeyValueStore};
//!
//! # let directory = tempfile::tempdir().unwrap();
//! # let path = directory.path();
//! let store: PersistentKeyValueStore<String, String> = PersistentKeyValueStore::new(path, Config::default())?;
//! store.set("foo", "1")?;
//! assert_eq!(store.get("foo"), Some("1".to_string()));
//! # Ok::<(), cairndb::persistent_kv::Error>(())
//! ```

mod config;
mod contents;
mod files;
mod marker;
mod records;
mod report;
mod store;
mod takeover;
#[cfg(test)]
mod tests;

pub use config::{Config, SyncMode};
pub use contents::read;
pub use report::{Loss, LossKind, Report};
pub use store::PersistentKeyValueStore;

/// The error of persistent-kv's methods. It is always a [`cairndb::Error`](crate::Error) in a box:
///
/// ```
/// use cairndb::persistent_kv::{Config, PersistentKeyValueStore};
///
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path();
/// let first: PersistentKeyValueStore<u64, u64> = PersistentKeyValueStore::new(path, Config::default())?;
/// let second = PersistentKeyValueStore::<u64, u64>::new(path, Config::default());
/// let error = second.unwrap_err().downcast::<cairndb::Error>().unwrap();
/// assert_eq!(error.code(), cairndb::Code::Locked);
/// # Ok::<(), cairndb::persistent_kv::Error>(())
/// ```
pub type Error = Box<dyn std::error::Error + Send + Sync + 'static>;

/// What persistent-kv's fallible methods return.
///
/// ```
/// use cairndb::persistent_kv::{self, Config, PersistentKeyValueStore};
///
/// fn count(path: &str) -> persistent_kv::Result<usize> {
///     let store: PersistentKeyValueStore<String, String> = PersistentKeyValueStore::new(path, Config::default())?;
///     Ok(store.iter().count())
/// }
/// # let directory = tempfile::tempdir().unwrap();
/// # assert_eq!(count(directory.path().to_str().unwrap()).unwrap(), 0);
/// ```
pub type Result<T> = std::result::Result<T, Error>;

/// What to do if a store has something that cannot be taken over. What a crash leaves, a log that ends in the middle of
/// a record or has a hole, is no reason to refuse: nothing that was acknowledged is lost with it.
///
/// ```
/// use cairndb::{Code, map, persistent_kv::{Losses, PersistentKeyValueStore}};
///
/// type Store = PersistentKeyValueStore<String, String>;
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path();
/// std::fs::write(path.join("snapshot_1_0-of-1_diff.bin"), [2, 0xff, 0xff])?;
/// let error = Store::open(path, map::Config::default(), Losses::Refuse).unwrap_err();
/// assert_eq!(error.code(), Code::Corrupt);
/// let store = Store::open(path, map::Config::default(), Losses::Accept)?;
/// assert_eq!(store.taken_over().unwrap().losses[0].bytes, 3);
/// # Ok::<(), cairndb::persistent_kv::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Losses {
    /// Fail, and write nothing.
    #[default]
    Refuse,
    /// Take over what is sound. [`Report::losses`] has the rest.
    Accept,
}
