//! Does one history to a database and to the model, and compares them at every step.

use std::collections::BTreeSet;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use cairndb::env::Env;
use cairndb::{Database, DictionaryId, Durability, Op, Options, Result};

use crate::crash::CrashPlan;
use crate::env::SimEnv;
use crate::model::{Mark, Model, Operation, Timeline};
use crate::moment::Moment;
use crate::reads::{self, Reader};
use crate::rng::Rng;
use crate::shrink::Chosen;
use crate::workload::{DICTIONARIES, SHAPES, Step, Workload, shapes_of};

/// The engine removes expired records by itself no earlier than this after it was opened.
const SWEEPS_AFTER: Duration = Duration::from_secs(60);

/// A database under test, with the model of what it must hold.
///
/// Every method panics when the database answers otherwise than the model, and returns the error when it answers with
/// one. After an error of [`Driver::act`] the timeline ends with the change that failed, which may or may not have
/// happened: [`Driver::after_failure`] looks.
pub struct Driver {
    env: SimEnv,
    options: Options,
    db: Option<Open>,
    workload: Workload,
    reader: Reader,
    rng: Rng,
    timeline: Timeline,
    /// Whether the model knows which expired records were removed: not after a crash, and not once the engine may have
    /// removed some by itself. What a reader finds is the same.
    sweeps_known: bool,
    /// The step that is being done, and how many there were: for whoever reads the message of a panic.
    step: (usize, Step),
    /// The only steps that are done, by their numbers; all if nobody chose.
    chosen: Option<BTreeSet<usize>>,
    /// The steps that were done so far, by their numbers.
    done: Vec<(usize, Step)>,
    points: Vec<CrashPoint>,
    /// For how long the disk only acknowledges a sync, in nanoseconds.
    lie: Option<u64>,
    /// When everything up to which state was acknowledged as durable, as marks with the monotonic clock.
    promises: Vec<(u64, Mark)>,
}

/// A moment of a history, and what had been done and acknowledged by then.
pub struct CrashPoint {
    /// The machine.
    pub machine: Moment,
    /// How far the database had come, and what was promised.
    pub mark: Mark,
    /// The number of the step that was being done.
    pub step: usize,
}

struct Open {
    db: Database,
    dictionaries: Vec<DictionaryId>,
    /// By the monotonic clock.
    since: u64,
}

impl Driver {
    /// The history of a seed, on this machine. Nothing is opened yet.
    #[must_use]
    pub fn new(env: SimEnv, seed: u64) -> Self {
        Driver::of(env, seed, Workload::new(seed))
    }

    /// The small history of a seed: see [`Workload::small`]. Every change of it is kept as a point to crash it at.
    #[must_use]
    pub fn small(env: SimEnv, seed: u64) -> Self {
        env.keep_moments();
        Driver::of(env, seed, Workload::small(seed))
    }

    fn of(env: SimEnv, seed: u64, workload: Workload) -> Self {
        let mut rng = Rng::of(seed, 2);
        let options = Options {
            memtable_bytes: 64 << 10,
            mmap: rng.chance(1, 2),
            keep_generations: 1 + rng.below(3) as u32 / 2,
            reclaim_delay: Duration::from_secs([0, 2, 10][rng.index(3)]),
            sha256: seed.is_multiple_of(3),
            ..Options::default()
        };
        Driver {
            env,
            options,
            db: None,
            workload,
            reader: Reader::new(seed),
            rng,
            timeline: Timeline::new(Model::default()),
            sweeps_known: true,
            step: (0, Step::Reopen),
            chosen: None,
            done: Vec::new(),
            points: Vec::new(),
            lie: None,
            promises: Vec::new(),
        }
    }

    /// Does only these steps of the history, by their numbers. The others are passed over and change nothing of them.
    pub fn choose(&mut self, steps: Chosen<'_>) {
        self.chosen = steps.cloned();
    }

    /// Lets the disk acknowledge every sync so much before it is done, once the database is there. What is replaced is
    /// kept for longer than that.
    ///
    /// A history then has no step that gives files up at once, whatever the disk has really done.
    pub fn lie(&mut self, delay: Duration) {
        self.options.reclaim_delay = 2 * delay;
        self.lie = Some(delay.as_nanos() as u64);
    }

