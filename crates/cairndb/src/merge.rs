//! Merging into stones: how memtables become stones, and stones become larger ones.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::env::Lane;
use crate::error::{Code, Error, Result};
use crate::inner::{Inner, RETRY};
use crate::manifest::StoneEntry;
use crate::plan::{plan_idle_merge, plan_merge};
use crate::progress::Progress;
use crate::range::Bounds;
use crate::runs::{Merged, Run};
use crate::sample::Sample;
use crate::stone::{Stone, StoneWriter};
use crate::sync::AtomicBool;
use crate::table::{Layer, Table};

/// Writes the newest record of each key of `runs`, newest run first, into a new stone. At the `bottom` of a stack
/// tombstones have nothing left to hide and are left out, and records are packed: most of a table's records are there, the
/// recent ones are above. `None` if no record remains.
pub(crate) fn write_stone(
    inner: &Inner,
    table: u32,
    runs: Vec<Run>,
    bottom: bool,
    stop: &AtomicBool,
    progress: &Progress,
) -> Result<Option<(Layer, StoneEntry)>> {
    let number = inner.next_stone.fetch_add(1, Ordering::AcqRel);
    let path = stone_path(&inner.directory, number);
    let sample = if bottom { Sample::of(&runs)? } else { Sample::default() };
    let mut writer = sample.begin(&*inner.env, &path, table)?;
    let merged = Merged::new(runs, false)?;
    let written = merge_into(&mut writer, merged, bottom, stop, progress).and_then(|records| match records {
        0 => Ok(None),
        _ => writer.finish().map(Some),
    });
    match written {
        Ok(Some(info)) => {
            let stone = Stone::new(Arc::clone(&inner.env), path, table, info.clone(), inner.access.clone());
            Ok(Some((Layer::new(number, inner.adopt(number, stone)), StoneEntry { number, info })))
        }
        unfinished => {
            // No manifest names the file, so the next open removes it if this does not succeed.
            let _left_for_the_next_open = inner.env.remove(&path);
            unfinished.map(|_| None)
        }
    }
}

fn merge_into(
    writer: &mut StoneWriter,
    mut merged: Merged,
    bottom: bool,
    stop: &AtomicBool,
    progress: &Progress,
) -> Result<u64> {
    let mut records = 0;
    merged.visit_all(|entry| {
        progress.advance(entry.len())?;
        if bottom && entry.meta.tombstone {
            return Ok(());
        }
        writer.add(*entry)?;
        records += 1;
        if stop.load(Ordering::Relaxed) {
            return Err(Error::new(Code::Closed, "the database was closed during a merge"));
        }
        Ok(())
    })?;
    Ok(records)
}

/// Nobody writes if nobody has for so long.
const IDLE: Duration = Duration::from_secs(10);

impl Inner {
    pub(crate) fn schedule_merge(self: &Arc<Self>) {
        self.schedule_merge_after(Duration::ZERO);
    }

    fn schedule_merge_after(self: &Arc<Self>, delay: Duration) {
        self.schedule(
            |jobs| &jobs.merge,
            Lane::Merge,
            delay,
            |inner| {
                let outcome = inner.merge_all(plan_merge, &Progress::default());
                // Else what failed would be told until the next flush, which may never come.
                if outcome.as_ref().is_err_and(is_passing) {
                    inner.schedule_merge_after(RETRY);
                }
                if outcome.is_ok() {
                    inner.schedule_idle_merge();
                }
                inner.note_background(Lane::Merge, outcome);
            },
        );
    }

    /// Merges more than it must once nobody has written for a while: the small stone that a load leaves upon the large one
    /// would otherwise be looked into by everybody who reads from then on. Called on the lane of merges alone.
    fn schedule_idle_merge(self: &Arc<Self>) {
        let wants = |table: &Arc<Table>| plan_idle_merge(&contents(&table.levels.load().stones)).is_some();
        if self.scheduled.idle_merge.load(Ordering::Acquire) || !self.tables().iter().any(wants) {
            return;
        }
        self.last_seen.store(self.visible.load(Ordering::Acquire), Ordering::Release);
        self.schedule(
            |jobs| &jobs.idle_merge,
            Lane::Merge,
            IDLE,
            |inner| {
                // A process that neither reads nor writes does not see by itself what others have written.
                let followed = inner.follow();
                let is_written = inner.visible.load(Ordering::Acquire) != inner.last_seen.load(Ordering::Acquire);
                if followed.is_ok() && is_written {
                    return inner.schedule_idle_merge();
                }
                let outcome = followed.and_then(|()| inner.merge_all(plan_idle_merge, &Progress::default()));
                if outcome.as_ref().is_err_and(is_passing) {
                    inner.schedule_idle_merge();
                }
                inner.note_background(Lane::Merge, outcome);
            },
        );
    }

