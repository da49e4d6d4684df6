//! Several processes that share a database do one history between them.

use std::collections::BTreeSet;
use std::sync::Arc;

use cairndb::env::Env;
use cairndb::{Database, DictionaryId, Durability, Op, Options, Result};

use crate::crash::{CrashPlan, Gaps, Kept};
use crate::driver::revision;
use crate::env::SimEnv;
use crate::model::{Model, Operation, Timeline, View};
use crate::reads;
use crate::rng::Rng;
use crate::shrink::Chosen;
use crate::workload::{DICTIONARIES, SHAPES, Step, Workload, shapes_of};

/// As many steps of a process as one operation takes, or a few more: changes of the disk, and shared numbers.
const MOST_STEPS: u64 = 40;

struct Member {
    env: SimEnv,
    db: Database,
    dictionaries: Vec<DictionaryId>,
}

/// What went wrong in a history on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mishaps {
    /// Processes that were killed.
    pub kills: u64,
    /// Power losses.
    pub crashes: u64,
}

/// Processes on one machine, and what they must find.
pub struct Members {
    machine: SimEnv,
    options: Options,
    members: Vec<Member>,
    timeline: Timeline,
    workload: Workload,
    rng: Rng,
    done: Vec<String>,
}

/// Does the history of `seed` with up to three processes, each of which may be killed at any step. Returns how many
/// were, and how often the power went.
///
/// # Panics
/// If a process finds what it must not.
pub fn shared_history(seed: u64, steps: usize, chosen: Chosen<'_>) -> Mishaps {
    let mut members = Members::new(seed);
    let mut mishaps = Mishaps::default();
    for step in 1..=steps {
        let doing = members.choose();
        if chosen.is_none_or(|chosen| chosen.contains(&step)) {
            members.act(doing, &mut mishaps);
        }
    }
    members.compare_all("at the end");
    mishaps
}

/// The keys of which two views say something else.
fn differences(found: &View, expected: &View) -> Vec<String> {
    let tables: BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
    let of = |view: &View, table: &String| view.get(table).cloned();
    let differ = tables.into_iter().filter(|table| of(found, table) != of(expected, table));
    let keys = differ.flat_map(|table| {
        let (found, expected) = (of(found, table).unwrap_or_default(), of(expected, table).unwrap_or_default());
        let keys: BTreeSet<Vec<u8>> = found.keys().chain(expected.keys()).cloned().collect();
        let tell = |key: &Vec<u8>| {
            let (found, expected) = (found.get(key), expected.get(key));
            let name = key.escape_ascii();
            (found != expected).then(|| format!("{table} {name}: {found:?} instead of {expected:?}"))
        };
        keys.iter().filter_map(tell).collect::<Vec<_>>()
    });
    keys.collect()
}

/// What comes next: a step, who does it, and after how many of its steps he dies.
struct Doing {
    step: Step,
    who: usize,
    dies: Option<u64>,
    power: Option<CrashPlan>,
}

impl Members {
    /// A machine on which one process has opened the directory.
    fn new(seed: u64) -> Self {
        let options = Options { memtable_bytes: 64 << 10, shared: true, ..Options::default() };
        let mut members = Members {
            machine: SimEnv::new(seed),
            options,
            members: Vec::new(),
            timeline: Timeline::new(Model::default()),
            workload: Workload::new(seed),
            rng: Rng::of(seed, 7),
            done: Vec::new(),
        };
        let first = members.machine.other_process();
        members.open(first).expect("an empty directory opens");
        members
    }

    fn choose(&mut self) -> Doing {
        let step = self.workload.step(self.timeline.now(), self.machine.now());
        let dies = self.rng.chance(1, 12).then(|| self.rng.below(MOST_STEPS));
        let power = self.rng.chance(1, 60).then(|| CrashPlan::PowerLoss {
            kept: [Kept::None, Kept::All, Kept::Subset(self.rng.below(1000))][self.rng.index(3)],
            gaps: Gaps::Zeros,
        });
        Doing { step, who: self.rng.index(1 << 16), dies, power }
    }

    fn act(&mut self, doing: Doing, mishaps: &mut Mishaps) {
        self.done.push(format!("{:?} by {} dies {:?} power {:?}", doing.step, doing.who, doing.dies, doing.power));
        if let Some(plan) = doing.power {
            mishaps.crashes += 1;
            return self.lose_power(plan);
        }
        if self.members.len() < 3 && doing.who.is_multiple_of(5) {
            let newcomer = self.machine.other_process();
            self.open(newcomer).unwrap_or_else(|error| panic!("a newcomer: {error}\n{}", self.place()));
        }
        let who = doing.who % self.members.len();
        match doing.dies {
            Some(steps) => mishaps.kills += u64::from(self.act_and_die(who, doing.step, steps)),
            None => {
                let done = self.perform(who, doing.step);
                done.unwrap_or_else(|error| panic!("{error}\n{}", self.place()));
            }
        }
        let reader = self.rng.index(self.members.len());
        self.compare(reader);
        if self.rng.chance(1, 16) {
            self.compare_all("now and then");
        }
    }

