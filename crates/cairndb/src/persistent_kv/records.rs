//! Reads a file of persistent-kv, record by record, in memory that does not grow with the file.
//!
//! A record is a length (LEB128) and a protobuf message: the key (tag 0x0A) and the value (tag 0x12), each with its
//! length. What is empty is left out, so a record of no bytes is an empty key without a value. There is no checksum. The
//! program takes the place of a record before it writes it, so a crash leaves a hole of zeros, or a last record that
//! ends with the file.

use std::io;

use crate::batch::{MAX_KEY_BYTES, MAX_VALUE_BYTES};
use crate::codec::Reader;
use crate::env::File;

const KEY: u8 = 0x0a;
const VALUE: u8 = 0x12;
/// The longest LEB128 integer.
const VARINT: usize = 10;
/// How much is read at once, in bytes.
const CHUNK: usize = 256 << 10;
/// A record that is longer has a key or a value that cannot be stored.
const LONGEST: u64 = (MAX_VALUE_BYTES + MAX_KEY_BYTES + 2 * (1 + VARINT)) as u64;

/// What stands at a place of a file.
#[derive(Debug, PartialEq)]
pub(super) enum Item<'a> {
    Record {
        key: &'a [u8],
        /// Empty where the key was removed.
        value: &'a [u8],
    },
    Zeros,
    /// A record that is longer than any that can be stored. It is passed over.
    TooLong,
    /// The last record, of which only the beginning is there.
    Cut,
    /// Nothing that persistent-kv writes. What comes after cannot be told from it.
    Damaged(&'static str),
}

pub(super) struct Records<'f> {
    file: &'f dyn File,
    len: u64,
    /// The place in the file of what comes next.
    offset: u64,
    buffer: Vec<u8>,
    /// The place in the buffer of what comes next.
    start: usize,
}

impl<'f> Records<'f> {
    pub(super) fn new(file: &'f dyn File) -> io::Result<Self> {
        Ok(Records { file, len: file.len()?, offset: 0, buffer: Vec::new(), start: 0 })
    }

    /// What comes next, with its offset and length in bytes. `None` at the end of the file, and after `Cut` and
    /// `Damaged`, which reach to the end.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, u64, Item<'_>)>> {
        let offset = self.offset;
        let rest = self.len - offset;
        let head = self.window(VARINT)?;
        if head.is_empty() {
            return Ok(None);
        }
        if head.starts_with(&[0]) {
            let zeros = self.skip_zeros()?;
            return Ok(Some((offset, zeros, Item::Zeros)));
        }
        let (prefix, body) = match varint(head) {
            Varint::Whole { value, len } => (len, value),
            Varint::Cut => return Ok(Some(self.end(Item::Cut))),
            Varint::Wrong => return Ok(Some(self.end(Item::Damaged("the length of a record is none")))),
        };
        let whole = body.saturating_add(prefix as u64);
        if whole > rest {
            let begun = self.window(CHUNK)?.get(prefix..).unwrap_or_default();
            let torn = is_torn(begun, rest - prefix as u64, body);
            let item =
                if torn { Item::Cut } else { Item::Damaged("the length of a record is not that of its key and value") };
            return Ok(Some(self.end(item)));
        }
        if whole > LONGEST {
            self.skip(whole);
            return Ok(Some((offset, whole, Item::TooLong)));
        }
        let known = fields(self.window(whole as usize)?.get(prefix..).unwrap_or_default()).is_some();
        if !known {
            return Ok(Some(self.end(Item::Damaged("a record is not a key and a value"))));
        }
        let at = self.start + prefix;
        self.skip(whole);
        let Some((key, value)) = self.buffer.get(at..self.start).and_then(fields) else { return Ok(None) };
        Ok(Some((offset, whole, Item::Record { key, value })))
    }

    /// The rest of the file is this.
    fn end<'a>(&mut self, item: Item<'a>) -> (u64, u64, Item<'a>) {
        let (offset, rest) = (self.offset, self.len - self.offset);
        self.skip(rest);
        (offset, rest, item)
    }

    /// The next bytes without taking them: as many as asked for, or those that are left in the file.
    fn window(&mut self, wanted: usize) -> io::Result<&[u8]> {
        let held = self.buffer.len() - self.start;
        let wanted = wanted.min(usize::try_from(self.len - self.offset).unwrap_or(usize::MAX));
        if held < wanted {
            self.buffer.drain(..self.start);
            self.start = 0;
            let left = self.len - self.offset - held as u64;
            let more = (wanted - held).max(CHUNK).min(usize::try_from(left).unwrap_or(usize::MAX));
            self.buffer.try_reserve_exact(more)?;
            self.buffer.resize(held + more, 0);
            let place = self.buffer.get_mut(held..).unwrap_or_default();
            self.file.read_exact_at(place, self.offset + held as u64)?;
        }
        Ok(self.buffer.get(self.start..self.start + wanted).unwrap_or_default())
    }

    fn skip(&mut self, bytes: u64) {
        self.offset += bytes;
        let held = self.buffer.len() - self.start;
        match usize::try_from(bytes) {
            Ok(bytes) if bytes <= held => self.start += bytes,
            _ => {
                self.buffer.clear();
                self.start = 0;
            }
        }
    }

    fn skip_zeros(&mut self) -> io::Result<u64> {
        let begin = self.offset;
        loop {
            let window = self.window(CHUNK)?;
            let zeros = window.iter().take_while(|byte| **byte == 0).count();
            let ended = window.is_empty() || zeros < window.len();
            self.skip(zeros as u64);
            if ended {
                return Ok(self.offset - begin);
            }
        }
    }
}

