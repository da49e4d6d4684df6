//! Small databases with every kind of file, and what they held after each commit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cairndb::env::Env;
use cairndb::{Database, DictionaryId, Durability, Kind, Op, Options, Range, Record, Result, Value};
use cairndb_sim::{CrashPlan, SimEnv};

/// A record as a reader gets it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) value: Vec<u8>,
    pub(crate) kind: Kind,
    pub(crate) version: u64,
    pub(crate) time: u64,
    pub(crate) expiration: Option<f64>,
    pub(crate) dictionary: Option<String>,
}

impl From<Record> for Row {
    fn from(found: Record) -> Self {
        let Record { kind, version, expiration, dictionary, .. } = found;
        Row { value: found.value.to_vec(), kind, version, time: found.timestamp, expiration, dictionary }
    }
}

pub(crate) type View = BTreeMap<String, BTreeMap<Vec<u8>, Row>>;

pub(crate) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// All that a sound database shows.
pub(crate) fn view(db: &Database) -> Result<View> {
    let mut view = View::new();
    for table in db.tables()? {
        let rows = db.scan(&table, &Range::all())?.map(|row| row.map(|(key, found)| (key.to_vec(), found.into())));
        view.insert(table, rows.collect::<Result<_>>()?);
    }
    Ok(view)
}

/// A database on a disk.
pub(crate) struct Fixture {
    /// The machine, with nothing running.
    pub(crate) env: SimEnv,
    pub(crate) files: Files,
    /// What some of the files were before.
    pub(crate) older: BTreeMap<PathBuf, Vec<Vec<u8>>>,
    /// What a reader found after each commit.
    pub(crate) states: Vec<View>,
    /// The first of the states that holds all that the newest segment says to be on the disk.
    pub(crate) durable: usize,
    /// The state at which the newest segment was begun.
    pub(crate) newest_segment: usize,
    /// Whether the manifest says that all of it is on the disk.
    pub(crate) closed: bool,
}

pub(crate) fn options(mmap: bool) -> Options {
    Options { mmap, keep_generations: 2, memtable_bytes: 64 << 10, ..Options::default() }
}

pub(crate) fn open(env: &SimEnv, mmap: bool) -> Result<Database> {
    Database::open_with(Arc::new(env.clone()), "db", options(mmap))
}

/// Writes a database and notes its states.
struct Author {
    env: SimEnv,
    db: Database,
    dictionary: DictionaryId,
    states: Vec<View>,
    /// The files after each commit.
    history: Vec<Files>,
}

