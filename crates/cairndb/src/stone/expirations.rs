//! The records that expire, by ascending expiration.

use std::sync::Arc;

use super::blocks::partition_point;
use super::format::{put_u40, u40};
use super::place::Place;
use super::reader::Stone;
use super::record::StoneRecord;
use crate::error::Result;
use crate::record::Meta;

/// An expiration and the place of its record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Due {
    pub(super) expiration: f64,
    pub(super) place: Place,
}

impl Due {
    pub(super) const LEN: usize = 13;

    /// The entry of a record. What never compares as past never expires and has none.
    pub(super) fn of(meta: &Meta, place: Place) -> Option<Due> {
        meta.expiration.filter(|at| !at.is_nan()).map(|expiration| Due { expiration, place })
    }

    pub(super) fn encode(&self) -> [u8; Due::LEN] {
        let [a, b, c, d, e, f, g, h] = self.expiration.to_le_bytes();
        let [i, j, k, l, m] = put_u40(self.place.0);
        [a, b, c, d, e, f, g, h, i, j, k, l, m]
    }

    fn decode([a, b, c, d, e, f, g, h, place @ ..]: [u8; Due::LEN]) -> Due {
        Due { expiration: f64::from_le_bytes([a, b, c, d, e, f, g, h]), place: Place(u40(place)) }
    }

    /// The entry with this number.
    pub(super) fn read(stone: &Stone, number: u64) -> Result<Due> {
        stone.entry(&stone.footer()?.expirations, number).map(Due::decode)
    }

    /// The record that expires then.
    pub(super) fn record(&self, stone: &Arc<Stone>) -> Result<StoneRecord> {
        let record = stone.record(self.place)?;
        if record.meta().expiration == Some(self.expiration) {
            return Ok(record);
        }
        Err(stone.damaged(self.place.group(), "a record does not expire when its expirations say"))
    }

    pub(super) fn cmp(&self, other: &Due) -> std::cmp::Ordering {
        self.expiration.total_cmp(&other.expiration).then(self.place.cmp(&other.place))
    }
}

/// Iterates over records that expire in a span of time. An error stands for one record; the iteration goes on after
/// it.
pub(crate) struct Expirations {
    stone: Arc<Stone>,
    next: u64,
    count: u64,
    upto: f64,
}

/// How many records of a stone expire before `moment`, told from the index alone.
pub(super) fn count_before(stone: &Stone, moment: f64) -> Result<u64> {
    partition_point(0, stone.footer()?.expiration_count, |_, number| Ok(Due::read(stone, number)?.expiration < moment))
}

impl Expirations {
    pub(super) fn new(stone: Arc<Stone>, from: f64, upto: f64) -> Result<Expirations> {
        let count = stone.footer()?.expiration_count;
        let next = count_before(&stone, from)?;
        Ok(Expirations { stone, next, count, upto })
    }
}

impl Iterator for Expirations {
    type Item = Result<StoneRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.count {
            return None;
        }
        let due = Due::read(&self.stone, self.next);
        match due {
            Ok(due) if due.expiration >= self.upto => {
                self.count = self.next;
                return None;
            }
            _ => self.next += 1,
        }
        Some(due.and_then(|due| due.record(&self.stone)))
    }
}
