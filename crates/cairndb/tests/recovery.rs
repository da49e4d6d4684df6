//! Opening again: after a clean close, after a crash, after damage.

mod common;

use std::fs;
use std::path::Path;

use cairndb::{Code, Database, Durability, Kind, Op, Options};
use common::Scratch;

fn damage(scratch: &Scratch, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let path = scratch.directory.path().join(name);
    let mut bytes = fs::read(&path).unwrap();
    change(&mut bytes);
    fs::write(&path, bytes).unwrap();
}

/// Opens a directory, writes twice and ends without closing, as often as there are lengths of values: a segment each, of
/// which the second write says that the first was on the disk.
fn segments(directory: &Path, lengths: &[usize], byte: u8) {
    for &len in lengths {
        let db = Database::open(directory, Options::default()).unwrap();
        for key in [b"k", b"l"] {
            db.commit(&[Op::put("t", key, Kind::BYTES, &vec![byte; len])], Durability::Full).unwrap();
        }
    }
}

fn open_error(scratch: &Scratch) -> cairndb::Error {
    Database::open(scratch.directory.path(), Options::default()).unwrap_err()
}

#[test]
fn everything_is_there_after_a_crash_without_closing() {
    let mut scratch = Scratch::new();
    for round in 0..5 {
        for n in 0..50 {
            scratch.put("t", &format!("{n}"), &format!("{round}"));
        }
        scratch.delete("t", "7");
        if round == 2 {
            scratch.db.checkpoint().unwrap();
        }
        scratch.abandon();
        assert_eq!(scratch.db.len("t").unwrap(), 49);
        assert_eq!(scratch.get("t", "8"), Some(round.to_string()));
        assert_eq!(scratch.version("t", "8"), round + 1);
        assert_eq!(scratch.get("t", "7"), None);
    }
}

#[test]
fn a_second_opener_is_told_who_holds_the_directory() {
    let scratch = Scratch::new();
    let error = open_error(&scratch);
    assert_eq!(error.code(), Code::Locked);
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    scratch.db.close().unwrap();
    Database::open(scratch.directory.path(), Options::default()).unwrap();
}

#[test]
fn a_directory_that_cannot_be_used_is_named_with_the_reason() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("file");
    fs::write(&file, "x").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = Database::open(&path, Options::default()).unwrap_err();
        assert_eq!(error.code(), Code::Directory, "{error}");
        assert!(error.to_string().contains("it is a file"), "{error}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"x");
}

#[test]
fn a_torn_last_write_is_cut_off_and_the_rest_stays() {
    let mut scratch = Scratch::new();
    scratch.put("t", "a", "first");
    let whole = fs::metadata(scratch.directory.path().join("000000000001.journal")).unwrap().len();
    scratch.put("t", "b", "second");
    let copy = tempfile::tempdir().unwrap();
    for name in scratch.files("") {
        fs::copy(scratch.directory.path().join(&name), copy.path().join(&name)).unwrap();
    }
    let torn = fs::metadata(copy.path().join("000000000001.journal")).unwrap().len();
    for len in (whole..torn).rev() {
        let file = fs::File::options().write(true).open(copy.path().join("000000000001.journal")).unwrap();
        file.set_len(len).unwrap();
        let db = Database::open(copy.path(), Options::default()).unwrap();
        assert_eq!(db.get("t", b"a").unwrap().unwrap().value, b"first");
        assert!(db.get("t", b"b").unwrap().is_none());
        drop(db);
    }
    scratch.reopen();
}

