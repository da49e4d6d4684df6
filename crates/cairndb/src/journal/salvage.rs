//! Reading what is left of a damaged journal: every frame that can be proved good, also behind a break.
//!
//! A frame's digest is seeded by the database, the segment and the offset, and covers the 8 bytes before it. So a frame
//! that is found behind a break was written by this database at this place; that it belongs to the same history as what
//! stands before the break is not proved, since the chain is broken. Its time counts from the last frame before.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::frame::{Frame, Item, Place};
use super::replay::{ReplayFrom, ReplayedFrame};
use super::segment::{BadHeader, HEADER, Header};
use crate::env::{Env, Mapping, Mode};
use crate::error::{Error, Result};

/// A file of the journal.
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    bytes: Mapping,
    /// The number in the file's name.
    name: u64,
    header: Option<Header>,
}

/// A part of the journal in which no sound frame was found.
pub(crate) struct Break {
    pub(crate) path: PathBuf,
    pub(crate) offset: u64,
    /// How many bytes; `None` where all to the end of the file, or the file itself, is missing.
    pub(crate) bytes: Option<u64>,
    pub(crate) what: String,
    /// Tables and keys that the damaged frame seems to write to.
    pub(crate) keys: Vec<(u32, Vec<u8>)>,
}

impl Segment {
    pub(crate) fn open(env: &dyn Env, path: PathBuf, name: u64) -> Result<Self> {
        let bytes = env
            .open(&path, Mode::Read)
            .and_then(|file| file.map())
            .map_err(|error| Error::io(&path, "read a journal segment", &error))?;
        let header = match Header::decode(&bytes) {
            Ok((header, _)) => Some(header),
            Err(BadHeader::Invalid) => None,
            Err(BadHeader::Newer(version)) => return Err(Error::newer_format(&path, version)),
        };
        Ok(Segment { path, bytes, name, header })
    }

    /// The number of the database that the header names.
    pub(crate) fn database(&self) -> Option<u64> {
        self.header.as_ref().map(|header| header.database)
    }

    /// Which segment of this database the file is; `None` for one of another database.
    fn number(&self, database: u64) -> Option<u64> {
        match &self.header {
            Some(header) => (header.database == database).then_some(header.number),
            None => Some(self.name),
        }
    }
}

/// Gives every sound frame to `visit`, in order, and every break to `lost`. A first segment of 0 stands for the first
/// that is there.
pub(crate) fn salvage(
    directory: &Path,
    segments: &[Segment],
    from: ReplayFrom,
    visit: &mut dyn FnMut(&ReplayedFrame<'_>),
    lost: &mut dyn FnMut(Break),
) {
    let ReplayFrom { database, first, durable } = from;
    let chosen = choose(segments, database, first, lost);
    let mut time = 0;
    let mut expected = first;
    for (&number, segment) in &chosen {
        if first > 0 && number > expected {
            lost(missing(directory, expected, number - expected));
        }
        expected = number + 1;
        if let Some(header) = &segment.header {
            time = header.time;
        } else {
            lost(segment.lost(0..HEADER as u64, "the header of a segment is damaged; times in it may be wrong"));
        }
        let end = segment.walk(database, number, &mut time, visit, lost);
        let next =
            chosen.values().filter_map(|segment| segment.header.as_ref()).find(|next| next.previous.number == number);
        let known = next.map_or(0, |next| next.previous.offset).max(if durable.0 == number { durable.1 } else { 0 });
        if known > end {
            let keys = segment.keys_between(end as usize, segment.bytes.len(), time);
            lost(Break { keys, ..segment.lost(end..known, "commits at the end of a segment are damaged or missing") });
        }
    }
    if first > 0 && durable.0 >= expected && durable.1 > 0 {
        lost(missing(directory, expected, durable.0 - expected + 1));
    }
}

/// Of each segment the file that holds most of it, whatever its name is.
fn choose<'s>(
    segments: &'s [Segment],
    database: u64,
    first: u64,
    lost: &mut dyn FnMut(Break),
) -> BTreeMap<u64, &'s Segment> {
    let mut chosen: BTreeMap<u64, (u64, &Segment)> = BTreeMap::new();
    for segment in segments {
        let Some(number) = segment.number(database) else {
            lost(segment.lost(0..segment.bytes.len() as u64, "a segment is of another database"));
            continue;
        };
        if number < first {
            continue;
        }
        let mut sound = 0;
        segment.walk(database, number, &mut 0, &mut |frame| sound += frame.len() as u64, &mut |_| ());
        // Of two that hold as much, the one under the right name.
        let worth = 2 * sound + u64::from(segment.name == number);
        if chosen.get(&number).is_none_or(|(other, _)| *other < worth) {
            chosen.insert(number, (worth, segment));
        }
    }
    chosen.into_iter().map(|(number, (_, segment))| (number, segment)).collect()
}

fn missing(directory: &Path, number: u64, count: u64) -> Break {
    let what = if count == 1 { "a segment is missing".into() } else { format!("{count} segments are missing") };
    Break { path: super::segment_path(directory, number), offset: 0, bytes: None, what, keys: Vec::new() }
}

impl Segment {
    fn lost(&self, part: std::ops::Range<u64>, what: &str) -> Break {
        let bytes = Some(part.end - part.start);
        Break { path: self.path.clone(), offset: part.start, bytes, what: what.into(), keys: Vec::new() }
    }

    /// Gives the frames, and the breaks between them. Returns where the last one ends.
    fn walk(
        &self,
        database: u64,
        number: u64,
        time: &mut u64,
        visit: &mut dyn FnMut(&ReplayedFrame<'_>),
        lost: &mut dyn FnMut(Break),
    ) -> u64 {
        let place = Place::new(database, number);
        let mut end = HEADER;
        let mut budget = 64 * self.bytes.len() as u64 + (1 << 20);
        while let Some(at) = next_frame(&self.bytes, place, end, &mut budget) {
            let Some(frame) = Frame::at(&self.bytes, at, place) else { break };
            if at > end {
                let keys = self.keys_between(end, at, *time);
                lost(Break { keys, ..self.lost(end as u64..at as u64, "commits are damaged") });
            }
            *time = frame.time(*time);
            end = at + frame.bytes.len();
            visit(&ReplayedFrame { frame, time: *time, segment: number, path: &self.path, offset: at as u64 });
        }
        end as u64
    }

    /// What damaged frames seem to write, as far as their lengths are right. There may be several: the digest at the end
    /// of one is what the next is checked with.
    fn keys_between(&self, from: usize, to: usize, time: u64) -> Vec<(u32, Vec<u8>)> {
        let mut keys = Vec::new();
        let mut at = from;
        while let Some(frame) = self.bytes.get(at..to).and_then(Frame::unchecked) {
            // It may be anything: what cannot be read any more ends its list.
            let _as_far_as_it_goes = frame.items(frame.time(time), |item| {
                if let Item::Record { table, entry } = item {
                    keys.push((table, entry.key.to_vec()));
                }
                Ok::<(), ()>(())
            });
            at += frame.bytes.len();
        }
        keys
    }
}

/// Where the next sound frame begins. Bytes that are made to look like frames everywhere must not take for ever.
fn next_frame(segment: &[u8], place: Place, from: usize, budget: &mut u64) -> Option<usize> {
    let mut at = from;
    while at < segment.len() {
        if Frame::at(segment, at, place).is_some() {
            return Some(at);
        }
        *budget = budget.checked_sub(Frame::candidate_len(segment, at))?;
        at += 1;
        at += super::segment::no_frames(segment.get(at..).unwrap_or_default());
    }
    None
}
