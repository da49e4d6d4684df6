//! The sparse index: where blocks of groups begin, for ranges and for reading backwards.

use std::sync::Arc;

use super::format::{Footer, u40};
use super::reader::Stone;
use super::record::Window;
use crate::error::Result;

/// Where a block begins; the end of the data for the number after the last.
pub(super) fn start(stone: &Stone, block: u64) -> Result<u64> {
    let footer = stone.footer()?;
    if block >= footer.block_count {
        return Ok(footer.data_end);
    }
    stone.entry(&footer.blocks, block).map(u40)
}

/// The groups of a block.
pub(super) fn window(stone: &Arc<Stone>, block: u64) -> Result<(u64, Window)> {
    let (from, to) = (start(stone, block)?, start(stone, block + 1)?);
    let Footer { data_start, data_end, .. } = *stone.footer()?;
    if data_start <= from && from < to && to <= data_end {
        return Ok((from, stone.window(from, to)?));
    }
    Err(stone.damaged(from, "its blocks are out of order"))
}

/// The block in which the group at an offset is. Blocks are about as long as each other, so it is looked for in
/// widening steps from where it would be if they were exactly so.
pub(super) fn containing(stone: &Arc<Stone>, offset: u64) -> Result<Window> {
    let Footer { block_count, data_end, .. } = *stone.footer()?;
    let begins_before = |block| Ok(start(stone, block)? <= offset);
    let guess = u128::from(offset) * u128::from(block_count) / u128::from(data_end);
    let (mut low, mut high) = (guess as u64, guess as u64);
    let mut step = 4;
    while low > 0 && !begins_before(low)? {
        low = low.saturating_sub(step);
        step *= 2;
    }
    while high < block_count && begins_before(high)? {
        high = high.saturating_add(step).min(block_count);
        step *= 2;
    }
    let after = partition_point(low, high, |_, block| begins_before(block))?;
    Ok(window(stone, after.saturating_sub(1))?.1)
}

/// The first number in `from..to` of which `before` does not hold, if it holds of none after one of which it does not.
/// `before` is told the steps that led to a number too: 1, and then a bit for each of them, 1 for upwards.
pub(super) fn partition_point(from: u64, to: u64, before: impl Fn(usize, u64) -> Result<bool>) -> Result<u64> {
    let (mut low, mut high, mut steps) = (from, to, 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let is_before = before(steps, middle)?;
        if is_before {
            low = middle + 1;
        } else {
            high = middle;
        }
        // The numbers are of blocks, so there are fewer steps than bits.
        steps = steps << 1 | usize::from(is_before);
    }
    Ok(low)
}
