//! A segment: one file of the journal.
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | magic `CAIRNJNL` |
//! | 4 | format version |
//! | 4 | 0 |
//! | 8 | number of the database, the same in all its files |
//! | 8 | number of the segment |
//! | 8 | time of the header, milliseconds since the epoch |
//! | 8 | number of the segment before, 0 for the first one |
//! | 8 | where that one ends |
//! | 8 | the digest of its last frame |
//! | 8 | how far it was known to be on the disk when this one was begun |
//! | 8 | XXH3-64 of all that |
//!
//! Frames follow. Behind the last one stand the end of the file, zeros that were written ahead, or the remains of a
//! frame that a crash tore.

use xxhash_rust::xxh3::xxh3_64;

use super::frame::{Frame, Place};
use crate::codec::Reader;

pub(crate) const MAGIC: [u8; 8] = *b"CAIRNJNL";
/// The length of the header, and so the place of the first frame.
pub(crate) const HEADER: usize = 80;

/// The end of a segment: what the next one goes on from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SegmentEnd {
    pub(crate) number: u64,
    pub(crate) offset: u64,
    pub(crate) digest: u64,
}

/// The header of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) database: u64,
    pub(crate) number: u64,
    pub(crate) time: u64,
    pub(crate) previous: SegmentEnd,
    pub(crate) previous_durable: u64,
}

/// Why a header cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadHeader {
    /// Torn, never written, or damaged.
    Invalid,
    /// Whole, of this format version that we do not know.
    Newer(u32),
}

impl Header {
    /// The header's bytes and its digest, which the first frame goes on from.
    pub(crate) fn encode(&self) -> (Vec<u8>, u64) {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&crate::FORMAT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        for number in [
            self.database,
            self.number,
            self.time,
            self.previous.number,
            self.previous.offset,
            self.previous.digest,
            self.previous_durable,
        ] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        let digest = xxh3_64(&bytes);
        bytes.extend_from_slice(&digest.to_le_bytes());
        (bytes, digest)
    }

    /// Reads the header at the front of a segment; gives its digest too.
    pub(crate) fn decode(segment: &[u8]) -> Result<(Header, u64), BadHeader> {
        Self::read(segment).unwrap_or(Err(BadHeader::Invalid))
    }

    fn read(segment: &[u8]) -> Option<Result<(Header, u64), BadHeader>> {
        let mut reader = Reader::new(segment.get(..HEADER)?);
        if reader.array()? != MAGIC {
            return None;
        }
        let version = reader.u32()?;
        let reserved = reader.u32()?;
        let mut next = || reader.u64();
        let (database, number, time) = (next()?, next()?, next()?);
        let previous = SegmentEnd { number: next()?, offset: next()?, digest: next()? };
        let previous_durable = next()?;
        let digest = next()?;
        if xxh3_64(segment.get(..HEADER - 8)?) != digest {
            return None;
        }
        if version > crate::FORMAT_VERSION {
            return Some(Err(BadHeader::Newer(version)));
        }
        if (version, reserved) != (crate::FORMAT_VERSION, 0) {
            return None;
        }
        Some(Ok((Header { database, number, time, previous, previous_durable }, digest)))
    }
}

/// The farthest offset of this segment that any frame at or behind `from` claims to have been on the disk when the
/// frame was composed; 0 if none does.
///
/// Frames are looked for at every byte, since a break may have taken the length that led from one to the next. Bytes
/// made to look like frames everywhere would make this take for ever: past the budget they are damage, not a crash.
pub(crate) fn durable_claim(segment: &[u8], place: Place, from: usize) -> u64 {
    let mut claimed = 0;
    let mut at = from;
    let mut budget = 64 * segment.len() as u64 + (1 << 20);
    while at < segment.len() {
        at += no_frames(segment.get(at..).unwrap_or_default());
        let candidate = Frame::candidate_len(segment, at);
        match Frame::at(segment, at, place) {
            Some(frame) => {
                claimed = claimed.max((at as u64).saturating_sub(frame.lag));
                at += frame.bytes.len();
            }
            None => at += 1,
        }
        match budget.checked_sub(candidate) {
            Some(left) => budget = left,
            None => return u64::MAX,
        }
    }
    claimed
}

/// How many of the bytes are the beginning of no frame, because they are zeros that were written ahead, as is most of a
/// segment sometimes. The last three of a run may be the low bytes of a length.
pub(super) fn no_frames(bytes: &[u8]) -> usize {
    const RUN: usize = 64;
    let zeros = RUN * bytes.chunks_exact(RUN).take_while(|chunk| *chunk == [0; RUN]).count();
    zeros.saturating_sub(3)
}