    /// Kills the process in the middle of a step. Whether it came to that.
    fn act_and_die(&mut self, who: usize, step: Step, after: u64) -> bool {
        let env = self.members[who].env.clone();
        let states = self.timeline.states().len();
        env.kill_after(after);
        let outcome = self.perform(who, step);
        env.spare();
        if env.is_alive() {
            outcome.unwrap_or_else(|error| panic!("nobody died: {error}\n{}", self.place()));
            return false;
        }
        drop(self.members.remove(who));
        if self.members.is_empty() {
            let next = self.machine.other_process();
            self.open(next).unwrap_or_else(|error| panic!("after a kill: {error}\n{}", self.place()));
        }
        if self.timeline.states().len() > states {
            self.find_out();
        }
        true
    }

    /// Whether the last change, which nobody acknowledged, was made: the others say so.
    fn find_out(&mut self) {
        // Whoever writes next settles it, if nobody has opened the directory anew.
        self.members[0].db.commit(&[], Durability::Os).unwrap_or_else(|error| panic!("{error}\n{}", self.place()));
        let found = self.view(0);
        let now = self.machine.now();
        if self.timeline.now().shows(&found, now) {
            return self.timeline.acknowledge(Durability::Os);
        }
        let before = self.timeline.before().is_some_and(|before| before.shows(&found, now));
        assert!(before, "a kill left neither the state before nor the one after: {found:#?}\n{}", self.place());
        self.timeline.refused();
    }

    fn lose_power(&mut self, plan: CrashPlan) {
        self.members.clear();
        self.machine = self.machine.reboot(plan);
        let next = self.machine.other_process();
        self.open(next).unwrap_or_else(|error| panic!("after {plan:?}: {error}\n{}", self.place()));
        let found = self.view(0);
        let state = self.timeline.find(plan, &found, self.machine.now());
        let Some(state) = state else { panic!("{plan:?} left what it must not: {found:#?}\n{}", self.place()) };
        self.timeline = Timeline::new(state.clone());
    }

    fn open(&mut self, env: SimEnv) -> Result<()> {
        let db = Database::open_with(Arc::new(env.clone()), "db", self.options.clone())?;
        let ids = DICTIONARIES.iter().map(|(name, pairs)| db.define_dictionary(name, pairs));
        let dictionaries = ids.collect::<Result<_>>()?;
        self.members.push(Member { env, db, dictionaries });
        Ok(())
    }

    fn perform(&mut self, who: usize, step: Step) -> Result<()> {
        let db = self.members[who].db.clone();
        match step {
            Step::Commit(operations, level) => self.commit(who, &operations, level)?,
            Step::DropTable(table, level) => {
                let was_there = self.timeline.change(|model| model.drop_table(&table));
                assert_eq!(db.drop_table(&table, level)?, was_there, "whether {table} was there\n{}", self.place());
                self.acknowledge(who, level);
            }
            Step::CleanupExpired(table) => {
                db.cleanup_expired(&table)?;
            }
            Step::Flush => self.synced(who, db.flush())?,
            Step::Checkpoint => self.synced(who, db.checkpoint())?,
            Step::Compact => self.synced(who, db.compact())?,
            Step::Prune(keep) => db.prune(keep).map(drop)?,
            Step::Reopen => {
                let member = self.members.remove(who);
                member.db.close()?;
                drop(member);
                let next = self.machine.other_process();
                self.open(next)?;
                self.timeline.acknowledge(Durability::Os);
            }
            Step::Advance(duration) => drop(self.machine.advance(duration)),
            Step::Job => drop(self.machine.run_any(&mut self.rng)),
        }
        Ok(())
    }

    fn synced(&mut self, who: usize, outcome: Result<()>) -> Result<()> {
        outcome?;
        self.acknowledge(who, Durability::Full);
        Ok(())
    }

    /// What is not durable is the operating system's, whatever was asked: others have seen it. The dead say nothing.
    fn acknowledge(&mut self, who: usize, level: Durability) {
        if self.members[who].env.is_alive() {
            self.timeline.acknowledge(level.max(Durability::Os));
        }
    }

    fn commit(&mut self, who: usize, operations: &[Operation], level: Durability) -> Result<()> {
        let Member { db, dictionaries, .. } = &self.members[who];
        let shapes = operations.iter().filter_map(|operation| operation.put.as_ref()).map(shapes_of).max();
        for keys in &SHAPES[..shapes.unwrap_or(0)] {
            db.define_shape(keys)?;
        }
        let ops: Vec<Op<'_>> =
            operations.iter().map(|operation| operation.op(revision(operation, dictionaries))).collect();
        let now = self.machine.now();
        let expected = self.timeline.change(|model| model.commit(operations, now));
        assert_eq!(db.commit(&ops, level)?, expected, "outcomes of {operations:?}\n{}", self.place());
        self.acknowledge(who, level);
        Ok(())
    }

    fn view(&self, who: usize) -> View {
        reads::view(&self.members[who].db).unwrap_or_else(|error| panic!("reading: {error}\n{}", self.place()))
    }

    fn compare(&self, who: usize) {
        let found = self.view(who);
        let expected = self.timeline.now().view(self.machine.now());
        let process = self.members[who].env.process();
        assert!(
            found == expected,
            "process {process} differs in {:?}\n{}",
            differences(&found, &expected),
            self.place()
        );
    }

    fn compare_all(&self, when: &str) {
        for who in 0..self.members.len() {
            crate::seeds::locate(|| when.to_owned(), || self.compare(who));
        }
    }

    fn place(&self) -> String {
        let last = self.done.len().saturating_sub(16);
        format!("after {} steps, the last of which are\n{}", self.done.len(), self.done[last..].join("\n"))
    }
}
