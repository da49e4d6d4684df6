//! Files in memory, as few as a decoder needs, and fast: the simulated disk of `crates/sim` remembers far more.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::env::{Env, File, Job, Lane, LockAttempt, Mapping, Mode};

/// Files that are there until they are dropped. No clock, no locks, no background work.
#[derive(Default)]
pub(crate) struct MemoryFiles(Mutex<BTreeMap<PathBuf, Bytes>>);

type Bytes = Arc<Mutex<Arc<[u8]>>>;

struct MemoryFile(Bytes);

impl MemoryFiles {
    pub(crate) fn put(&self, path: &Path, bytes: &[u8]) {
        self.0.lock().insert(path.to_path_buf(), Arc::new(Mutex::new(bytes.into())));
    }
}

impl Env for MemoryFiles {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>> {
        let mut files = self.0.lock();
        if mode == Mode::Create && files.insert(path.to_path_buf(), Bytes::default()).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(MemoryFile(Arc::clone(file))))
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.open(path, Mode::Read)?.len()
    }

    fn create_dir(&self, _directory: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, _directory: &Path) -> io::Result<Vec<String>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.lock().remove(path).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, _directory: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _path: &Path) -> io::Result<LockAttempt> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn now(&self) -> u64 {
        0
    }

    fn monotonic(&self) -> u64 {
        0
    }

    fn submit(&self, _lane: Lane, _delay: Duration, job: Job) {
        drop(job);
    }

    fn pause(&self, _duration: Duration) {}
}

impl File for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.0.lock();
        let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
        let mut read = 0;
        for (place, byte) in buffer.iter_mut().zip(rest) {
            *place = *byte;
            read += 1;
        }
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut place = self.0.lock();
        let mut written = place.to_vec();
        let offset = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        written.resize(written.len().max(offset + bytes.len()), 0);
        written.splice(offset..offset + bytes.len(), bytes.iter().copied());
        *place = written.into();
        Ok(bytes.len())
    }

    fn set_len(&self, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn map(&self) -> io::Result<Mapping> {
        Ok(Mapping::Memory(Arc::clone(&self.0.lock())))
    }
}
