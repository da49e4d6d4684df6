//! The drop-in for persistent-kv: its methods, and its defects, which are not here.

use std::fs;
use std::path::Path;

use cairndb::map::{self, Map};
use cairndb::persistent_kv::{Config, Losses, PersistentKeyValueStore, SyncMode};
use cairndb::{Code, Durability, Options};

type Store<K, V> = PersistentKeyValueStore<K, V>;

fn open<K: cairndb::map::MapKey, V>(path: &Path) -> Store<K, V> {
    Store::new(path, Config::default()).unwrap()
}

#[test]
fn values_are_set_read_and_removed_for_each_type() {
    macro_rules! check {
        ($($key:ty, $value:ty: $k:expr, $v:expr;)*) => { $({
            let directory = tempfile::tempdir().unwrap();
            let store: Store<$key, $value> = open(directory.path());
            let (key, value): ($key, $value) = ($k, $v);
            store.set(key.clone(), value.clone()).unwrap();
            drop(store);
            let store: Store<$key, $value> = open(directory.path());
            assert_eq!(store.get(&key), Some(value));
            store.unset(&key).unwrap();
            store.unset(&key).unwrap();
            drop(store);
            assert_eq!(open::<$key, $value>(directory.path()).get(&key), None);
        })* };
    }
    check! {
        u8, u64: u8::MAX, u64::MAX;
        u16, u32: u16::MAX, u32::MAX;
        u32, u16: u32::MAX, u16::MAX;
        u64, u8: u64::MAX, u8::MAX;
        i8, i64: i8::MIN, i64::MIN;
        i16, i32: i16::MIN, i32::MIN;
        i32, i16: i32::MIN, i16::MIN;
        i64, i8: i64::MIN, i8::MIN;
        String, Vec<u8>: "ключ-鍵-🔑".to_string(), vec![0, 255];
        Vec<u8>, String: vec![0, 255], "значение".to_string();
    }
}

#[test]
fn the_directory_is_made_and_keys_are_borrowed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("not/there/yet");
    let store: Store<String, String> = open(&path);
    store.set("foo", "1").unwrap();
    assert_eq!(store.get("foo").as_deref(), Some("1"));
    assert_eq!(store.get(&"foo".to_string()).as_deref(), Some("1"));
    let bytes: Store<Vec<u8>, Vec<u8>> = open(&directory.path().join("bytes"));
    bytes.set("foo", [1]).unwrap();
    assert_eq!(bytes.get(&b"foo"[..]), Some(vec![1]));
    assert_eq!(bytes.get(&b"foo".to_vec()), Some(vec![1]));
}

#[test]
fn it_is_iterated_by_reference_and_by_value() {
    let directory = tempfile::tempdir().unwrap();
    let store: Store<String, u32> = open(directory.path());
    store.set("foo", 1_u32).unwrap();
    store.set("bar", 2_u32).unwrap();
    let both = [("bar".to_string(), 2), ("foo".to_string(), 1)];
    assert_eq!(store.iter().collect::<Vec<_>>(), both);
    let mut seen = Vec::new();
    for entry in &store {
        seen.push(entry);
    }
    assert_eq!(seen, both);
    let mut by_value = store.into_iter();
    assert_eq!(by_value.next().as_ref(), Some(&both[0]));
    // What is on the disk stays there, and the directory is free while the iteration goes on.
    let store: Store<String, u32> = open(directory.path());
    assert_eq!(store.get("foo"), Some(1));
    store.unset("foo").unwrap();
    assert_eq!(by_value.next().as_ref(), Some(&both[1]));
    assert_eq!(by_value.next(), None);
}

#[test]
fn its_debug_text_counts_elements_and_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let store: Store<String, String> = open(directory.path());
    assert_eq!(format!("{store:?}"), "PersistentKeyValueStore(0 elements, 0 KiB total size)");
    store.set("foo", "1".repeat(2048)).unwrap();
    assert_eq!(format!("{store:?}"), "PersistentKeyValueStore(1 elements, 2 KiB total size)");
    let integers: Store<u8, Vec<u8>> = open(&directory.path().join("integers"));
    for key in 0..128_u8 {
        integers.set(key, []).unwrap();
    }
    assert_eq!(format!("{integers:?}"), "PersistentKeyValueStore(128 elements, 1 KiB total size)");
}

