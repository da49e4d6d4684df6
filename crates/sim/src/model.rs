//! What a database must answer: the same operations on plain maps in memory.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use cairndb::{DictionaryId, Durability, Kind, Op, Outcome};

use crate::crash::CrashPlan;

/// One operation on one key, as the engine's own `Op` has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// The table.
    pub table: String,
    /// The key.
    pub key: Vec<u8>,
    /// What is written; `None` deletes.
    pub put: Option<Put>,
    /// Done only if the key has this version; 0 means that it must be missing.
    pub if_version: Option<u64>,
    /// In the same batch as the operation before it: both happen or neither does.
    pub joined: bool,
}

impl Operation {
    /// The operation as the engine takes it, with this revision of the dictionary that a put names.
    #[must_use]
    pub fn op(&self, dictionary: Option<DictionaryId>) -> Op<'_> {
        let mut op = match &self.put {
            None => Op::delete(&self.table, &self.key),
            Some(put) => {
                let op = Op::put(&self.table, &self.key, put.kind, &put.value);
                let op = put.expiration.map_or(op, |at| op.expires_at(at));
                dictionary.map_or(op, |id| op.dictionary(id))
            }
        };
        if let Some(version) = self.if_version {
            op = op.if_version(version);
        }
        if self.joined { op.joined() } else { op }
    }
}

/// What a put writes.
#[derive(Clone, Debug, PartialEq)]
pub struct Put {
    /// The bytes, before a dictionary shortens them.
    pub value: Vec<u8>,
    /// What they are.
    pub kind: Kind,
    /// From when on the record is missing, in milliseconds since the epoch.
    pub expiration: Option<f64>,
    /// The name of the dictionary that maps the keys of a JSON value.
    pub dictionary: Option<&'static str>,
}

/// What a key maps to.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What was written.
    pub put: Put,
    /// 1 for the first write of the key, then one more for each.
    pub version: u64,
    /// When it was written, in milliseconds since the epoch.
    pub time: u64,
}

impl Record {
    fn is_live(&self, now: u64) -> bool {
        self.put.expiration.is_none_or(|at| now as f64 <= at)
    }
}

/// The contents of a database. A clone shares every table that neither of the two changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    tables: BTreeMap<String, Arc<Table>>,
}

type Table = BTreeMap<Vec<u8>, Record>;

/// What a reader finds: the live records of every table, the empty ones too.
pub type View = BTreeMap<String, BTreeMap<Vec<u8>, Record>>;

impl Model {
    /// Does the operations at `now`, batch by batch, and says what became of each.
    pub fn commit(&mut self, operations: &[Operation], now: u64) -> Vec<Outcome> {
        operations
            .chunk_by(|_, next| next.joined)
            .flat_map(|batch| match self.conflicts(batch, now) {
                Some(conflicts) => conflicts,
                None => batch.iter().map(|operation| self.apply(operation, now)).collect(),
            })
            .collect()
    }

    /// The conditions of a batch hold before it or none of it happens.
    fn conflicts(&self, batch: &[Operation], now: u64) -> Option<Vec<Outcome>> {
        let conflict = |operation: &Operation| {
            let version = self.version(&operation.table, &operation.key, now);
            operation.if_version.filter(|asked| *asked != version).map(|_| version)
        };
        let conflicts: Vec<Option<u64>> = batch.iter().map(conflict).collect();
        let outcome = |conflict: &Option<u64>| conflict.map_or(Outcome::Aborted, Outcome::Conflict);
        conflicts.iter().any(Option::is_some).then(|| conflicts.iter().map(outcome).collect())
    }

    fn apply(&mut self, operation: &Operation, now: u64) -> Outcome {
        let version = self.version(&operation.table, &operation.key, now);
        match &operation.put {
            Some(put) => {
                let record = Record { put: put.clone(), version: version + 1, time: now };
                let table = self.tables.entry(operation.table.clone()).or_default();
                Arc::make_mut(table).insert(operation.key.clone(), record);
                Outcome::Written(version + 1)
            }
            None => {
                if let Some(table) = self.tables.get_mut(&operation.table) {
                    Arc::make_mut(table).remove(&operation.key);
                }
                if version > 0 { Outcome::Deleted } else { Outcome::Missing }
            }
        }
    }

    /// Removes a table with all its records. Whether it was there.
    pub fn drop_table(&mut self, table: &str) -> bool {
        self.tables.remove(table).is_some()
    }

    /// Removes the expired records of a table. How many there were.
    pub fn cleanup_expired(&mut self, table: &str, now: u64) -> u64 {
        let Some(table) = self.tables.get_mut(table) else { return 0 };
        let before = table.len();
        Arc::make_mut(table).retain(|_, record| record.is_live(now));
        (before - table.len()) as u64
    }

    /// Removes the expired records of all tables.
    pub fn cleanup_all_expired(&mut self, now: u64) {
        for table in self.tables.values_mut() {
            Arc::make_mut(table).retain(|_, record| record.is_live(now));
        }
    }

