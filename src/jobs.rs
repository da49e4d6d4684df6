//! What waits in a queue, and how it is done.

use cairndb::{Database, Durability, Ticket};

use crate::failure::{Outcome, guarded};
use crate::promise::Deferred;
use crate::request;
use crate::settle::Settled;
use crate::values::Outcomes;

pub(crate) enum Job {
    /// A group to be done.
    Commit { ticket: u64, request: Vec<u8>, durability: Durability },
    /// A group that has been appended and waits to be on the disk.
    Sync { ticket: u64, outcomes: Outcomes, position: Ticket },
    /// A table to be dropped.
    Drop { table: String, deferred: Deferred<bool> },
    /// Other work that takes its turn.
    Work(Box<dyn FnOnce(&Database) + Send>),
}

impl Job {
    /// Whether later writes and reads have to wait for it.
    pub(crate) fn is_ahead(&self) -> bool {
        match self {
            Job::Commit { .. } | Job::Drop { .. } => true,
            Job::Sync { .. } | Job::Work(_) => false,
        }
    }
}

/// Does a group that had to wait. If there is a position, it is still to be synced.
pub(crate) fn commit(engine: &Database, request: &[u8], durability: Durability) -> Outcome<(Outcomes, Option<Ticket>)> {
    let ops = request::decode(request)?;
    if durability == Durability::Full && engine.pressure().is_zero() {
        let (outcomes, position) = engine.append(&ops, durability)?;
        return Ok((outcomes.into(), Some(position)));
    }
    // This one waits while flushing lags, and counts for how long.
    Ok((engine.commit(&ops, durability)?.into(), None))
}

/// Groups that are appended and share the next sync.
#[derive(Default)]
pub(crate) struct Unsynced {
    groups: Vec<(u64, Outcomes)>,
    up_to: Ticket,
}

impl Unsynced {
    pub(crate) fn add(&mut self, ticket: u64, outcomes: Outcomes, position: Ticket) {
        self.groups.push((ticket, outcomes));
        self.up_to = self.up_to.max(position);
    }

    /// Syncs, once for all of them.
    pub(crate) fn sync(self, engine: &Database) -> impl Iterator<Item = Settled> {
        let synced = if self.groups.is_empty() { Ok(()) } else { guarded(|| Ok(engine.sync(self.up_to)?)) };
        self.groups
            .into_iter()
            .map(move |(ticket, outcomes)| Settled { ticket, outcome: synced.clone().map(|()| outcomes) })
    }
}
