//! The handle on a simulated world.

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use cairndb::env::{Env, File, Job, Lane, LockAttempt, Mode, ProcessLock, SharedNumbers};
use parking_lot::Mutex;

use crate::crash::{self, CrashPlan, Tears};
use crate::faults::{Failure, Fault, Op};
use crate::file::SimFile;
use crate::history::History;
use crate::locks::{SimLock, SimNumbers};
use crate::moment::{self, Moment};
use crate::rng::Rng;
use crate::world::{About, OFF, World};

/// A process on a simulated machine. A clone is the same process; [`SimEnv::other_process`] is another one.
#[derive(Clone)]
pub struct SimEnv {
    world: Arc<Mutex<World>>,
    process: u32,
}

/// More jobs or pauses than this in one go are a program that never comes to rest.
const ENDLESS: u64 = 1_000_000;

impl SimEnv {
    /// A machine with an empty disk. The seed decides the order of listings, the subsets of [`CrashPlan`]s and what
    /// stale blocks hold.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        SimEnv::start(World::empty(seed))
    }

    pub(crate) fn start(mut world: World) -> Self {
        let process = world.start_process();
        SimEnv { world: Arc::new(Mutex::new(world)), process }
    }

    /// Another process on the same machine: what it locks is locked for this one.
    #[must_use]
    pub fn other_process(&self) -> SimEnv {
        let process = self.world.lock().start_process();
        SimEnv { world: Arc::clone(&self.world), process }
    }

    /// The process id.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.process
    }

    /// Kills this process: its locks are released, its jobs will not run, and all its calls fail.
    pub fn kill(&self) {
        let jobs = self.world.lock().kill(self.process);
        // Outside the lock: a job may own files of this disk.
        drop(jobs);
    }

    /// Kills this process before the step after the next `steps` ones: changes of the disk, and stores of numbers that
    /// processes share.
    pub fn kill_after(&self, steps: u64) {
        self.world.lock().kill_at = Some((self.process, steps));
    }

    /// Takes [`SimEnv::kill_after`] back.
    pub fn spare(&self) {
        self.world.lock().kill_at = None;
    }

    /// Whether this process lives.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.world.lock().is_alive(self.process)
    }

    /// The machine that is found after a crash at this moment: no locks, no jobs, no faults, the clock going on. This
    /// one is not touched, so that one run can be crashed in any number of ways at any number of moments.
    #[must_use]
    pub fn crashed(&self, plan: CrashPlan) -> SimEnv {
        SimEnv::start(self.world.lock().after(plan))
    }

    /// Crashes this machine for good, and starts the one that [`crashed`](SimEnv::crashed) gives.
    #[must_use]
    pub fn reboot(&self, plan: CrashPlan) -> SimEnv {
        let jobs = self.world.lock().turn_off();
        // Outside the lock: a job may own files of this disk.
        drop(jobs);
        self.crashed(plan)
    }

    /// Turns the machine off at the moment of the change after the first `changes` ones, counted as
    /// [`changes`](SimEnv::changes) does from the beginning of this environment. From then on every call fails with
    /// [`MACHINE_OFF`](SimEnv::MACHINE_OFF). Reads before that moment still succeed: so a program gets as far as it
    /// can, and acknowledges as much as it will, with the disk in that state.
    pub fn crash_at(&self, changes: u64) {
        self.world.lock().crash_at = Some(changes);
    }

    /// The kind of the error that every call returns once the machine is off or the process dead.
    pub const MACHINE_OFF: io::ErrorKind = OFF;

    /// Whether the machine is off.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.world.lock().off
    }

    /// The number of operations so far, reads too: what faults are counted in.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.world.lock().operations
    }

    /// The number of operations so far that can change what a crash leaves (see [`Op::changes_disk`]): the points at
    /// which [`crash_at`](SimEnv::crash_at) can strike.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.world.lock().changes
    }

    /// The operations of this environment, to print when a test fails.
    #[must_use]
    pub fn history(&self) -> History {
        self.world.lock().history.clone()
    }

    /// The number of changes that the operating system has and the disk may not have.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.world.lock().disk.pending.len()
    }

    /// Every crash that makes a difference now: the process crash; none, all, every prefix and every single omission
    /// of the pending changes; the last write torn at every byte; and `random` subsets each of changes and of sectors.
    pub fn plans(&self, random: u64) -> impl Iterator<Item = CrashPlan> + use<> {
        let world = self.world.lock();
        crash::plans(&world.disk, Tears::All, random, world.seed)
    }

    /// From now on keeps the machine as it is before each change, for [`take_moments`](SimEnv::take_moments): so one
    /// run is crashed at every change.
    pub fn keep_moments(&self) {
        self.world.lock().moments.get_or_insert_default();
    }

    /// The moments that were kept since they were last taken.
    #[must_use]
    pub fn take_moments(&self) -> Vec<Moment> {
        self.world.lock().moments.as_mut().map(mem::take).unwrap_or_default()
    }

    /// The machine as it is now.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment::of(&mut self.world.lock())
    }

    /// A number that is the same for two machines only if no program can tell their disks and clocks apart, now or
    /// after a power loss.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let world = self.world.lock();
        moment::fingerprint(&world.disk, world.clock)
    }

    /// A number that is the same for two machines only if their files are, as the operating system sees them.
    #[must_use]
    pub fn fingerprint_of_files(&self) -> u64 {
        moment::fingerprint_of_files(&self.world.lock().disk)
    }

    /// Lets something go wrong.
    pub fn inject(&self, fault: Fault) {
        self.world.lock().faults.inject(fault);
    }

    /// Takes back all faults that have not struck, and the sticky ones.
    pub fn clear_faults(&self) {
        self.world.lock().faults.clear();
    }

    /// The most bytes that files may hold, or no limit. A write that passes it is cut short, then fails with
    /// [`io::ErrorKind::StorageFull`]. Space that only `set_len` claimed is not counted.
    pub fn set_quota(&self, bytes: Option<u64>) {
        self.world.lock().quota = bytes;
    }

    /// From now on the disk acknowledges each sync at once and does it so much later, or is honest again.
    pub fn set_lie(&self, delay: Option<Duration>) {
        self.world.lock().lie = delay.map(|delay| delay.as_nanos() as u64);
    }

    /// The files as the operating system sees them.
    #[must_use]
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let world = self.world.lock();
        let system = &world.disk.system;
        let bytes = |node| system.files.get(node).map(|content| content.to_vec()).unwrap_or_default();
        system.names.iter().map(|(name, node)| (name.0.to_path_buf(), bytes(node))).collect()
    }

    /// How many of them have a name that ends so.
    #[must_use]
    pub fn count_files(&self, ending: &str) -> usize {
        self.world.lock().disk.system.names.keys().filter(|name| name.0.to_string_lossy().ends_with(ending)).count()
    }

    /// The names in a directory, in order, looked at from outside: no operation of any process.
    #[must_use]
    pub fn names(&self, directory: &Path) -> Vec<String> {
        self.world.lock().disk.list(directory).unwrap_or_default()
    }

    /// A file's bytes as the operating system sees them, looked at from outside.
    #[must_use]
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let mut world = self.world.lock();
        let node = world.disk.node(path).ok()?;
        Some(world.disk.content(node).to_vec())
    }

    /// Puts a file of these bytes on the disk, durable at once, or these bytes in the place of those that a file had:
    /// bit rot, a cut, a sector of zeros, a copy from elsewhere.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is no such directory.
    pub fn put_file(&self, path: impl AsRef<Path>, bytes: &[u8]) -> io::Result<()> {
        self.world.lock().disk.put(&path.as_ref().into(), bytes)
    }

    /// The number of jobs that wait.
    #[must_use]
    pub fn jobs(&self) -> usize {
        self.world.lock().jobs.len()
    }

    /// Runs the first job that is due, on this thread; false if none is.
    pub fn run_one(&self) -> bool {
        self.run(|world| world.jobs.take(world.clock))
    }

    /// Runs the first job of a random lane that has one due; false if none is due.
    pub fn run_any(&self, rng: &mut Rng) -> bool {
        self.run(|world| world.jobs.take_any(world.clock, rng))
    }

    /// Runs all jobs that are due, and those due at once that they submit. Returns how many.
    ///
    /// # Panics
    /// If they never come to an end.
    pub fn run_due(&self) -> u64 {
        self.advance(Duration::ZERO)
    }

    /// Moves the clock, and runs each job on the way at its time. Returns how many.
    ///
    /// # Panics
    /// If they never come to an end.
    pub fn advance(&self, duration: Duration) -> u64 {
        let until = self.world.lock().later(duration);
        let mut ran = 0;
        while self.run(|world| world.next_until(until)) {
            ran += 1;
            assert!(ran < ENDLESS, "background jobs submit each other without end");
        }
        let mut world = self.world.lock();
        world.clock = world.clock.max(until);
        ran
    }

    fn run(&self, take: impl FnOnce(&mut World) -> Option<Job>) -> bool {
        let mut world = self.world.lock();
        world.pauses = 0;
        let job = if world.off { None } else { take(&mut world) };
        drop(world);
        // Outside the lock: the job uses this disk.
        job.map(|job| job()).is_some()
    }

    fn operate<T>(
        &self,
        op: Op,
        path: &Arc<Path>,
        to: Option<&Arc<Path>>,
        run: impl FnOnce(&mut World, Option<Failure>) -> io::Result<T>,
    ) -> io::Result<T> {
        self.world.lock().operate(self.process, About { op, path, to, offset: 0, len: 0 }, run)
    }
}

