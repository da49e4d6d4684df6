//! A [`Value`] as packed bytes.

use super::MAX_DEPTH;
use super::decode::is_integer;
use super::token::{
    BIG_INTEGER, BYTES, DATE, ELEMENTS, FALSE, FLOAT32, FLOAT64, INTEGER, LIST, LONG_HEAD, LONG_STRING, MAP,
    MAX_SAFE_INTEGER, NAMED_OBJECT, NEGATIVE, NULL, OBJECT, SET, SMALL_LIST, SMALL_NEGATIVE, SMALL_OBJECT, STRING,
    TRUE, UNDEFINED, WIDE_STRING,
};
use super::value::{Elements, Text, Value};
use crate::codec::put_varint;
use crate::error::{Code, Error, Result};

/// Packs a value. `shape_of` gives the number of the shape with these keys, or none if objects that have them are to
/// name them.
pub(crate) fn encode(value: &Value, shape_of: &mut dyn FnMut(&[&str]) -> Result<Option<u32>>) -> Result<Vec<u8>> {
    let mut encoder = Encoder { head: Vec::new(), tail: Vec::new(), shape_of };
    encoder.value(value, 0)?;
    let Encoder { head, tail, .. } = encoder;
    let mut bytes = Vec::with_capacity(head.len() + tail.len() + 5);
    match u8::try_from(head.len()) {
        Ok(len) if len != LONG_HEAD => bytes.push(len),
        _ => {
            let len = u32::try_from(head.len()).map_err(|_| invalid("is too large"))?;
            bytes.push(LONG_HEAD);
            bytes.extend_from_slice(&len.to_le_bytes());
        }
    }
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(&tail);
    Ok(bytes)
}

fn invalid(what: &str) -> Error {
    Error::new(Code::InvalidValue, format!("a value {what}"))
}

struct Encoder<'s> {
    head: Vec<u8>,
    tail: Vec<u8>,
    shape_of: &'s mut dyn FnMut(&[&str]) -> Result<Option<u32>>,
}

impl Encoder<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<()> {
        let is_container = matches!(value, Value::List(_) | Value::Object(_) | Value::Map(_) | Value::Set(_));
        if is_container && depth >= MAX_DEPTH {
            return Err(invalid(&format!("is nested deeper than {MAX_DEPTH} lists and objects; store it flatter")));
        }
        match value {
            Value::Null => self.head.push(NULL),
            Value::Undefined => self.head.push(UNDEFINED),
            Value::Boolean(truth) => self.head.push(if *truth { TRUE } else { FALSE }),
            Value::Number(number) => self.number(*number),
            Value::BigInteger(digits) => self.big_integer(digits)?,
            Value::String(text) => self.text(text),
            Value::Date(time) => {
                self.head.push(DATE);
                self.number(*time);
            }
            Value::List(items) if items.len() < 0x10 => {
                self.head.push(SMALL_LIST + items.len() as u8);
                self.items(items, depth)?;
            }
            Value::List(items) => {
                self.count(LIST, items.len());
                self.items(items, depth)?;
            }
            Value::Set(items) => {
                self.count(SET, items.len());
                self.items(items, depth)?;
            }
            Value::Map(entries) => {
                self.count(MAP, entries.len());
                for (key, value) in entries {
                    self.value(key, depth + 1)?;
                    self.value(value, depth + 1)?;
                }
            }
            Value::Object(members) => self.object(members, depth)?,
            Value::Bytes(bytes) => {
                self.count(BYTES, bytes.len());
                self.head.extend_from_slice(bytes);
            }
            Value::Elements(Elements { kind, bytes }) => {
                self.head.extend_from_slice(&[ELEMENTS, *kind]);
                put_varint(&mut self.head, bytes.len() as u64);
                self.head.extend_from_slice(bytes);
            }
        }
        Ok(())
    }

    fn count(&mut self, token: u8, count: usize) {
        self.head.push(token);
        put_varint(&mut self.head, count as u64);
    }

    fn items(&mut self, items: &[Value], depth: usize) -> Result<()> {
        items.iter().try_for_each(|item| self.value(item, depth + 1))
    }

    fn object(&mut self, members: &[(Text, Value)], depth: usize) -> Result<()> {
        let keys: Option<Vec<&str>> = members.iter().map(|(key, _)| utf8(key)).collect();
        let shape = match &keys {
            Some(keys) => (self.shape_of)(keys)?,
            None => None,
        };
        match shape {
            Some(shape @ 0..0x10) => self.head.push(SMALL_OBJECT + shape as u8),
            Some(shape) => self.count(OBJECT, shape as usize),
            None => self.count(NAMED_OBJECT, members.len()),
        }
        for (key, value) in members {
            if shape.is_none() {
                self.text(key);
            }
            self.value(value, depth + 1)?;
        }
        Ok(())
    }

    fn number(&mut self, number: f64) {
        let is_integer = number.trunc() == number && number.abs() <= MAX_SAFE_INTEGER as f64;
        if is_integer && (number != 0.0 || number.is_sign_positive()) {
            return self.integer(number as i64);
        }
        let narrow = number as f32;
        if number.is_nan() {
            self.head.push(FLOAT32);
            self.head.extend_from_slice(&0x7fc0_0000_u32.to_le_bytes());
        } else if f64::from(narrow) == number {
            self.head.push(FLOAT32);
            self.head.extend_from_slice(&narrow.to_le_bytes());
        } else {
            self.head.push(FLOAT64);
            self.head.extend_from_slice(&number.to_le_bytes());
        }
    }

    fn integer(&mut self, integer: i64) {
        match integer {
            0..0x80 => self.head.push(integer as u8),
            -0x10..0 => self.head.push((integer + 0x10) as u8 + SMALL_NEGATIVE),
            0x80.. => self.integer_bytes(INTEGER, integer as u64),
            _ => self.integer_bytes(NEGATIVE, (-1 - integer) as u64),
        }
    }

    fn integer_bytes(&mut self, token: u8, number: u64) {
        let more = number.checked_ilog2().unwrap_or(0) / 8;
        self.head.push(token + more as u8);
        self.head.extend(number.to_le_bytes().into_iter().take(more as usize + 1));
    }

    fn big_integer(&mut self, digits: &str) -> Result<()> {
        if !is_integer(digits) {
            return Err(invalid(&format!("has {digits:?} as an integer, which is none")));
        }
        self.count(BIG_INTEGER, digits.len());
        self.tail.extend_from_slice(digits.as_bytes());
        Ok(())
    }

    fn text(&mut self, text: &Text) {
        match text {
            Text::Utf8(text) => {
                match text.encode_utf16().count() {
                    units @ 0..0x30 => self.head.push(STRING + units as u8),
                    units => self.count(LONG_STRING, units),
                }
                self.tail.extend_from_slice(text.as_bytes());
            }
            Text::Utf16(units) => {
                self.count(WIDE_STRING, units.len());
                self.head.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
            }
        }
    }
}

fn utf8(text: &Text) -> Option<&str> {
    match text {
        Text::Utf8(text) => Some(text),
        Text::Utf16(_) => None,
    }
}