#[test]
fn it_is_shared_between_threads_whatever_its_types_are() {
    fn needs_both<T: Send + Sync>() {}
    needs_both::<Store<std::rc::Rc<u8>, *const u8>>();
    let directory = tempfile::tempdir().unwrap();
    let store: Store<u64, Vec<u8>> = open(directory.path());
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let store = &store;
            scope.spawn(move || {
                for n in 0..100 {
                    store.set(thread * 1000 + n, vec![7; 2000]).unwrap();
                }
            });
        }
    });
    assert_eq!(store.iter().count(), 800);
}

#[test]
fn every_setting_of_the_original_is_taken() {
    let config = Config {
        silent: true,
        snapshot_interval: 1,
        memory_bucket_count: 1,
        sync_mode: SyncMode::Buffered,
        target_io_parallelism_snapshots: 1,
        target_io_parallelism_writelog: 12,
        target_snapshot_shard_size_bytes: 1,
        use_positioned_writes: false,
    };
    assert_eq!(map::Config::from(config.clone()).durability, Durability::Eventual);
    assert_eq!(map::Config::from(Config::default()), map::Config::default());
    let defaults = Config::default();
    assert_eq!((defaults.silent, defaults.snapshot_interval, defaults.memory_bucket_count), (false, 10_000, 32));
    assert_eq!((defaults.target_io_parallelism_snapshots, defaults.target_io_parallelism_writelog), (8, 1));
    assert_eq!((defaults.sync_mode, defaults.use_positioned_writes), (SyncMode::BlockNoExplicitSync, !cfg!(windows)));
    assert_eq!(defaults.target_snapshot_shard_size_bytes, 1 << 30);
    let directory = tempfile::tempdir().unwrap();
    for sync_mode in [SyncMode::BlockAndSync, SyncMode::BlockNoExplicitSync, SyncMode::Buffered] {
        // Buffered writes are on the disk when the store is dropped.
        let store: Store<String, String> =
            Store::new(directory.path(), Config { sync_mode, ..config.clone() }).unwrap();
        store.set("mode", format!("{sync_mode:?}")).unwrap();
        drop(store);
        assert_eq!(open::<String, String>(directory.path()).get("mode"), Some(format!("{sync_mode:?}")));
    }
}

#[test]
fn a_second_instance_is_refused_with_the_process_that_holds_it() {
    let directory = tempfile::tempdir().unwrap();
    let store: Store<u8, u8> = open(directory.path());
    let error = Store::<u8, u8>::new(directory.path(), Config::default()).unwrap_err();
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    assert_eq!(error.downcast::<cairndb::Error>().unwrap().code(), Code::Locked);
    store.close().unwrap();
    open::<u8, u8>(directory.path());
}

#[test]
fn a_store_that_was_never_persistent_kvs_took_nothing_over() {
    let directory = tempfile::tempdir().unwrap();
    let store: Store<u8, u8> = open(directory.path());
    assert_eq!(store.taken_over(), None);
    assert!(!directory.path().join(".cairndb/takeover.json").exists());
    // The same map, under its own name.
    store.set(1, 2).unwrap();
    assert_eq!(store.map().get(&1).unwrap(), Some(2));
    store.close().unwrap();
    let map: Map<u8, u8> = Map::open(directory.path().join(".cairndb"), map::Config::default()).unwrap();
    assert_eq!(map.get(&1).unwrap(), Some(2));
}

/// Defect 4 of the original.
#[test]
fn an_empty_value_is_still_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let store: Store<String, String> = open(directory.path());
    store.set("k", "").unwrap();
    drop(store);
    assert_eq!(open::<String, String>(directory.path()).get("k").as_deref(), Some(""));
}