    /// The points at which a crash of the history makes a difference, the present one too. They are given once.
    pub fn crash_points(&mut self) -> Vec<CrashPoint> {
        self.note();
        self.keep(self.env.moment());
        mem::take(&mut self.points)
    }

    /// What must be there, and what a crash may leave.
    #[must_use]
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The machine.
    #[must_use]
    pub fn env(&self) -> &SimEnv {
        &self.env
    }

    /// The options that the seed chose.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The number of the step that was done last, and the step.
    #[must_use]
    pub fn position(&self) -> String {
        format!("step {}: {:?}", self.step.0, self.step.1)
    }

    /// Where a crash was, for whoever reads that it left something wrong.
    #[must_use]
    pub fn place(&self, point: &CrashPoint, plan: CrashPlan) -> String {
        let before = point.machine.operations();
        let mut text = format!("{plan:?} before change {}, in step {}", point.machine.changes(), point.step);
        for (number, step) in &self.done {
            text += &format!("\n  step {number}: {step:?}");
        }
        for event in self.env.history().events.iter().filter(|event| event.number <= before && event.op.changes_disk())
        {
            text += &format!("\n  {event}");
        }
        text
    }

    /// Opens the database, which must hold the present state: nothing has crashed.
    pub fn open(&mut self) -> Result<()> {
        self.connect()?;
        self.compare()?;
        self.count_expired()
    }

    /// Does so many steps, with questions in between, and closes the database.
    pub fn run(&mut self, steps: usize) -> Result<()> {
        self.open()?;
        self.env.set_lie(self.lie.map(Duration::from_nanos));
        for _ in 0..steps {
            self.step()?;
        }
        self.compare()?;
        self.close()
    }

    /// Does the next step of the history, and asks a few questions.
    pub fn step(&mut self) -> Result<()> {
        self.act()?;
        self.ask()
    }

    /// Does the next step of the history.
    pub fn act(&mut self) -> Result<()> {
        let step = self.workload.step(self.timeline.now(), self.env.now());
        let step = match step {
            Step::Compact | Step::Prune(_) if self.lie.is_some() => Step::Checkpoint,
            step => step,
        };
        let number = self.step.0 + 1;
        if self.chosen.as_ref().is_some_and(|chosen| !chosen.contains(&number)) {
            self.step.0 = number;
            return Ok(());
        }
        self.step = (number, step.clone());
        self.done.push(self.step.clone());
        self.perform(step)
    }

    /// Writes down the points that were passed since the last time, with what was promised at them. To be called
    /// before anything about that changes.
    fn note(&mut self) {
        for machine in self.env.take_moments() {
            self.keep(machine);
        }
    }

    fn keep(&mut self, machine: Moment) {
        let mut mark = self.timeline.mark();
        if let Some(lie) = self.lie {
            let kept = self.promises.iter().rev().find(|(at, _)| at + lie <= machine.clock());
            mark.durable = kept.map_or(0, |(_, mark)| mark.durable);
        }
        self.points.push(CrashPoint { machine, mark, step: self.step.0 });
    }

    fn change<T>(&mut self, change: impl FnOnce(&mut Model) -> T) -> T {
        self.note();
        self.timeline.change(change)
    }

    fn acknowledge(&mut self, level: Durability) {
        self.note();
        self.timeline.acknowledge(level);
        if level == Durability::Full {
            self.promises.push((self.env.monotonic(), self.timeline.mark()));
        }
    }

    /// Asks a few questions about the present and about what is held open.
    pub fn ask(&mut self) -> Result<()> {
        if self.rng.chance(1, 16) {
            self.compare()?;
        }
        let now = self.env.now();
        let open = self.db.as_ref().expect("a database is open");
        self.reader.ask(&open.db, self.timeline.now(), now)
    }

