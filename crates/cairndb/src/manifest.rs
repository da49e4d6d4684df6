//! The manifest: which files make up the database.
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | magic `CAIRNMAN` |
//! | 4 | format version |
//! | n | body |
//! | 32 | SHA-256 of all that |
//!
//! Body (u64 little-endian, the rest LEB128): u64 number of the database; u64 generation; u64 time, milliseconds since
//! the epoch; first live journal segment; how far the journal was on the disk: segment, offset; next stone number;
//! next table number; number of tables, each: number, name, live records in its stones, their bytes (keys and values),
//! one byte 1 if a record with an expiration was ever written or else 0, number of stones, newest first, each: number, size in bytes, content in bytes, records, tombstones, SHA-256 of its footer; number of
//! dictionaries, in the order of their revisions from 0, each: name, number of pairs, each: long name, short name;
//! number of shapes, in the order of their numbers from 0, each: number of keys, keys.
//! A name and a key is a length and UTF-8.
//!
//! A manifest is written under a temporary name, synced, renamed to `<generation>.manifest`, and the directory synced.
//! It is never changed. The one with the highest generation counts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::codec::{Reader, put_bytes, put_varint, sha256};
use crate::dictionary::Dictionary;
use crate::env::{Env, Mode};
use crate::error::{Code, Error, Result};
use crate::packed::Shape;
use crate::stone::StoneInfo;

const MAGIC: [u8; 8] = *b"CAIRNMAN";
const SEAL: usize = 32;
/// No manifest is longer, so that a file that only claims to be one cannot exhaust memory.
const MAX_LEN: u64 = 1 << 30;
/// Generations, segments and stones have numbers below this: there is always a next one.
pub(crate) const NUMBERS: u64 = 1 << 62;

/// A stone as the manifest names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoneEntry {
    pub(crate) number: u64,
    pub(crate) info: StoneInfo,
}

/// How many live records there are, and the bytes of their keys and values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

/// A table as the manifest names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableEntry {
    pub(crate) id: u32,
    pub(crate) name: String,
    /// What the stones alone hold, before the journal is replayed on top.
    pub(crate) settled: Count,
    /// Whether a record with an expiration was ever written.
    pub(crate) expires: bool,
    /// Newest first.
    pub(crate) stones: Vec<StoneEntry>,
}

/// One generation of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) database: u64,
    pub(crate) generation: u64,
    pub(crate) time: u64,
    /// The first segment whose frames the stones do not hold.
    pub(crate) first_segment: u64,
    /// Up to here the journal was on the disk: a segment and an offset in it.
    pub(crate) durable: (u64, u64),
    pub(crate) next_stone: u64,
    pub(crate) next_table: u32,
    pub(crate) tables: Vec<TableEntry>,
    pub(crate) dictionaries: Vec<Arc<Dictionary>>,
    /// By number.
    pub(crate) shapes: Vec<Arc<Shape>>,
}

