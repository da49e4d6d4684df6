//! The place of a record in a stone.

use super::format::ALIGNMENT;

/// Groups hold so many records at most.
pub(super) const IN_GROUP: u64 = 8;

/// A group, and which of its records: twice the offset of the group, a multiple of 4, and the number of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(pub(super) u64);

impl Place {
    pub(super) fn new(group: u64, number: u64) -> Place {
        Place(group * (IN_GROUP / ALIGNMENT) + number)
    }

    /// The offset of the group.
    pub(super) fn group(self) -> u64 {
        self.0 / IN_GROUP * ALIGNMENT
    }

    /// How many records of the group are in front of it.
    pub(super) fn number(self) -> usize {
        (self.0 % IN_GROUP) as usize
    }
}
