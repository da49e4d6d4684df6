//! Environments in which only the opening of files is another one.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cairndb::env::{Env, File, Job, Lane, LockAttempt, Mode, ProcessLock, SharedNumbers};

/// Opens files with a function of its own, which is given the environment that everything else goes to.
pub(crate) struct Opening<E, F> {
    pub(crate) env: E,
    pub(crate) open: F,
}

impl<E: Env, F: Fn(&E, &Path, Mode) -> io::Result<Box<dyn File>> + Send + Sync + 'static> Env for Opening<E, F> {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>> {
        (self.open)(&self.env, path, mode)
    }

    fn create_dir(&self, directory: &Path) -> io::Result<()> {
        self.env.create_dir(directory)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.env.list(directory)
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.env.file_len(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.env.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.env.remove(path)
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        self.env.sync_dir(directory)
    }

    fn lock(&self, path: &Path) -> io::Result<LockAttempt> {
        self.env.lock(path)
    }

    fn process_lock(&self, path: &Path) -> io::Result<Arc<dyn ProcessLock>> {
        self.env.process_lock(path)
    }

    fn shared_numbers(&self, path: &Path, count: usize) -> io::Result<Box<dyn SharedNumbers>> {
        self.env.shared_numbers(path, count)
    }

    fn now(&self) -> u64 {
        self.env.now()
    }

    fn monotonic(&self) -> u64 {
        self.env.monotonic()
    }

    fn submit(&self, lane: Lane, delay: Duration, job: Job) {
        self.env.submit(lane, delay, job);
    }

    fn pause(&self, duration: Duration) {
        self.env.pause(duration);
    }
}

type Work = Box<dyn FnMut() + Send>;

/// What is done in the middle of other work, as another thread does it.
#[derive(Clone, Default)]
pub struct Interruption(Arc<Mutex<Option<Work>>>);

impl Interruption {
    /// From now on this is done.
    pub fn set(&self, what: impl FnMut() + Send + 'static) {
        self.put(Some(Box::new(what)));
    }

    /// From now on nothing is done.
    pub fn clear(&self) {
        self.put(None);
    }

    fn put(&self, what: Option<Work>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    fn run(&self) {
        // Taken out meanwhile: what it does may open such a file too.
        let what = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut what) = what {
            what();
            self.put(Some(what));
        }
    }
}

/// An environment that is interrupted whenever a file is opened for which `at` says so.
pub fn interrupted<E: Env>(env: E, at: fn(&Path, Mode) -> bool, by: &Interruption) -> impl Env + use<E> {
    let by = by.clone();
    let open = move |env: &E, path: &Path, mode: Mode| {
        if at(path, mode) {
            by.run();
        }
        env.open(path, mode)
    };
    Opening { env, open }
}
