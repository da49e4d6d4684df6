//! Key dictionaries: stored with the data, by revision.

mod common;

use cairndb::{Code, DictionaryId, Durability, Kind, Op};
use common::{Scratch, text};

fn put(scratch: &Scratch, key: &str, json: &str, dictionary: DictionaryId) {
    let op = Op::put("t", key.as_bytes(), Kind::JSON, json.as_bytes()).dictionary(dictionary);
    scratch.db.commit(&[op], Durability::Os).unwrap();
}

#[test]
fn what_is_read_does_not_depend_on_what_the_dictionary_became() {
    let mut scratch = Scratch::new();
    let first = scratch.db.define_dictionary("d", &[("sensor", "s"), ("temperature", "t")]).unwrap();
    put(&scratch, "old", r#"{"sensor":"A","temperature":1}"#, first);
    scratch.reopen();
    let second = scratch.db.define_dictionary("d", &[("temperature", "s"), ("pressure", "t")]).unwrap();
    assert_ne!(first, second);
    assert_eq!(scratch.db.define_dictionary("d", &[("temperature", "t"), ("sensor", "s")]).unwrap(), first);
    put(&scratch, "new", r#"{"temperature":2,"pressure":3}"#, second);
    for _ in 0..2 {
        let record = scratch.db.get("t", b"old").unwrap().unwrap();
        assert_eq!(text(&record.value), r#"{"sensor":"A","temperature":1}"#);
        assert_eq!(record.dictionary.as_deref(), Some("d"));
        assert_eq!(scratch.get("t", "new").unwrap(), r#"{"temperature":2,"pressure":3}"#);
        scratch.db.checkpoint().unwrap();
        scratch.reopen();
    }
}

#[test]
fn a_value_that_mapping_would_garble_is_stored_as_it_is() {
    let scratch = Scratch::new();
    let id = scratch.db.define_dictionary("d", &[("sensor", "s")]).unwrap();
    for json in [r#"{"sensor":"A","s":"B"}"#, r#"{"s":"A"}"#, r#"{"constructor":"acme","__proto__":{"sensor":1}}"#] {
        put(&scratch, "k", json, id);
        assert_eq!(scratch.get("t", "k").unwrap(), json);
    }
}

#[test]
fn short_names_are_what_is_stored() {
    let scratch = Scratch::new();
    let long = "a-name-that-would-be-repeated-in-each-record";
    let id = scratch.db.define_dictionary("d", &[(long, "n")]).unwrap();
    let plain = scratch.db.stats().live_bytes;
    put(&scratch, "k", &format!(r#"{{"{long}":1}}"#), id);
    assert_eq!(scratch.db.stats().live_bytes - plain, "k".len() as u64 + r#"{"n":1}"#.len() as u64);
}

#[test]
fn a_mapping_that_is_not_one_to_one_is_refused() {
    let scratch = Scratch::new();
    for pairs in [&[("a", "x"), ("b", "x")][..], &[("a", "x"), ("a", "y")], &[("", "x")]] {
        assert_eq!(scratch.db.define_dictionary("d", pairs).unwrap_err().code(), Code::InvalidDictionary);
    }
}
