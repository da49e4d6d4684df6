//! Files in memory, with the few faults that stones have to bear.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::env::{Env, File, Job, Lane, LockAttempt, Mapping, Mode};

type Bytes = Arc<Mutex<Vec<u8>>>;

#[derive(Default)]
pub(super) struct MemoryEnv {
    files: Mutex<HashMap<PathBuf, Bytes>>,
    clock: AtomicU64,
    pub(super) opened: AtomicU64,
    /// How many times more `open` fails for want of file descriptors.
    pub(super) refusals: AtomicU64,
    pub(super) syncs: Arc<AtomicU64>,
    /// Once this many bytes are written the disk is full; 0 for never.
    pub(super) capacity: AtomicU64,
    /// Reads that touch this byte fail; 0 for none.
    pub(super) bad_byte: Arc<AtomicU64>,
}

impl MemoryEnv {
    pub(super) fn bytes(&self, path: &Path) -> Vec<u8> {
        self.files.lock()[path].lock().clone()
    }

    pub(super) fn put(&self, path: &Path, bytes: Vec<u8>) {
        self.files.lock().insert(path.to_path_buf(), Arc::new(Mutex::new(bytes)));
    }
}

impl Env for MemoryEnv {
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let refused = self.refusals.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if refused.is_ok() {
            return Err(io::Error::other("too many open files"));
        }
        let mut files = self.files.lock();
        let bytes = match (mode, files.get(path)) {
            (Mode::Create, Some(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Mode::Create, None) => Arc::clone(files.entry(path.to_path_buf()).or_default()),
            (_, Some(bytes)) => Arc::clone(bytes),
            (_, None) => return Err(io::ErrorKind::NotFound.into()),
        };
        let (syncs, bad_byte) = (Arc::clone(&self.syncs), Arc::clone(&self.bad_byte));
        Ok(Box::new(MemoryFile { bytes, syncs, bad_byte, capacity: self.capacity.load(Ordering::Relaxed) }))
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        Ok(self.bytes(path).len() as u64)
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.files.lock().remove(path).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _: &Path) -> io::Result<LockAttempt> {
        Ok(LockAttempt::Busy(None))
    }

    fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    fn monotonic(&self) -> u64 {
        self.now()
    }

    fn submit(&self, _: Lane, _: Duration, job: Job) {
        job();
    }

    fn pause(&self, _: Duration) {}
}

struct MemoryFile {
    bytes: Bytes,
    syncs: Arc<AtomicU64>,
    bad_byte: Arc<AtomicU64>,
    capacity: u64,
}

impl File for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bad = self.bad_byte.load(Ordering::Relaxed);
        if bad != 0 && (offset..offset + buffer.len() as u64).contains(&bad) {
            return Err(io::Error::other("an unreadable block"));
        }
        let bytes = self.bytes.lock();
        let rest = &bytes[bytes.len().min(offset as usize)..];
        // Short reads are allowed, so they happen.
        let len = rest.len().min(buffer.len()).min(3000);
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        if self.capacity != 0 && offset + bytes.len() as u64 > self.capacity {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut file = self.bytes.lock();
        let part = &bytes[..bytes.len().min(70_000)];
        let end = offset as usize + part.len();
        if file.len() < end {
            file.resize(end, 0);
        }
        file[offset as usize..end].copy_from_slice(part);
        Ok(part.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.bytes.lock().resize(len as usize, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn map(&self) -> io::Result<Mapping> {
        Ok(Mapping::Memory(self.bytes.lock().as_slice().into()))
    }
}