    /// Compares everything.
    pub fn compare(&mut self) -> Result<()> {
        let now = self.env.now();
        let found = reads::view(self.db())?;
        let expected = self.timeline.now().view(now);
        assert_eq!(found, expected, "after {}", self.position());
        for table in self.db().stats().tables {
            let all = self.timeline.now().records(&table.name);
            assert!(
                self.is_count(table.live_records, all),
                "{} counts {} of {all} after {}",
                table.name,
                table.live_records,
                self.position()
            );
        }
        Ok(())
    }

    /// Closes the database: everything must be durable then.
    pub fn close(&mut self) -> Result<()> {
        self.reader.release();
        self.sweeps_known &= !self.may_have_swept();
        let Some(open) = self.db.take() else { return Ok(()) };
        open.db.close()?;
        self.acknowledge(Durability::Full);
        Ok(())
    }

    /// Crashes the machine, or the process, and goes on from what is found on what is left.
    pub fn crash(&mut self, plan: CrashPlan) -> Result<()> {
        self.reader.release();
        self.env = self.env.reboot(plan);
        self.recover(plan)
    }

    /// Opens what is there after a crash, or after a failure that was as bad. It must be one of the states that such a
    /// crash may leave, and is durable from then on.
    pub fn recover(&mut self, plan: CrashPlan) -> Result<()> {
        self.reader.release();
        self.db = None;
        self.connect()?;
        let found = reads::view(self.db())?;
        let state = self.timeline.find(plan, &found, self.env.now());
        let Some(state) = state else {
            let states = self.timeline.after(plan).len();
            panic!("{plan:?} after {}: none of the {states} states that are allowed, but {found:#?}", self.position());
        };
        self.timeline = Timeline::new(state.clone());
        self.sweeps_known = false;
        self.count_expired()
    }

    /// After a failed step: finds out whether its change is to be seen. Whether it is.
    pub fn after_failure(&mut self) -> Result<bool> {
        // A write or a sweep of expired records shows in nothing but a count.
        self.sweeps_known = false;
        let now = self.env.now();
        let found = reads::view(self.db())?;
        if found == self.timeline.now().view(now) {
            return Ok(true);
        }
        let before = self.timeline.before().is_some_and(|before| before.view(now) == found);
        assert!(before, "a failure left neither the state before nor the one after {}", self.position());
        self.timeline.refused();
        Ok(false)
    }

    /// Whether the last change of the timeline makes a difference to a reader.
    #[must_use]
    pub fn wrote(&self) -> bool {
        let now = self.env.now();
        self.timeline.before().is_none_or(|before| before.view(now) != self.timeline.now().view(now))
    }

    /// Looks at what a crash of this kind would leave, and goes on without it.
    pub fn look_after(&self, plan: CrashPlan) -> Result<()> {
        let left = self.env.crashed(plan);
        let db = Database::open_with(Arc::new(left.clone()), "db", self.options.clone())?;
        let found = reads::view(&db)?;
        let allowed = self.timeline.find(plan, &found, left.now()).is_some();
        assert!(allowed, "{plan:?} after {} leaves what it must not: {found:#?}", self.position());
        Ok(())
    }

    /// The database.
    ///
    /// # Panics
    /// If it is not open.
    #[must_use]
    pub fn db(&self) -> &Database {
        &self.db.as_ref().expect("a database is open").db
    }

    /// Whether the last step is one that changes what a reader finds, at which level.
    #[must_use]
    pub fn level_of_step(&self) -> Option<Durability> {
        match self.step.1 {
            Step::Commit(_, level) | Step::DropTable(_, level) => Some(level),
            _ => None,
        }
    }

