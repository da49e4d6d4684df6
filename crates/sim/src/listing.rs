//! Which files belong into the directory of a database: what FORMAT.md says, read by nobody's code but ours.

use std::collections::BTreeSet;
use std::path::Path;

use crate::env::SimEnv;

/// What a manifest says about files.
#[derive(Debug)]
struct Names {
    generation: u64,
    first_segment: u64,
    stones: BTreeSet<u64>,
}

/// Says what is wrong with the files of a database that was just opened: a temporary file, a stone that no manifest
/// names or that is missing, a segment that nobody needs or that is missing.
///
/// # Errors
/// With the first thing that is wrong.
pub fn check(env: &SimEnv, directory: &Path) -> Result<(), String> {
    let (mut manifests, mut segments, mut stones) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for name in env.names(directory) {
        let number = |end: &str| name.strip_suffix(end).and_then(|digits| digits.parse::<u64>().ok());
        if let Some(generation) = number(".manifest") {
            let bytes = env.bytes(&directory.join(&name)).unwrap_or_default();
            let names = read(&bytes).filter(|names| names.generation == generation);
            manifests.push(names.ok_or_else(|| format!("{name} is no manifest"))?);
        } else if let Some(segment) = number(".journal") {
            segments.insert(segment);
        } else if let Some(stone) = number(".stone") {
            stones.insert(stone);
        } else if name != "lock" {
            return Err(format!("{name} was left behind"));
        }
    }
    let named: BTreeSet<u64> = manifests.iter().flat_map(|names| &names.stones).copied().collect();
    if let Some(stone) = stones.symmetric_difference(&named).next() {
        return Err(format!("stone {stone} is {}", if named.contains(stone) { "missing" } else { "an orphan" }));
    }
    let newest = manifests.iter().max_by_key(|names| names.generation).ok_or("no manifest is there")?;
    let needed = manifests.iter().map(|names| names.first_segment).min().unwrap_or(newest.first_segment);
    if let Some(orphan) = segments.iter().find(|&&segment| segment < needed) {
        return Err(format!("segment {orphan} is an orphan: {needed} is the first that is needed"));
    }
    let present: Vec<u64> = segments.range(newest.first_segment..).copied().collect();
    match present.iter().zip(newest.first_segment..).find(|(present, expected)| *present != expected) {
        Some((present, expected)) => Err(format!("segment {present} stands where {expected} should")),
        None => Ok(()),
    }
}

const MAGIC: &[u8] = b"CAIRNMAN";
const SEAL: usize = 32;

fn read(manifest: &[u8]) -> Option<Names> {
    let sealed = manifest.strip_prefix(MAGIC)?;
    let mut rest = &sealed[..sealed.len().checked_sub(SEAL)?];
    let reader = &mut rest;
    // The version and the database.
    take(reader, 4 + 8)?;
    let generation = u64::from_le_bytes(take(reader, 8)?.try_into().ok()?);
    // The time.
    take(reader, 8)?;
    let first_segment = varint(reader)?;
    let _durable_next_stone_and_next_table: Vec<u64> = (0..4).map(|_| varint(reader)).collect::<Option<_>>()?;
    let mut stones = BTreeSet::new();
    for _ in 0..varint(reader)? {
        varint(reader)?;
        let name = varint(reader)? as usize;
        take(reader, name)?;
        // The settled records and bytes, and whether any expires.
        varint(reader)?;
        varint(reader)?;
        take(reader, 1)?;
        for _ in 0..varint(reader)? {
            stones.insert(varint(reader)?);
            // The size, the content, the records and the tombstones, and the digest.
            let _sizes: Vec<u64> = (0..4).map(|_| varint(reader)).collect::<Option<_>>()?;
            take(reader, 32)?;
        }
    }
    Some(Names { generation, first_segment, stones })
}

fn take<'a>(reader: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, rest) = reader.split_at_checked(len)?;
    *reader = rest;
    Some(taken)
}

fn varint(reader: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(reader, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cairndb::{Database, Durability, Kind, Op, Options};

    use super::*;

    #[test]
    fn what_does_not_belong_is_named_and_what_belongs_is_not() {
        let env = SimEnv::new(1);
        let db = Database::open_with(Arc::new(env.clone()), "db", Options::default()).unwrap();
        for (turn, table) in ["a", "a", "b"].into_iter().enumerate() {
            db.commit(&[Op::put(table, &[turn as u8], Kind::BYTES, b"v")], Durability::Full).unwrap();
            db.checkpoint().unwrap();
        }
        db.commit(&[Op::put("a", b"k", Kind::BYTES, b"v")], Durability::Full).unwrap();
        let check = |env: &SimEnv| check(env, Path::new("db"));
        assert_eq!(check(&env), Ok(()));
        let with = |name: &str| {
            let other = env.crashed(crate::CrashPlan::Process);
            other.put_file(format!("db/{name}"), b"").unwrap();
            check(&other).unwrap_err()
        };
        assert_eq!(with("000000000009.stone"), "stone 9 is an orphan");
        assert_eq!(with("000000000001.manifest.tmp"), "000000000001.manifest.tmp was left behind");
        assert_eq!(with("000000000099.manifest"), "000000000099.manifest is no manifest");
        assert!(with("000000000000.journal").starts_with("segment 0 is an orphan"));
        assert!(with("000000000099.journal").starts_with("segment 99 stands where"));
        let stone = env.files().into_keys().find(|path| path.extension().is_some_and(|end| end == "stone")).unwrap();
        cairndb::env::Env::remove(&env, &stone).unwrap();
        assert!(check(&env).unwrap_err().ends_with("is missing"));
    }
}
