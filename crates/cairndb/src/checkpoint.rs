//! A checkpoint: memtables become stones, and the journal before it is no longer needed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::batch::Durability;
use crate::env::Lane;
use crate::error::Result;
use crate::inner::{Inner, RETRY};
use crate::manifest::{Count, StoneEntry, TableEntry};
use crate::memtable::Memtable;
use crate::merge::write_stone;
use crate::plan::plan_flush;
use crate::progress::Progress;
use crate::range::Bounds;
use crate::record::Entry;
use crate::runs::Run;
use crate::sync::AtomicBool;
use crate::table::{Layer, Levels, Table};
use crate::walk::FrozenWalk;

/// A table whose memtables were frozen, and what it held at that moment.
struct Frozen {
    table: Arc<Table>,
    memtables: Vec<Arc<Memtable>>,
    count: Count,
}

/// The stones of the tables that were flushed, by the tables' numbers; `None` where nothing was left to write.
type Flushed = HashMap<u32, Option<(Layer, StoneEntry)>>;

/// The moment that a checkpoint stands for.
struct Cut {
    first_segment: u64,
    sequence: u64,
    /// All tables there were, by name.
    tables: Vec<Arc<Table>>,
    frozen: Vec<Frozen>,
    carried: Vec<Arc<Table>>,
}

impl Inner {
    pub(crate) fn schedule_checkpoint(self: &Arc<Self>, delay: Duration) {
        self.schedule(
            |jobs| &jobs.checkpoint,
            Lane::Flush,
            delay,
            |inner| {
                let outcome = inner.checkpoint(false, &Progress::default());
                if outcome.is_err() {
                    inner.schedule_checkpoint(RETRY);
                }
                inner.note_background(Lane::Flush, outcome);
            },
        );
    }

    /// Moves what is in memory to stones; `everything` also the tiny tables, which are otherwise carried into the next
    /// journal segment.
    pub(crate) fn checkpoint(self: &Arc<Self>, everything: bool, progress: &Progress) -> Result<()> {
        let _flushing = self.flushing.lock();
        self.check_held()?;
        let generation = self.generation();
        let _upkeep = self.upkeep()?;
        if !everything && self.sharing.is_some() && self.generation() != generation {
            // Another process has done it while this one waited.
            return Ok(());
        }
        let cut = self.cut(everything)?;
        self.carry_definitions()?;
        for table in &cut.carried {
            self.carry(table)?;
        }
        let mut flushed = HashMap::new();
        let outcome = self.flush_all(&cut, progress, &mut flushed).and_then(|()| self.settle_on(&cut, &flushed));
        if outcome.is_err() {
            self.discard(flushed.values().flatten().map(|(_, stone)| stone.number));
            return outcome;
        }
        self.schedule_merge();
        Ok(())
    }

    fn flush_all(&self, cut: &Cut, progress: &Progress, flushed: &mut Flushed) -> Result<()> {
        for frozen in &cut.frozen {
            flushed.insert(frozen.table.id, self.flush(frozen, progress)?);
        }
        Ok(())
    }

    /// Puts the generation in place that begins at the cut.
    fn settle_on(self: &Arc<Self>, cut: &Cut, flushed: &Flushed) -> Result<()> {
        // The segments before the cut are given up, so what was carried past it has to be on the disk.
        self.syncer.sync_all()?;
        let frozen: HashMap<u32, &Frozen> = cut.frozen.iter().map(|frozen| (frozen.table.id, frozen)).collect();
        self.publish(
            |manifest| {
                manifest.first_segment = cut.first_segment;
                let known = std::mem::take(&mut manifest.tables);
                let mut known: HashMap<u32, TableEntry> = known.into_iter().map(|entry| (entry.id, entry)).collect();
                for table in &cut.tables {
                    let mut entry = known.remove(&table.id).unwrap_or_else(|| TableEntry::new(table.id, &table.name));
                    entry.expires = table.expires.load(Ordering::Acquire);
                    if let (Some(frozen), Some(stone)) = (frozen.get(&table.id), flushed.get(&table.id)) {
                        entry.settled = frozen.count;
                        entry.stones.splice(..0, stone.iter().map(|(_, stone)| stone.clone()));
                    }
                    manifest.tables.push(entry);
                }
            },
            || {
                for frozen in &cut.frozen {
                    let stone = flushed.get(&frozen.table.id).and_then(Option::as_ref);
                    self.install(frozen, stone.map(|(layer, _)| layer), cut.sequence);
                }
            },
        )
    }

