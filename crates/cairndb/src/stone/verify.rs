//! Reading a stone from end to end, to know all that is wrong with it and what is lost.

use std::sync::Arc;

use super::blocks;
use super::digest::RegionDigest;
use super::expirations::Due;
use super::format::{Footer, LINE, Region};
use super::group::{Group, entries, only_key};
use super::index::{self, key_hash};
use super::place::{IN_GROUP, Place};
use super::reader::Stone;
use super::record::Window;
use super::source::{Access, BlockCache};
use crate::error::{Code, Error, Result};
use crate::progress::Progress;
use crate::record::Entry;

/// Something that is wrong with a stone.
#[derive(Clone, Debug)]
pub(crate) struct Damage {
    /// The byte of the file at which it begins.
    pub(crate) offset: u64,
    pub(crate) error: Error,
    pub(crate) lost: Lost,
}

/// What cannot be read any more because of a [`Damage`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// No record by itself: what is damaged leads to records or seals them. Ranges and expirations may fail in part,
    /// and without a mapping point reads as well where blocks are damaged.
    Nothing,
    /// This key.
    Key(Vec<u8>),
    /// Keys between these two, which are not among them. Where it is one only, and its damaged record tells which it
    /// was, it is named; but with small probability the damage is in the key.
    Between { after: Option<Vec<u8>>, before: Option<Vec<u8>>, likely: Option<Vec<u8>> },
    /// All records.
    Everything,
}

const CHUNK: u64 = 256 << 10;
const CACHE: u64 = 16 << 20;
/// Records that are looked for in the index at a time; 16 bytes each.
const BATCH: usize = 1 << 20;

/// See [`Stone::verify`]. The file is opened anew and never mapped: an unreadable disk block is to be reported, and
/// under a mapping it would end the process.
pub(super) fn verify(stone: &Stone, progress: &Progress, report: &mut dyn FnMut(Damage)) -> Result<()> {
    let stone = stone.reopened(Access::Cached(Arc::new(BlockCache::new(CACHE)?)));
    let footer = match stone.footer() {
        Err(error) if error.code() == Code::Corrupt => {
            report(Damage { offset: error.offset().unwrap_or(0), error, lost: Lost::Everything });
            return Ok(());
        }
        opened => opened?,
    };
    let mut check = Check { stone: &stone, footer, progress, report, reported: None };
    check.result(0, stone.check_header());
    check.symbols()?;
    footer.regions().into_iter().try_for_each(|region| check.digest(region))?;
    let expiring = check.data()?;
    check.index()?;
    check.expirations(expiring)
}

struct Check<'a> {
    stone: &'a Arc<Stone>,
    footer: &'a Footer,
    /// Half of the bytes count when their digest is taken, half when what they say is looked at.
    progress: &'a Progress,
    report: &'a mut dyn FnMut(Damage),
    /// Where the entry was that was last found damaged.
    reported: Option<u64>,
}

