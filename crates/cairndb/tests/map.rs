//! The typed map: every method, every type of keys and values, threads, reopening, generations.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cairndb::map::{Config, Map, MapKey, MapValue};
use cairndb::{Code, Durability, Options};
use proptest::prelude::*;

fn open<K: MapKey, V>(directory: &Path) -> Map<K, V> {
    Map::open(directory, Config::default()).unwrap()
}

fn entries<K: MapKey, V: MapValue>(map: &Map<K, V>) -> Vec<(K, V)> {
    map.iter().collect::<cairndb::Result<_>>().unwrap()
}

/// Some sets and some removals: the map holds what a `BTreeMap` holds, in its order, before and after reopening.
fn is_a_sorted_map<K, V>(changes: Vec<(K, Option<V>)>)
where
    K: MapKey + Ord + Clone + Debug,
    V: MapValue + PartialEq + Clone + Debug,
{
    let directory = tempfile::tempdir().unwrap();
    let map: Map<K, V> = open(directory.path());
    let mut model = BTreeMap::new();
    for (key, value) in changes {
        match value {
            Some(value) => {
                map.set(key.clone(), value.clone()).unwrap();
                model.insert(key, value);
            }
            None => assert_eq!(map.unset(&key).unwrap(), model.remove(&key).is_some()),
        }
    }
    let check = |map: &Map<K, V>| {
        assert_eq!(map.len().unwrap(), model.len() as u64);
        assert_eq!(map.is_empty().unwrap(), model.is_empty());
        for (key, value) in &model {
            assert_eq!(map.get(key).unwrap().as_ref(), Some(value));
        }
        assert_eq!(entries(map), model.clone().into_iter().collect::<Vec<_>>());
    };
    check(&map);
    map.close().unwrap();
    check(&open(directory.path()));
}

macro_rules! sorted_map_of {
    ($($name:ident: $key:ty, $value:ty;)*) => { proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        $(
            #[test]
            fn $name(changes in proptest::collection::vec(any::<($key, Option<$value>)>(), 0..60)) {
                is_a_sorted_map(changes);
            }
        )*
    } };
}

sorted_map_of! {
    u8_to_i8: u8, i8;
    i8_to_u8: i8, u8;
    u16_to_i16: u16, i16;
    i16_to_u16: i16, u16;
    u32_to_i32: u32, i32;
    i32_to_u32: i32, u32;
    u64_to_i64: u64, i64;
    i64_to_u64: i64, u64;
    strings_to_bytes: String, Vec<u8>;
    bytes_to_strings: Vec<u8>, String;
}

fn keys_are_in_order<K: MapKey + Ord + Debug>(one: K, other: K) {
    assert_eq!(one.to_key().cmp(&other.to_key()), one.cmp(&other), "{one:?} and {other:?}");
    assert_eq!(K::from_key(&one.to_key()), Some(one));
}

proptest! {
    #[test]
    fn stored_keys_have_the_order_of_the_keys(
        signed: (i64, i64),
        narrow: (i16, i16),
        unsigned: (u64, u64),
        text: (String, String),
        bytes: (Vec<u8>, Vec<u8>),
    ) {
        keys_are_in_order(signed.0, signed.1);
        keys_are_in_order(narrow.0, narrow.1);
        keys_are_in_order(unsigned.0, unsigned.1);
        keys_are_in_order(text.0, text.1);
        keys_are_in_order(bytes.0, bytes.1);
    }
}

#[test]
fn integers_are_in_numeric_order_at_their_ends() {
    let directory = tempfile::tempdir().unwrap();
    let map: Map<i64, u8> = open(directory.path());
    let numbers = [i64::MIN, -256, -255, -1, 0, 1, 255, 256, i64::MAX];
    for number in numbers.iter().rev() {
        map.set(*number, 0).unwrap();
    }
    assert_eq!(entries(&map).into_iter().map(|(key, _)| key).collect::<Vec<_>>(), numbers);
}

#[test]
fn empty_keys_and_empty_values_are_there() {
    let directory = tempfile::tempdir().unwrap();
    let map: Map<String, String> = open(directory.path());
    map.set("", "of the empty key").unwrap();
    map.set("empty", "").unwrap();
    map.close().unwrap();
    let map: Map<String, String> = open(directory.path());
    assert_eq!(map.get("").unwrap().as_deref(), Some("of the empty key"));
    assert_eq!(map.get("empty").unwrap().as_deref(), Some(""));
    assert_eq!(map.get("missing").unwrap(), None);
    assert!(map.unset("").unwrap());
    assert_eq!(map.len().unwrap(), 1);
}

