//! Iteration over a map.

use std::fmt;
use std::marker::PhantomData;

use super::{Map, MapKey, MapValue, key_of, value_of};
use crate::error::{Error, Result};
use crate::read::Scan;

/// The entries of a [`Map`], in the order of their keys, as they were when the iteration began. Ends after an error.
///
/// ```
/// use cairndb::map::{Config, Iter, Map};
///
/// # let directory = tempfile::tempdir().unwrap();
/// let map: Map<u8, String> = Map::open(directory.path(), Config::default())?;
/// map.set(1, "one")?;
/// let mut iter: Iter<u8, String> = map.into_iter();
/// assert_eq!(iter.next().transpose()?, Some((1, "one".to_string())));
/// # Ok::<(), cairndb::Error>(())
/// ```
pub struct Iter<K, V> {
    state: State,
    types: PhantomData<fn() -> (K, V)>,
}

enum State {
    Scanning(Box<Scan>),
    /// The scan could not begin.
    Failed(Error),
    Ended,
}

impl<K, V> Iter<K, V> {
    pub(super) fn new(scan: Result<Scan>) -> Self {
        let state = scan.map_or_else(State::Failed, |scan| State::Scanning(Box::new(scan)));
        Iter { state, types: PhantomData }
    }
}

impl<K: MapKey, V: MapValue> Iterator for Iter<K, V> {
    type Item = Result<(K, V)>;

    fn next(&mut self) -> Option<Self::Item> {
        if let State::Scanning(scan) = &mut self.state {
            let next = scan.next().map(|row| {
                let (key, record) = row?;
                Ok((key_of(&key)?, value_of(&record.value)?))
            });
            if !matches!(next, Some(Ok(_))) {
                self.state = State::Ended;
            }
            return next;
        }
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Failed(error) => Some(Err(error)),
            _ => None,
        }
    }
}

impl<K, V> fmt::Debug for Iter<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").finish_non_exhaustive()
    }
}

impl<K: MapKey, V: MapValue> IntoIterator for &Map<K, V> {
    type Item = Result<(K, V)>;
    type IntoIter = Iter<K, V>;

    fn into_iter(self) -> Iter<K, V> {
        self.iter()
    }
}

/// Gives up this handle; the records stay where they are.
impl<K: MapKey, V: MapValue> IntoIterator for Map<K, V> {
    type Item = Result<(K, V)>;
    type IntoIter = Iter<K, V>;

    fn into_iter(self) -> Iter<K, V> {
        self.iter()
    }
}
