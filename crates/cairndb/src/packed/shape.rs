//! Shapes: the keys of objects, kept once for all objects that have them.

use crate::codec::{Reader, put_bytes, put_varint};
use crate::error::{Code, Error, Result};

/// How many shapes a database has at most. Objects that need more name their keys: a table of maps, whose keys are data,
/// must not fill every manifest with them.
pub(crate) const MAX_SHAPES: usize = 4096;
/// How many keys a shape has at most.
pub(crate) const MAX_KEYS: usize = 256;
/// How long its keys are at most, all together, in bytes.
const MAX_BYTES: usize = 8192;

/// The keys of an object, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    pub(crate) keys: Vec<Box<str>>,
}

impl Shape {
    /// Refuses what is too large, and a key that is there twice.
    pub(crate) fn new<'a>(keys: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let keys: Vec<Box<str>> = keys.into_iter().map(Box::from).collect();
        let invalid = |what: &str| Err(Error::new(Code::InvalidValue, format!("a shape {what}")));
        if keys.len() > MAX_KEYS || keys.iter().map(|key| key.len()).sum::<usize>() > MAX_BYTES {
            return invalid("has too many or too long keys; name them in the value");
        }
        let mut sorted: Vec<&str> = keys.iter().map(|key| &**key).collect();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair.first() == pair.last()) {
            return invalid("has a key twice");
        }
        Ok(Shape { keys })
    }

    /// The shape of objects without keys.
    pub(crate) fn without_keys() -> Self {
        Shape { keys: Vec::new() }
    }

    /// Appends the number of keys, and each with its length.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.keys.len() as u64);
        for key in &self.keys {
            put_bytes(out, key.as_bytes());
        }
    }

    /// Reads what [`Shape::encode`] wrote.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let count = reader.varint()?;
        let mut keys = Vec::new();
        for _ in 0..count {
            keys.push(reader.text()?);
        }
        Shape::new(keys).ok()
    }
}
