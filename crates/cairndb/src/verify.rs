//! Reading everything back to see whether it is whole.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use crate::error::{Code, Error, Result};
use crate::files::Files;
use crate::inner::Inner;
use crate::journal::{Item, ReplayFrom, ReplayedFrame, Segment, salvage, segment_path, walk};
use crate::manifest::{Manifest, StoneEntry};
use crate::merge::stone_path;
use crate::progress::Progress;
use crate::range::Bounds;
use crate::record::Meta;
use crate::recover::check_stones;
use crate::stone::{Lost, Stone};

/// What [`Database::verify`](crate::Database::verify) found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Files that were read.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Records in stones and frames in the journal that are good.
    pub checked: u64,
    /// What is damaged; empty if all is well.
    pub damage: Vec<Damage>,
}

/// A place that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// The byte where the damage begins.
    pub offset: u64,
    /// How many bytes are damaged or missing, where that is known.
    pub bytes: Option<u64>,
    /// What is wrong.
    pub what: String,
    /// The table that it is part of, where that is known.
    pub table: Option<String>,
    /// The keys that cannot be read because of it, as far as they can be told.
    pub keys: Vec<Vec<u8>>,
    /// Where it cannot be told which keys are lost: those between which they are.
    pub between: Option<KeyRange>,
}

/// The keys between two others, in the order of their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyRange {
    /// The keys above this one; `None`: from the first of the table.
    pub after: Option<Vec<u8>>,
    /// The keys below this one; `None`: to the last of the table.
    pub before: Option<Vec<u8>>,
}

impl Inner {
    /// Reads every file of the present generation, and of the earlier ones that are kept.
    pub(crate) fn verify(self: &Arc<Self>, progress: &Progress) -> Result<Report> {
        self.check_open()?;
        // No file is replaced while it is being read.
        let _flushing = self.flushing.lock();
        let _merging = self.merging.lock();
        let _upkeep = self.upkeep()?;
        let mut report = Report::default();
        let old = self.verify_manifests(&mut report)?;
        let mut stones = Vec::new();
        for table in self.tables() {
            let present = table.levels.load();
            stones.extend(present.stones.iter().map(|layer| (table.name.clone(), Arc::clone(&layer.stone))));
        }
        stones.extend(old);
        let journal = self.journal_bytes();
        progress.begin(stones.iter().map(|(_, stone)| stone.info().size).sum::<u64>() + journal)?;
        for (table, stone) in stones {
            progress.part(stone.info().size);
            verify_stone(&stone, &table, progress, &mut report)?;
        }
        progress.part(journal);
        self.verify_journal(progress, &mut report)?;
        if self.options.read_only {
            self.forget_replaced(&mut report)?;
        }
        progress.end();
        Ok(report)
    }

    /// Returns the stones that only earlier generations need, with the names of their tables. Held, they stay.
    fn verify_manifests(&self, report: &mut Report) -> Result<Vec<(String, Arc<Stone>)>> {
        let generations = self.generations.lock();
        let current = &generations.current;
        let kept = || generations.superseded.iter().map(|old| &old.manifest).chain([current]);
        // A newer one is there if it could not be used and nothing has taken its place yet.
        let on_disk = Files::list(&*self.env, &self.directory)?.generations;
        let newer = on_disk.into_iter().filter(|number| *number > current.generation);
        for generation in kept().map(|manifest| manifest.generation).chain(newer) {
            report.files += 1;
            let loaded = Manifest::load(&*self.env, &self.directory, generation);
            let checked = loaded.and_then(|manifest| match manifest.generation > current.generation {
                true => check_stones(&*self.env, &self.directory, &manifest),
                false => Ok(()),
            });
            report.damage.extend(checked.err().map(|error| Damage::of(&error, None)));
        }
        let mut known: HashSet<u64> = current.stones().map(|stone| stone.number).collect();
        let mut old = Vec::new();
        for table in kept().flat_map(|manifest| &manifest.tables) {
            for entry in table.stones.iter().filter(|entry| known.insert(entry.number)) {
                old.push((table.name.clone(), self.old_stone(table.id, entry)));
            }
        }
        Ok(old)
    }

    /// The stone that somebody reads already, or a handle that tells others that it is being read.
    fn old_stone(&self, table: u32, entry: &StoneEntry) -> Arc<Stone> {
        let mut stones = self.stones.lock();
        if let Some(stone) = stones.get(&entry.number).and_then(Weak::upgrade) {
            return stone;
        }
        let path = stone_path(&self.directory, entry.number);
        let stone = Stone::new(Arc::clone(&self.env), path, table, entry.info.clone(), self.access.clone());
        let stone = Arc::new(stone);
        stones.insert(entry.number, Arc::downgrade(&stone));
        stone
    }

