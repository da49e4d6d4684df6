//! Appends frames to the newest segment.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::frame::{BuiltFrame, FrameBuilder, Place};
use super::segment::{Header, SegmentEnd};
use super::segment_path;
use super::sync::{Segment, Syncer, Ticket};
use crate::batch::Durability;
use crate::env::{Env, Mode};
use crate::error::{Code, Error, Result};
use crate::reclaim::remove_if_there;
use crate::sync::AtomicU64;

/// How far zeros are written ahead of durable appends. A sync of bytes inside the file is cheaper than one that has to
/// bring a new length and new extents to the disk too.
const ZEROS_AHEAD: usize = 256 << 10;
/// And how far at least: as far as the segment is long, so that a few writes do not cost the zeros of many.
const LEAST_ZEROS_AHEAD: u64 = 16 << 10;

/// Frames that are acknowledged from memory are written at the latest when they have this many bytes together.
const MOST_BUFFERED: usize = 1 << 20;

/// The end of the journal, where frames are appended. Owned by whoever holds the commit lock.
pub(crate) struct Writer {
    pub(super) env: Arc<dyn Env>,
    pub(super) directory: PathBuf,
    pub(super) database: u64,
    pub(super) syncer: Arc<Syncer>,
    /// What the next frame goes on from.
    pub(super) end: SegmentEnd,
    pub(super) time: u64,
    /// The segment that `end` lies in, once something was appended to it by us.
    pub(super) segment: Option<Arc<Segment>>,
    /// How far the journal was on the disk when the last segment ended, as a segment and an offset in it. That may be an
    /// earlier segment than the last one, of which not even the name was there.
    pub(super) durable_before: (u64, u64),
    /// Frames acknowledged from memory that the operating system does not have yet; they end at `end`.
    buffered: Vec<u8>,
    /// The disk was full when frames were last to be written: the next append finds out whether it still is, and tells.
    behind: bool,
    /// Zeros stand in the file up to here.
    pub(super) zeroed: u64,
    scratch: Vec<u8>,
    /// Bytes of the segments since the journal was opened.
    pub(super) position: u64,
    /// Other processes append too: see `follow`.
    pub(super) shared: bool,
    /// Each frame gets a SHA-256.
    sealing: bool,
}

impl Writer {
    /// Goes on from the end that recovery found, all of which is on the disk. Nothing is created before the first append.
    pub(crate) fn new(
        env: Arc<dyn Env>,
        directory: PathBuf,
        database: u64,
        syncer: Arc<Syncer>,
        end: SegmentEnd,
        sealing: bool,
    ) -> Self {
        Writer {
            env,
            directory,
            database,
            syncer,
            end,
            time: 0,
            segment: None,
            durable_before: (end.number, end.offset),
            buffered: Vec::new(),
            behind: false,
            zeroed: 0,
            scratch: Vec::new(),
            position: 0,
            shared: false,
            sealing,
        }
    }

    /// Bytes appended since the journal was opened, headers included.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Where the last frame ends.
    pub(crate) fn end(&self) -> SegmentEnd {
        self.end
    }

    /// How far the journal is known to be on the disk.
    pub(crate) fn durable(&self) -> (u64, u64) {
        match &self.segment {
            Some(segment) => match segment.durable.load(Ordering::Acquire) {
                // Not even its name in the directory is.
                0 => self.durable_before,
                durable => (segment.number, durable),
            },
            None => self.durable_before,
        }
    }

    /// Starts a frame, and a segment before it if there is none.
    pub(crate) fn begin(&mut self, now: u64) -> Result<FrameBuilder> {
        if let Some(error) = self.syncer.failure() {
            return Err(error);
        }
        let durable = match &self.segment {
            Some(segment) => segment.durable.load(Ordering::Acquire),
            None => self.start_segment(now)?,
        };
        let lag = self.end.offset.saturating_sub(durable);
        let frame = FrameBuilder::new(std::mem::take(&mut self.scratch), now, self.time, lag);
        Ok(if self.sealing { frame.sealed() } else { frame })
    }

    /// The new segment's header waits in memory and is written with the first frame.
    pub(super) fn start_segment(&mut self, now: u64) -> Result<u64> {
        let number = self.end.number + 1;
        let path = segment_path(&self.directory, number);
        if self.shared {
            // Of somebody who died before he could announce it.
            remove_if_there(&*self.env, &path)?;
        }
        let file =
            self.env.open(&path, Mode::Create).map_err(|error| Error::io(&path, "create a journal segment", &error))?;
        let segment = Arc::new(Segment { number, path, file, start: self.position, durable: AtomicU64::new(0) });
        let (durable_segment, durable) = self.durable_before;
        let previous_durable = if durable_segment == self.end.number { durable } else { 0 };
        let header = Header { database: self.database, number, time: now, previous: self.end, previous_durable };
        let (bytes, digest) = header.encode();
        self.position += bytes.len() as u64;
        self.end = SegmentEnd { number, offset: bytes.len() as u64, digest };
        self.time = now;
        self.zeroed = 0;
        self.buffered = bytes;
        self.syncer.began(Arc::clone(&segment));
        self.segment = Some(segment);
        Ok(0)
    }

