//! Writing: versions, deletes, conditions, batches.

mod common;

use cairndb::{Code, Durability, Kind, MAX_KEY_BYTES, MAX_TABLE_BYTES, Op, Outcome};
use common::Scratch;

#[test]
fn versions_count_the_writes_of_a_key_and_begin_again_after_a_delete() {
    let mut scratch = Scratch::new();
    assert_eq!((1..=3).map(|_| scratch.put("t", "k", "v")).collect::<Vec<_>>(), [1, 2, 3]);
    scratch.db.checkpoint().unwrap();
    assert_eq!(scratch.put("t", "k", "v"), 4);
    scratch.reopen();
    assert_eq!(scratch.put("t", "k", "v"), 5);
    assert_eq!(scratch.delete("t", "k"), Outcome::Deleted);
    assert_eq!(scratch.put("t", "k", "v"), 1);
}

#[test]
fn many_writes_of_one_key_in_one_commit_keep_their_order() {
    let mut scratch = Scratch::new();
    let values: Vec<String> = (1..=10_000).map(|n| n.to_string()).collect();
    let ops: Vec<Op<'_>> = values.iter().map(|value| Op::put("t", b"k", Kind::BYTES, value.as_bytes())).collect();
    let outcomes = scratch.db.commit(&ops, Durability::Os).unwrap();
    assert!(outcomes.iter().zip(1..).all(|(outcome, version)| *outcome == Outcome::Written(version)));
    for _ in 0..2 {
        assert_eq!((scratch.get("t", "k").as_deref(), scratch.version("t", "k")), (Some("10000"), 10_000));
        assert_eq!(scratch.db.len("t").unwrap(), 1);
        scratch.reopen();
    }
}

#[test]
fn an_imported_record_keeps_its_version_and_time_and_later_writes_count_on() {
    let mut scratch = Scratch::new();
    let long_ago = 1_600_000_000_000;
    let ops = [
        Op::put("t", b"k", Kind::BYTES, b"v").imported(7, long_ago),
        Op::put("t", b"expires", Kind::BYTES, b"v").expires_at(4e12).imported(u64::MAX - 1, 0),
    ];
    let outcomes = scratch.db.commit(&ops, Durability::Os).unwrap();
    assert_eq!(outcomes, [Outcome::Written(7), Outcome::Written(u64::MAX - 1)]);
    for step in 0..3 {
        let record = scratch.db.get("t", b"k").unwrap().unwrap();
        assert_eq!((record.version, record.timestamp), (7, long_ago), "step {step}");
        let record = scratch.db.get("t", b"expires").unwrap().unwrap();
        assert_eq!((record.version, record.timestamp, record.expiration), (u64::MAX - 1, 0, Some(4e12)));
        match step {
            0 => scratch.reopen(),
            _ => scratch.db.checkpoint().unwrap(),
        }
    }
    assert_eq!(scratch.put("t", "k", "v"), 8);
    assert!(scratch.db.get("t", b"k").unwrap().unwrap().timestamp > long_ago);
}

#[test]
fn an_import_without_a_version_or_with_the_last_one_is_refused_with_its_commit() {
    let scratch = Scratch::new();
    for version in [0, u64::MAX] {
        let ops = [Op::put("t", b"a", Kind::BYTES, b"v"), Op::put("t", b"b", Kind::BYTES, b"v").imported(version, 1)];
        let error = scratch.db.commit(&ops, Durability::Os).unwrap_err();
        assert_eq!(error.code(), Code::InvalidValue);
    }
    assert_eq!(scratch.db.tables().unwrap(), [""; 0]);
}

