//! A record: what a key maps to, and how it is laid out in a journal frame and in a stone.

use std::ops::ControlFlow;

use crate::codec::{Reader, put_varint, unzigzag, zigzag};
use crate::error::Result;

/// What the bytes of a value are. The engine keeps kinds that it does not know and gives them back unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind(u8);

impl Kind {
    /// Bytes without further meaning.
    pub const BYTES: Kind = Kind(0);
    /// UTF-8 JSON text.
    pub const JSON: Kind = Kind(1);
    /// A [`Value`](crate::Value): see [`Database::pack`](crate::Database::pack).
    pub const PACKED: Kind = Kind(2);
    /// The number of kinds that a record's head byte has room for.
    pub const LIMIT: u8 = 32;

    /// The kind with this number, which must be below [`Kind::LIMIT`].
    #[must_use]
    pub fn new(number: u8) -> Option<Kind> {
        (number < Kind::LIMIT).then_some(Kind(number))
    }

    /// The number that stands on disk.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

/// The revision of a dictionary that a record was written with, and whether its keys were mapped by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DictionaryUse {
    pub(crate) revision: u32,
    /// False where mapping would have lost a key: the value is stored as it came.
    pub(crate) mapped: bool,
}

/// All of a record but its key and its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Meta {
    pub(crate) kind: Kind,
    /// A tombstone says that the key was deleted, and hides older records of it further down the stack.
    pub(crate) tombstone: bool,
    /// 1 for the first write of a key, then one more for each.
    pub(crate) version: u64,
    /// Milliseconds since the epoch.
    pub(crate) time: u64,
    /// Milliseconds since the epoch; the record is missing once the clock is past it.
    pub(crate) expiration: Option<f64>,
    pub(crate) dictionary: Option<DictionaryUse>,
}

impl Meta {
    pub(crate) fn tombstone(time: u64) -> Self {
        Meta { kind: Kind::BYTES, tombstone: true, version: 0, time, expiration: None, dictionary: None }
    }

    /// Whether a reader at `now` (milliseconds since the epoch) finds the record.
    pub(crate) fn is_live(&self, now: u64) -> bool {
        !self.tombstone && !self.is_expired(now)
    }

    pub(crate) fn is_expired(&self, now: u64) -> bool {
        self.expiration.is_some_and(|at| now as f64 > at)
    }
}

/// A record in somebody else's bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Entry<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) meta: Meta,
    pub(crate) value: &'a [u8],
}

const EXPIRES: u8 = 1 << 0;
const DICTIONARY: u8 = 1 << 1;
/// The whole head byte of a tombstone; its bit is clear in every other head.
const TOMBSTONE: u8 = 1 << 2;
const KIND_SHIFT: u8 = 3;

/// Who is shown records. It breaks off when it has seen enough, or is shown what it does not take.
pub(crate) type Visit<'a> = dyn FnMut(&Entry<'_>) -> Result<ControlFlow<Edge>> + 'a;

/// The side of the last record on which a visit that is broken off ends. What is in front of a record shows it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    Before,
    Behind,
}

impl<'a> Entry<'a> {
    /// Appends the record: head byte, then
    /// - for a value: version, time as a zigzag difference to `base_time`, \[expiration\], \[dictionary\], lengths of
    ///   key and value, key, value;
    /// - for a tombstone: time, length of the key, key.
    pub(crate) fn encode(&self, base_time: u64, out: &mut Vec<u8>) {
        let time = zigzag(self.meta.time.wrapping_sub(base_time) as i64);
        if self.meta.tombstone {
            out.push(TOMBSTONE);
            put_varint(out, time);
            put_varint(out, self.key.len() as u64);
            out.extend_from_slice(self.key);
            return;
        }
        let mut head = self.meta.kind.0 << KIND_SHIFT;
        head |= if self.meta.expiration.is_some() { EXPIRES } else { 0 };
        head |= if self.meta.dictionary.is_some() { DICTIONARY } else { 0 };
        out.push(head);
        put_varint(out, self.meta.version);
        put_varint(out, time);
        if let Some(expiration) = self.meta.expiration {
            out.extend_from_slice(&expiration.to_le_bytes());
        }
        if let Some(used) = self.meta.dictionary {
            put_varint(out, u64::from(used.revision) << 1 | u64::from(used.mapped));
        }
        put_varint(out, self.key.len() as u64);
        put_varint(out, self.value.len() as u64);
        out.extend_from_slice(self.key);
        out.extend_from_slice(self.value);
    }

    /// About how many bytes it takes in a stone.
    pub(crate) fn len(&self) -> u64 {
        16 + (self.key.len() + self.value.len()) as u64
    }

