//! Writes what was rescued as a new database.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::RepairReport;
use super::source::{Found, Rescued};
use crate::dictionary::Dictionary;
use crate::env::Env;
use crate::error::Result;
use crate::manifest::{Manifest, StoneEntry, TableEntry};
use crate::merge::stone_path;
use crate::packed::{self, Shape};
use crate::reclaim::remove_if_there;
use crate::record::{DictionaryUse, Entry, Kind, Meta};
use crate::stone::{Salvaged, StoneWriter};
use crate::verify::Damage;

/// Writes the stones, and then the manifest: without it the directory is no database, so none is ever half there.
pub(super) fn write(env: &dyn Env, directory: &Path, rescued: Rescued, report: &mut RepairReport) -> Result<()> {
    let mut target = Target {
        env,
        directory,
        ordered: rescued.ordered,
        revisions: revisions(&rescued.dictionaries),
        shapes: shapes(&rescued.shapes),
        stones: Vec::new(),
    };
    let written = target.write(rescued, report);
    if written.is_err() {
        for path in &target.stones {
            // What stays is in nobody's way but a second attempt's, which says so.
            let _left_behind = remove_if_there(env, path);
        }
    }
    written
}

/// What becomes of each revision of a dictionary: those that are lost leave no gap.
fn revisions(dictionaries: &BTreeMap<u32, Arc<Dictionary>>) -> BTreeMap<u32, u32> {
    dictionaries.keys().copied().zip(0..).collect()
}

/// Shapes keep their numbers, since values name them. One that is lost has no keys here: then no value that has it adds up.
fn shapes(known: &BTreeMap<u32, Arc<Shape>>) -> Vec<Arc<Shape>> {
    let count = known.last_key_value().map_or(0, |(last, _)| last + 1).min(packed::MAX_SHAPES as u32);
    (0..count).map(|number| known.get(&number).cloned().unwrap_or_else(|| Arc::new(Shape::without_keys()))).collect()
}

struct Target<'a> {
    env: &'a dyn Env,
    directory: &'a Path,
    ordered: bool,
    revisions: BTreeMap<u32, u32>,
    shapes: Vec<Arc<Shape>>,
    stones: Vec<PathBuf>,
}

impl Target<'_> {
    fn write(&mut self, rescued: Rescued, report: &mut RepairReport) -> Result<()> {
        let mut tables = Vec::new();
        for ((_, found), id) in rescued.tables.into_iter().zip(1..) {
            tables.push(self.write_table(id, found, report)?);
        }
        report.tables = tables.len() as u64;
        report.records = tables.iter().map(|table| table.settled.records).sum();
        let mut seed = self.directory.as_os_str().as_encoded_bytes().to_vec();
        seed.extend_from_slice(&self.env.now().to_le_bytes());
        seed.extend_from_slice(&self.env.monotonic().to_le_bytes());
        let manifest = Manifest {
            database: xxh3_64(&seed),
            generation: 1,
            time: self.env.now(),
            first_segment: 1,
            durable: (0, 0),
            next_stone: tables.len() as u64 + 1,
            next_table: tables.len() as u32 + 1,
            tables,
            dictionaries: rescued.dictionaries.into_values().collect(),
            shapes: self.shapes.clone(),
        };
        manifest.store(self.env, self.directory).map(|_bytes| ())
    }

    /// Writes the newest record of each key into one stone. A table in which nothing is left gets none.
    fn write_table(&mut self, id: u32, found: Found, report: &mut RepairReport) -> Result<TableEntry> {
        let name = found.name.clone().unwrap_or_default();
        let mut entry = TableEntry::new(id, &name);
        let mut writer = None;
        let mut rows = Rows::new(found, self.ordered);
        while let Some((path, row)) = rows.next() {
            if row.meta.tombstone {
                continue;
            }
            let Some(meta) = self.translate(&row, path, &name, report) else { continue };
            let writer = match &mut writer {
                Some(writer) => writer,
                none => none.insert(self.begin(id)?),
            };
            writer.add(Entry { key: &row.key, meta, value: &row.value })?;
            entry.settled.records += 1;
            entry.settled.bytes += (row.key.len() + row.value.len()) as u64;
            entry.expires |= meta.expiration.is_some();
        }
        if let Some(writer) = writer {
            entry.stones.push(StoneEntry { number: u64::from(id), info: writer.finish()? });
        }
        Ok(entry)
    }

    fn begin(&mut self, id: u32) -> Result<StoneWriter> {
        let path = stone_path(self.directory, u64::from(id));
        let writer = StoneWriter::create(self.env, &path, id, self.env.now())?;
        self.stones.push(path);
        Ok(writer)
    }

    /// The record's meta data with its dictionary's number in the new database. `None`, which is reported, if its keys
    /// were shortened by one that is lost.
    fn translate(&self, row: &Salvaged, path: &Path, table: &str, report: &mut RepairReport) -> Option<Meta> {
        if row.meta.kind == Kind::PACKED && !packed::check(&row.value, &self.shapes) {
            report.damage.push(lost(row, path, table, "the shape of a record is lost; it is dropped"));
            return None;
        }
        let Some(used) = row.meta.dictionary else { return Some(row.meta) };
        if let Some(&revision) = self.revisions.get(&used.revision) {
            let dictionary = Some(DictionaryUse { revision, ..used });
            return Some(Meta { dictionary, ..row.meta });
        }
        let what = if used.mapped { "it is dropped" } else { "it is kept without it, as it was not mapped" };
        report.damage.push(lost(row, path, table, &format!("the dictionary of a record is lost; {what}")));
        (!used.mapped).then_some(Meta { dictionary: None, ..row.meta })
    }
}

