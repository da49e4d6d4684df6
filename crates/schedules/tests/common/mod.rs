//! A simulated machine on which every operation, and all background work, may have to wait for other threads.

pub(crate) mod overtaking;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cairndb::env::{Env, File, Job, Lane, LockAttempt, Mapping, Mode};
use cairndb::{Database, Durability, Kind, Op, Options};
use cairndb_scheduled_sim::{CrashPlan, SimEnv};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::sync::Mutex;
use shuttle::{Config, Runner, thread};

/// Work that is to be done later than this is not waited for: the sweep, which goes on for ever.
const LATER: Duration = Duration::from_secs(30);
/// Background work submits itself again while it fails or has to wait; so much of it is enough for one execution.
const JOBS: usize = 24;

/// Tries orders of turns: at random, and with few changes between threads that run on. `SCHEDULES` says how many there
/// are, in hundredths of what is usual.
pub(crate) fn explore(usual: usize, test: impl Fn() + Send + Sync + 'static) {
    let percent = std::env::var("SCHEDULES").map_or(100, |text| text.parse().expect("SCHEDULES is a number"));
    let (test, times) = (Arc::new(test), (usual * percent / 100).max(1));
    let mut config = Config::new();
    config.stack_size = 1 << 20;
    let (random, few) = (Arc::clone(&test), test);
    Runner::new(RandomScheduler::new(times.div_ceil(2)), config.clone()).run(move || random());
    Runner::new(PctScheduler::new(3, times.div_ceil(2)), config).run(move || few());
}

/// The machine. Clones are handles on the same one.
#[derive(Clone)]
pub(crate) struct Machine {
    pub(crate) disk: SimEnv,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    lanes: [Mutex<()>; 3],
    jobs: AtomicUsize,
    running: Mutex<Vec<thread::JoinHandle<()>>>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Machine { disk: SimEnv::new(1), shared: Arc::default() }
    }

    pub(crate) fn open(&self) -> Database {
        let options = Options { memtable_bytes: 64 << 10, reclaim_delay: 10 * LATER, ..Options::default() };
        Database::open_with(Arc::new(self.clone()), "db", options).expect("opens")
    }

    /// Waits until no background work is under way.
    pub(crate) fn rest(&self) {
        loop {
            let job = self.shared.running.lock().unwrap().pop();
            match job {
                Some(job) => job.join().expect("a job ends"),
                None => return,
            }
        }
    }

    /// What a power loss at this moment leaves, opened.
    pub(crate) fn after_power_loss(&self) -> Database {
        let left = self.disk.crashed(CrashPlan::POWER_LOSS);
        Database::open_with(Arc::new(left), "db", Options::default()).expect("opens what a power loss left")
    }
}

/// Writes one record.
pub(crate) fn put(db: &Database, key: &str, value: &[u8], durability: Durability) -> cairndb::Result<()> {
    db.commit(&[Op::put("t", key.as_bytes(), Kind::BYTES, value)], durability).map(drop)
}

/// The value under a key as a number; 0 if there is none.
pub(crate) fn number(value: Option<cairndb::Record>) -> u64 {
    value.map_or(0, |record| u64::from_le_bytes(record.value[..8].try_into().expect("eight bytes")))
}

impl Env for Machine {
    fn create_dir(&self, directory: &Path) -> io::Result<()> {
        self.disk.create_dir(directory)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.disk.list(directory)
    }

    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>> {
        thread::yield_now();
        Ok(Box::new(Handle(self.disk.open(path, mode)?)))
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.disk.file_len(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        thread::yield_now();
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        thread::yield_now();
        self.disk.remove(path)
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        thread::yield_now();
        self.disk.sync_dir(directory)
    }

    fn lock(&self, path: &Path) -> io::Result<LockAttempt> {
        self.disk.lock(path)
    }

    fn now(&self) -> u64 {
        self.disk.now()
    }

    fn monotonic(&self) -> u64 {
        self.disk.monotonic()
    }

    fn submit(&self, lane: Lane, delay: Duration, job: Job) {
        if delay >= LATER || self.shared.jobs.fetch_add(1, Ordering::Relaxed) >= JOBS {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let run = move || {
            let place = match lane {
                Lane::Sync => 0,
                Lane::Flush => 1,
                Lane::Merge => 2,
            };
            let _one_after_the_other = shared.lanes[place].lock().unwrap();
            job();
        };
        self.shared.running.lock().unwrap().push(thread::spawn(run));
    }

    fn pause(&self, _duration: Duration) {
        thread::yield_now();
    }
}

struct Handle(Box<dyn File>);

impl File for Handle {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        thread::yield_now();
        self.0.write_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        thread::yield_now();
        self.0.sync()
    }

    fn map(&self) -> io::Result<Mapping> {
        self.0.map()
    }
}
