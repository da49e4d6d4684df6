//! Reading what is left of a damaged stone: the records that can be proved good, past those that cannot.
//!
//! A group stands where the one before it ends, and its checksum is bound to the file and to the place. Where there is
//! none, the next one is looked for at every place at which a group may begin. One that is found like this counts only if
//! it ends where a sound one follows, or where a block or the data ends: a single checksum of 32 bits might be right by chance.
//!
//! The footer is not needed: the header at the front holds all that the checksums depend on, and the other way round.
//! The index is not used but to tell which key a damaged record had.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::StoneInfo;
use super::blocks;
use super::format::{ALIGNMENT, FOOTER_LEN, Flaw, Footer, HEADER_LEN, Header, SEALED, SYMBOLS_LIMIT};
use super::group::{Group, entries, only_key};
use super::index::{self, key_hash};
use super::place::Place;
use super::reader::{Stone, damaged};
use super::source::{Access, BlockCache};
use super::symbols::{self, Symbols};
use crate::codec::sha256;
use crate::env::{Env, File, Mode};
use crate::error::{Error, Result};
use crate::record::{Entry, Meta};

/// Bytes that are read at a time where no block says how many.
const CHUNK: u64 = 256 << 10;
/// What is skipped where the disk cannot be read.
const PAGE: u64 = 4096;
const CACHE: u64 = 1 << 20;

/// A record that was found sound.
pub(crate) struct Salvaged {
    pub(crate) key: Vec<u8>,
    pub(crate) meta: Meta,
    pub(crate) value: Vec<u8>,
}

impl Salvaged {
    pub(crate) fn entry(&self) -> Entry<'_> {
        Entry { key: &self.key, meta: self.meta, value: &self.value }
    }
}

/// A part of a stone in which no sound record was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) what: String,
    /// The keys of the records on either side.
    pub(crate) after: Option<Vec<u8>>,
    pub(crate) before: Option<Vec<u8>>,
    /// The key of the damaged record, if the index leads to it: it tells which key was lost.
    pub(crate) likely: Option<Vec<u8>>,
}

/// Walks over the sound records in the order of their keys.
pub(crate) struct Salvage {
    env: Arc<dyn Env>,
    path: PathBuf,
    file: Box<dyn File>,
    header: Header,
    /// What packed groups are unpacked with; if both tables are damaged they are lost.
    symbols: Option<Box<Symbols>>,
    /// What the footer says, if it is sound.
    sealed: Option<Sealed>,
    /// Where records end: the end of the data, or of the file.
    end: u64,
    at: u64,
    /// The number and the start of the block after the one that is read.
    next_block: (u64, u64),
    window: Vec<u8>,
    origin: u64,
    last: Option<Vec<u8>>,
    /// The records of the group before `at` that were not given yet.
    found: VecDeque<Salvaged>,
    gap: Option<Gap>,
    /// What was left out.
    pub(crate) gaps: Vec<Gap>,
    /// Bytes that may still be hashed in searches: bytes made to look like records everywhere must not take for ever.
    budget: u64,
}

struct Sealed {
    stone: Arc<Stone>,
    info: StoneInfo,
}

impl Salvage {
    /// Opens a file for what is left of a stone: the one with this digest if it is known, of this table if that is.
    pub(crate) fn open(env: &Arc<dyn Env>, path: &Path, table: Option<u32>, digest: Option<&[u8; 32]>) -> Result<Self> {
        let failed = |error| Error::io(path, "open a table file", &error);
        let file = env.open(path, Mode::Read).map_err(failed)?;
        let len = file.len().map_err(failed)?;
        let footer = read_footer(&*file, len);
        if let (Some((_, found)), Some(wanted)) = (&footer, digest)
            && found != wanted
        {
            return Err(damaged(path, 0, "it is another stone than the one that the manifest names"));
        }
        let header = match &footer {
            Some((footer, _)) => footer.header,
            None => read_header(&*file, path)?,
        };
        if table.is_some_and(|table| table != header.table) {
            return Err(damaged(path, 0, "it belongs to another table"));
        }
        let end = footer.as_ref().map_or(len, |(footer, _)| footer.data_end);
        let (symbols, start) = read_symbols(&*file, len, &header, footer.as_ref().map(|(footer, _)| footer));
        let sealed = footer.map(|(footer, digest)| Sealed::new(env, path, &footer, len, digest)).transpose()?;
        Ok(Salvage {
            env: Arc::clone(env),
            path: path.to_path_buf(),
            file,
            header,
            symbols,
            sealed,
            end,
            at: start,
            next_block: (0, start),
            window: Vec::new(),
            origin: 0,
            last: None,
            found: VecDeque::new(),
            gap: None,
            gaps: Vec::new(),
            budget: len.saturating_mul(64).saturating_add(1 << 20),
        })
    }

