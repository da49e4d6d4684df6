//! Records as they are read: checked where they stand, and without copying what is in memory as it is.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use super::group::{Group, nth_entry};
use super::place::Place;
use super::reader::Stone;
use crate::codec::Reader;
use crate::error::{Error, Result};
use crate::record::{Edge, Entry, Meta, Visit};

/// A record of a stone. It keeps what it points into alive.
#[derive(Clone)]
pub(crate) struct StoneRecord {
    bytes: Bytes,
    parts: Parts,
}

impl StoneRecord {
    pub(crate) fn key(&self) -> &[u8] {
        self.bytes.slice(self.parts.key_at..self.parts.value_at)
    }

    /// Empty for a tombstone.
    pub(crate) fn value(&self) -> &[u8] {
        self.bytes.slice(self.parts.value_at..self.parts.end)
    }

    pub(crate) fn meta(&self) -> &Meta {
        &self.parts.meta
    }

    pub(crate) fn entry(&self) -> Entry<'_> {
        self.parts.entry(self.bytes.all())
    }
}

/// Where the parts of a record are in bytes; the value follows the key and ends the record.
#[derive(Clone)]
pub(super) struct Parts {
    meta: Meta,
    key_at: usize,
    value_at: usize,
    pub(super) end: usize,
}

impl Parts {
    /// Those of an entry that ends there.
    fn of(entry: &Entry<'_>, end: usize) -> Parts {
        let value_at = end - entry.value.len();
        Parts { meta: entry.meta, key_at: value_at - entry.key.len(), value_at, end }
    }

    /// The record in the bytes in which its parts were found.
    fn entry<'a>(&self, bytes: &'a [u8]) -> Entry<'a> {
        let part = |range: Range<usize>| bytes.get(range).unwrap_or_default();
        Entry { key: part(self.key_at..self.value_at), meta: self.meta, value: part(self.value_at..self.end) }
    }
}

/// Bytes of a stone in memory.
#[derive(Clone)]
enum Bytes {
    /// The whole mapped file.
    Mapped(Arc<Stone>),
    /// A part of the file that is shared with the cache, or a record that was unpacked.
    Copied(Arc<[u8]>),
}

impl Bytes {
    fn all(&self) -> &[u8] {
        match self {
            Bytes::Mapped(stone) => stone.mapping(),
            Bytes::Copied(bytes) => bytes,
        }
    }

    /// A part that was found within the bytes when it was checked.
    fn slice(&self, range: Range<usize>) -> &[u8] {
        self.all().get(range).unwrap_or_default()
    }
}

/// A place in front of a record, or after the last one of a window.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Gap {
    /// Offset of the record's group, or the end of the window.
    pub(super) group: u64,
    /// How many bytes of the group's records are in front of it.
    pub(super) at: usize,
}

/// A range of the data in which groups stand back to back.
pub(super) struct Window {
    bytes: Bytes,
    /// The file offset of the first of the bytes.
    origin: u64,
    end: u64,
}

/// A [`Window`] without a share in what its bytes lie in.
pub(super) struct View<'a> {
    bytes: &'a [u8],
    origin: u64,
    end: u64,
}

/// Where a record is that somebody looks at.
pub(super) enum Lies<'a> {
    /// In the bytes of the view, where it ends there.
    Here(usize),
    /// All of it, in memory that is used again.
    Unpacked(&'a [u8]),
}

impl<'a> View<'a> {
    /// The data of a mapped file, up to `end`.
    pub(super) fn of_file(bytes: &'a [u8], end: u64) -> View<'a> {
        View { bytes, origin: 0, end }
    }

    /// As [`Window::group`].
    fn group(&self, salt: u32, at: u64) -> Option<Group<'a>> {
        let end = usize::try_from(self.end.checked_sub(self.origin)?).ok()?;
        let start = usize::try_from(at.checked_sub(self.origin)?).ok()?;
        Group::read(self.bytes.get(start..end)?, at, salt)
    }

