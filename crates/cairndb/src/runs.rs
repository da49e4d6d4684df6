//! Sorted runs and their merging: what scans, flushes and merges are made of.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use crate::error::Result;
use crate::memtable::{Held, Memtable};
use crate::range::Bounds;
use crate::record::{Entry, Meta};
use crate::slice::Key;
use crate::stone::{Stone, StoneCursor, StoneRecord};

/// Records taken from a memtable at a time: in the first page, and at most in later ones, each of which is so many times
/// as long as the one before. Short scans are common, and what they take too much is work for nothing.
const FIRST_PAGE: usize = 16;
const LONGEST_PAGE: usize = 512;
const GROWTH: usize = 4;
/// Records of a frozen memtable that are shown at a time; it is locked as long as that takes.
const SHOWN: usize = 64;

/// Who is shown records; it breaks off when it has seen enough.
pub(crate) type Visit<'a> = dyn FnMut(Entry<'_>) -> Result<ControlFlow<()>> + 'a;

/// A record of a run, with its key.
pub(crate) enum Row {
    Held(Key, Held),
    Stored(StoneRecord),
}

impl Row {
    pub(crate) fn key(&self) -> &[u8] {
        match self {
            Row::Held(key, _) => key,
            Row::Stored(record) => record.key(),
        }
    }

    pub(crate) fn meta(&self) -> &Meta {
        match self {
            Row::Held(_, held) => &held.meta,
            Row::Stored(record) => record.meta(),
        }
    }

    pub(crate) fn entry(&self) -> Entry<'_> {
        match self {
            Row::Held(key, held) => Entry { key, meta: held.meta, value: &held.value },
            Row::Stored(record) => record.entry(),
        }
    }
}

/// A walk over one memtable or stone, standing at its next record.
pub(crate) struct Run {
    source: Source,
    current: Option<Row>,
}

enum Source {
    Memtable(MemtableWalk),
    Frozen(FrozenWalk),
    Stone(StoneWalk),
}

struct MemtableWalk {
    memtable: Arc<Memtable>,
    /// What is still to be walked; its near end moves with each page.
    bounds: Bounds,
    reverse: bool,
    sequence: u64,
    page: VecDeque<(Key, Held)>,
    next_page: usize,
}

/// A walk over all newest records of a memtable that takes no more writes.
struct FrozenWalk {
    memtable: Arc<Memtable>,
    /// Where its records are, in the order of their keys.
    places: Vec<u32>,
    /// How many of them were passed.
    passed: usize,
}

struct StoneWalk {
    cursor: StoneCursor,
    bounds: Bounds,
    reverse: bool,
}

impl Run {
    /// The newest records of a memtable that takes no more writes, tombstones too, in key order.
    pub(crate) fn frozen(memtable: &Arc<Memtable>) -> Self {
        let mut walk = FrozenWalk { memtable: Arc::clone(memtable), places: memtable.sorted(), passed: 0 };
        let current = walk.next();
        Run { source: Source::Frozen(walk), current }
    }

    /// The records of a memtable as a reader at `sequence` sees them, tombstones too, in key order or against it. At most
    /// `limit` are wanted, if none of them is a tombstone.
    pub(crate) fn memtable(
        memtable: &Arc<Memtable>,
        bounds: Bounds,
        sequence: u64,
        reverse: bool,
        limit: Option<usize>,
    ) -> Self {
        let mut walk = MemtableWalk {
            memtable: Arc::clone(memtable),
            bounds,
            reverse,
            sequence,
            page: VecDeque::new(),
            next_page: limit.unwrap_or(FIRST_PAGE).clamp(1, LONGEST_PAGE),
        };
        let current = walk.next();
        Run { source: Source::Memtable(walk), current }
    }

    /// The records of a stone, tombstones too, in key order or against it.
    pub(crate) fn stone(stone: &Arc<Stone>, bounds: Bounds, reverse: bool) -> Result<Self> {
        let cursor = stone.cursor_at(bounds.start(reverse))?;
        let mut walk = StoneWalk { cursor, bounds, reverse };
        let current = walk.next()?;
        Ok(Run { source: Source::Stone(walk), current })
    }

    /// Bytes of all records of what it walks over, about.
    pub(crate) fn content(&self) -> u64 {
        match &self.source {
            Source::Memtable(MemtableWalk { memtable, .. }) | Source::Frozen(FrozenWalk { memtable, .. }) => {
                memtable.bytes() as u64
            }
            Source::Stone(walk) => walk.cursor.stone().info().content,
        }
    }

