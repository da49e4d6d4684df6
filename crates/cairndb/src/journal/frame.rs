//! A frame: one commit in the journal, whole or absent.
//!
//! | bytes | what |
//! | --- | --- |
//! | 4 | length of the body, never 0 (0 is the end of what was written) |
//! | 2 | check of the length, see [`length_check`] |
//! | n | body |
//! | 8 | digest: XXH3-64, seeded by the [`Place`], of the 8 bytes before the frame, the length, its check and the body |
//!
//! The 8 bytes before a frame are the digest of the frame before it (or of the segment's header), so each digest
//! stands for all of the journal up to it: a torn frame, a stale block and a foreign frame all break the chain. The
//! seed makes a frame valid only where it was written, so that blocks of a removed segment, which a new file may show
//! after a power loss, are never taken for frames of the new one.
//!
//! Body: time (zigzag LEB128 difference to the time of the frame before, or of the segment's header), lag (LEB128),
//! then items until the end. The *lag* says how many bytes just before the frame were not known to be on the disk
//! when it was composed. A break that a later frame claims to have been durable is damage; any other break is what a
//! crash leaves behind. An item is a table's number (LEB128) and a record (see [`Entry::encode`], with the frame's
//! time as base), or 0 and a catalog item. The last item may be a seal: see [`seal`].

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use sha2::{Digest, Sha256};

use crate::codec::{Reader, put_bytes, put_varint, unzigzag, zigzag};
use crate::dictionary::Dictionary;
use crate::packed::Shape;
use crate::record::Entry;

/// The bytes of a frame before its body: the length and its check.
pub(crate) const HEAD: usize = 6;
/// The bytes of a digest, which stands behind each body.
pub(crate) const DIGEST: usize = 8;

/// A segment of a database, of which frames are valid at their own offsets only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u64);

impl Place {
    /// XXH3-64 of the database's number and the segment's, 8 bytes each.
    pub(crate) fn new(database: u64, segment: u64) -> Self {
        let [a, b] = [database.to_le_bytes(), segment.to_le_bytes()];
        Place(xxh3_64([a, b].as_flattened()))
    }

    /// The seed of the digest of the frame at `offset`: the place plus the offset.
    pub(super) fn seed(self, offset: u64) -> u64 {
        self.0.wrapping_add(offset)
    }
}

