//! The promises of `Env`, kept by the real file system, clock and threads.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::RealEnv;
use crate::env::{Env, File, Lane, LockAttempt, Mapping, Mode};

/// How long a test that fails may hang; one that passes does not wait for it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than any test runs.
const NEVER: Duration = Duration::from_secs(3600);

struct Place {
    env: RealEnv,
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Place { env: RealEnv::new(), directory: TempDir::new().unwrap() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn open(&self, name: &str, mode: Mode) -> Result<Box<dyn File>, ErrorKind> {
        self.env.open(&self.at(name), mode).map_err(|error| error.kind())
    }

    fn create(&self, name: &str, bytes: &[u8]) -> Box<dyn File> {
        let file = self.open(name, Mode::Create).unwrap();
        file.write_all_at(bytes, 0).unwrap();
        file
    }

    /// The guard, or the process that holds the lock.
    fn lock(&self, env: &RealEnv) -> Result<Box<dyn Send + Sync>, Option<u32>> {
        match env.lock(&self.at("lock")).unwrap() {
            LockAttempt::Held(guard) => Ok(guard),
            LockAttempt::Busy(holder) => Err(holder),
        }
    }
}

#[test]
#[cfg(unix)]
fn only_the_owner_has_access() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let mode = |name| fs::metadata(place.at(name)).unwrap().permissions().mode() & 0o777;
    place.env.create_dir(&place.at("one/two")).unwrap();
    assert_eq!((mode("one"), mode("one/two")), (0o700, 0o700));
    place.create("one/file", b"x");
    assert_eq!(mode("one/file"), 0o600);
    let _guard = place.lock(&place.env);
    assert_eq!(mode("lock"), 0o600);
}

#[test]
fn directories_are_made_with_their_parents_and_may_be_there() {
    let place = Place::new();
    for _ in 0..2 {
        place.env.create_dir(&place.at("one/two/three")).unwrap();
    }
    assert!(place.at("one/two/three").is_dir());
    place.create("file", b"");
    assert_eq!(place.env.create_dir(&place.at("file")).unwrap_err().kind(), ErrorKind::NotADirectory);
    assert_eq!(place.env.create_dir(&place.at("file/below")).unwrap_err().kind(), ErrorKind::NotADirectory);
}

