//! What CairnDB writes for a durable put, counted on its way to the files. The system counts pages, and does not know
//! the journal from other files; this knows the zeros that are written ahead from records, too.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cairndb::env::{Env, File, Job, Lane, LockAttempt, Mapping, Mode, RealEnv};

use super::Run;
use crate::data::{Maker, Model, RECORD};
use crate::measure::Figure;
use crate::store::{Engine, Level, Result, Store};
use crate::stores::cairndb::CairnDb;

const PUTS: u32 = 1_000;

pub(super) fn suits(engine: &Engine) -> bool {
    engine.name == "cairndb"
}

pub(super) fn puts(run: &Run) -> Result<Vec<Figure>> {
    let counts = Arc::new(Counts::default());
    let env = Arc::new(CountingEnv { real: RealEnv::new(), counts: Arc::clone(&counts) });
    let store = CairnDb::open(env, run.directory, Level::Full)?;
    let mut maker = Maker::new(RECORD);
    let before = counts.now();
    for id in 0..PUTS {
        let (key, value) = maker.pair(id, 0);
        store.put(key, value)?;
    }
    let after = counts.now();
    run.close_and_verify(Box::new(store), &Model::loaded(PUTS as usize, RECORD))?;
    let names = ["journal, but the zeros ahead", "journal, zeros written ahead", "other files"];
    let figure = |(n, name)| {
        let each = (after[n] - before[n]) as f64 / f64::from(PUTS);
        Figure::bytes(format!("bytes counted for a durable put of 116: {name}"), each)
    };
    Ok(names.into_iter().enumerate().map(figure).collect())
}

#[derive(Default)]
struct Counts {
    journal: AtomicU64,
    zeros: AtomicU64,
    other: AtomicU64,
}

impl Counts {
    fn now(&self) -> [u64; 3] {
        [&self.journal, &self.zeros, &self.other].map(|count| count.load(Ordering::Relaxed))
    }
}

/// The real environment, which counts the bytes that are written.
struct CountingEnv {
    real: RealEnv,
    counts: Arc<Counts>,
}

impl Env for CountingEnv {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>> {
        let journal = path.extension().is_some_and(|extension| extension == "journal");
        let file = self.real.open(path, mode)?;
        Ok(Box::new(CountingFile { file, journal, counts: Arc::clone(&self.counts) }))
    }

    fn create_dir(&self, directory: &Path) -> io::Result<()> {
        self.real.create_dir(directory)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.real.list(directory)
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.real.file_len(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.real.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.real.remove(path)
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        self.real.sync_dir(directory)
    }

    fn lock(&self, path: &Path) -> io::Result<LockAttempt> {
        self.real.lock(path)
    }

    fn now(&self) -> u64 {
        self.real.now()
    }

    fn monotonic(&self) -> u64 {
        self.real.monotonic()
    }

    fn submit(&self, lane: Lane, delay: Duration, job: Job) {
        self.real.submit(lane, delay, job);
    }

    fn pause(&self, duration: Duration) {
        self.real.pause(duration);
    }
}

struct CountingFile {
    file: Box<dyn File>,
    journal: bool,
    counts: Arc<Counts>,
}

impl File for CountingFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let written = self.file.write_at(bytes, offset)?;
        let Counts { journal, zeros, other } = &*self.counts;
        // A frame is never all zeros, and zeros are written by themselves.
        let count = match (self.journal, bytes.iter().all(|byte| *byte == 0)) {
            (true, true) => zeros,
            (true, false) => journal,
            (false, _) => other,
        };
        count.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn map(&self) -> io::Result<Mapping> {
        self.file.map()
    }
}
