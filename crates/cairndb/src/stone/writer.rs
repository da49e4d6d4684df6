//! Writing a stone: one pass, in order of keys, to a new file.

use std::path::{Path, PathBuf};

use super::StoneInfo;
use super::digest::RegionDigest;
use super::expirations::Due;
use super::format::{
    ALIGNMENT, CHECKSUM, Footer, Header, LINE, OFFSET_LIMIT, PAYLOAD, REGIONS, Region, checksum, put_u40, slot_for,
};
use super::group::put_group;
use super::index::{IndexBuilder, key_hash};
use super::place::{IN_GROUP, Place};
use super::symbols::{Packer, Symbols};
use crate::codec::varint_len;
use crate::env::{Env, File, Mode};
use crate::error::{Code, Error, Result};
use crate::record::Entry;

/// Blocks are not filled beyond this, unless by a single group.
const BLOCK: u64 = 4096;
/// Packed groups are not filled beyond this, unless by a single record: one checksum for several records takes less room,
/// but who reads one checks them all. What is not packed has a group of its own.
const GROUP: usize = 640;
/// Bytes are gathered up to this before they are written.
const CHUNK: usize = 256 << 10;

/// Writes a stone. Keeps about 12 bytes in memory for each record, 16 more if it expires, and 8 for each block.
/// Dropped unfinished it leaves a file that the caller removes.
pub(crate) struct StoneWriter {
    out: Output,
    header: Header,
    packer: Option<Packer>,
    /// The encoded records of the next group, and how many bytes they are.
    group: Vec<Vec<u8>>,
    in_group: usize,
    index: IndexBuilder,
    blocks: Vec<u64>,
    expirations: Vec<Due>,
    last_key: Vec<u8>,
    records: u64,
    tombstones: u64,
    content: u64,
    data_start: u64,
    /// The length of a block; tests make it small.
    pub(super) block: u64,
}

impl StoneWriter {
    /// Creates the file, which must not exist. `base_time`, in milliseconds, should be near the records' times.
    pub(crate) fn create(
        env: &dyn Env,
        path: &Path,
        table: u32,
        base_time: u64,
        packer: Option<Packer>,
    ) -> Result<StoneWriter> {
        let file = env.open(path, Mode::Create).map_err(|error| Error::io(path, "create a table file", &error))?;
        let header = Header { table, base_time, salt: salt(env, path, table) };
        let mut out = Output::new(file, path, header.salt);
        out.buffer.extend_from_slice(&header.encode());
        let mut writer = StoneWriter {
            out,
            header,
            packer,
            group: Vec::new(),
            in_group: 0,
            index: IndexBuilder::default(),
            blocks: Vec::new(),
            expirations: Vec::new(),
            last_key: Vec::new(),
            records: 0,
            tombstones: 0,
            content: 0,
            data_start: 0,
            block: BLOCK,
        };
        writer.put_symbols();
        writer.data_start = writer.out.position();
        Ok(writer)
    }

    fn put_symbols(&mut self) {
        let symbols = self.packer.as_ref().map(Packer::symbols);
        self.out.put_checked(|buffer| Symbols::encode(symbols, buffer));
        self.out.align(ALIGNMENT);
    }

    /// Appends a record, whose key must be greater than that of the one before. After an error the writer is of no
    /// more use.
    pub(crate) fn add(&mut self, entry: Entry<'_>) -> Result<()> {
        if self.records > 0 && entry.key <= self.last_key.as_slice() {
            return Err(Error::new(
                Code::Internal,
                "records were given to a table file out of order; report this as a defect of CairnDB",
            ));
        }
        let mut record = Vec::with_capacity(32 + entry.key.len() + entry.value.len());
        entry.encode(self.header.base_time, &mut record);
        let len = record.len();
        let full = self.packer.is_none() || self.group.len() as u64 == IN_GROUP || self.in_group + len > GROUP;
        if full && !self.group.is_empty() {
            self.end_group()?;
        }
        let place = Place::new(self.out.position(), self.group.len() as u64);
        self.index.add(key_hash(entry.key), place);
        self.expirations.extend(Due::of(&entry.meta, place));
        self.group.push(record);
        self.in_group += len;
        self.last_key.clear();
        self.last_key.extend_from_slice(entry.key);
        self.records += 1;
        self.tombstones += u64::from(entry.meta.tombstone);
        self.content += len as u64;
        Ok(())
    }

    fn end_group(&mut self) -> Result<()> {
        let start = self.out.position();
        let end = self.out.put_group(&self.group, self.packer.as_ref())?;
        let in_block = self.blocks.last().is_some_and(|block| end - block <= self.block);
        if !in_block {
            self.blocks.push(start);
        }
        self.in_group = 0;
        self.group.clear();
        self.out.write_if_large()
    }