    /// Reads what [`Entry::encode`] wrote. `None` if the bytes are not a record.
    #[allow(
        clippy::inline_always,
        reason = "given back through memory, its parts would be stored one by one and loaded \
              together, for which the processor waits: a scan takes 15 % longer"
    )]
    #[inline(always)]
    pub(crate) fn decode(reader: &mut Reader<'a>, base_time: u64) -> Option<Self> {
        let head = reader.u8()?;
        if head & TOMBSTONE != 0 {
            return if head == TOMBSTONE { Self::decode_tombstone(reader, base_time) } else { None };
        }
        let version = reader.varint()?;
        let time = decode_time(reader, base_time)?;
        let expiration = if head & EXPIRES != 0 { Some(reader.f64()?) } else { None };
        let dictionary = if head & DICTIONARY != 0 {
            let number = reader.varint()?;
            Some(DictionaryUse { revision: u32::try_from(number >> 1).ok()?, mapped: number & 1 == 1 })
        } else {
            None
        };
        let key_len = usize::try_from(reader.varint()?).ok()?;
        let value_len = usize::try_from(reader.varint()?).ok()?;
        let key = reader.take(key_len)?;
        let value = reader.take(value_len)?;
        let kind = Kind(head >> KIND_SHIFT);
        Some(Entry { key, meta: Meta { kind, tombstone: false, version, time, expiration, dictionary }, value })
    }

    fn decode_tombstone(reader: &mut Reader<'a>, base_time: u64) -> Option<Self> {
        let time = decode_time(reader, base_time)?;
        let key = reader.bytes()?;
        Some(Entry { key, meta: Meta::tombstone(time), value: &[] })
    }
}

fn decode_time(reader: &mut Reader<'_>, base_time: u64) -> Option<u64> {
    Some(base_time.wrapping_add(unzigzag(reader.varint()?) as u64))
}

/// Visits that end in every way, for the tests of what can be visited.
#[cfg(test)]
pub(crate) mod visits {
    use proptest::prelude::*;

    use super::*;
    use crate::error::{Code, Error};

    /// How a visit ends: on an edge, or else with an error.
    pub(crate) fn edges() -> impl Strategy<Value = Option<Edge>> {
        prop_oneof![Just(None), Just(Some(Edge::Before)), Just(Some(Edge::Behind))]
    }

    /// What `keep` makes of up to `count` records that `walk` shows. The visit ends behind the last of them, or else at the
    /// one that comes then.
    pub(crate) fn seen<T>(
        count: usize,
        edge: Option<Edge>,
        keep: impl Fn(&Entry<'_>) -> T,
        walk: impl FnOnce(&mut Visit<'_>) -> Result<ControlFlow<Edge>>,
    ) -> Vec<T> {
        let mut seen = Vec::new();
        let mut is_over = false;
        let outcome = walk(&mut |entry| {
            assert!(!is_over, "nothing is shown once the visit was broken off");
            if seen.len() == count {
                is_over = true;
                let refused = Error::new(Code::Closed, "refused");
                return edge.map_or(Err(refused), |_| Ok(ControlFlow::Break(Edge::Before)));
            }
            seen.push(keep(entry));
            is_over = edge == Some(Edge::Behind) && seen.len() == count;
            Ok(if is_over { ControlFlow::Break(Edge::Behind) } else { ControlFlow::Continue(()) })
        });
        assert_eq!(outcome.map_or(true, |flow| flow.is_break()), is_over);
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn meta() -> impl Strategy<Value = Meta> {
        let value = (
            0..Kind::LIMIT,
            any::<u64>(),
            any::<u64>(),
            proptest::option::of(-1e15..1e15_f64),
            proptest::option::of((any::<u32>(), any::<bool>())),
        )
            .prop_map(|(kind, version, time, expiration, dictionary)| Meta {
                kind: Kind(kind),
                tombstone: false,
                version,
                time,
                expiration,
                dictionary: dictionary.map(|(revision, mapped)| DictionaryUse { revision, mapped }),
            });
        prop_oneof![value, any::<u64>().prop_map(Meta::tombstone)]
    }

    proptest! {
        #[test]
        fn records_round_trip(meta in meta(), key: Vec<u8>, value: Vec<u8>, base: u64) {
            let value = if meta.tombstone { Vec::new() } else { value };
            let entry = Entry { key: &key, meta, value: &value };
            let mut bytes = Vec::new();
            entry.encode(base, &mut bytes);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(Entry::decode(&mut reader, base), Some(entry));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn strange_bytes_are_refused_or_read_within_their_bounds(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            if let Some(entry) = Entry::decode(&mut reader, 0) {
                prop_assert!(entry.key.len() + entry.value.len() <= bytes.len());
            }
        }
    }

    #[test]
    fn a_small_durable_write_costs_few_bytes() {
        let meta =
            Meta { kind: Kind::BYTES, tombstone: false, version: 1, time: 5, expiration: None, dictionary: None };
        let mut bytes = Vec::new();
        Entry { key: &[0; 16], meta, value: &[0; 100] }.encode(5, &mut bytes);
        assert_eq!(bytes.len(), 116 + 5);
    }

    #[test]
    fn a_record_is_live_up_to_its_expiration_and_no_longer() {
        let mut meta = Meta::tombstone(0);
        assert!(!meta.is_live(0));
        meta.tombstone = false;
        meta.expiration = Some(10.0);
        assert!(meta.is_live(10) && !meta.is_live(11));
        meta.expiration = Some(-1.0);
        assert!(!meta.is_live(0));
    }
}