    fn verify_journal(&self, progress: &Progress, report: &mut Report) -> Result<()> {
        let (end, durable) = {
            let mut core = self.core.lock();
            core.journal.write_out()?;
            (core.journal.end(), core.journal.durable())
        };
        let from = {
            let current = &self.generations.lock().current;
            ReplayFrom { database: current.database, first: current.first_segment, durable }
        };
        let segments: Vec<u64> = (from.first..=end.number).collect();
        report.files += segments.len() as u64;
        let mut frames = 0;
        let read = walk(&*self.env, &self.directory, &segments, from, end.offset, |frame| {
            frames += 1;
            report.bytes += frame.len() as u64;
            progress.advance(frame.len() as u64)?;
            frame.items(|_| Ok(()))
        });
        report.checked += frames;
        match read {
            // After a checkpoint the end lies in a segment that is no longer needed.
            Ok(_) if end.number < from.first => Ok(()),
            Ok(found) if (found.number, found.offset) >= (end.number, end.offset) => Ok(()),
            Ok(_) => self.verify_commits(from, report),
            Err(error) if error.code() == Code::Cancelled => Err(error),
            Err(error) => {
                report.damage.push(Damage::of(&error, None));
                Ok(())
            }
        }
    }

    /// Reports where the journal is broken, and the keys of which the last write stands nowhere but in memory. They can
    /// still be read, and are lost once the database is closed.
    fn verify_commits(&self, from: ReplayFrom, report: &mut Report) -> Result<()> {
        // Nobody writes meanwhile: what is in memory is in the files, or lost.
        let mut core = self.core.lock();
        core.journal.write_out()?;
        let numbers = Files::list(&*self.env, &self.directory)?.segments;
        let paths = numbers.into_iter().map(|number| (segment_path(&self.directory, number), number));
        let opened = paths.map(|(path, number)| Segment::open(&*self.env, path, number));
        let segments = opened.collect::<Result<Vec<_>>>()?;
        let end = core.journal.end();
        let (mut on_disk, mut breaks) = (HashSet::new(), Vec::new());
        let mut visit = |frame: &ReplayedFrame<'_>| {
            let _what_is_no_item_has_no_key = frame.items(|item| {
                if let Item::Record { table, entry } = item {
                    on_disk.insert((table, entry.key.to_vec(), entry.meta.version, entry.meta.tombstone));
                }
                Ok(())
            });
        };
        let from = ReplayFrom { durable: (end.number, end.offset), ..from };
        salvage(&self.directory, &segments, from, &mut visit, &mut |lost| breaks.push(lost));
        let damage = |table: Option<String>, keys| {
            breaks.iter().take(1).map(move |lost| Damage {
                path: lost.path.clone(),
                offset: lost.offset,
                bytes: lost.bytes,
                what: format!("the journal is damaged: {}", lost.what),
                table: table.clone(),
                keys: Vec::clone(&keys),
                between: None,
            })
        };
        let before = report.damage.len();
        for table in self.tables() {
            let levels = table.levels.load();
            let memtables = levels.frozen.iter().chain([&levels.active]);
            let rows =
                memtables.flat_map(|memtable| memtable.page(Bounds::all().as_ref(), false, u64::MAX, usize::MAX));
            let is_lost =
                |key: &[u8], meta: &Meta| !on_disk.contains(&(table.id, key.to_vec(), meta.version, meta.tombstone));
            let lost: BTreeSet<Vec<u8>> =
                rows.filter(|(key, held)| is_lost(key, &held.meta)).map(|(key, _)| key.to_vec()).collect();
            if !lost.is_empty() {
                report.damage.extend(damage(Some(table.name.clone()), lost.into_iter().collect::<Vec<_>>()));
            }
        }
        if report.damage.len() == before {
            report.damage.extend(damage(None, Vec::new()));
        }
        Ok(())
    }
}

fn verify_stone(stone: &Stone, table: &str, progress: &Progress, report: &mut Report) -> Result<()> {
    report.files += 1;
    report.bytes += stone.info().size;
    let damaged = report.damage.len();
    let mut found = Vec::new();
    match stone.verify(progress, &mut |damage| found.push(damage)) {
        Err(error) if error.code() == Code::Cancelled => return Err(error),
        Err(error) => report.damage.push(Damage::of(&error, Some(table))),
        Ok(()) => {}
    }
    for damage in found {
        let mut described = Damage::of(&damage.error, Some(table));
        described.path = stone.path().to_path_buf();
        described.offset = damage.offset;
        described.add_lost(damage.lost);
        report.damage.push(described);
    }
    if report.damage.len() == damaged {
        report.checked += stone.info().records;
    }
    Ok(())
}

impl Damage {
    fn add_lost(&mut self, lost: Lost) {
        match lost {
            Lost::Nothing => {}
            Lost::Key(key) => self.keys.push(key),
            Lost::Between { after, before, likely } => {
                self.between = Some(KeyRange { after, before });
                self.keys.extend(likely);
            }
            Lost::Everything => {
                self.what.push_str("; lost is everything in it");
                self.between = Some(KeyRange::default());
            }
        }
    }

    pub(crate) fn of(error: &Error, table: Option<&str>) -> Self {
        Damage {
            path: error.path().map(std::path::Path::to_path_buf).unwrap_or_default(),
            offset: error.offset().unwrap_or_default(),
            bytes: None,
            what: error.message().into(),
            table: table.map(str::to_string),
            keys: Vec::new(),
            between: None,
        }
    }
}
