//! FORMAT.md against the code: a reader that knows the page alone reads what the engine writes.

mod document;
mod fixture;
mod journal;
mod reader;
mod stone;

use std::collections::BTreeSet;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use document::{Document, anchor, code, parse_hex};
use fixture::{Fixture, everything, example, open_copy};
use reader::{Files, read_database, region_digest, sha256};

use crate::packed::{self, Shape};
use crate::{
    Durability, Elements, Kind, MAX_COMMIT_BYTES, MAX_KEY_BYTES, MAX_TABLE_BYTES, MAX_VALUE_BYTES, Op, Text, Value,
};

const PAGE: &str = include_str!("../../../FORMAT.md");

fn page() -> Document {
    Document::parse(PAGE).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What both readers, the page's and the engine, make of these files.
fn assert_same(document: &Document, files: &Files, now: u64, what: &str) {
    let ours = read_database(document, files, now).map(|(contents, _)| contents);
    let engine = open_copy(files, now);
    match (&ours, &engine) {
        (Ok(contents), Ok(engine)) => assert_eq!(*contents, engine.contents(), "{what}"),
        (Err(_), Err(error)) => assert_eq!(error.code(), crate::Code::Corrupt, "{what}"),
        _ => panic!("{what}: the page says {:?}, the engine {:?}", ours.map(drop), engine.map(drop)),
    }
}

#[test]
fn a_reader_of_the_page_finds_what_the_engine_says() {
    let fixture = everything();
    let files = fixture.files();
    assert!(files.keys().filter(|name| name.ends_with(".journal")).count() >= 2);
    let (contents, _) = read_database(&page(), &files, fixture.now()).unwrap();
    assert_eq!(contents, fixture.contents());
    assert_eq!(contents["bulk"].len(), 200);
    assert_eq!(contents["sessions"].len(), 31);
    assert_eq!(contents["tiny"][&b"carried"[..]].version, 2);
    assert_eq!(contents["readings"][&b"changed"[..]].dictionary.as_deref(), Some("reading"));
}

#[test]
fn the_reader_agrees_with_the_engine_after_every_step_of_a_databases_life() {
    let fixture = everything();
    let document = page();
    let check = |fixture: &Fixture| {
        let read = read_database(&document, &fixture.files(), fixture.now()).map(|(contents, _)| contents);
        assert_eq!(read, Ok(fixture.contents()));
    };
    check(&fixture);
    fixture.db.cleanup_expired("sessions").unwrap();
    check(&fixture);
    fixture.db.checkpoint().unwrap();
    check(&fixture);
    fixture.db.commit(&[Op::delete("other", &[0, 255])], Durability::Full).unwrap();
    check(&fixture);
    fixture.db.compact().unwrap();
    check(&fixture);
    fixture.db.close().unwrap();
    let read = read_database(&document, &fixture.files(), fixture.now()).map(|(contents, _)| contents);
    assert_eq!(read, Ok(open_copy(&fixture.files(), fixture.now()).unwrap().contents()));
}

/// The page with one row of a table left out, or with one number or constant in it changed.
fn changed_pages(used: &BTreeSet<(String, String)>) -> Vec<(String, String)> {
    let lines: Vec<&str> = PAGE.lines().collect();
    let (mut section, mut columns, mut pages) = (String::new(), Vec::new(), Vec::new());
    for (index, line) in lines.iter().enumerate() {
        if let Some(heading) = line.strip_prefix('#') {
            section = anchor(heading.trim_start_matches('#'));
        }
        if !line.starts_with('|') {
            columns = Vec::new();
        } else if columns.is_empty() {
            columns = line.split('|').map(str::trim).collect();
        } else if !line.starts_with("| -")
            && columns.iter().any(|name| used.contains(&(section.clone(), name.to_string())))
        {
            for row in changed_rows(&columns, line) {
                let mut page = lines.clone();
                page[index] = &row;
                pages.push((format!("{section}: {line} -> {row}"), page.join("\n")));
            }
        }
    }
    pages
}

fn changed_rows(columns: &[&str], line: &str) -> Vec<String> {
    let cells: Vec<&str> = line.split('|').collect();
    let mut rows = vec![String::new()];
    for (index, column) in columns.iter().enumerate() {
        let told = ["offset", "type", "if", "code", "value", "input", "result", "number", "kind"];
        let changed = match (*column, cells[index]) {
            ("field", cell) => code(cell).map(|constant| cell.replace(constant, &bumped(constant))),
            (name, cell) if told.contains(&name) && cell.contains(|c: char| c.is_ascii_digit()) => Some(bumped(cell)),
            _ => None,
        };
        if let Some(cell) = &changed {
            let mut row = cells.clone();
            row[index] = cell;
            rows.push(row.join("|"));
        }
    }
    rows
}

/// The text with its first digit, or else its first letter, changed.
fn bumped(text: &str) -> String {
    let at = text.find(|c: char| c.is_ascii_digit()).or(text.find(|c: char| c.is_ascii_alphabetic())).unwrap();
    format!("{}{}{}", &text[..at], (text.as_bytes()[at] ^ 1) as char, &text[at + 1..])
}

#[test]
fn every_row_of_the_tables_matters() {
    let fixture = everything();
    let (files, document) = (fixture.files(), page());
    let expected = read_database(&document, &files, fixture.now());
    assert!(expected.is_ok());
    let pages = changed_pages(&document.used.borrow());
    assert!(pages.len() > 200, "{}", pages.len());
    for (what, text) in pages {
        let read = Document::parse(&text).and_then(|document| read_database(&document, &files, fixture.now()));
        assert!(read != expected, "{what}");
    }
}

#[test]
fn the_checks_are_those_of_their_specifications() {
    for row in page().rows("checks", "check").unwrap() {
        let input = code(&row["input"]).unwrap_or_default().as_bytes();
        let result = match row["check"].as_str() {
            "CRC-32C" => hex(&crc32c::crc32c(input).to_be_bytes()),
            "SHA-256" => hex(&sha256(input)),
            "region digest" => hex(&region_digest(input)),
            "XXH3-64, seed 0" => hex(&xxh3_64_with_seed(input, 0).to_be_bytes()),
            "XXH3-64, seed 1" => hex(&xxh3_64_with_seed(input, 1).to_be_bytes()),
            other => panic!("what is {other}?"),
        };
        assert_eq!(code(&row["result"]), Some(&*result), "{row:?}");
    }
}

#[test]
fn kinds_and_limits_are_those_of_the_code() {
    let document = page();
    let kinds = document.rows("values", "kind").unwrap();
    let known = [("bytes", Kind::BYTES), ("JSON", Kind::JSON), ("packed", Kind::PACKED)];
    assert_eq!(kinds.len(), known.len());
    for (row, (name, kind)) in kinds.iter().zip(known) {
        assert_eq!((row["value"].as_str(), row["kind"].parse()), (name, Ok(kind.number())));
    }
    let limits = document.rows("limits", "limit").unwrap();
    let known = [
        ("table name", MAX_TABLE_BYTES),
        ("key", MAX_KEY_BYTES),
        ("value", MAX_VALUE_BYTES),
        ("commit", MAX_COMMIT_BYTES),
        ("kinds", Kind::LIMIT.into()),
    ];
    assert_eq!(limits.len(), known.len());
    for (row, (name, limit)) in limits.iter().zip(known) {
        assert_eq!((row["limit"].as_str(), code(&row["value"])), (name, Some(&*limit.to_string())));
    }
}

/// A value as the examples of the page write it.
fn shown(value: &Value) -> String {
    match value {
        Value::Undefined => "undefined".into(),
        Value::BigInteger(digits) => format!("{digits}n"),
        Value::Date(time) => format!("Date({time})"),
        Value::Map(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|(key, value)| format!("[{},{}]", shown(key), shown(value))).collect();
            format!("Map([{}])", entries.join(","))
        }
        Value::Set(items) => format!("Set({})", serde_json::to_string(items).unwrap()),
        Value::Bytes(bytes) => format!("Bytes({})", bytes.escape_ascii()),
        Value::Elements(Elements { kind, bytes }) => format!("Elements({kind}, {})", bytes.escape_ascii()),
        Value::String(Text::Utf16(units)) => {
            format!("\"{}\"", units.iter().map(|unit| format!("\\u{unit:x}")).collect::<String>())
        }
        plain => serde_json::to_string(plain).unwrap(),
    }
}