    /// Merges until `plan`, asked with the contents of each table's stones, newest first, has no wish left.
    pub(crate) fn merge_all(
        self: &Arc<Self>,
        plan: fn(&[u64]) -> Option<std::ops::Range<usize>>,
        progress: &Progress,
    ) -> Result<()> {
        let _merging = self.merging.lock();
        self.check_held()?;
        let _upkeep = self.upkeep()?;
        for table in self.tables() {
            while !table.dropped.load(Ordering::Acquire) {
                let stones = table.levels.load().stones.clone();
                let Some(range) = plan(&contents(&stones)) else { break };
                let bottom = range.end == stones.len();
                let run = stones.get(range).unwrap_or_default();
                self.merge(&table, run, bottom, progress)?;
            }
        }
        Ok(())
    }

    /// What a compaction has to do: the bytes in memory, and those of the stones that are to become others.
    pub(crate) fn to_compact(&self) -> (u64, u64) {
        let (mut in_memory, mut in_stones) = (0, 0);
        for table in self.tables() {
            let levels = table.levels.load();
            let memory = levels.memory() as u64;
            let layers = levels.stones.len() + usize::from(memory > 0);
            let tombstones = levels.stones.iter().any(|layer| layer.stone.info().tombstones > 0);
            in_memory += memory;
            if layers > 1 || tombstones {
                in_stones += levels.stones.iter().map(|layer| layer.stone.info().content).sum::<u64>();
            }
        }
        (in_memory, in_stones)
    }

    /// Rewrites the tables whose only stone still holds tombstones, which have nothing left to hide.
    pub(crate) fn rewrite_tombstones(self: &Arc<Self>, progress: &Progress) -> Result<()> {
        let _merging = self.merging.lock();
        self.check_held()?;
        let _upkeep = self.upkeep()?;
        for table in self.tables() {
            let stones = table.levels.load().stones.clone();
            if let [only] = stones.as_slice()
                && only.stone.info().tombstones > 0
            {
                self.merge(&table, &stones, true, progress)?;
            }
        }
        Ok(())
    }

    /// Puts one stone in the place of a run of them.
    fn merge(self: &Arc<Self>, table: &Arc<Table>, layers: &[Layer], bottom: bool, progress: &Progress) -> Result<()> {
        let runs = layers.iter().map(|layer| Run::stone(&layer.stone, Bounds::all(), false)).collect::<Result<_>>()?;
        let merged = write_stone(self, table.id, runs, bottom, &self.stop_merging, progress)?;
        let numbers: Vec<u64> = layers.iter().map(|layer| layer.number).collect();
        if let Some((_, entry)) = &merged {
            self.counters.merged(entry.info.size);
        }
        let published = self.publish(
            |manifest| {
                if let Some(entry) = manifest.tables.iter_mut().find(|entry| entry.id == table.id) {
                    let new = merged.as_ref().map(|(_, entry)| entry.clone());
                    replace_run(&mut entry.stones, |stone| numbers.contains(&stone.number), new);
                }
            },
            || {
                table.restack(|levels| {
                    let new = merged.as_ref().map(|(layer, _)| layer.clone());
                    replace_run(&mut levels.stones, |layer| numbers.contains(&layer.number), new);
                });
            },
        );
        if published.is_err() {
            self.discard(merged.iter().map(|(_, entry)| entry.number));
        }
        published
    }

    /// Removes new stones whose manifest could not be put in place. Otherwise each further try would take the room of
    /// one more from a disk that is full.
    pub(crate) fn discard(&self, stones: impl Iterator<Item = u64>) {
        for number in stones {
            // If a manifest names it all the same, the next open goes back to the generation before.
            let _left_for_the_next_open = self.env.remove(&stone_path(&self.directory, number));
        }
    }
}

/// Whether what failed may succeed later. Damage stays what it is.
fn is_passing(error: &Error) -> bool {
    matches!(error.code(), Code::Full | Code::Io)
}

/// What the stones of a stack hold, in bytes.
fn contents(stones: &[Layer]) -> Vec<u64> {
    stones.iter().map(|layer| layer.stone.info().content).collect()
}

/// Replaces the items that `is_old` names, which stand together, by `new`.
fn replace_run<T>(items: &mut Vec<T>, is_old: impl Fn(&T) -> bool, new: Option<T>) {
    let place = items.iter().position(&is_old);
    items.retain(|item| !is_old(item));
    if let (Some(place), Some(new)) = (place, new) {
        items.insert(place, new);
    }
}

/// The name of a stone's file.
pub(crate) fn stone_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:012}.stone"))
}
