//! Walks: the records of one memtable or stone, one after the other, where they lie.

use std::collections::VecDeque;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use crate::error::Result;
use crate::memtable::{Held, Memtable};
use crate::range::Bounds;
use crate::record::{Edge, Entry, Meta, Visit};
use crate::slice::Key;
use crate::stone::{Stone, StoneCursor, StoneRecord};

/// Records taken from a memtable at a time: in the first page, and at most in later ones, each of which is so many times
/// as long as the one before. Short scans are common, and what they take too much is work for nothing.
const FIRST_PAGE: usize = 16;
const LONGEST_PAGE: usize = 512;
const GROWTH: usize = 4;
/// Records of a frozen memtable that are shown at a time: what they need is loaded together.
const SHOWN: usize = 64;

/// A record of a walk, with its key and all that it lies in.
pub(crate) enum Row {
    Held(Key, Held),
    Stored(StoneRecord),
}

impl Row {
    pub(crate) fn meta(&self) -> &Meta {
        match self {
            Row::Held(_, held) => &held.meta,
            Row::Stored(record) => record.meta(),
        }
    }
}

/// Where a walk is in its records. It stands between two of them until it reaches the next one, and then at that until it
/// passes it.
pub(crate) trait Walk {
    /// Reaches the next record, unless the walk stands at one. Says whether there is one.
    fn reach(&mut self) -> Result<bool>;

    /// The record that the walk stands at.
    fn entry(&self) -> Option<Entry<'_>>;

    /// Passes the record that the walk stands at.
    fn pass(&mut self);

    /// Passes the record that the walk stands at, and gives it.
    fn take(&mut self) -> Option<Row>;

    /// Shows the record that the walk stands at, and passes it if it is taken.
    fn show(&mut self, visit: &mut Visit<'_>) -> Result<ControlFlow<Edge>> {
        let flow = self.entry().map_or(Ok(ControlFlow::Continue(())), |entry| visit(&entry))?;
        if flow != ControlFlow::Break(Edge::Before) {
            self.pass();
        }
        Ok(flow)
    }