impl Env for SimEnv {
    fn create_dir(&self, directory: &Path) -> io::Result<()> {
        self.operate(Op::CreateDir, &directory.into(), None, |world, _| world.disk.create_dir(directory))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.operate(Op::List, &directory.into(), None, |world, _| {
            let mut names = world.disk.list(directory)?;
            world.rng.shuffle(&mut names);
            Ok(names)
        })
    }

    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>> {
        let path: Arc<Path> = path.into();
        let op = if mode == Mode::Create { Op::Create } else { Op::Open };
        let node = self.operate(op, &path, None, |world, _| {
            let node = if mode == Mode::Create { world.disk.create(&path)? } else { world.disk.node(&path)? };
            world.opened(node);
            Ok(node)
        })?;
        Ok(Box::new(SimFile::new(Arc::clone(&self.world), self.process, path, node, mode != Mode::Read)))
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.operate(Op::FileLen, &path.into(), None, |world, _| {
            let node = world.disk.node(path)?;
            Ok(world.disk.content(node).len())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (from.into(), to.into());
        self.operate(Op::Rename, &from, Some(&to), |world, _| world.disk.rename(&from, &to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let path = path.into();
        self.operate(Op::Remove, &path, None, |world, _| world.disk.remove(&path))
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        self.operate(Op::SyncDir, &directory.into(), None, |world, _| {
            let settles = world.settles();
            world.disk.sync_dir(directory, settles)?;
            world.disk.collect(&world.open);
            Ok(())
        })
    }

    fn lock(&self, path: &Path) -> io::Result<LockAttempt> {
        let path: Arc<Path> = path.into();
        let taken = self.operate(Op::Lock, &path, None, |world, _| world.lock(self.process, &path))?;
        Ok(match taken {
            Ok(guard) => {
                let world = Arc::clone(&self.world);
                LockAttempt::Held(Box::new(SimLock { world, path, process: self.process, guard }))
            }
            Err(holder) => LockAttempt::Busy(Some(holder)),
        })
    }

    fn process_lock(&self, path: &Path) -> io::Result<Arc<dyn ProcessLock>> {
        let path: Arc<Path> = path.into();
        let guard = self.operate(Op::Lock, &path, None, |world, _| {
            world.lock_file(&path)?;
            Ok(world.locks.guard())
        })?;
        Ok(Arc::new(SimLock { world: Arc::clone(&self.world), path, process: self.process, guard }))
    }

    fn shared_numbers(&self, path: &Path, count: usize) -> io::Result<Box<dyn SharedNumbers>> {
        let mut world = self.world.lock();
        let numbers =
            world.numbers.entry(path.into()).or_insert_with(|| (0..count).map(|_| AtomicU64::new(0)).collect());
        let numbers = Arc::clone(numbers);
        Ok(Box::new(SimNumbers { world: Arc::clone(&self.world), process: self.process, numbers }))
    }

    fn now(&self) -> u64 {
        self.world.lock().now()
    }

    fn monotonic(&self) -> u64 {
        self.world.lock().clock
    }

    fn submit(&self, lane: Lane, delay: Duration, job: Job) {
        let mut world = self.world.lock();
        if world.is_alive(self.process) {
            let due = world.later(delay);
            world.jobs.submit(self.process, due, lane, job);
        } else {
            drop(world);
            // Outside the lock: the job may own files of this disk.
            drop(job);
        }
    }

    /// Moves the clock and runs no job: the caller may hold what a job needs.
    fn pause(&self, duration: Duration) {
        let mut world = self.world.lock();
        world.clock = world.later(duration);
        world.pauses += 1;
        assert!(world.pauses < ENDLESS, "a writer waits without end for a job that only the test can run");
    }
}
