//! What can be proved good in a damaged database.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::RepairReport;
use crate::dictionary::Dictionary;
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::files::Files;
use crate::journal::{Break, Item, ReplayFrom, ReplayedFrame, Segment, replay, salvage, segment_path};
use crate::manifest::{Manifest, StoneEntry, manifest_path};
use crate::merge::stone_path;
use crate::packed::Shape;
use crate::progress::Progress;
use crate::record::Meta;
use crate::stone::{Gap, Salvage, digest_of};
use crate::verify::{Damage, KeyRange};

/// What was found, table by table.
#[derive(Default)]
pub(super) struct Rescued {
    pub(super) tables: BTreeMap<u32, Found>,
    pub(super) dictionaries: BTreeMap<u32, Arc<Dictionary>>,
    pub(super) shapes: BTreeMap<u32, Arc<Shape>>,
    /// Whether the stones of a table are in their order, newest first; else only times tell.
    pub(super) ordered: bool,
    dropped: BTreeSet<u32>,
}

#[derive(Default)]
pub(super) struct Found {
    pub(super) name: Option<String>,
    /// The newest record of each key in the journal.
    pub(super) recent: BTreeMap<Vec<u8>, (Meta, Vec<u8>)>,
    pub(super) stones: Vec<Salvage>,
}

struct Source<'a> {
    env: &'a Arc<dyn Env>,
    directory: &'a Path,
    files: &'a Files,
    progress: &'a Progress,
}

/// Reads all of the database that is sound, and reports the rest.
pub(super) fn read(
    env: &Arc<dyn Env>,
    directory: &Path,
    files: &Files,
    progress: &Progress,
    report: &mut RepairReport,
) -> Result<Rescued> {
    let source = Source { env, directory, files, progress };
    let manifests = source.manifests(report)?;
    let durable = manifests.iter().map(|manifest| manifest.durable).max().unwrap_or_default();
    let mut rescued = Rescued::default();
    match source.best(&manifests, durable, report)? {
        Some(base) => {
            report.generation = Some(base.generation);
            rescued.take_manifest(base);
            source.take_stones(base, &mut rescued, report)?;
            let from = ReplayFrom { database: base.database, first: base.first_segment, durable };
            source.take_journal(Some(from), &mut rescued, report)?;
        }
        None => {
            source.take_all_stones(&mut rescued, report)?;
            source.take_journal(None, &mut rescued, report)?;
        }
    }
    rescued.forget_dropped();
    rescued.name_tables(directory, report);
    report.damage.sort_by(|a, b| (&a.path, a.offset).cmp(&(&b.path, b.offset)));
    Ok(rescued)
}

