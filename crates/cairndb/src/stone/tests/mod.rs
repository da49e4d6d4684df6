//! Tests of stones as a whole, by topic.

mod damage;
mod hostile;
mod memory;
mod opening;
mod round_trip;
mod verifying;
mod writing;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::env::Env;
use crate::record::{DictionaryUse, Entry, Kind, Meta};
use memory::MemoryEnv;

const TABLE: u32 = 7;
const BASE: u64 = 1_700_000_000_000;

type Model = BTreeMap<Vec<u8>, (Meta, Vec<u8>)>;

/// Writes a stone with blocks of `block` bytes.
fn write(env: &dyn Env, path: &Path, model: &Model, block: u64) -> StoneInfo {
    write_packed(env, path, model, block, None)
}

/// The same, with groups that are packed.
fn write_packed(env: &dyn Env, path: &Path, model: &Model, block: u64, packer: Option<Packer>) -> StoneInfo {
    let mut writer = StoneWriter::create(env, path, TABLE, BASE, packer).unwrap();
    writer.block = block;
    for (key, (meta, value)) in model {
        writer.add(Entry { key, meta: *meta, value }).unwrap();
    }
    writer.finish().unwrap()
}

fn open(env: &Arc<MemoryEnv>, path: &Path, info: &StoneInfo, access: Access) -> Arc<Stone> {
    let env = Arc::clone(env) as Arc<dyn Env>;
    Arc::new(Stone::new(env, path.to_path_buf(), TABLE, info.clone(), access))
}

/// Both ways of reading, the second with a cache in which little finds room.
fn ways() -> [Access; 2] {
    [Access::Mapped, Access::Cached(Arc::new(BlockCache::new(100_000).unwrap()))]
}

fn get(stone: &Arc<Stone>, key: &[u8]) -> crate::Result<Option<(Meta, Vec<u8>)>> {
    Ok(stone.get(key, key_hash(key))?.map(|record| {
        assert_eq!(record.key(), key);
        (*record.meta(), record.value().to_vec())
    }))
}

fn meta(version: u64, expiration: Option<f64>) -> Meta {
    Meta { kind: Kind::JSON, tombstone: false, version, time: BASE + version, expiration, dictionary: None }
}

/// Some 40 records of every sort in blocks of 256 bytes: several lines in every region, in under 3 KiB.
fn sample() -> Model {
    let mut model = Model::new();
    for i in 0..40_u64 {
        let key = format!("key/{i:03}").into_bytes();
        let mut meta = meta(i, (i % 4 == 1).then_some((BASE + 1000 - i) as f64));
        if i % 6 == 3 {
            meta = Meta::tombstone(BASE + i);
        }
        if i % 5 == 0 {
            meta.dictionary = Some(DictionaryUse { revision: i as u32, mapped: true });
            meta.tombstone = false;
        }
        let value = if meta.tombstone { String::new() } else { format!("a value of {i}").repeat(i as usize % 5) };
        model.insert(key, (meta, Vec::from(value)));
    }
    model
}

/// What packs the records of a model.
fn packer(model: &Model) -> Option<Packer> {
    let encode = |(key, (meta, value)): (&Vec<u8>, &(Meta, Vec<u8>))| {
        let mut record = Vec::new();
        Entry { key, meta: *meta, value }.encode(BASE, &mut record);
        record
    };
    Packer::new(&model.iter().map(encode).collect::<Vec<_>>(), u64::MAX)
}

/// The keys that expire before `upto`, by ascending expiration.
fn expiring(model: &Model, from: f64, upto: f64) -> Vec<(f64, Vec<u8>)> {
    let due = model.iter().filter_map(|(key, (meta, _))| Some((meta.expiration?, key.clone())));
    let mut due: Vec<_> = due.filter(|(at, _)| (from..upto).contains(at)).collect();
    due.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    due
}
