//! Stones: immutable files that hold one table's records in ascending order of their keys.
//!
//! A [`StoneWriter`] streams records into a new file and seals it; a [`Stone`] reads one. The manifest keeps the
//! [`StoneInfo`] of each, so that a file that was swapped, replaced by an older one or cut is refused. How the bytes
//! are laid out is said in [`format`].

mod blocks;
mod crc;
mod cursor;
mod digest;
mod expirations;
mod fences;
mod format;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod group;
mod index;
#[cfg(target_arch = "x86_64")]
mod lanes;
mod place;
mod reader;
mod record;
mod salvage;
mod source;
mod symbols;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use cursor::{Seek, StoneCursor};
pub(crate) use index::key_hash;
pub(crate) use reader::Stone;
pub(crate) use record::StoneRecord;
pub(crate) use salvage::{Gap, Salvage, Salvaged, digest_of};
pub(crate) use source::{Access, BlockCache};
pub(crate) use symbols::Packer;
pub(crate) use verify::Lost;
pub(crate) use writer::StoneWriter;

/// What the manifest knows of a stone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoneInfo {
    /// The length of the file in bytes.
    pub(crate) size: u64,
    /// The bytes of its records before they were packed.
    pub(crate) content: u64,
    /// The number of records, tombstones among them.
    pub(crate) records: u64,
    pub(crate) tombstones: u64,
    /// The SHA-256 of the footer, which holds those of all else.
    pub(crate) digest: [u8; 32],
}