fn lost(row: &Salvaged, path: &Path, table: &str, what: &str) -> Damage {
    Damage {
        path: path.to_path_buf(),
        offset: 0,
        bytes: None,
        what: what.into(),
        table: Some(table.to_string()),
        keys: vec![row.key.clone()],
        between: None,
    }
}

/// A table's records in the order of their keys, of each key the newest.
struct Rows {
    /// The journal first, then the stones.
    runs: Vec<RowRun>,
    ordered: bool,
}

struct RowRun {
    path: PathBuf,
    rows: Box<dyn Iterator<Item = Salvaged>>,
    next: Option<Salvaged>,
}

impl RowRun {
    fn new(path: PathBuf, mut rows: Box<dyn Iterator<Item = Salvaged>>) -> Self {
        let next = rows.next();
        RowRun { path, rows, next }
    }

    fn take(&mut self) -> Option<Salvaged> {
        let next = self.rows.next();
        std::mem::replace(&mut self.next, next)
    }
}

impl Rows {
    fn new(found: Found, ordered: bool) -> Self {
        let recent = found.recent.into_iter().map(|(key, (meta, value))| Salvaged { key, meta, value });
        let mut runs = vec![RowRun::new(PathBuf::new(), Box::new(recent))];
        for mut stone in found.stones {
            let path = stone.path().to_path_buf();
            runs.push(RowRun::new(path, Box::new(std::iter::from_fn(move || stone.next()))));
        }
        Rows { runs, ordered }
    }

    /// The next key's newest record, and the file that it was in.
    fn next(&mut self) -> Option<(&Path, Salvaged)> {
        let key = self.runs.iter().filter_map(|run| Some(run.next.as_ref()?.key.as_slice())).min()?.to_vec();
        let mut newest: Option<(usize, Salvaged)> = None;
        for (index, run) in self.runs.iter_mut().enumerate() {
            if run.next.as_ref().is_none_or(|next| next.key != key) {
                continue;
            }
            let Some(row) = run.take() else { continue };
            let wins = newest.as_ref().is_none_or(|(first, best)| {
                // The journal holds what is newer than all stones.
                !self.ordered && *first > 0 && (row.meta.time, row.meta.version) > (best.meta.time, best.meta.version)
            });
            if wins {
                newest = Some((index, row));
            }
        }
        let (index, row) = newest?;
        Some((self.runs.get(index).map_or(Path::new(""), |run| &run.path), row))
    }
}