/// Defect 5: with eleven and more shards of the log the original reads stale values back.
#[test]
fn no_value_is_stale_after_reopening_whatever_the_number_of_shards() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config { target_io_parallelism_writelog: 12, snapshot_interval: 1_000_000, ..Config::default() };
    for round in 0..3_u32 {
        let store: Store<u32, u32> = Store::new(directory.path(), config.clone()).unwrap();
        assert!(store.iter().all(|(key, value)| value == key + round - 1));
        for key in 0..400_u32 {
            store.set(key, key + round).unwrap();
        }
    }
    let store: Store<u32, u32> = open(directory.path());
    assert_eq!(store.iter().filter(|(key, value)| *value == key + 2).count(), 400);
}

/// Defect 6: the original keeps every full snapshot.
#[test]
fn what_is_kept_on_disk_is_bounded_by_what_is_in_the_map() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { memtable_bytes: 256 << 10, ..Options::default() };
    let config = map::Config { options, ..map::Config::default() };
    let store: Store<u32, Vec<u8>> = Store::open(directory.path(), config, Losses::Refuse).unwrap();
    for round in 0..20_u8 {
        for key in 0..1000_u32 {
            store.set(key, vec![round; 100]).unwrap();
        }
    }
    store.map().database().compact().unwrap();
    let files = fs::read_dir(directory.path().join(".cairndb")).unwrap();
    let bytes: u64 = files.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes < 300_000, "{bytes} bytes for 1,000 values of 100");
}

/// Defects 3 and 8: damage is swallowed, and another type of keys or values brings the process down.
#[test]
fn damage_and_other_types_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    let store: Store<u64, Vec<u8>> = open(directory.path());
    store.set(1_u64, [0xff]).unwrap();
    drop(store);
    let error = Store::<String, Vec<u8>>::new(directory.path(), Config::default()).unwrap_err();
    assert_eq!(error.downcast::<cairndb::Error>().unwrap().code(), Code::InvalidKey);
    let texts: Store<u64, String> = open(directory.path());
    assert_eq!(texts.map().get(&1).unwrap_err().code(), Code::InvalidValue);
    // A signature without a place for an error cannot do better; it does not say that there is nothing.
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| texts.get(&1)));
    assert!(caught.unwrap_err().downcast_ref::<String>().unwrap().contains("a value of 1 bytes is no"));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| texts.iter().count())).is_err());
    texts.map().prune(0).unwrap();
    texts.close().unwrap();

    let home = directory.path().join(".cairndb");
    let names = fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().path());
    let journal = names.filter(|name| name.extension().is_some_and(|e| e == "journal")).min().unwrap();
    let mut bytes = fs::read(&journal).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&journal, bytes).unwrap();
    let error = Store::<u64, Vec<u8>>::new(directory.path(), Config::default()).unwrap_err();
    assert_eq!(error.downcast::<cairndb::Error>().unwrap().code(), Code::Corrupt);
}

#[cfg(feature = "prost")]
#[test]
fn a_message_that_does_not_decode_is_prosts_error() {
    #[derive(Clone, PartialEq, prost::Message)]
    struct User {
        #[prost(string, tag = "1")]
        name: String,
    }

    let directory = tempfile::tempdir().unwrap();
    let store: Store<String, Vec<u8>> = open(directory.path());
    store.set("broken", [0x0a, 9]).unwrap();
    drop(store);
    let store: Store<String, User> = open(directory.path());
    let alice = User { name: "Alice".into() };
    store.set_proto("alice", alice.clone()).unwrap();
    store.set_proto("empty", User::default()).unwrap();
    drop(store);
    let store: Store<String, User> = open(directory.path());
    let _: prost::DecodeError = store.get_proto("broken").unwrap_err();
    assert_eq!(store.get_proto("alice").unwrap(), Some(alice));
    assert_eq!(store.get_proto("empty").unwrap(), Some(User::default()));
    assert_eq!(store.get_proto("missing").unwrap(), None);
}
