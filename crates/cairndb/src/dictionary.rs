//! Key dictionaries: long key names of JSON objects, stored short.
//!
//! A dictionary is kept in the database under its name, each change of it as a new revision, and a record names the
//! revision that it was written with. So changing or removing a dictionary never changes what is read back.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::codec::{Reader, put_bytes, put_varint};
use crate::error::{Code, Error, Result};

/// One revision of a dictionary: a one-to-one mapping of key names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dictionary {
    pub(crate) name: String,
    short_of: HashMap<String, String>,
    long_of: HashMap<String, String>,
}

impl Dictionary {
    /// Takes pairs of a long and a short name. Refuses empty names and a mapping that is not one-to-one.
    pub(crate) fn new(name: &str, pairs: &[(&str, &str)]) -> Result<Self> {
        let mut made = Dictionary { name: name.into(), short_of: HashMap::new(), long_of: HashMap::new() };
        for &(long, short) in pairs {
            if long.is_empty() || short.is_empty() {
                return Err(invalid(name, "has an empty key name"));
            }
            if made.short_of.insert(long.into(), short.into()).is_some() {
                return Err(invalid(name, &format!("maps {long:?} twice")));
            }
            if made.long_of.insert(short.into(), long.into()).is_some() {
                return Err(invalid(name, &format!("maps two keys to {short:?}; give each a short name of its own")));
            }
        }
        Ok(made)
    }

    /// The long and the short names.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        self.short_of.iter().map(|(long, short)| (long.clone(), short.clone())).collect()
    }

    /// What a key that is stored stands for.
    pub(crate) fn long<'a>(&'a self, key: &'a str) -> &'a str {
        self.long_of.get(key).map_or(key, String::as_str)
    }

    /// Appends the name, the number of pairs, and the pairs in the order of the long names.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.name.as_bytes());
        put_varint(out, self.short_of.len() as u64);
        let mut pairs: Vec<_> = self.short_of.iter().collect();
        pairs.sort_unstable();
        for (long, short) in pairs {
            put_bytes(out, long.as_bytes());
            put_bytes(out, short.as_bytes());
        }
    }

    /// Reads what [`Dictionary::encode`] wrote, in that order only: a dictionary has one encoding.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let name = reader.text()?;
        let count = reader.varint()?;
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for _ in 0..count {
            let (long, short) = (reader.text()?, reader.text()?);
            if pairs.last().is_some_and(|(before, _)| *before >= long) {
                return None;
            }
            pairs.push((long, short));
        }
        Dictionary::new(name, &pairs).ok()
    }

    /// The value with its keys shortened. `None` if the value has to be stored as it is: a key of its own looks like a
    /// short one, so that reading it back would rename it, or two keys of one object would become the same.
    pub(crate) fn deflate<'a>(&self, json: &'a str) -> Option<Cow<'a, str>> {
        map_keys(json, |key| match self.short_of.get(key) {
            Some(short) => Some(Some(short)),
            // Left alone, and so it must not be one that reading would lengthen.
            None if self.long_of.contains_key(key) => None,
            None => Some(None),
        })
    }

    /// The value with its keys as they were written.
    pub(crate) fn inflate<'a>(&self, json: &'a str) -> Option<Cow<'a, str>> {
        map_keys(json, |key| Some(self.long_of.get(key)))
    }
}

fn invalid(name: &str, what: &str) -> Error {
    Error::new(Code::InvalidDictionary, format!("dictionary {name:?} {what}"))
}

/// Copies JSON text with the keys of its objects renamed; all else stays as it is, to the letter.
///
/// `rename` gives the new name, `Some(None)` to keep the old one, or `None` to give up. Gives up, too, on text that
/// does not have the outline of JSON.
fn map_keys<'a, 'm>(json: &'a str, mut rename: impl FnMut(&str) -> Option<Option<&'m String>>) -> Option<Cow<'a, str>> {
    let mut out = String::new();
    let mut copied = 0;
    let mut rest = Strings { json, at: 0 };
    while let Some((start, end)) = rest.next_string()? {
        if !is_key(json, end) {
            continue;
        }
        let written = json.get(start..end)?;
        let name: Cow<'_, str> = match written.get(1..written.len() - 1)? {
            plain if !plain.contains('\\') => Cow::Borrowed(plain),
            // A lone surrogate can stand in a key of JSON text, but is no name that a dictionary could hold.
            _ => match serde_json::from_str(written) {
                Ok(name) => Cow::Owned(name),
                Err(_) => continue,
            },
        };
        if let Some(new) = rename(&name)? {
            // JSON has control characters escaped only. As they stand here they would come back as other bytes.
            if written.bytes().any(|byte| byte < b' ') {
                return None;
            }
            out.push_str(json.get(copied..start)?);
            out.push_str(&serde_json::to_string(new).ok()?);
            copied = end;
        }
    }
    if copied == 0 {
        return Some(Cow::Borrowed(json));
    }
    out.push_str(json.get(copied..)?);
    Some(Cow::Owned(out))
}

/// A string of JSON text is a key exactly if a colon follows it.
fn is_key(json: &str, end: usize) -> bool {
    json.get(end..).is_some_and(|rest| rest.trim_start_matches([' ', '\t', '\n', '\r']).starts_with(':'))
}

