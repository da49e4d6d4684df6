//! The upkeep: one process at a time flushes, merges and removes files.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{FAILED, KEEPER, LONGEST_PAUSE, Sharing, failed_elsewhere, stuck};
use crate::error::{Code, Error, Result};
use crate::files::Files;
use crate::inner::Inner;
use crate::manifest::Manifest;
use crate::reclaim::{Superseded, remove_if_there};
use crate::recover::unnamed;

/// How long a process waits for the upkeep: a merge may take its time.
const PATIENCE_WITH_UPKEEP: Duration = Duration::from_secs(120);

/// The right to flush, to merge and to remove files.
pub(crate) struct Upkeep<'a>(Option<&'a Sharing>);

impl Drop for Upkeep<'_> {
    fn drop(&mut self) {
        let Some(sharing) = self.0 else { return };
        let mut keepers = sharing.keepers.lock();
        *keepers -= 1;
        if *keepers == 0 {
            // The system does it when the file is closed, if not now.
            let _at_the_latest_when_closed = sharing.upkeep.release();
        }
    }
}

impl Inner {
    /// Waits for the right to the upkeep.
    pub(crate) fn upkeep(&self) -> Result<Upkeep<'_>> {
        let since = self.env.monotonic();
        loop {
            if let Some(upkeep) = self.try_upkeep()? {
                return Ok(upkeep);
            }
            self.check_open()?;
            if Duration::from_nanos(self.env.monotonic().saturating_sub(since)) > PATIENCE_WITH_UPKEEP {
                return Err(stuck(&self.directory, "flushing or merging"));
            }
            self.env.pause(LONGEST_PAUSE);
        }
    }

    /// The right to the upkeep, unless another process has it.
    pub(crate) fn try_upkeep(&self) -> Result<Option<Upkeep<'_>>> {
        let Some(sharing) = &self.sharing else { return Ok(Some(Upkeep(None))) };
        let mut keepers = sharing.keepers.lock();
        if *keepers == 0 {
            let taken = sharing.upkeep.try_exclusive();
            if !taken.map_err(|error| Error::io(&self.directory, "take the upkeep", &error))? {
                return Ok(None);
            }
            if let Err(error) = self.take_stock(sharing) {
                let _at_the_latest_when_closed = sharing.upkeep.release();
                return Err(error);
            }
        }
        *keepers += 1;
        Ok(Some(Upkeep(Some(sharing))))
    }

    /// Learns what other processes have done to the files, and removes what one left behind that died.
    fn take_stock(&self, sharing: &Sharing) -> Result<()> {
        if sharing.numbers.load(FAILED) != 0 {
            return Err(failed_elsewhere());
        }
        self.follow()?;
        let me = sharing.me.load(Ordering::Relaxed);
        if sharing.numbers.load(KEEPER) == me {
            return Ok(());
        }
        let files = Files::list(&*self.env, &self.directory)?;
        let mut generations = self.generations.lock();
        let present = generations.current.generation;
        let older = files.generations.iter().filter(|number| **number < present);
        let older: Vec<Manifest> =
            older.filter_map(|number| Manifest::load(&*self.env, &self.directory, *number).ok()).collect();
        for path in unnamed(&self.directory, &files, &generations.current, &older) {
            remove_if_there(&*self.env, &path)?;
        }
        let now = self.env.monotonic();
        let since = |manifest: &Manifest| {
            let known = generations.superseded.iter().find(|old| old.manifest.generation == manifest.generation);
            known.map_or(now, |old| old.since)
        };
        generations.superseded =
            older.into_iter().map(|manifest| Superseded { since: since(&manifest), manifest }).collect();
        let last = files.generations.last().copied().unwrap_or(present).max(present);
        generations.next_generation = last + 1;
        let next_stone = files.stones.iter().map(|number| number + 1).max().unwrap_or(1);
        let next_stone = next_stone.max(generations.current.next_stone).max(self.next_stone.load(Ordering::Acquire));
        self.next_stone.store(next_stone, Ordering::Release);
        sharing.numbers.store(KEEPER, me);
        Ok(())
    }

    /// Tells the other processes of a generation that this one has put in place. Until that is done this one keeps the
    /// upkeep: another would take the generation for one that a dead process left behind.
    pub(crate) fn announce_generation(&self, generation: u64) {
        let Some(sharing) = &self.sharing else { return };
        sharing.generation.store(generation, Ordering::Release);
        loop {
            match self.committing() {
                Ok(_announced_at_its_end) => return,
                // Then nobody uses it, and it is indeed left behind.
                Err(error) if error.code() == Code::Closed => return,
                Err(error) if error.code() == Code::Locked => {}
                Err(error) => {
                    sharing.fail();
                    return self.syncer.fail(error);
                }
            }
        }
    }

    /// The number of the present generation.
    pub(crate) fn generation(&self) -> u64 {
        self.generations.lock().current.generation
    }
}