    /// Ends the journal's segment and freezes the memtables that are to be flushed, in one moment between two commits.
    fn cut(&self, everything: bool) -> Result<Cut> {
        let mut core = self.committing()?;
        let first_segment = core.journal.rotate()?;
        core.checkpoint_position = core.journal.position();
        let tables = self.tables();
        let memory: Vec<usize> = tables.iter().map(|table| table.levels.load().memory()).collect();
        let budget = if everything { 0 } else { self.options.memtable_bytes };
        let chosen: HashSet<usize> = plan_flush(&memory, budget).into_iter().collect();
        let mut cut =
            Cut { first_segment, sequence: core.sequence, tables: Vec::new(), frozen: Vec::new(), carried: Vec::new() };
        for (index, (table, memory)) in tables.iter().zip(memory).enumerate() {
            // What an earlier checkpoint froze and could not flush is in no memtable that would be carried.
            if chosen.contains(&index) || !table.levels.load().frozen.is_empty() {
                cut.frozen.push(self.freeze(table));
            } else if memory > 0 {
                cut.carried.push(Arc::clone(table));
            }
        }
        cut.tables = tables;
        Ok(cut)
    }

    fn freeze(&self, table: &Arc<Table>) -> Frozen {
        let before = table.restack(|levels| {
            if !levels.active.is_empty() {
                levels.frozen.insert(0, std::mem::take(&mut levels.active));
            }
        });
        self.frozen_memory.fetch_add(before.active.bytes(), Ordering::AcqRel);
        Frozen { table: Arc::clone(table), memtables: table.levels.load().frozen.clone(), count: table.live() }
    }

    /// Repeats the dictionaries and shapes behind the cut. The manifest has them; but without them no value can be read, and
    /// so they stand in two files.
    fn carry_definitions(&self) -> Result<()> {
        let mut core = self.committing()?;
        let catalog = self.catalog.load();
        if catalog.dictionaries.is_empty() && catalog.shapes.is_empty() {
            return Ok(());
        }
        let mut frame = core.journal.begin(self.env.now())?;
        for (revision, dictionary) in (0..).zip(&*catalog.dictionaries) {
            frame.define_dictionary(revision, dictionary);
        }
        for (number, shape) in (0..).zip(&*catalog.shapes) {
            frame.define_shape(number, shape);
        }
        drop(catalog);
        let (frame, _) = core.journal.append(frame, Durability::Os)?;
        self.counters.carried(frame.len());
        Ok(())
    }

    /// Repeats the records of a tiny table behind the cut. They say all that replaying them needs, so it does no harm
    /// that they may be replayed twice.
    fn carry(&self, table: &Arc<Table>) -> Result<()> {
        let mut core = self.committing()?;
        let levels = table.levels.load();
        let records = levels.active.page(Bounds::all().as_ref(), false, u64::MAX, usize::MAX);
        if records.is_empty() || table.dropped.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut frame = core.journal.begin(self.env.now())?;
        for (key, held) in &records {
            frame.record(table.id, &Entry { key, meta: held.meta, value: &held.value });
        }
        let (frame, _) = core.journal.append(frame, Durability::Os)?;
        self.counters.carried(frame.len());
        Ok(())
    }

    /// Writes the frozen memtables of a table into one stone. `None` if nothing is left of them.
    fn flush(&self, frozen: &Frozen, progress: &Progress) -> Result<Option<(Layer, StoneEntry)>> {
        let bottom = frozen.table.levels.load().stones.is_empty();
        let runs = frozen.memtables.iter().map(|memtable| Run::Frozen(FrozenWalk::new(memtable))).collect();
        let written = write_stone(self, frozen.table.id, runs, bottom, &AtomicBool::new(false), progress)?;
        if let Some((_, entry)) = &written {
            self.counters.flushed(entry.info.size);
        }
        Ok(written)
    }

    /// Puts the stone in the place of the memtables that it was made of.
    fn install(&self, frozen: &Frozen, layer: Option<&Layer>, sequence: u64) {
        let is_mine = |memtable: &Arc<Memtable>| frozen.memtables.iter().any(|mine| Arc::ptr_eq(mine, memtable));
        let before = frozen.table.restack(|levels| {
            levels.frozen.retain(|memtable| !is_mine(memtable));
            levels.settled_sequence = levels.settled_sequence.max(sequence);
            if let Some(layer) = layer {
                levels.stones.insert(0, layer.clone());
            }
        });
        self.forget_memory(&before, is_mine);
    }

    /// Takes the memtables of a former stack, as far as `gone` says so, off the accounts.
    pub(crate) fn forget_memory(&self, levels: &Levels, gone: impl Fn(&Arc<Memtable>) -> bool) {
        let bytes = |memtable: &Arc<Memtable>| if gone(memtable) { memtable.bytes() } else { 0 };
        let frozen: usize = levels.frozen.iter().map(bytes).sum();
        self.memory.fetch_sub(frozen + bytes(&levels.active), Ordering::AcqRel);
        self.frozen_memory.fetch_sub(frozen, Ordering::AcqRel);
    }
}