impl Check<'_> {
    /// Reports damage; an error of the system does not say where, so `at` does.
    fn damage(&mut self, at: u64, error: Error, lost: Lost) {
        (self.report)(Damage { offset: error.offset().unwrap_or(at), error, lost });
    }

    fn damaged(&mut self, at: u64, what: &str, lost: Lost) {
        self.damage(at, self.stone.damaged(at, what), lost);
    }

    fn result<T>(&mut self, at: u64, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.damage(at, error, Lost::Nothing)).ok()
    }

    /// What was read of an entry of a region. Entries of one damaged line follow each other; it is reported once.
    fn entry<T>(&mut self, region: &Region, result: Result<T>) -> Option<T> {
        if let Err(error) = &result {
            let at = error.offset().unwrap_or(region.offset);
            if self.reported.replace(at) == Some(at) {
                return None;
            }
        }
        self.result(region.offset, result)
    }

    fn symbols(&mut self) -> Result<()> {
        let stone = self.stone;
        stone.check_symbols(|at, error| self.damage(at, error, Lost::Nothing))
    }

    fn digest(&mut self, region: &Region) -> Result<()> {
        let end = region.offset + region.len;
        let mut digest = RegionDigest::default();
        let mut at = region.offset;
        while at < end {
            let to = end.min(at + CHUNK);
            self.progress.advance((to - at) / 2)?;
            let Some(bytes) = self.result(at, self.stone.read(at, to)) else { return Ok(()) };
            digest.update(&bytes);
            at = to;
        }
        if digest.finish() != region.digest {
            let what = format!("the region {} does not match its digest", region.name);
            self.damaged(region.offset, &what, Lost::Nothing);
        }
        Ok(())
    }

    /// Walks the groups from block to block; a block that is damaged costs no more than itself. Gives the sum over
    /// those that expire.
    fn data(&mut self) -> Result<u64> {
        let mut walk = Walk::default();
        let mut from = self.footer.data_start;
        for block in 0..self.footer.block_count {
            let Some(start) = self.entry(&self.footer.blocks, blocks::start(self.stone, block)) else {
                continue;
            };
            if block == 0 && start == from {
                continue;
            }
            if start <= from || start >= self.footer.data_end {
                self.damaged(start, "its blocks are out of order", Lost::Nothing);
                continue;
            }
            self.walk(&mut walk, from, start)?;
            from = start;
        }
        if from < self.footer.data_end {
            self.walk(&mut walk, from, self.footer.data_end)?;
        }
        self.end_run(&mut walk, None);
        self.indexed(&mut walk)?;
        let Footer { records, tombstones, expiration_count, content, .. } = *self.footer;
        if !walk.lost && (walk.counts, walk.content) != ([records, tombstones, expiration_count], content) {
            self.damaged(self.footer.data_end, "the footer has other counts of records", Lost::Nothing);
        }
        Ok(walk.expiring)
    }

    fn walk(&mut self, walk: &mut Walk, from: u64, to: u64) -> Result<()> {
        self.progress.advance((to - from) / 2)?;
        let window = match self.stone.window(from, to) {
            Ok(window) => window,
            Err(error) => {
                walk.lose(error, None, from, to);
                return Ok(());
            }
        };
        let mut at = from;
        while at < to {
            match window.group(self.footer.header.salt, at) {
                Some(group) if group.intact => {
                    let end = at + group.len as u64;
                    self.group(walk, at, &group)?;
                    at = end;
                }
                Some(group) if self.goes_on(&window, at + group.len as u64) => {
                    let end = at + group.len as u64;
                    let error = self.stone.damaged(at, "a group of records fails its checksum");
                    walk.lose(error, self.likely(at, &group), at, end);
                    at = end;
                }
                _ => {
                    let error = self.stone.damaged(at, "a group is damaged, and so are those up to the next block");
                    walk.lose(error, None, at, to);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Whether the damaged group before `at` was not damaged in its length: what follows it is sound.
    fn goes_on(&self, window: &Window, at: u64) -> bool {
        at == window.end() || window.group(self.footer.header.salt, at).is_some_and(|group| group.intact)
    }

    /// The key of a damaged group's only record, if the index leads from that key to this place.
    fn likely(&self, at: u64, group: &Group<'_>) -> Option<Vec<u8>> {
        let key = only_key(&self.stone.unpack(at, group).ok()?, self.footer.header.base_time)?;
        self.is_indexed(key_hash(&key), Place::new(at, 0)).unwrap_or(false).then_some(key)
    }

    /// A group whose checksum is right.
    fn group(&mut self, walk: &mut Walk, at: u64, group: &Group<'_>) -> Result<()> {
        let end = at + group.len as u64;
        let records = match self.stone.unpack(at, group) {
            Ok(records) => records,
            Err(error) => {
                walk.lose(error, None, at, end);
                return Ok(());
            }
        };
        walk.content += records.len() as u64;
        for (number, entry) in (0..).zip(entries(&records, self.footer.header.base_time)) {
            match entry {
                Some(entry) if number < IN_GROUP => self.record(walk, Place::new(at, number), &entry)?,
                _ => walk.lose(self.stone.damaged(at, "a group holds what is no record"), None, at, end),
            }
        }
        Ok(())
    }

    fn record(&mut self, walk: &mut Walk, place: Place, entry: &Entry<'_>) -> Result<()> {
        self.end_run(walk, Some(entry.key));
        if walk.last.as_deref().is_some_and(|last| last >= entry.key) {
            self.damaged(place.group(), "its keys are out of order", Lost::Key(entry.key.to_vec()));
        }
        let last = walk.last.get_or_insert_default();
        last.clear();
        last.extend_from_slice(entry.key);
        let [records, tombstones, expirations] = &mut walk.counts;
        *records += 1;
        *tombstones += u64::from(entry.meta.tombstone);
        if let Some(due) = Due::of(&entry.meta, place) {
            *expirations += 1;
            walk.expiring = walk.expiring.wrapping_add(key_hash(&due.encode()));
        }
        walk.unindexed.push((key_hash(entry.key), place));
        if walk.unindexed.len() >= BATCH {
            self.indexed(walk)?;
        }
        Ok(())
    }

    /// Looks whether the index leads to the records that were walked over, in the order in which it has them: in that
    /// of their keys nearly every look would be a read from disk.
    fn indexed(&mut self, walk: &mut Walk) -> Result<()> {
        walk.unindexed.sort_unstable();
        for (hash, place) in walk.unindexed.drain(..) {
            self.progress.check()?;
            let at = place.group();
            let error = match self.is_indexed(hash, place) {
                Ok(true) => continue,
                Ok(false) => self.stone.damaged(at, "its index does not lead to a record"),
                Err(error) => error,
            };
            let lost = match self.stone.record(place) {
                Ok(record) => Lost::Key(record.key().to_vec()),
                Err(_) => Lost::Between { after: None, before: None, likely: None },
            };
            self.damage(at, error, lost);
        }
        Ok(())
    }

    fn is_indexed(&self, hash: u64, place: Place) -> Result<bool> {
        let found = index::find(self.stone, hash, |found| Ok((found == place).then_some(())))?;
        Ok(found.is_some())
    }

    /// Reports what was lost since the last sound record, now that the next one is known.
    fn end_run(&mut self, walk: &mut Walk, before: Option<&[u8]>) {
        if let Some(run) = walk.run.take() {
            let (after, before) = (walk.last.clone(), before.map(<[u8]>::to_vec));
            let fits = |key: &Vec<u8>| {
                after.as_ref().is_none_or(|after| after < key) && before.as_ref().is_none_or(|before| key < before)
            };
            let lost = Lost::Between { likely: run.likely.filter(fits), after, before };
            if run.places > 1 {
                let what = format!("{} places up to byte {} hold no sound record", run.places, run.end);
                self.damaged(run.start, &what, lost);
            } else {
                self.damage(run.start, run.error, lost);
            }
        }
    }

    /// The walk found every record in the index; this finds what is in it besides.
    fn index(&mut self) -> Result<()> {
        let region = &self.footer.index;
        let mut used = Some(0);
        for number in 0..region.lines() {
            self.progress.check()?;
            let line = self.result(region.offset + number * LINE, self.stone.line(region, number));
            used = used.zip(line).map(|(used, line)| used + index::used(&line, self.footer.slot()));
        }
        if used.is_some_and(|used| used != self.footer.records) {
            self.damaged(region.offset, "its index has another count of records", Lost::Nothing);
        }
        Ok(())
    }

    /// Two sums that agree save reading every record that expires once more.
    fn expirations(&mut self, expiring: u64) -> Result<()> {
        let region = &self.footer.expirations;
        let mut last: Option<Due> = None;
        let mut sum = 0_u64;
        for number in 0..self.footer.expiration_count {
            self.progress.check()?;
            let Some(due) = self.entry(region, Due::read(self.stone, number)) else { continue };
            if last.is_some_and(|last| last.cmp(&due).is_ge()) {
                self.damaged(region.offset, "its expirations are out of order", Lost::Nothing);
            }
            last = Some(due);
            sum = sum.wrapping_add(key_hash(&due.encode()));
        }
        if sum != expiring {
            let entries = (0..self.footer.expiration_count).map(|number| Due::read(self.stone, number));
            for due in entries.flatten() {
                self.entry(region, due.record(self.stone));
            }
        }
        Ok(())
    }
}

/// What the walk over the records has seen.
#[derive(Default)]
struct Walk {
    last: Option<Vec<u8>>,
    /// Records, tombstones and expirations.
    counts: [u64; 3],
    /// Bytes of records.
    content: u64,
    lost: bool,
    run: Option<Run>,
    /// Hashes and places of records that are still to be looked for in the index.
    unindexed: Vec<(u64, Place)>,
    /// A sum over the expirations: it is the same in whichever order they come.
    expiring: u64,
}

/// Damage after which no sound record came yet. However much of it there is, it takes no memory.
struct Run {
    error: Error,
    /// The key of the damaged record if it is one only, and the index has it there.
    likely: Option<Vec<u8>>,
    places: u64,
    start: u64,
    end: u64,
}

impl Walk {
    fn lose(&mut self, error: Error, likely: Option<Vec<u8>>, start: u64, end: u64) {
        self.lost = true;
        match &mut self.run {
            Some(run) => (run.places, run.end, run.likely) = (run.places + 1, end, None),
            None => self.run = Some(Run { error, likely, places: 1, start, end }),
        }
    }
}