    /// Appends a frame. At [`Durability::Eventual`] it stays in memory until [`Writer::write_out`]; at `Full` the caller
    /// goes on to sync up to the ticket. If this fails the frame is not part of the journal.
    pub(crate) fn append(&mut self, frame: FrameBuilder, durability: Durability) -> Result<(Arc<[u8]>, Ticket)> {
        let place = Place::new(self.database, self.end.number);
        let frame = frame.finish(place, self.end.offset, self.end.digest);
        let kept = self.buffered.len();
        self.buffered.extend_from_slice(frame.bytes());
        self.end.offset += frame.bytes().len() as u64;
        let waits = durability == Durability::Eventual && !self.behind && self.buffered.len() < MOST_BUFFERED;
        let outcome = if waits { Ok(()) } else { self.write_out() };
        if let Err(error) = outcome {
            self.end.offset -= frame.bytes().len() as u64;
            self.buffered.truncate(kept);
            self.scratch = frame.into_buffer();
            return Err(error);
        }
        if durability == Durability::Full {
            self.write_zeros_ahead();
        }
        Ok(self.accept(frame))
    }

    fn accept(&mut self, frame: BuiltFrame) -> (Arc<[u8]>, Ticket) {
        self.position += frame.bytes().len() as u64;
        self.end.digest = frame.digest;
        self.time = frame.time;
        if self.buffered.is_empty() {
            self.syncer.wrote(self.position);
        }
        let shared = Arc::from(frame.bytes());
        self.scratch = frame.into_buffer();
        (shared, Ticket(self.position))
    }

    /// Gives back the buffer of a frame that turned out to be empty.
    pub(crate) fn abandon(&mut self, frame: FrameBuilder) {
        self.scratch = frame.into_buffer();
    }

    /// What an append of nothing comes to: everything before it is as durable as asked.
    pub(crate) fn nothing(&mut self, durability: Durability) -> Result<Ticket> {
        if durability != Durability::Eventual {
            self.write_out()?;
        }
        Ok(Ticket(self.position))
    }

    /// Hands the buffered frames to the operating system.
    ///
    /// A write that finds the disk full can be tried again: the frames stay where they are, and what was half written
    /// is overwritten. After any other failure the file's contents are unknown, and the journal stops.
    pub(crate) fn write_out(&mut self) -> Result<()> {
        let Some(segment) = &self.segment else { return Ok(()) };
        if self.buffered.is_empty() {
            return Ok(());
        }
        let offset = self.end.offset - self.buffered.len() as u64;
        if let Err(error) = segment.file.write_all_at(&self.buffered, offset) {
            let error = Error::io(&segment.path, "append to the journal", &error);
            self.behind = error.code() == Code::Full;
            if !self.behind {
                self.syncer.fail(error.clone());
            }
            return Err(error);
        }
        self.behind = false;
        self.buffered.clear();
        self.syncer.wrote(self.position);
        Ok(())
    }

    /// Forgets what could not be written, so that nobody writes it once the directory is somebody else's, and the file.
    pub(crate) fn give_up(&mut self) {
        self.forget_buffered();
        self.segment = None;
    }

    pub(super) fn forget_buffered(&mut self) {
        self.buffered.clear();
        self.behind = false;
    }

    fn write_zeros_ahead(&mut self) {
        let Some(segment) = &self.segment else { return };
        if self.end.offset <= self.zeroed {
            return;
        }
        static ZEROS: [u8; ZEROS_AHEAD] = [0; ZEROS_AHEAD];
        let ahead = self.end.offset.max(LEAST_ZEROS_AHEAD) as usize;
        let zeros = ZEROS.get(..ahead).unwrap_or(&ZEROS);
        // If this fails, on a full disk say, appends work as well as before and only cost more.
        if segment.file.write_all_at(zeros, self.end.offset).is_ok() {
            self.zeroed = self.end.offset + zeros.len() as u64;
        }
    }

    /// Ends the segment, so that the next frame begins a new one. Returns the number of the segment that comes next.
    pub(crate) fn rotate(&mut self) -> Result<u64> {
        self.write_out()?;
        self.durable_before = self.durable();
        if self.shared {
            return self.rotate_shared();
        }
        self.segment = None;
        Ok(self.end.number + 1)
    }
}
