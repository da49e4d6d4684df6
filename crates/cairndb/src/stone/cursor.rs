//! A cursor: a gap between two records, in front of the first one or after the last, that moves either way.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::reader::Stone;
use super::record::{Gap, Opened, Parts, StoneRecord, Window};
use super::{blocks, fences};
use crate::error::Result;
use crate::record::{Edge, Entry, Visit};

/// A gap in the order of keys.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seek<'a> {
    /// In front of all records.
    Start,
    /// In front of this key, whether it is there or not.
    Before(&'a [u8]),
    /// Right after this key, whether it is there or not.
    After(&'a [u8]),
    /// After all records.
    End,
}

impl Seek<'_> {
    /// Whether a key is in front of the gap.
    pub(super) fn is_after(&self, key: &[u8]) -> bool {
        match self {
            Seek::Start => false,
            Seek::Before(bound) => key < *bound,
            Seek::After(bound) => key <= *bound,
            Seek::End => true,
        }
    }
}

/// Reads records in order, lazily, each one checked. After an error the gap is where it was, so that a read which
/// failed for a passing reason can be tried again.
pub(crate) struct StoneCursor {
    stone: Arc<Stone>,
    /// Nothing is loaded until a record is wanted.
    block: Option<Block>,
}

/// The block in which the gap is, at one of its ends perhaps.
struct Block {
    number: u64,
    window: Window,
    /// Offset of the first group.
    start: u64,
    gap: Gap,
    /// The gap's group, once a record of it was wanted.
    opened: Option<Opened>,
    /// Where the record after the gap is in its group, once it was looked at.
    next: Option<Parts>,
    /// The block's gaps in front of this one, once somebody walks backwards: records are read forward only.
    passed: Option<Vec<Gap>>,
}

impl StoneCursor {
    pub(super) fn new(stone: Arc<Stone>) -> StoneCursor {
        StoneCursor { stone, block: None }
    }

    /// Moves the gap.
    pub(crate) fn seek(&mut self, place: Seek<'_>) -> Result<()> {
        if self.stone.footer()?.block_count == 0 || matches!(place, Seek::Start) {
            self.block = None;
            return Ok(());
        }
        let after = fences::blocks_before(&self.stone, place)?;
        self.block = Some(self.enter(after.saturating_sub(1), place)?);
        Ok(())
    }

    /// Shows the records of a block.
    pub(super) fn visit_block(&self, number: u64, show: &mut dyn FnMut(Entry<'_>)) -> Result<()> {
        let mut show = |entry: &Entry<'_>| {
            show(*entry);
            Ok(ControlFlow::Continue(()))
        };
        self.enter(number, Seek::Start)?.visit(&self.stone, &mut show).map(drop)
    }

    /// Shows the records after the gap, which moves behind each of them that `visit` takes, until that breaks off. Gives
    /// what it breaks off with.
    pub(crate) fn visit(&mut self, visit: &mut Visit<'_>) -> Result<ControlFlow<Edge>> {
        loop {
            self.reach_record()?;
            let Some(block) = self.block.as_mut().filter(|block| !block.is_at_end()) else {
                return Ok(ControlFlow::Continue(()));
            };
            let flow = block.visit(&self.stone, visit)?;
            if flow.is_break() {
                return Ok(flow);
            }
        }
    }

    pub(crate) fn stone(&self) -> &Arc<Stone> {
        &self.stone
    }