/// One thing that a frame says.
pub(crate) enum Item<'a> {
    Record { table: u32, entry: Entry<'a> },
    DefineTable { table: u32, name: &'a str },
    DropTable { table: u32 },
    DefineDictionary { revision: u32, dictionary: Dictionary },
    DefineShape { number: u32, shape: Shape },
}

const CATALOG: u64 = 0;
const DEFINE_TABLE: u8 = 1;
const DROP_TABLE: u8 = 2;
const DEFINE_DICTIONARY: u8 = 3;
const DEFINE_SHAPE: u8 = 4;
const SEAL: u8 = 5;
/// The length of a seal.
const SEALED: usize = 32;

/// Composes a frame into a buffer that is reused from commit to commit.
///
/// The digest of the frame before is kept in front of the frame, as it stands in the file, so that one pass over
/// contiguous bytes gives the digest.
pub(crate) struct FrameBuilder {
    bytes: Vec<u8>,
    time: u64,
    empty_len: usize,
    sealed: bool,
}

impl FrameBuilder {
    /// Starts a frame at `time`, in a buffer that may have been used before.
    pub(crate) fn new(mut bytes: Vec<u8>, time: u64, previous_time: u64, lag: u64) -> Self {
        bytes.clear();
        bytes.resize(DIGEST + HEAD, 0);
        put_varint(&mut bytes, zigzag(time.wrapping_sub(previous_time) as i64));
        put_varint(&mut bytes, lag);
        let empty_len = bytes.len();
        FrameBuilder { bytes, time, empty_len, sealed: false }
    }

    /// Puts a SHA-256 behind the items.
    pub(crate) fn sealed(mut self) -> Self {
        self.sealed = true;
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.len() == self.empty_len
    }

    /// Appends a record; returns where its key starts in the finished frame. The value follows the key.
    pub(crate) fn record(&mut self, table: u32, entry: &Entry<'_>) -> usize {
        put_varint(&mut self.bytes, u64::from(table));
        entry.encode(self.time, &mut self.bytes);
        self.bytes.len() - DIGEST - entry.value.len() - entry.key.len()
    }

    pub(crate) fn define_table(&mut self, table: u32, name: &str) {
        self.catalog(DEFINE_TABLE, table);
        put_bytes(&mut self.bytes, name.as_bytes());
    }

    pub(crate) fn drop_table(&mut self, table: u32) {
        self.catalog(DROP_TABLE, table);
    }

    pub(crate) fn define_dictionary(&mut self, revision: u32, dictionary: &Dictionary) {
        self.catalog(DEFINE_DICTIONARY, revision);
        dictionary.encode(&mut self.bytes);
    }

    pub(crate) fn define_shape(&mut self, number: u32, shape: &Shape) {
        self.catalog(DEFINE_SHAPE, number);
        shape.encode(&mut self.bytes);
    }

    fn catalog(&mut self, what: u8, number: u32) {
        put_varint(&mut self.bytes, CATALOG);
        self.bytes.push(what);
        put_varint(&mut self.bytes, u64::from(number));
    }

    /// Gives the buffer back without a frame.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }

    /// Closes the frame, to stand at `offset` behind `previous`, the digest before it.
    pub(crate) fn finish(mut self, place: Place, offset: u64, previous: u64) -> BuiltFrame {
        if self.sealed {
            let seal = seal(&previous.to_le_bytes(), self.bytes.get(DIGEST + HEAD..).unwrap_or_default());
            self.catalog(SEAL, 0);
            self.bytes.extend_from_slice(&seal);
        }
        let body = (self.bytes.len() - DIGEST - HEAD) as u32;
        let mut front = [0; DIGEST + HEAD];
        let fields = [&previous.to_le_bytes()[..], &body.to_le_bytes(), &length_check(body).to_le_bytes()];
        for (place, byte) in front.iter_mut().zip(fields.into_iter().flatten()) {
            *place = *byte;
        }
        if let Some(place) = self.bytes.first_chunk_mut() {
            *place = front;
        }
        let digest = xxh3_64_with_seed(&self.bytes, place.seed(offset));
        self.bytes.extend_from_slice(&digest.to_le_bytes());
        BuiltFrame { bytes: self.bytes, digest, time: self.time }
    }
}

/// A frame that is ready to be written.
pub(crate) struct BuiltFrame {
    bytes: Vec<u8>,
    pub(crate) digest: u64,
    pub(crate) time: u64,
}

impl BuiltFrame {
    /// The frame as it goes into the file.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(DIGEST..).unwrap_or_default()
    }

    /// Gives the buffer back for the next frame.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }
}

/// The seal of a frame: SHA-256 of the digest before it and of its body as far as the item of the seal.
fn seal(previous: &[u8], body: &[u8]) -> [u8; SEALED] {
    Sha256::new().chain_update(previous).chain_update(body).finalize().into()
}

/// The upper half of the length times the 32-bit golden ratio. It lets a search for frames behind a break pass over
/// almost every place without hashing what a stray length would name.
pub(crate) fn length_check(length: u32) -> u16 {
    (length.wrapping_mul(0x9e37_79b1) >> 16) as u16
}

/// A frame found in a segment's bytes.
pub(crate) struct Frame<'a> {
    /// The whole frame.
    pub(crate) bytes: &'a [u8],
    /// Its time differs by this from the time of the frame before.
    time_step: i64,
    pub(crate) lag: u64,
    pub(crate) digest: u64,
    /// The digest before the frame, where that is known to be there.
    before: Option<&'a [u8]>,
    body: &'a [u8],
    items: Reader<'a>,
}

impl<'a> Frame<'a> {
    /// The frame at `offset`, behind the 8 bytes of digest before it. `None` if there is no valid one.
    pub(crate) fn at(segment: &'a [u8], offset: usize, place: Place) -> Option<Self> {
        Self::within(segment, 0, offset, place)
    }

