//! Files that somebody put there to do harm: refused with a typed error, with no more memory than they have bytes, and
//! nothing is read or written through a link.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use cairndb::{Code, Database, Durability, Kind, Op, Options};
use common::Scratch;
use sha2::{Digest, Sha256};

/// A database with files of every kind, closed.
fn closed() -> Scratch {
    let scratch = Scratch::new();
    scratch.put("t", "in a stone", "1");
    scratch.db.checkpoint().unwrap();
    scratch.put("t", "in the journal", "2");
    scratch.db.close().unwrap();
    scratch
}

fn open(directory: &Path) -> cairndb::Result<Database> {
    Database::open(directory, Options::default())
}

/// The newest file of a kind.
fn newest(directory: &Path, kind: &str) -> PathBuf {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == kind)).max().unwrap()
}

#[test]
#[cfg(unix)]
fn only_the_owner_may_look_into_a_database() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("one/two");
    let db = open(&directory).unwrap();
    db.commit(&[Op::put("t", b"k", Kind::BYTES, b"v")], Durability::Full).unwrap();
    db.checkpoint().unwrap();
    db.commit(&[Op::put("t", b"k", Kind::BYTES, b"w")], Durability::Full).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&parent.path().join("one")), mode(&directory)), (0o700, 0o700));
    let mut kinds = Vec::new();
    for entry in fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        kinds.push(path.extension().map(|kind| kind.to_string_lossy().into_owned()).unwrap_or_default());
    }
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds, ["", "journal", "manifest", "stone"]);
}

#[test]
#[cfg(unix)]
fn a_link_in_the_place_of_a_file_is_refused_and_not_followed() {
    use std::os::unix::fs::symlink;
    for kind in ["manifest", "journal", "stone", "lock"] {
        let (scratch, aside) = (closed(), tempfile::tempdir().unwrap());
        let directory = scratch.directory.path();
        let path = if kind == "lock" { directory.join(kind) } else { newest(directory, kind) };
        let target = aside.path().join("target");
        fs::rename(&path, &target).unwrap();
        let before = fs::read(&target).unwrap();
        symlink(&target, &path).unwrap();
        let error = open(directory).unwrap_err();
        assert!(matches!(error.code(), Code::Io | Code::Directory), "{kind}: {error}");
        assert_eq!(fs::read(&target).unwrap(), before, "{kind}");
        // The file itself in its place again: nothing else was changed.
        fs::remove_file(&path).unwrap();
        fs::rename(&target, &path).unwrap();
        assert!(open(directory).unwrap().get("t", b"in a stone").unwrap().is_some(), "{kind}");
    }
}

#[test]
#[cfg(unix)]
fn the_directory_may_be_a_link() {
    let (scratch, aside) = (closed(), tempfile::tempdir().unwrap());
    let link = aside.path().join("link");
    std::os::unix::fs::symlink(scratch.directory.path(), &link).unwrap();
    let db = open(&link).unwrap();
    assert!(db.get("t", b"in the journal").unwrap().is_some());
    assert_eq!(open(scratch.directory.path()).unwrap_err().code(), Code::Locked, "it is the same directory");
}

#[test]
#[cfg(unix)]
fn a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for() {
    for kind in ["manifest", "journal", "stone"] {
        let scratch = closed();
        let path = newest(scratch.directory.path(), kind);
        fs::remove_file(&path).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(open(scratch.directory.path()).unwrap_err().code(), Code::Io, "{kind}");
    }
}

/// A manifest with a right seal.
fn manifest(numbers: [u64; 3], body: &[u8]) -> Vec<u8> {
    let mut bytes = b"CAIRNMAN".to_vec();
    bytes.extend(1_u32.to_le_bytes());
    numbers.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
    bytes.extend(body);
    let seal = Sha256::digest(&bytes);
    bytes.extend(seal);
    bytes
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Varints one after the other.
fn varints(numbers: &[u64]) -> Vec<u8> {
    let mut out = Vec::new();
    numbers.iter().for_each(|&number| varint(number, &mut out));
    out
}

/// Opens a directory with this manifest alone, writes and reads.
fn open_manifest(generation: u64, bytes: &[u8]) -> cairndb::Result<()> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(format!("{generation:012}.manifest")), bytes).unwrap();
    let db = open(directory.path())?;
    db.commit(&[Op::put("t", b"k", Kind::BYTES, b"v")], Durability::Full)?;
    db.checkpoint()?;
    db.close()?;
    assert!(open(directory.path())?.get("t", b"k")?.is_some());
    Ok(())
}

#[test]
fn a_sealed_manifest_of_nothing_is_read() {
    // First segment, durable segment and offset, next stone, next table, no tables, no dictionaries, no shapes.
    open_manifest(7, &manifest([1, 7, 0], &varints(&[1, 0, 0, 1, 1, 0, 0, 0]))).unwrap();
}

