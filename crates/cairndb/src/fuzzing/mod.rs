//! One function for each decoder of untrusted bytes: what the fuzzers in `fuzz` run, and the tests that replay their
//! corpus. Not part of the interface, and built with the feature `fuzzing` only.
//!
//! Checksums keep a fuzzer out: it cannot guess them. So they are computed anew here, for bytes that the fuzzer made
//! up, and the decoders themselves are those that everybody uses. Each function panics if an invariant does not hold:
//! what is decoded and encoded again is the same, two ways of reading agree, and whatever cannot be read is refused
//! with an error that says so.
#![allow(missing_docs, reason = "the names say it, and nobody else is to use them")]

mod files;

use std::path::Path;
use std::sync::Arc;

pub(crate) use files::MemoryFiles;

use crate::codec::{Reader, sha256};
use crate::dictionary::Dictionary;
use crate::error::{Code, Error, Result};
use crate::journal::fuzzing as segments;
use crate::manifest::Manifest;
use crate::packed::{self, Shape};
use crate::record::Entry;
use crate::stone::StoneInfo;
use crate::stone::fuzzing as stones;

/// The bytes of a journal segment: replayed, and each frame composed again.
pub fn journal(bytes: &[u8]) {
    segments::check(bytes);
}

/// The bytes of a stone: opened, read in every way, and verified.
pub fn stone(bytes: &[u8]) {
    stones::check(bytes);
}

/// The bytes of a manifest.
pub fn manifest(bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    mend_manifest(&mut bytes);
    match Manifest::decode(&bytes, Path::new("manifest")) {
        Ok(manifest) => assert_eq!(manifest.encode(), bytes, "{manifest:?} is encoded in another way"),
        Err(error) => assert_refusal(&error),
    }
}

/// The base time of a record, and the record: its head, its numbers, its key and its value.
pub fn record(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let Some(base_time) = reader.u64() else { return };
    let start = reader.position();
    let Some(entry) = Entry::decode(&mut reader, base_time) else { return };
    let mut again = Vec::new();
    entry.encode(base_time, &mut again);
    assert_eq!(Some(&again[..]), bytes.get(start..reader.position()), "{entry:?} is encoded in another way");
}

/// A packed value, of two shapes.
pub fn packed(bytes: &[u8]) {
    let shapes = [&["a", "b", "c"][..], &[]].map(|keys| Shape::new(keys.iter().copied()).map(Arc::new));
    let Ok(shapes) = shapes.into_iter().collect::<Result<Vec<_>>>() else { return };
    let value = packed::decode(bytes, &shapes, None);
    assert_eq!(value.is_some(), packed::check(bytes, &shapes), "one reader takes what the other one refuses");
    let Some(value) = value else { return };
    let mut shape_of = |keys: &[&str]| {
        let number = shapes.iter().position(|shape| shape.keys.iter().map(|key| &**key).eq(keys.iter().copied()));
        Ok(number.map(|number| number as u32))
    };
    let again = packed::encode(&value, &mut shape_of);
    assert!(again.is_ok(), "{value:?} was read and cannot be packed");
    let back = packed::decode(&again.unwrap_or_default(), &shapes, None);
    // As text, since a NaN is not equal to itself.
    assert_eq!(format!("{back:?}"), format!("{:?}", Some(value)));
}

/// A dictionary as it stands on the disk, and a text behind it.
pub fn dictionary(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let Some(dictionary) = Dictionary::decode(&mut reader) else { return };
    let (stored, text) = bytes.split_at(reader.position());
    let mut again = Vec::new();
    dictionary.encode(&mut again);
    assert_eq!(again, stored, "{dictionary:?} is encoded in another way");
    let Ok(text) = std::str::from_utf8(text) else { return };
    // What somebody claims to have shortened is anything at all.
    let _long = dictionary.inflate(text);
    let Some(short) = dictionary.deflate(text) else { return };
    let long = dictionary.inflate(&short);
    assert!(long.is_some(), "{text:?} was stored as {short:?}, which cannot be read");
    let long = long.unwrap_or_default();
    let same = match serde_json::from_str::<serde_json::Value>(text) {
        // A key may be spelt in other letters of the same meaning, and all else is as it was.
        Ok(value) if text.contains('\\') => {
            serde_json::from_str(&long).is_ok_and(|long: serde_json::Value| long == value)
        }
        Err(_) if text.contains('\\') => true,
        _ => long == text,
    };
    assert!(same, "{text:?} was stored as {short:?} and read as {long:?}");
}

/// The files of a database with their checks made right, and what one says of another too: so far as to let an open
/// go on and look at what they say. A name is what stands behind the number.
pub fn mend_files(files: &mut [(u64, &'static str, Vec<u8>)]) {
    let mut infos: Vec<(u64, StoneInfo)> = Vec::new();
    for (number, kind, bytes) in files.iter_mut() {
        match *kind {
            "journal" => segments::mend(bytes),
            "stone" => infos.extend(stones::mend(bytes).map(|info| (*number, info))),
            _ => {}
        }
    }
    for (number, _, bytes) in files.iter_mut().filter(|(_, kind, _)| *kind == "manifest") {
        mend_manifest(bytes);
        let Ok(mut manifest) = Manifest::decode(bytes, Path::new("manifest")) else { continue };
        manifest.generation = *number;
        for stone in manifest.tables.iter_mut().flat_map(|table| &mut table.stones) {
            if let Some((_, info)) = infos.iter().find(|(number, _)| *number == stone.number) {
                stone.info = info.clone();
            }
        }
        *bytes = manifest.encode();
    }
}

fn mend_manifest(bytes: &mut [u8]) {
    if let Some((sealed, seal)) = bytes.split_last_chunk_mut() {
        *seal = sha256(sealed);
    }
}

/// Bytes that cannot be read are damage, or of a later version: nothing else, and nothing without a place.
pub(crate) fn assert_refusal(error: &Error) {
    assert!(matches!(error.code(), Code::Corrupt | Code::Format), "{:?}: {error}", error.code());
    assert!(error.path().is_some() || error.code() == Code::Format, "where is it? {error}");
}