    /// The same from its beginning.
    pub(crate) fn again(&self) -> Result<Self> {
        let digest = self.sealed.as_ref().map(|sealed| &sealed.info.digest);
        Salvage::open(&self.env, &self.path, Some(self.header.table), digest)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn table(&self) -> u32 {
        self.header.table
    }

    /// Whether the footer is sound, so that the end of the records is known.
    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed.is_some()
    }

    /// The next sound record with a key above the one before; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Salvaged> {
        while self.found.is_empty() && self.at < self.end {
            let searching = self.gap.is_some();
            match self.group(self.at, !searching) {
                Some((found, end)) if !searching || self.is_confirmed(end, &found) => {
                    if let Some(mut gap) = self.gap.take() {
                        gap.end = self.at;
                        gap.before = found.front().map(|record| record.key.clone());
                        self.gaps.push(gap);
                    }
                    self.at = end;
                    self.last = found.back().map(|record| record.key.clone());
                    self.found = found;
                }
                _ => self.skip(),
            }
        }
        if let Some(record) = self.found.pop_front() {
            return Some(record);
        }
        if let Some(gap) = self.gap.take() {
            self.gaps.push(Gap { end: self.end, ..gap });
        }
        None
    }

    /// Notes, after the last record, that there may have been more: a file without its footer may have been cut anywhere.
    pub(crate) fn note_cut(&mut self) {
        if self.is_sealed() || self.gaps.last().is_some_and(|gap| gap.end == self.end) {
            return;
        }
        let (what, after) = ("the end of the file is damaged or missing".into(), self.last.clone());
        self.gaps.push(Gap { start: self.end, end: self.end, what, after, before: None, likely: None });
    }

    /// Goes on to the next place at which a group may begin.
    fn skip(&mut self) {
        if self.gap.is_none() {
            self.gap = Some(Gap {
                start: self.at,
                end: self.at,
                what: "a group of records fails its checksum".into(),
                after: self.last.clone(),
                before: None,
                likely: self.likely(),
            });
        }
        let unread = self.fill(self.at, self.at + 1).err();
        let block = self.block_after(self.at);
        self.at = match unread {
            Some(error) => {
                if let Some(gap) = &mut self.gap {
                    gap.what = error.message().into();
                }
                self.end.min((self.at / PAGE + 1) * PAGE)
            }
            None if self.budget == 0 => block,
            None => self.at + ALIGNMENT,
        };
    }

    /// The key of the damaged group's only record here, if the index leads from that key to this place.
    fn likely(&mut self) -> Option<Vec<u8>> {
        let stone = Arc::clone(&self.sealed.as_ref()?.stone);
        let (at, header) = (self.at, self.header);
        let end = self.block_after(at);
        self.fill(at, end).ok()?;
        let group = Group::read(self.bytes_from(at)?, at, header.salt)?;
        let key = only_key(&group.unpack(self.symbols.as_deref())?, header.base_time)?;
        let found = index::find(&stone, key_hash(&key), |place| Ok((place == Place::new(at, 0)).then_some(())));
        let fits = self.last.as_ref().is_none_or(|last| *last < key);
        (fits && found.ok()?.is_some()).then_some(key)
    }

    /// A group that was searched for: does something sound follow its records?
    fn is_confirmed(&mut self, end: u64, found: &VecDeque<Salvaged>) -> bool {
        if self.is_sealed() && (end == self.end || end == self.block_after(end - 1)) {
            return true;
        }
        let next = self.group(end, false).and_then(|(mut next, _)| next.pop_front());
        next.is_some_and(|next| found.back().is_none_or(|last| last.key < next.key))
    }

    /// The records of the sound group at a place, and where it ends. If `whole`, as much is read as the group seems to
    /// need, up to the end of its block.
    fn group(&mut self, at: u64, whole: bool) -> Option<(VecDeque<Salvaged>, u64)> {
        let limit = self.block_after(at);
        if !self.has(at, limit.min(at + PAGE)) {
            self.fill(at, limit.min(at + CHUNK)).ok()?;
        }
        loop {
            if let Some(group) = Group::read(self.bytes_from(at)?, at, self.header.salt) {
                let (len, end) = (group.len as u64, at + group.len as u64);
                let sound = group.intact && end <= self.end;
                let found = if sound { self.records(&group).map(|found| (found, end)) } else { None };
                self.budget = self.budget.saturating_sub(len);
                return found;
            }
            let have = self.origin + self.window.len() as u64;
            if !whole || have >= limit {
                return None;
            }
            self.fill(at, limit.min(at + 2 * (have - at))).ok()?;
        }
    }

    /// The records of an intact group, if they can be unpacked and follow those before.
    fn records(&self, group: &Group<'_>) -> Option<VecDeque<Salvaged>> {
        let records = group.unpack(self.symbols.as_deref())?;
        let mut found = VecDeque::<Salvaged>::new();
        for entry in entries(&records, self.header.base_time) {
            let entry = entry?;
            let last = found.back().map(|last| &last.key).or(self.last.as_ref());
            if last.is_some_and(|last| last.as_slice() >= entry.key) {
                return None;
            }
            found.push_back(Salvaged { key: entry.key.into(), meta: entry.meta, value: entry.value.into() });
        }
        Some(found)
    }

    /// Where the block ends in which a place is: the end of all where that is not known.
    fn block_after(&mut self, at: u64) -> u64 {
        while self.next_block.1 <= at {
            let number = self.next_block.0 + 1;
            let start = match &self.sealed {
                Some(sealed) if number < sealed.block_count() => blocks::start(&sealed.stone, number).ok(),
                _ => Some(self.end),
            };
            // A damaged line costs the boundaries that it holds.
            let start = start.filter(|start| (at..=self.end).contains(start)).unwrap_or(self.next_block.1);
            self.next_block = (number, start);
            if start == self.end {
                break;
            }
        }
        self.next_block.1.max(at)
    }

    fn bytes_from(&self, at: u64) -> Option<&[u8]> {
        self.window.get(usize::try_from(at.checked_sub(self.origin)?).ok()?..)
    }

    fn has(&self, from: u64, upto: u64) -> bool {
        self.origin <= from && upto <= self.origin + self.window.len() as u64
    }

    /// Makes the bytes of this part be in the window.
    fn fill(&mut self, from: u64, upto: u64) -> Result<()> {
        if self.has(from, upto) {
            return Ok(());
        }
        let len = upto.max(from.saturating_add(PAGE)).min(self.end).saturating_sub(from);
        let failed = |error| Error::io(&self.path, "read a table file", &error);
        let mut window = Vec::new();
        window.try_reserve_exact(len as usize).map_err(|error| failed(error.into()))?;
        window.resize(len as usize, 0);
        self.file.read_exact_at(&mut window, from).map_err(failed)?;
        (self.window, self.origin) = (window, from);
        Ok(())
    }
}

