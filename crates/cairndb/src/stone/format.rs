//! The file format of a stone, version 1.
//!
//! All integers are little-endian; *varint* is LEB128; *u40* is a file offset in 5 bytes. A *checksum* is CRC-32C,
//! continued from the value `salt ^ (low + high)`, where `low` and `high` are the halves of the file offset at which
//! the checksum itself stands (their sum wraps), as if that value were the CRC-32C of bytes before. So a block that
//! the disk put in the wrong place, or an old one that shows through because the new one was never written, fails
//! its check even where it is sound in itself.
//!
//! A file is a header, four regions without gaps, and a footer:
//!
//! | part | offset | length |
//! | --- | --- | --- |
//! | data | 0 | a multiple of 64: header, symbols, groups of records, the symbols once more, then zeros |
//! | index | after data | 64 for each bucket |
//! | blocks | after index | 64 for every 12 blocks, rounded up |
//! | expirations | after blocks | 64 for every 4 expirations, rounded up |
//! | footer | after expirations | 288 |
//!
//! **Header** (32 bytes; the same in all versions of the format):
//!
//! | offset | type | field |
//! | --- | --- | --- |
//! | 0 | 8 bytes | `CAIRNSTN` |
//! | 8 | u32 | format version, 1 |
//! | 12 | u32 | number of the table |
//! | 16 | u64 | base time in milliseconds since the epoch; times of records are differences to it |
//! | 24 | u32 | salt: any number, different for different files |
//! | 28 | u32 | CRC-32C of bytes 0 to 27, without a salt |
//!
//! **Symbols** stand at offset 32 and, for the case that they are damaged, once more where the last group ends: a u32
//! checksum, the table as `Symbols::encode` has it, which is a zero byte where nothing is packed, and zeros up to a
//! multiple of 4.
//!
//! **Groups** follow each other, each at a multiple of 4, with zeros between them:
//!
//! | type | field |
//! | --- | --- |
//! | u32 | checksum of what follows |
//! | varint | length of the body times 2, plus 1 if the body is packed: then it has at most 256 KiB |
//! | bytes | the body: one to eight encoded records back to back, see `Entry::encode`, or of each the codes that stand for it, with their length in front as a varint |
//!
//! All records are in strictly ascending bytewise order of their keys. The *place* of a record is twice the offset of
//! its group plus the number of records in front of it in the group.
//!
//! **Lines.** The regions index, blocks and expirations consist of lines of 64 bytes: a u32 checksum of the line's
//! payload, and 60 bytes of payload. A line never straddles a page, and whoever looks at one entry checks one line.
//! Entries do not straddle lines; what is left of a line is zeros.
//!
//! **Index**: an open-addressed hash table. A slot has 4, 5 or 6 bytes: as few as leave room for every place up to the
//! end of the last group. So 15, 12 or 10 slots make up a line, which is a bucket; there are
//! `ceil(2 * records / (2 * slots - 3))` of them, where `slots` is the number in each.
//!
//! | type | field |
//! | --- | --- |
//! | u8 | fingerprint |
//! | u24, u32 or u40 | highest bit: a mark; the others: place of the record, 0 in a free slot |
//!
//! With `h` the upper 56 bits of XXH3-64 of the key (seed 0), the fingerprint is `h & 255` and the home bucket is
//! `h * buckets >> 56`. A record is in its home bucket, or, if that is full, in the next one that is not, the first
//! bucket following the last. How many slots of a bucket are marked says in how many of the buckets after it there
//! are records whose home it is; if all are marked, so many or more. So a key that is not in the table is looked for in
//! 1.4 buckets on average, and seldom in more than two.
//!
//! **Blocks**: the groups are cut into blocks of at most 4,096 bytes unless a single group is larger. The u40 offsets of
//! the blocks' first groups, ascending, 12 in a line. The first block begins where the first group does.
//!
//! **Expirations**: one entry for each record that expires, ascending by expiration, then by place, 4 in a line:
//!
//! | type | field |
//! | --- | --- |
//! | f64 | expiration in milliseconds since the epoch; never NaN: a record whose expiration is NaN has no entry |
//! | u40 | place of the record |
//!
//! **Footer**:
//!
//! | offset | type | field |
//! | --- | --- | --- |
//! | 0 | 32 bytes | the header once more |
//! | 32 | u64 | number of records, tombstones among them |
//! | 40 | u64 | number of tombstones; the others are live until they expire |
//! | 48 | u64 | number of blocks |
//! | 56 | u64 | number of expirations |
//! | 64 | u64 | offset at which the first group begins |
//! | 72 | u64 | offset at which the last group ends |
//! | 80 | u64 | content: how many bytes the encoded records take, before they are packed |
//! | 88 | u64, 32 bytes | length and SHA-256 of the region data, header and closing zeros included |
//! | 128 | u64, 32 bytes | the same for index |
//! | 168 | u64, 32 bytes | the same for blocks |
//! | 208 | u64, 32 bytes | the same for expirations |
//! | 248 | 32 bytes | SHA-256 of the footer's bytes 0 to 247; the manifest holds it too |
//! | 280 | 8 bytes | `CAIRNEND` |

