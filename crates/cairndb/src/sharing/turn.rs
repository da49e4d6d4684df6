//! The turn: one process at a time appends.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering;

use super::{Announced, FAILED, Sharing, TURN, failed_elsewhere};
use crate::error::Result;
use crate::inner::{Core, Inner};
use crate::journal::Ticket;
use crate::sync::MutexGuard;

/// The commit lock; in a directory that is shared also the turn among processes, with all that others have committed.
/// What was appended is announced when it is dropped.
pub(crate) struct Committing<'a> {
    inner: &'a Inner,
    core: MutexGuard<'a, Core>,
    before: Option<Announced>,
}

impl Deref for Committing<'_> {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}

impl DerefMut for Committing<'_> {
    fn deref_mut(&mut self) -> &mut Core {
        &mut self.core
    }
}

impl Drop for Committing<'_> {
    fn drop(&mut self) {
        let Some(sharing) = &self.inner.sharing else { return };
        let now = announcement(sharing, &self.core);
        if self.before != Some(now) {
            sharing.announce(&now);
        }
        let closed = self.inner.closed.load(Ordering::Acquire);
        if !closed && self.inner.syncer.failure().is_some() {
            sharing.fail();
        }
        sharing.end_turn();
    }
}

fn announcement(sharing: &Sharing, core: &Core) -> Announced {
    let generation = sharing.generation.load(Ordering::Acquire);
    Announced { generation, end: core.journal.end(), time: core.journal.time() }
}

impl Inner {
    /// Brings to the disk what was written up to `ticket`, or all of it. If that fails nobody appends any more.
    pub(crate) fn sync(&self, ticket: Option<Ticket>) -> Result<()> {
        let outcome = ticket.map_or_else(|| self.syncer.sync_all(), |ticket| self.syncer.sync(ticket));
        // Whoever has closed may not speak for the others.
        if let (Err(_), Some(sharing), Ok(())) = (&outcome, &self.sharing, self.check_open()) {
            sharing.fail();
        }
        outcome
    }

    /// Takes the commit lock.
    pub(crate) fn committing(&self) -> Result<Committing<'_>> {
        self.check_writable()?;
        let mut core = self.core.lock();
        let Some(sharing) = &self.sharing else { return Ok(Committing { inner: self, core, before: None }) };
        self.check_held()?;
        sharing.wait_for_turn(&*self.env, &self.directory)?;
        if let Err(error) = self.begin_turn(sharing, &mut core) {
            sharing.release_turn();
            return Err(error);
        }
        if sharing.numbers.load(FAILED) != 0 {
            self.syncer.fail(failed_elsewhere());
        }
        let before = Some(sharing.read().1);
        Ok(Committing { inner: self, core, before })
    }

    /// Learns what the others did in their turns.
    fn begin_turn(&self, sharing: &Sharing, core: &mut Core) -> Result<()> {
        self.follow_in(sharing, core)?;
        if sharing.numbers.load(TURN) != 0 {
            core.journal.bury()?;
        }
        sharing.numbers.store(TURN, 1);
        Ok(())
    }
}
