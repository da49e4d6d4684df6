//! The environment of a real program: the file system, the clock, and one thread for each lane that is used.
#![allow(clippy::disallowed_methods, reason = "this is the one place that reaches the outside")]

use std::collections::{BinaryHeap, HashMap};
use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::{Condvar, Mutex};

use super::mmap::{Map, Numbers};
use super::{Env, File, Job, Lane, LockAttempt, Mapping, Mode, ProcessLock, SharedNumbers};

#[cfg(test)]
#[path = "real_tests.rs"]
mod tests;

/// The file system, the system's clock and threads.
pub struct RealEnv {
    started: Instant,
    lanes: Mutex<HashMap<Lane, Arc<Queue>>>,
}

impl RealEnv {
    /// An environment of its own; its threads start with the first job of each lane and end when it is dropped.
    #[must_use]
    pub fn new() -> Self {
        RealEnv { started: Instant::now(), lanes: Mutex::default() }
    }
}

impl Default for RealEnv {
    fn default() -> Self {
        RealEnv::new()
    }
}

impl Drop for RealEnv {
    fn drop(&mut self) {
        // The threads are told, not joined: this may run on one of them, as the last owner of a database.
        for queue in self.lanes.lock().values() {
            queue.state.lock().ended = true;
            queue.wake.notify_all();
        }
    }
}

