//! Random histories: what a test lets a database do.

use std::time::Duration;

use cairndb::{Durability, Kind};

use crate::model::{Model, Operation, Put};
use crate::rng::Rng;

/// One step of a history.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Writes the operations in one call.
    Commit(Vec<Operation>, Durability),
    /// Removes a table.
    DropTable(String, Durability),
    /// Removes the expired records of a table.
    CleanupExpired(String),
    /// Brings everything to the disk.
    Flush,
    /// Moves what is in memory to stones.
    Checkpoint,
    /// Merges each table into one stone.
    Compact,
    /// Removes all generations but so many.
    Prune(u32),
    /// Closes the database and opens it again.
    Reopen,
    /// Lets time pass, and the background jobs that fall due.
    Advance(Duration),
    /// Lets one background job run that is due, of any lane.
    Job,
}

/// The dictionaries that the operations name, for the test to define: a name, and long and short keys.
///
/// A name that stands here twice is a dictionary with two revisions, and records are written with either.
pub const DICTIONARIES: [(&str, &[(&str, &str)]); 3] = [
    ("user", &[("name", "n"), ("country", "c")]),
    ("sensor", &[("temperature", "t"), ("name", "x")]),
    ("user", &[("name", "c"), ("country", "n"), ("city", "t")]),
];

/// The shapes of packed values, for the test to define in this order when one is first used.
pub const SHAPES: [&[&str]; 4] = [&["id", "name"], &["name"], &[], &["id", "Zürich", "name"]];

/// How many of [`SHAPES`] a put needs.
#[must_use]
pub fn shapes_of(put: &Put) -> usize {
    // Behind the length of the head stands the token of an object, which is the number of its shape and 0xf0.
    if put.kind == Kind::PACKED { usize::from(put.value[1] & 0xf) + 1 } else { 0 }
}

/// Names that are easy to confuse, and one that is more than a name elsewhere.
const TABLES: [&str; 4] = ["users", "Users", "__proto__", "Zürich/été"];

/// The endless history of a seed. Few tables and few keys, so that operations meet each other.
#[derive(Clone, Debug)]
pub struct Workload {
    rng: Rng,
    /// Short keys and values, and more of what is done to files: for histories that are crashed everywhere.
    small: bool,
}