    /// As [`Window::intact`].
    fn intact(&self, stone: &Stone, at: u64) -> Result<Group<'a>> {
        let group = self.group(stone.footer()?.header.salt, at);
        let group = group.ok_or_else(|| stone.damaged(at, "there is no group of records where one should be"))?;
        if group.intact { Ok(group) } else { Err(stone.damaged(at, "a group of records fails its checksum")) }
    }

    /// What `look` makes of the record at a place.
    pub(super) fn look_at<T>(
        &self,
        stone: &Stone,
        place: Place,
        look: impl FnOnce(&Entry<'_>, Lies<'_>) -> T,
    ) -> Result<T> {
        let (at, number) = (place.group(), place.number());
        let group = self.intact(stone, at)?;
        let base_time = stone.footer()?.header.base_time;
        let missing = || stone.damaged(at, "a group does not hold a record that it should");
        if group.packed {
            let look =
                |record: &[u8]| nth_entry(record, base_time, 0).map(|(entry, _)| look(&entry, Lies::Unpacked(record)));
            let codes = group.codes().nth(number).flatten();
            return codes.and_then(|codes| stone.symbols()?.unpack(codes, look)).flatten().ok_or_else(missing);
        }
        let (entry, end) = nth_entry(group.body, base_time, number).ok_or_else(missing)?;
        Ok(look(&entry, Lies::Here((at - self.origin) as usize + group.body_at + end)))
    }
}

impl Window {
    /// The range `start..end` of the file, of which `part` is a copy unless the file is mapped.
    pub(super) fn new(stone: &Arc<Stone>, part: Option<Arc<[u8]>>, start: u64, end: u64) -> Window {
        match part {
            Some(part) => Window { bytes: Bytes::Copied(part), origin: start, end },
            None => Window { bytes: Bytes::Mapped(Arc::clone(stone)), origin: 0, end },
        }
    }

