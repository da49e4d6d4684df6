//! Ranges of keys, as callers name them.

use std::ops::Bound;

use crate::stone::Seek;

/// Which records a scan gives, and in which order.
///
/// ```
/// # use cairndb::Range;
/// let newest_ten = Range::prefix(b"2026-").reverse().limit(10);
/// ```
#[derive(Clone, Debug)]
pub struct Range<'a> {
    low: Bound<&'a [u8]>,
    high: Bound<&'a [u8]>,
    prefix: &'a [u8],
    pub(crate) reverse: bool,
    pub(crate) limit: Option<usize>,
}

impl<'a> Range<'a> {
    /// All records.
    #[must_use]
    pub fn all() -> Self {
        Range::between(Bound::Unbounded, Bound::Unbounded)
    }

    /// The records whose keys lie between two bounds.
    #[must_use]
    pub fn between(low: Bound<&'a [u8]>, high: Bound<&'a [u8]>) -> Self {
        Range { low, high, prefix: &[], reverse: false, limit: None }
    }

    /// The records whose keys begin with `prefix`.
    #[must_use]
    pub fn prefix(prefix: &'a [u8]) -> Self {
        Range::all().with_prefix(prefix)
    }

    /// Of these, the records whose keys begin with `prefix`.
    #[must_use]
    pub fn with_prefix(mut self, prefix: &'a [u8]) -> Self {
        self.prefix = prefix;
        self
    }

    /// From the last key to the first.
    #[must_use]
    pub fn reverse(mut self) -> Self {
        self.reverse = true;
        self
    }

    /// At most this many records.
    #[must_use]
    pub fn limit(mut self, records: usize) -> Self {
        self.limit = Some(records);
        self
    }

    pub(crate) fn bounds(&self) -> Bounds {
        let mut low = self.low.map(<[u8]>::to_vec);
        let mut high = self.high.map(<[u8]>::to_vec);
        if !self.prefix.is_empty() {
            let from_low =
                !matches!(&low, Bound::Included(key) | Bound::Excluded(key) if key.as_slice() >= self.prefix);
            if from_low {
                low = Bound::Included(self.prefix.to_vec());
            }
            if let Some(end) = successor(self.prefix)
                && !matches!(&high, Bound::Included(key) | Bound::Excluded(key) if *key < end)
            {
                high = Bound::Excluded(end);
            }
        }
        Bounds { low, high }
    }
}

/// The first key behind all that begin with `prefix`; `None` if there is none, since the prefix is all 0xff.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}

/// The keys between two bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) low: Bound<Vec<u8>>,
    pub(crate) high: Bound<Vec<u8>>,
}

impl Bounds {
    pub(crate) fn all() -> Self {
        Bounds { low: Bound::Unbounded, high: Bound::Unbounded }
    }

    pub(crate) fn as_ref(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        (self.low.as_ref().map(Vec::as_slice), self.high.as_ref().map(Vec::as_slice))
    }

    /// Where a walk in this direction begins.
    pub(crate) fn start(&self, reverse: bool) -> Seek<'_> {
        match (reverse, if reverse { self.high.as_ref() } else { self.low.as_ref() }) {
            (false, Bound::Unbounded) => Seek::Start,
            (true, Bound::Unbounded) => Seek::End,
            (false, Bound::Included(key)) | (true, Bound::Excluded(key)) => Seek::Before(key),
            (false, Bound::Excluded(key)) | (true, Bound::Included(key)) => Seek::After(key),
        }
    }

    /// Whether `key` lies beyond the end of a walk in this direction.
    pub(crate) fn is_past(&self, key: &[u8], reverse: bool) -> bool {
        match if reverse { self.low.as_ref() } else { self.high.as_ref() } {
            Bound::Unbounded => false,
            Bound::Included(end) => {
                if reverse {
                    key < end.as_slice()
                } else {
                    key > end.as_slice()
                }
            }
            Bound::Excluded(end) => {
                if reverse {
                    key <= end.as_slice()
                } else {
                    key >= end.as_slice()
                }
            }
        }
    }
}
