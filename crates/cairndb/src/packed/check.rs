//! Whether bytes are a packed value.

use std::sync::Arc;

use super::decode::{is_integer, units_len};
use super::token::{Token, present, split};
use super::{MAX_DEPTH, Shape};
use crate::codec::Reader;

/// Whether the bytes are a packed value, of these shapes: what [`decode`](super::decode) would read, found without making
/// anything of it. Every write goes through here.
pub(crate) fn check(bytes: &[u8], shapes: &[Arc<Shape>]) -> bool {
    let checked = split(bytes).and_then(|(head, tail)| {
        let mut checker = Checker { head: Reader::new(head), tail: std::str::from_utf8(tail).ok()?, shapes };
        // Where all characters are of one byte, units are bytes, and need not be looked at.
        checker.value(0)?;
        Some(checker.head.is_empty() && checker.tail.is_empty())
    });
    checked == Some(true)
}

struct Checker<'a> {
    head: Reader<'a>,
    tail: &'a str,
    shapes: &'a [Arc<Shape>],
}

impl Checker<'_> {
    fn value(&mut self, depth: usize) -> Option<()> {
        match Token::next(&mut self.head)? {
            Token::Null
            | Token::Undefined
            | Token::Boolean(_)
            | Token::Number(_)
            | Token::WideString(_)
            | Token::Bytes(_)
            | Token::Elements(..) => Some(()),
            Token::String(units) => self.skip(units_len(self.tail, units)?).map(|_| ()),
            Token::BigInteger(digits) => is_integer(self.skip(digits)?).then_some(()),
            Token::Date => matches!(Token::next(&mut self.head)?, Token::Number(_)).then_some(()),
            Token::List(count) | Token::Set(count) => self.values(count, depth),
            Token::Map(count) => self.values(count.checked_mul(2)?, depth),
            Token::Object(shape) => self.values(self.shapes.get(shape as usize)?.keys.len(), depth),
            Token::PartialObject(shape) => {
                let keys = self.shapes.get(shape as usize)?.keys.len();
                let count = present(&mut self.head, keys)?.filter(|present| *present).count();
                self.values(count, depth)
            }
            Token::NamedObject(count) => self.members(count, depth),
        }
    }

    fn values(&mut self, count: usize, depth: usize) -> Option<()> {
        self.descend(depth)?;
        (0..count).try_for_each(|_| self.value(depth + 1))
    }

    fn members(&mut self, count: usize, depth: usize) -> Option<()> {
        self.descend(depth)?;
        (0..count).try_for_each(|_| {
            match Token::next(&mut self.head)? {
                Token::String(units) => self.skip(units_len(self.tail, units)?).map(|_| ())?,
                Token::WideString(_) => {}
                _ => return None,
            }
            self.value(depth + 1)
        })
    }

    fn descend(&self, depth: usize) -> Option<()> {
        (depth < MAX_DEPTH).then_some(())
    }

    fn skip(&mut self, len: usize) -> Option<&str> {
        let (skipped, rest) = self.tail.split_at_checked(len)?;
        self.tail = rest;
        Some(skipped)
    }
}
