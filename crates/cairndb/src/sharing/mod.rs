//! Several processes in one directory.
//!
//! Each has the whole of what is in memory. What they have in common beside the files are a few numbers in a mapped file:
//! how far the journal goes and which generation is the present one, with a version that moves with each change.
//!
//! - **To commit**, a process waits for its turn (a lock among processes), reads what the others have appended, appends
//!   its own frame, announces the new end, and gives the turn back. It syncs after that, so a turn is short.
//! - **To read**, it compares the version with the one that it has followed: one load where nothing has changed. Else it
//!   reads on in the journal, or, if another process has flushed, begins again from the new generation's manifest.
//! - **Flushes, merges and the removal of files** are done by one process at a time, by another lock.
//!
//! The system releases the locks of whoever dies. A frame that he had not announced is overwritten by the next one; a
//! generation that he had not announced is removed by whoever does the upkeep next. Whoever opens the directory while
//! nobody else has it recovers it as in exclusive use, and the numbers begin anew.
//!
//! | number | what |
//! | --- | --- |
//! | 0 | version; the announcement of version *v* is in slot *v* mod 2 |
//! | 1 | not 0 once a write or a sync has failed: nobody appends any more |
//! | 2 | who did the upkeep last |
//! | 3 | the number of the database |
//! | 4 | how many have opened the directory since the first one |
//! | 5 | 1 during a turn; 1 before it says that somebody died during his |
//! | 8 to 12, 16 to 20 | the slots: generation, number, end and last digest of the last segment, time of the last frame |

mod follow;
mod opening;
mod turn;
mod upkeep;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub(crate) use opening::open;

use crate::env::{Env, ProcessLock, SharedNumbers};
use crate::error::{Code, Error, Result};
use crate::journal::SegmentEnd;
use crate::recover::unusable;
use crate::sync::{AtomicU64, Mutex};

const VERSION: usize = 0;
const FAILED: usize = 1;
const KEEPER: usize = 2;
const DATABASE: usize = 3;
const MEMBERS: usize = 4;
const TURN: usize = 5;
const SLOTS: [usize; 2] = [8, 16];
const COUNT: usize = 24;

/// How long a process waits for a turn. One that is alive takes it for less than a millisecond; one that was stopped in
/// the middle keeps it.
const PATIENCE: Duration = Duration::from_secs(30);
const SHORTEST_PAUSE: Duration = Duration::from_micros(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(1);

/// What processes tell each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Announced {
    generation: u64,
    end: SegmentEnd,
    time: u64,
}

/// A process's part in a directory that is shared.
pub(crate) struct Sharing {
    numbers: Box<dyn SharedNumbers>,
    /// Held together by all who have the directory open.
    membership: Arc<dyn ProcessLock>,
    /// The right to append.
    turn: Arc<dyn ProcessLock>,
    /// The right to flush, merge, and remove files; and how many threads of this process use it.
    upkeep: Arc<dyn ProcessLock>,
    keepers: Mutex<usize>,
    /// Tells this process from others: the how manieth it was to open the directory.
    me: AtomicU64,
    /// The version whose announcement this process has followed.
    followed: AtomicU64,
    /// The generation that it has.
    generation: AtomicU64,
}

impl Sharing {
    fn new(env: &dyn Env, directory: &Path) -> Result<Self> {
        let lock = |name: &str| env.process_lock(&directory.join(name)).map_err(|error| unusable(directory, &error));
        Ok(Sharing {
            numbers: env
                .shared_numbers(&directory.join("shared"), COUNT)
                .map_err(|error| unusable(directory, &error))?,
            membership: lock("lock")?,
            turn: lock("turn.lock")?,
            upkeep: lock("upkeep.lock")?,
            keepers: Mutex::new(0),
            me: AtomicU64::new(0),
            followed: AtomicU64::new(0),
            generation: AtomicU64::new(0),
        })
    }

    fn version(&self) -> u64 {
        self.numbers.load(VERSION)
    }

    fn is_behind(&self) -> bool {
        self.version() != self.followed.load(Ordering::Acquire)
    }

    /// The last announcement, with its version. The slot of a version is written again only after the next version was
    /// announced, so what was read is whole if the version still stands.
    fn read(&self) -> (u64, Announced) {
        loop {
            let version = self.version();
            let slot = slot_of(version);
            let [generation, number, offset, digest, time] = [0, 1, 2, 3, 4].map(|i| self.numbers.load(slot + i));
            if self.version() == version {
                let end = SegmentEnd { number, offset, digest };
                return (version, Announced { generation, end, time });
            }
        }
    }

    /// Only whoever has the turn calls this.
    fn announce(&self, announced: &Announced) {
        let version = self.version().wrapping_add(1);
        let Announced { generation, end, time } = *announced;
        for (place, number) in (slot_of(version)..).zip([generation, end.number, end.offset, end.digest, time]) {
            self.numbers.store(place, number);
        }
        self.numbers.store(VERSION, version);
        self.followed.store(version, Ordering::Release);
    }

    fn wait_for_turn(&self, env: &dyn Env, directory: &Path) -> Result<()> {
        let since = env.monotonic();
        let mut pause = SHORTEST_PAUSE;
        loop {
            if self.turn.try_exclusive().map_err(|error| Error::io(directory, "take a turn to write", &error))? {
                return Ok(());
            }
            if Duration::from_nanos(env.monotonic().saturating_sub(since)) > PATIENCE {
                return Err(stuck(directory, "writing"));
            }
            env.pause(pause);
            pause = LONGEST_PAUSE.min(2 * pause);
        }
    }

    /// Gives the turn back.
    fn end_turn(&self) {
        self.numbers.store(TURN, 0);
        self.release_turn();
    }

    fn release_turn(&self) {
        // The system does it when the file is closed, if not now.
        let _at_the_latest_when_closed = self.turn.release();
    }

    /// Takes the next member's number. Only whoever has the turn calls this.
    fn enroll(&self) {
        let me = self.numbers.load(MEMBERS) + 1;
        self.numbers.store(MEMBERS, me);
        self.me.store(me, Ordering::Relaxed);
    }

    /// Tells the others that nothing more may be appended.
    fn fail(&self) {
        self.numbers.store(FAILED, 1);
    }
}

fn slot_of(version: u64) -> usize {
    if version.is_multiple_of(2) { SLOTS[0] } else { SLOTS[1] }
}

fn stuck(directory: &Path, doing: &str) -> Error {
    let what =
        format!("another process that shares the database has been {doing} for too long; it may have been stopped");
    Error::new(Code::Locked, what).about(directory)
}

fn failed_elsewhere() -> Error {
    let what = "a write of another process that shares the database has failed, so nothing more is written; close the \
                database in all processes, and open it again";
    Error::new(Code::Failed, what)
}
