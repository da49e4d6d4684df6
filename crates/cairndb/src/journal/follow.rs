//! A journal that other processes append to as well, by turns.
//!
//! Whoever's turn it is has read all that the others have appended, and appends behind it, to the same segment. Behind
//! the end that was announced last there may be what a process left that died: the next frame is written over it.

use std::path::Path;
use std::sync::Arc;

use super::frame::{DIGEST, Frame, Place};
use super::replay::ReplayedFrame;
use super::segment::{BadHeader, HEADER, Header, SegmentEnd};
use super::sync::Segment;
use super::{Writer, segment_path};
use crate::env::Mode;
use crate::error::{Error, Result};
use crate::sync::AtomicU64;

/// A frame of no length, where no more frames follow.
const NOTHING: [u8; 16] = [0; 16];

impl Writer {
    /// Shares the journal from here on, beginning with a segment of its own.
    pub(crate) fn share(&mut self) -> Result<()> {
        self.shared = true;
        self.start_segment(self.env.now())?;
        self.write_out()
    }

    /// Goes on in a journal that is shared, at an end that another process announced.
    pub(crate) fn join(&mut self, end: SegmentEnd, time: u64) -> Result<()> {
        self.shared = true;
        let (segment, (header, _)) = self.segment_at(end.number)?;
        // Of this segment nothing is known to be on the disk; `sharing::join` has brought there what is before it.
        self.durable_before = (header.previous.number, header.previous.offset);
        // Positions count from its beginning.
        self.position = end.offset;
        self.enter(segment, end, time);
        Ok(())
    }

    /// Goes on elsewhere: what lies between was read in another way.
    pub(crate) fn jump(&mut self, end: SegmentEnd, time: u64) -> Result<()> {
        if end.number != self.end.number {
            let (mut segment, _) = self.segment_at(end.number)?;
            segment.start = self.position;
            self.position += end.offset;
            self.durable_before = self.durable();
            self.enter(segment, end, time);
        } else {
            self.position += end.offset.saturating_sub(self.end.offset);
            (self.end, self.time) = (end, time);
        }
        self.syncer.wrote(self.position);
        Ok(())
    }

    /// The time of the last frame.
    pub(crate) fn time(&self) -> u64 {
        self.time
    }

