//! Writing a stone: one pass, in order of keys, to a new file.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::StoneInfo;
use super::expirations::Due;
use super::format::{CHECKSUM, Footer, Header, LINE, OFFSET_LIMIT, PAYLOAD, REGIONS, Region, checksum, put_u40};
use super::index::{IndexBuilder, key_hash};
use crate::env::{Env, File, Mode};
use crate::error::{Code, Error, Result};
use crate::record::Entry;

/// Blocks are not filled beyond this, unless by a single record.
const BLOCK: u64 = 4096;
/// Bytes are gathered up to this before they are written.
const CHUNK: usize = 256 << 10;

/// Writes a stone. Keeps about 12 bytes in memory for each record, 16 more if it expires, and 8 for each block.
/// Dropped unfinished it leaves a file that the caller removes.
pub(crate) struct StoneWriter {
    out: Output,
    header: Header,
    index: IndexBuilder,
    blocks: Vec<u64>,
    expirations: Vec<Due>,
    last_key: Vec<u8>,
    records: u64,
    tombstones: u64,
    /// The length of a block; tests make it small.
    pub(super) block: u64,
}

impl StoneWriter {
    /// Creates the file, which must not exist. `base_time`, in milliseconds, should be near the records' times.
    pub(crate) fn create(env: &dyn Env, path: &Path, table: u32, base_time: u64) -> Result<StoneWriter> {
        let file = env.open(path, Mode::Create).map_err(|error| Error::io(path, "create a table file", &error))?;
        let header = Header { table, base_time, salt: salt(env, path, table) };
        let mut out = Output::new(file, path, header.salt);
        out.buffer.extend_from_slice(&header.encode());
        Ok(StoneWriter {
            out,
            header,
            index: IndexBuilder::default(),
            blocks: Vec::new(),
            expirations: Vec::new(),
            last_key: Vec::new(),
            records: 0,
            tombstones: 0,
            block: BLOCK,
        })
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
        let offset = self.out.position();
        let end = self.out.put_record(&entry, self.header.base_time)?;
        let in_block = self.blocks.last().is_some_and(|start| end - start <= self.block);
        if !in_block {
            self.blocks.push(offset);
        }
        self.index.add(key_hash(entry.key), offset);
        self.expirations.extend(Due::of(&entry.meta, offset));
        self.last_key.clear();
        self.last_key.extend_from_slice(entry.key);
        self.records += 1;
        self.tombstones += u64::from(entry.meta.tombstone);
        self.out.write_if_large()
    }

    /// Writes what follows the records and returns when the file is on the disk. Its directory entry is the caller's
    /// to make durable.
    pub(crate) fn finish(mut self) -> Result<StoneInfo> {
        let out = &mut self.out;
        let data_end = out.position();
        out.buffer.resize(out.buffer.len() + (data_end.next_multiple_of(LINE) - data_end) as usize, 0);
        let [data, index, blocks, expirations] = REGIONS;
        let data = out.seal(data)?;
        self.index.write(|line| out.put_line(line))?;
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
            data_end,
            data,
            index,
            blocks,
            expirations,
        }
        .encode();
        out.buffer.extend_from_slice(&footer);
        out.write()?;
        out.file.sync().map_err(|error| Error::io(&out.path, "sync a table file", &error))?;
        Ok(StoneInfo { size: out.written, records: self.records, tombstones: self.tombstones, digest })
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
    digest: Sha256,
}

impl Output {
    fn new(file: Box<dyn File>, path: &Path, salt: u32) -> Output {
        let (path, buffer) = (path.to_path_buf(), Vec::new());
        Output { file, path, salt, buffer, written: 0, region: 0, digest: Sha256::new() }
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

    /// Appends a record and gives its end.
    fn put_record(&mut self, entry: &Entry<'_>, base_time: u64) -> Result<u64> {
        let bound = CHECKSUM + entry.encoded_bound();
        if self.position().saturating_add(bound as u64) > OFFSET_LIMIT {
            return Err(Error::new(Code::TooLarge, "a table can hold at most 512 GiB; split it into several"));
        }
        self.buffer.reserve(bound);
        self.put_checked(|buffer| entry.encode(base_time, buffer));
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
        Ok(Region { name, offset, len: self.written - offset, digest: self.digest.finalize_reset().into() })
    }
}