use std::ops::Range;

use super::crc;
use super::place::Place;
use crate::codec::{Reader, sha256};

pub(super) const VERSION: u32 = 1;
pub(super) const HEADER_LEN: u64 = 32;
pub(super) const FOOTER_LEN: u64 = 288;
/// The part of the footer that its digest covers.
pub(super) const SEALED: usize = 248;
/// Lines begin at multiples of their length.
pub(super) const LINE: u64 = 64;
pub(super) const PAYLOAD: usize = 60;
/// The length of the checksum in front of a record or of a line's payload.
pub(super) const CHECKSUM: usize = 4;
/// The length of a table without symbols, and of the longest one, of 255 of 8 bytes; with their checksums.
pub(super) const NO_SYMBOLS: u64 = 8;
pub(super) const SYMBOLS_LIMIT: u64 = (CHECKSUM as u64 + 1 + 255 * 9).next_multiple_of(ALIGNMENT);
/// The longest body that is packed: who reads it needs memory for what it may stand for.
pub(super) const PACKED_LIMIT: usize = 256 << 10;
/// Groups begin at multiples of this, so that a place takes no more bits than an offset would twice over.
pub(super) const ALIGNMENT: u64 = 4;
/// Places have 39 bits, since the index uses the fortieth for its marks, and are twice as large as offsets.
pub(super) const OFFSET_LIMIT: u64 = 1 << 38;

const MAGIC: [u8; 8] = *b"CAIRNSTN";
const END_MAGIC: [u8; 8] = *b"CAIRNEND";

/// CRC-32C, bound to the file by its salt and to the place by its offset.
pub(super) fn checksum(salt: u32, offset: u64, bytes: &[u8]) -> u32 {
    let place = (offset as u32).wrapping_add((offset >> 32) as u32);
    crc::append(salt ^ place, bytes)
}

/// How many entries of `size` bytes a line holds.
pub(super) const fn per_line(size: usize) -> u64 {
    (PAYLOAD / size) as u64
}

pub(super) fn put_u40(offset: u64) -> [u8; 5] {
    let [a, b, c, d, e, ..] = offset.to_le_bytes();
    [a, b, c, d, e]
}

pub(super) fn u40([a, b, c, d, e]: [u8; 5]) -> u64 {
    u64::from_le_bytes([a, b, c, d, e, 0, 0, 0])
}

/// Why a header or a footer is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    Damaged(&'static str),
    /// Sound, but of a version that this release does not know.
    Version(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) table: u32,
    pub(super) base_time: u64,
    pub(super) salt: u32,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER_LEN as usize] {
        let mut bytes = [0; HEADER_LEN as usize];
        let fields = MAGIC
            .into_iter()
            .chain(VERSION.to_le_bytes())
            .chain(self.table.to_le_bytes())
            .chain(self.base_time.to_le_bytes())
            .chain(self.salt.to_le_bytes());
        bytes.iter_mut().zip(fields).for_each(|(byte, field)| *byte = field);
        if let Some((rest, crc)) = bytes.split_last_chunk_mut() {
            *crc = crc::append(0, rest).to_le_bytes();
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Header, Flaw> {
        let mut reader = Reader::new(bytes);
        if reader.array() != Some(MAGIC) {
            return Err(Flaw::Damaged("the file does not begin as a stone does"));
        }
        Self::decode_fields(bytes, reader).ok_or(Flaw::Damaged("the header fails its checksum"))?
    }

    fn decode_fields(bytes: &[u8], mut reader: Reader<'_>) -> Option<Result<Header, Flaw>> {
        let version = reader.u32()?;
        let header = Header { table: reader.u32()?, base_time: reader.u64()?, salt: reader.u32()? };
        let sound = crc::append(0, bytes.get(..reader.position())?) == reader.u32()?;
        // Only a sound header tells of a newer release; a rotten version number is damage.
        sound.then_some(if version == VERSION { Ok(header) } else { Err(Flaw::Version(version)) })
    }
}

/// The length of a slot that has room for the places of groups before `end`, a mark and a fingerprint.
pub(super) fn slot_for(end: u64) -> usize {
    let limit = Place::new(end, 0).0;
    (4..6).find(|len| limit <= 1 << (8 * (len - 1) - 1)).unwrap_or(6)
}

/// A part of the file that one SHA-256 covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) name: &'static str,
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) digest: [u8; 32],
}

