//! The journal of somebody else: read as far as it goes at present, and then on from there.
//!
//! Nobody says here where it ends, as processes do that share a directory (see `follow`). Behind the last whole frame there
//! may be one that is half written, zeros that were written ahead, or stale bytes: there the next one will stand. Frames
//! are copied before they are checked, since what is no frame yet may change at any time.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::frame::{DIGEST, Frame, HEAD, Place};
use super::replay::{ReplayFrom, ReplayedFrame, claims};
use super::segment::{BadHeader, HEADER, Header, SegmentEnd};
use super::segment_path;
use crate::env::{Env, File, Mode};
use crate::error::{Code, Error, Result};
use crate::files::Files;

/// As much is read at a time, unless a frame is longer.
const CHUNK: usize = 64 << 10;

/// A place in the journal of somebody else.
pub(crate) struct Tail {
    env: Arc<dyn Env>,
    directory: PathBuf,
    database: u64,
    segment: Option<Segment>,
    /// Where the last frame ends that was read.
    end: SegmentEnd,
    /// The same, or behind it the end of a segment in which there is no frame yet.
    reached: SegmentEnd,
    time: u64,
    /// The next segment is there and says that this one goes on.
    blocked: bool,
}

/// The segment in which the last frame stands that was read.
struct Segment {
    path: PathBuf,
    file: Box<dyn File>,
    /// Where that frame begins, and its first bytes.
    last: Option<(u64, [u8; HEAD])>,
}

/// A segment that goes on from the present one.
struct Next {
    path: PathBuf,
    file: Box<dyn File>,
    header: Header,
    begin: SegmentEnd,
    has_frame: bool,
}

impl Tail {
    /// In front of the first segment that is needed.
    pub(crate) fn new(env: Arc<dyn Env>, directory: PathBuf, database: u64, first: u64) -> Self {
        let end = SegmentEnd { number: first.saturating_sub(1), offset: 0, digest: 0 };
        Tail { env, directory, database, segment: None, end, reached: end, time: 0, blocked: false }
    }

    /// Where the journal ended when it was last read.
    pub(crate) fn reached(&self) -> SegmentEnd {
        self.reached
    }

    /// Where the last frame ends that was read.
    pub(crate) fn end(&self) -> SegmentEnd {
        self.end
    }

    /// Gives each frame to `visit` that was appended since the last time, in order, until they have `most` bytes together.
    pub(crate) fn read(
        &mut self,
        mut most: usize,
        visit: &mut dyn FnMut(&ReplayedFrame<'_>) -> Result<()>,
    ) -> Result<()> {
        loop {
            // Looked for before the rest of this segment is read: if they are there, it is complete.
            let following = self.following()?;
            self.read_segment(&mut most, visit)?;
            self.reached = self.end;
            let previous = following.first().map(|next| next.header.previous);
            self.blocked = previous.is_some_and(|previous| previous.offset > self.end.offset) && self.segment.is_some();
            let mut entered = None;
            for next in following {
                // What stands before the first segment is gone, and so is what its header could be compared with.
                if next.header.previous != self.reached && self.reached.offset > 0 {
                    break;
                }
                self.reached = next.begin;
                entered = next.has_frame.then_some(next);
            }
            match entered {
                Some(next) if most > 0 => self.enter(next),
                _ => return Ok(()),
            }
        }
    }

    /// Refuses to wait for what cannot come, since what stands there is damaged.
    pub(crate) fn refuse_damage(&self) -> Result<()> {
        if !self.blocked {
            return Ok(());
        }
        let segments = Files::list(&*self.env, &self.directory)?.segments;
        let from = ReplayFrom { database: self.database, first: self.end.number, durable: (0, 0) };
        claims(&*self.env, &self.directory, &segments, from, self.end)?.refuse_damage(&self.directory, self.end)
    }

    /// The segments behind this one, up to the first with a frame. One without may be of a process that died before it told
    /// the others that share the directory; then they go on where it began, and so it is not entered.
    fn following(&self) -> Result<Vec<Next>> {
        let mut following = Vec::new();
        for number in self.end.number + 1.. {
            let Some(next) = self.next(number)? else { break };
            let has_frame = next.has_frame;
            following.push(next);
            if has_frame {
                break;
            }
        }
        Ok(following)
    }

    /// The segment of this number; `None` as long as there is none with a whole header.
    fn next(&self, number: u64) -> Result<Option<Next>> {
        let path = segment_path(&self.directory, number);
        let file = match self.env.open(&path, Mode::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| unread(&path, &error))?,
        };
        let bytes = read(&*file, 0, HEADER + HEAD).map_err(|error| unread(&path, &error))?;
        match Header::decode(&bytes) {
            Ok((header, digest)) if (header.database, header.number) == (self.database, number) => {
                let has_frame = Frame::claimed_len(bytes.get(HEADER..).unwrap_or_default()).is_some();
                let begin = SegmentEnd { number, offset: HEADER as u64, digest };
                Ok(Some(Next { path, file, header, begin, has_frame }))
            }
            Err(BadHeader::Newer(version)) => Err(Error::newer_format(&path, version)),
            _ => Ok(None),
        }
    }

