//! A typed map that keeps its contents: keys and values of one type each, in a database of their own.

mod iter;
mod types;

use std::any::type_name;
use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use crate::batch::{Durability, MAX_KEY_BYTES, Op, Outcome};
use crate::database::Database;
use crate::env::{Env, RealEnv};
use crate::error::{Code, Error, Result};
use crate::options::Options;
use crate::range::Range;
use crate::read::Record;
use crate::record::Kind;

pub use iter::Iter;
#[cfg(feature = "prost")]
pub use types::Proto;
pub use types::{Lookup, MapKey, MapValue};

/// The table that the records are in.
pub(crate) const TABLE: &str = "map";

/// How a map is opened.
///
/// ```
/// use cairndb::{Durability, Options, map::Config};
///
/// let config = Config { durability: Durability::Full, ..Config::default() };
/// let keeps_three = Config { options: Options { keep_generations: 3, ..Options::default() }, ..Config::default() };
/// # let _ = (config, keeps_three);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// When [`Map::set`] and [`Map::unset`] return. Default [`Durability::Os`].
    pub durability: Durability,
    /// How the database of the map is opened.
    pub options: Options,
}

/// A map from keys to values that are there after the program has ended, in the order of the keys.
///
/// All methods take `&self`: threads share a map by reference, or by clones, which are handles on the same one. It is in
/// a directory of its own, which one process at a time may have open, or several with [`Options::shared`].
///
/// ```
/// use cairndb::{Map, map::Config};
///
/// # let directory = tempfile::tempdir().unwrap();
/// # let directory = directory.path();
/// let ages: Map<String, u32> = Map::open(directory, Config::default())?;
/// ages.set("Bob", 41_u32)?;
/// ages.set("Alice", 36_u32)?;
/// assert_eq!(ages.get("Alice")?, Some(36));
/// for entry in &ages {
///     let (name, age) = entry?;
///     println!("{name} is {age}"); // Alice first
/// }
/// ages.close()?;
/// # Ok::<(), cairndb::Error>(())
/// ```
pub struct Map<K, V> {
    pub(crate) db: Database,
    durability: Durability,
    /// A map has no keys and values itself, so it can be shared whatever they are.
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Clone for Map<K, V> {
    fn clone(&self) -> Self {
        Map { db: self.db.clone(), durability: self.durability, types: PhantomData }
    }
}

impl<K, V> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").field("db", &self.db).field("durability", &self.durability).finish()
    }
}

impl<K: MapKey, V> Map<K, V> {
    /// Opens the map in a directory, which is created if need be.
    ///
    /// ```
    /// # use cairndb::{Map, map::Config};
    /// # let directory = tempfile::tempdir().unwrap();
    /// let map: Map<String, String> = Map::open(directory.path(), Config::default())?;
    /// # Ok::<(), cairndb::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Database::open`], and [`Code::InvalidKey`] if the map has keys of another type.
    pub fn open(directory: impl AsRef<Path>, config: Config) -> Result<Self> {
        Map::open_with(Arc::new(RealEnv::new()), directory, config)
    }

    /// As [`Map::open`], with files, clock and background work of another kind.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use cairndb::{Map, env::RealEnv, map::Config};
    ///
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let directory = directory.path();
    /// let map: Map<u64, String> = Map::open_with(Arc::new(RealEnv::new()), directory, Config::default())?;
    /// # Ok::<(), cairndb::Error>(())
    /// ```
    pub fn open_with(env: Arc<dyn Env>, directory: impl AsRef<Path>, config: Config) -> Result<Self> {
        Map::of(Database::open_with(env, directory, config.options)?, config.durability)
    }

    pub(crate) fn of(db: Database, durability: Durability) -> Result<Self> {
        // Keys of another kind are all before or all behind those of this one, and so are integers that are too large.
        for range in [Range::all().limit(1), Range::all().reverse().limit(1)] {
            for row in db.scan(TABLE, &range)? {
                key_of::<K>(&row?.0)?;
            }
        }
        Ok(Map { db, durability, types: PhantomData })
    }

