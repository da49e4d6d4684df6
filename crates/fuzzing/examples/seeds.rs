//! Writes a seed corpus into the folder that is named: parts of databases as the engine makes them.
//!
//! `cargo run -p cairndb-fuzzing --example seeds -- fuzz/corpus`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs, io};

use cairndb::env::Env;
use cairndb::{Database, Durability, Kind, Op, Options};
use cairndb_fuzzing::{File, pack};
use cairndb_sim::driver::Driver;
use cairndb_sim::{Rng, SimEnv};

fn main() -> io::Result<()> {
    let folder = PathBuf::from(env::args().nth(1).expect("the folder of the corpus"));
    let mut seeds: BTreeMap<&str, Vec<Vec<u8>>> = BTreeMap::new();
    let mut directories = vec![every_kind()];
    directories.extend((1..9).map(history));
    for files in directories {
        for (_, kind, bytes) in &files {
            if bytes.len() <= 6000 {
                seeds.entry(kind).or_default().push(bytes.clone());
            }
        }
        let bytes = pack(0, &files);
        if bytes.len() <= 12_000 {
            seeds.entry("database").or_default().push(bytes);
        }
    }
    seeds.insert("record", records());
    seeds.insert("dictionary", dictionaries());
    seeds.insert("packed", packed());
    seeds.insert("ops_and_crash", (1..20).map(|seed| Rng::new(seed).bytes(40 + seed as usize * 10)).collect());
    for (target, seeds) in seeds {
        fs::create_dir_all(folder.join(target))?;
        for (number, bytes) in seeds.iter().take(24).enumerate() {
            fs::write(folder.join(target).join(format!("seed-{number:02}")), bytes)?;
        }
    }
    Ok(())
}

/// The files of a directory, without the zeros that were written ahead.
fn files(env: &SimEnv) -> Vec<File> {
    let file = |(path, mut bytes): (PathBuf, Vec<u8>)| {
        let (number, kind) = path.file_name()?.to_str()?.split_once('.')?;
        let kind = ["journal", "stone", "manifest"].into_iter().find(|known| *known == kind)?;
        if kind == "journal" {
            bytes.truncate(bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1));
        }
        Some((number.parse().ok()?, kind, bytes))
    };
    env.files().into_iter().filter_map(file).collect()
}

/// What a history leaves in the middle of it.
fn history(seed: u64) -> Vec<File> {
    let env = SimEnv::new(seed);
    let mut driver = Driver::new(env.clone(), seed);
    driver.open().expect("opens");
    for _ in 0..seed * 6 {
        driver.act().expect("works");
    }
    files(&env)
}

/// A small database with one of everything.
fn every_kind() -> Vec<File> {
    let env = SimEnv::new(1);
    let db = Database::open_with(Arc::new(env.clone()), "db", Options::default()).expect("opens");
    let dictionary = db.define_dictionary("d", &[("name", "n"), ("country", "c")]).expect("defines");
    let until = env.now() as f64 + 1000.5;
    let ops = [
        Op::put("users", b"alice", Kind::JSON, br#"{"name":"Alice","country":1}"#).dictionary(dictionary),
        Op::put("users", b"bob", Kind::BYTES, b"x").expires_at(until),
        Op::put("users", b"carol", Kind::PACKED, b"\x04\xb3\x01\x81\xc0x").joined(),
        Op::put("log", b"1", Kind::JSON, br#"[{"$date":1}]"#),
    ];
    db.commit(&ops, Durability::Full).expect("commits");
    db.checkpoint().expect("writes stones");
    db.commit(&[Op::delete("users", b"bob"), Op::put("new", b"k", Kind::BYTES, b"v")], Durability::Full)
        .expect("commits");
    db.checkpoint().expect("writes stones");
    db.commit(&[Op::put("log", b"2", Kind::JSON, b"{}")], Durability::Full).expect("commits");
    db.drop_table("new", Durability::Full).expect("drops");
    assert!(env.file_len(Path::new("db/000000000001.stone")).is_ok());
    files(&env)
}

/// A base time, a head, and what follows it.
fn records() -> Vec<Vec<u8>> {
    let time = 1_700_000_000_000_u64.to_le_bytes();
    let bodies: [&[u8]; 6] = [
        &[0, 1, 0, 3, 4, b'k', b'e', b'y', 1, 2, 3, 4],
        &[1, 2, 5, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 1, 2, b'k', 9, 9],
        &[0x0a, 1, 0xd0, 0x0f, 3, 1, 7, b'k', b'{', b'"', b'n', b'"', b':', b'1', b'}'],
        &[0x13, 0xff, 1, 1, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f, 2, 1, 1, b'k', 0],
        &[4, 0, 3, b'b', b'o', b'b'],
        &[0x18, 0x80, 0x80, 4, 1, 1, 3, b't', 4, 0, 1],
    ];
    bodies.iter().map(|body| [&time[..], body].concat()).collect()
}

/// Packed values of shapes 0 (`a`, `b`, `c`) and 1 (no keys), one token and several.
fn packed() -> Vec<Vec<u8>> {
    let values: [(&[u8], &[u8]); 16] = [
        (b"\x05", b""),
        (b"\x82", "n\u{e9}".as_bytes()),
        (b"\xc4\x40", &[b'x'; 64]),
        (b"\xc5\x01\x00\xd8", b""),
        (b"\xc7\x9a\x99\x99\x99\x99\x99\xb9\x3f", b""),
        (b"\xb3\xc9\x02\x01\xd1\x00\x01\xee", b""),
        (b"\xcf\x03", b"-10"),
        (b"\xd7\xc6\x00\x00\xc0\x7f", b""),
        (b"\xd8\x02\xd9\x00\x01\x02\x81\xd9\x01", b"x"),
        (b"\xda\x00\x05\xc2\xc3", b""),
        (b"\xdb\x02\x81\x07\xc5\x01\x00\xdc\xc0", b"k"),
        (b"\xdc\x02\x01\xb1\xb0\x81\xc1", b"k"),
        (b"\xdd\x02\xf0\x01\x02\x03\xf1", b""),
        (b"\xde\x03abc", b""),
        (b"\xdf\x08\x04\x00\x00\x80\x3f", b""),
        (b"\xb4\x81\x84\x80\x81", "a\u{1d11e}bc\u{fffd}".as_bytes()),
    ];
    values.iter().map(|(head, tail)| [&[head.len() as u8], *head, *tail].concat()).collect()
}

/// A dictionary, and text behind it.
fn dictionaries() -> Vec<Vec<u8>> {
    let pairs: &[u8] = b"\x01d\x03\x07country\x01c\x04name\x01n\x04swap\x04name";
    let one: &[u8] = b"\x01d\x01\x06sensor\x01s";
    let texts = [
        r#"{"name":"Alice","country":{"name":1}}"#,
        r#"[{"\u006eame":[{"other":"name"}]}, {"n":1}]"#,
        r#"{"sensor":1.50, "s\"":{"\ud800":null} ,"x" :[]}"#,
        r#""sensor":"sensor":"#,
        "{\"sensor\"\t\n:0}",
        "",
    ];
    texts.iter().flat_map(|text| [pairs, one].map(|dictionary| [dictionary, text.as_bytes()].concat())).collect()
}