impl Manifest {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&crate::FORMAT_VERSION.to_le_bytes());
        for number in [self.database, self.generation, self.time] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for number in [self.first_segment, self.durable.0, self.durable.1, self.next_stone, u64::from(self.next_table)]
        {
            put_varint(&mut out, number);
        }
        put_varint(&mut out, self.tables.len() as u64);
        for table in &self.tables {
            table.encode(&mut out);
        }
        put_varint(&mut out, self.dictionaries.len() as u64);
        for dictionary in &self.dictionaries {
            dictionary.encode(&mut out);
        }
        put_varint(&mut out, self.shapes.len() as u64);
        for shape in &self.shapes {
            shape.encode(&mut out);
        }
        let seal = sha256(&out);
        out.extend_from_slice(&seal);
        out
    }

    /// Reads a manifest; `path` is for the error.
    pub(crate) fn decode(bytes: &[u8], path: &Path) -> Result<Self> {
        let damaged = |offset: usize, what: &str| {
            Error::corrupt(path, offset as u64, format!("the manifest {what}; restore a backup, or repair"))
        };
        let body_end = bytes.len().checked_sub(SEAL).ok_or_else(|| damaged(0, "is cut"))?;
        let (sealed, seal) = bytes.split_at_checked(body_end).ok_or_else(|| damaged(0, "is cut"))?;
        let mut reader = Reader::new(sealed);
        if reader.array() != Some(MAGIC) {
            return Err(damaged(0, "does not begin like one"));
        }
        if sha256(sealed) != seal {
            return Err(damaged(0, "fails its checksum"));
        }
        match reader.u32() {
            Some(version) if version > crate::FORMAT_VERSION => return Err(Error::newer_format(path, version)),
            Some(crate::FORMAT_VERSION) => {}
            _ => return Err(damaged(MAGIC.len(), "has a version that never was")),
        }
        match Self::read(&mut reader) {
            Some(manifest) if reader.is_empty() && manifest.can_go_on() => Ok(manifest),
            _ => Err(damaged(reader.position(), "says what cannot be")),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (database, generation, time) = (reader.u64()?, reader.u64()?, reader.u64()?);
        let first_segment = reader.varint()?;
        let durable = (reader.varint()?, reader.varint()?);
        let next_stone = reader.varint()?;
        let next_table = u32::try_from(reader.varint()?).ok()?;
        // Counts are not trusted with an allocation: the lists grow as their items are really found.
        let mut tables = Vec::new();
        for _ in 0..reader.varint()? {
            tables.push(TableEntry::read(reader)?);
        }
        let mut dictionaries = Vec::new();
        for _ in 0..reader.varint()? {
            dictionaries.push(Arc::new(Dictionary::decode(reader)?));
        }
        let mut shapes = Vec::new();
        for _ in 0..reader.varint()? {
            shapes.push(Arc::new(Shape::decode(reader)?));
        }
        Some(Manifest {
            database,
            generation,
            time,
            first_segment,
            durable,
            next_stone,
            next_table,
            tables,
            dictionaries,
            shapes,
        })
    }

    /// Whether further generations, segments, stones and tables can follow.
    fn can_go_on(&self) -> bool {
        let stones = self.stones().map(|stone| stone.number);
        [self.generation, self.first_segment, self.durable.0, self.next_stone]
            .into_iter()
            .chain(stones)
            .all(|n| n < NUMBERS)
            && self.next_table < u32::MAX
            && self.tables.iter().all(|table| (1..self.next_table).contains(&table.id))
            // The journal's end is in the segment before the first one, if there is nothing in it.
            && self.first_segment > 0
    }

    /// Puts the manifest in place: from when this returns, the next open finds it.
    pub(crate) fn store(&self, env: &dyn Env, directory: &Path) -> Result<u64> {
        let bytes = self.encode();
        if bytes.len() as u64 > MAX_LEN {
            return Err(Error::new(Code::TooLarge, "the database has too many tables and dictionaries; drop some"));
        }
        let temporary = directory.join(format!("{:012}.manifest.tmp", self.generation));
        let path = manifest_path(directory, self.generation);
        let written = write_new(env, &temporary, &bytes)
            .and_then(|()| env.rename(&temporary, &path))
            .and_then(|()| env.sync_dir(directory));
        match written {
            Ok(()) => Ok(bytes.len() as u64),
            Err(error) => {
                // The next try has another number: what stayed of this one would take room from a full disk.
                let _left_for_the_next_open = env.remove(&temporary);
                Err(Error::io(&path, "write the manifest", &error))
            }
        }
    }

    /// The manifest of a generation, under its name.
    pub(crate) fn load(env: &dyn Env, directory: &Path, generation: u64) -> Result<Self> {
        let path = manifest_path(directory, generation);
        let manifest = Self::load_any(env, &path)?;
        if manifest.generation == generation {
            Ok(manifest)
        } else {
            Err(Error::corrupt(&path, 12 + 8, "the manifest is a copy of another generation's; restore the right file"))
        }
    }

    /// The manifest in a file, whichever generation's it is.
    pub(crate) fn load_any(env: &dyn Env, path: &Path) -> Result<Self> {
        let failed = |error| Error::io(path, "read the manifest", &error);
        let file = env.open(path, Mode::Read).map_err(failed)?;
        if file.len().map_err(failed)? > MAX_LEN {
            return Err(Error::corrupt(path, 0, "the manifest is longer than one can be; restore a backup, or repair"));
        }
        Self::decode(&file.read_all().map_err(failed)?, path)
    }

    /// The numbers of all stones that this generation needs.
    pub(crate) fn stones(&self) -> impl Iterator<Item = &StoneEntry> {
        self.tables.iter().flat_map(|table| &table.stones)
    }
}