    /// Where the last group of the window ends.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The same, for as long as somebody else keeps it.
    pub(super) fn view(&self) -> View<'_> {
        View { bytes: self.bytes.all(), origin: self.origin, end: self.end }
    }

    /// What is at a file offset, intact or not; `None` if it does not even look like a group.
    pub(super) fn group(&self, salt: u32, at: u64) -> Option<Group<'_>> {
        self.view().group(salt, at)
    }

    /// The group at a file offset, checked.
    fn intact(&self, stone: &Stone, at: u64) -> Result<Group<'_>> {
        self.view().intact(stone, at)
    }

    /// The group at a file offset, checked, with its records as they were before they were packed.
    pub(super) fn open(&self, stone: &Stone, at: u64) -> Result<Opened> {
        let group = self.intact(stone, at)?;
        let end = at + group.len as u64;
        let body = if group.packed {
            Body::Unpacked(stone.unpack(at, &group)?)
        } else {
            let body_at = (at - self.origin) as usize + group.body_at;
            Body::InPlace(body_at..body_at + group.body.len())
        };
        Ok(Opened { body, start: at, end })
    }

    /// What `look` makes of the key of a group's first record, the only one that is unpacked for that; and where the group
    /// ends.
    pub(super) fn look_at_first<T>(&self, stone: &Stone, at: u64, look: impl FnOnce(&[u8]) -> T) -> Result<(T, u64)> {
        let group = self.intact(stone, at)?;
        let base_time = stone.footer()?.header.base_time;
        let look = |record: &[u8]| nth_entry(record, base_time, 0).map(|(entry, _)| look(entry.key));
        let seen = if group.packed {
            let codes = group.codes().next().flatten();
            codes.and_then(|codes| stone.symbols()?.unpack(codes, look)).flatten()
        } else {
            look(group.body)
        };
        let seen = seen.ok_or_else(|| stone.damaged(at, "a group begins with what is no record"))?;
        Ok((seen, at + group.len as u64))
    }

    /// The record at a place, for a window that is not needed any more.
    pub(super) fn into_record(self, stone: &Stone, place: Place) -> Result<StoneRecord> {
        let found = self.view().look_at(stone, place, |entry, lies| match lies {
            Lies::Here(end) => (Parts::of(entry, end), None),
            Lies::Unpacked(record) => (Parts::of(entry, record.len()), Some(Arc::from(record))),
        });
        let (parts, unpacked) = found?;
        Ok(StoneRecord { bytes: unpacked.map_or(self.bytes, Bytes::Copied), parts })
    }

    /// Where the parts of the record are that begins so many bytes behind the first of the group's records.
    pub(super) fn parts(&self, stone: &Stone, opened: &Opened, at: usize) -> Result<Parts> {
        let records = self.records(opened).get(at..).unwrap_or_default();
        let mut reader = Reader::new(records);
        let entry = Entry::decode(&mut reader, stone.footer()?.header.base_time);
        let entry = entry.ok_or_else(|| no_record(stone, opened.start))?;
        Ok(Parts::of(&entry, at + reader.position()))
    }

    /// Shows the records of the gap's group that are behind it, until `visit` breaks off. The gap moves behind each that
    /// `visit` takes.
    pub(super) fn visit(&self, stone: &Stone, gap: &mut Gap, visit: &mut Visit<'_>) -> Result<ControlFlow<Edge>> {
        let group = self.intact(stone, gap.group)?;
        let base_time = stone.footer()?.header.base_time;
        // A `Cow` from below would be given back through memory, which takes a quarter longer: see `Entry::decode`.
        let unpacked;
        let records = if group.packed {
            unpacked = stone.unpack(gap.group, &group)?;
            unpacked.as_slice()
        } else {
            group.body
        };
        let mut flow = ControlFlow::Continue(());
        while flow.is_continue()
            && let Some(rest @ [_, ..]) = records.get(gap.at..)
        {
            let mut reader = Reader::new(rest);
            flow = visit(&Entry::decode(&mut reader, base_time).ok_or_else(|| no_record(stone, gap.group))?)?;
            if flow != ControlFlow::Break(Edge::Before) {
                gap.at += reader.position();
            }
        }
        // Not less than all is all, also of a group that somebody has changed meanwhile.
        if gap.at >= records.len() {
            *gap = Gap { group: gap.group + group.len as u64, at: 0 };
        }
        Ok(flow)
    }

    /// The record of a group with these parts.
    pub(super) fn entry<'a>(&'a self, opened: &'a Opened, parts: &Parts) -> Entry<'a> {
        parts.entry(self.records(opened))
    }

    /// The same, with all that it lies in.
    pub(super) fn record(&self, opened: &Opened, parts: &Parts) -> StoneRecord {
        match &opened.body {
            Body::InPlace(range) => {
                let parts = Parts::of(&self.entry(opened, parts), range.start + parts.end);
                StoneRecord { bytes: self.bytes.clone(), parts }
            }
            Body::Unpacked(_) => {
                let entry = self.entry(opened, parts);
                let bytes = [entry.key, entry.value].concat();
                let parts = Parts::of(&entry, bytes.len());
                StoneRecord { bytes: Bytes::Copied(bytes.into()), parts }
            }
        }
    }

    fn records<'a>(&'a self, opened: &'a Opened) -> &'a [u8] {
        match &opened.body {
            Body::InPlace(range) => self.bytes.slice(range.clone()),
            Body::Unpacked(bytes) => bytes,
        }
    }
}

fn no_record(stone: &Stone, group: u64) -> Error {
    stone.damaged(group, "a group holds what is no record")
}

/// A group that was checked and, if it was packed, unpacked.
pub(super) struct Opened {
    body: Body,
    /// The file offset at which it begins.
    start: u64,
    /// The file offset at which it ends and the next one begins.
    pub(super) end: u64,
}

enum Body {
    /// A range of the window's bytes.
    InPlace(Range<usize>),
    Unpacked(Vec<u8>),
}

impl Opened {
    /// The length of its records.
    pub(super) fn len(&self) -> usize {
        match &self.body {
            Body::InPlace(range) => range.len(),
            Body::Unpacked(bytes) => bytes.len(),
        }
    }
}