    /// Whether a database is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.db.is_some()
    }

    fn connect(&mut self) -> Result<()> {
        let db = Database::open_with(Arc::new(self.env.clone()), "db", self.options.clone())?;
        let since = self.env.monotonic();
        let ids = DICTIONARIES.iter().map(|(name, pairs)| db.define_dictionary(name, pairs));
        let dictionaries = ids.collect::<Result<_>>()?;
        self.db = Some(Open { db, dictionaries, since });
        Ok(())
    }

    fn may_have_swept(&self) -> bool {
        let since = self.db.as_ref().map_or(u64::MAX, |open| open.since);
        self.env.monotonic().saturating_sub(since) >= SWEEPS_AFTER.as_nanos() as u64
    }

    /// Whether a count that expired records are part of is right, as far as that is known.
    fn is_count(&self, found: u64, expected: u64) -> bool {
        found == expected || !self.sweeps_known || (found < expected && self.may_have_swept())
    }

    /// Makes the model know again which expired records are gone: all.
    fn count_expired(&mut self) -> Result<()> {
        if !self.sweeps_known {
            let tables: Vec<String> = self.timeline.now().tables().map(str::to_owned).collect();
            for table in tables {
                self.cleanup_expired(&table)?;
            }
            self.sweeps_known = true;
        }
        Ok(())
    }

    fn perform(&mut self, step: Step) -> Result<()> {
        match step {
            Step::Commit(operations, level) => self.commit(&operations, level)?,
            Step::DropTable(table, level) => {
                let was_there = self.change(|model| model.drop_table(&table));
                assert_eq!(self.db().drop_table(&table, level)?, was_there, "whether {table} was there");
                self.acknowledge(level);
            }
            Step::CleanupExpired(table) => self.cleanup_expired(&table)?,
            Step::Flush => self.synced(Database::flush)?,
            Step::Checkpoint => self.synced(Database::checkpoint)?,
            Step::Compact => {
                let now = self.env.now();
                self.change(|model| model.cleanup_all_expired(now));
                self.synced(Database::compact)?;
            }
            Step::Prune(keep) => self.db().prune(keep).map(drop)?,
            Step::Reopen => {
                self.close()?;
                self.open()?;
            }
            Step::Advance(duration) => drop(self.env.advance(duration)),
            Step::Job => drop(self.env.run_any(&mut self.rng)),
        }
        Ok(())
    }

    /// Does what brings everything to the disk.
    fn synced(&mut self, operation: fn(&Database) -> Result<()>) -> Result<()> {
        operation(self.db())?;
        self.acknowledge(Durability::Full);
        Ok(())
    }

    fn commit(&mut self, operations: &[Operation], level: Durability) -> Result<()> {
        let shapes = operations.iter().filter_map(|operation| operation.put.as_ref()).map(shapes_of).max();
        for keys in &SHAPES[..shapes.unwrap_or(0)] {
            if let Err(error) = self.db().define_shape(keys) {
                // The step has changed nothing.
                self.change(|_| ());
                return Err(error);
            }
        }
        // What a crash leaves of that is before the commit.
        self.note();
        let Self { db, timeline, env, .. } = self;
        let Open { db, dictionaries, .. } = db.as_ref().expect("a database is open");
        let ops: Vec<Op<'_>> =
            operations.iter().map(|operation| operation.op(revision(operation, dictionaries))).collect();
        // A commit waits before it looks at the clock if flushing lags.
        let (clock, pause) = (env.monotonic(), db.pressure().as_nanos() as u64);
        let now = env.now() - clock / 1_000_000 + (clock + pause) / 1_000_000;
        let expected = timeline.change(|model| model.commit(operations, now));
        assert_eq!(db.commit(&ops, level)?, expected, "outcomes of step {}: {operations:?}", self.step.0);
        self.acknowledge(level);
        Ok(())
    }

    fn cleanup_expired(&mut self, table: &str) -> Result<()> {
        let now = self.env.now();
        let expected = self.change(|model| model.cleanup_expired(table, now));
        let removed = self.db().cleanup_expired(table)?;
        assert!(
            self.is_count(removed, expected),
            "{removed} of {expected} expired records were removed from {table}, step {}",
            self.step.0
        );
        Ok(())
    }
}

/// One of the revisions of the dictionary that a put names. Which one must not matter to a reader.
pub(crate) fn revision(operation: &Operation, dictionaries: &[DictionaryId]) -> Option<DictionaryId> {
    let put = operation.put.as_ref()?;
    let name = put.dictionary?;
    let of_name = DICTIONARIES.iter().zip(dictionaries).filter(|(known, _)| known.0 == name);
    let revisions: Vec<DictionaryId> = of_name.map(|(_, id)| *id).collect();
    revisions.get(put.value.len() % revisions.len()).copied()
}
