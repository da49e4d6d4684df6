//! Locks among the processes of a simulated machine, and the numbers that they share.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cairndb::env::{ProcessLock, SharedNumbers};
use parking_lot::Mutex;

use crate::world::{OFF, World};

/// Whoever holds a lock: a process, and the number of its guard.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Holder {
    process: u32,
    guard: u64,
}

/// The locks that are held.
#[derive(Default)]
pub(crate) struct Locks {
    held: BTreeMap<Arc<Path>, Vec<(Holder, bool)>>,
    guards: u64,
}

impl Locks {
    /// A number for a guard.
    pub(crate) fn guard(&mut self) -> u64 {
        self.guards += 1;
        self.guards
    }

    /// Takes a lock, `alone` or together with others, for a guard that may have had it in the other way. Else gives a
    /// process that is in the way, and the guard has nothing.
    pub(crate) fn take(&mut self, path: &Arc<Path>, process: u32, guard: u64, alone: bool) -> Result<(), u32> {
        self.release(path, guard);
        let holders = self.held.entry(Arc::clone(path)).or_default();
        if let Some((holder, _)) = holders.iter().find(|(_, other_alone)| alone || *other_alone) {
            return Err(holder.process);
        }
        holders.push((Holder { process, guard }, alone));
        Ok(())
    }

    pub(crate) fn release(&mut self, path: &Path, guard: u64) {
        if let Some(holders) = self.held.get_mut(path) {
            holders.retain(|(holder, _)| holder.guard != guard);
        }
    }

    /// What the system does for a process that died.
    pub(crate) fn release_all(&mut self, process: u32) {
        for holders in self.held.values_mut() {
            holders.retain(|(holder, _)| holder.process != process);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.held.clear();
    }
}

/// A lock that is taken and released many times.
pub(crate) struct SimLock {
    pub(crate) world: Arc<Mutex<World>>,
    pub(crate) path: Arc<Path>,
    pub(crate) process: u32,
    pub(crate) guard: u64,
}

impl SimLock {
    fn take(&self, alone: bool) -> io::Result<bool> {
        let mut world = self.world.lock();
        if !world.is_alive(self.process) {
            return Err(OFF.into());
        }
        Ok(world.locks.take(&self.path, self.process, self.guard, alone).is_ok())
    }
}

impl ProcessLock for SimLock {
    fn try_exclusive(&self) -> io::Result<bool> {
        self.take(true)
    }

    fn try_shared(&self) -> io::Result<bool> {
        self.take(false)
    }

    fn release(&self) -> io::Result<()> {
        self.world.lock().locks.release(&self.path, self.guard);
        Ok(())
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.world.lock().locks.release(&self.path, self.guard);
    }
}

/// Numbers in the memory of the machine, as one process sees them.
pub(crate) struct SimNumbers {
    pub(crate) world: Arc<Mutex<World>>,
    pub(crate) process: u32,
    pub(crate) numbers: Arc<[AtomicU64]>,
}

impl SharedNumbers for SimNumbers {
    fn load(&self, index: usize) -> u64 {
        self.numbers[index].load(Ordering::Acquire)
    }

    /// What a dead process would still do does not happen.
    fn store(&self, index: usize, number: u64) {
        if self.world.lock().may_store(self.process) {
            self.numbers[index].store(number, Ordering::Release);
        }
    }
}
