//! The methods of persistent-kv over a map.

use std::borrow::Borrow;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::takeover::take_over;
use super::{Config, Losses, Report, Result};
use crate::database::Database;
use crate::env::{Env, RealEnv};
use crate::map::{self, Lookup, Map, MapKey, MapValue, TABLE};

/// Where the map of a store is. persistent-kv looks at files only whose names begin with `snapshot_`.
const HOME: &str = ".cairndb";

/// A store of persistent-kv, kept by CairnDB: the same methods over a [`Map`].
///
/// Threads share it by reference. When it is dropped it is closed; an error of that is lost, and only
/// [`close`](PersistentKeyValueStore::close) tells of it.
///
/// ```
/// use cairndb::persistent_kv::{Config, PersistentKeyValueStore};
///
/// # let directory = tempfile::tempdir().unwrap();
/// # let path = directory.path();
/// let store: PersistentKeyValueStore<u64, String> = PersistentKeyValueStore::new(path, Config::default())?;
/// store.set(1_u64, "one")?;
/// drop(store);
/// let store: PersistentKeyValueStore<u64, String> = PersistentKeyValueStore::new(path, Config::default())?;
/// assert_eq!(store.get(&1), Some("one".to_string()));
/// # Ok::<(), cairndb::persistent_kv::Error>(())
/// ```
pub struct PersistentKeyValueStore<K, V> {
    map: Map<K, V>,
    report: Option<Report>,
}

impl<K: MapKey, V> PersistentKeyValueStore<K, V> {
    /// Opens the store in a directory, which is created if need be. What persistent-kv left there is taken over the
    /// first time.
    ///
    /// ```
    /// # use cairndb::persistent_kv::{Config, PersistentKeyValueStore};
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path();
    /// let store: PersistentKeyValueStore<String, u32> = PersistentKeyValueStore::new(path, Config::default())?;
    /// # Ok::<(), cairndb::persistent_kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Map::open`]. For a store that is to be taken over: [`Code::Locked`](crate::Code::Locked) while a
    /// program has it open with persistent-kv, `Corrupt` if it is damaged, `InvalidKey` if it has keys of another type,
    /// `TooLarge` if a key or a value is too long. Then nothing was taken over; see
    /// [`open`](PersistentKeyValueStore::open).
    pub fn new(path: impl AsRef<Path>, config: Config) -> Result<Self> {
        Ok(PersistentKeyValueStore::open(path, config.into(), Losses::Refuse)?)
    }

    /// As [`new`](PersistentKeyValueStore::new), with the settings of a map, and a decision on what cannot be taken over.
    ///
    /// ```
    /// use cairndb::{Options, map, persistent_kv::{Losses, PersistentKeyValueStore}};
    ///
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path();
    /// let config = map::Config { options: Options { keep_generations: 3, ..Options::default() }, ..map::Config::default() };
    /// let store: PersistentKeyValueStore<u64, String> = PersistentKeyValueStore::open(path, config, Losses::Accept)?;
    /// # Ok::<(), cairndb::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`new`](PersistentKeyValueStore::new); with [`Losses::Accept`] not those of the store's contents.
    pub fn open(path: impl AsRef<Path>, config: map::Config, losses: Losses) -> crate::Result<Self> {
        PersistentKeyValueStore::open_with(Arc::new(RealEnv::new()), path, config, losses)
    }

    /// As [`open`](PersistentKeyValueStore::open), with files, clock and background work of another kind.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use cairndb::{env::RealEnv, map::Config, persistent_kv::{Losses, PersistentKeyValueStore}};
    ///
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path();
    /// let env = Arc::new(RealEnv::new());
    /// let store: PersistentKeyValueStore<u64, String> =
    ///     PersistentKeyValueStore::open_with(env, path, Config::default(), Losses::Refuse)?;
    /// # Ok::<(), cairndb::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`open`](PersistentKeyValueStore::open).
    pub fn open_with(
        env: Arc<dyn Env>,
        path: impl AsRef<Path>,
        config: map::Config,
        losses: Losses,
    ) -> crate::Result<Self> {
        let directory = path.as_ref();
        let home = directory.join(HOME);
        let db = Database::open_with(Arc::clone(&env), &home, config.options)?;
        let report = take_over::<K>(&*env, directory, &home, &db, losses)?;
        Ok(PersistentKeyValueStore { map: Map::of(db, config.durability)?, report })
    }

