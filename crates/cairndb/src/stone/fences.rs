//! Fences: the keys that the first steps of every search among the blocks of a stone compare with.
//!
//! A binary search begins with the same few blocks whatever it looks for. What their keys are is remembered once a search
//! has looked there, so that the next ones read the file for their last steps only.

use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::blocks;
use super::cursor::Seek;
use super::reader::Stone;
use crate::error::Result;
use crate::slice::prefix;

/// How many fences are remembered at most: those of the first 15 steps, in 256 KiB. A step beyond them
/// waits for memory twice.
const MOST: u64 = 1 << 15;

pub(super) struct Fences {
    /// What the keys of all blocks begin with.
    common: Vec<u8>,
    /// The 8 bytes that follow in a block's first key, as a number, by the steps that lead to the block; 0 is unknown.
    keys: Box<[AtomicU64]>,
}

impl Fences {
    /// Those of a stone with at least one block.
    fn new(stone: &Arc<Stone>) -> Result<Fences> {
        let blocks = stone.footer()?.block_count;
        let first = look_at(stone, 0, <[u8]>::to_vec)?;
        let shared = |last: &[u8]| first.iter().zip(last).take_while(|(a, b)| a == b).count();
        let common = look_at(stone, blocks.saturating_sub(1), shared)?;
        let keys = (0..blocks.next_power_of_two().min(MOST)).map(|_| AtomicU64::new(0)).collect();
        Ok(Fences { common: first.into_iter().take(common).collect(), keys })
    }

    /// What is compared of a key; `None` if it does not begin as all the others.
    fn number(&self, key: &[u8]) -> Option<u64> {
        key.strip_prefix(self.common.as_slice()).map(prefix)
    }

    /// Whether the block that these steps lead to begins in front of a place with this number, if that is known.
    fn is_before(&self, steps: usize, number: u64) -> Option<bool> {
        match self.keys.get(steps)?.load(Relaxed) {
            0 => None,
            fence => match fence.cmp(&number) {
                Ordering::Equal => None,
                order => Some(order.is_lt()),
            },
        }
    }

    fn remember(&self, steps: usize, key: &[u8]) {
        if let (Some(fence), Some(number)) = (self.keys.get(steps), self.number(key)) {
            fence.store(number, Relaxed);
        }
    }
}

/// How many blocks begin in front of a place.
pub(super) fn blocks_before(stone: &Arc<Stone>, place: Seek<'_>) -> Result<u64> {
    let blocks = stone.footer()?.block_count;
    let key = match place {
        Seek::Start => return Ok(0),
        Seek::End => return Ok(blocks),
        Seek::Before(key) | Seek::After(key) => key,
    };
    // They need the first block and the last one. If one of these is damaged, only who wants it is to be told.
    let fences = stone.fences(Fences::new).ok();
    let known = fences.and_then(|fences| Some((fences, fences.number(key)?)));
    blocks::partition_point(0, blocks, |steps, block| {
        if let Some(is_before) = known.and_then(|(fences, number)| fences.is_before(steps, number)) {
            return Ok(is_before);
        }
        look_at(stone, block, |first| {
            fences.inspect(|fences| fences.remember(steps, first));
            place.is_after(first)
        })
    })
}

/// What `look` makes of the first key of a block.
fn look_at<T>(stone: &Arc<Stone>, block: u64, look: impl FnOnce(&[u8]) -> T) -> Result<T> {
    let (start, window) = blocks::window(stone, block)?;
    Ok(window.look_at_first(stone, start, look)?.0)
}