impl Workload {
    /// The history of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Workload { rng: Rng::new(seed), small: false }
    }

    /// A history of `seed` in which a dozen steps do to files what otherwise takes hundreds.
    #[must_use]
    pub fn small(seed: u64) -> Self {
        Workload { rng: Rng::new(seed), small: true }
    }

    /// The next step for a database in this state at `now`, in milliseconds since the epoch.
    pub fn step(&mut self, model: &Model, now: u64) -> Step {
        let kind = if self.small { 26 + self.rng.below(74) } else { self.rng.below(100) };
        match kind {
            0..62 => {
                let operations = self.operations(model, now);
                Step::Commit(operations, self.level())
            }
            62..65 => Step::DropTable(self.table(), self.level()),
            65..68 => Step::CleanupExpired(self.table()),
            68..72 => Step::Flush,
            72..77 => Step::Checkpoint,
            77..79 => Step::Compact,
            79 => Step::Prune(self.rng.below(3) as u32),
            80..83 => Step::Reopen,
            83..91 => Step::Advance(self.pause()),
            _ => Step::Job,
        }
    }

    /// Mostly between the engine's own intervals, sometimes longer than all of them.
    fn pause(&mut self) -> Duration {
        Duration::from_millis(if self.rng.chance(1, 10) { 61_000 } else { self.rng.below(3000) })
    }

    fn operations(&mut self, model: &Model, now: u64) -> Vec<Operation> {
        // One operation mostly, as in programs; several batches in one call sometimes, as the addon gathers them.
        let most = if self.small { 4 } else { 12 };
        let count = if self.rng.chance(1, 2) { 1 } else { 1 + self.rng.below(most) };
        (0..count).map(|_| self.operation(model, now)).collect()
    }

    fn operation(&mut self, model: &Model, now: u64) -> Operation {
        let (table, key) = (self.table(), self.key());
        let version = model.version(&table, &key, now);
        Operation {
            put: self.rng.chance(3, 4).then(|| self.put(now)),
            // The right version mostly: else hardly any batch would happen.
            if_version: self.rng.chance(1, 5).then(|| version + u64::from(self.rng.chance(1, 4))),
            joined: self.rng.chance(1, 2),
            table,
            key,
        }
    }

    fn put(&mut self, now: u64) -> Put {
        let expiration = self.rng.chance(1, 4).then(|| now as f64 + self.rng.below(4000) as f64 / 2.0 - 200.0);
        if self.rng.chance(1, 3) {
            let (dictionary, pairs) = DICTIONARIES[self.rng.index(DICTIONARIES.len())];
            let value = self.json(pairs);
            return Put { value, kind: Kind::JSON, expiration, dictionary: Some(dictionary) };
        }
        if self.rng.chance(1, 4) {
            return Put { value: self.packed(), kind: Kind::PACKED, expiration, dictionary: None };
        }
        let len = match self.rng.below(40) {
            0 => 5000,
            1..6 => 700,
            _ => 40,
        };
        let len = if self.small { 1 + len / 8 } else { len };
        let len = self.rng.index(len);
        Put { value: self.rng.bytes(len), kind: Kind::BYTES, expiration, dictionary: None }
    }

    /// An object with long keys mostly, and now and then a short one, which must not come back as the long one.
    fn json(&mut self, pairs: &[(&str, &str)]) -> Vec<u8> {
        let field = |&(long, short): &(&str, &str)| {
            let key = if self.rng.chance(1, 8) { short } else { long };
            format!("\"{key}\":{}", self.rng.below(1000))
        };
        format!("{{{}}}", pairs.iter().map(field).collect::<Vec<_>>().join(",")).into_bytes()
    }

    /// An object of one of the shapes: each value is a small number, or a string of one character.
    fn packed(&mut self) -> Vec<u8> {
        let shape = self.rng.index(SHAPES.len());
        let (mut head, mut tail) = (vec![0xf0 + shape as u8], Vec::new());
        for _ in SHAPES[shape] {
            if self.rng.chance(1, 2) {
                head.push(self.rng.index(0x80) as u8);
            } else {
                head.push(0x81);
                tail.push(b'a' + self.rng.index(26) as u8);
            }
        }
        [vec![head.len() as u8], head, tail].concat()
    }

    /// A name that histories give to a table.
    pub fn table(&mut self) -> String {
        TABLES[self.rng.index(TABLES.len())].to_owned()
    }

    /// Few keys; prefixes of each other, with the bytes at both ends of their order, and of the greatest length.
    pub fn key(&mut self) -> Vec<u8> {
        match self.rng.below(16) {
            0 => vec![0],
            1 => vec![0xff; 1 + self.rng.index(3)],
            2 => vec![b'k'; if self.small { 100 } else { 1024 }],
            3..8 => format!("k{}", self.rng.below(4)).into_bytes(),
            8..15 if self.small => format!("k{}", self.rng.below(2)).into_bytes(),
            _ => format!("k{}{}", self.rng.below(4), self.rng.below(100)).into_bytes(),
        }
    }

    fn level(&mut self) -> Durability {
        [Durability::Eventual, Durability::Os, Durability::Full][self.rng.index(3)]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use cairndb::Outcome;

    use super::*;

    /// Runs a history on the model alone.
    fn run(mut workload: Workload, steps: usize) -> (Vec<Step>, Vec<Outcome>, Model) {
        let (mut model, mut now) = (Model::default(), 1_700_000_000_000);
        let (mut all, mut outcomes) = (Vec::new(), Vec::new());
        for _ in 0..steps {
            let step = workload.step(&model, now);
            match &step {
                Step::Commit(operations, _) => outcomes.extend(model.commit(operations, now)),
                Step::DropTable(table, _) => drop(model.drop_table(table)),
                Step::CleanupExpired(table) => drop(model.cleanup_expired(table, now)),
                Step::Advance(duration) => now += duration.as_millis() as u64,
                _ => {}
            }
            all.push(step);
        }
        (all, outcomes, model)
    }

    #[test]
    fn a_seed_is_one_history() {
        for of in [Workload::new, Workload::small] {
            assert_eq!(run(of(7), 300), run(of(7), 300));
            assert_ne!(run(of(7), 300), run(of(8), 300));
        }
    }

    #[test]
    fn a_history_meets_everything() {
        for workload in [Workload::new(1), Workload::small(1)] {
            let (steps, outcomes, _) = run(workload, 2000);
            let kind = |step: &Step| format!("{step:?}").split('(').next().unwrap().to_owned();
            assert_eq!(steps.iter().map(kind).collect::<BTreeSet<_>>().len(), 10);
            for outcome in [Outcome::Deleted, Outcome::Missing, Outcome::Aborted, Outcome::Written(3)] {
                assert!(outcomes.contains(&outcome), "{outcome:?}");
            }
            assert!(outcomes.iter().any(|outcome| matches!(outcome, Outcome::Conflict(_))));
            let tables = steps.iter().filter_map(|step| match step {
                Step::CleanupExpired(table) => Some(table.as_str()),
                _ => None,
            });
            assert_eq!(tables.collect::<BTreeSet<_>>(), TABLES.into());
        }
    }
}
