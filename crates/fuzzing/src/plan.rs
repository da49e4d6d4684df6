//! A plan that a fuzzer made up: operations, crashes, and what is left by them, compared with the model of `crates/sim`.

use std::sync::Arc;
use std::time::Duration;

use cairndb::env::Env;
use cairndb::{Database, DictionaryId, Durability, Kind, Op, Options, Outcome, Result};
use cairndb_sim::model::{Model, Operation, Put, Timeline};
use cairndb_sim::workload::DICTIONARIES;
use cairndb_sim::{CrashPlan, Gaps, Kept, SimEnv, reads};

use crate::choices::Choices;

/// Longer plans find nothing that shorter ones do not, more slowly.
const STEPS: usize = 64;
const TABLES: [&str; 3] = ["a", "b", "Zürich"];
const LEVELS: [Durability; 3] = [Durability::Eventual, Durability::Os, Durability::Full];

/// Does what the bytes say to a database on a simulated disk. Every answer must be the model's, and what a crash leaves
/// one of the states that it may leave.
///
/// # Panics
/// If it is not.
pub fn ops_and_crash(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let mut run = Run::new(choices.byte());
    for _ in 0..STEPS {
        if choices.is_empty() {
            break;
        }
        if let Err(error) = run.step(&mut choices) {
            assert!(run.env.is_off(), "{error}\n{}", run.env.history());
            run.crash(&mut choices);
        }
    }
    if run.compare().and_then(|()| run.close()).is_err() {
        assert!(run.env.is_off(), "the plan ends with an error\n{}", run.env.history());
        run.crash(&mut choices);
    }
}

struct Run {
    env: SimEnv,
    options: Options,
    timeline: Timeline,
    db: Option<(Database, DictionaryId)>,
}

impl Run {
    fn new(flags: u8) -> Self {
        let options = Options {
            memtable_bytes: 64 << 10,
            mmap: flags & 1 == 0,
            keep_generations: 1 + u32::from(flags >> 1 & 1),
            reclaim_delay: Duration::from_secs(u64::from(flags >> 2 & 3)),
            ..Options::default()
        };
        let mut run = Run { env: SimEnv::new(1), options, timeline: Timeline::new(Model::default()), db: None };
        run.open().expect("a new database");
        run
    }

    fn open(&mut self) -> Result<()> {
        let db = Database::open_with(Arc::new(self.env.clone()), "db", self.options.clone())?;
        let (name, pairs) = DICTIONARIES[0];
        let dictionary = db.define_dictionary(name, pairs)?;
        self.db = Some((db, dictionary));
        Ok(())
    }

    fn db(&self) -> &Database {
        &self.db.as_ref().expect("a database is open").0
    }

    fn step(&mut self, choices: &mut Choices<'_>) -> Result<()> {
        match choices.below(16) {
            0..7 => self.commit(choices)?,
            7 => {
                let (table, level) = (TABLES[choices.below(3)], LEVELS[choices.below(3)]);
                let was_there = self.timeline.change(|model| model.drop_table(table));
                assert_eq!(self.db().drop_table(table, level)?, was_there, "whether {table} was there");
                self.timeline.acknowledge(level);
            }
            8 => self.synced(Database::flush)?,
            9 => self.synced(Database::checkpoint)?,
            10 => self.synced(Database::compact)?,
            11 => drop(self.env.advance(Duration::from_millis(choices.number() % 4096 * 20))),
            12 => drop(self.env.run_one()),
            13 => self.reopen()?,
            14 => self.env.crash_at(self.env.changes() + u64::from(choices.byte() % 32)),
            _ => self.crash(choices),
        }
        Ok(())
    }

    fn reopen(&mut self) -> Result<()> {
        self.compare()?;
        self.close()?;
        self.open()?;
        self.compare()
    }

    fn close(&mut self) -> Result<()> {
        self.synced(Database::close)
    }

    /// Does what brings everything to the disk.
    fn synced(&mut self, operation: fn(&Database) -> Result<()>) -> Result<()> {
        operation(self.db())?;
        self.timeline.acknowledge(Durability::Full);
        Ok(())
    }

