//! The seam between the engine and the world: files, clock and background work.
//!
//! The engine opens no file, reads no clock and starts no thread by itself. [`RealEnv`] does these things for a
//! program; a simulated environment does them in tests, where disks lose writes, tear them and lie.

mod mmap;
mod real;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use real::RealEnv;

/// Background work: runs once, to its end, without waiting for other jobs.
pub type Job = Box<dyn FnOnce() + Send>;

/// Jobs of one lane run one after the other; lanes run side by side.
///
/// A long merge must delay neither a sync, which bounds what a power cut can take, nor a flush, which frees memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Short work with a deadline: syncs, reclaiming files, sweeping expired records.
    Sync,
    /// Turning memtables into stones.
    Flush,
    /// Merging stones.
    Merge,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// An existing file, to read.
    Read,
    /// A new file, to write and read. Fails with [`io::ErrorKind::AlreadyExists`] if there is one.
    Create,
    /// An existing file, to write and read.
    Write,
}

/// Files, clock and background work.
pub trait Env: Send + Sync + 'static {
    /// Creates a directory and its missing parents, and makes their entries durable. Does nothing if it exists.
    fn create_dir(&self, directory: &Path) -> io::Result<()>;
    /// The names of the files in a directory, in any order.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;
    /// Opens a file. Refuses whatever is not a regular file, symbolic links too.
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>>;
    /// The length of a file in bytes, without opening it.
    fn file_len(&self, path: &Path) -> io::Result<u64>;
    /// Renames a file over another one, atomically.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the creations, renames and removals in a directory durable.
    fn sync_dir(&self, directory: &Path) -> io::Result<()>;
    /// Takes the exclusive lock on a file, creating it if needed, until the guard is dropped or the process dies.
    fn lock(&self, path: &Path) -> io::Result<LockAttempt>;
    /// The lock on a file, created if needed, that is taken and released many times. Holds nothing yet.
    fn process_lock(&self, _path: &Path) -> io::Result<Arc<dyn ProcessLock>> {
        Err(io::ErrorKind::Unsupported.into())
    }
    /// `count` numbers, 0 at first, that all processes have in common which ask for them under this path.
    fn shared_numbers(&self, _path: &Path, _count: usize) -> io::Result<Box<dyn SharedNumbers>> {
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Milliseconds since the Unix epoch.
    fn now(&self) -> u64;
    /// Nanoseconds since some fixed moment; never goes back.
    fn monotonic(&self) -> u64;
    /// Runs a job in the background, not before `delay` has passed.
    fn submit(&self, lane: Lane, delay: Duration, job: Job);
    /// Lets the calling thread wait: how a writer is slowed when background work lags.
    fn pause(&self, duration: Duration);
}

/// The outcome of asking for a directory's lock.
pub enum LockAttempt {
    /// The lock is ours until the guard is dropped.
    Held(Box<dyn Send + Sync>),
    /// Another process has it; its process id where it left one.
    Busy(Option<u32>),
}

/// A lock among processes, for one thread at a time. What a process holds that dies is released.
pub trait ProcessLock: Send + Sync {
    /// Takes the lock alone. False, at once, if anybody else has it, alone or together; then nothing is held.
    fn try_exclusive(&self) -> io::Result<bool>;
    /// Takes the lock together with others who do so, or gives up being alone. False, at once, if somebody else has it
    /// alone; then nothing is held.
    fn try_shared(&self) -> io::Result<bool>;
    /// Lets go.
    fn release(&self) -> io::Result<()>;
}

/// Numbers in memory that processes have in common. They outlive each of the processes, not the machine.
pub trait SharedNumbers: Send + Sync {
    /// The number at `index`, with all that its writer stored before it.
    fn load(&self, index: usize) -> u64;
    /// Stores a number, behind all that was stored before it.
    fn store(&self, index: usize, number: u64);
}

/// An open file. All reads and writes are positioned, so that threads share it without a lock.
#[allow(clippy::len_without_is_empty, reason = "a file's length is a fact, not a collection's")]
pub trait File: Send + Sync {
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Reads some bytes at `offset`; 0 only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes some bytes at `offset` and returns how many; the file grows as needed.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Cuts or extends the file.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Returns when the file's bytes and its length are on the disk.
    fn sync(&self) -> io::Result<()>;
    /// The file's present bytes, read-only. The file must not shrink while the mapping lives.
    fn map(&self) -> io::Result<Mapping>;
}

impl dyn File + '_ {
    /// Writes all bytes at `offset`, going on after short writes and interruptions.
    pub fn write_all_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write_at(bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    bytes = bytes.get(n..).unwrap_or_default();
                    offset += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Fills `buffer` from `offset`; [`io::ErrorKind::UnexpectedEof`] if the file ends first.
    pub fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.read_at(buffer, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    buffer = buffer.get_mut(n..).unwrap_or_default();
                    offset += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The whole file. The length is known before memory is taken, so a hostile size cannot exhaust it.
    pub fn read_all(&self) -> io::Result<Vec<u8>> {
        let len = usize::try_from(self.len()?).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len)?;
        bytes.resize(len, 0);
        self.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }
}

/// The bytes of a file, mapped or in memory.
pub enum Mapping {
    /// Pages of the file itself.
    Mapped(mmap::Map),
    /// A copy, where there is nothing to map: simulated disks, empty files.
    Memory(Arc<[u8]>),
}

impl std::ops::Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Mapping::Mapped(map) => map,
            Mapping::Memory(bytes) => bytes,
        }
    }
}