/// The key and the value of a record; either may be missing, and is empty then.
fn fields(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut reader = Reader::new(body);
    let mut next = reader.u8();
    let mut field = |tag: u8| {
        if next != Some(tag) {
            return Some(&[][..]);
        }
        let bytes = reader.bytes().filter(|bytes| !bytes.is_empty())?;
        next = reader.u8();
        Some(bytes)
    };
    let (key, value) = (field(KEY)?, field(VALUE)?);
    next.is_none().then_some((key, value))
}

/// Whether what is there of a record can be the beginning of one that says to have `body` bytes, more than the `left`
/// ones in the file. If the lengths of key and value do not add up to it, the record is whole and its length is wrong.
fn is_torn(begun: &[u8], left: u64, body: u64) -> bool {
    let (mut bytes, mut left, mut body) = (begun, left, body);
    for tag in [KEY, VALUE] {
        let Some((found, behind)) = bytes.split_first() else { return true };
        if *found != tag {
            if tag == KEY {
                continue;
            }
            return false;
        }
        let (len, size) = match varint(behind) {
            Varint::Whole { value, len } => (len, value),
            Varint::Cut => return true,
            Varint::Wrong => return false,
        };
        let Some(field) = size.checked_add(1 + len as u64).filter(|field| size > 0 && *field <= body) else {
            return false;
        };
        body -= field;
        if tag == VALUE {
            return body == 0;
        }
        // No value, or a tag, a length and a byte at least.
        if !(body == 0 || body > 2) {
            return false;
        }
        let Some(rest) = left.checked_sub(field) else { return true };
        left = rest;
        // A key that is longer than the window is cut, or too long to be stored.
        let Some(rest) = behind.get(len + size as usize..) else { return left == 0 || size > MAX_KEY_BYTES as u64 };
        bytes = rest;
    }
    false
}

enum Varint {
    Whole { value: u64, len: usize },
    Cut,
    Wrong,
}

fn varint(bytes: &[u8]) -> Varint {
    let mut reader = Reader::new(bytes);
    match reader.varint() {
        Some(value) => Varint::Whole { value, len: reader.position() },
        None if bytes.len() < VARINT && bytes.iter().all(|byte| byte & 0x80 != 0) => Varint::Cut,
        None => Varint::Wrong,
    }
}