impl Source<'_> {
    /// The manifests that are whole, newest first, whatever the names of their files are.
    fn manifests(&self, report: &mut RepairReport) -> Result<Vec<Manifest>> {
        let mut whole: Vec<Manifest> = Vec::new();
        for &generation in &self.files.generations {
            let path = manifest_path(self.directory, generation);
            match Manifest::load_any(&**self.env, &path) {
                Ok(manifest) => {
                    if manifest.generation != generation {
                        let what = format!("the manifest is that of generation {}", manifest.generation);
                        report.damage.push(Damage::of(&Error::corrupt(&path, 0, what), None));
                    }
                    whole.push(manifest);
                }
                Err(error) => note(report, error)?,
            }
        }
        whole.sort_by_key(|manifest| Reverse(manifest.generation));
        whole.dedup_by_key(|manifest| manifest.generation);
        let database = whole.first().map(|newest| newest.database);
        whole.retain(|manifest| Some(manifest.database) == database);
        Ok(whole)
    }

    /// The newest generation of which nothing is lost, or else the newest.
    fn best<'m>(
        &self,
        manifests: &'m [Manifest],
        durable: (u64, u64),
        report: &mut RepairReport,
    ) -> Result<Option<&'m Manifest>> {
        let Some(newest) = manifests.first() else { return Ok(None) };
        for manifest in manifests {
            let mut losses = RepairReport::default();
            self.take_stones(manifest, &mut Rescued::default(), &mut losses)?;
            let from = ReplayFrom { database: manifest.database, first: manifest.first_segment, durable };
            if losses.damage.is_empty() && self.replay(from, |_| Ok(())).is_ok() {
                if manifest.generation != newest.generation {
                    self.take_stones(newest, &mut Rescued::default(), report)?;
                    for damage in &mut report.damage {
                        let saved = format!("; nothing is lost by it, generation {} is whole", manifest.generation);
                        damage.what.push_str(&saved);
                        damage.keys.clear();
                        damage.between = None;
                    }
                }
                return Ok(Some(manifest));
            }
        }
        Ok(Some(newest))
    }

    fn replay(&self, from: ReplayFrom, mut visit: impl FnMut(ReplayedFrame<'_>) -> Result<()>) -> Result<()> {
        let visit = |frame: ReplayedFrame<'_>| {
            self.progress.advance(frame.len() as u64)?;
            visit(frame)
        };
        replay(&**self.env, self.directory, &self.files.segments, from, visit).map(|_end| ())
    }

    /// The stones that a manifest names.
    fn take_stones(&self, manifest: &Manifest, rescued: &mut Rescued, report: &mut RepairReport) -> Result<()> {
        rescued.ordered = true;
        for table in &manifest.tables {
            for entry in &table.stones {
                let path = stone_path(self.directory, entry.number);
                match self.find(entry, &path, table.id) {
                    Ok(stone) => rescued.take_stone(stone, Some(entry), self.progress, report)?,
                    Err(error) if error.code() == Code::Format => return Err(error),
                    Err(error) => {
                        let what = format!("{}; lost is everything in it", error.message());
                        let damage = Damage::of(&error, Some(&table.name));
                        report.damage.push(Damage { path, what, between: Some(KeyRange::default()), ..damage });
                    }
                }
            }
        }
        Ok(())
    }

    /// The stone of an entry, under its own name or, if files were swapped, under another.
    fn find(&self, entry: &StoneEntry, path: &Path, table: u32) -> Result<Salvage> {
        let digest = &entry.info.digest;
        let named = Salvage::open(self.env, path, Some(table), Some(digest));
        if named.as_ref().is_ok_and(Salvage::is_sealed) {
            return named;
        }
        let mut others = self.files.stones.iter().map(|&number| stone_path(self.directory, number));
        match others.find(|path| digest_of(&**self.env, path).as_ref() == Some(digest)) {
            Some(path) => Salvage::open(self.env, &path, Some(table), Some(digest)),
            None => named,
        }
    }

    /// Every file that is a stone, where no manifest says which count.
    fn take_all_stones(&self, rescued: &mut Rescued, report: &mut RepairReport) -> Result<()> {
        let mut numbers = self.files.stones.clone();
        numbers.sort_unstable();
        let mut known = BTreeSet::new();
        for path in numbers.into_iter().map(|number| stone_path(self.directory, number)) {
            let twice = digest_of(&**self.env, &path).is_some_and(|digest| !known.insert(digest));
            match Salvage::open(self.env, &path, None, None) {
                Ok(stone) if !twice => rescued.take_stone(stone, None, self.progress, report)?,
                Ok(_) => {}
                Err(error) => note(report, error)?,
            }
        }
        Ok(())
    }

    fn take_journal(&self, from: Option<ReplayFrom>, rescued: &mut Rescued, report: &mut RepairReport) -> Result<()> {
        if let Some(from) = from {
            match self.replay(from, |_| Ok(())) {
                Ok(()) => {
                    return self.replay(from, |frame| {
                        rescued.take_frame(&frame, report);
                        Ok(())
                    });
                }
                Err(error) if matches!(error.code(), Code::Format | Code::Cancelled) => return Err(error),
                Err(_) => {}
            }
        }
        let mut segments = Vec::new();
        for &number in &self.files.segments {
            match Segment::open(&**self.env, segment_path(self.directory, number), number) {
                Ok(segment) => segments.push(segment),
                Err(error) => note(report, error)?,
            }
        }
        let from = from.unwrap_or_else(|| {
            let database = segments.iter().find_map(Segment::database).unwrap_or_default();
            ReplayFrom { database, first: 0, durable: (0, 0) }
        });
        let (mut breaks, mut unreadable) = (Vec::new(), RepairReport::default());
        let mut visit = |frame: &ReplayedFrame<'_>| rescued.take_frame(frame, &mut unreadable);
        salvage(self.directory, &segments, from, &mut visit, &mut |lost| breaks.push(lost));
        report.damage.extend(unreadable.damage);
        breaks.into_iter().for_each(|lost| rescued.note_break(lost, report));
        Ok(())
    }
}

/// A file that is of no use is damage. A newer format is not: whoever knows it may find nothing wrong.
fn note(report: &mut RepairReport, error: Error) -> Result<()> {
    if error.code() == Code::Format {
        return Err(error);
    }
    report.damage.push(Damage::of(&error, None));
    Ok(())
}

