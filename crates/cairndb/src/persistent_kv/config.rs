//! The settings of persistent-kv, and what they mean here.

use crate::batch::Durability;
use crate::map;

/// When [`set`](super::PersistentKeyValueStore::set) and [`unset`](super::PersistentKeyValueStore::unset) return.
///
/// ```
/// use cairndb::{Durability, persistent_kv::SyncMode};
///
/// assert_eq!(Durability::from(SyncMode::BlockAndSync), Durability::Full);
/// ```
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum SyncMode {
    /// Once the write is on the disk, with its directory entry: [`Durability::Full`].
    BlockAndSync,
    /// Once the operating system has the write, which the death of the process does not undo: [`Durability::Os`]. It is
    /// on the disk within [`sync_interval`](crate::Options::sync_interval).
    BlockNoExplicitSync,
    /// At once: [`Durability::Eventual`]. The operating system has the write within
    /// [`flush_interval`](crate::Options::flush_interval), where the original promised no time.
    Buffered,
}

impl From<SyncMode> for Durability {
    fn from(mode: SyncMode) -> Self {
        match mode {
            SyncMode::BlockAndSync => Durability::Full,
            SyncMode::BlockNoExplicitSync => Durability::Os,
            SyncMode::Buffered => Durability::Eventual,
        }
    }
}

/// The settings of persistent-kv, with its names and defaults. Only `sync_mode` has an effect: the others are of a way of
/// storing that is not used here, and are accepted so that programs compile. [`map::Config`] has what can be set.
///
/// ```
/// use cairndb::{Durability, map, persistent_kv::{Config, SyncMode}};
///
/// let config = Config { sync_mode: SyncMode::BlockAndSync, ..Config::default() };
/// assert_eq!(map::Config::from(config).durability, Durability::Full);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Without effect: nothing is ever printed. Default false.
    pub silent: bool,
    /// Without effect: the journal becomes table files by its size,
    /// [`memtable_bytes`](crate::Options::memtable_bytes), and what is written then does not grow with the map. Default
    /// 10,000.
    pub snapshot_interval: u64,
    /// Without effect: readers do not wait for each other or for a writer. Default 32.
    pub memory_bucket_count: usize,
    /// When a write is acknowledged. Default [`SyncMode::BlockNoExplicitSync`].
    pub sync_mode: SyncMode,
    /// Without effect: opening does not read the table files, so there is nothing to read side by side. Default 8.
    pub target_io_parallelism_snapshots: u64,
    /// Without effect: there is one journal, and threads that wait for the disk share a sync. Default 1.
    pub target_io_parallelism_writelog: u64,
    /// Without effect: table files have the size that merging gives them. Default 1 GiB.
    pub target_snapshot_shard_size_bytes: usize,
    /// Without effect: writes are always positioned. Default true, on Windows false.
    pub use_positioned_writes: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            silent: false,
            snapshot_interval: 10_000,
            memory_bucket_count: 32,
            sync_mode: SyncMode::BlockNoExplicitSync,
            target_io_parallelism_snapshots: 8,
            target_io_parallelism_writelog: 1,
            target_snapshot_shard_size_bytes: 1 << 30,
            use_positioned_writes: !cfg!(windows),
        }
    }
}

impl From<Config> for map::Config {
    fn from(config: Config) -> Self {
        map::Config { durability: config.sync_mode.into(), ..map::Config::default() }
    }
}
