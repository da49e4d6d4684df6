//! A reader of databases that knows nothing of the engine: written from FORMAT.md, whose tables are its grammar.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::document::{Document, Struct};
use super::journal::{End, Journal, Sealable};
use super::stone::read_stone;

/// What reading comes to; the error says what is wrong.
pub(super) type Outcome<T> = Result<T, String>;

/// The files of a directory, by name.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// The tables by name, of each the records that a reader finds, by key.
pub(super) type Contents = BTreeMap<String, BTreeMap<Vec<u8>, Found>>;

/// A record as a reader of the database gets it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) kind: u64,
    pub(super) value: Vec<u8>,
    pub(super) version: u64,
    pub(super) time: u64,
    pub(super) expiration: Option<f64>,
    pub(super) dictionary: Option<String>,
}

/// A record as it is stored; no value means that the key was deleted.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) key: Vec<u8>,
    pub(super) time: u64,
    pub(super) value: Option<StoredValue>,
}

#[derive(Clone, Debug)]
pub(super) struct StoredValue {
    kind: u64,
    version: u64,
    pub(super) expiration: Option<f64>,
    dictionary_use: Option<u64>,
    bytes: Vec<u8>,
}

/// Takes values off the front of bytes.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], at: u64) -> Self {
        Cursor { bytes, at: at as usize }
    }

    pub(super) fn position(&self) -> u64 {
        self.at as u64
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(super) fn take(&mut self, len: u64) -> Outcome<&'a [u8]> {
        let end = usize::try_from(len).ok().and_then(|len| self.at.checked_add(len));
        let taken = end.and_then(|end| self.bytes.get(self.at..end)).ok_or("the bytes end too early")?;
        self.at += taken.len();
        Ok(taken)
    }

    pub(super) fn integer(&mut self, len: u64) -> Outcome<u64> {
        Ok(self.take(len)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    pub(super) fn varint(&mut self) -> Outcome<u64> {
        let mut number = 0_u128;
        for place in 0..10 {
            let byte = self.take(1)?[0];
            number |= u128::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                let shortest = place == 0 || byte != 0;
                return u64::try_from(number).ok().filter(|_| shortest).ok_or("a varint is malformed".into());
            }
        }
        Err("a varint is too long".into())
    }

    pub(super) fn zigzag(&mut self) -> Outcome<i64> {
        let number = self.varint()?;
        Ok(if number & 1 == 0 { (number >> 1) as i64 } else { !(number >> 1) as i64 })
    }

    pub(super) fn text(&mut self) -> Outcome<&'a [u8]> {
        let len = self.varint()?;
        let bytes = self.take(len)?;
        std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        Ok(bytes)
    }
}

pub(super) fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

pub(super) fn region_digest(bytes: &[u8]) -> Vec<u8> {
    sha256(&bytes.chunks(4096).flat_map(sha256).collect::<Vec<u8>>())
}

/// `Err(complaint)` unless it holds.
pub(super) fn ensure(holds: bool, complaint: &str) -> Outcome<()> {
    if holds { Ok(()) } else { Err(complaint.into()) }
}

/// A record or a tombstone.
pub(super) fn read_record(document: &Document, cursor: &mut Cursor<'_>, base: u64) -> Outcome<Stored> {
    let head = cursor.clone().integer(1)?;
    let time = |fields: &Struct<'_>| Ok::<u64, String>(base.wrapping_add(fields.signed("time step")? as u64));
    if head == document.number("records", "head of a tombstone")? {
        let fields = document.read("tombstone", cursor)?;
        return Ok(Stored { key: fields.bytes("key")?.to_vec(), time: time(&fields)?, value: None });
    }
    ensure(head & document.number("records", "head of a tombstone")? == 0, "a head is neither this nor that")?;
    let fields = document.read("record", cursor)?;
    let expiration = if fields.has("expiration") { Some(fields.float("expiration")?) } else { None };
    let dictionary_use = if fields.has("dictionary use") { Some(fields.number("dictionary use")?) } else { None };
    let value = StoredValue {
        kind: head >> document.number("records", "lowest bit of the kind")?,
        version: fields.number("version")?,
        expiration,
        dictionary_use,
        bytes: fields.bytes("value")?.to_vec(),
    };
    Ok(Stored { key: fields.bytes("key")?.to_vec(), time: time(&fields)?, value: Some(value) })
}

/// The mapping of a dictionary, from short to long.
pub(super) struct Dictionary {
    name: String,
    long_of: BTreeMap<String, String>,
}

impl Dictionary {
    fn of(fields: &Struct<'_>) -> Outcome<Dictionary> {
        let pairs = fields.list("pairs")?.iter();
        let long_of: Outcome<BTreeMap<_, _>> =
            pairs.map(|pair| Ok((pair.text("short name")?, pair.text("long name")?))).collect();
        Ok(Dictionary { name: fields.text("name")?, long_of: long_of? })
    }