#[test]
fn tokens_are_those_of_the_code() {
    let document = page();
    let shapes = [Arc::new(Shape::new(["a", "b", "c"]).unwrap())];
    let mut next = 0;
    for row in document.rows("packed-values", "token").unwrap() {
        let range = row["token"].split('`').skip(1).step_by(2).map(|byte| u32::from_str_radix(byte, 16).unwrap());
        let range: Vec<u32> = range.collect();
        let (first, last) = (range[0], *range.last().unwrap());
        assert_eq!(first, next, "tokens have no gaps: {row:?}");
        next = last + 1;
        let (head, tail) = code(&row["bytes"]).unwrap().split_once("\\|").unwrap();
        let [head, tail] = [head, tail].map(|text| parse_hex(&[text]).unwrap());
        assert!((first..=last).contains(&u32::from(head[0])), "{row:?}");
        let bytes = [&[head.len() as u8][..], &head, &tail].concat();
        assert!(packed::check(&bytes, &shapes), "{row:?}");
        let value = packed::decode(&bytes, &shapes, None).unwrap();
        assert_eq!(Some(&*shown(&value)), code(&row["example"]), "{row:?}");
        let mut shape_of = |keys: &[&str]| Ok((keys == ["a", "b", "c"]).then_some(0));
        let again = packed::encode(&value, &mut shape_of).unwrap();
        let may_be_another = ["c4", "d8", "d9", "da"].iter().any(|token| row["token"].contains(token));
        assert!(again == bytes || may_be_another, "the code packs {row:?} as {again:x?}");
    }
    assert_eq!(next, 256);
}