    /// The live record under a key.
    #[must_use]
    pub fn get(&self, table: &str, key: &[u8], now: u64) -> Option<&Record> {
        self.tables.get(table)?.get(key).filter(|record| record.is_live(now))
    }

    /// The version that a reader finds; 0 if there is none.
    #[must_use]
    pub fn version(&self, table: &str, key: &[u8], now: u64) -> u64 {
        self.get(table, key, now).map_or(0, |record| record.version)
    }

    /// The live records of a table in the order of their keys' bytes.
    pub fn scan(&self, table: &str, now: u64) -> impl DoubleEndedIterator<Item = (&[u8], &Record)> {
        let records = self.tables.get(table).into_iter().flat_map(|table| table.iter());
        records.filter(move |(_, record)| record.is_live(now)).map(|(key, record)| (&key[..], record))
    }

    /// The records of a table, the expired ones too as long as no sweep has removed them.
    #[must_use]
    pub fn records(&self, table: &str) -> u64 {
        self.tables.get(table).map_or(0, |table| table.len() as u64)
    }

    /// The names of the tables, in order. A table is there from its first write until it is dropped.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    /// All that a reader finds at `now`. Two states with equal views differ at most in expired records that one of
    /// them has swept, which nobody can tell who does not count what a sweep removes.
    #[must_use]
    pub fn view(&self, now: u64) -> View {
        let records = |table| self.scan(table, now).map(|(key, record)| (key.to_vec(), record.clone())).collect();
        self.tables().map(|table| (table.to_owned(), records(table))).collect()
    }
}

impl Model {
    /// Whether [`Model::view`] would be this, at less expense.
    #[must_use]
    pub fn shows(&self, found: &View, now: u64) -> bool {
        self.tables.len() == found.len()
            && self.tables.iter().zip(found).all(|((name, table), (found_name, records))| {
                let live = table.iter().filter(|(_, record)| record.is_live(now));
                name == found_name && live.eq(records)
            })
    }

    /// Whether a reader at `now` could not tell the two apart.
    #[must_use]
    pub fn looks_like(&self, other: &Model, now: u64) -> bool {
        let alike = |one: &Arc<Table>, other: &Arc<Table>| {
            Arc::ptr_eq(one, other)
                || one.iter().filter(|(_, r)| r.is_live(now)).eq(other.iter().filter(|(_, r)| r.is_live(now)))
        };
        self.tables.len() == other.tables.len()
            && self.tables.iter().zip(&other.tables).all(|(one, other)| one.0 == other.0 && alike(one.1, other.1))
    }
}

/// How far a database had come: how many states there were, and which of them no crash of either kind goes behind.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    issued: usize,
    system: usize,
    /// Public, since a disk that lies can take back what it acknowledged.
    pub(crate) durable: usize,
}

/// The states that a database went through, and how far back a crash may take it.
///
/// Whatever a crash leaves must be one of these states as a whole: a prefix of the changes in their order, without a
/// hole, and not before the last one that was acknowledged at a level that this crash must respect.
#[derive(Clone, Debug)]
pub struct Timeline {
    states: Vec<Model>,
    /// The first state that a crash of the process may leave, and the first that a power loss may leave.
    system: usize,
    durable: usize,
}

impl Timeline {
    /// Begins with a state that no crash undoes.
    #[must_use]
    pub fn new(model: Model) -> Self {
        Timeline { states: vec![model], system: 0, durable: 0 }
    }

    /// The present state: what a reader must find while nothing crashes.
    #[must_use]
    pub fn now(&self) -> &Model {
        &self.states[self.states.len() - 1]
    }

    /// Makes a change that may or may not survive, until it is acknowledged. To be called before the engine's own call,
    /// which may crash halfway.
    pub fn change<T>(&mut self, change: impl FnOnce(&mut Model) -> T) -> T {
        let mut next = self.now().clone();
        let outcome = change(&mut next);
        self.states.push(next);
        outcome
    }

    /// Takes the last change back: the engine refused it, and said that nothing was written.
    ///
    /// # Panics
    /// If it was acknowledged, or there is none.
    pub fn refused(&mut self) {
        self.states.pop();
        assert!(self.system < self.states.len(), "an acknowledged change was taken back");
    }

    /// All changes so far were acknowledged at this level.
    pub fn acknowledge(&mut self, level: Durability) {
        let last = self.states.len() - 1;
        if level >= Durability::Os {
            self.system = last;
        }
        if level == Durability::Full {
            self.durable = last;
        }
    }

