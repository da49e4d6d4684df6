//! A directory of files that a fuzzer made up: opened, read and verified.

use std::path::Path;
use std::sync::Arc;

use cairndb::env::Env;
use cairndb::{Code, Database, Durability, Kind, Op, Options, Range, Result};
use cairndb_sim::SimEnv;

use crate::choices::Choices;

/// A file of a database: its number, what its name says behind that, and its bytes.
pub type File = (u64, &'static str, Vec<u8>);

const KINDS: [&str; 4] = ["journal", "stone", "manifest", "manifest.tmp"];

/// What the target takes: a byte of options, then for each file its kind, its number, its length and its bytes.
#[must_use]
pub fn pack(options: u8, files: &[File]) -> Vec<u8> {
    let mut bytes = vec![options];
    for (number, kind, content) in files {
        bytes.extend(KINDS.iter().position(|known| known == kind).map(|place| place as u8));
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(&(content.len() as u32).to_le_bytes());
        bytes.extend_from_slice(content);
    }
    bytes
}

fn unpack(bytes: &mut Choices<'_>) -> Vec<File> {
    let mut files = Vec::new();
    while !bytes.is_empty() {
        let (kind, number) = (KINDS[bytes.below(KINDS.len())], bytes.number());
        let mut len = [0; 4];
        let taken = bytes.take(4);
        len[..taken.len()].copy_from_slice(taken);
        files.push((number, kind, bytes.take(u32::from_le_bytes(len) as usize).to_vec()));
    }
    files
}

/// Opens the directory that the bytes describe. Whatever it holds, each call answers or refuses with an error that
/// says why, and what was read once is read again after a write, a compaction and a second open.
///
/// # Panics
/// If one does not.
pub fn database(bytes: &[u8]) {
    let mut bytes = Choices::new(bytes);
    let flags = bytes.byte();
    let mut files = unpack(&mut bytes);
    if flags & 1 == 0 {
        cairndb::fuzzing::mend_files(&mut files);
    }
    let env = SimEnv::new(1);
    env.create_dir(Path::new("db")).expect("an empty disk");
    for (number, kind, bytes) in &files {
        env.put_file(format!("db/{number:012}.{kind}"), bytes).expect("the directory is there");
    }
    let options = Options { mmap: flags & 2 == 0, memtable_bytes: 64 << 10, ..Options::default() };
    let mut damaged = false;
    if let Err(error) = visit(&env, &options, &mut damaged) {
        // A merge tells of records that are out of order; nothing that verifies has any.
        let expected = match error.code() {
            Code::Corrupt | Code::Format => true,
            Code::Internal => damaged,
            _ => false,
        };
        assert!(expected, "{:?}: {error}", error.code());
    }
}

fn visit(env: &SimEnv, options: &Options, damaged: &mut bool) -> Result<()> {
    let open = || Database::open_with(Arc::new(env.clone()), "db", options.clone());
    let db = open()?;
    *damaged = !db.verify()?.damage.is_empty();
    if let Err(error) = read(&db) {
        // The key or the table of somebody who did not ask whether it may have that name.
        let refused = [Code::Corrupt, Code::Format, Code::InvalidKey, Code::InvalidTable];
        assert!(refused.contains(&error.code()), "{:?}: {error}", error.code());
    }
    db.commit(&[Op::put("after", b"k", Kind::BYTES, b"v")], Durability::Full)?;
    let _stats = db.stats();
    drop(db);
    let db = open()?;
    assert_eq!(db.get("after", b"k")?.map(|record| record.value.to_vec()), Some(b"v".to_vec()));
    env.advance(options.sync_interval);
    db.compact()?;
    db.close()
}

/// Reads all rows of all tables, in both directions and by their keys.
fn read(db: &Database) -> Result<()> {
    for table in db.tables()? {
        db.len(&table)?;
        for range in [Range::all(), Range::all().reverse()] {
            for row in db.scan(&table, &range)? {
                let (key, _) = row?;
                db.get(&table, &key)?;
            }
        }
    }
    Ok(())
}