    /// JSON text with its keys as they were written.
    fn lengthen(&self, json: &str) -> Outcome<String> {
        let mut long = String::new();
        let mut rest = json;
        while let Some(start) = rest.find('"') {
            let mut escaped = false;
            let end = rest[start + 1..].find(|character| {
                let ends = character == '"' && !escaped;
                escaped = character == '\\' && !escaped;
                ends
            });
            let end = start + 2 + end.ok_or("a string of JSON has no end")?;
            let (string, behind) = (&rest[start..end], &rest[end..]);
            long.push_str(&rest[..start]);
            let known = serde_json::from_str::<String>(string).ok().and_then(|name| self.long_of.get(&name));
            match known.filter(|_| behind.trim_start().starts_with(':')) {
                Some(name) => long.push_str(&serde_json::to_string(name).map_err(|error| error.to_string())?),
                None => long.push_str(string),
            }
            rest = behind;
        }
        Ok(long + rest)
    }
}

struct Table {
    name: String,
    newest: BTreeMap<Vec<u8>, Stored>,
}

/// The keys of a shape, each of which must be there once.
fn shape_of(fields: &Struct<'_>) -> Outcome<Vec<String>> {
    let keys: Vec<String> = fields.list("keys")?.iter().map(|key| key.text("key")).collect::<Outcome<_>>()?;
    let mut once = keys.clone();
    once.sort();
    once.dedup();
    if once.len() == keys.len() { Ok(keys) } else { Err("a shape has a key twice".into()) }
}

/// The state that a manifest and the journal lead to.
struct State<'d> {
    document: &'d Document,
    tables: BTreeMap<u64, Table>,
    dictionaries: Vec<Dictionary>,
    shapes: Vec<Vec<String>>,
}

/// What the database holds for a reader at `now`, and where its journal ends.
pub(super) fn read_database(document: &Document, files: &Files, now: u64) -> Outcome<(Contents, End)> {
    let manifest = choose_generation(document, files)?;
    let mut state = State { document, tables: BTreeMap::new(), dictionaries: Vec::new(), shapes: Vec::new() };
    for fields in manifest.list("dictionaries")? {
        state.dictionaries.push(Dictionary::of(fields)?);
    }
    for fields in manifest.list("shapes")? {
        state.shapes.push(shape_of(fields)?);
    }
    for entry in manifest.list("tables")? {
        let table = read_table(document, files, entry)?;
        state.tables.insert(entry.number("table")?, table);
    }
    let end =
        Journal::new(document, files, &manifest)?.replay(|time, items, sealable| state.apply(time, items, sealable))?;
    Ok((state.contents(now)?, end))
}

fn choose_generation<'a>(document: &Document, files: &'a Files) -> Outcome<Struct<'a>> {
    let manifests = files.iter().rev().filter(|(name, _)| name.ends_with(".manifest"));
    let mut refused = Err("there is no manifest".to_string());
    for (name, bytes) in manifests {
        match usable_manifest(document, files, name, bytes) {
            Ok(manifest) => return Ok(manifest),
            Err(error) => refused = refused.or(Err(format!("{name}: {error}"))),
        }
    }
    refused
}

fn usable_manifest<'a>(document: &Document, files: &Files, name: &str, bytes: &'a [u8]) -> Outcome<Struct<'a>> {
    let manifest = whole_manifest(document, name, bytes)?;
    for table in manifest.list("tables")? {
        for stone in table.list("stones")? {
            let file = files.get(&stone_name(stone)?).ok_or("a stone is missing")?;
            ensure(stone.number("size of the file in bytes")? == file.len() as u64, "a stone has another size")?;
        }
    }
    Ok(manifest)
}

/// A manifest whose stones may not be there.
pub(super) fn whole_manifest<'a>(document: &Document, name: &str, bytes: &'a [u8]) -> Outcome<Struct<'a>> {
    let mut cursor = Cursor::new(bytes, 0);
    let manifest = document.read("manifest", &mut cursor)?;
    ensure(cursor.is_at_end(), "something stands behind the seal")?;
    let seal = manifest.bytes("seal")?;
    ensure(sha256(&bytes[..bytes.len() - seal.len()]) == seal, "the seal is wrong")?;
    ensure(format!("{:012}.manifest", manifest.number("generation")?) == name, "it is another generation")?;
    for table in manifest.list("tables")? {
        for stone in table.list("stones")? {
            ensure(stone.number("stone")? < manifest.number("next stone")?, "the next stone is there")?;
        }
        ensure(table.number("table")? < manifest.number("next table")?, "the next table is there")?;
    }
    Ok(manifest)
}

fn stone_name(stone: &Struct<'_>) -> Outcome<String> {
    Ok(format!("{:012}.stone", stone.number("stone")?))
}

