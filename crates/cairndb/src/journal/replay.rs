//! Reads the journal back, and tells a crash from damage.
//!
//! The journal is good up to the first frame that is missing, torn or foreign: the *break*. A crash breaks it only
//! behind what was known to be on the disk. So a break is damage, and refused, if the manifest, a later header or any
//! later frame says that the bytes at the break had been synced; otherwise it is the end, and whatever lies behind it
//! was never acknowledged as durable.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frame::{Frame, Item, Place};
use super::segment::{BadHeader, HEADER, Header, SegmentEnd, durable_claim};
use super::segment_path;
use crate::env::{Env, Mapping, Mode};
use crate::error::{Error, Result};

/// Where to begin, and what is known about how far the journal reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplayFrom {
    /// The number that all files of the database carry.
    pub(crate) database: u64,
    /// The first segment that is needed.
    pub(crate) first: u64,
    /// Up to here the journal was on the disk when the manifest was written: a segment and an offset in it.
    pub(crate) durable: (u64, u64),
}

/// A frame of the journal and where it stood.
pub(crate) struct ReplayedFrame<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) time: u64,
    /// The number of the segment.
    pub(crate) segment: u64,
    pub(super) path: &'a Path,
    pub(super) offset: u64,
}

impl<'a> ReplayedFrame<'a> {
    /// The frame's length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.frame.bytes.len()
    }

    /// The frame's bytes, to keep.
    pub(crate) fn shared(&self) -> Arc<[u8]> {
        Arc::from(self.frame.bytes)
    }

    /// Where `part`, a key or a value of one of the items, lies in the frame.
    pub(crate) fn place_of(&self, part: &[u8]) -> Range<usize> {
        let start = (part.as_ptr() as usize).saturating_sub(self.frame.bytes.as_ptr() as usize);
        start..start + part.len()
    }

    /// Gives each item to `visit`.
    pub(crate) fn items(&self, visit: impl FnMut(Item<'a>) -> Result<()>) -> Result<()> {
        self.frame
            .items(self.time, visit)?
            .ok_or_else(|| self.unreadable("holds something that this version cannot read"))
    }

    /// The error for a frame that is whole, but says what cannot be.
    pub(crate) fn unreadable(&self, what: &str) -> Error {
        Error::corrupt(self.path, self.offset, format!("a journal frame {what}"))
    }
}

