//! Records that are made from a number and a version, and so can be compared without being kept.

use crate::store::{Result, Store};

/// How long keys and values are, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) key: usize,
    pub(crate) value: usize,
}

/// The records of all workloads but one.
pub(crate) const RECORD: Shape = Shape { key: 16, value: 100 };
/// Those of redb's benchmark.
pub(crate) const REDB_RECORD: Shape = Shape { key: 24, value: 150 };

/// The version of a record that is not there.
pub(crate) const ABSENT: u32 = u32::MAX;

/// Mixes the bits of a number so that neighbours land far from each other, each somewhere else (SplitMix64).
pub(crate) fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The number of a record is in its key behind the bytes that decide the order, which therefore is random.
fn write_key(id: u32, key: &mut [u8]) {
    for (part, bytes) in key.chunks_mut(8).enumerate() {
        let word = if part == 1 { u64::from(id) } else { mix(u64::from(id) + ((part as u64) << 32)) };
        bytes.copy_from_slice(&word.to_be_bytes());
    }
}

fn id_in(key: &[u8]) -> Option<u32> {
    u64::from_be_bytes(key.get(8..16)?.try_into().ok()?).try_into().ok()
}

/// Values are noise, which no store can compress, and begin with what they are the value of.
fn write_value(id: u32, version: u32, value: &mut [u8]) {
    let seed = (u64::from(id) << 32) | u64::from(version);
    for (part, bytes) in value.chunks_mut(8).enumerate() {
        let word = if part == 0 { seed } else { mix(seed.wrapping_add((part as u64) << 56)) };
        bytes.copy_from_slice(&word.to_be_bytes()[..bytes.len()]);
    }
}

/// Whether a value is one of this record, without the cost of comparing all of it: that is done after each run.
pub(crate) fn check(id: u32, value: &[u8], shape: Shape) -> Result<()> {
    let right = value.len() == shape.value && value.starts_with(&id.to_be_bytes());
    if right { Ok(()) } else { Err(format!("a wrong value was read for record {id}").into()) }
}

/// Makes keys and values in memory that it uses again and again.
pub(crate) struct Maker {
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Maker {
    pub(crate) fn new(shape: Shape) -> Self {
        Maker { key: vec![0; shape.key], value: vec![0; shape.value] }
    }

    pub(crate) fn key(&mut self, id: u32) -> &[u8] {
        write_key(id, &mut self.key);
        &self.key
    }

    pub(crate) fn pair(&mut self, id: u32, version: u32) -> (&[u8], &[u8]) {
        write_key(id, &mut self.key);
        write_value(id, version, &mut self.value);
        (&self.key, &self.value)
    }
}

/// Pairs that are written together.
pub(crate) struct Batch {
    shape: Shape,
    bytes: Vec<u8>,
}

impl Batch {
    pub(crate) fn new(shape: Shape) -> Self {
        Batch { shape, bytes: Vec::new() }
    }

    /// Replaces what is in the batch by these records.
    pub(crate) fn fill(&mut self, records: impl IntoIterator<Item = (u32, u32)>) {
        let Shape { key, value } = self.shape;
        self.bytes.clear();
        for (id, version) in records {
            let start = self.bytes.len();
            self.bytes.resize(start + key + value, 0);
            let (key, value) = self.bytes[start..].split_at_mut(key);
            write_key(id, key);
            write_value(id, version, value);
        }
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.bytes.chunks_exact(self.shape.key + self.shape.value).map(|pair| pair.split_at(self.shape.key))
    }
}

/// What a store must hold.
pub(crate) struct Model {
    pub(crate) shape: Shape,
    /// The version of each record, by its number.
    pub(crate) versions: Vec<u32>,
}

impl Model {
    /// The first `records` records, as they were first written.
    pub(crate) fn loaded(records: usize, shape: Shape) -> Self {
        Model { shape, versions: vec![0; records] }
    }

    pub(crate) fn live(&self) -> usize {
        self.versions.iter().filter(|version| **version != ABSENT).count()
    }

    /// Compares every record of a store.
    pub(crate) fn verify(&self, store: &dyn Store) -> Result<()> {
        let mut maker = Maker::new(self.shape);
        let mut seen = vec![false; self.versions.len()];
        store.scan(&mut |key, value| {
            let id = id_in(key).filter(|id| (*id as usize) < seen.len()).ok_or("a key that was never written")?;
            let version = self.versions[id as usize];
            if version == ABSENT {
                return Err(format!("record {id} is there, although it was deleted").into());
            }
            if maker.pair(id, version) != (key, value) {
                return Err(format!("record {id} is not what was written").into());
            }
            if std::mem::replace(&mut seen[id as usize], true) {
                return Err(format!("record {id} is there twice").into());
            }
            Ok(())
        })?;
        let (there, live) = (seen.iter().filter(|seen| **seen).count(), self.live());
        if there == live { Ok(()) } else { Err(format!("{there} records are there, of {live}").into()) }
    }
}