    fn enter(&mut self, Next { path, file, header, begin, .. }: Next) {
        self.segment = Some(Segment { path, file, last: None });
        (self.end, self.time) = (begin, header.time);
    }

    /// Reads the present segment on.
    fn read_segment(
        &mut self,
        most: &mut usize,
        visit: &mut dyn FnMut(&ReplayedFrame<'_>) -> Result<()>,
    ) -> Result<()> {
        let Some(segment) = &mut self.segment else { return Ok(()) };
        let place = Place::new(self.database, self.end.number);
        let mut want = CHUNK;
        while *most > 0 {
            let start = self.end.offset - DIGEST as u64;
            let bytes = segment.read(start, want)?;
            if !bytes.starts_with(&self.end.digest.to_le_bytes()) {
                return Err(segment.undone());
            }
            let mut at = DIGEST;
            while *most > 0
                && let Some(frame) = Frame::within(&bytes, start, at, place)
            {
                let (len, digest, time) = (frame.bytes.len(), frame.digest, frame.time(self.time));
                let head = frame.bytes.first_chunk().copied();
                let (number, path) = (self.end.number, &*segment.path);
                visit(&ReplayedFrame { frame, time, segment: number, path, offset: self.end.offset })?;
                segment.last = head.map(|head| (self.end.offset, head));
                self.end = SegmentEnd { offset: self.end.offset + len as u64, digest, ..self.end };
                self.time = time;
                *most = most.saturating_sub(len);
                at += len;
            }
            if at > DIGEST {
                want = CHUNK;
                continue;
            }
            match segment.len_of_frame(self.end.offset, bytes.get(DIGEST..).unwrap_or_default())? {
                Some(len) => want = DIGEST + len,
                None => return segment.check_last(),
            }
        }
        Ok(())
    }
}

impl Segment {
    fn read(&self, offset: u64, want: usize) -> Result<Vec<u8>> {
        read(&*self.file, offset, want).map_err(|error| unread(&self.path, &error))
    }

    /// The length of the frame at `offset`, which begins with `bytes`, if there is more of it in the file.
    fn len_of_frame(&self, offset: u64, bytes: &[u8]) -> Result<Option<usize>> {
        let Some(len) = Frame::claimed_len(bytes).filter(|len| *len > bytes.len()) else { return Ok(None) };
        // Before memory is taken for it.
        let there = self.file.len().map_err(|error| unread(&self.path, &error))?;
        Ok((offset.saturating_add(len as u64) <= there).then_some(len))
    }

    /// Refuses to go on behind a frame that has been replaced. In a directory that processes share, one that dies before it
    /// has told the others of its commit leaves a frame that the next one is written over.
    fn check_last(&self) -> Result<()> {
        let Some((offset, head)) = self.last else { return Ok(()) };
        if self.read(offset, HEAD)? == head { Ok(()) } else { Err(self.undone()) }
    }

    fn undone(&self) -> Error {
        let what = "the last commit that was read was undone, since the process that made it was killed before it was \
                    done; begin again";
        Error::new(Code::Behind, what).about(&self.path)
    }
}

fn unread(path: &std::path::Path, error: &io::Error) -> Error {
    Error::io(path, "read the journal", error)
}

/// So many bytes, or as many as there are.
fn read(file: &dyn File, offset: u64, want: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(want)?;
    bytes.resize(want, 0);
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