/// A table as its stones have it.
fn read_table(document: &Document, files: &Files, entry: &Struct<'_>) -> Outcome<Table> {
    let mut newest = BTreeMap::new();
    let mut expires = false;
    for stone in entry.list("stones")?.iter().rev() {
        let file = files.get(&stone_name(stone)?).ok_or("a stone is missing")?;
        for record in read_stone(document, file, stone, entry.number("table")?)? {
            expires |= record.value.as_ref().is_some_and(|value| value.expiration.is_some());
            newest.insert(record.key.clone(), record);
        }
    }
    let live = newest.values().filter_map(|record| Some(record.key.len() + record.value.as_ref()?.bytes.len()));
    let settled = (live.clone().count() as u64, live.sum::<usize>() as u64);
    ensure(settled.0 == entry.number("settled records")?, "the manifest counts other records")?;
    ensure(settled.1 == entry.number("settled bytes")?, "the manifest counts other bytes")?;
    ensure(!expires || entry.number("expires")? == 1, "records expire, and the manifest does not say so")?;
    Ok(Table { name: entry.text("name")?, newest })
}

impl State<'_> {
    /// The items of one frame.
    fn apply(&mut self, time: u64, mut items: Cursor<'_>, sealable: &Sealable<'_>) -> Outcome<()> {
        ensure(!items.is_at_end(), "a frame has no items")?;
        while !items.is_at_end() {
            let at = items.position() as usize;
            match items.varint()? {
                0 => {
                    let Some(seal) = self.apply_catalog_item(&mut items)? else { continue };
                    let sealed = [&sealable.before.to_le_bytes(), &sealable.body[..at]].concat();
                    ensure(items.is_at_end() && sha256(&sealed) == seal, "a frame's seal is wrong")?;
                }
                table => {
                    let record = read_record(self.document, &mut items, time)?;
                    let table = self.tables.get_mut(&table).ok_or("a record has no table")?;
                    table.newest.insert(record.key.clone(), record);
                }
            }
        }
        Ok(())
    }

    /// Gives the seal, if it is one.
    fn apply_catalog_item(&mut self, items: &mut Cursor<'_>) -> Outcome<Option<Vec<u8>>> {
        let item = self.document.read("items", items)?;
        let (code, number) = (item.number("code")?.to_string(), item.number("number")?);
        let codes = self.document.rows("items", "means")?;
        let row = codes.iter().find(|row| row["code"] == code).ok_or(format!("there is no item {code}"))?;
        let follows = row["followed by"].split(['#', ')']).nth(1);
        let fields = follows.map(|section| self.document.read(section, items)).transpose()?;
        match fields {
            Some(fields) if row["means"].starts_with("table") => {
                let table = Table { name: fields.text("name")?, newest: BTreeMap::new() };
                self.tables.entry(number).or_insert(table);
            }
            Some(fields) if row["means"].contains("sealed") => {
                ensure(number == 0, "a seal has a number")?;
                return Ok(Some(fields.bytes("frame seal")?.to_vec()));
            }
            Some(fields) if row["means"].starts_with("shape") => {
                let shape = shape_of(&fields)?;
                match self.shapes.get(number as usize) {
                    None if number == self.shapes.len() as u64 => self.shapes.push(shape),
                    Some(same) if *same == shape => {}
                    _ => return Err("a shape is out of turn".into()),
                }
            }
            Some(fields) => {
                let dictionary = Dictionary::of(&fields)?;
                let known = self.dictionaries.get(number as usize);
                match known {
                    None if number == self.dictionaries.len() as u64 => self.dictionaries.push(dictionary),
                    Some(same) if same.name == dictionary.name && same.long_of == dictionary.long_of => {}
                    _ => return Err("a revision is out of turn".into()),
                }
            }
            None => drop(self.tables.remove(&number).ok_or("a table is dropped that is not there")?),
        }
        Ok(None)
    }

    fn contents(&self, now: u64) -> Outcome<Contents> {
        let mut contents = Contents::new();
        for table in self.tables.values() {
            let mut found = BTreeMap::new();
            for record in table.newest.values() {
                let Some(value) = &record.value else { continue };
                if value.expiration.is_none_or(|at| now as f64 <= at) {
                    found.insert(record.key.clone(), self.find(record.time, value)?);
                }
            }
            contents.insert(table.name.clone(), found);
        }
        Ok(contents)
    }

    fn find(&self, time: u64, stored: &StoredValue) -> Outcome<Found> {
        let (mut dictionary, mut value) = (None, stored.bytes.clone());
        if let Some(number) = stored.dictionary_use {
            let used = self.dictionaries.get((number >> 1) as usize).ok_or("a revision is not there")?;
            if number & 1 == 1 {
                let text = String::from_utf8(value).map_err(|error| error.to_string())?;
                value = used.lengthen(&text)?.into_bytes();
            }
            dictionary = Some(used.name.clone());
        }
        let StoredValue { kind, version, expiration, .. } = *stored;
        Ok(Found { kind, value, version, time, expiration, dictionary })
    }
}