impl Region {
    pub(super) fn lines(&self) -> u64 {
        self.len / LINE
    }
}

/// The names of the regions in the order in which they stand.
pub(super) const REGIONS: [&str; 4] = ["data", "index", "blocks", "expirations"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) header: Header,
    pub(super) records: u64,
    pub(super) tombstones: u64,
    pub(super) block_count: u64,
    pub(super) expiration_count: u64,
    /// Where the first group begins.
    pub(super) data_start: u64,
    /// Where the last group ends.
    pub(super) data_end: u64,
    /// Bytes of the encoded records.
    pub(super) content: u64,
    pub(super) data: Region,
    pub(super) index: Region,
    pub(super) blocks: Region,
    pub(super) expirations: Region,
}

impl Footer {
    /// Where the symbols stand, and where they stand once more.
    pub(super) fn symbols(&self) -> [Range<u64>; 2] {
        let len = self.data_start - HEADER_LEN;
        [HEADER_LEN..self.data_start, self.data_end..self.data_end + len]
    }

    /// Whether the table of symbols has any.
    pub(super) fn has_symbols(&self) -> bool {
        self.data_start > HEADER_LEN + NO_SYMBOLS
    }

    /// The length of a slot of the index, in bytes.
    pub(super) fn slot(&self) -> usize {
        slot_for(self.data_end)
    }

    pub(super) fn regions(&self) -> [&Region; 4] {
        [&self.data, &self.index, &self.blocks, &self.expirations]
    }

    /// The footer's bytes, and the digest that the manifest keeps.
    pub(super) fn encode(&self) -> (Vec<u8>, [u8; 32]) {
        let mut bytes = self.header.encode().to_vec();
        let counts = [self.records, self.tombstones, self.block_count, self.expiration_count];
        let places = [self.data_start, self.data_end, self.content];
        counts.iter().chain(&places).for_each(|count| bytes.extend_from_slice(&count.to_le_bytes()));
        for region in self.regions() {
            bytes.extend_from_slice(&region.len.to_le_bytes());
            bytes.extend_from_slice(&region.digest);
        }
        let digest = sha256(&bytes);
        bytes.extend_from_slice(&digest);
        bytes.extend_from_slice(&END_MAGIC);
        (bytes, digest)
    }

    /// Reads the last bytes of a file of `size` bytes, whose digest must be the one that the manifest holds.
    pub(super) fn decode(bytes: &[u8], size: u64, digest: &[u8; 32]) -> Result<Footer, Flaw> {
        let (sealed, end) = bytes.split_at_checked(SEALED).ok_or(Flaw::Damaged("the file has no footer"))?;
        let (stored, magic) = end.split_at_checked(32).ok_or(Flaw::Damaged("the file has no footer"))?;
        if magic != END_MAGIC {
            return Err(Flaw::Damaged("the file does not end as a stone does"));
        }
        if stored != sha256(sealed) {
            return Err(Flaw::Damaged("the footer does not match its digest"));
        }
        if stored != digest {
            return Err(Flaw::Damaged("this is another stone than the one that the manifest names"));
        }
        let footer = Self::decode_fields(sealed).ok_or(Flaw::Damaged("the footer is cut"))??;
        let consistent = footer.is_consistent(size);
        consistent.then_some(footer).ok_or(Flaw::Damaged("the footer contradicts itself"))
    }

    fn decode_fields(sealed: &[u8]) -> Option<Result<Footer, Flaw>> {
        let mut reader = Reader::new(sealed);
        let header = match Header::decode(reader.take(HEADER_LEN as usize)?) {
            Ok(header) => header,
            Err(flaw) => return Some(Err(flaw)),
        };
        let [records, tombstones, block_count, expiration_count] =
            [reader.u64()?, reader.u64()?, reader.u64()?, reader.u64()?];
        let [data_start, data_end, content] = [reader.u64()?, reader.u64()?, reader.u64()?];
        let mut offset = 0_u64;
        let [data, index, blocks, expirations] = REGIONS.map(|name| {
            let region = Region { name, offset, len: reader.u64()?, digest: reader.array()? };
            offset = offset.checked_add(region.len)?;
            Some(region)
        });
        Some(Ok(Footer {
            header,
            records,
            tombstones,
            block_count,
            expiration_count,
            data_start,
            data_end,
            content,
            data: data?,
            index: index?,
            blocks: blocks?,
            expirations: expirations?,
        }))
    }

