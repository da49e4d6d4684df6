//! The contents of a store of persistent-kv are given to whoever takes them elsewhere, whole or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use cairndb::persistent_kv::{self, Config, PersistentKeyValueStore};
use cairndb::{Code, Result};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/persistent-kv").join(name)
}

/// What is in a store after the last change of each key.
fn contents(directory: &Path) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut found = BTreeMap::new();
    persistent_kv::read(directory, |key, value| {
        match value {
            Some(value) => found.insert(key, value.to_vec()),
            None => found.remove(&key),
        };
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn a_store_has_what_a_take_over_brings() {
    let copy = tempfile::tempdir().unwrap();
    for (path, bytes) in files(&fixture("u64")) {
        fs::write(copy.path().join(path.file_name().unwrap()), bytes).unwrap();
    }
    let before = files(copy.path());
    let found = contents(copy.path()).unwrap();
    assert_eq!(files(copy.path()), before, "the files were changed");
    let store: PersistentKeyValueStore<u64, Vec<u8>> =
        PersistentKeyValueStore::new(copy.path(), Config::default()).unwrap();
    let expected = store.iter().map(|(key, value)| (key.to_le_bytes().to_vec(), value));
    assert_eq!(found, expected.collect());
    assert_eq!(found.len(), 245);
}

#[test]
fn keys_are_given_as_they_stand_there() {
    let found = contents(&fixture("string")).unwrap();
    assert_eq!(found.len(), 993);
    assert_eq!(found[&b"key-0000"[..]], b"updated-0");
}

#[test]
fn of_a_damaged_store_nothing_is_given() {
    let directory = tempfile::tempdir().unwrap();
    let record = [6, 0x0a, 1, b'k', 0x12, 1, b'v'];
    fs::write(directory.path().join("snapshot_1_0-of-1_full.bin"), [&record[..], &[2, 0xff, 0xff]].concat()).unwrap();
    let mut called = false;
    let error = persistent_kv::read(directory.path(), |_, _| {
        called = true;
        ControlFlow::Continue(())
    });
    let error = error.unwrap_err();
    assert_eq!((error.code(), error.offset()), (Code::Corrupt, Some(7)));
    assert!(error.to_string().contains("restore the file from a backup"), "{error}");
    assert!(!called);
}

#[test]
fn what_a_crash_leaves_is_sound() {
    let directory = tempfile::tempdir().unwrap();
    let log = [6, 0x0a, 1, b'k', 0x12, 1, b'v', 6, 0x0a, 1];
    fs::write(directory.path().join("snapshot_1_0-of-1_diff.bin"), log).unwrap();
    assert_eq!(contents(directory.path()).unwrap(), BTreeMap::from([(b"k".to_vec(), b"v".to_vec())]));
}

#[test]
fn reading_can_be_ended() {
    let mut count = 0;
    persistent_kv::read(fixture("string"), |_, _| {
        count += 1;
        if count == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    assert_eq!(count, 3);
}

#[test]
fn a_directory_without_a_store_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(contents(directory.path()).unwrap_err().code(), Code::Directory);
}
