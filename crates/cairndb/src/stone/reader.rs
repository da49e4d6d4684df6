//! Reading a stone: opening it lazily, checking whatever is looked at, and finding one key.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::cursor::{Seek, StoneCursor};
use super::expirations::{Expirations, count_before};
use super::fences::Fences;
use super::format::{
    CHECKSUM, FOOTER_LEN, Flaw, Footer, HEADER_LEN, Header, LINE, PAYLOAD, Region, checksum, per_line,
};
use super::group::Group;
use super::place::Place;
use super::record::{Lies, StoneRecord, View, Window};
use super::source::{Access, Source};
use super::symbols::{self, Symbols};
use super::verify::{self, Damage};
use super::{StoneInfo, blocks, index};
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::progress::Progress;
use crate::record::Entry;
use crate::sync::Mutex;

/// A stone that is read.
pub(crate) struct Stone {
    pub(super) env: Arc<dyn Env>,
    path: PathBuf,
    table: u32,
    info: StoneInfo,
    access: Access,
    /// One opens, the others wait for it.
    opening: Mutex<()>,
    /// Set once opening succeeded. A failure is not remembered: too many open files is a passing trouble.
    open: OnceLock<Open>,
}

pub(super) struct Open {
    source: Source,
    footer: Footer,
    symbols: Option<Box<Symbols>>,
    /// Once somebody has looked for a range.
    fences: OnceLock<Fences>,
}

impl Stone {
    /// The stone that the manifest describes. Touches no disk: the first use opens the file.
    pub(crate) fn new(env: Arc<dyn Env>, path: PathBuf, table: u32, info: StoneInfo, access: Access) -> Stone {
        Stone { env, path, table, info, access, opening: Mutex::new(()), open: OnceLock::new() }
    }

    /// The same stone, unopened, read in another way.
    pub(super) fn reopened(&self, access: Access) -> Arc<Stone> {
        let (env, info) = (Arc::clone(&self.env), self.info.clone());
        Arc::new(Stone::new(env, self.path.clone(), self.table, info, access))
    }