/// Gives every good frame to `visit`, in order, and returns where the journal ends.
///
/// `segments` are the numbers of the segments that are there.
pub(crate) fn replay(
    env: &dyn Env,
    directory: &Path,
    segments: &[u64],
    from: ReplayFrom,
    visit: impl FnMut(ReplayedFrame<'_>) -> Result<()>,
) -> Result<SegmentEnd> {
    let end = walk(env, directory, segments, from, u64::MAX, visit)?;
    claims(env, directory, segments, from, end)?.refuse_damage(directory, end)?;
    Ok(end)
}

/// As [`replay`], without asking whether the end is what a crash left: for who knows where it must be. While the journal
/// is written to, what comes behind the end that was found would speak against it.
///
/// Of the last segment only what lies before `upto` is read.
pub(crate) fn walk(
    env: &dyn Env,
    directory: &Path,
    segments: &[u64],
    from: ReplayFrom,
    upto: u64,
    mut visit: impl FnMut(ReplayedFrame<'_>) -> Result<()>,
) -> Result<SegmentEnd> {
    let mut end = SegmentEnd { number: from.first.saturating_sub(1), offset: 0, digest: 0 };
    let last = segments.iter().copied().max();
    for number in from.first..=u64::MAX {
        if !segments.contains(&number) {
            break;
        }
        let segment = Loaded::open(env, directory, from.database, number)?;
        let Some((header, digest)) = segment.header()? else { break };
        // What stands before the first segment is gone, and so is what its header could be compared with.
        if number > from.first && header.previous != end {
            break;
        }
        let upto = if Some(number) == last { upto } else { u64::MAX };
        end = segment.walk(&header, digest, upto, &mut visit)?;
    }
    Ok(end)
}

/// What says how far the journal had been on the disk, of which good frames were found up to `end`.
pub(crate) fn claims(
    env: &dyn Env,
    directory: &Path,
    segments: &[u64],
    from: ReplayFrom,
    end: SegmentEnd,
) -> Result<Known> {
    let mut known = Known { first: from.first, end, on_disk: from.durable, goes_on: false };
    for &number in segments.iter().filter(|&&number| number >= from.first) {
        known.look_at(&Loaded::open(env, directory, from.database, number)?)?;
    }
    Ok(known)
}

/// What files say about how far the journal reached.
pub(crate) struct Known {
    first: u64,
    /// Where it breaks, as far as was known when they were looked at.
    end: SegmentEnd,
    /// The farthest place that was on the disk, as a segment and an offset in it.
    on_disk: (u64, u64),
    /// Whether the segment of the end is said to go on behind it.
    goes_on: bool,
}

impl Known {
    fn look_at(&mut self, segment: &Loaded) -> Result<()> {
        let header = segment.any_header()?;
        self.frames(segment, segment.number);
        if let Some(header) = header {
            if header.number != segment.number {
                // Under a wrong name. What its frames say is true all the same.
                self.frames(segment, header.number);
            }
            self.note((header.previous.number, header.previous_durable));
            self.goes_on |= header.previous.number == self.end.number && header.previous.offset > self.end.offset;
        }
        Ok(())
    }

    /// Takes in what the frames behind the break say, if this file is segment `number`.
    fn frames(&mut self, segment: &Loaded, number: u64) {
        if number >= self.end.number {
            let behind = if number == self.end.number { self.end.offset as usize } else { HEADER };
            let place = Place::new(segment.database, number);
            self.note((number, durable_claim(&segment.bytes, place, behind)));
        }
    }

    /// Segments are synced in order: one byte of one on the disk means that all before it was.
    fn note(&mut self, (number, offset): (u64, u64)) {
        if offset > 0 {
            self.on_disk = self.on_disk.max((number, offset));
            self.goes_on |= number == self.end.number && offset > self.end.offset;
        }
    }

    /// Refuses that the journal ends at `end` if it had been on the disk further than that.
    pub(crate) fn refuse_damage(self, directory: &Path, end: SegmentEnd) -> Result<()> {
        let Known { first, on_disk, goes_on, .. } = self;
        if on_disk.0 < first || on_disk <= (end.number, end.offset) {
            return Ok(());
        }
        let goes_on = goes_on || on_disk.0 == end.number;
        // A segment that ends where it should is followed by one that is missing or cannot be told by its header.
        let (number, offset) =
            if goes_on && end.number >= first { (end.number, end.offset) } else { (end.number + 1, 0) };
        Err(Error::corrupt(
            &segment_path(directory, number),
            offset,
            "the journal is damaged: what stands here had safely been on the disk; restore a backup, or repair to keep the rest",
        ))
    }
}

struct Loaded {
    path: PathBuf,
    database: u64,
    number: u64,
    place: Place,
    bytes: Mapping,
}

impl Loaded {
    fn open(env: &dyn Env, directory: &Path, database: u64, number: u64) -> Result<Self> {
        let path = segment_path(directory, number);
        let bytes = env
            .open(&path, Mode::Read)
            .and_then(|file| file.map())
            .map_err(|error| Error::io(&path, "read a journal segment", &error))?;
        Ok(Loaded { path, database, number, place: Place::new(database, number), bytes })
    }

    /// The header and its digest; `None` if it is torn, damaged or of another file.
    fn header(&self) -> Result<Option<(Header, u64)>> {
        Ok(self.decode()?.filter(|(header, _)| header.number == self.number))
    }

    /// The header, whichever segment of this database it is of.
    fn any_header(&self) -> Result<Option<Header>> {
        Ok(self.decode()?.map(|(header, _)| header))
    }

    fn decode(&self) -> Result<Option<(Header, u64)>> {
        match Header::decode(&self.bytes) {
            Ok(found) => Ok((found.0.database == self.database).then_some(found)),
            Err(BadHeader::Invalid) => Ok(None),
            Err(BadHeader::Newer(version)) => Err(Error::newer_format(&self.path, version)),
        }
    }

    /// Gives the frames to `visit`, up to the first that is not there. Each frame's digest covers the digest that
    /// stands before it, so a frame that belongs elsewhere does not match.
    fn walk(
        &self,
        header: &Header,
        mut digest: u64,
        upto: u64,
        visit: &mut impl FnMut(ReplayedFrame<'_>) -> Result<()>,
    ) -> Result<SegmentEnd> {
        let mut time = header.time;
        let mut offset = HEADER;
        while (offset as u64) < upto
            && let Some(frame) = Frame::at(&self.bytes, offset, self.place)
        {
            time = frame.time(time);
            digest = frame.digest;
            let len = frame.bytes.len();
            visit(ReplayedFrame { frame, time, segment: self.number, path: &self.path, offset: offset as u64 })?;
            offset += len;
        }
        Ok(SegmentEnd { number: self.number, offset: offset as u64, digest })
    }
}
