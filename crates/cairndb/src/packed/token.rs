//! Tokens, one after the other, from untrusted bytes.

use crate::codec::Reader;

pub(super) const STRING: u8 = 0x80;
pub(super) const SMALL_LIST: u8 = 0xb0;
pub(super) const NULL: u8 = 0xc0;
pub(super) const UNDEFINED: u8 = 0xc1;
pub(super) const FALSE: u8 = 0xc2;
pub(super) const TRUE: u8 = 0xc3;
pub(super) const LONG_STRING: u8 = 0xc4;
pub(super) const WIDE_STRING: u8 = 0xc5;
pub(super) const FLOAT32: u8 = 0xc6;
pub(super) const FLOAT64: u8 = 0xc7;
pub(super) const INTEGER: u8 = 0xc8;
pub(super) const BIG_INTEGER: u8 = 0xcf;
pub(super) const NEGATIVE: u8 = 0xd0;
pub(super) const DATE: u8 = 0xd7;
pub(super) const LIST: u8 = 0xd8;
pub(super) const OBJECT: u8 = 0xd9;
pub(super) const PARTIAL_OBJECT: u8 = 0xda;
pub(super) const NAMED_OBJECT: u8 = 0xdb;
pub(super) const MAP: u8 = 0xdc;
pub(super) const SET: u8 = 0xdd;
pub(super) const BYTES: u8 = 0xde;
pub(super) const ELEMENTS: u8 = 0xdf;
pub(super) const SMALL_NEGATIVE: u8 = 0xe0;
pub(super) const SMALL_OBJECT: u8 = 0xf0;
/// The length of a head that stands in more than one byte.
pub(super) const LONG_HEAD: u8 = 0xff;

/// The largest whole number up to which a double has no gaps.
pub(super) const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Head and tail of a packed value; `None` if it is shorter than it says.
#[must_use]
pub fn split(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&short, rest) = value.split_first()?;
    if short != LONG_HEAD {
        return rest.split_at_checked(usize::from(short));
    }
    let (length, rest) = rest.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

/// What a token says, before the tokens that belong to it.
pub(super) enum Token<'a> {
    Null,
    Undefined,
    Boolean(bool),
    Number(f64),
    /// So many units of the tail.
    String(usize),
    WideString(&'a [u8]),
    /// So many bytes of the tail.
    BigInteger(usize),
    /// The token of a number follows.
    Date,
    List(usize),
    Object(u32),
    PartialObject(u32),
    NamedObject(usize),
    Map(usize),
    Set(usize),
    Bytes(&'a [u8]),
    Elements(u8, &'a [u8]),
}

impl<'a> Token<'a> {
    /// The next token. `None` if there is none, or none that has a meaning.
    pub(super) fn next(head: &mut Reader<'a>) -> Option<Self> {
        let first = head.u8()?;
        Some(match first {
            ..STRING => Token::Number(f64::from(first)),
            STRING..SMALL_LIST => Token::String(usize::from(first - STRING)),
            SMALL_LIST..NULL => Token::List(usize::from(first - SMALL_LIST)),
            NULL => Token::Null,
            UNDEFINED => Token::Undefined,
            FALSE => Token::Boolean(false),
            TRUE => Token::Boolean(true),
            LONG_STRING => Token::String(count(head)?),
            WIDE_STRING => Token::WideString(head_bytes(head, 2)?),
            FLOAT32 => Token::Number(f64::from(f32::from_le_bytes(head.array()?))),
            FLOAT64 => Token::Number(head.f64()?),
            INTEGER..BIG_INTEGER => Token::Number(integer(head, first - INTEGER)?),
            BIG_INTEGER => Token::BigInteger(count(head)?),
            NEGATIVE..DATE => Token::Number(-1.0 - integer(head, first - NEGATIVE)?),
            DATE => Token::Date,
            LIST => Token::List(items(head)?),
            OBJECT => Token::Object(shape(head)?),
            PARTIAL_OBJECT => Token::PartialObject(shape(head)?),
            NAMED_OBJECT => Token::NamedObject(items(head)?),
            MAP => Token::Map(items(head)?),
            SET => Token::Set(items(head)?),
            BYTES => Token::Bytes(head_bytes(head, 1)?),
            ELEMENTS => {
                let kind = head.u8()?;
                Token::Elements(kind, head_bytes(head, 1)?)
            }
            SMALL_NEGATIVE..SMALL_OBJECT => Token::Number(f64::from(first) - f64::from(SMALL_OBJECT)),
            SMALL_OBJECT.. => Token::Object(u32::from(first - SMALL_OBJECT)),
        })
    }
}

fn count(head: &mut Reader<'_>) -> Option<usize> {
    usize::try_from(head.varint()?).ok()
}

/// A count of tokens. There cannot be more of them than bytes, so that a count alone makes nobody allocate.
fn items(head: &mut Reader<'_>) -> Option<usize> {
    count(head).filter(|&items| items <= head.left())
}

fn shape(head: &mut Reader<'_>) -> Option<u32> {
    u32::try_from(head.varint()?).ok()
}

fn head_bytes<'a>(head: &mut Reader<'a>, size: usize) -> Option<&'a [u8]> {
    let len = count(head)?.checked_mul(size)?;
    head.take(len)
}

fn integer(head: &mut Reader<'_>, more: u8) -> Option<f64> {
    let bytes = head.take(usize::from(more) + 1)?;
    let number = bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    (number <= MAX_SAFE_INTEGER).then_some(number as f64)
}

/// Which keys of a shape an object has, by the bits in front of its values.
pub(super) fn present<'a>(head: &mut Reader<'a>, keys: usize) -> Option<impl Iterator<Item = bool> + use<'a>> {
    let bits = head.take(keys.div_ceil(8))?;
    Some((0..keys).map(move |index| bits.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1)))
}