    /// Whether the counts, the lengths and the size of the file agree. A footer reaches this only with the digest that
    /// the manifest holds, so what fails here was written wrong; nothing after this need fear an overflow or a
    /// division by zero.
    fn is_consistent(&self, size: u64) -> bool {
        let lines = |count: u64, size: usize| count.div_ceil(per_line(size)).checked_mul(LINE);
        let end = self.expirations.offset.checked_add(self.expirations.len);
        end.and_then(|end| end.checked_add(FOOTER_LEN)) == Some(size)
            && (HEADER_LEN + NO_SYMBOLS..=HEADER_LEN + SYMBOLS_LIMIT).contains(&self.data_start)
            && (self.data_start..=OFFSET_LIMIT).contains(&self.data_end)
            && [self.data_start, self.data_end].iter().all(|place| place.is_multiple_of(ALIGNMENT))
            && self.data.len == (self.data_end + self.data_start - HEADER_LEN).next_multiple_of(LINE)
            && self.index.len.is_multiple_of(LINE)
            && self
                .index
                .lines()
                .checked_mul(per_line(self.slot()))
                .is_some_and(|slots| slots > self.records || self.records == 0)
            && Some(self.blocks.len) == lines(self.block_count, 5)
            && Some(self.expirations.len) == lines(self.expiration_count, 13)
            && self.tombstones <= self.records
            && self.expiration_count <= self.records
            && self.block_count <= self.records
            && (self.block_count == 0) == (self.records == 0)
            && (self.data_end == self.data_start) == (self.records == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_a_newer_version_is_told_from_a_damaged_one() {
        let header = Header { table: 7, base_time: 1_700_000_000_000, salt: 99 };
        let mut bytes = header.encode();
        assert_eq!(Header::decode(&bytes), Ok(header));
        bytes[8] = 2;
        assert_eq!(Header::decode(&bytes), Err(Flaw::Damaged("the header fails its checksum")));
        let crc = crc32c::crc32c(&bytes[..28]);
        bytes[28..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Header::decode(&bytes), Err(Flaw::Version(2)));
        assert!(matches!(Header::decode(&bytes[..20]), Err(Flaw::Damaged(_))));
    }

    #[test]
    fn a_checksum_is_bound_to_its_file_and_its_place() {
        let bytes = b"the same bytes";
        let here = checksum(1, 4096, bytes);
        assert_ne!(here, checksum(2, 4096, bytes));
        assert_ne!(here, checksum(1, 8192, bytes));
        assert_ne!(here, checksum(1, 4096 + (1 << 32), bytes));
        // The published test vector, reached where salt and place cancel out.
        assert_eq!(checksum(0, 0, b"123456789"), 0xe306_9283);
        assert_eq!(checksum(4096, 4096, b"123456789"), 0xe306_9283);
    }

    #[test]
    fn footers_round_trip_and_contradictions_are_refused() {
        let region = |name, offset, len| Region { name, offset, len, digest: [name.len() as u8; 32] };
        let footer = Footer {
            header: Header { table: 1, base_time: 2, salt: 3 },
            records: 9,
            tombstones: 4,
            block_count: 1,
            expiration_count: 5,
            data_start: 40,
            data_end: 100,
            content: 50,
            data: region("data", 0, 128),
            index: region("index", 128, 128),
            blocks: region("blocks", 256, 64),
            expirations: region("expirations", 320, 128),
        };
        let size = 448 + FOOTER_LEN;
        let (bytes, digest) = footer.encode();
        assert_eq!(bytes.len() as u64, FOOTER_LEN);
        assert_eq!(Footer::decode(&bytes, size, &digest), Ok(footer.clone()));
        assert!(Footer::decode(&bytes, size, &[0; 32]).is_err());
        let contradictions: [fn(&mut Footer); 15] = [
            |f| f.records = u64::MAX,
            |f| f.records = 0,
            |f| f.tombstones = 10,
            |f| f.block_count = 0,
            |f| f.block_count = u64::MAX,
            |f| f.expiration_count = 9,
            |f| f.expiration_count = 3,
            |f| f.data_end = u64::MAX,
            |f| f.data_end = 31,
            |f| f.data_start = 36,
            |f| f.data_start = 42,
            |f| f.data_start = 100,
            |f| f.data_start = u64::MAX,
            |f| f.index.len = u64::MAX - 63,
            |f| f.index.len = 0,
        ];
        for contradict in contradictions {
            let mut hostile = footer.clone();
            contradict(&mut hostile);
            let (bytes, digest) = hostile.encode();
            assert!(Footer::decode(&bytes, size, &digest).is_err(), "{hostile:?}");
        }
    }
}
