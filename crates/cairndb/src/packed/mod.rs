//! Packed values: structured data without the names of its fields.
//!
//! The keys of an object are most of its text, and the objects of a table have the same ones. So a list of keys, a
//! *shape*, is kept once in the database, and an object is the number of its shape and its values in that order.
//!
//! A packed value has a *head*, one token for each value, and a *tail*, the characters of all strings. What reads it
//! turns the tail into one string and cuts it, which in JavaScript costs far less than making each string.
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | length of the head, if below 255 |
//! | 4 | only if that was 255: the length of the head |
//! | n | head: one token, with the tokens that belong to it |
//! | rest | tail: the characters of the strings in the order of their tokens, UTF-8 |
//!
//! | token | what |
//! | --- | --- |
//! | 00 to 7f | the integer 0 to 127 |
//! | 80 to af | a string of 0 to 47 units |
//! | b0 to bf | a list of 0 to 15 values: tokens |
//! | c0, c1, c2, c3 | null, undefined, false, true |
//! | c4 | a string: number of units |
//! | c5 | a string that UTF-8 cannot carry, as it has half of a surrogate pair: number of units, units (2 bytes each) |
//! | c6, c7 | a number: 4, 8 bytes IEEE 754 |
//! | c8 to ce | an integer from 0 on, in 1 to 7 bytes |
//! | cf | an integer of any size: number of its decimal digits, with a sign if there is one; they stand in the tail |
//! | d0 to d6 | a negative integer, as -1 minus one of 1 to 7 bytes |
//! | d7 | a date: the token of a number, milliseconds since the epoch |
//! | d8 | a list: count, tokens |
//! | d9 | an object: number of its shape, a token for each key |
//! | da | an object without some of the keys: number of the shape, a bit for each key (low bits first) that says whether it is there, a token for each that is |
//! | db | an object that names its keys: count, for each the token of a string and that of the value |
//! | dc | a map: count, for each the token of the key and that of the value |
//! | dd | a set: count, tokens |
//! | de | bytes: length, bytes |
//! | df | elements of a typed array: type, length in bytes, bytes |
//! | e0 to ef | the integer -16 to -1 |
//! | f0 to ff | an object of shape 0 to 15: a token for each key |
//!
//! Counts, lengths and shape numbers are LEB128, everything else little-endian. A *unit* is one of UTF-16: what
//! JavaScript counts strings in. The idea of shared structures is that of MessagePack's record extension in msgpackr.

mod check;
mod decode;
mod encode;
mod json;
mod shape;
mod token;
mod value;

pub(crate) use check::check;
pub(crate) use decode::decode;
pub(crate) use encode::encode;
pub(crate) use shape::{MAX_SHAPES, Shape};
pub use token::split;
pub use value::{Elements, Text, Value};

/// How deep lists, objects, maps and sets may be nested: reading deeper ones could overflow the stack.
pub(crate) const MAX_DEPTH: usize = 1000;

#[cfg(test)]
mod tests;