impl TableEntry {
    /// A table without stones.
    pub(crate) fn new(id: u32, name: &str) -> Self {
        TableEntry { id, name: name.into(), settled: Count::default(), expires: false, stones: Vec::new() }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, u64::from(self.id));
        put_bytes(out, self.name.as_bytes());
        put_varint(out, self.settled.records);
        put_varint(out, self.settled.bytes);
        out.push(u8::from(self.expires));
        put_varint(out, self.stones.len() as u64);
        for stone in &self.stones {
            let StoneInfo { size, content, records, tombstones, .. } = stone.info;
            for number in [stone.number, size, content, records, tombstones] {
                put_varint(out, number);
            }
            out.extend_from_slice(&stone.info.digest);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let id = u32::try_from(reader.varint()?).ok()?;
        let name = reader.text()?.to_string();
        let settled = Count { records: reader.varint()?, bytes: reader.varint()? };
        let expires = match reader.u8()? {
            0 => false,
            1 => true,
            _ => return None,
        };
        let mut stones = Vec::new();
        for _ in 0..reader.varint()? {
            let number = reader.varint()?;
            let (size, content) = (reader.varint()?, reader.varint()?);
            let (records, tombstones) = (reader.varint()?, reader.varint()?);
            let digest = reader.array()?;
            stones.push(StoneEntry { number, info: StoneInfo { size, content, records, tombstones, digest } });
        }
        Some(TableEntry { id, name, settled, expires, stones })
    }
}

/// A file left by a crash under a temporary name is nobody's: it is overwritten.
fn write_new(env: &dyn Env, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let file = match env.open(path, Mode::Create) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            env.remove(path)?;
            env.open(path, Mode::Create)?
        }
        opened => opened?,
    };
    file.write_all_at(bytes, 0)?;
    file.sync()
}

/// The name of a manifest's file.
pub(crate) fn manifest_path(directory: &Path, generation: u64) -> PathBuf {
    directory.join(format!("{generation:012}.manifest"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Manifest {
        let info = StoneInfo { size: 4096, content: 5000, records: 7, tombstones: 1, digest: [9; 32] };
        let stones = vec![StoneEntry { number: 3, info: info.clone() }, StoneEntry { number: 1, info }];
        let settled = Count { records: 12, bytes: 345 };
        Manifest {
            database: u64::MAX,
            generation: 4,
            time: 1_700_000_000_000,
            first_segment: 2,
            durable: (2, 99),
            next_stone: 5,
            next_table: 3,
            tables: vec![
                TableEntry { id: 1, name: "users".into(), settled, expires: true, stones },
                TableEntry::new(2, "ключ"),
            ],
            dictionaries: vec![Arc::new(Dictionary::new("d", &[("long", "l")]).unwrap())],
            shapes: vec![Arc::new(Shape::new(["id", "name"]).unwrap()), Arc::new(Shape::new([]).unwrap())],
        }
    }

    #[test]
    fn manifests_round_trip() {
        let manifest = example();
        assert_eq!(Manifest::decode(&manifest.encode(), Path::new("m")).unwrap(), manifest);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let bytes = example().encode();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Manifest::decode(&damaged, Path::new("m")).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(Manifest::decode(&bytes[..len], Path::new("m")).is_err(), "cut at {len}");
        }
    }

    #[test]
    fn segments_and_tables_are_numbered_from_one() {
        let refused = |change: fn(&mut Manifest)| {
            let mut manifest = example();
            change(&mut manifest);
            Manifest::decode(&manifest.encode(), Path::new("m")).is_err()
        };
        assert!(!refused(|_| ()));
        assert!(refused(|manifest| manifest.first_segment = 0));
        assert!(refused(|manifest| manifest.tables[0].id = 0));
    }

    #[test]
    fn a_newer_format_is_named_as_such() {
        let mut bytes = example().encode();
        bytes.truncate(bytes.len() - SEAL);
        for (version, code) in [(crate::FORMAT_VERSION + 1, crate::Code::Format), (0, crate::Code::Corrupt)] {
            let mut bytes = bytes.clone();
            bytes[8..12].copy_from_slice(&version.to_le_bytes());
            let seal = sha256(&bytes);
            bytes.extend_from_slice(&seal);
            assert_eq!(Manifest::decode(&bytes, Path::new("m")).unwrap_err().code(), code);
        }
    }
}