#[test]
fn a_deleted_key_stays_deleted() {
    let mut scratch = Scratch::new();
    scratch.put("t", "k", "old");
    scratch.db.checkpoint().unwrap();
    scratch.put("t", "k", "new");
    assert_eq!(scratch.delete("t", "k"), Outcome::Deleted);
    assert_eq!(scratch.delete("t", "k"), Outcome::Missing);
    assert_eq!(scratch.delete("nothing", "k"), Outcome::Missing);
    for step in 0..4 {
        assert_eq!(scratch.get("t", "k"), None, "step {step}");
        assert_eq!(scratch.db.len("t").unwrap(), 0);
        match step {
            0 => scratch.reopen(),
            1 => scratch.db.checkpoint().unwrap(),
            2 => scratch.db.compact().unwrap(),
            _ => {}
        }
    }
}

#[test]
fn deleting_in_a_table_that_is_not_there_does_not_create_it() {
    let scratch = Scratch::new();
    scratch.delete("t", "k");
    assert_eq!(scratch.db.tables().unwrap(), [""; 0]);
}

#[test]
fn a_condition_compares_the_version_that_a_reader_would_see() {
    let scratch = Scratch::new();
    let put = |version| {
        let op = Op::put("t", b"k", Kind::BYTES, b"v").if_version(version);
        scratch.db.commit(&[op], Durability::Os).unwrap()[0]
    };
    assert_eq!(put(1), Outcome::Conflict(0));
    assert_eq!(put(0), Outcome::Written(1));
    assert_eq!(put(0), Outcome::Conflict(1));
    assert_eq!(put(1), Outcome::Written(2));
    scratch.db.checkpoint().unwrap();
    assert_eq!(put(1), Outcome::Conflict(2));
    let delete = |version| scratch.db.commit(&[Op::delete("t", b"k").if_version(version)], Durability::Os).unwrap()[0];
    assert_eq!(delete(9), Outcome::Conflict(2));
    assert_eq!(delete(2), Outcome::Deleted);
    assert_eq!(put(0), Outcome::Written(1));
}

#[test]
fn a_batch_with_a_conflict_does_nothing_and_others_go_on() {
    let scratch = Scratch::new();
    let outcomes = scratch
        .db
        .commit(
            &[
                Op::put("a", b"k", Kind::BYTES, b"1"),
                Op::put("a", b"x", Kind::BYTES, b"1"),
                Op::put("b", b"x", Kind::BYTES, b"1").if_version(7).joined(),
                Op::delete("a", b"k").joined(),
                Op::put("c", b"k", Kind::BYTES, b"1"),
            ],
            Durability::Os,
        )
        .unwrap();
    assert_eq!(
        outcomes,
        [Outcome::Written(1), Outcome::Aborted, Outcome::Conflict(0), Outcome::Aborted, Outcome::Written(1)]
    );
    assert_eq!(scratch.db.tables().unwrap(), ["a", "c"]);
    assert_eq!(scratch.get("a", "x"), None);
    assert_eq!(scratch.get("a", "k").as_deref(), Some("1"));
}

#[test]
fn operations_of_one_commit_see_those_before_them() {
    let scratch = Scratch::new();
    let put = || Op::put("t", b"k", Kind::BYTES, b"v");
    let outcomes =
        scratch.db.commit(&[put(), put(), Op::delete("t", b"k"), put(), put().if_version(1)], Durability::Os);
    assert_eq!(
        outcomes.unwrap(),
        [Outcome::Written(1), Outcome::Written(2), Outcome::Deleted, Outcome::Written(1), Outcome::Written(2)]
    );
}

