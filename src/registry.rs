//! One engine for each directory, shared by all handles of the process, in whichever worker they are. Who only reads has an
//! engine of his own.

use std::collections::HashMap;
use std::mem;
use std::path::{self, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;

use cairndb::{Database, Options};

use crate::failure::{Failure, Outcome, guarded};
use crate::sync::Lock;

/// A directory that somebody has open, or is opening or closing.
#[derive(Default)]
struct Shared {
    /// Whoever opens or closes holds this lock all the while, so that the next one waits instead of finding the
    /// directory locked.
    state: Lock<State>,
    /// One of the leases has the turn: see `Lease::take_turn`.
    has_turn: AtomicBool,
}

#[derive(Default)]
struct State {
    engine: Option<Database>,
    /// Whether other processes may use the directory too.
    shared: bool,
    leases: usize,
}

static DIRECTORIES: LazyLock<Lock<HashMap<PathBuf, Arc<Shared>>>> = LazyLock::new(Lock::default);

/// A share in an open engine. The last one to be given back closes it.
pub(crate) struct Lease {
    directory: PathBuf,
    shared: Arc<Shared>,
    engine: Database,
    has_turn: bool,
    returned: bool,
}

impl Lease {
    /// Shares the engine that has the directory open, or opens it. May wait for the disk.
    pub(crate) fn take(directory: &Path, options: Options) -> Outcome<Self> {
        let directory = canonical(&path::absolute(directory).unwrap_or_else(|_| directory.to_path_buf()));
        let shared = match options.read_only {
            // It sees the moment at which it was opened, and no later one.
            true => Arc::default(),
            false => Arc::clone(DIRECTORIES.lock().entry(directory.clone()).or_default()),
        };
        let opened = shared.engine(&directory, options);
        match opened {
            Ok(engine) => Ok(Lease { directory, shared, engine, has_turn: false, returned: false }),
            Err(failure) => {
                forget(&directory, &shared);
                Err(failure)
            }
        }
    }

    pub(crate) fn engine(&self) -> &Database {
        &self.engine
    }

    /// Takes the turn to do what one opening of the directory at a time may do in this process, unless another has it.
    pub(crate) fn take_turn(&mut self) -> bool {
        self.has_turn = self.has_turn || !self.shared.has_turn.swap(true, Ordering::AcqRel);
        self.has_turn
    }

    /// Lets another one have the turn.
    pub(crate) fn end_turn(&mut self) {
        if mem::take(&mut self.has_turn) {
            self.shared.has_turn.store(false, Ordering::Release);
        }
    }

    /// Gives the share back. If it was the last one the directory is free when this returns. May wait for the disk.
    pub(crate) fn give_back(mut self) -> Outcome<()> {
        self.returned = true;
        self.end_turn();
        give_back(&self.directory, &self.shared)
    }
}

impl Drop for Lease {
    /// A lease that nobody gave back: its environment ended while the directory was being opened for it.
    fn drop(&mut self) {
        if self.returned {
            return;
        }
        self.end_turn();
        let (directory, shared) = (self.directory.clone(), Arc::clone(&self.shared));
        let close = move || {
            let _nobody_is_left_to_be_told = give_back(&directory, &shared);
        };
        // This may be the event loop's thread, which does not wait for a disk. Without a thread the directory stays
        // locked until the process ends.
        let _detached = thread::Builder::new().name("cairndb-close".into()).spawn(close);
    }
}

impl Shared {
    fn engine(&self, directory: &Path, options: Options) -> Outcome<Database> {
        let mut state = self.state.lock();
        let shared = options.shared;
        let engine = match &state.engine {
            Some(_) if state.shared != shared => return Err(otherwise(directory, state.shared)),
            Some(engine) => engine.clone(),
            None => guarded(|| Ok(Database::open(directory, options)?))?,
        };
        state.engine = Some(engine.clone());
        state.shared = shared;
        state.leases += 1;
        Ok(engine)
    }
}

/// Whoever wants a directory for this process alone must not get one that others use, and those would not see him.
fn otherwise(directory: &Path, shared: bool) -> Failure {
    let access = if shared { "shared" } else { "exclusive" };
    let code = cairndb::Code::InvalidOptions.as_str();
    let directory = directory.display();
    Failure::new(code, format!("this process has {directory} open with access \"{access}\" already; give the same"))
}

fn give_back(directory: &Path, shared: &Arc<Shared>) -> Outcome<()> {
    let closed = {
        let mut state = shared.state.lock();
        state.leases -= 1;
        let last = if state.leases == 0 { state.engine.take() } else { None };
        match (last, &state.engine) {
            (Some(engine), _) => guarded(|| Ok(engine.close()?)),
            // Others go on, but whoever has closed relies on what was acknowledged from memory being on the disk.
            (None, Some(engine)) => guarded(|| Ok(engine.flush()?)),
            (None, None) => Ok(()),
        }
    };
    forget(directory, shared);
    closed
}

/// Removes a directory that nobody has open or is opening.
fn forget(directory: &Path, shared: &Arc<Shared>) {
    let mut directories = DIRECTORIES.lock();
    // The registry's and ours: everybody else who came for it, under the lock that is held here, has one more.
    let is_known = directories.get(directory).is_some_and(|known| Arc::ptr_eq(known, shared));
    if is_known && Arc::strong_count(shared) <= 2 {
        directories.remove(directory);
    }
}

/// The one name of a directory, whichever links lead to it. It need not exist yet.
pub(crate) fn canonical(directory: &Path) -> PathBuf {
    if let Ok(path) = directory.canonicalize() {
        return path;
    }
    match (directory.parent(), directory.file_name()) {
        (Some(parent), Some(name)) => canonical(parent).join(name),
        _ => directory.to_path_buf(),
    }
}