    /// Removes a key.
    ///
    /// ```
    /// # use cairndb::persistent_kv::{Config, PersistentKeyValueStore};
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path();
    /// let store: PersistentKeyValueStore<String, u32> = PersistentKeyValueStore::new(path, Config::default())?;
    /// store.set("key", 1_u32)?;
    /// store.unset("key")?;
    /// assert_eq!(store.get("key"), None);
    /// # Ok::<(), cairndb::persistent_kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Map::unset`].
    pub fn unset<Q>(&self, key: &Q) -> Result<()>
    where
        K: Borrow<Q>,
        Q: ?Sized + Lookup,
    {
        self.map.unset(key)?;
        Ok(())
    }
}

impl<K: MapKey, V: MapValue> PersistentKeyValueStore<K, V> {
    /// Sets the value of a key, whether it had one or not.
    ///
    /// ```
    /// # use cairndb::persistent_kv::{Config, PersistentKeyValueStore};
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path();
    /// let store: PersistentKeyValueStore<String, u32> = PersistentKeyValueStore::new(path, Config::default())?;
    /// store.set("key", 1_u32)?;
    /// # Ok::<(), cairndb::persistent_kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Map::set`].
    pub fn set(&self, key: impl Into<K>, value: impl Into<V>) -> Result<()> {
        Ok(self.map.set(key, value)?)
    }

    /// The value of a key; `None` if it has none.
    ///
    /// ```
    /// # use cairndb::persistent_kv::{Config, PersistentKeyValueStore};
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path();
    /// let store: PersistentKeyValueStore<String, u32> = PersistentKeyValueStore::new(path, Config::default())?;
    /// store.set("key", 1_u32)?;
    /// assert_eq!(store.get("key"), Some(1));
    /// # Ok::<(), cairndb::persistent_kv::Error>(())
    /// ```
    ///
    /// # Panics
    /// Where [`Map::get`] fails: the signature has no place for an error, and `None` would say that there is no value.
    /// Use [`map`](PersistentKeyValueStore::map)`().get()` to get the error.
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: ?Sized + Lookup,
    {
        must(self.map.get(key))
    }

    /// The entries in the order of their keys, as they are now: later changes do not disturb the iteration.
    ///
    /// ```
    /// # use cairndb::persistent_kv::{Config, PersistentKeyValueStore};
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path();
    /// let store: PersistentKeyValueStore<String, u32> = PersistentKeyValueStore::new(path, Config::default())?;
    /// store.set("b", 2_u32)?;
    /// store.set("a", 1_u32)?;
    /// assert_eq!(store.iter().map(|(_, value)| value).collect::<Vec<_>>(), [1, 2]);
    /// # Ok::<(), cairndb::persistent_kv::Error>(())
    /// ```
    ///
    /// # Panics
    /// While iterating, as [`get`](PersistentKeyValueStore::get).
    pub fn iter<'a>(&'a self) -> Box<dyn Iterator<Item = (K, V)> + 'a> {
        Box::new(self.map.iter().map(must))
    }
}

#[cfg(feature = "prost")]
impl<K: MapKey, V: prost::Message + Default> PersistentKeyValueStore<K, V> {
    /// Sets the value of a key to a protobuf message. Only with the feature `prost`.
    ///
    /// ```
    /// use cairndb::persistent_kv::{Config, PersistentKeyValueStore};
    ///
    /// #[derive(Clone, PartialEq, prost::Message)]
    /// struct User {
    ///     #[prost(string, tag = "1")]
    ///     name: String,
    /// }
    ///
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path();
    /// let store: PersistentKeyValueStore<u64, User> = PersistentKeyValueStore::new(path, Config::default())?;
    /// store.set_proto(1_u64, User { name: "Alice".into() })?;
    /// assert_eq!(store.get_proto(&1)?.unwrap().name, "Alice");
    /// # Ok::<(), cairndb::persistent_kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Map::set`].
    pub fn set_proto(&self, key: impl Into<K>, value: impl prost::Message) -> Result<()> {
        Ok(self.map.set_bytes(&key.into(), &value.encode_to_vec())?)
    }

