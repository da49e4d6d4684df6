//! Stores of persistent-kv are taken over: fixtures that the original wrote, logs that a crash cut, damage.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cairndb::map::{Config, MapKey};
use cairndb::persistent_kv::{LossKind, Losses, PersistentKeyValueStore};
use cairndb::{Code, Error};
use sha2::{Digest, Sha256};

type Store<K, V> = PersistentKeyValueStore<K, V>;
type Texts = Store<String, String>;
type Numbers = Store<u64, Vec<u8>>;

/// The last file of the fixture with integers.
const LAST: &str = "snapshot_5_2-of-3_diff.bin";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/persistent-kv")
}

/// A directory with these files, and an empty lock file as the original leaves it.
fn store_of(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("lockfile"), "").unwrap();
    for (name, bytes) in files {
        fs::write(directory.path().join(name), bytes).unwrap();
    }
    directory
}

/// All files of the original, which must stay as they are.
fn originals(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.is_file());
    files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())).collect()
}

fn fixture(name: &str) -> tempfile::TempDir {
    let files = originals(&fixtures().join(name));
    store_of(&files.iter().map(|(name, bytes)| (&**name, &**bytes)).collect::<Vec<_>>())
}

fn expected(name: &str) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(fixtures().join(format!("{name}.expected.json"))).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let entries = json["entries"].as_array().unwrap().clone();
    assert_eq!(entries.len() as u64, json["count"].as_u64().unwrap());
    entries
}

fn unhex(hex: &serde_json::Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn expected_numbers() -> BTreeMap<u64, Vec<u8>> {
    let entries = expected("u64");
    entries.iter().map(|entry| (entry["key"].as_str().unwrap().parse().unwrap(), unhex(&entry["valueHex"]))).collect()
}

fn open<K: MapKey, V>(path: &Path, losses: Losses) -> Result<Store<K, V>, Error> {
    Store::open(path, Config::default(), losses)
}

fn numbers(store: &Numbers) -> BTreeMap<u64, Vec<u8>> {
    store.iter().collect()
}

fn texts(store: &Texts) -> BTreeMap<String, String> {
    store.iter().collect()
}

/// A record as the original writes it. Short ones only: all lengths are one byte.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (tag, field) in [(0x0a, key), (0x12, value)] {
        if !field.is_empty() {
            body.extend([tag, field.len() as u8]);
            body.extend(field);
        }
    }
    [vec![body.len() as u8], body].concat()
}

fn is_as_expected(store: &Texts) {
    let entries = expected("string");
    assert_eq!(store.map().len().unwrap(), entries.len() as u64);
    for entry in &entries {
        let key = entry["key"].as_str().unwrap();
        assert_eq!(key.as_bytes(), unhex(&entry["keyHex"]));
        let value = store.get(key).unwrap();
        assert_eq!(value.len() as u64, entry["valueSize"].as_u64().unwrap(), "{key}");
        assert_eq!(Sha256::digest(&value).to_vec(), unhex(&entry["valueSha256"]), "{key}");
        if let Some(text) = entry["value"].as_str() {
            assert_eq!(value, text);
        }
    }
}

#[test]
fn the_fixture_of_strings_has_the_expected_contents() {
    let directory = fixture("string");
    let before = originals(directory.path());
    for _ in 0..2 {
        let store: Texts = open(directory.path(), Losses::Refuse).unwrap();
        is_as_expected(&store);
        let report = store.taken_over().unwrap();
        assert_eq!(report.files, ["snapshot_2_0-of-1_full.bin", "snapshot_3_0-of-1_diff.bin"]);
        assert_eq!((report.entries, &report.losses[..]), (993, &[][..]));
    }
    assert_eq!(originals(directory.path()), before);
}

#[test]
fn the_fixture_of_integers_has_the_expected_contents_in_numeric_order() {
    let directory = fixture("u64");
    let before = originals(directory.path());
    let store: Numbers = open(directory.path(), Losses::Refuse).unwrap();
    assert_eq!(store.iter().collect::<Vec<_>>(), expected_numbers().into_iter().collect::<Vec<_>>());
    assert_eq!(store.taken_over().unwrap().files.len(), 4, "the older full snapshot is not read");
    assert_eq!(originals(directory.path()), before);
}

