//! Taking in what other processes have done.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Announced, Sharing};
use crate::catalog::Target;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::inner::{Core, Inner};
use crate::journal::{ReplayFrom, ReplayedFrame, SegmentEnd, segment_path, walk};
use crate::manifest::{Manifest, StoneEntry};
use crate::merge::stone_path;
use crate::recover::Replayed;
use crate::stone::Stone;
use crate::table::Layer;

/// Gives every frame from the first segment of a generation up to an end that was announced.
pub(super) fn read_journal(
    env: &dyn Env,
    directory: &Path,
    manifest: &Manifest,
    end: SegmentEnd,
    mut visit: impl FnMut(&ReplayedFrame<'_>) -> Result<()>,
) -> Result<()> {
    let from = ReplayFrom { database: manifest.database, first: manifest.first_segment, durable: manifest.durable };
    let segments: Vec<u64> = (from.first..=end.number).collect();
    let found = walk(env, directory, &segments, from, end.offset, |frame| visit(&frame))?;
    if found == end {
        return Ok(());
    }
    let path = segment_path(directory, found.number);
    Err(Error::corrupt(&path, found.offset, "the journal ends before what a process announced; run verify"))
}

impl Inner {
    /// Takes in what other processes have done.
    pub(crate) fn follow(&self) -> Result<()> {
        match &self.sharing {
            Some(sharing) if sharing.is_behind() => {
                let mut core = self.core.lock();
                self.check_open()?;
                self.follow_in(sharing, &mut core)
            }
            _ => Ok(()),
        }
    }

    /// Reads with all that was committed before. A file that another process has removed meanwhile, since it had put
    /// another one in its place, is no error.
    pub(crate) fn up_to_date<T>(&self, read: impl Fn() -> Result<T>) -> Result<T> {
        loop {
            self.follow()?;
            let generation = self.sharing.as_ref().map(|sharing| sharing.generation.load(Ordering::Acquire));
            let outcome = read();
            let replaced = || self.sharing.as_ref().map(|sharing| sharing.read().1.generation) > generation;
            if outcome.is_ok() || !replaced() {
                return outcome;
            }
        }
    }

    pub(super) fn follow_in(&self, sharing: &Sharing, core: &mut Core) -> Result<()> {
        loop {
            let (version, announced) = sharing.read();
            if version == sharing.followed.load(Ordering::Acquire) {
                return Ok(());
            }
            match self.advance(sharing, core, &announced) {
                Ok(()) => sharing.followed.store(version, Ordering::Release),
                // What it names may have been replaced, and removed.
                Err(_) if sharing.read().1.generation > announced.generation => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn advance(&self, sharing: &Sharing, core: &mut Core, announced: &Announced) -> Result<()> {
        // This process may have put one in place that it has not announced yet.
        if announced.generation > sharing.generation.load(Ordering::Acquire) {
            self.enter_generation(core, announced)?;
            sharing.generation.store(announced.generation, Ordering::Release);
        }
        let Core { journal, sequence, next_table, .. } = core;
        journal.follow(announced.end, |frame| {
            *sequence += 1;
            let mut target = Target {
                catalog: &self.catalog,
                sequence: *sequence,
                memory: &self.memory,
                frozen_memory: &self.frozen_memory,
                next_table,
            };
            self.show(|| {
                let applied = target.apply(&frame);
                self.visible.store(*sequence, Ordering::SeqCst);
                applied
            })
        })
    }

    /// Goes over to a generation that another process has put in place.
    fn enter_generation(&self, core: &mut Core, announced: &Announced) -> Result<()> {
        let manifest = Manifest::load(&*self.env, &self.directory, announced.generation)?;
        let merged_only = manifest.first_segment == self.generations.lock().current.first_segment;
        if merged_only {
            self.replace_stones(&manifest)
        } else {
            self.reload(core, &manifest, announced)?
        }
        let mut generations = self.generations.lock();
        generations.next_generation = manifest.generation + 1;
        generations.current = manifest;
        Ok(())
    }

    fn replace_stones(&self, manifest: &Manifest) {
        for entry in &manifest.tables {
            let Some(table) = self.catalog.load().table_by_id(entry.id).cloned() else { continue };
            let levels = table.levels.load();
            let known = |number: u64| levels.stones.iter().find(|layer| layer.number == number);
            let is_known = |stone: &StoneEntry| known(stone.number).is_some();
            if entry.stones.len() == levels.stones.len() && entry.stones.iter().all(is_known) {
                continue;
            }
            let layer =
                |stone: &StoneEntry| known(stone.number).cloned().unwrap_or_else(|| self.layer(entry.id, stone));
            let layers: Vec<Layer> = entry.stones.iter().map(layer).collect();
            table.restack(|levels| levels.stones.clone_from(&layers));
        }
    }

    fn layer(&self, table: u32, StoneEntry { number, info }: &StoneEntry) -> Layer {
        let path = stone_path(&self.directory, *number);
        let stone = Stone::new(Arc::clone(&self.env), path, table, info.clone(), self.access.clone());
        Layer::new(*number, self.adopt(*number, stone))
    }

    /// Begins again from a generation, since the journal from which the memtables come is no longer kept.
    fn reload(&self, core: &mut Core, manifest: &Manifest, announced: &Announced) -> Result<()> {
        let mut state = Replayed::new(&self.env, &self.directory, manifest, &self.access);
        // Readers see all of it: it is at least what they have seen before.
        state.sequence = core.sequence;
        read_journal(&*self.env, &self.directory, manifest, announced.end, |frame| state.apply(frame))?;
        core.journal.jump(announced.end, announced.time)?;
        core.checkpoint_position = core.journal.position();
        core.next_table = core.next_table.max(state.next_table);
        core.sequence += 1;
        self.show(|| {
            self.take_over(state, core.sequence - 1);
            self.visible.store(core.sequence, Ordering::SeqCst);
        });
        Ok(())
    }

    fn take_over(&self, state: Replayed, sequence: u64) {
        let Replayed { catalog, stones, memory, .. } = state;
        self.stones.lock().extend(stones);
        let fresh = catalog.load();
        self.catalog.edit(|catalog| {
            for table in catalog.tables() {
                if fresh.table_by_id(table.id).is_none() {
                    catalog.remove(table.id);
                    drop(table.drop_stack());
                }
            }
            for table in fresh.tables() {
                match catalog.table_by_id(table.id) {
                    Some(known) => known.become_like(&table, sequence),
                    None => catalog.insert(table),
                }
            }
            catalog.dictionaries = Arc::clone(&fresh.dictionaries);
            catalog.shapes = Arc::clone(&fresh.shapes);
        });
        self.memory.store(memory.load(Ordering::Acquire), Ordering::Release);
        self.frozen_memory.store(0, Ordering::Release);
    }
}
