//! Packed bytes as a [`Value`].

use std::sync::Arc;

use super::token::{Token, present, split};
use super::value::{Elements, Text, Value};
use super::{MAX_DEPTH, Shape};
use crate::codec::Reader;
use crate::dictionary::Dictionary;

/// Reads a packed value, with the keys that those in it stand for. `None` if the bytes are not one, or of a shape that is not
/// among these.
pub(crate) fn decode(bytes: &[u8], shapes: &[Arc<Shape>], mapped: Option<&Dictionary>) -> Option<Value> {
    let (head, tail) = split(bytes)?;
    let mut decoder = Decoder { head: Reader::new(head), tail: std::str::from_utf8(tail).ok()?, shapes, mapped };
    let value = decoder.value(0)?;
    (decoder.head.is_empty() && decoder.tail.is_empty()).then_some(value)
}

struct Decoder<'a> {
    head: Reader<'a>,
    tail: &'a str,
    shapes: &'a [Arc<Shape>],
    mapped: Option<&'a Dictionary>,
}

impl Decoder<'_> {
    fn value(&mut self, depth: usize) -> Option<Value> {
        let inner = depth + 1;
        let token = Token::next(&mut self.head)?;
        let is_container = matches!(
            token,
            Token::List(_)
                | Token::Object(_)
                | Token::PartialObject(_)
                | Token::NamedObject(_)
                | Token::Map(_)
                | Token::Set(_)
        );
        if is_container && depth >= MAX_DEPTH {
            return None;
        }
        Some(match token {
            Token::Null => Value::Null,
            Token::Undefined => Value::Undefined,
            Token::Boolean(truth) => Value::Boolean(truth),
            Token::Number(number) => Value::Number(number),
            Token::BigInteger(digits) => Value::BigInteger(self.digits(digits)?.into()),
            Token::Date => Value::Date(self.number()?),
            Token::List(count) => Value::List(self.list(count, inner)?),
            Token::Set(count) => Value::Set(self.list(count, inner)?),
            Token::Map(count) => {
                Value::Map((0..count).map(|_| Some((self.value(inner)?, self.value(inner)?))).collect::<Option<_>>()?)
            }
            Token::Object(shape) => Value::Object(self.object(shape, inner)?),
            Token::PartialObject(shape) => Value::Object(self.partial_object(shape, inner)?),
            Token::NamedObject(count) => {
                Value::Object((0..count).map(|_| Some((self.key()?, self.value(inner)?))).collect::<Option<_>>()?)
            }
            Token::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            Token::Elements(kind, bytes) => Value::Elements(Elements { kind, bytes: bytes.to_vec() }),
            Token::String(_) | Token::WideString(_) => Value::String(self.text(&token)?),
        })
    }

    fn list(&mut self, count: usize, depth: usize) -> Option<Vec<Value>> {
        (0..count).map(|_| self.value(depth)).collect()
    }

    fn object(&mut self, shape: u32, depth: usize) -> Option<Vec<(Text, Value)>> {
        let shape = Arc::clone(self.shapes.get(shape as usize)?);
        shape.keys.iter().map(|key| Some((self.named(key), self.value(depth)?))).collect()
    }

    fn partial_object(&mut self, shape: u32, depth: usize) -> Option<Vec<(Text, Value)>> {
        let shape = Arc::clone(self.shapes.get(shape as usize)?);
        let present = present(&mut self.head, shape.keys.len())?;
        let keys = shape.keys.iter().zip(present).filter_map(|(key, present)| present.then_some(key));
        keys.map(|key| Some((self.named(key), self.value(depth)?))).collect()
    }

    fn key(&mut self) -> Option<Text> {
        let token = Token::next(&mut self.head)?;
        match self.text(&token)? {
            Text::Utf8(key) => Some(self.named(&key)),
            wide => Some(wide),
        }
    }

    /// What a key stands for.
    fn named(&self, key: &str) -> Text {
        Text::from(self.mapped.map_or(key, |dictionary| dictionary.long(key)))
    }

    fn text(&mut self, token: &Token<'_>) -> Option<Text> {
        match token {
            Token::String(units) => Some(self.units(*units)?.into()),
            Token::WideString(bytes) => {
                let (units, _) = bytes.as_chunks();
                Some(Text::Utf16(units.iter().map(|unit| u16::from_le_bytes(*unit)).collect()))
            }
            _ => None,
        }
    }

    fn number(&mut self) -> Option<f64> {
        match Token::next(&mut self.head)? {
            Token::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The next characters of the tail, as many as have so many units of UTF-16.
    fn units(&mut self, units: usize) -> Option<&str> {
        let len = units_len(self.tail, units)?;
        let (text, rest) = self.tail.split_at_checked(len)?;
        self.tail = rest;
        Some(text)
    }

    fn digits(&mut self, len: usize) -> Option<&str> {
        let (digits, rest) = self.tail.split_at_checked(len)?;
        self.tail = rest;
        is_integer(digits).then_some(digits)
    }
}

/// The bytes of UTF-8 that the first `units` of UTF-16 take.
pub(super) fn units_len(text: &str, units: usize) -> Option<usize> {
    if text.get(..units).is_some_and(str::is_ascii) {
        return Some(units);
    }
    let mut left = units;
    for (at, character) in text.char_indices() {
        if left == 0 {
            return Some(at);
        }
        left = left.checked_sub(character.len_utf16())?;
    }
    (left == 0).then_some(text.len())
}

/// Whether these are decimal digits of an integer as JavaScript writes it.
pub(super) fn is_integer(digits: &str) -> bool {
    let bare = digits.strip_prefix('-').unwrap_or(digits);
    let canonical = digits == "0" || !bare.starts_with('0');
    !bare.is_empty() && canonical && bare.bytes().all(|byte| byte.is_ascii_digit())
}