#[test]
fn the_worked_example_is_what_the_engine_writes_and_reads_as_the_page_says() {
    let fixture = example();
    let document = page();
    for (name, bytes) in fixture.files() {
        let shown = document.files.get(&name).map(|bytes| hex(bytes));
        assert_eq!(shown, Some(hex(&bytes)), "{name}");
    }
    assert_eq!(document.files.len(), fixture.files().len());
    let (contents, _) = read_database(&document, &document.files, fixture.now()).unwrap();
    assert_eq!(contents, fixture.contents());
    assert_eq!(contents["users"][&b"alice"[..]].value, br#"{"name":"Alice"}"#);
    assert_eq!(contents["users"].len(), 1);
    assert_eq!(contents["log"][&b"k"[..]].value, br#"{"name":1}"#);
}

/// A database with commits at these levels, opened again between the lists of them.
fn committed(runs: &[&[Durability]]) -> Fixture {
    let mut fixture = Fixture::new();
    for (run, levels) in runs.iter().enumerate() {
        if run > 0 {
            fixture.reopen();
        }
        for (n, level) in levels.iter().enumerate() {
            let value = [run as u8, n as u8];
            fixture.db.commit(&[Op::put("t", &[n as u8 + 1], Kind::BYTES, &value)], *level).unwrap();
        }
    }
    fixture
}

/// The files without the zeros that are written ahead, which make searching for frames long.
fn trimmed(mut files: Files) -> Files {
    for bytes in files.values_mut() {
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(used + 16);
    }
    files
}

#[test]
fn where_the_journal_is_damaged_or_cut_both_readers_agree() {
    use Durability::{Full, Os};
    // What was on the disk is known to: later frames, except of the last ones; the next header alone; a manifest.
    let closed = committed(&[&[Os, Os]]);
    closed.db.close().unwrap();
    let (mut good, mut refused) = (0, 0);
    for fixture in
        [committed(&[&[Full, Os, Full, Os, Os], &[Os, Full, Os, Os]]), committed(&[&[Os, Os], &[Os]]), closed]
    {
        let (files, now, document) = (trimmed(fixture.files()), fixture.now(), page());
        for name in files.keys().filter(|name| name.ends_with(".journal")) {
            for at in 0..files[name].len() {
                let mut damaged = [files.clone(), files.clone()];
                damaged[0].get_mut(name).unwrap().truncate(at);
                damaged[1].get_mut(name).unwrap()[at] ^= 0x10;
                for (files, what) in damaged.iter().zip(["cut", "damaged"]) {
                    assert_same(&document, files, now, &format!("{name} {what} at {at}"));
                    let read = read_database(&document, files, now).is_ok();
                    (good, refused) = (good + usize::from(read), refused + usize::from(!read));
                }
            }
        }
    }
    assert!(good > 50 && refused > 500, "{good} read, {refused} refused");
}

#[test]
fn where_manifests_are_damaged_or_missing_both_readers_agree() {
    let fixture = Fixture::new();
    fixture.put("t", "k", "1");
    fixture.db.checkpoint().unwrap();
    fixture.put("t", "k", "2");
    fixture.db.checkpoint().unwrap();
    fixture.put("t", "k", "3");
    let (files, now, document) = (fixture.files(), fixture.now(), page());
    assert_same(&document, &files, now, "sound");
    for name in files.keys() {
        let mut missing = files.clone();
        missing.remove(name);
        assert_same(&document, &missing, now, &format!("without {name}"));
        if name.ends_with(".manifest") {
            for at in (0..files[name].len()).step_by(7) {
                let mut damaged = files.clone();
                damaged.get_mut(name).unwrap()[at] ^= 0x40;
                assert_same(&document, &damaged, now, &format!("{name} damaged at {at}"));
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_a_stone_is_refused() {
    let files = example().files();
    let (name, stone) = files.iter().find(|(name, _)| name.ends_with(".stone")).unwrap();
    for bit in 0..stone.len() * 8 {
        let mut damaged = files.clone();
        damaged.get_mut(name).unwrap()[bit / 8] ^= 1 << (bit % 8);
        assert!(read_database(&page(), &damaged, 0).is_err(), "bit {bit}");
    }
}