    /// Removes a key. Returns whether it was there.
    ///
    /// ```
    /// # use cairndb::{Map, map::Config};
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let map: Map<String, String> = Map::open(directory.path(), Config::default())?;
    /// map.set("key", "value")?;
    /// assert!(map.unset("key")?);
    /// assert!(!map.unset("key")?);
    /// # Ok::<(), cairndb::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Database::commit`].
    pub fn unset<Q>(&self, key: &Q) -> Result<bool>
    where
        K: Borrow<Q>,
        Q: ?Sized + Lookup,
    {
        let key = key.to_key();
        if key.len() > MAX_KEY_BYTES {
            return Ok(false);
        }
        let outcomes = self.db.commit(&[Op::delete(TABLE, &key)], self.durability)?;
        Ok(outcomes == [Outcome::Deleted])
    }

    pub(crate) fn set_bytes(&self, key: &K, value: &[u8]) -> Result<()> {
        self.db.commit(&[Op::put(TABLE, &key.to_key(), Kind::BYTES, value)], self.durability).map(drop)
    }

    pub(crate) fn record<Q>(&self, key: &Q) -> Result<Option<Record>>
    where
        K: Borrow<Q>,
        Q: ?Sized + Lookup,
    {
        let key = key.to_key();
        // No record can have such a key, so none does.
        if key.len() > MAX_KEY_BYTES { Ok(None) } else { self.db.get(TABLE, &key) }
    }
}

impl<K: MapKey, V: MapValue> Map<K, V> {
    /// Sets the value of a key, whether it had one or not.
    ///
    /// ```
    /// # use cairndb::{Map, map::Config};
    /// # let directory = tempfile::tempdir().unwrap();
    /// let map: Map<i32, Vec<u8>> = Map::open(directory.path(), Config::default())?;
    /// map.set(-1, b"bytes")?;
    /// # Ok::<(), cairndb::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Code::InvalidKey`] if the key is longer than 1,023 bytes, [`Code::TooLarge`] if the value is longer than
    /// [`MAX_VALUE_BYTES`](crate::MAX_VALUE_BYTES), and those of [`Database::commit`].
    pub fn set(&self, key: impl Into<K>, value: impl Into<V>) -> Result<()> {
        self.set_bytes(&key.into(), &value.into().to_bytes())
    }

    /// The value of a key; `None` if it has none.
    ///
    /// ```
    /// # use cairndb::{Map, map::Config};
    /// # let directory = tempfile::tempdir().unwrap();
    /// let map: Map<String, u64> = Map::open(directory.path(), Config::default())?;
    /// map.set("key", 7_u64)?;
    /// assert_eq!(map.get("key")?, Some(7));
    /// assert_eq!(map.get("another")?, None);
    /// # Ok::<(), cairndb::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Database::get`], and [`Code::InvalidValue`] if the value was written with another type.
    pub fn get<Q>(&self, key: &Q) -> Result<Option<V>>
    where
        K: Borrow<Q>,
        Q: ?Sized + Lookup,
    {
        self.record(key)?.map(|record| value_of(&record.value)).transpose()
    }

    /// The entries in the order of their keys, as they are now: later changes do not disturb the iteration.
    ///
    /// ```
    /// # use cairndb::{Map, map::Config};
    /// # let directory = tempfile::tempdir().unwrap();
    /// let map: Map<i32, String> = Map::open(directory.path(), Config::default())?;
    /// map.set(10, "ten")?;
    /// map.set(-1, "minus one")?;
    /// let entries: Vec<(i32, String)> = map.iter().collect::<cairndb::Result<_>>()?;
    /// assert_eq!(entries, [(-1, "minus one".to_string()), (10, "ten".to_string())]);
    /// # Ok::<(), cairndb::Error>(())
    /// ```
    pub fn iter(&self) -> Iter<K, V> {
        Iter::new(self.db.scan(TABLE, &Range::all()))
    }
}

