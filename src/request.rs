//! The request: operations as JavaScript encodes them (`ts/request.ts`).
//!
//! It comes from the same package, but memory that JavaScript can write to is not trusted: every length is checked, and
//! bytes that are no request are an error before anything is written.

use cairndb::{DictionaryId, Kind, Op};

use crate::failure::{Failure, Outcome};

const ACTION: u8 = 0b11;
const PUT: u8 = 0;
const DELETE: u8 = 1;
/// A put of a record that was written elsewhere.
const IMPORT: u8 = 2;
const JOINED: u8 = 1 << 2;
const HAS_EXPIRATION: u8 = 1 << 3;
const HAS_DICTIONARY: u8 = 1 << 4;
const HAS_IF_VERSION: u8 = 1 << 5;
/// The value has the short keys of the dictionary already.
const MAPPED: u8 = 1 << 6;
const UNUSED: u8 = !(ACTION | JOINED | HAS_EXPIRATION | HAS_DICTIONARY | HAS_IF_VERSION | MAPPED);

/// The largest whole number up to which JavaScript's numbers have no gaps.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// An operation in its shortest form: head, two lengths, a table of one byte, a key of one byte.
const SHORTEST: usize = 7;

/// The operations of a request, borrowing their names and values from it.
pub(crate) fn decode(request: &[u8]) -> Outcome<Vec<Op<'_>>> {
    let mut ops = Vec::with_capacity(request.len() / (8 * SHORTEST) + 1);
    let mut reader = Reader(request);
    while !reader.0.is_empty() {
        ops.push(reader.op()?);
    }
    Ok(ops)
}

fn malformed(what: &str) -> Failure {
    Failure::internal(format!("a request is malformed: {what}"))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn op(&mut self) -> Outcome<Op<'a>> {
        let [head] = self.array()?;
        if head & UNUSED != 0 {
            return Err(malformed("an operation has unknown flags"));
        }
        let table = self.text()?;
        let key = self.text()?.as_bytes();
        let expiration = if head & HAS_EXPIRATION != 0 { Some(self.f64()?) } else { None };
        let dictionary = if head & HAS_DICTIONARY != 0 { Some(u32::from_le_bytes(self.array()?)) } else { None };
        let if_version = if head & HAS_IF_VERSION != 0 { Some(self.whole()?) } else { None };
        let mut op = match head & ACTION {
            PUT => self.put(table, key)?,
            DELETE => Op::delete(table, key),
            IMPORT => {
                let (version, time) = (self.whole()?, self.whole()?);
                self.put(table, key)?.imported(version, time)
            }
            _ => return Err(malformed("an operation is neither a put, nor a delete, nor an import")),
        };
        if let Some(milliseconds) = expiration {
            op = op.expires_at(milliseconds);
        }
        if let Some(number) = dictionary {
            let id = DictionaryId::from_number(number);
            op = if head & MAPPED != 0 { op.mapped_by(id) } else { op.dictionary(id) };
        }
        if let Some(version) = if_version {
            op = op.if_version(version);
        }
        Ok(if head & JOINED != 0 { op.joined() } else { op })
    }

    fn put(&mut self, table: &'a str, key: &'a [u8]) -> Outcome<Op<'a>> {
        let [number] = self.array()?;
        let kind = Kind::new(number).ok_or_else(|| malformed("a value is of a kind that cannot be stored"))?;
        let length = u32::from_le_bytes(self.array()?);
        Ok(Op::put(table, key, kind, self.take(length as usize)?))
    }

    fn text(&mut self) -> Outcome<&'a str> {
        let length = u16::from_le_bytes(self.array()?);
        std::str::from_utf8(self.take(length.into())?).map_err(|_| malformed("a table or a key is not UTF-8"))
    }

    fn whole(&mut self) -> Outcome<u64> {
        let number = self.f64()?;
        if number.fract() == 0.0 && (0.0..=MAX_SAFE_INTEGER).contains(&number) {
            Ok(number as u64)
        } else {
            Err(malformed("a version or a time is not a whole number"))
        }
    }

    fn f64(&mut self) -> Outcome<f64> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    fn array<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk().ok_or_else(ends_early)?;
        self.0 = rest;
        Ok(*array)
    }

    fn take(&mut self, length: usize) -> Outcome<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or_else(ends_early)?;
        self.0 = rest;
        Ok(bytes)
    }
}

fn ends_early() -> Failure {
    malformed("it ends in the middle of an operation")
}
