//! The operations of a run, to read when a test fails.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::crash::CrashPlan;
use crate::faults::{Failure, Op};

/// One operation and how it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The number of the operation in its environment, from 1.
    pub number: u64,
    /// Who asked for it.
    pub process: u32,
    /// When, in virtual milliseconds since the epoch.
    pub time: u64,
    /// What it was.
    pub op: Op,
    /// The file or directory.
    pub path: Arc<Path>,
    /// What it was renamed to.
    pub to: Option<Arc<Path>>,
    /// Where a read or write began, or the length that was set.
    pub offset: u64,
    /// How many bytes were asked for.
    pub len: usize,
    /// The injected failure that struck it.
    pub failure: Option<Failure>,
    /// The error that it returned.
    pub error: Option<io::ErrorKind>,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {}ms process {}: {:?} ", self.number, self.time, self.process, self.op)?;
        write!(f, "{}", self.path.display())?;
        match (self.op, &self.to) {
            (Op::Read | Op::Write, _) => write!(f, " at {} +{}", self.offset, self.len)?,
            (Op::SetLen, _) => write!(f, " to {}", self.offset)?,
            (_, Some(to)) => write!(f, " -> {}", to.display())?,
            _ => {}
        }
        if let Some(failure) = self.failure {
            write!(f, " [{failure:?}]")?;
        }
        match self.error {
            Some(error) => write!(f, " failed: {error}"),
            None => Ok(()),
        }
    }
}

/// The operations of an environment, one to a line when printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The crash that the environment began after.
    pub after: Option<CrashPlan>,
    /// The operations, the oldest first.
    pub events: Vec<Event>,
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(plan) = self.after {
            writeln!(f, "after {plan:?}")?;
        }
        self.events.iter().try_for_each(|event| writeln!(f, "{event}"))
    }
}