impl Rescued {
    fn take_manifest(&mut self, manifest: &Manifest) {
        for table in &manifest.tables {
            self.tables.entry(table.id).or_default().name = Some(table.name.clone());
        }
        self.dictionaries.extend((0..).zip(manifest.dictionaries.iter().cloned()));
        self.shapes.extend((0..).zip(manifest.shapes.iter().cloned()));
    }

    /// Looks through a stone once for what is missing, and keeps it to be read again.
    fn take_stone(
        &mut self,
        mut stone: Salvage,
        entry: Option<&StoneEntry>,
        progress: &Progress,
        report: &mut RepairReport,
    ) -> Result<()> {
        let again = stone.again()?;
        let mut count = 0;
        while let Some(row) = stone.next() {
            // It is read once more to find out which generation is whole.
            progress.advance(row.entry().len() / 2)?;
            count += 1;
        }
        // Without a footer nothing says where the records end, but how many there should be does.
        let all = !stone.is_sealed() && entry.is_some_and(|entry| entry.info.records == count);
        let found = self.tables.entry(stone.table()).or_default();
        if !all {
            stone.note_cut();
            let damage = std::mem::take(&mut stone.gaps).into_iter().map(|gap| of_gap(stone.path(), gap, &found.name));
            report.damage.extend(damage);
        }
        found.stones.push(again);
        Ok(())
    }

    fn take_frame(&mut self, frame: &ReplayedFrame<'_>, report: &mut RepairReport) {
        let read = frame.items(|item| {
            match item {
                Item::Record { table, entry } => {
                    let record = (entry.meta, entry.value.to_vec());
                    self.tables.entry(table).or_default().recent.insert(entry.key.to_vec(), record);
                }
                Item::DefineTable { table, name } => {
                    self.tables.entry(table).or_default().name.get_or_insert_with(|| name.into());
                }
                Item::DropTable { table } => drop(self.dropped.insert(table)),
                Item::DefineDictionary { revision, dictionary } => {
                    self.dictionaries.entry(revision).or_insert_with(|| Arc::new(dictionary));
                }
                Item::DefineShape { number, shape } => {
                    self.shapes.entry(number).or_insert_with(|| Arc::new(shape));
                }
            }
            Ok(())
        });
        if let Err(error) = read {
            report.damage.push(Damage::of(&error, None));
        }
    }

    /// Takes out the tables that are gone. A name belongs to one table at a time, so that of two the older one is gone.
    fn forget_dropped(&mut self) {
        let mut names = BTreeSet::new();
        let dropped = &self.dropped;
        let gone: Vec<u32> = self
            .tables
            .iter()
            .rev()
            .filter(|(id, found)| {
                dropped.contains(id) || found.name.as_ref().is_some_and(|name| !names.insert(name.clone()))
            })
            .map(|(id, _)| *id)
            .collect();
        gone.iter().for_each(|id| drop(self.tables.remove(id)));
    }

    /// Gives names to tables whose own ones are lost.
    fn name_tables(&mut self, directory: &Path, report: &mut RepairReport) {
        let mut names: BTreeSet<String> = self.tables.values().filter_map(|found| found.name.clone()).collect();
        for (id, found) in self.tables.iter_mut().filter(|(_, found)| found.name.is_none()) {
            let mut made = format!("recovered-{id}");
            while !names.insert(made.clone()) {
                made.push('-');
            }
            let what = format!("the name of table {id} is lost; it is called {made} now");
            report.damage.push(Damage::of(&Error::corrupt(directory, 0, what), Some(&made)));
            found.name = Some(made);
        }
    }

    /// The keys of a damaged frame, table by table.
    fn note_break(&self, lost: Break, report: &mut RepairReport) {
        let Break { path, offset, bytes, what, keys } = lost;
        let mut by_table: BTreeMap<u32, Vec<Vec<u8>>> = BTreeMap::new();
        for (table, key) in keys {
            by_table.entry(table).or_default().push(key);
        }
        let name = |id| self.tables.get(&id).and_then(|found| found.name.clone());
        let damage = |table: Option<String>, keys| Damage {
            path: path.clone(),
            offset,
            bytes,
            what: what.clone(),
            table,
            keys,
            between: None,
        };
        if by_table.is_empty() {
            report.damage.push(damage(None, Vec::new()));
        }
        report.damage.extend(by_table.into_iter().map(|(id, keys)| damage(name(id), keys)));
    }
}

fn of_gap(path: &Path, gap: Gap, table: &Option<String>) -> Damage {
    let Gap { start, end, what, after, before, likely } = gap;
    Damage {
        path: PathBuf::from(path),
        offset: start,
        bytes: Some(end - start),
        what,
        table: table.clone(),
        keys: likely.into_iter().collect(),
        between: Some(KeyRange { after, before }),
    }
}