    /// Writes what follows the records and returns when the file is on the disk. Its directory entry is the caller's
    /// to make durable.
    pub(crate) fn finish(mut self) -> Result<StoneInfo> {
        if !self.group.is_empty() {
            self.end_group()?;
        }
        let data_end = self.out.position();
        self.put_symbols();
        let out = &mut self.out;
        out.align(LINE);
        let [data, index, blocks, expirations] = REGIONS;
        let data = out.seal(data)?;
        self.index.write(slot_for(data_end), |line| out.put_line(line))?;
        let index = out.seal(index)?;
        out.put_entries(self.blocks.iter().map(|start| put_u40(*start)))?;
        let blocks = out.seal(blocks)?;
        self.expirations.sort_unstable_by(Due::cmp);
        out.put_entries(self.expirations.iter().map(Due::encode))?;
        let expirations = out.seal(expirations)?;
        let (footer, digest) = Footer {
            header: self.header,
            records: self.records,
            tombstones: self.tombstones,
            block_count: self.blocks.len() as u64,
            expiration_count: self.expirations.len() as u64,
            data_start: self.data_start,
            data_end,
            content: self.content,
            data,
            index,
            blocks,
            expirations,
        }
        .encode();
        out.buffer.extend_from_slice(&footer);
        out.write()?;
        out.file.sync().map_err(|error| Error::io(&out.path, "sync a table file", &error))?;
        let (records, tombstones, content) = (self.records, self.tombstones, self.content);
        Ok(StoneInfo { size: out.written, content, records, tombstones, digest })
    }
}

/// A number that tells this file from others, also from an earlier one of the same name.
fn salt(env: &dyn Env, path: &Path, table: u32) -> u32 {
    let mut seed = path.file_name().map_or_else(Vec::new, |name| name.as_encoded_bytes().to_vec());
    seed.extend_from_slice(&table.to_le_bytes());
    seed.extend_from_slice(&env.now().to_le_bytes());
    key_hash(&seed) as u32
}

/// The end of the file: what is gathered, what was written, and the digest of the region that grows.
struct Output {
    file: Box<dyn File>,
    path: PathBuf,
    salt: u32,
    buffer: Vec<u8>,
    written: u64,
    region: u64,
    digest: RegionDigest,
}

impl Output {
    fn new(file: Box<dyn File>, path: &Path, salt: u32) -> Output {
        let (path, buffer) = (path.to_path_buf(), Vec::new());
        Output { file, path, salt, buffer, written: 0, region: 0, digest: RegionDigest::default() }
    }

    fn position(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Appends a checksum and what `fill` appends.
    fn put_checked(&mut self, fill: impl FnOnce(&mut Vec<u8>)) {
        let (offset, start) = (self.position(), self.buffer.len());
        self.buffer.extend_from_slice(&[0; CHECKSUM]);
        fill(&mut self.buffer);
        let added = self.buffer.get_mut(start..).and_then(<[u8]>::split_first_chunk_mut::<CHECKSUM>);
        if let Some((crc, bytes)) = added {
            *crc = checksum(self.salt, offset, bytes).to_le_bytes();
        }
    }

    /// Appends zeros up to a multiple of `alignment`.
    fn align(&mut self, alignment: u64) {
        let missing = self.position().next_multiple_of(alignment) - self.position();
        self.buffer.resize(self.buffer.len() + missing as usize, 0);
    }

    /// Appends a group of records and gives its end.
    fn put_group(&mut self, records: &[Vec<u8>], packer: Option<&Packer>) -> Result<u64> {
        let len: usize = records.iter().map(Vec::len).sum();
        let bound = CHECKSUM + varint_len(u64::MAX) + len + ALIGNMENT as usize;
        if self.position().saturating_add(bound as u64) > OFFSET_LIMIT {
            return Err(Error::new(Code::TooLarge, "a table can hold at most 256 GiB; split it into several"));
        }
        self.buffer.reserve(bound);
        self.put_checked(|buffer| put_group(records, packer, buffer));
        self.align(ALIGNMENT);
        Ok(self.position())
    }

    fn put_line(&mut self, payload: &[u8; PAYLOAD]) -> Result<()> {
        self.put_checked(|buffer| buffer.extend_from_slice(payload));
        self.write_if_large()
    }

    /// Appends as many entries to each line as fit.
    fn put_entries<const N: usize>(&mut self, mut entries: impl Iterator<Item = [u8; N]>) -> Result<()> {
        loop {
            let mut line = [0; PAYLOAD];
            let mut used = false;
            for (place, entry) in line.as_chunks_mut::<N>().0.iter_mut().zip(&mut entries) {
                *place = entry;
                used = true;
            }
            if !used {
                return Ok(());
            }
            self.put_line(&line)?;
        }
    }

    fn write_if_large(&mut self) -> Result<()> {
        if self.buffer.len() < CHUNK { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> Result<()> {
        let written = self.file.write_all_at(&self.buffer, self.written);
        written.map_err(|error| Error::io(&self.path, "write a table file", &error))?;
        self.digest.update(&self.buffer);
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        // One large value must not hold its memory to the end.
        self.buffer.shrink_to(2 * CHUNK);
        Ok(())
    }

    /// Ends a region.
    fn seal(&mut self, name: &'static str) -> Result<Region> {
        self.write()?;
        let offset = std::mem::replace(&mut self.region, self.written);
        Ok(Region { name, offset, len: self.written - offset, digest: self.digest.finish() })
    }
}