impl Env for RealEnv {
    fn create_dir(&self, directory: &Path) -> io::Result<()> {
        let mut missing = Vec::new();
        let mut at = directory;
        while !at.as_os_str().is_empty() && !at.try_exists()? {
            missing.push(at);
            at = at.parent().unwrap_or_else(|| Path::new(""));
        }
        for directory in missing.into_iter().rev() {
            match private_dir().create(directory) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            if let Some(parent) = directory.parent() {
                self.sync_dir(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
            }
        }
        if fs::metadata(directory)?.is_dir() { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(directory)? {
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>> {
        let mut options = private_file();
        match mode {
            Mode::Read => options.read(true),
            Mode::Write => options.read(true).write(true),
            Mode::Create => options.read(true).write(true).create_new(true),
        };
        let file = options.open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(Box::new(RealFile(file)))
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        let metadata = fs::symlink_metadata(path)?;
        if metadata.is_file() {
            Ok(metadata.len())
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    #[cfg(unix)]
    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        fs::File::open(directory)?.sync_all()
    }

    /// Windows has no way to sync a directory; NTFS journals its entries by itself.
    #[cfg(not(unix))]
    fn sync_dir(&self, _directory: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<LockAttempt> {
        let mut file = open_or_create(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(LockAttempt::Busy(holder(&mut file))),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        file.set_len(0)?;
        file.write_all(std::process::id().to_string().as_bytes())?;
        Ok(LockAttempt::Held(Box::new(file)))
    }

    fn process_lock(&self, path: &Path) -> io::Result<Arc<dyn ProcessLock>> {
        Ok(Arc::new(LockFile(open_or_create(path)?)))
    }

    fn shared_numbers(&self, path: &Path, count: usize) -> io::Result<Box<dyn SharedNumbers>> {
        let file = open_or_create(path)?;
        let len = (count * size_of::<u64>()) as u64;
        // Whoever touched a page that has no room on the disk would be killed: so it is written, not only claimed.
        if file.metadata()?.len() < len {
            let file: &dyn File = &RealFile(file.try_clone()?);
            file.write_all_at(&vec![0; len as usize], 0)?;
        }
        Ok(Box::new(Numbers::new(&file, count)?))
    }

    fn now(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
    }

    fn monotonic(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    fn submit(&self, lane: Lane, delay: Duration, job: Job) {
        let mut lanes = self.lanes.lock();
        if !lanes.contains_key(&lane)
            && let Ok(queue) = Queue::start(lane)
        {
            lanes.insert(lane, queue);
        }
        match lanes.get(&lane) {
            Some(queue) => queue.push(Instant::now() + delay, job),
            // The process may start no more threads: the work is done late and here rather than never.
            None => {
                drop(lanes);
                job();
            }
        }
    }

    fn pause(&self, duration: Duration) {
        thread::sleep(duration);
    }
}

/// The process that has the lock, as it says in the file. It only makes a message better: without it the lock is held
/// all the same.
fn holder(file: &mut fs::File) -> Option<u32> {
    // Whoever has just taken the lock may not have written its number yet, and that of a dead holder still be there.
    for _ in 0..20 {
        let mut text = String::new();
        file.rewind().ok()?;
        Read::take(&*file, 32).read_to_string(&mut text).ok()?;
        if let Some(process) = text.trim().parse().ok().filter(|process| is_alive(*process)) {
            return Some(process);
        }
        thread::sleep(Duration::from_millis(1));
    }
    None
}

#[cfg(unix)]
fn is_alive(process: u32) -> bool {
    use rustix::process::{Pid, test_kill_process};
    let process = i32::try_from(process).ok().and_then(Pid::from_raw);
    process.is_some_and(|process| test_kill_process(process) != Err(rustix::io::Errno::SRCH))
}

#[cfg(not(unix))]
fn is_alive(_process: u32) -> bool {
    true
}

/// Only the owner may look into a database.
fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // A symbolic link in the place of a database file would let somebody else choose what is read or written, and
        // opening a pipe would wait for ever.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits() as i32);
    }
    options
}

fn open_or_create(path: &Path) -> io::Result<fs::File> {
    private_file().read(true).write(true).create(true).truncate(false).open(path)
}

fn private_dir() -> fs::DirBuilder {
    #[allow(unused_mut, reason = "only Unix sets a mode")]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder
}

/// A file for the sake of its lock.
struct LockFile(fs::File);

impl ProcessLock for LockFile {
    fn try_exclusive(&self) -> io::Result<bool> {
        taken(self.0.try_lock())
    }

    fn try_shared(&self) -> io::Result<bool> {
        taken(self.0.try_lock_shared())
    }

    fn release(&self) -> io::Result<()> {
        self.0.unlock()
    }
}

fn taken(attempt: Result<(), TryLockError>) -> io::Result<bool> {
    match attempt {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

struct RealFile(fs::File);

impl File for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.0, buffer, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.0, buffer, offset)
    }

    #[cfg(unix)]
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(&self.0, bytes, offset)
    }

    #[cfg(windows)]
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_write(&self.0, bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        // On macOS `sync_data` asks for F_FULLFSYNC: fsync alone leaves the bytes in the drive's cache there.
        self.0.sync_data()
    }

    fn map(&self) -> io::Result<Mapping> {
        if self.len()? == 0 {
            return Ok(Mapping::Memory(Arc::default()));
        }
        Ok(Mapping::Mapped(Map::new(&self.0)?))
    }
}

/// The jobs of one lane, the earliest first, and the thread that runs them.
struct Queue {
    state: Mutex<QueueState>,
    wake: Condvar,
}

#[derive(Default)]
struct QueueState {
    jobs: BinaryHeap<Pending>,
    submitted: u64,
    ended: bool,
}

struct Pending {
    due: Instant,
    order: u64,
    job: Job,
}

impl Queue {
    fn start(lane: Lane) -> io::Result<Arc<Queue>> {
        let queue = Arc::new(Queue { state: Mutex::default(), wake: Condvar::new() });
        let name = match lane {
            Lane::Sync => "cairndb-sync",
            Lane::Flush => "cairndb-flush",
            Lane::Merge => "cairndb-merge",
        };
        let runner = Arc::clone(&queue);
        thread::Builder::new().name(name.into()).spawn(move || runner.run()).map(|_detached| queue)
    }

    fn push(&self, due: Instant, job: Job) {
        let mut state = self.state.lock();
        let order = state.submitted;
        state.submitted += 1;
        state.jobs.push(Pending { due, order, job });
        drop(state);
        self.wake.notify_one();
    }

    fn run(&self) {
        while let Some(job) = self.next() {
            job();
        }
    }

    /// Waits for the next job that is due; `None` once the environment is gone.
    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if state.ended {
                return None;
            }
            match state.jobs.peek().map(|pending| pending.due) {
                None => self.wake.wait(&mut state),
                Some(due) if due <= Instant::now() => return state.jobs.pop().map(|pending| pending.job),
                Some(due) => {
                    self.wake.wait_until(&mut state, due);
                }
            }
        }
    }
}

impl Ord for Pending {
    /// The earliest job is the greatest, since `BinaryHeap` gives the greatest first.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.due, other.order).cmp(&(self.due, self.order))
    }
}

impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Pending {}