    /// The message that is the value of a key; `None` if it has none. Only with the feature `prost`. See
    /// [`set_proto`](PersistentKeyValueStore::set_proto) for an example.
    ///
    /// # Errors
    /// If the value is no such message.
    ///
    /// # Panics
    /// As [`get`](PersistentKeyValueStore::get).
    pub fn get_proto<Q>(&self, key: &Q) -> std::result::Result<Option<V>, prost::DecodeError>
    where
        K: Borrow<Q>,
        Q: ?Sized + Lookup,
    {
        must(self.map.record(key)).map(|record| V::decode(&*record.value)).transpose()
    }
}

impl<K, V> PersistentKeyValueStore<K, V> {
    /// What was taken over from persistent-kv when the store was opened first; `None` if there was nothing.
    ///
    /// ```
    /// # use cairndb::persistent_kv::{Config, PersistentKeyValueStore};
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path();
    /// let store: PersistentKeyValueStore<String, u32> = PersistentKeyValueStore::new(path, Config::default())?;
    /// assert!(store.taken_over().is_none());
    /// # Ok::<(), cairndb::persistent_kv::Error>(())
    /// ```
    #[must_use]
    pub fn taken_over(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// The map of the store, whose methods return errors and not only some of them.
    ///
    /// ```
    /// use cairndb::persistent_kv::{Config, PersistentKeyValueStore};
    ///
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path();
    /// let store: PersistentKeyValueStore<u64, String> = PersistentKeyValueStore::new(path, Config::default())?;
    /// assert_eq!(store.map().get(&1)?, None);
    /// assert_eq!(store.map().len()?, 0);
    /// # Ok::<(), cairndb::persistent_kv::Error>(())
    /// ```
    #[must_use]
    pub fn map(&self) -> &Map<K, V> {
        &self.map
    }

    /// Closes the store as dropping it does, and tells if that failed.
    ///
    /// ```
    /// # use cairndb::persistent_kv::{Config, PersistentKeyValueStore};
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let path = directory.path();
    /// let store: PersistentKeyValueStore<u64, String> = PersistentKeyValueStore::new(path, Config::default())?;
    /// store.close()?;
    /// # Ok::<(), cairndb::persistent_kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Map::close`].
    pub fn close(self) -> Result<()> {
        Ok(self.map.close()?)
    }
}

impl<K, V> Drop for PersistentKeyValueStore<K, V> {
    fn drop(&mut self) {
        let _only_close_can_tell = self.map.close();
    }
}

/// What the original prints: the bytes are those of keys and values, an integer key counting as eight.
impl<K, V> fmt::Debug for PersistentKeyValueStore<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = self.map.db.stats();
        let table = stats.tables.iter().find(|table| table.name == TABLE);
        let (entries, bytes) = table.map_or((0, 0), |table| (table.live_records, table.live_bytes));
        // Each key has a byte before it here.
        let kib = bytes.saturating_sub(entries) / 1024;
        write!(f, "PersistentKeyValueStore({entries} elements, {kib} KiB total size)")
    }
}

/// The entries stay on the disk, and the directory is free: the iterator needs neither.
impl<K: MapKey + 'static, V: MapValue + 'static> IntoIterator for PersistentKeyValueStore<K, V> {
    type Item = (K, V);
    type IntoIter = Box<dyn Iterator<Item = (K, V)> + 'static>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.map.iter().map(must))
    }
}

impl<'a, K: MapKey, V: MapValue> IntoIterator for &'a PersistentKeyValueStore<K, V> {
    type Item = (K, V);
    type IntoIter = Box<dyn Iterator<Item = (K, V)> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// For signatures that have no place for an error.
#[allow(clippy::panic, reason = "the alternative is to say that there is nothing, which is not true")]
fn must<T>(outcome: crate::Result<T>) -> T {
    match outcome {
        Ok(found) => found,
        Err(error) => panic!("{error}"),
    }
}