#[test]
fn a_key_that_is_too_long_is_refused_and_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let map: Map<String, String> = open(directory.path());
    let (longest, longer) = ("k".repeat(1023), "k".repeat(1024));
    map.set(&*longest, "value").unwrap();
    assert_eq!(map.get(&longest).unwrap().as_deref(), Some("value"));
    assert_eq!(map.set(&*longer, "value").unwrap_err().code(), Code::InvalidKey);
    assert_eq!(map.get(&longer).unwrap(), None);
    assert!(!map.unset(&longer).unwrap());
}

#[test]
fn keys_of_another_type_are_noticed_when_the_map_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let map: Map<u64, String> = open(directory.path());
    map.set(7_u64, "seven").unwrap();
    map.set(70_000_u64, "seventy thousand").unwrap();
    map.close().unwrap();
    let refused = |error: cairndb::Error| {
        assert_eq!(error.code(), Code::InvalidKey, "{error}");
        assert!(error.to_string().contains("types that it was written with"), "{error}");
    };
    refused(Map::<String, String>::open(directory.path(), Config::default()).unwrap_err());
    refused(Map::<u16, String>::open(directory.path(), Config::default()).unwrap_err());
    // Wide enough for all that is there.
    let map: Map<i32, String> = open(directory.path());
    assert_eq!(map.get(&7).unwrap().as_deref(), Some("seven"));
    map.close().unwrap();
    assert_eq!(open::<u64, String>(directory.path()).len().unwrap(), 2);
}

#[test]
fn a_value_of_another_type_is_an_error_and_ends_an_iteration() {
    let directory = tempfile::tempdir().unwrap();
    let map: Map<u8, Vec<u8>> = open(directory.path());
    map.set(1, [0xff, 0xfe, 0xfd]).unwrap();
    map.close().unwrap();
    let numbers: Map<u8, u32> = open(directory.path());
    assert_eq!(numbers.get(&1).unwrap_err().code(), Code::InvalidValue);
    let mut iter = numbers.iter();
    assert_eq!(iter.next().unwrap().unwrap_err().code(), Code::InvalidValue);
    assert!(iter.next().is_none());
    numbers.close().unwrap();
    let texts: Map<u8, String> = open(directory.path());
    assert_eq!(texts.get(&1).unwrap_err().code(), Code::InvalidValue);
}

#[test]
fn threads_share_a_map() {
    fn needs_both<T: Send + Sync>() {}
    needs_both::<Map<std::rc::Rc<u8>, *const u8>>();
    let directory = tempfile::tempdir().unwrap();
    let map: Map<u32, u32> = open(directory.path());
    let part = |n: u32| -> Range<u32> { n * 500..(n + 1) * 500 };
    std::thread::scope(|scope| {
        for n in 0..8 {
            let map = &map;
            scope.spawn(move || {
                for key in part(n) {
                    map.set(key, key + 1).unwrap();
                    assert_eq!(map.get(&key).unwrap(), Some(key + 1));
                    if key % 5 == 0 {
                        assert!(map.unset(&key).unwrap());
                    }
                }
            });
        }
    });
    let expected: Vec<(u32, u32)> = (0..4000).filter(|key| key % 5 != 0).map(|key| (key, key + 1)).collect();
    assert_eq!(entries(&map), expected);
    let clone = map.clone();
    map.close().unwrap();
    assert_eq!(clone.get(&1).unwrap_err().code(), Code::Closed);
    assert_eq!(entries(&open::<u32, u32>(directory.path())), expected);
}