    fn compare(&self) -> Result<()> {
        assert_eq!(reads::view(self.db())?, self.timeline.now().view(self.env.now()));
        Ok(())
    }

    /// Turns the machine off and starts it on what is left, which the timeline must allow.
    fn crash(&mut self, choices: &mut Choices<'_>) {
        let plan = plan(choices, self.env.pending());
        self.env = self.env.reboot(plan);
        self.db = None;
        let opened = self.open();
        opened.unwrap_or_else(|error| panic!("{plan:?}: {error}\n{}", self.env.history()));
        let found = reads::view(self.db()).unwrap_or_else(|error| panic!("{plan:?}: {error}"));
        let state = self.timeline.find(plan, &found, self.env.now());
        let state = state.unwrap_or_else(|| panic!("{plan:?} left what it must not: {found:#?}"));
        self.timeline = Timeline::new(state.clone());
    }

    fn commit(&mut self, choices: &mut Choices<'_>) -> Result<()> {
        let level = LEVELS[choices.below(3)];
        // A commit waits before it looks at the clock if flushing lags.
        let (clock, pause) = (self.env.monotonic(), self.db().pressure().as_nanos() as u64);
        let now = self.env.now() - clock / 1_000_000 + (clock + pause) / 1_000_000;
        let operations: Vec<Operation> = (0..=choices.below(4)).map(|_| operation(choices, now)).collect();
        let expected = self.timeline.change(|model| model.commit(&operations, now));
        let (db, dictionary) = self.db.as_ref().expect("a database is open");
        let ops: Vec<Op<'_>> = operations
            .iter()
            .map(|operation| operation.op(operation.put.as_ref().and_then(|put| put.dictionary).map(|_| *dictionary)))
            .collect();
        let outcomes: Vec<Outcome> = db.commit(&ops, level)?;
        assert_eq!(outcomes, expected, "{operations:?}");
        self.timeline.acknowledge(level);
        Ok(())
    }
}

fn plan(choices: &mut Choices<'_>, pending: usize) -> CrashPlan {
    let kind = choices.byte();
    let gaps = if kind & 0x80 == 0 { Gaps::Zeros } else { Gaps::Stale };
    let place = usize::from(choices.byte());
    let kept = match kind & 7 {
        0 => return CrashPlan::Process,
        1 => Kept::None,
        2 => Kept::All,
        3 => Kept::Prefix(place % (pending + 1)),
        4 => Kept::AllBut(place % (pending + 1)),
        5 => Kept::Subset(place as u64),
        6 => Kept::Sectors(place as u64),
        _ => Kept::Torn { bytes: place * 256 + usize::from(choices.byte()), grown: kind & 0x40 == 0 },
    };
    CrashPlan::PowerLoss { kept, gaps }
}

fn operation(choices: &mut Choices<'_>, now: u64) -> Operation {
    let head = choices.byte();
    let key = match choices.below(12) {
        0 => vec![0],
        1 => vec![0xff; 2],
        2 => vec![b'k'; 1024],
        number => vec![b'k', number as u8],
    };
    Operation {
        table: TABLES[choices.below(3)].into(),
        key,
        put: (head & 3 != 0).then(|| put(choices, now)),
        if_version: (head & 0x1c == 0x1c).then(|| choices.below(3) as u64),
        joined: head & 0x20 != 0,
    }
}

fn put(choices: &mut Choices<'_>, now: u64) -> Put {
    let head = choices.byte();
    let expiration = (head & 3 == 3).then(|| now as f64 + choices.byte() as f64 * 16.0 - 64.0);
    if head & 4 != 0 {
        let fields =
            [r#"{"name":1}"#, r#"{"name":1,"country":"n"}"#, r#"{"n":2}"#, "[]", r#"[{"country":{"name":0}}]"#];
        let value = fields[choices.below(fields.len())].into();
        return Put { value, kind: Kind::JSON, expiration, dictionary: Some(DICTIONARIES[0].0) };
    }
    let len = usize::from(choices.byte()) * if head & 8 == 0 { 1 } else { 40 };
    Put { value: vec![head; len], kind: Kind::BYTES, expiration, dictionary: None }
}