    /// Shows about so many records from all over what it walks over.
    pub(crate) fn sample(&self, count: u64, show: &mut dyn FnMut(Entry<'_>)) -> Result<()> {
        match &self.source {
            Source::Memtable(MemtableWalk { memtable, .. }) | Source::Frozen(FrozenWalk { memtable, .. }) => {
                for (key, held) in memtable.sample(count) {
                    show(Entry { key: &key, meta: held.meta, value: &held.value });
                }
                Ok(())
            }
            Source::Stone(walk) => walk.cursor.stone().sample(count, show),
        }
    }

    fn key(&self) -> Option<&[u8]> {
        self.current.as_ref().map(Row::key)
    }

    /// Takes the record that the run stands at and goes on to the next.
    fn take(&mut self) -> Result<Option<Row>> {
        let next = self.source.next()?;
        // It stands at none where a visit has left it, or at its end, and that is also what its source says then.
        Ok(if self.current.is_none() { next } else { std::mem::replace(&mut self.current, next) })
    }

    /// Goes on to the next record.
    fn pass(&mut self) -> Result<()> {
        self.current = self.source.next()?;
        Ok(())
    }

    /// Shows the records from here on, where they lie, until `visit` breaks off, and says whether it did. After an error the
    /// run is in front of the record that it is about.
    fn visit(&mut self, visit: &mut Visit<'_>) -> Result<ControlFlow<()>> {
        if let Some(row) = self.current.take()
            && visit(row.entry())?.is_break()
        {
            return Ok(ControlFlow::Break(()));
        }
        match &mut self.source {
            Source::Stone(walk) if !walk.reverse => walk.visit(visit),
            Source::Frozen(walk) => walk.visit(visit),
            source => {
                while let Some(row) = source.next()? {
                    if visit(row.entry())?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Ok(ControlFlow::Continue(()))
            }
        }
    }
}

impl Source {
    fn next(&mut self) -> Result<Option<Row>> {
        match self {
            Source::Memtable(walk) => Ok(walk.next()),
            Source::Frozen(walk) => Ok(walk.next()),
            Source::Stone(walk) => walk.next(),
        }
    }
}

impl MemtableWalk {
    fn next(&mut self) -> Option<Row> {
        if self.page.is_empty() {
            self.load();
        }
        let (key, held) = self.page.pop_front()?;
        Some(Row::Held(key, held))
    }

    fn load(&mut self) {
        if self.next_page == 0 {
            return;
        }
        self.page = self.memtable.page(self.bounds.as_ref(), self.reverse, self.sequence, self.next_page).into();
        let is_last = self.page.len() < self.next_page;
        self.next_page = if is_last { 0 } else { (GROWTH * self.next_page).min(LONGEST_PAGE) };
        if let Some((last, _)) = self.page.back() {
            let reached = Bound::Excluded(last.to_vec());
            if self.reverse { self.bounds.high = reached } else { self.bounds.low = reached }
        }
    }
}

impl FrozenWalk {
    fn next(&mut self) -> Option<Row> {
        let place = self.places.get(self.passed)?;
        self.passed += 1;
        self.memtable.newest(*place).map(|(key, held)| Row::Held(key, held))
    }

    /// As [`Run::visit`].
    fn visit(&mut self, visit: &mut Visit<'_>) -> Result<ControlFlow<()>> {
        for places in self.places.get(self.passed..).unwrap_or_default().chunks(SHOWN) {
            let mut seen = 0;
            let outcome = self.memtable.visit(places, &mut |entry| {
                let flow = visit(entry)?;
                seen += 1;
                Ok(flow)
            });
            self.passed += seen;
            if outcome?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl StoneWalk {
    /// As [`Run::visit`], in key order.
    fn visit(&mut self, visit: &mut Visit<'_>) -> Result<ControlFlow<()>> {
        while let Some((entry, len)) = self.cursor.peek()? {
            if self.bounds.is_past(entry.key, false) {
                break;
            }
            let flow = visit(entry)?;
            self.cursor.skip(len);
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn next(&mut self) -> Result<Option<Row>> {
        let record = if self.reverse { self.cursor.prev()? } else { self.cursor.next()? };
        Ok(record.filter(|record| !self.bounds.is_past(record.key(), self.reverse)).map(Row::Stored))
    }
}

/// Several runs as one: of each key the record of the first run that has it.
pub(crate) struct Merged {
    /// Newest first.
    runs: Vec<Run>,
    reverse: bool,
    /// The runs that stand at the key that was given last, newest first. They pass it when the next one is asked for, so
    /// that its record can be shown where it lies.
    at_key: Vec<usize>,
}

impl Merged {
    /// Merges `runs`, newest first, which all go in the same direction.
    pub(crate) fn new(mut runs: Vec<Run>, reverse: bool) -> Self {
        // Most memtables have nothing in a range, and what is at its end stays there.
        runs.retain(|run| run.current.is_some());
        Merged { runs, reverse, at_key: Vec::new() }
    }

    /// Shows the records from here on, until `visit` breaks off. Says whether it did; else there are no more.
    pub(crate) fn visit(&mut self, visit: &mut Visit<'_>) -> Result<ControlFlow<()>> {
        if let [only] = self.runs.as_mut_slice() {
            return only.visit(visit);
        }
        while let Some(newest) = self.reach_next()? {
            if let Some(row) = &newest.current
                && visit(row.entry())?.is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The next key's newest record.
    pub(crate) fn next(&mut self) -> Result<Option<Row>> {
        if let [only] = self.runs.as_mut_slice() {
            return only.take();
        }
        Ok(self.reach_next()?.and_then(|newest| newest.current.take()))
    }

    /// Goes on to the next key. Gives the newest of the runs that stand there.
    fn reach_next(&mut self) -> Result<Option<&mut Run>> {
        while let Some(&index) = self.at_key.last() {
            if let Some(run) = self.runs.get_mut(index) {
                run.pass()?;
            }
            self.at_key.pop();
        }
        let mut next: Option<&[u8]> = None;
        for (index, run) in self.runs.iter().enumerate() {
            let Some(key) = run.key() else { continue };
            let order = next.map_or(Ordering::Less, |next| if self.reverse { next.cmp(key) } else { key.cmp(next) });
            if order.is_lt() {
                next = Some(key);
                self.at_key.clear();
            }
            if order.is_le() {
                self.at_key.push(index);
            }
        }
        Ok(self.at_key.first().and_then(|&newest| self.runs.get_mut(newest)))
    }
}
