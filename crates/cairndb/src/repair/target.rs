//! What was rescued, as the tables of a new database.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::RepairReport;
use super::source::{Found, Rescued};
use crate::backup::{Definitions, Target};
use crate::dictionary::Dictionary;
use crate::error::Result;
use crate::packed::{self, Shape};
use crate::record::{DictionaryUse, Entry, Kind, Meta};
use crate::sample::Sample;
use crate::stone::Salvaged;
use crate::verify::Damage;

/// Writes the newest record of each key. A table in which nothing is left is there without records.
pub(super) fn write(target: &mut Target<'_>, rescued: Rescued, report: &mut RepairReport) -> Result<Definitions> {
    let known = Known { revisions: revisions(&rescued.dictionaries), shapes: shapes(&rescued.shapes) };
    let progress = target.progress;
    for (_, found) in rescued.tables {
        let name = found.name.clone().unwrap_or_default();
        let mut table = target.table(&name, Sample::default());
        let mut rows = Rows::new(found, rescued.ordered);
        while let Some((path, row)) = rows.next() {
            progress.advance(row.entry().len())?;
            if row.meta.tombstone {
                continue;
            }
            if let Some(meta) = known.translate(&row, path, &name, report) {
                table.add(Entry { meta, ..row.entry() })?;
            }
        }
        table.finish()?;
    }
    Ok(Definitions { dictionaries: rescued.dictionaries.into_values().collect(), shapes: known.shapes })
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

/// What the values of the new database can be read with.
struct Known {
    revisions: BTreeMap<u32, u32>,
    shapes: Vec<Arc<Shape>>,
}

impl Known {
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
