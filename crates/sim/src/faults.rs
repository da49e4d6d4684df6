//! Operations, and the faults that strike them.

use std::io;

/// An operation on the simulated disk, as faults and the history name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the method of Env or File with its name")]
pub enum Op {
    CreateDir,
    List,
    /// `Env::open` of an existing file.
    Open,
    /// `Env::open` with `Mode::Create`.
    Create,
    FileLen,
    Rename,
    Remove,
    SyncDir,
    Lock,
    Len,
    Read,
    Write,
    SetLen,
    Sync,
    Map,
}

impl Op {
    /// Whether the operation can change what a crash leaves: the points at which a crash makes a difference.
    #[must_use]
    pub fn changes_disk(self) -> bool {
        match self {
            Op::List | Op::Open | Op::FileLen | Op::Len | Op::Read | Op::Map => false,
            Op::CreateDir | Op::Create | Op::Rename | Op::Remove | Op::SyncDir | Op::Lock => true,
            Op::Write | Op::SetLen | Op::Sync => true,
        }
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The operation does nothing and fails with this kind of error. A sticky `Interrupted` never ends.
    Error(io::ErrorKind),
    /// A read or a write moves at most this many bytes, at least one.
    Short(usize),
    /// A sync fails and the kernel marks the pages clean: reads still show the bytes, later syncs succeed and do not
    /// write them, and a power loss shows that they are gone. The file's length stays to be synced.
    LosePages,
    /// A read or a mapping has this bit inverted, counted from its beginning and round its end.
    FlipBit(u64),
}

impl Failure {
    fn can_strike(self, op: Op) -> bool {
        match self {
            Failure::Error(_) => true,
            Failure::Short(_) => matches!(op, Op::Read | Op::Write),
            Failure::LosePages => op == Op::Sync,
            Failure::FlipBit(_) => matches!(op, Op::Read | Op::Map),
        }
    }
}

/// A failure and when it comes.
///
/// ```
/// use cairndb_sim::{Failure, Fault, Op};
/// use std::io::ErrorKind;
/// let third_sync_and_all_after = Fault::new(Failure::Error(ErrorKind::Other)).of(Op::Sync).nth(3).sticky();
/// let next_operation = Fault::new(Failure::Error(ErrorKind::StorageFull));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    failure: Failure,
    of: Option<Op>,
    to_come: u64,
    sticky: bool,
}

impl Fault {
    /// Strikes the next operation that can fail in this way, once.
    #[must_use]
    pub fn new(failure: Failure) -> Self {
        Fault { failure, of: None, to_come: 1, sticky: false }
    }

    /// Strikes, and counts, only this operation.
    #[must_use]
    pub fn of(self, op: Op) -> Self {
        Fault { of: Some(op), ..self }
    }

    /// Strikes the `n`th operation from the injection on, counted from 1, of those that it can strike.
    #[must_use]
    pub fn nth(self, n: u64) -> Self {
        Fault { to_come: n, ..self }
    }

    /// Strikes every operation from then on, until the faults are cleared.
    #[must_use]
    pub fn sticky(self) -> Self {
        Fault { sticky: true, ..self }
    }
}

/// The faults that wait for their operation.
#[derive(Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn inject(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Counts an operation for every fault and returns what strikes it; the fault injected first, if several do.
    pub(crate) fn strike(&mut self, op: Op) -> Option<Failure> {
        let mut struck = None;
        for fault in &mut self.0 {
            if fault.of.is_some_and(|of| of != op) || !fault.failure.can_strike(op) {
                continue;
            }
            if fault.to_come > 0 {
                fault.to_come -= 1;
            }
            if fault.to_come == 0 && struck.is_none() {
                struck = Some(fault.failure);
            }
        }
        self.0.retain(|fault| fault.to_come > 0 || fault.sticky);
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(faults: &mut Faults, ops: &[Op]) -> Vec<bool> {
        ops.iter().map(|&op| faults.strike(op).is_some()).collect()
    }

    #[test]
    fn counts_all_operations_or_those_of_one_kind() {
        let error = Failure::Error(io::ErrorKind::Other);
        let ops = [Op::Write, Op::Sync, Op::Write, Op::Sync, Op::Sync];
        let mut faults = Faults::default();
        faults.inject(Fault::new(error).nth(3));
        assert_eq!(run(&mut faults, &ops), [false, false, true, false, false]);
        faults.inject(Fault::new(error).of(Op::Sync).nth(2));
        assert_eq!(run(&mut faults, &ops), [false, false, false, true, false]);
        faults.inject(Fault::new(error).of(Op::Sync).nth(2).sticky());
        assert_eq!(run(&mut faults, &ops), [false, false, false, true, true]);
        faults.clear();
        assert_eq!(run(&mut faults, &ops), [false; 5]);
    }

    #[test]
    fn strikes_only_what_can_fail_in_this_way() {
        let mut faults = Faults::default();
        faults.inject(Fault::new(Failure::LosePages));
        assert_eq!(run(&mut faults, &[Op::Write, Op::SyncDir, Op::Sync]), [false, false, true]);
    }
}