    /// Shows the records from here on until `visit` breaks off, and gives what it breaks off with. After an error the walk
    /// is in front of the record that it is about.
    fn visit(&mut self, visit: &mut Visit<'_>) -> Result<ControlFlow<Edge>> {
        while self.reach()? {
            let flow = self.show(visit)?;
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// The records of a memtable as a reader at some moment sees them, tombstones too, in key order or against it.
pub(crate) struct MemtableWalk {
    memtable: Arc<Memtable>,
    /// What is still to be walked; its near end moves with each page.
    bounds: Bounds,
    reverse: bool,
    sequence: u64,
    page: VecDeque<(Key, Held)>,
    next_page: usize,
}

impl MemtableWalk {
    /// What a reader at `sequence` sees. At most `limit` are wanted, if none of them is a tombstone.
    pub(crate) fn new(
        memtable: &Arc<Memtable>,
        bounds: Bounds,
        sequence: u64,
        reverse: bool,
        limit: Option<usize>,
    ) -> Self {
        MemtableWalk {
            memtable: Arc::clone(memtable),
            bounds,
            reverse,
            sequence,
            page: VecDeque::new(),
            next_page: limit.unwrap_or(FIRST_PAGE).clamp(1, LONGEST_PAGE),
        }
    }

    pub(crate) fn memtable(&self) -> &Memtable {
        &self.memtable
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

impl Walk for MemtableWalk {
    fn reach(&mut self) -> Result<bool> {
        if self.page.is_empty() {
            self.load();
        }
        Ok(!self.page.is_empty())
    }

    fn entry(&self) -> Option<Entry<'_>> {
        self.page.front().map(|(key, held)| held.entry(key))
    }

    fn pass(&mut self) {
        self.page.pop_front();
    }

    fn take(&mut self) -> Option<Row> {
        self.page.pop_front().map(|(key, held)| Row::Held(key, held))
    }
}

/// All newest records of a memtable that takes no more writes, tombstones too, in key order.
pub(crate) struct FrozenWalk {
    memtable: Arc<Memtable>,
    /// Where its records are, in the order of their keys.
    places: Vec<u32>,
    /// How many of them were passed.
    passed: usize,
    /// The next one, once it was reached.
    current: Option<(Key, Held)>,
}

impl FrozenWalk {
    pub(crate) fn new(memtable: &Arc<Memtable>) -> Self {
        FrozenWalk { memtable: Arc::clone(memtable), places: memtable.sorted(), passed: 0, current: None }
    }

    pub(crate) fn memtable(&self) -> &Memtable {
        &self.memtable
    }
}

impl Walk for FrozenWalk {
    fn reach(&mut self) -> Result<bool> {
        if self.current.is_none() {
            self.current = self.places.get(self.passed).and_then(|place| self.memtable.at(*place));
        }
        Ok(self.current.is_some())
    }

    fn entry(&self) -> Option<Entry<'_>> {
        self.current.as_ref().map(|(key, held)| held.entry(key))
    }

    fn pass(&mut self) {
        self.passed += usize::from(self.current.take().is_some());
    }

    fn take(&mut self) -> Option<Row> {
        let (key, held) = self.current.take()?;
        self.passed += 1;
        Some(Row::Held(key, held))
    }

    fn visit(&mut self, visit: &mut Visit<'_>) -> Result<ControlFlow<Edge>> {
        self.current = None;
        for places in self.places.get(self.passed..).unwrap_or_default().chunks(SHOWN) {
            let mut seen = 0;
            let outcome = self.memtable.visit(places, &mut |entry| {
                let flow = visit(entry)?;
                seen += usize::from(flow != ControlFlow::Break(Edge::Before));
                Ok(flow)
            });
            self.passed += seen;
            let flow = outcome?;
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// The records of a stone in key order.
pub(crate) struct StoneWalk {
    cursor: StoneCursor,
    bounds: Bounds,
    /// Whether the walk stands at the record after the cursor's gap.
    is_at: bool,
}

impl StoneWalk {
    pub(crate) fn new(stone: &Arc<Stone>, bounds: Bounds) -> Result<Self> {
        Ok(StoneWalk { cursor: stone.cursor_at(bounds.start(false))?, bounds, is_at: false })
    }

    pub(crate) fn stone(&self) -> &Arc<Stone> {
        self.cursor.stone()
    }
}

impl Walk for StoneWalk {
    fn reach(&mut self) -> Result<bool> {
        if !self.is_at {
            let next = self.cursor.peek()?;
            self.is_at = next.is_some_and(|entry| !self.bounds.is_past(entry.key, false));
        }
        Ok(self.is_at)
    }

    fn entry(&self) -> Option<Entry<'_>> {
        if self.is_at { self.cursor.peeked() } else { None }
    }

    fn pass(&mut self) {
        if std::mem::take(&mut self.is_at) {
            self.cursor.skip();
        }
    }

    fn take(&mut self) -> Option<Row> {
        if std::mem::take(&mut self.is_at) { self.cursor.take().map(Row::Stored) } else { None }
    }

    fn visit(&mut self, visit: &mut Visit<'_>) -> Result<ControlFlow<Edge>> {
        self.is_at = false;
        let mut is_over = false;
        let flow = self.cursor.visit(&mut |entry| {
            is_over = self.bounds.is_past(entry.key, false);
            if is_over { Ok(ControlFlow::Break(Edge::Before)) } else { visit(entry) }
        })?;
        Ok(if is_over { ControlFlow::Continue(()) } else { flow })
    }
}

/// The records of a stone against the order of keys.
pub(crate) struct ReverseWalk {
    cursor: StoneCursor,
    bounds: Bounds,
    current: Option<StoneRecord>,
    is_over: bool,
}

impl ReverseWalk {
    pub(crate) fn new(stone: &Arc<Stone>, bounds: Bounds) -> Result<Self> {
        Ok(ReverseWalk { cursor: stone.cursor_at(bounds.start(true))?, bounds, current: None, is_over: false })
    }

    pub(crate) fn stone(&self) -> &Arc<Stone> {
        self.cursor.stone()
    }
}

impl Walk for ReverseWalk {
    fn reach(&mut self) -> Result<bool> {
        if self.current.is_none() && !self.is_over {
            self.current = self.cursor.prev()?.filter(|record| !self.bounds.is_past(record.key(), true));
            self.is_over = self.current.is_none();
        }
        Ok(self.current.is_some())
    }

    fn entry(&self) -> Option<Entry<'_>> {
        self.current.as_ref().map(StoneRecord::entry)
    }

    fn pass(&mut self) {
        self.current = None;
    }

    fn take(&mut self) -> Option<Row> {
        self.current.take().map(Row::Stored)
    }
}