impl<K, V> Map<K, V> {
    /// How many entries there are. Does not count them one by one.
    ///
    /// ```
    /// # use cairndb::{Map, map::Config};
    /// # let directory = tempfile::tempdir().unwrap();
    /// let map: Map<String, String> = Map::open(directory.path(), Config::default())?;
    /// map.set("key", "value")?;
    /// assert_eq!(map.len()?, 1);
    /// # Ok::<(), cairndb::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Code::Closed`] if the map was closed.
    pub fn len(&self) -> Result<u64> {
        self.db.len(TABLE)
    }

    /// Whether there is no entry.
    ///
    /// ```
    /// # use cairndb::{Map, map::Config};
    /// # let directory = tempfile::tempdir().unwrap();
    /// let map: Map<String, String> = Map::open(directory.path(), Config::default())?;
    /// assert!(map.is_empty()?);
    /// # Ok::<(), cairndb::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Map::len`].
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Removes all generations but the `keep` newest, the present one included: what
    /// [`Options::keep_generations`] would keep. See [`Database::prune`].
    ///
    /// ```
    /// # use cairndb::{Map, map::Config};
    /// # let directory = tempfile::tempdir().unwrap();
    /// let map: Map<String, String> = Map::open(directory.path(), Config::default())?;
    /// map.prune(1)?;
    /// # Ok::<(), cairndb::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Database::prune`].
    pub fn prune(&self, keep: u32) -> Result<()> {
        self.db.prune(keep).map(drop)
    }

    /// Returns once everything that was acknowledged is on the disk.
    ///
    /// ```
    /// # use cairndb::{Map, map::Config};
    /// # let directory = tempfile::tempdir().unwrap();
    /// let map: Map<String, String> = Map::open(directory.path(), Config::default())?;
    /// map.set("key", "value")?;
    /// map.flush()?;
    /// # Ok::<(), cairndb::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Database::flush`].
    pub fn flush(&self) -> Result<()> {
        self.db.flush()
    }

    /// Brings everything to the disk and gives the directory up. Clones of this map are closed too; an iteration that has
    /// begun goes on.
    ///
    /// ```
    /// # use cairndb::{Map, map::Config};
    /// # let directory = tempfile::tempdir().unwrap();
    /// let map: Map<String, String> = Map::open(directory.path(), Config::default())?;
    /// map.close()?;
    /// assert_eq!(map.get("key").unwrap_err().code(), cairndb::Code::Closed);
    /// # Ok::<(), cairndb::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Database::close`].
    pub fn close(&self) -> Result<()> {
        self.db.close()
    }

    /// The database that the map is in, for what a map has no method for: figures, verifying, compacting, backups.
    ///
    /// ```
    /// # use cairndb::{Map, map::Config};
    /// # let directory = tempfile::tempdir().unwrap();
    /// let map: Map<String, String> = Map::open(directory.path(), Config::default())?;
    /// assert!(map.database().verify()?.damage.is_empty());
    /// # Ok::<(), cairndb::Error>(())
    /// ```
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.db
    }
}

/// The key that these bytes stand for.
fn key_of<K: MapKey>(bytes: &[u8]) -> Result<K> {
    K::from_key(bytes).ok_or_else(|| {
        let (shown, kind) = (bytes.escape_ascii(), type_name::<K>());
        Error::new(
            Code::InvalidKey,
            format!("the map has the key {shown}, which is no {kind}; open it with the types that it was written with"),
        )
    })
}

/// The value that these bytes stand for.
pub(crate) fn value_of<V: MapValue>(bytes: &[u8]) -> Result<V> {
    V::from_bytes(bytes).ok_or_else(|| {
        let (len, kind) = (bytes.len(), type_name::<V>());
        Error::new(
            Code::InvalidValue,
            format!("a value of {len} bytes is no {kind}; open the map with the types that it was written with"),
        )
    })
}