    /// How far it has come.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { issued: self.states.len(), system: self.system, durable: self.durable }
    }

    /// All states, the oldest first.
    #[must_use]
    pub fn states(&self) -> &[Model] {
        &self.states
    }

    /// Which of the states a crash of this kind might leave when it had come so far.
    #[must_use]
    pub fn allowed(mark: Mark, plan: CrashPlan) -> Range<usize> {
        if plan == CrashPlan::Process { mark.system..mark.issued } else { mark.durable..mark.issued }
    }

    /// The states that a crash of this kind may leave, the oldest first.
    #[must_use]
    pub fn after(&self, plan: CrashPlan) -> &[Model] {
        &self.states[Timeline::allowed(self.mark(), plan)]
    }

    /// The newest state that shows itself like this at `now`, of those that a crash of this kind may leave.
    #[must_use]
    pub fn find(&self, plan: CrashPlan, found: &View, now: u64) -> Option<&Model> {
        self.after(plan).iter().rev().find(|state| state.shows(found, now))
    }

    /// The state before the last change, if that may still be taken back.
    #[must_use]
    pub fn before(&self) -> Option<&Model> {
        let before = self.states.len().checked_sub(2)?;
        (before >= self.system).then(|| &self.states[before])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str, value: &str) -> Operation {
        let put = Put { value: value.into(), kind: Kind::BYTES, expiration: None, dictionary: None };
        Operation { table: "t".into(), key: key.into(), put: Some(put), if_version: None, joined: false }
    }

    fn delete(key: &str) -> Operation {
        Operation { put: None, ..put(key, "") }
    }

    fn until(expiration: f64, mut operation: Operation) -> Operation {
        operation.put.as_mut().unwrap().expiration = Some(expiration);
        operation
    }

    #[test]
    fn versions_count_the_writes_of_a_key_while_it_is_there() {
        let mut model = Model::default();
        let operations = [delete("a"), put("a", "1"), put("a", "2"), delete("a"), delete("a"), put("a", "3")];
        use Outcome::{Deleted, Missing, Written};
        let outcomes = [Missing, Written(1), Written(2), Deleted, Missing, Written(1)];
        assert_eq!(model.commit(&operations, 5), outcomes);
        let record = model.get("t", b"a", 5).unwrap();
        assert_eq!((&record.put.value[..], record.version, record.time), (&b"3"[..], 1, 5));
    }

    #[test]
    fn an_expired_record_is_missing_to_all() {
        let mut model = Model::default();
        model.commit(&[until(10.0, put("a", "1")), until(10.5, put("b", "1"))], 5);
        assert_eq!(model.scan("t", 10).count(), 2, "not before the clock is past it");
        assert_eq!(model.scan("t", 11).count(), 0);
        assert_eq!(model.clone().cleanup_expired("t", 11), 2);
        assert_eq!(model.cleanup_expired("t", 10), 0);
        assert_eq!(model.commit(&[delete("a"), put("b", "2")], 11), [Outcome::Missing, Outcome::Written(1)]);
        assert_eq!(model.view(11)["t"].len(), 1);
    }

    #[test]
    fn a_batch_happens_whole_or_not_at_all_and_looks_at_what_stood_before_it() {
        let mut model = Model::default();
        let if_version = |version, operation| Operation { if_version: Some(version), ..operation };
        let joined = |operation| Operation { joined: true, ..operation };
        let batch = [put("a", "1"), joined(if_version(0, put("a", "2"))), put("z", "alone")];
        assert_eq!(model.commit(&batch, 1), [Outcome::Written(1), Outcome::Written(2), Outcome::Written(1)]);
        let batch = [put("b", "1"), joined(if_version(1, put("a", "3"))), put("z", "alone")];
        assert_eq!(model.commit(&batch, 2), [Outcome::Aborted, Outcome::Conflict(2), Outcome::Written(2)]);
        assert_eq!((model.version("t", b"a", 2), model.version("t", b"b", 2)), (2, 0));
    }

    #[test]
    fn a_table_is_there_until_it_is_dropped() {
        let mut model = Model::default();
        model.commit(&[delete("a")], 1);
        assert_eq!(model.tables().count(), 0);
        model.commit(&[put("a", "1"), delete("a")], 1);
        assert_eq!(model.tables().collect::<Vec<_>>(), ["t"]);
        assert!(model.drop_table("t"));
        assert!(!model.drop_table("t"));
    }

    #[test]
    fn a_crash_may_take_what_was_not_acknowledged_at_its_level() {
        let mut timeline = Timeline::new(Model::default());
        for (key, level) in [("a", Durability::Full), ("b", Durability::Os), ("c", Durability::Eventual)] {
            timeline.change(|model| model.commit(&[put(key, "1")], 1));
            timeline.acknowledge(level);
        }
        timeline.change(|model| model.commit(&[put("refused", "1")], 1));
        timeline.refused();
        let sizes = |states: &[Model]| states.iter().map(|state| state.scan("t", 1).count()).collect::<Vec<_>>();
        assert_eq!(sizes(timeline.after(CrashPlan::Process)), [2, 3]);
        assert_eq!(sizes(timeline.after(CrashPlan::POWER_LOSS)), [1, 2, 3]);
        timeline.acknowledge(Durability::Full);
        assert_eq!(sizes(timeline.after(CrashPlan::POWER_LOSS)), [3]);
        assert_eq!(timeline.now().scan("t", 1).count(), 3);
    }
}
