//! Writing: check the conditions, append one frame, put the records into the memtables, show them to readers.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::batch::{Action, Durability, MAX_COMMIT_BYTES, Op, Origin, Outcome};
use crate::env::Lane;
use crate::error::{Code, Error, Result};
use crate::inner::{Core, Inner, RETRY};
use crate::journal::{FrameBuilder, Ticket};
use crate::manifest::Count;
use crate::memtable::Held;
use crate::packed;
use crate::record::{DictionaryUse, Entry, Kind, Meta};
use crate::slice::{Key, Slice};
use crate::table::{Levels, Recount, Table};

/// How many times its budget unflushed memory may grow while flushing fails.
const FULL_FACTOR: usize = 4;

/// What stands under a key: its meta data and the length of its value.
type Current = Option<(Meta, usize)>;

impl Inner {
    /// Writes `ops` in one frame. When this returns the operating system has it, or at `Eventual` this process; at
    /// `Full` the caller syncs up to the ticket.
    pub(crate) fn append(self: &Arc<Self>, ops: &[Op<'_>], durability: Durability) -> Result<(Vec<Outcome>, Ticket)> {
        self.check_open()?;
        let durability = self.level(durability);
        let values = self.prepare(ops)?;
        self.check_room()?;
        let mut core = self.committing()?;
        self.check_open()?;
        let now = self.env.now();
        let frame = core.journal.begin(now)?;
        let mut plan = Plan::new(self, frame, now, core.next_table, ops.len());
        let outcomes = match plan.decide(ops, &values) {
            Ok(outcomes) => outcomes,
            Err(error) => {
                core.journal.abandon(plan.frame);
                return Err(error);
            }
        };
        let ticket = self.carry_out(&mut core, plan, durability)?;
        let journal_len = core.journal.position() - core.checkpoint_position;
        drop(core);
        self.after_append(durability, journal_len);
        Ok((outcomes, ticket))
    }

    /// Other processes go on behind what is appended, so it cannot stay in the memory of this one.
    fn level(&self, asked: Durability) -> Durability {
        if self.sharing.is_some() { asked.max(Durability::Os) } else { asked }
    }

    /// Refuses writes when memory is full because flushing fails.
    fn check_room(&self) -> Result<()> {
        if self.memory.load(Ordering::Acquire) < FULL_FACTOR * self.options.memtable_bytes {
            return Ok(());
        }
        self.background_error().map_or(Ok(()), Err)
    }

    /// Refuses what is invalid, and maps the keys of JSON values by their dictionaries.
    fn prepare<'a>(&self, ops: &[Op<'a>]) -> Result<Vec<Prepared<'a>>> {
        let mut total = 0;
        ops.iter()
            .map(|op| {
                op.validate()?;
                self.check_packed(op)?;
                let prepared = match op.action {
                    Action::Put { value, dictionary: None, .. } => (Cow::Borrowed(value), None),
                    Action::Put { kind, value, dictionary: Some(id), mapped, .. } => {
                        let dictionary = self.dictionary(id.0).ok_or_else(|| unknown_dictionary(id.0))?;
                        let text = if kind == Kind::JSON { std::str::from_utf8(value).ok() } else { None };
                        let short = text.and_then(|text| dictionary.deflate(text));
                        let used = DictionaryUse { revision: id.0, mapped: mapped || short.is_some() };
                        (short.map_or(Cow::Borrowed(value), into_bytes), Some(used))
                    }
                    Action::Delete | Action::Expire => (Cow::Borrowed(&[][..]), None),
                };
                total += op.key.len() + prepared.0.len();
                if total > MAX_COMMIT_BYTES {
                    return Err(Error::new(
                        Code::TooLarge,
                        format!("a commit has more than {MAX_COMMIT_BYTES} bytes; split it into several"),
                    ));
                }
                Ok(prepared)
            })
            .collect()
    }

    /// Refuses a packed value that could not be read back.
    fn check_packed(&self, op: &Op<'_>) -> Result<()> {
        match op.action {
            Action::Put { kind: Kind::PACKED, value, .. } if !packed::check(value, &self.catalog.load().shapes) => {
                Err(Error::new(Code::InvalidValue, "a packed value is malformed; make it with Database::pack"))
            }
            _ => Ok(()),
        }
    }

    fn carry_out(&self, core: &mut Core, mut plan: Plan<'_, '_>, durability: Durability) -> Result<Ticket> {
        if plan.frame.is_empty() {
            // "There was nothing to delete" is a promise too, and rests on what was written before.
            core.journal.abandon(plan.frame);
            return core.journal.nothing(durability);
        }
        let (frame, ticket) = core.journal.append(plan.frame, durability)?;
        core.sequence += 1;
        core.next_table = plan.next_table;
        if !plan.created.is_empty() {
            self.catalog.edit(|catalog| plan.created.into_iter().for_each(|table| catalog.insert(table)));
        }
        let payload = plan.writes.iter().map(|write| write.key_len + write.value_len).sum();
        self.counters.appended(frame.len(), plan.writes.len(), payload);
        plan.writes.sort_by_key(|write| write.table);
        for writes in plan.writes.chunk_by(|a, b| a.table == b.table) {
            let Some(target) = writes.first().and_then(|write| plan.tables.get(write.table)) else { continue };
            let sequence = core.sequence;
            let records = writes.iter().map(|write| write.record(&frame, sequence));
            let added = target.levels.active.insert(records);
            self.memory.fetch_add(added, Ordering::AcqRel);
            target.table.recount(&target.recount);
        }
        self.show(|| self.visible.store(core.sequence, Ordering::SeqCst));
        Ok(ticket)
    }

    /// Shows a change to readers. A cache is told before, so that nobody finds the change in one place and not in another,
    /// and after, so that nobody keeps what he read before.
    pub(crate) fn show<T>(&self, change: impl FnOnce() -> T) -> T {
        self.changes.fetch_add(1, Ordering::SeqCst);
        let outcome = change();
        self.changes.fetch_add(1, Ordering::SeqCst);
        outcome
    }

    /// Sees to it that what was appended gets where it belongs in time.
    fn after_append(self: &Arc<Self>, durability: Durability, journal_len: u64) {
        if durability == Durability::Eventual {
            self.schedule_write_out(self.options.flush_interval);
        }
        if durability != Durability::Full {
            self.schedule(
                |jobs| &jobs.sync,
                Lane::Sync,
                self.options.sync_interval,
                |inner| {
                    let _told_by_the_next_write = inner.sync(None);
                },
            );
        }
        let frozen = self.frozen_memory.load(Ordering::Acquire);
        let unflushed = self.memory.load(Ordering::Acquire).saturating_sub(frozen);
        if unflushed.max(journal_len as usize) >= self.options.memtable_bytes {
            self.schedule_checkpoint(Duration::ZERO);
        }
    }

    /// Hands what was acknowledged from memory to the operating system.
    fn schedule_write_out(self: &Arc<Self>, delay: Duration) {
        self.schedule(
            |jobs| &jobs.write_out,
            Lane::Sync,
            delay,
            |inner| {
                let outcome = inner.core.lock().journal.write_out();
                // On a full disk the frames stay where they are, and there may be room soon. Any other failure stops the
                // journal, and the next write tells.
                if outcome.as_ref().is_err_and(|error| error.code() == Code::Full) {
                    inner.schedule_write_out(RETRY);
                }
                inner.note_background(Lane::Sync, outcome);
            },
        );
    }

    /// How long a writer should wait before its next write, because flushing lags behind. Grows with the lag.
    pub(crate) fn pressure(&self) -> Duration {
        let budget = 2 * self.options.memtable_bytes;
        let excess = self.memory.load(Ordering::Acquire).saturating_sub(budget);
        Duration::from_micros((excess as u128 * 10_000 / budget as u128).min(100_000) as u64)
    }

    /// Removes a table and all its records. Returns whether it was there.
    pub(crate) fn drop_table(self: &Arc<Self>, name: &str, durability: Durability) -> Result<(bool, Ticket)> {
        self.check_open()?;
        let mut core = self.committing()?;
        self.check_open()?;
        let durability = self.level(durability);
        let Some(table) = self.table(name)? else { return Ok((false, core.journal.nothing(durability)?)) };
        let mut frame = core.journal.begin(self.env.now())?;
        frame.drop_table(table.id);
        let (frame, ticket) = core.journal.append(frame, durability)?;
        self.counters.appended(frame.len(), 0, 0);
        self.show(|| self.catalog.edit(|catalog| catalog.remove(table.id)));
        self.forget_memory(&table.drop_stack(), |_| true);
        drop(core);
        self.after_append(durability, 0);
        // The files are let go with the next generation.
        self.schedule_checkpoint(Duration::ZERO);
        Ok((true, ticket))
    }
}

