//! Groups: what one checksum covers of the records of a stone.

use super::format::{ALIGNMENT, CHECKSUM, PACKED_LIMIT, checksum};
use super::symbols::{Packer, Symbols};
use crate::codec::{Reader, put_bytes, put_varint};
use crate::record::Entry;

/// Packed records are about so many times as long before they are packed.
const USUAL: usize = 3;

/// A group as it stands in the file.
pub(super) struct Group<'a> {
    pub(super) body: &'a [u8],
    /// Where the body begins in the group.
    pub(super) body_at: usize,
    /// Whether the body is codes, with the length of those of each record in front of them.
    pub(super) packed: bool,
    /// Of all of it, with the zeros behind it.
    pub(super) len: usize,
    pub(super) intact: bool,
}

impl<'a> Group<'a> {
    /// What the bytes at an offset of the file begin with, intact or not. `None` if they do not even look like a group.
    pub(super) fn read(bytes: &'a [u8], at: u64, salt: u32) -> Option<Group<'a>> {
        let mut reader = Reader::new(bytes);
        let crc = reader.u32()?;
        let head = reader.varint()?;
        let body = reader.take(usize::try_from(head >> 1).ok()?)?;
        let packed = head & 1 == 1;
        let (end, len) = (reader.position(), reader.position().next_multiple_of(ALIGNMENT as usize));
        if body.is_empty() || (packed && body.len() > PACKED_LIMIT) || len > bytes.len() {
            return None;
        }
        let intact = checksum(salt, at, bytes.get(CHECKSUM..end)?) == crc;
        Some(Group { body, body_at: end - body.len(), packed, len, intact })
    }

    /// The codes of each record of a packed group. `None` for what is cut; it is the last.
    pub(super) fn codes(&self) -> impl Iterator<Item = Option<&'a [u8]>> {
        let mut reader = Reader::new(self.body);
        each(move || if reader.is_empty() { None } else { Some(reader.bytes()) })
    }

    /// The encoded records as they were before they were packed; `None` if codes stand for nothing.
    pub(super) fn unpack(&self, symbols: Option<&Symbols>) -> Option<Vec<u8>> {
        if !self.packed {
            return Some(self.body.to_vec());
        }
        let mut records = Vec::with_capacity(self.body.len() * USUAL);
        self.codes().try_for_each(|codes| symbols?.unpack(codes?, |record| records.extend_from_slice(record)))?;
        Some(records)
    }
}

/// Encoded records, one after the other. `None` for what is no record; it is the last.
pub(super) fn entries(records: &[u8], base_time: u64) -> impl Iterator<Item = Option<Entry<'_>>> {
    let mut reader = Reader::new(records);
    each(move || if reader.is_empty() { None } else { Some(Entry::decode(&mut reader, base_time)) })
}

/// The record with this number of encoded records, and where it ends.
pub(super) fn nth_entry(records: &[u8], base_time: u64, number: usize) -> Option<(Entry<'_>, usize)> {
    let mut reader = Reader::new(records);
    for _ in 0..number {
        Entry::decode(&mut reader, base_time)?;
    }
    Some((Entry::decode(&mut reader, base_time)?, reader.position()))
}

/// What `next` gives, up to its end or the first that cannot be read.
fn each<T>(mut next: impl FnMut() -> Option<Option<T>>) -> impl Iterator<Item = Option<T>> {
    let mut broken = false;
    std::iter::from_fn(move || {
        let item = if broken { None } else { next() };
        broken = matches!(item, Some(None));
        item
    })
}

/// The key of the record if it is one only, well formed, and all there is.
pub(super) fn only_key(records: &[u8], base_time: u64) -> Option<Vec<u8>> {
    let mut entries = entries(records, base_time);
    let key = entries.next()??.key.to_vec();
    entries.next().is_none().then_some(key)
}

/// Appends the head and the body of a group of records: packed if that is shorter.
pub(super) fn put_group(records: &[Vec<u8>], packer: Option<&Packer>, out: &mut Vec<u8>) {
    let len: usize = records.iter().map(Vec::len).sum();
    let packed = packer.filter(|_| len <= PACKED_LIMIT).map(|packer| {
        let mut body = Vec::with_capacity(len);
        records.iter().for_each(|record| put_bytes(&mut body, &packer.pack(record)));
        body
    });
    match packed.filter(|body| body.len() < len) {
        Some(body) => {
            put_varint(out, (body.len() as u64) << 1 | 1);
            out.extend_from_slice(&body);
        }
        None => {
            put_varint(out, (len as u64) << 1);
            records.iter().for_each(|record| out.extend_from_slice(record));
        }
    }
}