#[test]
fn what_is_invalid_is_refused_and_nothing_of_its_commit_is_written() {
    let scratch = Scratch::new();
    let long_table = "t".repeat(MAX_TABLE_BYTES + 1);
    let long_key = vec![b'k'; MAX_KEY_BYTES + 1];
    let bad: [(Op<'_>, Code); 7] = [
        (Op::put("", b"k", Kind::BYTES, b""), Code::InvalidTable),
        (Op::put(&long_table, b"k", Kind::BYTES, b""), Code::InvalidTable),
        (Op::delete("t", b""), Code::InvalidKey),
        (Op::put("t", &long_key, Kind::BYTES, b""), Code::InvalidKey),
        (Op::put("t", b"k", Kind::JSON, b"\xff"), Code::InvalidValue),
        (Op::put("t", b"k", Kind::JSON, b"1").expires_at(f64::NAN), Code::InvalidExpiration),
        (
            Op::put("t", b"k", Kind::JSON, b"1").dictionary(cairndb::DictionaryId::from_number(3)),
            Code::UnknownDictionary,
        ),
    ];
    for (op, code) in bad {
        let good = Op::put("t", b"good", Kind::BYTES, b"");
        assert_eq!(scratch.db.commit(&[good, op], Durability::Os).unwrap_err().code(), code);
    }
    assert_eq!(scratch.db.tables().unwrap(), [""; 0]);
}

#[test]
fn the_longest_names_and_keys_and_the_emptiest_values_work() {
    let mut scratch = Scratch::new();
    let table = "\u{1F5FF}".repeat(255);
    let key = vec![0xff; MAX_KEY_BYTES];
    scratch.db.commit(&[Op::put(&table, &key, Kind::BYTES, b"")], Durability::Os).unwrap();
    scratch.db.checkpoint().unwrap();
    scratch.reopen();
    assert_eq!(scratch.db.get(&table, &key).unwrap().unwrap().value, b"");
}

#[test]
fn names_that_differ_only_in_case_are_different_tables() {
    let mut scratch = Scratch::new();
    scratch.put("Users", "k", "upper");
    scratch.put("users", "k", "lower");
    scratch.db.checkpoint().unwrap();
    scratch.reopen();
    assert_eq!(scratch.get("Users", "k").as_deref(), Some("upper"));
    assert_eq!(scratch.get("users", "k").as_deref(), Some("lower"));
}

#[test]
fn every_level_of_durability_is_there_after_closing() {
    let mut scratch = Scratch::new();
    for (key, level) in [(b"e", Durability::Eventual), (b"o", Durability::Os), (b"f", Durability::Full)] {
        scratch.db.commit(&[Op::put("t", key, Kind::BYTES, b"v")], level).unwrap();
        assert_eq!(scratch.db.get("t", key).unwrap().unwrap().value, b"v");
    }
    scratch.reopen();
    assert_eq!(scratch.db.len("t").unwrap(), 3);
}

#[test]
fn what_was_acknowledged_from_memory_survives_letting_the_database_go() {
    let mut scratch = Scratch::new();
    scratch.db.commit(&[Op::put("t", b"k", Kind::BYTES, b"v")], Durability::Eventual).unwrap();
    scratch.abandon();
    assert_eq!(scratch.get("t", "k").as_deref(), Some("v"));
}

#[test]
fn threads_that_write_at_once_lose_nothing() {
    let mut scratch = Scratch::new();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let db = scratch.db.clone();
            scope.spawn(move || {
                for n in 0..200 {
                    let key = format!("{thread}-{n}");
                    let level = if n % 10 == 0 { Durability::Full } else { Durability::Os };
                    db.commit(&[Op::put("t", key.as_bytes(), Kind::BYTES, b"v")], level).unwrap();
                    db.commit(&[Op::put("t", b"shared", Kind::BYTES, b"v")], Durability::Os).unwrap();
                }
            });
        }
    });
    for _ in 0..2 {
        assert_eq!(scratch.db.len("t").unwrap(), 1601);
        assert_eq!(scratch.version("t", "shared"), 1600);
        scratch.reopen();
    }
}

#[test]
fn a_closed_database_refuses_everything_with_one_code() {
    let scratch = Scratch::new();
    scratch.put("t", "k", "v");
    let db = scratch.db.clone();
    db.close().unwrap();
    db.close().unwrap();
    let closed = |error: cairndb::Error| assert_eq!(error.code(), Code::Closed);
    closed(db.commit(&[Op::delete("t", b"k")], Durability::Os).unwrap_err());
    closed(db.get("t", b"k").unwrap_err());
    closed(db.scan("t", &cairndb::Range::all()).err().unwrap());
    closed(db.tables().unwrap_err());
    closed(db.len("t").unwrap_err());
    closed(db.drop_table("t", Durability::Os).unwrap_err());
    closed(db.cleanup_expired("t").unwrap_err());
    closed(db.define_dictionary("d", &[("a", "b")]).unwrap_err());
    closed(db.flush().unwrap_err());
    closed(db.checkpoint().unwrap_err());
    closed(db.compact().unwrap_err());
    closed(db.verify().unwrap_err());
}