#[test]
#[cfg(unix)]
fn symbolic_links_are_refused() {
    let place = Place::new();
    place.create("target", b"x");
    std::os::unix::fs::symlink(place.at("target"), place.at("link")).unwrap();
    std::os::unix::fs::symlink(place.at("nothing"), place.at("lock")).unwrap();
    for mode in [Mode::Read, Mode::Write, Mode::Create] {
        assert!(place.open("link", mode).is_err(), "{mode:?}");
        assert!(place.open("lock", mode).is_err(), "{mode:?}");
    }
    assert_eq!(place.env.file_len(&place.at("link")).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(place.env.lock(&place.at("link")).is_err());
    assert!(place.env.lock(&place.at("lock")).is_err());
    assert!(!place.at("nothing").exists(), "a lock is not made where a link points to");
    assert_eq!(fs::read(place.at("target")).unwrap(), b"x");
}

#[test]
fn a_directory_in_the_place_of_a_file_is_refused() {
    let place = Place::new();
    place.env.create_dir(&place.at("sub")).unwrap();
    for mode in [Mode::Read, Mode::Write, Mode::Create] {
        assert!(place.open("sub", mode).is_err(), "{mode:?}");
    }
    assert_eq!(place.env.file_len(&place.at("sub")).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(place.env.lock(&place.at("sub")).is_err());
}

#[test]
fn each_mode_opens_what_it_says() {
    let place = Place::new();
    assert_eq!(place.open("file", Mode::Read).err(), Some(ErrorKind::NotFound));
    assert_eq!(place.open("file", Mode::Write).err(), Some(ErrorKind::NotFound));
    place.create("file", b"kept");
    assert_eq!(place.open("file", Mode::Create).err(), Some(ErrorKind::AlreadyExists));
    let reader = place.open("file", Mode::Read).unwrap();
    assert_eq!(reader.read_all().unwrap(), b"kept");
    assert!(reader.write_at(b"x", 0).is_err());
    assert!(reader.set_len(0).is_err());
    let writer = place.open("file", Mode::Write).unwrap();
    writer.write_all_at(b"K", 0).unwrap();
    assert_eq!(reader.read_all().unwrap(), b"Kept", "one file, whoever opened it");
}

#[test]
fn reads_and_writes_are_positioned_and_a_file_grows_by_zeros() {
    let place = Place::new();
    let file = place.create("file", b"ab");
    file.write_all_at(b"z", 4).unwrap();
    assert_eq!(file.read_all().unwrap(), b"ab\0\0z");
    assert_eq!((file.len().unwrap(), place.env.file_len(&place.at("file")).unwrap()), (5, 5));
    let mut buffer = [9; 4];
    assert_eq!(file.read_at(&mut buffer, 3).unwrap(), 2);
    assert_eq!(buffer, [0, b'z', 9, 9]);
    assert_eq!(file.read_at(&mut buffer, 5).unwrap(), 0);
    assert_eq!(file.read_exact_at(&mut buffer, 3).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    file.set_len(1).unwrap();
    file.set_len(3).unwrap();
    file.sync().unwrap();
    assert_eq!(file.read_all().unwrap(), b"a\0\0");
}

#[test]
fn a_mapping_is_what_a_read_gives() {
    let place = Place::new();
    let bytes: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
    let file = place.create("file", &bytes);
    let mapping = file.map().unwrap();
    assert!(matches!(mapping, Mapping::Mapped(_)));
    assert_eq!(*mapping, *file.read_all().unwrap());
    place.env.remove(&place.at("file")).unwrap();
    drop(file);
    assert_eq!(*mapping, *bytes, "it outlives the file's name and handle");
    assert_eq!(*place.create("empty", b"").map().unwrap(), *b"");
}

#[test]
fn names_are_listed_renamed_and_removed() {
    let place = Place::new();
    let (here, a, b) = (place.directory.path(), place.at("a"), place.at("b"));
    let listed = || {
        let mut names = place.env.list(here).unwrap();
        names.sort();
        names
    };
    place.create("a", b"a");
    place.create("b", b"b");
    assert_eq!(listed(), ["a", "b"]);
    place.env.rename(&a, &b).unwrap();
    assert_eq!(listed(), ["b"]);
    assert_eq!(place.open("b", Mode::Read).unwrap().read_all().unwrap(), b"a");
    place.env.remove(&b).unwrap();
    place.env.sync_dir(here).unwrap();
    assert!(listed().is_empty());
    let missing = [place.env.rename(&a, &b), place.env.remove(&b), place.env.file_len(&b).map(drop)];
    assert!(missing.into_iter().all(|outcome| outcome.unwrap_err().kind() == ErrorKind::NotFound));
    assert_eq!(place.env.list(&a).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
#[cfg(target_os = "linux")]
fn names_of_strangers_that_are_no_text_are_passed_over() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    fs::write(place.directory.path().join(std::ffi::OsStr::from_bytes(b"\xff")), b"").unwrap();
    place.create("a", b"");
    assert_eq!(place.env.list(place.directory.path()).unwrap(), ["a"]);
}

#[test]
#[cfg(unix)]
fn a_directory_that_is_not_there_cannot_be_synced() {
    let place = Place::new();
    assert_eq!(place.env.sync_dir(&place.at("nowhere")).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_lock_names_its_holder_and_ends_with_its_guard() {
    let place = Place::new();
    let other = RealEnv::new();
    // A longer number left by a process that died must not show behind ours.
    fs::write(place.at("lock"), "99999999999999999999").unwrap();
    let guard = place.lock(&place.env).ok().unwrap();
    for env in [&other, &place.env] {
        assert_eq!(place.lock(env).err(), Some(Some(std::process::id())));
    }
    drop(guard);
    assert!(place.lock(&other).is_ok());
}

#[test]
fn a_lock_is_busy_too_where_its_holder_left_no_number() {
    let place = Place::new();
    let held = fs::File::create(place.at("lock")).unwrap();
    held.try_lock().unwrap();
    assert_eq!(place.lock(&place.env).err(), Some(None));
    fs::write(place.at("lock"), "somebody").unwrap();
    assert_eq!(place.lock(&place.env).err(), Some(None));
}

#[test]
#[cfg(unix)]
fn a_lock_does_not_name_a_holder_that_is_dead() {
    let place = Place::new();
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let _guard = place.lock(&place.env).ok().unwrap();
    fs::write(place.at("lock"), child.id().to_string()).unwrap();
    assert_eq!(place.lock(&RealEnv::new()).err(), Some(None));
}

#[test]
fn the_clock_goes_on() {
    let env = RealEnv::new();
    assert!(env.now() > 1_700_000_000_000, "milliseconds since 1970");
    let begun = (Instant::now(), env.monotonic());
    env.pause(Duration::from_millis(2));
    assert!(begun.0.elapsed() >= Duration::from_millis(2));
    assert!(env.monotonic() - begun.1 >= 2_000_000, "nanoseconds");
}

#[test]
fn jobs_run_in_the_order_in_which_they_fall_due_and_not_before() {
    let delay = Duration::from_millis(100);
    let env = RealEnv::new();
    let (ran, order) = mpsc::channel();
    let note = |name: &'static str| {
        let ran = ran.clone();
        Box::new(move || ran.send((name, Instant::now())).unwrap())
    };
    loop {
        let (release, wait) = mpsc::channel::<()>();
        env.submit(Lane::Sync, Duration::ZERO, Box::new(move || assert!(wait.recv().is_err())));
        let begun = Instant::now();
        env.submit(Lane::Sync, NEVER, note("never"));
        env.submit(Lane::Sync, delay, note("late"));
        env.submit(Lane::Sync, Duration::ZERO, note("first"));
        env.submit(Lane::Sync, Duration::ZERO, note("second"));
        // If this thread was held up in between, the late job may have been due first.
        let orderly = begun.elapsed() < delay;
        drop(release);
        let got = [0; 3].map(|_| order.recv_timeout(PATIENCE).unwrap());
        if orderly {
            assert_eq!(got.map(|(name, _)| name), ["first", "second", "late"]);
            assert!(got[2].1 >= begun + delay);
            break;
        }
    }
}

#[test]
fn lanes_run_side_by_side() {
    let env = RealEnv::new();
    let (to_sync, at_sync) = mpsc::channel();
    let (to_flush, at_flush) = mpsc::channel();
    let (done, finished) = mpsc::channel();
    // Each waits for the next: only if all three run at once does any of them end.
    let done_by_sync = done.clone();
    let sync = move || done_by_sync.send(at_sync.recv_timeout(PATIENCE).is_ok()).unwrap();
    env.submit(Lane::Sync, Duration::ZERO, Box::new(sync));
    let flush = move || {
        done.send(at_flush.recv_timeout(PATIENCE).is_ok()).unwrap();
        to_sync.send(()).unwrap();
    };
    env.submit(Lane::Flush, Duration::ZERO, Box::new(flush));
    env.submit(Lane::Merge, Duration::ZERO, Box::new(move || to_flush.send(()).unwrap()));
    assert_eq!(finished.iter().collect::<Vec<_>>(), [true, true]);
}

#[test]
fn the_jobs_of_a_lane_run_one_after_the_other() {
    let env = RealEnv::new();
    let running = Arc::new(AtomicBool::new(false));
    let (overlap, overlaps) = mpsc::channel();
    for _ in 0..200 {
        let (running, overlap) = (Arc::clone(&running), overlap.clone());
        let job = move || {
            let overlapped = running.swap(true, Ordering::SeqCst);
            std::thread::yield_now();
            running.store(false, Ordering::SeqCst);
            overlap.send(overlapped).unwrap();
        };
        env.submit(Lane::Merge, Duration::ZERO, Box::new(job));
    }
    drop(overlap);
    assert_eq!(overlaps.iter().collect::<Vec<_>>(), [false; 200]);
}

#[test]
fn the_threads_end_with_the_environment() {
    let env = RealEnv::new();
    let (held, ended) = mpsc::channel::<()>();
    for lane in [Lane::Sync, Lane::Flush, Lane::Merge] {
        let held = held.clone();
        env.submit(lane, NEVER, Box::new(move || drop(held)));
    }
    drop((held, env));
    // A thread that goes on would keep its queue, and with it a job that has not run.
    assert_eq!(ended.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Disconnected));
}

#[test]
fn an_environment_may_be_dropped_by_its_last_job() {
    let env = Arc::new(RealEnv::new());
    let (done, finished) = mpsc::channel();
    let (release, wait) = mpsc::channel::<()>();
    let last = Arc::clone(&env);
    let job = move || {
        assert!(wait.recv().is_err());
        drop(last);
        done.send(()).unwrap();
    };
    env.submit(Lane::Sync, Duration::ZERO, Box::new(job));
    drop(env);
    drop(release);
    assert_eq!(finished.recv_timeout(PATIENCE), Ok(()));
}

#[test]
fn a_path_without_a_parent_is_here() {
    // What `create_dir` syncs for a relative path of one part is the current directory, not an empty path.
    let env = RealEnv::new();
    assert!(env.create_dir(Path::new(".")).is_ok());
}

#[test]
fn a_process_lock_is_one_mans_or_that_of_all_who_share_it() {
    let place = Place::new();
    let lock = || place.env.process_lock(&place.at("turn")).unwrap();
    let (one, two, three) = (lock(), lock(), lock());
    assert!(one.try_exclusive().unwrap());
    assert!(!two.try_exclusive().unwrap() && !two.try_shared().unwrap());
    assert!(one.try_shared().unwrap(), "gives up being alone");
    assert!(two.try_shared().unwrap() && !three.try_exclusive().unwrap());
    one.release().unwrap();
    assert!(!three.try_exclusive().unwrap());
    drop(two);
    assert!(three.try_exclusive().unwrap(), "whoever goes lets go");
    assert!(matches!(place.env.lock(&place.at("turn")).unwrap(), LockAttempt::Busy(_)));
}

#[test]
fn numbers_are_those_of_all_who_ask_for_them() {
    let place = Place::new();
    let numbers = || place.env.shared_numbers(&place.at("shared"), 24).unwrap();
    let (one, two) = (numbers(), numbers());
    assert!((0..24).all(|index| one.load(index) == 0));
    one.store(3, u64::MAX);
    two.store(23, 7);
    assert_eq!((two.load(3), one.load(23), numbers().load(3)), (u64::MAX, 7, u64::MAX));
    one.store(24, 1);
    assert_eq!((one.load(24), two.load(0)), (0, 0), "there are no more than were asked for");
    assert_eq!(fs::metadata(place.at("shared")).unwrap().len(), 24 * 8);
}

#[test]
#[cfg(unix)]
fn neither_is_made_where_a_link_stands() {
    let place = Place::new();
    std::os::unix::fs::symlink(place.at("elsewhere"), place.at("link")).unwrap();
    assert!(place.env.process_lock(&place.at("link")).is_err());
    assert!(place.env.shared_numbers(&place.at("link"), 1).is_err());
    assert!(!place.at("elsewhere").exists());
}