#[test]
fn an_iteration_sees_the_map_as_it_was_and_goes_on_when_it_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let map: Map<u32, Vec<u8>> = open(directory.path());
    for key in 0..1000_u32 {
        map.set(key, vec![1; 1000]).unwrap();
    }
    map.database().checkpoint().unwrap();
    let all = |iter: &mut dyn Iterator<Item = cairndb::Result<(u32, Vec<u8>)>>| {
        let found: Vec<_> = iter.collect::<cairndb::Result<_>>().unwrap();
        assert_eq!(found, (0..1000).map(|key| (key, vec![1; 1000])).collect::<Vec<_>>());
    };
    let mut by_reference = (&map).into_iter();
    let mut begun = map.iter();
    assert_eq!(begun.next().unwrap().unwrap().0, 0);
    for key in 0..1000_u32 {
        map.unset(&key).unwrap();
    }
    map.set(5000_u32, []).unwrap();
    all(&mut by_reference);
    map.set(5000_u32, vec![1; 1000]).unwrap();
    let other = map.clone();
    let mut by_value = map.into_iter();
    other.close().unwrap();
    // The directory is free for the next one, which may do with its files what it wants.
    let again: Map<u32, Vec<u8>> = open(directory.path());
    again.database().compact().unwrap();
    assert_eq!(by_value.next().unwrap().unwrap(), (5000, vec![1; 1000]));
    assert!(by_value.next().is_none());
    assert_eq!(begun.count(), 999);
    assert_eq!(other.iter().next().unwrap().unwrap_err().code(), Code::Closed);
    assert_eq!(other.iter().skip(1).count(), 0);
}

#[test]
fn as_many_generations_are_kept_as_asked_for_until_they_are_pruned() {
    let options = Options { reclaim_delay: Duration::ZERO, keep_generations: 4, ..Options::default() };
    let directory = tempfile::tempdir().unwrap();
    let map: Map<u8, u8> = Map::open(directory.path(), Config { options, ..Config::default() }).unwrap();
    let generations = || {
        let names = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_str().unwrap().ends_with(".manifest")).count()
    };
    for round in 0..8 {
        map.set(0, round).unwrap();
        map.database().compact().unwrap();
    }
    assert_eq!(generations(), 4);
    for (keep, left) in [(9, 4), (3, 3), (1, 1), (0, 1)] {
        map.prune(keep).unwrap();
        assert_eq!(generations(), left, "keep {keep}");
    }
    assert_eq!(map.get(&0).unwrap(), Some(7));
    map.close().unwrap();
    assert_eq!(map.prune(1).unwrap_err().code(), Code::Closed);
    assert_eq!(open::<u8, u8>(directory.path()).get(&0).unwrap(), Some(7));
}

#[test]
fn what_was_acknowledged_survives_without_closing_at_each_level() {
    for durability in [Durability::Eventual, Durability::Os, Durability::Full] {
        let directory = tempfile::tempdir().unwrap();
        let map: Map<u8, u8> = Map::open(directory.path(), Config { durability, ..Config::default() }).unwrap();
        map.set(1, 2).unwrap();
        if durability == Durability::Eventual {
            map.flush().unwrap();
        }
        // What another process would find if this one were killed now.
        let copy = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(directory.path()).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
        }
        assert_eq!(open::<u8, u8>(copy.path()).get(&1).unwrap(), Some(2), "{durability:?}");
    }
}

#[test]
fn a_map_is_opened_by_one_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let map = Arc::new(open::<u8, u8>(directory.path()));
    let second = Map::<u8, u8>::open(directory.path(), Config::default());
    assert_eq!(second.unwrap_err().code(), Code::Locked);
    assert!(format!("{map:?}").starts_with("Map {"));
}

#[cfg(feature = "prost")]
#[test]
fn protobuf_messages_are_values() {
    use cairndb::map::Proto;

    #[derive(Clone, PartialEq, prost::Message)]
    struct User {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(uint32, tag = "2")]
        born: u32,
    }

    let directory = tempfile::tempdir().unwrap();
    let map: Map<String, Proto<User>> = open(directory.path());
    let alice = User { name: "Alice".into(), born: 1990 };
    map.set("alice", alice.clone()).unwrap();
    map.set("nobody", User::default()).unwrap();
    map.close().unwrap();
    let map: Map<String, Proto<User>> = open(directory.path());
    assert_eq!(entries(&map), [("alice".into(), Proto(alice)), ("nobody".into(), Proto(User::default()))]);
    map.close().unwrap();
    let bytes: Map<String, Vec<u8>> = open(directory.path());
    bytes.set("alice", [0xff]).unwrap();
    bytes.close().unwrap();
    let map: Map<String, Proto<User>> = open(directory.path());
    assert_eq!(map.get("alice").unwrap_err().code(), Code::InvalidValue);
}
