//! Databases that the engine writes for these tests, and what it says that they hold.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tempfile::TempDir;

use super::reader::{Contents, Files, Found};
use crate::env::{Env, File, Job, Lane, LockAttempt, Mode, RealEnv};
use crate::{Database, Durability, Kind, Op, Options, Range};

/// The directory of every database here, relative to that of the environment: it goes into the database's number.
const DIRECTORY: &str = "example";
const START: u64 = 1_700_000_000_000;

/// The real file system, with a clock and background work that only the test moves.
struct Workshop {
    real: RealEnv,
    root: TempDir,
    now: AtomicU64,
    jobs: Mutex<Vec<Job>>,
}

impl Workshop {
    fn at(&self, path: &Path) -> PathBuf {
        self.root.path().join(path)
    }
}

impl Env for Workshop {
    fn create_dir(&self, directory: &Path) -> io::Result<()> {
        self.real.create_dir(&self.at(directory))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.real.list(&self.at(directory))
    }

    fn open(&self, path: &Path, mode: Mode) -> io::Result<Box<dyn File>> {
        self.real.open(&self.at(path), mode)
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.real.file_len(&self.at(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.real.rename(&self.at(from), &self.at(to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.real.remove(&self.at(path))
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        self.real.sync_dir(&self.at(directory))
    }

    fn lock(&self, path: &Path) -> io::Result<LockAttempt> {
        self.real.lock(&self.at(path))
    }

    fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> u64 {
        self.now() * 1_000_000
    }

    fn submit(&self, _: Lane, _: Duration, job: Job) {
        self.jobs.lock().push(job);
    }

    fn pause(&self, _: Duration) {}
}

/// A database and the environment that it lives in.
pub(super) struct Fixture {
    env: Arc<Workshop>,
    options: Options,
    pub(super) db: Database,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let env = Arc::new(Workshop {
            real: RealEnv::new(),
            root: TempDir::new().unwrap(),
            now: AtomicU64::new(START),
            jobs: Mutex::default(),
        });
        let options = Options { memtable_bytes: 64 << 10, ..Options::default() };
        let db = Database::open_with(env.clone(), DIRECTORY, options.clone()).unwrap();
        Fixture { env, options, db }
    }

    /// Moves the clock by a second.
    pub(super) fn tick(&self) {
        self.env.now.fetch_add(1000, Ordering::Relaxed);
    }

    pub(super) fn now(&self) -> u64 {
        self.env.now()
    }

    /// Does the background work that is waiting, once.
    pub(super) fn run_jobs(&self) {
        let jobs = std::mem::take(&mut *self.env.jobs.lock());
        jobs.into_iter().for_each(|job| job());
    }

    pub(super) fn put(&self, table: &str, key: &str, value: &str) {
        self.commit(&[Op::put(table, key.as_bytes(), Kind::JSON, value.as_bytes())]);
    }

    fn put_packed(&self, key: &str, value: serde_json::Value) {
        let value = self.db.pack(&value.into()).unwrap();
        self.commit(&[Op::put("readings", key.as_bytes(), Kind::PACKED, &value)]);
    }

    pub(super) fn commit(&self, ops: &[Op<'_>]) {
        self.tick();
        self.db.commit(ops, Durability::Os).unwrap();
    }

    /// Lets the database go as a crash of the process would, and opens it again: to seal its frames, or not to any more.
    pub(super) fn reopen(&mut self) {
        self.options.sha256 = !self.options.sha256;
        let elsewhere = Arc::new(RealEnv::new());
        let aside = TempDir::new().unwrap();
        self.db = Database::open_with(elsewhere, aside.path(), Options::default()).unwrap();
        self.db = Database::open_with(self.env.clone(), DIRECTORY, self.options.clone()).unwrap();
    }

    /// The files as they are on disk.
    pub(super) fn files(&self) -> Files {
        let names = self.env.list(Path::new(DIRECTORY)).unwrap().into_iter().filter(|name| name != "lock");
        let read = |name: &str| self.env.open(&Path::new(DIRECTORY).join(name), Mode::Read).unwrap().read_all();
        names.map(|name| (name.clone(), read(&name).unwrap())).collect()
    }

    /// What the engine says that the database holds.
    pub(super) fn contents(&self) -> Contents {
        let mut contents = Contents::new();
        for table in self.db.tables().unwrap() {
            let mut found = BTreeMap::new();
            for row in self.db.scan(&table, &Range::all()).unwrap() {
                let (key, record) = row.unwrap();
                let crate::Record { value, kind, version, timestamp, expiration, dictionary, .. } = record;
                let (kind, value) = (u64::from(kind.number()), value.to_vec());
                found.insert(key.to_vec(), Found { kind, value, version, time: timestamp, expiration, dictionary });
            }
            contents.insert(table, found);
        }
        contents
    }
}

/// Opens a copy of these files, as they are at `now`.
pub(super) fn open_copy(files: &Files, now: u64) -> crate::Result<Fixture> {
    let env = Arc::new(Workshop {
        real: RealEnv::new(),
        root: TempDir::new().unwrap(),
        now: AtomicU64::new(now),
        jobs: Mutex::default(),
    });
    let directory = Path::new(DIRECTORY);
    env.create_dir(directory).unwrap();
    for (name, bytes) in files {
        env.open(&directory.join(name), Mode::Create).unwrap().write_all_at(bytes, 0).unwrap();
    }
    let options = Options::default();
    let db = Database::open_with(env.clone(), DIRECTORY, options.clone())?;
    Ok(Fixture { env, options, db })
}

/// The database of the worked example.
pub(super) fn example() -> Fixture {
    let fixture = Fixture::new();
    fixture.commit(&[
        Op::put("users", b"alice", Kind::JSON, br#"{"name":"Alice"}"#),
        Op::put("users", b"bob", Kind::BYTES, b"x").expires_at(1_800_000_000_000.5).joined(),
    ]);
    fixture.tick();
    fixture.db.checkpoint().unwrap();
    fixture.db.prune(1).unwrap();
    fixture.tick();
    let dictionary = fixture.db.define_dictionary("d", &[("name", "n")]).unwrap();
    fixture.commit(&[
        Op::delete("users", b"bob"),
        Op::put("log", b"k", Kind::JSON, br#"{"name":1}"#).dictionary(dictionary).joined(),
    ]);
    fixture
}

/// A database with some of everything: tables with several stones and with none, tombstones over records of stones,
/// records that expire and that have expired, dictionaries and their revisions, dropped tables, records that a
/// checkpoint carried on, and a journal of two segments.
pub(super) fn everything() -> Fixture {
    let mut fixture = Fixture::new();
    let reading = fixture.db.define_dictionary("reading", &[("sensor", "s"), ("temperature", "t")]).unwrap();
    for n in 0..300 {
        fixture.put("bulk", &format!("k{n:03}"), &"\"x\"".repeat(1 + n % 7));
    }
    // Enough that are alike to be packed.
    for n in 0..500 {
        fixture.put("mail", &format!("user:{n:04}"), &format!("\"user-{n}@example.com\""));
    }
    fixture.put_packed("early", serde_json::json!({ "sensor": 1 }));
    let long = vec![7; 9000];
    fixture.commit(&[Op::put("bulk", b"long", Kind::BYTES, &long)]);
    for n in 0..40 {
        let (key, at) = (format!("s{n:02}"), (START + 1_000_000 * (n % 4)) as f64 + 0.5);
        fixture.commit(&[Op::put("sessions", key.as_bytes(), Kind::JSON, b"[{\"$number\":\"-0\"}]").expires_at(at)]);
    }
    fixture.put("dropped", "k", "1");
    fixture.db.checkpoint().unwrap();

    for n in (0..300).step_by(3) {
        fixture.commit(&[Op::delete("bulk", format!("k{n:03}").as_bytes())]);
    }
    let json = br#"{"sensor":"t","more":[{"temperature":-1.50,"sen\"sor":"s:"}, "sensor"] }"#;
    fixture.commit(&[Op::put("readings", b"mapped", Kind::JSON, json).dictionary(reading)]);
    fixture.commit(&[Op::put("readings", b"unmapped", Kind::JSON, br#"{"s":1,"sensor":2}"#).dictionary(reading)]);
    fixture.db.drop_table("dropped", Durability::Os).unwrap();
    fixture.db.checkpoint().unwrap();

    // A commit over the budget: the large table gets a stone, the tiny ones are carried on.
    let changed = fixture.db.define_dictionary("reading", &[("sensor", "t")]).unwrap();
    fixture.commit(&[Op::put("readings", b"changed", Kind::JSON, json).dictionary(changed)]);
    fixture.put("tiny", "carried", "1");
    fixture.commit(&[Op::delete("tiny", b"carried")]);
    fixture.put("tiny", "carried", "2");
    fixture.put("bulk", "k001", &format!("\"{}\"", "y".repeat(70_000)));
    fixture.run_jobs();

    fixture.put("dropped", "k", "made anew");
    fixture.put("sessions", "s04", "\"had expired\"");
    fixture.reopen();
    fixture.put("tiny", "carried", "3");
    fixture.put("gone", "k", "1");
    fixture.db.drop_table("gone", Durability::Os).unwrap();
    // So long that the lower bits of the multiplier of the length check matter too.
    fixture.put("bulk", "k004", &format!("\"{}\"", "z".repeat(40_000)));
    fixture.put_packed("late packed", serde_json::json!([{ "sensor": 1, "": "" }, { "sensor": 2 }]));
    let late = fixture.db.define_dictionary("late", &[("sensor", "\u{e9}")]).unwrap();
    fixture.commit(&[Op::put("readings", b"late", Kind::JSON, json).dictionary(late)]);
    fixture.commit(&[Op::put("ключ", "✓".as_bytes(), Kind::new(30).unwrap(), &[1, 2, 3]).expires_at(-1.5)]);
    fixture.commit(&[Op::delete("bulk", b"k002"), Op::put("other", &[0, 255], Kind::new(31).unwrap(), b"").joined()]);
    fixture
}