/// A value as it will stand on disk.
type Prepared<'a> = (Cow<'a, [u8]>, Option<DictionaryUse>);

fn into_bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

fn unknown_dictionary(revision: u32) -> Error {
    Error::new(Code::UnknownDictionary, format!("dictionary revision {revision} was never defined in this database"))
}

/// A frame in the making, and what has to happen once it is in the journal.
struct Plan<'p, 'o> {
    inner: &'p Inner,
    frame: FrameBuilder,
    now: u64,
    next_table: u32,
    /// How many operations the commit has. One alone has none before it to look for.
    expected: usize,
    /// The tables that the operations name.
    tables: Vec<PlannedTable>,
    /// Where those are that were named before the last one.
    by_name: HashMap<&'o str, usize, RandomState>,
    /// The table that was named last.
    last: Option<(&'o str, usize)>,
    created: Vec<Arc<Table>>,
    /// Which of `writes` was the last of a key.
    pending: HashMap<(usize, &'o [u8]), usize, RandomState>,
    writes: Vec<Write>,
}

/// A table that operations name.
struct PlannedTable {
    table: Arc<Table>,
    /// Its stack. What is flushed or merged meanwhile is in there too, and the active memtable stays the same.
    levels: Arc<Levels>,
    recount: Recount,
}

/// A record of the frame: where it lies, and which of the plan's tables it belongs to.
struct Write {
    table: usize,
    key_at: usize,
    key_len: usize,
    value_len: usize,
    meta: Meta,
}

impl Write {
    fn record(&self, frame: &Arc<[u8]>, sequence: u64) -> (Key, Held) {
        let value_at = self.key_at + self.key_len;
        let key = Key::new(frame, self.key_at..value_at);
        let value = Slice::new(frame, value_at..value_at + self.value_len);
        (key, Held { sequence, meta: self.meta, value })
    }
}

impl<'p, 'o> Plan<'p, 'o> {
    fn new(inner: &'p Inner, frame: FrameBuilder, now: u64, next_table: u32, expected: usize) -> Self {
        let remembered = if expected > 1 { expected } else { 0 };
        Plan {
            inner,
            frame,
            now,
            next_table,
            expected,
            tables: Vec::new(),
            by_name: HashMap::default(),
            last: None,
            created: Vec::new(),
            pending: HashMap::with_capacity_and_hasher(remembered, RandomState::default()),
            writes: Vec::with_capacity(expected),
        }
    }

    /// Decides every operation, batch by batch, and composes the frame.
    fn decide(&mut self, ops: &[Op<'o>], values: &[Prepared<'o>]) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(ops.len());
        let mut values = values.iter();
        for batch in ops.chunk_by(|_, next| next.joined) {
            if let Some(conflicts) = self.conflicts(batch)? {
                outcomes.extend(conflicts);
                values.by_ref().take(batch.len()).for_each(drop);
                continue;
            }
            for (op, value) in batch.iter().zip(values.by_ref()) {
                outcomes.push(self.apply(op, value)?);
            }
        }
        Ok(outcomes)
    }

    /// The outcomes of a batch of which some operation does not find the version that it asks for.
    fn conflicts(&mut self, batch: &[Op<'o>]) -> Result<Option<Vec<Outcome>>> {
        if batch.iter().all(|op| op.if_version.is_none()) {
            return Ok(None);
        }
        let mut outcomes = vec![Outcome::Aborted; batch.len()];
        let mut met = false;
        for (op, outcome) in batch.iter().zip(&mut outcomes) {
            if let Some(expected) = op.if_version {
                let actual = match self.table_of(op.table, false)? {
                    Some(table) => self.version(self.current(table, op.key)?),
                    None => 0,
                };
                if actual != expected {
                    *outcome = Outcome::Conflict(actual);
                    met = true;
                }
            }
        }
        Ok(met.then_some(outcomes))
    }

    fn apply(&mut self, op: &Op<'o>, value: &Prepared<'o>) -> Result<Outcome> {
        let (bytes, dictionary) = (&*value.0, value.1);
        match op.action {
            Action::Put { kind, expiration, origin, .. } => {
                let Some(table) = self.table_of(op.table, true)? else { return Ok(Outcome::Missing) };
                let current = self.current(table, op.key)?;
                let next = Origin { version: self.version(current) + 1, time: self.now };
                let Origin { version, time } = origin.unwrap_or(next);
                let meta = Meta { kind, tombstone: false, version, time, expiration, dictionary };
                self.write(table, op.key, meta, bytes, current);
                Ok(Outcome::Written(version))
            }
            Action::Delete | Action::Expire => {
                let Some(table) = self.table_of(op.table, false)? else { return Ok(Outcome::Missing) };
                let current = self.current(table, op.key)?;
                match current {
                    Some((meta, _)) if !meta.tombstone => {
                        let expired = meta.is_expired(self.now);
                        let sweeping = matches!(op.action, Action::Expire);
                        if sweeping && !expired {
                            return Ok(Outcome::Missing);
                        }
                        self.write(table, op.key, Meta::tombstone(self.now), &[], current);
                        Ok(if expired && !sweeping { Outcome::Missing } else { Outcome::Deleted })
                    }
                    _ => Ok(Outcome::Missing),
                }
            }
        }
    }

    fn write(&mut self, table: usize, key: &'o [u8], meta: Meta, value: &[u8], current: Current) {
        let Some(PlannedTable { table: target, recount, .. }) = self.tables.get_mut(table) else { return };
        if meta.expiration.is_some() {
            target.expires.store(true, Ordering::Release);
        }
        let key_at = self.frame.record(target.id, &Entry { key, meta, value });
        recount.replace(key, current, (!meta.tombstone).then_some(value.len()));
        if self.expected > 1 {
            self.pending.insert((table, key), self.writes.len());
        }
        self.writes.push(Write { table, key_at, key_len: key.len(), value_len: value.len(), meta });
    }

    /// The version that a reader would find; 0 if it would find nothing.
    fn version(&self, current: Current) -> u64 {
        current.filter(|(meta, _)| meta.is_live(self.now)).map_or(0, |(meta, _)| meta.version)
    }

    fn current(&self, table: usize, key: &'o [u8]) -> Result<Current> {
        if self.expected > 1
            && let Some(write) = self.pending.get(&(table, key)).and_then(|write| self.writes.get(*write))
        {
            return Ok(Some((write.meta, write.value_len)));
        }
        match self.tables.get(table) {
            Some(target) => target.levels.newest_meta(key),
            None => Ok(None),
        }
    }

    /// The place of a table among those of this plan. A table that is not there is created if it is to be written to.
    fn table_of(&mut self, name: &'o str, create: bool) -> Result<Option<usize>> {
        // Operations that follow each other are mostly on one table.
        if let Some((last, place)) = self.last
            && last == name
        {
            return Ok(Some(place));
        }
        // So a commit to one table needs no map.
        self.by_name.extend(self.last);
        if let Some(&place) = self.by_name.get(name) {
            self.last = Some((name, place));
            return Ok(Some(place));
        }
        let table = match self.inner.table(name)? {
            Some(table) => table,
            None if create => {
                let table = Arc::new(Table::new(self.next_table, name, Count::default(), Vec::new()));
                self.frame.define_table(self.next_table, name);
                self.next_table += 1;
                self.created.push(Arc::clone(&table));
                table
            }
            None => return Ok(None),
        };
        let place = self.tables.len();
        let levels = table.levels.load_full();
        self.tables.push(PlannedTable { table, levels, recount: Recount::default() });
        self.last = Some((name, place));
        Ok(Some(place))
    }
}