#[test]
fn a_packed_value_that_could_not_be_read_back_is_refused() {
    let scratch = Scratch::new();
    let put = |value: &[u8]| scratch.db.commit(&[Op::put("t", b"k", Kind::PACKED, value)], Durability::Os);
    // No bytes, a token too many, characters that are not there, a shape that is not there.
    for value in [&b""[..], b"\x02\xc0\xc0", b"\x01\x82a", b"\x02\xf0\x01"] {
        assert_eq!(put(value).unwrap_err().code(), Code::InvalidValue, "{value:x?}");
    }
    assert!(scratch.db.tables().unwrap().is_empty());
    assert_eq!(scratch.db.define_shape(&["a"]).unwrap(), Some(0));
    put(b"\x02\xf0\x01").unwrap();
    let record = scratch.db.get("t", b"k").unwrap().unwrap();
    assert_eq!(scratch.db.unpack(&record).unwrap().get("a"), Some(&cairndb::Value::Number(1.0)));
}

#[test]
fn a_commit_of_more_than_a_gibibyte_is_refused_before_anything_is_written() {
    let scratch = Scratch::new();
    scratch.put("t", "before", "v");
    let before = scratch.size();
    // The values alone are just as many bytes as may be; the keys are too many.
    let value = vec![0; cairndb::MAX_COMMIT_BYTES / 16];
    let keys: Vec<[u8; 1]> = (0..16).map(|key| [key]).collect();
    let ops: Vec<Op<'_>> = keys.iter().map(|key| Op::put("t", key, Kind::BYTES, &value)).collect();
    let error = scratch.db.commit(&ops, Durability::Os).unwrap_err();
    assert_eq!(error.code(), Code::TooLarge, "{error}");
    assert_eq!((scratch.db.len("t").unwrap(), scratch.size()), (1, before));
}

#[test]
fn a_commit_that_changes_nothing_writes_nothing() {
    let scratch = Scratch::new();
    scratch.put("t", "k", "v");
    let before = scratch.size();
    scratch.delete("t", "missing");
    scratch.delete("nothing", "missing");
    scratch.db.commit(&[Op::put("t", b"k", Kind::BYTES, b"w").if_version(7)], Durability::Os).unwrap();
    scratch.db.commit(&[], Durability::Os).unwrap();
    assert_eq!(scratch.size(), before);
}

#[test]
fn what_was_written_is_counted_in_records_and_in_bytes_of_keys_and_values() {
    let scratch = Scratch::new();
    let ops = [Op::put("t", b"a", Kind::BYTES, b"12345"), Op::put("t", b"bc", Kind::BYTES, b""), Op::delete("t", b"a")];
    scratch.db.commit(&ops, Durability::Os).unwrap();
    let stats = scratch.db.stats();
    assert_eq!((stats.written_records, stats.written_bytes), (3, (1 + 5) + 2 + 1));
}

#[test]
fn shapes_are_told_from_a_number_on() {
    let scratch = Scratch::new();
    assert!(scratch.db.shapes(0).is_empty());
    assert_eq!(scratch.db.define_shape(&["name", "tags"]).unwrap(), Some(0));
    assert_eq!(scratch.db.define_shape(&["id"]).unwrap(), Some(1));
    assert_eq!(scratch.db.shapes(0), [vec!["name", "tags"], vec!["id"]]);
    assert_eq!(scratch.db.shapes(1), [["id"]]);
    assert!(scratch.db.shapes(2).is_empty());
}
