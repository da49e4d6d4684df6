//! Records as they are read: checked where they stand, without copying what is in memory already.

use std::sync::Arc;

use super::format::{CHECKSUM, Header, checksum};
use super::reader::Stone;
use crate::codec::Reader;
use crate::error::Result;
use crate::record::{Entry, Meta};

/// A record of a stone. It keeps what it points into alive.
#[derive(Clone)]
pub(crate) struct StoneRecord {
    bytes: Bytes,
    place: Place,
}

impl StoneRecord {
    pub(crate) fn key(&self) -> &[u8] {
        self.bytes.slice(self.place.key_at, self.place.key_len)
    }

    /// Empty for a tombstone.
    pub(crate) fn value(&self) -> &[u8] {
        self.bytes.slice(self.place.key_at + self.place.key_len, self.place.value_len)
    }

    pub(crate) fn meta(&self) -> &Meta {
        &self.place.meta
    }

    pub(crate) fn entry(&self) -> Entry<'_> {
        Entry { key: self.key(), meta: self.place.meta, value: self.value() }
    }

    /// Where the record ends and the next one begins.
    pub(super) fn end(&self) -> u64 {
        self.place.end
    }
}

/// Where the parts of a record are that was checked.
#[derive(Clone)]
struct Place {
    meta: Meta,
    /// Index in [`Bytes`]; the value follows the key.
    key_at: usize,
    key_len: usize,
    value_len: usize,
    end: u64,
}

/// Bytes of a stone in memory.
#[derive(Clone)]
enum Bytes {
    /// The whole mapped file.
    Mapped(Arc<Stone>),
    /// A part of the file, shared with the cache.
    Copied(Arc<[u8]>),
}

impl Bytes {
    fn all(&self) -> &[u8] {
        match self {
            Bytes::Mapped(stone) => stone.mapping(),
            Bytes::Copied(bytes) => bytes,
        }
    }

    /// A part that was found within the bytes when the record was checked.
    fn slice(&self, at: usize, len: usize) -> &[u8] {
        self.all().get(at..at + len).unwrap_or_default()
    }
}

/// A range of the data in which records stand back to back.
pub(super) struct Window {
    bytes: Bytes,
    /// The file offset of the first of the bytes.
    origin: u64,
    end: u64,
}

impl Window {
    /// The range `start..end` of the file, of which `part` is a copy unless the file is mapped.
    pub(super) fn new(stone: &Arc<Stone>, part: Option<Arc<[u8]>>, start: u64, end: u64) -> Window {
        match part {
            Some(part) => Window { bytes: Bytes::Copied(part), origin: start, end },
            None => Window { bytes: Bytes::Mapped(Arc::clone(stone)), origin: 0, end },
        }
    }

    /// Where the last record of the window ends.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The record at a file offset.
    pub(super) fn record(&self, stone: &Stone, at: u64) -> Result<StoneRecord> {
        Ok(StoneRecord { place: self.place(stone, at)?, bytes: self.bytes.clone() })
    }

    /// The record at a file offset, for a window that is not needed any more.
    pub(super) fn into_record(self, stone: &Stone, at: u64) -> Result<StoneRecord> {
        Ok(StoneRecord { place: self.place(stone, at)?, bytes: self.bytes })
    }

    /// What is at a file offset, intact or not; `None` if it does not even look like a record.
    pub(super) fn frame(&self, header: &Header, at: u64) -> Option<Frame<'_>> {
        let end = usize::try_from(self.end.checked_sub(self.origin)?).ok()?;
        let start = usize::try_from(at.checked_sub(self.origin)?).ok()?;
        Frame::read(self.bytes.all().get(start..end)?, at, header)
    }

    /// The record at a file offset, checked, where it stands.
    pub(super) fn intact(&self, stone: &Stone, at: u64) -> Result<Frame<'_>> {
        let frame = self.frame(&stone.footer()?.header, at);
        let frame = frame.ok_or_else(|| stone.damaged(at, "there is no record where one should be"))?;
        if frame.intact { Ok(frame) } else { Err(stone.damaged(at, "a record fails its checksum")) }
    }

    fn place(&self, stone: &Stone, at: u64) -> Result<Place> {
        let Frame { entry: Entry { key, meta, value }, len, .. } = self.intact(stone, at)?;
        let end = at + len as u64;
        let key_at = (end - self.origin) as usize - value.len() - key.len();
        Ok(Place { meta, key_at, key_len: key.len(), value_len: value.len(), end })
    }
}

/// A record in its frame: a checksum, then the encoded record.
pub(super) struct Frame<'a> {
    pub(super) entry: Entry<'a>,
    /// Of checksum and record.
    pub(super) len: usize,
    pub(super) intact: bool,
}

impl<'a> Frame<'a> {
    pub(super) fn read(bytes: &'a [u8], at: u64, header: &Header) -> Option<Frame<'a>> {
        let mut reader = Reader::new(bytes);
        let crc = reader.u32()?;
        let entry = Entry::decode(&mut reader, header.base_time)?;
        let len = reader.position();
        let intact = checksum(header.salt, at, bytes.get(CHECKSUM..len)?) == crc;
        Some(Frame { entry, len, intact })
    }
}