#[test]
fn a_take_over_is_done_once_and_what_is_written_later_stays() {
    let directory = fixture("u64");
    let store: Numbers = open(directory.path(), Losses::Refuse).unwrap();
    let report = store.taken_over().cloned();
    store.set(1_u64, [1]).unwrap();
    store.unset(&5_000_015).unwrap();
    drop(store);
    // Whatever becomes of the original's files.
    fs::write(directory.path().join(LAST), "no longer a log").unwrap();
    let mut contents = expected_numbers();
    contents.insert(1, vec![1]);
    contents.remove(&5_000_015);
    let store: Numbers = open(directory.path(), Losses::Refuse).unwrap();
    assert_eq!(numbers(&store), contents);
    assert_eq!(store.taken_over().cloned(), report);
    drop(store);
    for name in originals(directory.path()).keys() {
        fs::remove_file(directory.path().join(name)).unwrap();
    }
    assert_eq!(numbers(&open(directory.path(), Losses::Refuse).unwrap()), contents);
}

#[test]
fn a_map_that_has_records_is_never_touched_by_files_that_come_later() {
    let directory = tempfile::tempdir().unwrap();
    let store: Numbers = open(directory.path(), Losses::Refuse).unwrap();
    store.set(1_u64, [1]).unwrap();
    drop(store);
    for (name, bytes) in originals(&fixtures().join("u64")) {
        fs::write(directory.path().join(name), bytes).unwrap();
    }
    let store: Numbers = open(directory.path(), Losses::Refuse).unwrap();
    assert_eq!(numbers(&store), BTreeMap::from([(1, vec![1])]));
    assert_eq!(store.taken_over(), None);
}