#[test]
fn after_a_clean_close_every_flipped_bit_of_the_journal_is_damage_not_a_crash() {
    let mut scratch = Scratch::new();
    scratch.put("t", "a", "first");
    scratch.put("t", "b", "second");
    scratch.db.close().unwrap();
    let name = "000000000001.journal";
    let length = fs::metadata(scratch.directory.path().join(name)).unwrap().len() as usize;
    for bit in 0..length * 8 {
        damage(&scratch, name, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        let error = open_error(&scratch);
        assert!(matches!(error.code(), Code::Corrupt | Code::Format), "bit {bit}: {error}");
        assert!(error.path().is_some());
        damage(&scratch, name, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
    }
    for len in 0..length {
        let whole = fs::read(scratch.directory.path().join(name)).unwrap();
        damage(&scratch, name, |bytes| bytes.truncate(len));
        assert_eq!(open_error(&scratch).code(), Code::Corrupt, "cut at {len}");
        damage(&scratch, name, |bytes| *bytes = whole);
    }
    fs::remove_file(scratch.directory.path().join(name)).unwrap();
    assert_eq!(open_error(&scratch).code(), Code::Corrupt);
    let elsewhere = tempfile::tempdir().unwrap();
    scratch.db = Database::open(elsewhere.path(), Options::default()).unwrap();
}

#[test]
fn damage_before_the_last_sync_is_noticed_without_a_clean_close() {
    let scratch = Scratch::new();
    for key in [b"a", b"b", b"c"] {
        scratch.db.commit(&[Op::put("t", key, Kind::BYTES, b"v")], Durability::Full).unwrap();
    }
    let copy = tempfile::tempdir().unwrap();
    for name in scratch.files("") {
        fs::copy(scratch.directory.path().join(&name), copy.path().join(&name)).unwrap();
    }
    let path = copy.path().join("000000000001.journal");
    let mut bytes = fs::read(&path).unwrap();
    bytes[90] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = Database::open(copy.path(), Options::default()).unwrap_err();
    assert_eq!((error.code(), error.offset()), (Code::Corrupt, Some(80)), "{error}");
}

#[test]
fn the_generation_before_serves_when_the_newest_is_lost() {
    for ending in [".manifest", ".stone"] {
        let mut scratch = Scratch::new();
        scratch.put("t", "a", "first");
        scratch.db.checkpoint().unwrap();
        scratch.put("t", "b", "second");
        scratch.db.checkpoint().unwrap();
        scratch.put("t", "c", "third");
        scratch.db.close().unwrap();
        let newest = scratch.files(ending).pop().unwrap();
        damage(&scratch, &newest, Vec::clear);
        scratch.db = Database::open(scratch.directory.path(), Options::default()).unwrap();
        for (key, value) in [("a", "first"), ("b", "second"), ("c", "third")] {
            assert_eq!(scratch.get("t", key).as_deref(), Some(value), "without the newest {ending}");
        }
        scratch.put("t", "d", "fourth");
        scratch.db.checkpoint().unwrap();
        scratch.reopen();
        assert_eq!(scratch.db.len("t").unwrap(), 4);
    }
}

#[test]
fn files_of_somebody_else_are_left_alone() {
    let mut scratch = Scratch::new();
    let names = [
        ".DS_Store",
        "notes.txt",
        "1.journal",
        "7.manifest",
        "a00000000007.manifest",
        "000000000001.journal.bak",
        "x.stone",
    ];
    for name in names {
        fs::write(scratch.directory.path().join(name), "mine").unwrap();
    }
    scratch.put("t", "k", "v");
    scratch.db.compact().unwrap();
    scratch.reopen();
    for name in names {
        assert_eq!(fs::read(scratch.directory.path().join(name)).unwrap(), b"mine");
    }
}

#[test]
fn leftovers_of_a_crash_are_removed() {
    let mut scratch = Scratch::new();
    scratch.put("t", "k", "v");
    scratch.db.close().unwrap();
    let leftovers = ["000000000077.stone", "000000000009.journal", "000000000005.manifest.tmp"];
    for name in leftovers {
        fs::write(scratch.directory.path().join(name), "half").unwrap();
    }
    scratch.db = Database::open(scratch.directory.path(), Options::default()).unwrap();
    for name in leftovers {
        assert!(!scratch.directory.path().join(name).exists(), "{name}");
    }
    assert_eq!(scratch.get("t", "k").as_deref(), Some("v"));
}

#[test]
fn database_files_without_a_manifest_are_not_taken_for_an_empty_database() {
    let mut scratch = Scratch::new();
    scratch.put("t", "k", "v");
    scratch.db.close().unwrap();
    for name in scratch.files(".manifest") {
        fs::remove_file(scratch.directory.path().join(name)).unwrap();
    }
    assert_eq!(open_error(&scratch).code(), Code::Corrupt);
    let elsewhere = tempfile::tempdir().unwrap();
    scratch.db = Database::open(elsewhere.path(), Options::default()).unwrap();
}

#[test]
fn a_large_journal_left_by_a_crash_is_replayed_and_then_moved_to_stones() {
    let mut scratch = Scratch::with(Options { memtable_bytes: 64 << 10, ..Options::default() });
    for n in 0..3000 {
        scratch.put("t", &format!("{n:06}"), &"x".repeat(200));
    }
    scratch.abandon();
    assert_eq!(scratch.db.len("t").unwrap(), 3000);
    assert_eq!(scratch.db.scan("t", &cairndb::Range::all()).unwrap().count(), 3000);
    assert!(!scratch.files(".stone").is_empty());
}

#[test]
fn a_tail_of_megabytes_is_brought_to_the_disk() {
    let mut scratch = Scratch::new();
    for n in 0..4 {
        scratch.put("t", &format!("{n}"), &"x".repeat(700_000));
    }
    for _ in 0..2 {
        scratch.abandon();
        assert_eq!(scratch.db.len("t").unwrap(), 4);
        assert_eq!(scratch.get("t", "3").map(|value| value.len()), Some(700_000));
    }
}

#[test]
fn damage_is_where_the_journal_breaks_and_not_where_something_speaks_of_it() {
    let mut scratch = Scratch::new();
    let put = |scratch: &Scratch, key: &str, len: usize| {
        let value = vec![7; len];
        scratch.db.commit(&[Op::put("t", key.as_bytes(), Kind::BYTES, &value)], Durability::Full).unwrap();
    };
    for n in 0..10 {
        put(&scratch, &format!("large {n}"), 2000);
    }
    scratch.abandon();
    // A later segment, in which all claims are of small offsets.
    for n in 0..3 {
        put(&scratch, &format!("small {n}"), 1);
    }
    let elsewhere = tempfile::tempdir().unwrap();
    scratch.db = Database::open(elsewhere.path(), Options::default()).unwrap();
    damage(&scratch, "000000000001.journal", |bytes| bytes[15_000] ^= 1);
    for header_too in [false, true] {
        if header_too {
            damage(&scratch, "000000000002.journal", |bytes| bytes[40] ^= 1);
        }
        let error = open_error(&scratch);
        assert_eq!(error.code(), Code::Corrupt);
        assert!(error.path().unwrap().ends_with("000000000001.journal"), "{error}");
        assert!((12_000..15_000).contains(&error.offset().unwrap()), "{error}");
    }
}

#[test]
fn what_a_crash_left_beside_a_lost_generation_is_in_nobodys_way() {
    let mut scratch = Scratch::new();
    scratch.put("t", "a", "first");
    scratch.db.checkpoint().unwrap();
    scratch.put("t", "b", "second");
    scratch.db.checkpoint().unwrap();
    scratch.db.close().unwrap();
    let newest = scratch.files(".manifest").pop().unwrap();
    damage(&scratch, &newest, Vec::clear);
    // The next generation, and the stone that it was to name, were being written.
    let generation: u64 = newest.split('.').next().unwrap().parse().unwrap();
    let stone: u64 = scratch.files(".stone").pop().unwrap().split('.').next().unwrap().parse().unwrap();
    for name in [format!("{:012}.manifest.tmp", generation + 1), format!("{:012}.stone", stone + 1)] {
        fs::write(scratch.directory.path().join(name), "half").unwrap();
    }
    scratch.db = Database::open(scratch.directory.path(), Options::default()).unwrap();
    scratch.put("t", "c", "third");
    scratch.db.checkpoint().unwrap();
    scratch.reopen();
    assert_eq!(scratch.db.len("t").unwrap(), 3);
    assert!(scratch.files(".tmp").is_empty());
}

/// Damages a segment of a directory; the error must name this place.
fn assert_damage_is_found(directory: &Path, number: u64, flipped: usize, offset: u64) {
    let path = directory.join(format!("{number:012}.journal"));
    let mut bytes = fs::read(&path).unwrap();
    bytes[flipped] ^= 0x40;
    fs::write(&path, bytes).unwrap();
    let error = Database::open(directory, Options::default()).unwrap_err();
    assert_eq!((error.code(), error.path(), error.offset()), (Code::Corrupt, Some(&*path), Some(offset)), "{flipped}");
}

#[test]
fn a_header_that_is_damaged_is_named_and_not_the_segment_before() {
    for (lengths, number) in [(&[1, 20, 300][..], 1), (&[1, 20, 300], 2), (&[1, 20, 300], 3), (&[500, 1], 2)] {
        for flipped in [8, 40] {
            let directory = tempfile::tempdir().unwrap();
            segments(directory.path(), lengths, 7);
            assert_damage_is_found(directory.path(), number, flipped, 0);
        }
    }
}

#[test]
fn a_header_alone_tells_that_the_segment_before_was_on_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    for level in [Durability::Full, Durability::Os] {
        let db = Database::open(directory.path(), Options::default()).unwrap();
        db.commit(&[Op::put("t", b"k", Kind::BYTES, b"v")], level).unwrap();
    }
    assert_damage_is_found(directory.path(), 1, 90, 80);
}

#[test]
fn the_last_frame_of_a_segment_is_named_when_later_segments_tell_of_it() {
    let directory = tempfile::tempdir().unwrap();
    segments(directory.path(), &[1, 1, 1], 7);
    let first = fs::read(directory.path().join("000000000001.journal")).unwrap();
    let second_frame = 80 + u64::from(u32::from_le_bytes(first[80..84].try_into().unwrap())) + 14;
    assert_damage_is_found(directory.path(), 1, second_frame as usize + 8, second_frame);
}

#[test]
fn a_journal_that_is_cut_after_closing_is_damaged_where_it_ends() {
    let scratch = Scratch::new();
    scratch.put("t", "a", "first");
    let whole = fs::metadata(scratch.directory.path().join("000000000001.journal")).unwrap().len();
    scratch.put("t", "b", "second");
    scratch.db.close().unwrap();
    damage(&scratch, "000000000001.journal", |bytes| bytes.truncate(bytes.len() - 1));
    let error = open_error(&scratch);
    assert_eq!((error.code(), error.offset()), (Code::Corrupt, Some(whole)), "{error}");
    assert!(error.path().unwrap().ends_with("000000000001.journal"), "{error}");
}

#[test]
fn a_segment_of_another_course_of_events_is_not_taken_for_ones_own() {
    // The segment before ended where it ends here, or earlier.
    for len in [2, 1] {
        let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        segments(own.path(), &[1], 7);
        for name in fs::read_dir(own.path()).unwrap().map(|entry| entry.unwrap().file_name()) {
            fs::copy(own.path().join(&name), other.path().join(&name)).unwrap();
        }
        segments(own.path(), &[2, 3], 7);
        segments(other.path(), &[len, 3], 8);
        let third = "000000000003.journal";
        fs::copy(other.path().join(third), own.path().join(third)).unwrap();
        let error = Database::open(own.path(), Options::default()).unwrap_err();
        let place = (error.path().and_then(Path::file_name).and_then(|name| name.to_str()), error.offset());
        assert_eq!((error.code(), place), (Code::Corrupt, (Some(third), Some(0))), "{error}");
    }
}

#[test]
fn a_segment_under_the_name_of_another_one_still_tells_what_was_on_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    segments(directory.path(), &[1], 7);
    let path = |number: u64| directory.path().join(format!("{number:012}.journal"));
    fs::rename(path(1), path(2)).unwrap();
    let error = Database::open(directory.path(), Options::default()).unwrap_err();
    assert_eq!((error.code(), error.path()), (Code::Corrupt, Some(&*path(1))), "{error}");
}

#[test]
fn a_generation_that_cannot_be_used_still_tells_how_far_the_journal_was_on_the_disk() {
    let scratch = Scratch::new();
    for key in ["a", "b"] {
        scratch.put("t", key, "v");
        scratch.db.checkpoint().unwrap();
    }
    scratch.put("t", "c", "v");
    scratch.db.close().unwrap();
    damage(&scratch, &scratch.files(".stone").pop().unwrap(), Vec::clear);
    let journal = scratch.files(".journal").pop().unwrap();
    damage(&scratch, &journal, |bytes| bytes.truncate(bytes.len() - 1));
    let error = open_error(&scratch);
    assert_eq!(error.code(), Code::Corrupt, "{error}");
    assert!(error.path().unwrap().ends_with(&journal), "{error}");
}