    /// As [`Frame::at`], in a part of a segment that begins at its byte `start`; `at` counts from there.
    pub(crate) fn within(part: &'a [u8], start: u64, at: usize, place: Place) -> Option<Self> {
        let bytes = Self::candidate(part, at)?;
        let digest_at = bytes.len() - DIGEST;
        let digest = u64::from_le_bytes(bytes.get(digest_at..)?.try_into().ok()?);
        let digested = part.get(at.checked_sub(DIGEST)?..at + digest_at)?;
        if xxh3_64_with_seed(digested, place.seed(start + at as u64)) != digest {
            return None;
        }
        let body = bytes.get(HEAD..digest_at)?;
        let mut items = Reader::new(body);
        let time_step = unzigzag(items.varint()?);
        let lag = items.varint()?;
        Some(Frame { bytes, time_step, lag, digest, before: digested.get(..DIGEST), body, items })
    }

    /// The frame that begins here if its length is right, whether or not its digest is: nothing that it says is proved.
    pub(crate) fn unchecked(bytes: &'a [u8]) -> Option<Self> {
        let bytes = Self::candidate(bytes, 0)?;
        let body = bytes.get(HEAD..bytes.len() - DIGEST)?;
        let mut items = Reader::new(body);
        let time_step = unzigzag(items.varint()?);
        let lag = items.varint()?;
        Some(Frame { bytes, time_step, lag, digest: 0, before: None, body, items })
    }

    /// The bytes that the length at `offset` names, if it passes its check.
    fn candidate(segment: &'a [u8], offset: usize) -> Option<&'a [u8]> {
        let len = Frame::claimed_len(segment.get(offset..)?)?;
        segment.get(offset..offset.checked_add(len)?)
    }

    /// How long the frame that begins here says it is, if that passes its check. Not all of it need be there.
    pub(crate) fn claimed_len(bytes: &[u8]) -> Option<usize> {
        let mut head = Reader::new(bytes);
        let length = head.u32()?;
        let check = u16::from_le_bytes(head.array()?);
        if length == 0 || check != length_check(length) {
            return None;
        }
        (length as usize).checked_add(HEAD + DIGEST)
    }

    /// How many bytes [`Frame::at`] digests at `offset`.
    pub(crate) fn candidate_len(segment: &[u8], offset: usize) -> u64 {
        Frame::candidate(segment, offset).map_or(0, |bytes| bytes.len() as u64)
    }

    /// The time of this frame, given that of the frame before.
    pub(crate) fn time(&self, previous: u64) -> u64 {
        previous.wrapping_add(self.time_step as u64)
    }

    /// Gives each item to `visit`. `None` if an item cannot be read, or if the seal is wrong: in a frame with a valid
    /// digest that means that a newer or broken program wrote it, or that the digest is right by chance.
    pub(crate) fn items<E>(
        &self,
        time: u64,
        mut visit: impl FnMut(Item<'a>) -> Result<(), E>,
    ) -> Result<Option<()>, E> {
        let mut reader = self.items;
        while !reader.is_empty() {
            if let Some(found) = read_seal(reader) {
                let body = self.body.get(..reader.position()).unwrap_or_default();
                let sealed = self.before.is_none_or(|before| seal(before, body) == found);
                return Ok(sealed.then_some(()));
            }
            match read_item(&mut reader, time) {
                Some(item) => visit(item)?,
                None => return Ok(None),
            }
        }
        Ok(Some(()))
    }
}

/// The seal, if that is the last item and the next one.
fn read_seal(mut reader: Reader<'_>) -> Option<[u8; SEALED]> {
    let head = [reader.u8()?, reader.u8()?, reader.u8()?];
    let found = reader.array()?;
    (head == [CATALOG as u8, SEAL, 0] && reader.is_empty()).then_some(found)
}

fn read_item<'a>(reader: &mut Reader<'a>, time: u64) -> Option<Item<'a>> {
    let table = reader.varint()?;
    if table != CATALOG {
        return Some(Item::Record { table: u32::try_from(table).ok()?, entry: Entry::decode(reader, time)? });
    }
    let what = reader.u8()?;
    let number = u32::try_from(reader.varint()?).ok()?;
    match what {
        DEFINE_TABLE => Some(Item::DefineTable { table: number, name: reader.text()? }),
        DROP_TABLE => Some(Item::DropTable { table: number }),
        DEFINE_DICTIONARY => Some(Item::DefineDictionary { revision: number, dictionary: Dictionary::decode(reader)? }),
        DEFINE_SHAPE => Some(Item::DefineShape { number, shape: Shape::decode(reader)? }),
        _ => None,
    }
}