/// Finds the strings of JSON text, quotes included.
struct Strings<'a> {
    json: &'a str,
    at: usize,
}

impl Strings<'_> {
    /// The next string, `Some(None)` at the end, `None` if one is not closed.
    fn next_string(&mut self) -> Option<Option<(usize, usize)>> {
        let bytes = self.json.as_bytes();
        let Some(skipped) = bytes.get(self.at..)?.iter().position(|&byte| byte == b'"') else {
            return Some(None);
        };
        let start = self.at + skipped;
        let mut at = start + 1;
        loop {
            match bytes.get(at)? {
                b'"' => break,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        self.at = at + 1;
        Some(Some((start, self.at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sensors() -> Dictionary {
        Dictionary::new("sensors", &[("sensor", "s"), ("temperature", "t"), ("constructor", "c")]).unwrap()
    }

    fn round_trip(json: &str) -> Option<String> {
        let dictionary = sensors();
        let short = dictionary.deflate(json)?.into_owned();
        assert_eq!(dictionary.inflate(&short).unwrap(), json);
        Some(short)
    }

    #[test]
    fn keys_are_mapped_at_every_depth_and_values_are_not() {
        let json = r#"{"sensor":"sensor","list":[{"temperature":1.50,"constructor":null}, "t"] , "constructor" :{}}"#;
        assert_eq!(round_trip(json).unwrap(), r#"{"s":"sensor","list":[{"t":1.50,"c":null}, "t"] , "c" :{}}"#);
    }

    #[test]
    fn text_without_mapped_keys_is_not_copied() {
        assert!(matches!(sensors().deflate(r#"["s",{"other":"\"sensor\":"}]"#), Some(Cow::Borrowed(_))));
    }

    #[test]
    fn a_value_whose_own_key_looks_short_is_left_unmapped() {
        assert_eq!(round_trip(r#"{"sensor":1,"s":2}"#), None);
        assert_eq!(round_trip(r#"{"t":2}"#), None);
    }

    #[test]
    fn names_that_mean_something_to_javascript_are_names_like_any_other() {
        assert_eq!(
            round_trip(r#"{"constructor":1,"toString":2,"__proto__":3}"#).unwrap(),
            r#"{"c":1,"toString":2,"__proto__":3}"#
        );
    }

    #[test]
    fn escaped_keys_are_the_names_that_they_spell() {
        assert_eq!(sensors().deflate(r#"{"\u0073ensor":1}"#).unwrap(), r#"{"s":1}"#);
        assert_eq!(round_trip(r#"{"\ud800":1,"sensor":2}"#).unwrap(), r#"{"\ud800":1,"s":2}"#);
    }

    #[test]
    fn a_key_that_would_come_back_in_other_bytes_is_left_unmapped() {
        let dictionary = Dictionary::new("d", &[("tab\t", "t"), ("line", "\n")]).unwrap();
        assert_eq!(dictionary.deflate(r#"{"tab\t":1,"line":2}"#).unwrap(), r#"{"t":1,"\n":2}"#);
        assert_eq!(dictionary.inflate(r#"{"t":1,"\n":2}"#).unwrap(), r#"{"tab\t":1,"line":2}"#);
        assert_eq!(dictionary.deflate("{\"tab\t\":1}"), None);
        assert_eq!(dictionary.inflate("{\"\n\":1}"), None);
        assert!(matches!(dictionary.deflate("{\"other\t\":\"line\t\"}"), Some(Cow::Borrowed(_))));
    }

    #[test]
    fn a_mapping_must_be_one_to_one() {
        for pairs in [&[("a", "x"), ("b", "x")][..], &[("a", "x"), ("a", "y")], &[("", "x")], &[("a", "")]] {
            assert_eq!(Dictionary::new("d", pairs).unwrap_err().code(), Code::InvalidDictionary);
        }
        Dictionary::new("swap", &[("a", "b"), ("b", "a")]).unwrap();
    }

    #[test]
    fn dictionaries_round_trip_on_disk() {
        let mut bytes = Vec::new();
        sensors().encode(&mut bytes);
        assert_eq!(Dictionary::decode(&mut Reader::new(&bytes)), Some(sensors()));
        assert_eq!(Dictionary::decode(&mut Reader::new(&bytes[..bytes.len() - 1])), None);
    }

    #[test]
    fn pairs_that_are_out_of_order_are_refused() {
        let encoded = |pairs: &[&str]| [b"\x01d", &[pairs.len() as u8 / 2][..], pairs.concat().as_bytes()].concat();
        let decoded = |pairs: &[&str]| Dictionary::decode(&mut Reader::new(&encoded(pairs)));
        assert!(decoded(&["\x01a", "\x01x", "\x01b", "\x01y"]).is_some());
        assert_eq!(decoded(&["\x01b", "\x01y", "\x01a", "\x01x"]), None);
        assert_eq!(decoded(&["\x01a", "\x01x", "\x01a", "\x01x"]), None);
    }

    #[test]
    fn text_that_is_not_json_is_given_up() {
        assert_eq!(sensors().deflate("{\"sensor"), None);
        assert_eq!(sensors().deflate("\"\\"), None);
    }
}