/// Defect 1: a kill leaves a hole where a thread had not written yet, and a tail of zeros after a power cut.
#[test]
fn holes_in_a_log_are_passed_over_and_told_of() {
    let log = [record(b"a", b"1"), vec![0; 5000], record(b"b", b"2"), vec![0; 70], record(b"c", b"3"), vec![0; 9]];
    let directory = store_of(&[("snapshot_1_0-of-1_diff.bin", &log.concat())]);
    let store: Texts = open(directory.path(), Losses::Refuse).unwrap();
    let contents = [("a", "1"), ("b", "2"), ("c", "3")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(texts(&store), BTreeMap::from(contents));
    let losses = &store.taken_over().unwrap().losses;
    let [loss] = &losses[..] else { panic!("{losses:?}") };
    assert_eq!((loss.kind, loss.offset, loss.bytes, loss.places), (LossKind::Hole, 7, 5079, 3));
    assert!(loss.kind.is_of_a_crash());
}

/// Defect 3: the original loses half of such a store, and says nothing.
#[test]
fn damage_is_refused_with_its_place_and_taken_over_only_when_asked_for() {
    let sound = [record(b"a", b"1"), record(b"b", b"2")].concat();
    let mut damaged = [&sound[..], &record(b"c", b"3"), &record(b"d", b"4")].concat();
    damaged[sound.len() + 1] ^= 0x40;
    let later = [record(b"a", b"later"), record(b"gone", b"")].concat();
    let full = [record(b"gone", b"1"), record(b"kept", b"1")].concat();
    let directory = store_of(&[
        ("snapshot_1_0-of-1_full.bin", &full),
        ("snapshot_2_0-of-1_diff.bin", &damaged),
        ("snapshot_10_0-of-1_diff.bin", &later),
    ]);
    let before = originals(directory.path());
    for _ in 0..2 {
        let error = open::<String, String>(directory.path(), Losses::Refuse).unwrap_err();
        assert_eq!((error.code(), error.offset()), (Code::Corrupt, Some(sound.len() as u64)), "{error}");
        assert!(error.path().unwrap().ends_with("snapshot_2_0-of-1_diff.bin"), "{error}");
        assert!(error.to_string().contains("Losses::Accept"), "{error}");
        assert!(!directory.path().join(".cairndb/takeover.json").exists());
    }
    let store: Texts = open(directory.path(), Losses::Accept).unwrap();
    let contents = [("a", "later"), ("b", "2"), ("kept", "1")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(texts(&store), BTreeMap::from(contents));
    let report = store.taken_over().unwrap().clone();
    assert_eq!(report.losses.len(), 1);
    assert_eq!((report.losses[0].kind, report.losses[0].bytes), (LossKind::Damaged, 14));
    drop(store);
    // What was accepted is not asked about again, and stays known.
    assert_eq!(open::<String, String>(directory.path(), Losses::Refuse).unwrap().taken_over(), Some(&report));
    assert_eq!(originals(directory.path()), before);
}

#[test]
fn a_full_snapshot_that_is_cut_or_has_a_hole_is_damaged_and_not_the_work_of_a_crash() {
    let sound = record(b"a", b"1");
    let cut = [&sound[..], &record(b"b", b"2")[..3]].concat();
    let hole = [&sound[..], &[0; 8], &sound].concat();
    for full in [cut, hole] {
        let directory = store_of(&[("snapshot_3_0-of-1_full.bin", &full)]);
        let error = open::<String, String>(directory.path(), Losses::Refuse).unwrap_err();
        assert_eq!((error.code(), error.offset()), (Code::Corrupt, Some(7)), "{error}");
        assert_eq!(texts(&open(directory.path(), Losses::Accept).unwrap()).len(), 1);
    }
}

#[test]
fn the_newest_full_snapshot_and_the_later_logs_count_in_the_order_of_numbers() {
    let sets = |value: &[u8]| record(b"k", value);
    let directory = store_of(&[
        ("snapshot_1_0-of-2_full.bin", b"one of its shards is missing, but nobody needs it"),
        ("snapshot_2_0-of-1_full.bin", &[sets(b"2"), record(b"full", b"2")].concat()),
        ("snapshot_9_0-of-1_diff.bin", &sets(b"9")),
        ("snapshot_10_0-of-1_diff.bin", &[sets(b"10"), record(b"", b"empty"), record(b"empty", b"")].concat()),
        ("snapshot_11_0-of-1_pending.bin", b"not finished"),
        ("snapshot_x_0-of-1_diff.bin", b"of somebody else"),
        ("snapshot_12_0-of-1_diff.bin.bak", b"of somebody else"),
        ("notes.txt", b"of somebody else"),
    ]);
    let store: Texts = open(directory.path(), Losses::Refuse).unwrap();
    let contents = [("", "empty"), ("full", "2"), ("k", "10")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(texts(&store), BTreeMap::from(contents));
    assert_eq!(store.taken_over().unwrap().files.len(), 3);
}

#[test]
fn what_a_crash_leaves_of_files_is_no_damage() {
    // Killed while a full snapshot got its last name: what it was made of is still there.
    let directory = store_of(&[
        ("snapshot_1_0-of-1_diff.bin", &record(b"a", b"1")),
        ("snapshot_2_0-of-2_full.bin", &record(b"a", b"1")),
        ("snapshot_2_1-of-2_pending.bin", b""),
        ("snapshot_3_0-of-1_diff.bin", &record(b"b", b"2")),
    ]);
    assert_eq!(texts(&open(directory.path(), Losses::Refuse).unwrap()).len(), 2);
    // Killed while the files of a new log were made.
    let directory = store_of(&[
        ("snapshot_1_0-of-1_full.bin", &record(b"a", b"1")),
        ("snapshot_2_0-of-3_diff.bin", b""),
        ("snapshot_2_1-of-3_diff.bin", b""),
    ]);
    assert_eq!(texts(&open(directory.path(), Losses::Refuse).unwrap()).len(), 1);
}

#[test]
fn shards_that_are_missing_or_do_not_fit_are_damage() {
    let some = record(b"a", b"1");
    let cases: [(&[&str], &str); 5] = [
        (&["snapshot_1_0-of-2_diff.bin"], "shards of 2 are missing behind it"),
        (&["snapshot_1_1-of-2_diff.bin"], "shard 0 is missing"),
        (&["snapshot_1_0-of-2_diff.bin", "snapshot_1_1-of-2_full.bin"], "count or type"),
        (&["snapshot_1_0-of-2_diff.bin", "snapshot_1_1-of-3_diff.bin"], "count or type"),
        (&["snapshot_1_0-of-2_diff.bin", "snapshot_01_0-of-2_diff.bin"], "two files of shard 0"),
    ];
    for (names, reason) in cases {
        let directory = store_of(&names.iter().map(|name| (*name, &*some)).collect::<Vec<_>>());
        let error = open::<String, String>(directory.path(), Losses::Refuse).unwrap_err();
        assert_eq!(error.code(), Code::Corrupt, "{names:?}: {error}");
        assert!(error.to_string().contains(reason), "{names:?}: {error}");
        assert!(error.path().unwrap().starts_with(directory.path()));
        let store: Texts = open(directory.path(), Losses::Accept).unwrap();
        assert_eq!(texts(&store), BTreeMap::from([("a".to_owned(), "1".to_owned())]));
    }
}

/// Defect 8: the original panics.
#[test]
fn keys_of_another_type_are_refused() {
    let refused = |outcome: Result<(), Error>| {
        let error = outcome.unwrap_err();
        assert_eq!(error.code(), Code::InvalidKey, "{error}");
        assert!(error.to_string().contains("name the type that the store has"), "{error}");
    };
    let directory = fixture("u64");
    refused(open::<i16, Vec<u8>>(directory.path(), Losses::Refuse).map(drop));
    refused(open::<String, Vec<u8>>(directory.path(), Losses::Refuse).map(drop));
    let store: Numbers = open(directory.path(), Losses::Refuse).unwrap();
    assert_eq!(numbers(&store), expected_numbers());
    let directory = fixture("string");
    refused(open::<u64, String>(directory.path(), Losses::Refuse).map(drop));
    is_as_expected(&open(directory.path(), Losses::Refuse).unwrap());
}

#[test]
fn integers_of_every_width_are_taken_over() {
    macro_rules! check {
        ($($key:ty: $($number:expr),*;)*) => { $(
            let mut log = Vec::new();
            for number in [$($number as $key),*] {
                let mut key = [0; 8];
                key[..size_of::<$key>()].copy_from_slice(&number.to_le_bytes());
                log.extend(record(&key, &number.to_le_bytes()));
            }
            let directory = store_of(&[("snapshot_1_0-of-1_diff.bin", &log)]);
            let store: Store<$key, $key> = open(directory.path(), Losses::Refuse).unwrap();
            let found: Vec<($key, $key)> = store.iter().collect();
            assert_eq!(found, [$(($number, $number)),*]);
        )* };
    }
    check! {
        u8: 0, 7, u8::MAX;
        u16: 0, 7, u16::MAX;
        u32: 0, 7, u32::MAX;
        u64: 0, 7, u64::MAX;
        i8: i8::MIN, -1, 0, i8::MAX;
        i16: i16::MIN, -1, 0, i16::MAX;
        i32: i32::MIN, -1, 0, i32::MAX;
        i64: i64::MIN, -1, 0, i64::MAX;
    }
}

#[test]
fn keys_that_are_too_long_are_refused_or_left_out() {
    let long = |len: u16| {
        let varint = |n: u16| [(n & 0x7f) as u8 | 0x80, (n >> 7) as u8];
        let key = vec![b'k'; usize::from(len)];
        [&varint(len + 6)[..], &[0x0a], &varint(len), &key, &[0x12, 1, b'v']].concat()
    };
    let log = [long(1023), long(1024), record(b"short", b"v")].concat();
    let directory = store_of(&[("snapshot_1_0-of-1_diff.bin", &log)]);
    let error = open::<String, String>(directory.path(), Losses::Refuse).unwrap_err();
    assert_eq!(error.code(), Code::TooLarge, "{error}");
    assert!(error.to_string().contains(&format!("at byte {}", long(1023).len())), "{error}");
    let store: Texts = open(directory.path(), Losses::Accept).unwrap();
    assert_eq!(store.iter().map(|(key, _)| key.len()).collect::<Vec<_>>(), [1023, 5]);
    assert_eq!(store.taken_over().unwrap().losses[0].kind, LossKind::TooLong);
}

/// Defect 5: when the original opens a store with eleven and more shards again, it goes on in the shard of another key.
#[test]
fn a_key_in_two_shards_has_the_value_that_was_written_later() {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let shards = 12;
    let mut names: Vec<String> = (0..shards).map(|n| format!("snapshot_1_{n}-of-{shards}_diff.bin")).collect();
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for session in ["first", "second", "third"] {
        for n in 0..500 {
            let key = format!("key-{n}");
            let mut hasher = DefaultHasher::new();
            key.as_bytes().hash(&mut hasher);
            let name = &names[(hasher.finish() % shards) as usize];
            files.entry(name.clone()).or_default().extend(record(key.as_bytes(), session.as_bytes()));
        }
        names.sort();
    }
    let directory = store_of(&files.iter().map(|(name, bytes)| (&**name, &**bytes)).collect::<Vec<_>>());
    let store: Texts = open(directory.path(), Losses::Refuse).unwrap();
    assert_eq!(store.iter().filter(|(_, value)| value == "third").count(), 500);
}

#[test]
fn while_the_original_runs_nothing_is_taken_over() {
    let directory = fixture("u64");
    let lock = fs::File::options().write(true).open(directory.path().join("lockfile")).unwrap();
    lock.lock().unwrap();
    let error = open::<u64, Vec<u8>>(directory.path(), Losses::Refuse).unwrap_err();
    assert_eq!(error.code(), Code::Locked, "{error}");
    assert!(error.path().unwrap().ends_with("lockfile"));
    drop(lock);
    let store: Numbers = open(directory.path(), Losses::Refuse).unwrap();
    assert_eq!(numbers(&store), expected_numbers());
    // Afterwards the original may run again: the lock was only for the take-over.
    let lock = fs::File::options().write(true).open(directory.path().join("lockfile")).unwrap();
    lock.try_lock().unwrap();
    drop(lock);
    assert_eq!(fs::read(directory.path().join("lockfile")).unwrap(), b"");
}

#[test]
fn a_damaged_state_of_the_take_over_is_an_error_and_nothing_is_taken_over_again() {
    let directory = fixture("u64");
    drop(open::<u64, Vec<u8>>(directory.path(), Losses::Refuse).unwrap());
    let path = directory.path().join(".cairndb/takeover.json");
    let text = fs::read(&path).unwrap();
    for at in 0..text.len() {
        let mut damaged = text.clone();
        damaged[at] ^= 0x04;
        fs::write(&path, damaged).unwrap();
        let error = open::<u64, Vec<u8>>(directory.path(), Losses::Refuse).unwrap_err();
        assert_eq!(error.code(), Code::Corrupt, "byte {at}: {error}");
        assert_eq!(error.path(), Some(&*path));
    }
    fs::write(&path, "").unwrap();
    assert_eq!(open::<u64, Vec<u8>>(directory.path(), Losses::Refuse).unwrap_err().code(), Code::Corrupt);
    fs::write(&path, text).unwrap();
    assert_eq!(numbers(&open(directory.path(), Losses::Refuse).unwrap()), expected_numbers());
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_what_was_taken_over() {
    use std::os::unix::fs::PermissionsExt;
    let directory = fixture("u64");
    drop(open::<u64, Vec<u8>>(directory.path(), Losses::Refuse).unwrap());
    let mode = |path: &str| fs::metadata(directory.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(".cairndb"), mode(".cairndb/takeover.json")), (0o700, 0o600));
}

/// More than fits into one commit.
#[test]
fn a_large_store_is_taken_over_in_parts() {
    let value = [b'v'; 100];
    let log: Vec<u8> = (0..40_000_u64).flat_map(|key| record(&key.to_le_bytes(), &value)).collect();
    let directory = store_of(&[("snapshot_1_0-of-1_diff.bin", &log)]);
    let store: Store<u64, Vec<u8>> = open(directory.path(), Losses::Refuse).unwrap();
    assert_eq!(store.taken_over().unwrap().entries, 40_000);
    assert!(store.iter().map(|(key, _)| key).eq(0..40_000));
}