    pub(crate) fn info(&self) -> &StoneInfo {
        &self.info
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The record of a key, a tombstone as well; `hash` is the key's [`key_hash`](super::key_hash).
    pub(crate) fn get(self: &Arc<Self>, key: &[u8], hash: u64) -> Result<Option<StoneRecord>> {
        index::find(self, hash, |place| {
            // A fingerprint may be shared by chance. Only an intact record with another key says so: the key of a
            // damaged one may have been this one.
            let record = self.record(place)?;
            Ok((record.key() == key).then_some(record))
        })
    }

    /// As [`Stone::get`], for somebody who needs the record no longer than he looks at it: it need not be kept.
    pub(crate) fn show<T>(
        self: &Arc<Self>,
        key: &[u8],
        hash: u64,
        show: impl FnOnce(&Entry<'_>) -> T,
    ) -> Result<Option<T>> {
        let open = self.open()?;
        let mut show = Some(show);
        index::find(self, hash, |place| {
            let look = |entry: &Entry<'_>, _: Lies<'_>| {
                if entry.key == key { show.take().map(|show| show(entry)) } else { None }
            };
            match &open.source {
                Source::Mapped(file) => View::of_file(file, open.footer.data_end).look_at(self, place, look),
                Source::Cached(_) => blocks::containing(self, place.group())?.view().look_at(self, place, look),
            }
        })
    }

    /// A cursor in front of the first record.
    pub(crate) fn cursor(self: &Arc<Self>) -> StoneCursor {
        StoneCursor::new(Arc::clone(self))
    }

    /// A cursor at a place in the order of keys.
    pub(crate) fn cursor_at(self: &Arc<Self>, place: Seek<'_>) -> Result<StoneCursor> {
        let mut cursor = self.cursor();
        cursor.seek(place)?;
        Ok(cursor)
    }

    /// Shows about so many records, picked by their hashes from blocks all over the stone.
    pub(crate) fn sample(self: &Arc<Self>, count: u64, show: &mut dyn FnMut(Entry<'_>)) -> Result<()> {
        const MOST_BLOCKS: u64 = 64;
        let Footer { records, block_count, .. } = *self.footer()?;
        let places = block_count.min(MOST_BLOCKS);
        let seen = records * places / block_count.max(1);
        let every = (seen / count.max(1)).max(1);
        let cursor = self.cursor();
        for place in 0..places {
            cursor.visit_block(place * block_count / places, &mut |entry| {
                if index::key_hash(entry.key).is_multiple_of(every) {
                    show(entry);
                }
            })?;
        }
        Ok(())
    }

    /// The records with `from <= expiration < upto`, by ascending expiration. A sweep goes on where the last one
    /// ended by giving its `upto` as `from`.
    pub(crate) fn expirations(self: &Arc<Self>, from: f64, upto: f64) -> Result<Expirations> {
        Expirations::new(Arc::clone(self), from, upto)
    }

    /// How many records expire before `moment`.
    pub(crate) fn count_expirations(&self, moment: f64) -> Result<u64> {
        count_before(self, moment)
    }

    /// Reads the whole file again and calls `report` for everything that is wrong with it. Fails only if the file
    /// cannot be opened, or if that is no more wanted.
    pub(crate) fn verify(&self, progress: &Progress, report: &mut dyn FnMut(Damage)) -> Result<()> {
        verify::verify(self, progress, report)
    }

    /// The record at a place that the index or the expirations name.
    pub(super) fn record(self: &Arc<Self>, place: Place) -> Result<StoneRecord> {
        let open = self.open()?;
        let window = match open.source {
            Source::Mapped(_) => Window::new(self, None, open.footer.data_start, open.footer.data_end),
            // A copy has to begin and end somewhere: with the group's block.
            Source::Cached(_) => blocks::containing(self, place.group())?,
        };
        window.into_record(self, place)
    }

    /// What is remembered of the searches among its blocks; `make` begins that.
    pub(super) fn fences(self: &Arc<Self>, make: impl FnOnce(&Arc<Self>) -> Result<Fences>) -> Result<&Fences> {
        let open = self.open()?;
        if let Some(fences) = open.fences.get() {
            return Ok(fences);
        }
        let fences = make(self)?;
        Ok(open.fences.get_or_init(|| fences))
    }

    /// What packed groups are unpacked with.
    pub(super) fn symbols(&self) -> Option<&Symbols> {
        self.open.get()?.symbols.as_deref()
    }

    /// The records of a group as they were before it was packed.
    pub(super) fn unpack(&self, at: u64, group: &Group<'_>) -> Result<Vec<u8>> {
        let records = group.unpack(self.symbols());
        records.ok_or_else(|| self.damaged(at, "a group holds codes that stand for nothing"))
    }

    /// The groups that stand between two offsets.
    pub(super) fn window(self: &Arc<Self>, start: u64, end: u64) -> Result<Window> {
        let part = self.open()?.source.part(&self.path, start..end)?;
        Ok(Window::new(self, part, start, end))
    }

    /// The payload of a line. Checked on every read: a rotten index must not turn a key into a missing one.
    pub(super) fn line(&self, region: &Region, number: u64) -> Result<[u8; PAYLOAD]> {
        let Open { source, footer, .. } = self.open()?;
        let offset = number.checked_mul(LINE).and_then(|skip| region.offset.checked_add(skip));
        let offset = offset.filter(|_| number < region.lines());
        let offset = offset.ok_or_else(|| self.damaged(region.offset, format!("its {} are cut", region.name)))?;
        source.line(&self.path, offset, |line| {
            let (crc, payload) = line.split_first_chunk::<CHECKSUM>().unwrap_or((&[0; CHECKSUM], &[]));
            match payload.try_into() {
                Ok(sound) if checksum(footer.header.salt, offset, payload) == u32::from_le_bytes(*crc) => Ok(sound),
                _ => Err(self.damaged(offset, format!("a line of its {} fails its checksum", region.name))),
            }
        })
    }

    /// The entry with this number in a region of entries of `N` bytes.
    pub(super) fn entry<const N: usize>(&self, region: &Region, number: u64) -> Result<[u8; N]> {
        let line = self.line(region, number / per_line(N))?;
        let inside = (number % per_line(N)) as usize;
        let entry = line.as_chunks::<N>().0.get(inside);
        entry.copied().ok_or_else(|| self.damaged(region.offset, "a line is too short"))
    }

    /// Opens the file, if that was not done.
    pub(crate) fn touch(&self) -> Result<()> {
        self.open().map(drop)
    }

    pub(super) fn footer(&self) -> Result<&Footer> {
        Ok(&self.open()?.footer)
    }

    /// The file's bytes if it is open and mapped.
    pub(super) fn mapping(&self) -> &[u8] {
        match self.open.get() {
            Some(Open { source: Source::Mapped(mapping), .. }) => mapping,
            _ => &[],
        }
    }

    /// A copy of any bytes, past the cache.
    pub(super) fn read(&self, start: u64, end: u64) -> Result<Vec<u8>> {
        self.open()?.source.read(&self.path, start..end)
    }

    fn open(&self) -> Result<&Open> {
        if let Some(open) = self.open.get() {
            return Ok(open);
        }
        let _one = self.opening.lock();
        if let Some(open) = self.open.get() {
            return Ok(open);
        }
        let open = self.load()?;
        Ok(self.open.get_or_init(|| open))
    }

    /// Whether the file begins with the header that its footer repeats. Reading needs the footer's copy only: damage
    /// to the other one makes no record unreadable.
    pub(super) fn check_header(&self) -> Result<()> {
        let open = self.open()?;
        match Header::decode(&open.source.read(&self.path, 0..HEADER_LEN)?) {
            Ok(header) if header == open.footer.header => Ok(()),
            Ok(_) => Err(self.damaged(0, "the header belongs to another file")),
            Err(flaw) => Err(self.refused(0, flaw)),
        }
    }

    /// Whether both tables of symbols are sound. Reading needs one of them.
    pub(super) fn check_symbols(&self, mut report: impl FnMut(u64, Error)) -> Result<()> {
        let Open { source, footer, .. } = self.open()?;
        for place in footer.symbols() {
            let start = place.start;
            if let Err(error) = self.read_symbols(source, footer, place) {
                report(start, error);
            }
        }
        Ok(())
    }

    fn read_symbols(&self, source: &Source, footer: &Footer, place: Range<u64>) -> Result<Option<Box<Symbols>>> {
        let (start, len) = (place.start, place.end - place.start);
        let read = symbols::read(&source.read(&self.path, place)?, start, footer.header.salt);
        match read {
            Some((symbols, read)) if read == len => Ok(symbols),
            _ => Err(self.damaged(start, "a table of symbols fails its checksum")),
        }
    }

    fn load(&self) -> Result<Open> {
        let source = Source::open(&*self.env, &self.path, &self.access)?;
        let len = source.len();
        if len != self.info.size {
            let what = format!("the file has {len} bytes and not {}", self.info.size);
            return Err(self.damaged(len.min(self.info.size), what));
        }
        // A newer version may have another footer, so the header is asked first; where it is damaged the footer tells.
        let header = source.read(&self.path, 0..HEADER_LEN.min(len))?;
        if let Err(flaw @ Flaw::Version(_)) = Header::decode(&header) {
            return Err(self.refused(0, flaw));
        }
        let at = len.saturating_sub(FOOTER_LEN);
        let footer = Footer::decode(&source.read(&self.path, at..len)?, len, &self.info.digest);
        let footer = footer.map_err(|flaw| self.refused(at, flaw))?;
        if footer.header.table != self.table {
            return Err(self.damaged(at, "the file belongs to another table"));
        }
        let StoneInfo { records, tombstones, content, .. } = self.info;
        if (footer.records, footer.tombstones, footer.content) != (records, tombstones, content) {
            return Err(self.damaged(at, "the manifest has other counts of records"));
        }
        let symbols = if footer.has_symbols() {
            let [first, again] = footer.symbols();
            let symbols = self.read_symbols(&source, &footer, first);
            symbols.or_else(|error| self.read_symbols(&source, &footer, again).map_err(|_| error))?
        } else {
            None
        };
        Ok(Open { source, footer, symbols, fences: OnceLock::new() })
    }

    fn refused(&self, at: u64, flaw: Flaw) -> Error {
        match flaw {
            Flaw::Damaged(what) => self.damaged(at, what),
            Flaw::Version(version) => Error::new(
                Code::Format,
                format!(
                    "{} has version {version} of the table file format, which this release does not know; use a \
                     newer release of CairnDB",
                    self.path.display()
                ),
            ),
        }
    }

    /// Damage at an offset of this file.
    pub(super) fn damaged(&self, at: u64, what: impl fmt::Display) -> Error {
        damaged(&self.path, at, what)
    }
}

/// Damage at an offset of a stone, and what to do about it.
pub(super) fn damaged(path: &Path, at: u64, what: impl fmt::Display) -> Error {
    let advice = "verify tells what is lost; restore a backup, or repair to keep the rest";
    Error::corrupt(path, at, format!("a table file is damaged: {what}; {advice}"))
}
