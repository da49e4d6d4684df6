//! A cursor: a gap between two records, in front of the first one or after the last, that moves either way.

use std::sync::Arc;

use super::blocks;
use super::reader::Stone;
use super::record::{Frame, StoneRecord, Window};
use crate::error::Result;
use crate::record::Entry;

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
    fn is_after(&self, key: &[u8]) -> bool {
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
    /// Offset of the first record.
    start: u64,
    /// Offset of the record after the gap, or the end of the window.
    gap: u64,
    /// Offsets of the block's records in front of the gap, once somebody walks backwards: records are read forward only.
    passed: Option<Vec<u64>>,
}

impl StoneCursor {
    pub(super) fn new(stone: Arc<Stone>) -> StoneCursor {
        StoneCursor { stone, block: None }
    }

    /// Moves the gap.
    pub(crate) fn seek(&mut self, place: Seek<'_>) -> Result<()> {
        let blocks = self.stone.footer()?.block_count;
        if blocks == 0 || matches!(place, Seek::Start) {
            self.block = None;
            return Ok(());
        }
        let after = match place {
            Seek::End => blocks,
            _ => blocks::partition_point(0, blocks, |block| {
                let (start, window) = blocks::window(&self.stone, block)?;
                Ok(place.is_after(window.intact(&self.stone, start)?.entry.key))
            })?,
        };
        self.block = Some(self.enter(after.saturating_sub(1), place)?);
        Ok(())
    }

    /// The record after the gap, where it stands, and the number of bytes that it takes; `None` at the end.
    pub(crate) fn peek(&mut self) -> Result<Option<(Entry<'_>, u64)>> {
        self.reach_record()?;
        let Some(block) = &self.block else { return Ok(None) };
        if block.is_at_end() {
            return Ok(None);
        }
        let Frame { entry, len, .. } = block.window.intact(&self.stone, block.gap)?;
        Ok(Some((entry, len as u64)))
    }

    /// Moves the gap behind the record of so many bytes that was found there.
    pub(crate) fn skip(&mut self, len: u64) {
        if let Some(block) = &mut self.block {
            if let Some(passed) = &mut block.passed {
                passed.push(block.gap);
            }
            block.gap += len;
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
    pub(crate) fn next(&mut self) -> Result<Option<StoneRecord>> {
        self.reach_record()?;
        let Some(block) = &self.block else { return Ok(None) };
        if block.is_at_end() {
            return Ok(None);
        }
        let record = block.window.record(&self.stone, block.gap)?;
        let len = record.end() - block.gap;
        self.skip(len);
        Ok(Some(record))
    }

    /// The record in front of the gap, which moves in front of it; `None` at the start.
    pub(crate) fn prev(&mut self) -> Result<Option<StoneRecord>> {
        let before = match &self.block {
            Some(block) if block.gap == block.start => block.number.checked_sub(1),
            _ => None,
        };
        if let Some(number) = before {
            self.block = Some(self.enter(number, Seek::End)?);
        }
        let Some(block) = &mut self.block else { return Ok(None) };
        let Some(at) = block.passed(&self.stone)?.last().copied() else { return Ok(None) };
        let record = block.window.record(&self.stone, at)?;
        block.passed(&self.stone)?.pop();
        block.gap = at;
        Ok(Some(record))
    }

    /// A block with the gap as near to the place as its records allow.
    fn enter(&self, number: u64, place: Seek<'_>) -> Result<Block> {
        let (start, window) = blocks::window(&self.stone, number)?;
        let mut block = Block { number, window, start, gap: start, passed: None };
        match place {
            Seek::Start => {}
            Seek::End => block.gap = block.window.end(),
            _ => {
                while block.gap < block.window.end() {
                    let frame = block.window.intact(&self.stone, block.gap)?;
                    if !place.is_after(frame.entry.key) {
                        break;
                    }
                    block.gap += frame.len as u64;
                }
            }
        }
        Ok(block)
    }
}

impl Block {
    /// Whether the gap is behind the last of its records.
    fn is_at_end(&self) -> bool {
        self.gap == self.window.end()
    }

    fn passed(&mut self, stone: &Stone) -> Result<&mut Vec<u64>> {
        if self.passed.is_none() {
            let mut passed = Vec::new();
            let mut at = self.start;
            while at < self.gap {
                passed.push(at);
                at += self.window.intact(stone, at)?.len as u64;
            }
            self.passed = Some(passed);
        }
        Ok(self.passed.get_or_insert_default())
    }
}
