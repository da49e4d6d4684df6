//! The stores, each in a module of its own.

pub(crate) mod cairndb;
mod fjall;
mod heed;
mod persistent_kv;
mod redb;
#[cfg(feature = "rocksdb")]
mod rocksdb;
mod rusqlite;
mod sled;

use crate::store::Engine;

/// All engines that were built, the subject first.
pub(crate) const ENGINES: &[Engine] = &[
    cairndb::ENGINE,
    redb::ENGINE,
    fjall::ENGINE,
    heed::ENGINE,
    persistent_kv::ENGINE,
    sled::ENGINE,
    rusqlite::ENGINE,
    #[cfg(feature = "rocksdb")]
    rocksdb::ENGINE,
];

/// Memory for the caches of stores that have one of their own and do not take as much by themselves, in bytes. All
/// records fit into it, as they fit into the system's cache, which the other stores use.
const CACHE_BYTES: usize = 1 << 30;
