//! Views and watches on a real disk, by the public interface.

mod common;

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use cairndb::{Change, Code, Database, Durability, Kind, Op, Options, Range, Result, Value, Watch};
use common::{Scratch, text};

fn look(directory: &Path) -> Result<Database> {
    Database::open(directory, Options { read_only: true, ..Options::default() })
}

/// The files of a directory, with what shows that somebody has touched one.
fn files(directory: &Path) -> Vec<(String, u64, SystemTime)> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let (entry, metadata) = (entry.as_ref().unwrap(), entry.as_ref().unwrap().metadata().unwrap());
            (entry.file_name().into_string().unwrap(), metadata.len(), metadata.modified().unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn a_view_beside_a_writer_shows_what_was_acknowledged_and_touches_nothing() {
    let scratch = Scratch::new();
    for n in 0..200 {
        scratch.put("t", &format!("k{n:03}"), "stored");
    }
    scratch.db.checkpoint().unwrap();
    scratch.put("t", "k007", "in the journal");
    scratch.delete("t", "k008");
    let op = Op::put("t", b"later", Kind::BYTES, b"in memory");
    scratch.db.commit(&[op], Durability::Eventual).unwrap();
    let before = files(scratch.directory.path());
    for mmap in [true, false] {
        let options = Options { read_only: true, mmap, ..Options::default() };
        let view = Database::open(scratch.directory.path(), options).unwrap();
        assert_eq!(view.tables().unwrap(), ["t"]);
        assert_eq!(view.len("t").unwrap(), 199);
        assert_eq!(view.get("t", b"k007").unwrap().unwrap().value, b"in the journal");
        assert!(view.get("t", b"k008").unwrap().is_none());
        assert!(view.get("t", b"later").unwrap().is_none(), "the system does not have it yet");
        assert_eq!(view.scan("t", &Range::prefix(b"k1")).unwrap().count(), 100);
        let stats = view.stats();
        assert_eq!((stats.live_records, stats.written_records), (199, 0));
        assert!(stats.journal_bytes > 0 && stats.stone_bytes > 0);
        assert!(view.verify().unwrap().damage.is_empty());
        view.flush().unwrap();
        view.close().unwrap();
        assert_eq!(view.get("t", b"k007").unwrap_err().code(), Code::Closed);
    }
    assert_eq!(files(scratch.directory.path()), before);
}

#[test]
fn whatever_writes_is_refused() {
    let scratch = Scratch::new();
    scratch.put("t", "k", "v");
    let view = look(scratch.directory.path()).unwrap();
    let refused = [
        view.commit(&[], Durability::Os).map(drop),
        view.commit(&[Op::put("t", b"k", Kind::BYTES, b"w")], Durability::Full).map(drop),
        view.commit(&[Op::delete("t", b"none")], Durability::Eventual).map(drop),
        view.append(&[Op::delete("t", b"k")], Durability::Os).map(drop),
        view.drop_table("t", Durability::Os).map(drop),
        view.drop_table("none", Durability::Os).map(drop),
        view.cleanup_expired("none").map(drop),
        view.define_dictionary("d", &[("long", "l")]).map(drop),
        view.define_shape(&["a", "b"]).map(drop),
        view.pack(&Value::from(serde_json::json!({ "never": "seen" }))).map(drop),
        view.checkpoint(),
        view.compact(),
        view.prune(1).map(drop),
    ];
    for (index, outcome) in refused.into_iter().enumerate() {
        let error = outcome.unwrap_err();
        assert_eq!(error.code(), Code::ReadOnly, "{index}: {error}");
        assert!(error.message().contains("to write"), "{error}");
    }
    let both = Options { read_only: true, shared: true, ..Options::default() };
    assert_eq!(Database::open(scratch.directory.path(), both).unwrap_err().code(), Code::InvalidOptions);
}

#[test]
fn damage_of_one_table_is_told_to_who_reads_it_and_by_verify() {
    let mut scratch = Scratch::new();
    scratch.put("sound", "k", "v");
    scratch.put("damaged", "k", &"v".repeat(1000));
    scratch.db.compact().unwrap();
    scratch.reopen();
    scratch.db.close().unwrap();
    let stones = scratch.files(".stone");
    let large = stones
        .iter()
        .map(|name| scratch.directory.path().join(name))
        .max_by_key(|path| fs::metadata(path).unwrap().len());
    let large = large.unwrap();
    let mut bytes = fs::read(&large).unwrap();
    let len = bytes.len();
    bytes[200] ^= 1;
    // The footer too, so that the file cannot even be opened as what it was.
    bytes[len - 20] ^= 1;
    fs::write(&large, bytes).unwrap();
    let view = look(scratch.directory.path()).unwrap();
    assert_eq!(view.get("sound", b"k").unwrap().unwrap().value, b"v");
    assert_eq!(view.get("damaged", b"k").unwrap_err().code(), Code::Corrupt);
    assert!(view.verify().unwrap().damage.iter().all(|damage| damage.path == large));
    assert!(!view.verify().unwrap().damage.is_empty());
    fs::remove_file(&large).unwrap();
    assert_eq!(look(scratch.directory.path()).unwrap_err().code(), Code::Corrupt);
}

#[test]
fn a_watch_tells_what_is_committed_with_the_names_that_came_meanwhile() {
    let scratch = Scratch::new();
    let db = &scratch.db;
    db.define_dictionary("d", &[("temperature", "t")]).unwrap();
    scratch.put("t", "before", "not told");
    let mut watch = Watch::open(scratch.directory.path()).unwrap();
    let later = db.define_dictionary("e", &[("humidity", "h")]).unwrap();
    let value = Value::from(serde_json::json!({ "name": "Alice", "tags": [1, 2] }));
    let packed = db.pack(&value).unwrap();
    let ops = [
        Op::put("new", b"packed", Kind::PACKED, &packed),
        Op::put("new", b"json", Kind::JSON, br#"{"humidity":40}"#).dictionary(later),
        Op::delete("t", b"before"),
    ];
    db.commit(&ops, Durability::Os).unwrap();
    db.drop_table("new", Durability::Os).unwrap();
    let changes = watch.next_changes().unwrap();
    let [Change::Put { record, .. }, Change::Put { record: json, key, table }, delete, drop] = &changes[..] else {
        panic!("{changes:?}")
    };
    assert_eq!(watch.unpack(record).unwrap(), value);
    assert_eq!((&table[..], &key[..]), ("new", &b"json"[..]));
    assert_eq!((text(&json.value), json.dictionary.as_deref()), (r#"{"humidity":40}"#.to_string(), Some("e")));
    assert!(matches!(delete, Change::Delete { table, key, .. } if table == "t" && **key == *b"before"), "{delete:?}");
    assert!(matches!(drop, Change::DropTable { table } if table == "new"), "{drop:?}");
    assert!(watch.next_changes().unwrap().is_empty());
}

#[test]
fn much_at_once_is_told_in_parts() {
    let scratch = Scratch::new();
    let mut watch = Watch::open(scratch.directory.path()).unwrap();
    for n in 0..40 {
        scratch.put("t", &format!("{n}"), &"v".repeat(200_000));
    }
    let (mut told, mut parts) = (0, 0);
    loop {
        let changes = watch.next_changes().unwrap();
        if changes.is_empty() {
            break;
        }
        told += changes.len();
        parts += 1;
    }
    assert_eq!(told, 40);
    assert!((3..40).contains(&parts), "{parts} parts");
}