    /// Gives each frame to `visit` that others have appended, up to an end that was announced.
    pub(crate) fn follow(
        &mut self,
        upto: SegmentEnd,
        mut visit: impl FnMut(ReplayedFrame<'_>) -> Result<()>,
    ) -> Result<()> {
        while self.end.number < upto.number {
            let (mut next, (header, digest)) = self.segment_at(self.end.number + 1)?;
            self.read_up_to(header.previous.offset, &mut visit)?;
            next.start = self.position;
            self.position += HEADER as u64;
            self.durable_before = self.durable();
            let end = SegmentEnd { number: next.number, offset: HEADER as u64, digest };
            self.enter(next, end, header.time);
        }
        self.read_up_to(upto.offset, &mut visit)?;
        if self.end == upto { Ok(()) } else { Err(self.broken()) }
    }

    fn enter(&mut self, segment: Segment, end: SegmentEnd, time: u64) {
        let segment = Arc::new(segment);
        (self.end, self.time, self.zeroed) = (end, time, 0);
        self.syncer.began(Arc::clone(&segment));
        self.syncer.wrote(self.position);
        self.segment = Some(segment);
    }

    /// A segment that another process began, with its header and the header's digest.
    fn segment_at(&self, number: u64) -> Result<(Segment, (Header, u64))> {
        let path = segment_path(&self.directory, number);
        let failed = |error| Error::io(&path, "open a journal segment", &error);
        let file = self.env.open(&path, Mode::Write).map_err(failed)?;
        let mut bytes = [0; HEADER];
        file.read_exact_at(&mut bytes, 0).map_err(failed)?;
        match Header::decode(&bytes) {
            Ok(found) if (found.0.database, found.0.number) == (self.database, number) => {
                let segment = Segment { number, path, file, start: 0, durable: AtomicU64::new(0) };
                Ok((segment, found))
            }
            Err(BadHeader::Newer(version)) => Err(Error::newer_format(&path, version)),
            _ => Err(Error::corrupt(&path, 0, "this is not the segment of the journal that should be here")),
        }
    }

    /// Reads the present segment up to an offset.
    fn read_up_to(&mut self, upto: u64, visit: &mut impl FnMut(ReplayedFrame<'_>) -> Result<()>) -> Result<()> {
        let Some(segment) = self.segment.clone() else { return Err(self.broken()) };
        if upto <= self.end.offset {
            return Ok(());
        }
        let bytes = self.read(&segment, self.end.offset - DIGEST as u64, upto)?;
        let start = self.end.offset - DIGEST as u64;
        let place = Place::new(self.database, segment.number);
        let mut at = DIGEST;
        while at < bytes.len() {
            let frame = Frame::within(&bytes, start, at, place).ok_or_else(|| self.broken())?;
            let (len, digest, time) = (frame.bytes.len(), frame.digest, frame.time(self.time));
            visit(ReplayedFrame {
                frame,
                time,
                segment: segment.number,
                path: &segment.path,
                offset: self.end.offset,
            })?;
            at += len;
            self.end.offset += len as u64;
            self.position += len as u64;
            (self.end.digest, self.time) = (digest, time);
        }
        self.syncer.wrote(self.position);
        Ok(())
    }

    fn read(&self, segment: &Segment, from: u64, upto: u64) -> Result<Vec<u8>> {
        let failed = |error| Error::io(&segment.path, "read the journal", &error);
        // Before memory is taken for it.
        if upto > segment.file.len().map_err(failed)? {
            return Err(self.broken());
        }
        let mut bytes = vec![0; (upto - from) as usize];
        segment.file.read_exact_at(&mut bytes, from).map_err(failed)?;
        Ok(bytes)
    }

    fn broken(&self) -> Error {
        let path = segment_path(&self.directory, self.end.number);
        let what =
            "what another process said it had appended is not there; close the database everywhere, and run verify";
        Error::corrupt(&path, self.end.offset, what)
    }

    /// Puts an end behind the last frame that was announced: whoever opens the journal when all have gone would take the
    /// whole frame of a process that died before announcing it, which nobody has seen, for the next one.
    pub(crate) fn bury(&self) -> Result<()> {
        let Some(segment) = &self.segment else { return Ok(()) };
        let written = segment.file.write_all_at(&NOTHING, self.end.offset);
        written.map_err(|error| Error::io(&segment.path, "append to the journal", &error))
    }

    /// Ends the segment and begins the next one, at once: others have to find it.
    pub(super) fn rotate_shared(&mut self) -> Result<u64> {
        // The next segment does not know of a frame that was never announced.
        self.bury()?;
        let before = (self.end, self.time, self.position, self.zeroed, self.segment.take());
        let begun = self.start_segment(self.env.now()).and_then(|_| self.write_out());
        if let Err(error) = begun {
            // Others go on appending to the segment that was announced, and so do we.
            if let Some(unborn) = self.segment.take() {
                self.syncer.retract(&unborn);
            }
            self.forget_buffered();
            (self.end, self.time, self.position, self.zeroed, self.segment) = before;
            return Err(error);
        }
        Ok(self.end.number)
    }
}

/// Brings a segment to the disk that may have been left by a process that died.
pub(crate) fn sync_segment(env: &dyn crate::env::Env, directory: &Path, number: u64) -> Result<()> {
    let path = segment_path(directory, number);
    let synced = env.open(&path, Mode::Write).and_then(|file| file.sync());
    synced.map_err(|error| Error::unsynced(&path, "sync the journal", &error))
}