impl Sealed {
    fn new(env: &Arc<dyn Env>, path: &Path, footer: &Footer, size: u64, digest: [u8; 32]) -> Result<Self> {
        let Footer { records, tombstones, content, .. } = *footer;
        let info = StoneInfo { size, content, records, tombstones, digest };
        let access = Access::Cached(Arc::new(BlockCache::new(CACHE)?));
        let stone = Stone::new(Arc::clone(env), path.to_path_buf(), footer.header.table, info.clone(), access);
        Ok(Sealed { stone: Arc::new(stone), info })
    }

    fn block_count(&self) -> u64 {
        self.stone.footer().map_or(0, |footer| footer.block_count)
    }
}

/// A sound footer at the end of a file, and its digest. Whether it is the one that a manifest names, the digest tells.
fn read_footer(file: &dyn File, len: u64) -> Option<(Footer, [u8; 32])> {
    let mut bytes = [0; FOOTER_LEN as usize];
    file.read_exact_at(&mut bytes, len.checked_sub(FOOTER_LEN)?).ok()?;
    let digest = sha256(bytes.get(..SEALED)?);
    Some((Footer::decode(&bytes, len, &digest).ok()?, digest))
}

/// The symbols, from whichever table is sound, and where groups begin.
fn read_symbols(file: &dyn File, len: u64, header: &Header, footer: Option<&Footer>) -> (Option<Box<Symbols>>, u64) {
    let read = |start: u64, end: u64| {
        let mut bytes = vec![0; end.saturating_sub(start) as usize];
        file.read_exact_at(&mut bytes, start).ok()?;
        symbols::read(&bytes, start, header.salt)
    };
    match footer {
        Some(footer) => {
            let tables = footer.symbols().into_iter().filter_map(|place| read(place.start, place.end));
            (tables.map(|(symbols, _)| symbols).next().flatten(), footer.data_start)
        }
        None => match read(HEADER_LEN, len.min(HEADER_LEN + SYMBOLS_LIMIT)) {
            Some((symbols, len)) => (symbols, HEADER_LEN + len),
            // The first group is searched for.
            None => (None, HEADER_LEN),
        },
    }
}

fn read_header(file: &dyn File, path: &Path) -> Result<Header> {
    let mut bytes = [0; HEADER_LEN as usize];
    let read = file.read_exact_at(&mut bytes, 0);
    match read.map_err(|_| Flaw::Damaged("it is too short")).and_then(|()| Header::decode(&bytes)) {
        Ok(header) => Ok(header),
        Err(Flaw::Damaged(_)) => Err(damaged(path, 0, "neither its header nor its footer is sound")),
        Err(Flaw::Version(version)) => Err(Error::newer_format(path, version)),
    }
}

/// The digest that a file's own sound footer has.
pub(crate) fn digest_of(env: &dyn Env, path: &Path) -> Option<[u8; 32]> {
    let file = env.open(path, Mode::Read).ok()?;
    Some(read_footer(&*file, file.len().ok()?)?.1)
}
