//! The journal: every commit, in order, in append-only segments that all tables share.

mod follow;
mod frame;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod replay;
mod salvage;
mod segment;
mod sync;
mod tail;
#[cfg(test)]
mod tests;
mod writer;

use std::path::{Path, PathBuf};

pub(crate) use follow::sync_segment;
pub(crate) use frame::{FrameBuilder, Item};
pub(crate) use replay::{ReplayFrom, ReplayedFrame, claims, replay, walk};
pub(crate) use salvage::{Break, Segment, salvage};
pub(crate) use segment::SegmentEnd;
pub(crate) use sync::Syncer;
pub use sync::Ticket;
pub(crate) use tail::Tail;
pub(crate) use writer::Writer;

/// The name of a segment's file.
pub(crate) fn segment_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:012}.journal"))
}
