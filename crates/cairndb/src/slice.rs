//! Bytes that somebody else owns too.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, Range};
use std::sync::Arc;

/// A part of a shared buffer: the memtables keep the frames of the journal and point into them, so that a write is
/// copied once.
#[derive(Clone)]
pub(crate) struct Slice {
    buffer: Arc<[u8]>,
    start: u32,
    len: u32,
}

impl Slice {
    /// The part of `buffer` in `range`, which is cut to the buffer's end.
    pub(crate) fn new(buffer: &Arc<[u8]>, range: Range<usize>) -> Self {
        let end = range.end.min(buffer.len());
        let start = range.start.min(end);
        Slice { buffer: Arc::clone(buffer), start: start as u32, len: (end - start) as u32 }
    }
}

impl Deref for Slice {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let start = self.start as usize;
        self.buffer.get(start..start + self.len as usize).unwrap_or_default()
    }
}

/// The longest key that is kept in place.
const INLINE: usize = 30;

/// A key in memory. A short one, as most are, is kept in place: to find a key in a memtable is to compare it with many,
/// and each that lay elsewhere would be a wait for memory.
#[derive(Clone)]
pub(crate) enum Key {
    Inline { len: u8, bytes: [u8; INLINE] },
    Shared(Slice),
}

impl Key {
    /// The key in a part of `buffer`.
    pub(crate) fn new(buffer: &Arc<[u8]>, range: Range<usize>) -> Self {
        let slice = Slice::new(buffer, range);
        let mut bytes = [0; INLINE];
        match bytes.get_mut(..slice.len()) {
            Some(place) => {
                place.copy_from_slice(&slice);
                Key::Inline { len: slice.len as u8, bytes }
            }
            None => Key::Shared(slice),
        }
    }
}

/// The first 8 bytes of a key as a number, with zeros behind a shorter one. Keys whose numbers differ are in the order of
/// these.
pub(crate) fn prefix(key: &[u8]) -> u64 {
    let first = key.first_chunk().copied().unwrap_or_else(|| {
        let mut first = [0; 8];
        first.iter_mut().zip(key).for_each(|(place, byte)| *place = *byte);
        first
    });
    u64::from_be_bytes(first)
}

impl Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Key::Inline { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Key::Shared(slice) => slice,
        }
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (**self).cmp(&**other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_every_length_are_what_they_were_made_of() {
        let buffer: Arc<[u8]> = (0..=255).collect();
        for len in 0..64 {
            let key = Key::new(&buffer, 7..7 + len);
            assert_eq!(*key, buffer[7..7 + len]);
            assert_eq!(matches!(key, Key::Shared(_)), len > INLINE);
        }
        assert!(Key::new(&buffer, 0..5) < Key::new(&buffer, 0..40));
    }
}