    /// Looks at the record after the gap; `None` at the end.
    pub(crate) fn peek(&mut self) -> Result<Option<Entry<'_>>> {
        self.reach_record()?;
        let Some(block) = &mut self.block else { return Ok(None) };
        Ok(if block.look(&self.stone)? { block.entry() } else { None })
    }

    /// The record that was looked at.
    pub(crate) fn peeked(&self) -> Option<Entry<'_>> {
        self.block.as_ref()?.entry()
    }

    /// The same, with all that it lies in; the gap moves behind it.
    pub(crate) fn take(&mut self) -> Option<StoneRecord> {
        let record = self.block.as_ref()?.record();
        self.skip();
        record
    }

    /// Moves the gap behind the record that was looked at.
    pub(crate) fn skip(&mut self) {
        if let Some(block) = &mut self.block {
            block.pass();
        }
    }

    /// Loads the block of the record after the gap. At the end of all records it stays where it is.
    fn reach_record(&mut self) -> Result<()> {
        let number = match &self.block {
            None => 0,
            Some(block) if block.is_at_end() => block.number + 1,
            Some(_) => return Ok(()),
        };
        if number < self.stone.footer()?.block_count {
            self.block = Some(self.enter(number, Seek::Start)?);
        }
        Ok(())
    }

    /// The record after the gap, which moves behind it; `None` at the end.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn next(&mut self) -> Result<Option<StoneRecord>> {
        self.peek()?;
        Ok(self.take())
    }

    /// The record in front of the gap, which moves in front of it; `None` at the start.
    pub(crate) fn prev(&mut self) -> Result<Option<StoneRecord>> {
        let before = match &self.block {
            Some(block) if block.gap == block.first() => block.number.checked_sub(1),
            _ => None,
        };
        if let Some(number) = before {
            self.block = Some(self.enter(number, Seek::End)?);
        }
        let Some(block) = &mut self.block else { return Ok(None) };
        let Some(gap) = block.passed(&self.stone)?.last().copied() else { return Ok(None) };
        let reached = block.gap;
        block.move_to(gap);
        match block.look(&self.stone) {
            Ok(_) => {
                block.passed(&self.stone)?.pop();
                Ok(block.record())
            }
            Err(error) => {
                block.move_to(reached);
                Err(error)
            }
        }
    }

    /// A block with the gap as near to the place as its records allow.
    fn enter(&self, number: u64, place: Seek<'_>) -> Result<Block> {
        let (start, window) = blocks::window(&self.stone, number)?;
        let mut block =
            Block { number, window, start, gap: Gap { group: start, at: 0 }, opened: None, next: None, passed: None };
        match place {
            Seek::Start => {}
            Seek::End => block.gap.group = block.window.end(),
            _ => {
                block.gap.group = self.last_group_before(&block.window, start, place)?;
                while block.look(&self.stone)? && block.entry().is_some_and(|entry| place.is_after(entry.key)) {
                    block.pass();
                }
            }
        }
        Ok(block)
    }

    /// The last group of a block that begins in front of a place, which lies within it or right behind it; the first one,
    /// `start`, if none does.
    fn last_group_before(&self, window: &Window, start: u64, place: Seek<'_>) -> Result<u64> {
        let (mut last, mut at) = (start, start);
        while at != window.end() {
            let (is_before, end) = window.look_at_first(&self.stone, at, |key| place.is_after(key))?;
            if !is_before {
                break;
            }
            (last, at) = (at, end);
        }
        Ok(last)
    }
}

impl Block {
    fn first(&self) -> Gap {
        Gap { group: self.start, at: 0 }
    }

    /// Whether the gap is behind the last of its records.
    fn is_at_end(&self) -> bool {
        self.gap.group == self.window.end()
    }

    /// Looks at the record after the gap. Says whether there is one.
    fn look(&mut self, stone: &Stone) -> Result<bool> {
        if self.next.is_none() && !self.is_at_end() {
            let opened = match self.opened.take() {
                Some(opened) => opened,
                None => self.window.open(stone, self.gap.group)?,
            };
            let opened = self.opened.insert(opened);
            self.next = Some(self.window.parts(stone, opened, self.gap.at)?);
        }
        Ok(self.next.is_some())
    }

    /// The record that was looked at.
    fn entry(&self) -> Option<Entry<'_>> {
        Some(self.window.entry(self.opened.as_ref()?, self.next.as_ref()?))
    }

    /// The same, with all that it lies in.
    fn record(&self) -> Option<StoneRecord> {
        Some(self.window.record(self.opened.as_ref()?, self.next.as_ref()?))
    }

    /// Shows the records after the gap, as [`StoneCursor::visit`].
    fn visit(&mut self, stone: &Stone, visit: &mut Visit<'_>) -> Result<ControlFlow<Edge>> {
        (self.opened, self.next, self.passed) = (None, None, None);
        let mut flow = ControlFlow::Continue(());
        while flow.is_continue() && !self.is_at_end() {
            flow = self.window.visit(stone, &mut self.gap, visit)?;
        }
        Ok(flow)
    }

    /// Moves the gap behind the record that was looked at.
    fn pass(&mut self) {
        let Some(Parts { end, .. }) = self.next else { return };
        if let Some(passed) = &mut self.passed {
            passed.push(self.gap);
        }
        match &self.opened {
            Some(opened) if opened.len() == end => self.move_to(Gap { group: opened.end, at: 0 }),
            _ => self.move_to(Gap { at: end, ..self.gap }),
        }
    }

    fn move_to(&mut self, gap: Gap) {
        self.next = None;
        if self.gap.group != gap.group {
            self.opened = None;
        }
        self.gap = gap;
    }

    fn passed(&mut self, stone: &Stone) -> Result<&mut Vec<Gap>> {
        if self.passed.is_none() {
            let reached = self.gap;
            self.move_to(self.first());
            let mut passed = Vec::new();
            while self.gap != reached {
                passed.push(self.gap);
                match self.look(stone) {
                    Ok(true) => self.pass(),
                    Ok(false) => break,
                    Err(error) => {
                        self.move_to(reached);
                        return Err(error);
                    }
                }
            }
            self.passed = Some(passed);
        }
        Ok(self.passed.get_or_insert_default())
    }
}