impl Author {
    fn commit(&mut self, ops: &[Op<'_>]) {
        self.env.advance(Duration::from_millis(7));
        self.db.commit(ops, Durability::Os).unwrap();
        self.states.push(view(&self.db).unwrap());
        self.history.push(self.env.files());
    }

    /// The process dies and another one goes on.
    fn restart(&mut self) {
        self.env = self.env.reboot(CrashPlan::Process);
        self.db = open(&self.env, true).unwrap();
    }

    fn user(&mut self, key: &str, value: &str) {
        let op = Op::put("users", key.as_bytes(), Kind::JSON, value.as_bytes()).dictionary(self.dictionary);
        self.commit(&[op]);
    }

    /// Tables in several layers of stones, one of them of several blocks, and one that is gone; expirations,
    /// dictionaries, tombstones; two generations, the older of which needs stones that have been merged since.
    fn stones(&mut self) {
        let late = self.env.now() as f64 + 1e9;
        let packed = Value::Object(vec![("id".into(), Value::Number(7.5)), ("tag".into(), Value::String("x".into()))]);
        let packed = self.db.pack(&packed).unwrap();
        self.user("anna", r#"{"name":"Anna","country":"at"}"#);
        self.user("bert", r#"{"name":"Bert","country":"be","more":[{"name":"x"}]}"#);
        self.user("cleo", r#"{"n":"not mapped"}"#);
        self.commit(&[
            Op::put("log", b"1", Kind::BYTES, &[7; 40]).expires_at(late),
            Op::put("log", b"2", Kind::BYTES, b"").expires_at(-1.5).joined(),
            Op::put("log", b"3", Kind::PACKED, &packed).expires_at(late + 0.5).joined(),
        ]);
        self.commit(&[Op::put("gone", b"k", Kind::BYTES, b"v")]);
        for (key, byte) in [(b"a", 1), (b"b", 2), (b"c", 3)] {
            self.commit(&[Op::put("bulk", key, Kind::BYTES, &[byte; 1390])]);
        }
        self.commit(&[Op::put("bulk", b"d", Kind::BYTES, &[4; 100])]);
        self.db.checkpoint().unwrap();
        self.user("anna", r#"{"name":"Anna","country":"de"}"#);
        self.commit(&[Op::delete("users", b"bert"), Op::put("users", b"dora", Kind::BYTES, b"d").joined()]);
        self.commit(&[Op::delete("bulk", b"d"), Op::put("bulk", b"b", Kind::BYTES, b"shorter").joined()]);
        self.db.drop_table("gone", Durability::Os).unwrap();
        self.db.checkpoint().unwrap();
        self.env.run_due();
        self.db.prune(2).unwrap();
    }

    /// A segment all of which is on the disk.
    fn older_segment(&mut self) {
        self.user("fred", r#"{"name":"Fred"}"#);
        self.commit(&[Op::put("log", b"1", Kind::BYTES, b"once more"), Op::delete("log", b"3")]);
        self.db.flush().unwrap();
        self.user("gina", r#"{"name":"Gina"}"#);
    }

    fn finish(self, durable: usize, newest_segment: usize, closed: bool) -> Fixture {
        let env = self.env.reboot(CrashPlan::Process);
        let mut files = env.files();
        files.remove(Path::new("db/lock"));
        let older = files.iter().map(|(path, bytes)| {
            let mut copies: Vec<_> = self.history.iter().filter_map(|files| files.get(path)).cloned().collect();
            copies.dedup();
            copies.retain(|copy| copy != bytes);
            (path.clone(), copies)
        });
        Fixture { older: older.collect(), env, files, states: self.states, durable, newest_segment, closed }
    }
}

fn author() -> Author {
    let env = SimEnv::new(1);
    let db = open(&env, true).unwrap();
    let dictionary = db.define_dictionary("user", &[("name", "n"), ("country", "c")]).unwrap();
    let mut author = Author { env, db, dictionary, states: Vec::new(), history: Vec::new() };
    author.stones();
    author.older_segment();
    author.restart();
    author
}

/// Two segments that recovery replays; the newer one has a part that is on the disk, which what follows says, and a
/// tail that may not be. Zeros are written ahead of it.
pub(crate) fn crashed() -> Fixture {
    let mut author = author();
    let newest_segment = author.states.len() - 1;
    author.commit(&[Op::put("users", b"hans", Kind::BYTES, b"h"), Op::put("log", b"4", Kind::BYTES, b"4").joined()]);
    author.commit(&[Op::put("new", b"k", Kind::BYTES, b"v")]);
    author.db.flush().unwrap();
    let durable = author.states.len() - 1;
    author.commit(&[Op::delete("users", b"anna")]);
    author.user("hans", r#"{"name":"Hans"}"#);
    author.commit(&[Op::put("new", b"l", Kind::BYTES, &[3; 20])]);
    let mut fixture = author.finish(durable, newest_segment, false);
    let newest = fixture.files.iter_mut().rfind(|(path, _)| is(path, "journal"));
    let (path, bytes) = newest.expect("a segment");
    bytes.resize(bytes.len() + 30, 0);
    fixture.env.put_file(path, bytes).unwrap();
    fixture
}

/// The same closed as it should be, so that its manifest says that all of it is on the disk.
pub(crate) fn closed() -> Fixture {
    let mut author = author();
    let newest_segment = author.states.len() - 1;
    author.user("hans", r#"{"name":"Hans"}"#);
    author.commit(&[Op::put("new", b"k", Kind::BYTES, b"v")]);
    author.db.close().unwrap();
    let last = author.states.len() - 1;
    author.finish(last, newest_segment, true)
}

/// Whether a file is of this kind.
pub(crate) fn is(path: &Path, kind: &str) -> bool {
    path.extension().is_some_and(|extension| extension == kind)
}
