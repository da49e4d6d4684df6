//! New generations, and the files of old ones.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::env::{Env, Lane};
use crate::error::{Error, Result};
use crate::inner::{Generations, Inner, RETRY};
use crate::journal::segment_path;
use crate::manifest::{Manifest, manifest_path};
use crate::merge::stone_path;

/// What [`Database::prune`](crate::Database::prune) has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// Generations that can no longer be gone back to.
    pub generations: u64,
    /// Files: their manifests, stones and segments of the journal.
    pub files: u64,
    /// Bytes in these.
    pub bytes: u64,
}

/// A generation that another one has replaced.
pub(crate) struct Superseded {
    pub(crate) manifest: Manifest,
    /// By the environment's monotonic clock, nanoseconds.
    pub(crate) since: u64,
}

impl Inner {
    /// Puts the next generation in place: `change` says how its manifest differs, `install` makes the same change in
    /// memory once the manifest is on the disk.
    pub(crate) fn publish(self: &Arc<Self>, change: impl FnOnce(&mut Manifest), install: impl FnOnce()) -> Result<()> {
        let (durable, next_table) = {
            let core = self.core.lock();
            (core.journal.durable(), core.next_table)
        };
        let mut generations = self.generations.lock();
        let mut next = generations.current.clone();
        change(&mut next);
        next.generation = generations.next_generation;
        next.time = self.env.now();
        next.durable = durable;
        next.next_stone = self.next_stone.load(Ordering::Acquire);
        next.next_table = next_table;
        let catalog = self.catalog.load();
        next.dictionaries.clone_from(&catalog.dictionaries);
        next.shapes.clone_from(&catalog.shapes);
        drop(catalog);
        self.sync_names(&generations.current, &next)?;
        // Spent even if storing fails half-way: the name may be on the disk.
        generations.next_generation += 1;
        let bytes = next.store(&*self.env, &self.directory)?;
        self.counters.published(bytes);
        let manifest = std::mem::replace(&mut generations.current, next);
        generations.superseded.push(Superseded { manifest, since: self.env.monotonic() });
        install();
        let generation = generations.current.generation;
        drop(generations);
        self.announce_generation(generation);
        self.schedule_reclaim(self.options.reclaim_delay);
        Ok(())
    }

    /// Brings the names of new stones to the disk. One sync of the directory, after the manifest is renamed, would do
    /// as well, if not for a crash before it: that can leave the manifest and take a stone.
    fn sync_names(&self, current: &Manifest, next: &Manifest) -> Result<()> {
        let known: HashSet<u64> = current.stones().map(|stone| stone.number).collect();
        if next.stones().all(|stone| known.contains(&stone.number)) {
            return Ok(());
        }
        self.env.sync_dir(&self.directory).map_err(|error| Error::io(&self.directory, "sync the directory", &error))
    }

    pub(crate) fn schedule_reclaim(self: &Arc<Self>, delay: Duration) {
        self.schedule(
            |jobs| &jobs.reclaim,
            Lane::Sync,
            delay,
            |inner| {
                let outcome = inner.reclaim(inner.options.reclaim_delay, inner.options.keep_generations);
                match outcome {
                    Ok((_, Some(delay))) => inner.schedule_reclaim(delay),
                    Ok((_, None)) => inner.note_background(Lane::Sync, Ok(())),
                    Err(error) => {
                        inner.note_background(Lane::Sync, Err(error));
                        inner.schedule_reclaim(inner.options.reclaim_delay.max(RETRY));
                    }
                }
            },
        );
    }

    /// Removes the generations that were replaced at least `delay` ago, but for the `keep` newest (the present one
    /// counts), and the files that no other generation needs. Returns what went, and when to come back for what remains.
    pub(crate) fn reclaim(&self, delay: Duration, keep: u32) -> Result<(Pruned, Option<Duration>)> {
        let mut gone = Pruned::default();
        let Some(_upkeep) = self.try_upkeep()? else { return Ok((gone, Some(RETRY))) };
        let mut generations = self.generations.lock();
        self.check_held()?;
        let now = self.env.monotonic();
        let removable = (generations.superseded.len() + 1).saturating_sub(keep as usize);
        for _ in 0..removable {
            let Some(oldest) = generations.superseded.first() else { break };
            let age = Duration::from_nanos(now.saturating_sub(oldest.since));
            if age < delay {
                return Ok((gone, Some(delay - age)));
            }
            if !self.remove_oldest(&mut generations, &mut gone)? {
                return Ok((gone, Some(self.options.reclaim_delay.max(RETRY))));
            }
        }
        Ok((gone, None))
    }

    /// Returns false if somebody still reads a file that would have to go.
    fn remove_oldest(&self, generations: &mut Generations, removed: &mut Pruned) -> Result<bool> {
        let Some(oldest) = generations.superseded.first() else { return Ok(true) };
        let retained = || generations.superseded.iter().skip(1).map(|old| &old.manifest).chain([&generations.current]);
        let needed: HashSet<u64> = retained().flat_map(Manifest::stones).map(|stone| stone.number).collect();
        let first_segment = retained().map(|manifest| manifest.first_segment).min().unwrap_or_default();
        let gone: Vec<u64> =
            oldest.manifest.stones().map(|stone| stone.number).filter(|number| !needed.contains(number)).collect();
        let mut stones = self.stones.lock();
        if gone.iter().any(|number| stones.get(number).is_some_and(|stone| stone.strong_count() > 0)) {
            return Ok(false);
        }
        // The manifest goes first: one that names missing files must not be found.
        self.remove(&manifest_path(&self.directory, oldest.manifest.generation), removed)?;
        removed.generations += 1;
        for number in gone {
            stones.remove(&number);
            self.remove(&stone_path(&self.directory, number), removed)?;
        }
        for number in oldest.manifest.first_segment..first_segment {
            self.remove(&segment_path(&self.directory, number), removed)?;
        }
        generations.superseded.remove(0);
        Ok(true)
    }

    /// Removes a file, and counts it if it is there.
    fn remove(&self, path: &Path, removed: &mut Pruned) -> Result<()> {
        let bytes = match self.env.file_len(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            len => len.map_err(|error| Error::io(path, "look at a file that is no longer needed", &error))?,
        };
        remove_if_there(&*self.env, path)?;
        removed.files += 1;
        removed.bytes += bytes;
        Ok(())
    }

    /// The number of the present generation, and the bytes of stones that only earlier ones need.
    pub(crate) fn generation_stats(&self) -> (u64, u64) {
        let generations = self.generations.lock();
        let needed: HashSet<u64> = generations.current.stones().map(|stone| stone.number).collect();
        let mut old: HashMap<u64, u64> = generations
            .superseded
            .iter()
            .flat_map(|old| old.manifest.stones())
            .map(|s| (s.number, s.info.size))
            .collect();
        old.retain(|number, _| !needed.contains(number));
        (generations.current.generation, old.values().sum())
    }

    /// Bytes of the journal segments that the present generation needs, as they stand in the directory.
    pub(crate) fn journal_bytes(&self) -> u64 {
        let first = self.generations.lock().current.first_segment;
        let end = self.core.lock().journal.end();
        // A segment that has not been begun has no file.
        (first..=end.number).filter_map(|number| self.env.file_len(&segment_path(&self.directory, number)).ok()).sum()
    }
}

/// Removes a file that nobody needs; whether it is still there does not matter.
pub(crate) fn remove_if_there(env: &dyn Env, path: &Path) -> Result<()> {
    match env.remove(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(path, "remove a file that is no longer needed", &error))
        }
        _ => Ok(()),
    }
}