#[test]
fn counts_and_numbers_without_bounds_are_refused() {
    const MANY: u64 = 1 << 60;
    const LAST: u64 = u64::MAX;
    let bodies: [&[u64]; 20] = [
        &[1, 0, 0, 1, 1, MANY, 0],
        &[1, 0, 0, 1, 1, LAST],
        &[1, 0, 0, 1, 1, 0, MANY],
        &[1, 0, 0, 1, 1, 0, LAST, 0],
        // So many shapes, and so many keys of one, or bytes of a key; a key twice; more keys than a shape has.
        &[1, 0, 0, 1, 1, 0, 0, MANY],
        &[1, 0, 0, 1, 1, 0, 0, 1, MANY],
        &[1, 0, 0, 1, 1, 0, 0, 1, 1, LAST],
        &[1, 0, 0, 1, 1, 0, 0, 1, 2, 1, 107, 1, 107],
        &[1, 0, 0, 1, 1, 0, 0, 1, 257],
        // A name of 2^60 bytes, and one of 2^64 - 1.
        &[1, 0, 0, 1, 2, 1, 1, MANY, 0],
        &[1, 0, 0, 1, 2, 1, 1, LAST, 0],
        // A table with that many stones.
        &[1, 0, 0, 1, 2, 1, 1, 1, 116, 0, 0, 0, MANY, 0],
        // A dictionary of that many pairs.
        &[1, 0, 0, 1, 1, 0, 1, 1, 100, MANY],
        // Numbers after which none could follow.
        &[LAST, 0, 0, 1, 1, 0, 0, 0],
        &[1 << 62, 0, 0, 1, 1, 0, 0, 0],
        &[1, LAST, 0, 1, 1, 0, 0, 0],
        &[1, 0, 0, LAST, 1, 0, 0, 0],
        &[1, 0, 0, 1, u32::MAX as u64, 0, 0, 0],
        &[1, 0, 0, 1, LAST, 0, 0, 0],
        // A table that is not below the next one.
        &[1, 0, 0, 1, 1, 1, 1, 1, 116, 0, 0, 0, 0, 0, 0],
    ];
    for body in bodies {
        let error = open_manifest(7, &manifest([1, 7, 0], &varints(body))).unwrap_err();
        assert_eq!(error.code(), Code::Corrupt, "{body:?}: {error}");
    }
}

#[test]
fn a_durable_place_beyond_all_segments_is_damage() {
    for durable in [[1, 1], [1, u64::MAX], [(1 << 62) - 1, u64::MAX]] {
        let body = varints(&[1, durable[0], durable[1], 1, 1, 0, 0, 0]);
        assert_eq!(open_manifest(7, &manifest([1, 7, 0], &body)).unwrap_err().code(), Code::Corrupt);
    }
}

#[test]
fn a_stone_of_a_size_that_no_file_has_is_refused() {
    let mut body = varints(&[1, 0, 0, 9, 2, 1, 1, 1, 116, 0, 0, 0, 1, 3, u64::MAX, u64::MAX, 0]);
    body.extend([0; 32]);
    body.extend([0, 0]);
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("000000000007.manifest"), manifest([1, 7, 0], &body)).unwrap();
    assert_eq!(open(directory.path()).unwrap_err().code(), Code::Corrupt);
    fs::write(directory.path().join("000000000003.stone"), b"short").unwrap();
    assert_eq!(open(directory.path()).unwrap_err().code(), Code::Corrupt);
}

#[test]
fn generations_and_files_with_enormous_numbers_are_left_alone() {
    let scratch = closed();
    let mut names = Vec::new();
    for kind in ["manifest", "journal", "stone"] {
        for number in [u64::MAX, 1 << 62] {
            names.push(scratch.directory.path().join(format!("{number}.{kind}")));
            fs::write(names.last().unwrap(), manifest([1, number, 0], b"")).unwrap();
        }
    }
    let db = open(scratch.directory.path()).unwrap();
    assert!(db.get("t", b"in a stone").unwrap().is_some());
    db.commit(&[Op::put("t", b"k", Kind::BYTES, b"v")], Durability::Full).unwrap();
    db.checkpoint().unwrap();
    names.iter().for_each(|name| assert!(name.exists(), "{name:?}"));
    drop(db);
    assert!(open(scratch.directory.path()).unwrap().get("t", b"k").unwrap().is_some());
}

#[test]
#[cfg(unix)]
fn files_that_are_enormous_and_empty_take_neither_memory_nor_long() {
    for (kind, len) in [("manifest", 1_u64 << 40), ("stone", 1 << 40), ("journal", 64 << 20)] {
        let scratch = closed();
        let path = newest(scratch.directory.path(), kind);
        let file = fs::File::options().write(true).open(&path).unwrap();
        // A hole, of which the disk holds nothing.
        if file.set_len(len).is_err() {
            continue;
        }
        match open(scratch.directory.path()) {
            // Zeros behind the journal, or a generation before that says the same.
            Ok(db) => assert!(db.get("t", b"in a stone").unwrap().is_some(), "{kind}"),
            Err(error) => assert_eq!(error.code(), Code::Corrupt, "{kind}: {error}"),
        }
    }
}

#[test]
fn values_nested_without_bounds_are_mapped_without_recursion() {
    let mut scratch = Scratch::new();
    let dictionary = scratch.db.define_dictionary("d", &[("long", "l")]).unwrap();
    let depth = 200_000;
    let value = [r#"{"long":"#.repeat(depth), "1".into(), "}".repeat(depth)].concat();
    let op = Op::put("t", b"deep", Kind::JSON, value.as_bytes()).dictionary(dictionary);
    scratch.db.commit(&[op], Durability::Os).unwrap();
    scratch.reopen();
    assert!(scratch.db.get("t", b"deep").unwrap().unwrap().value == *value.as_bytes());
}

#[test]
fn a_manifest_under_the_name_of_another_generation_is_refused_where_its_number_stands() {
    let scratch = closed();
    let forged = scratch.directory.path().join("000000000099.manifest");
    fs::copy(newest(scratch.directory.path(), "manifest"), &forged).unwrap();
    for number in 1..99 {
        let _may_not_be_there = fs::remove_file(scratch.directory.path().join(format!("{number:012}.manifest")));
    }
    let error = open(scratch.directory.path()).unwrap_err();
    assert_eq!((error.code(), error.path(), error.offset()), (Code::Corrupt, Some(&*forged), Some(20)));
}
