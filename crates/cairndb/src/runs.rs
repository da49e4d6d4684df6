//! Sorted runs and their merging: what scans, flushes and merges are made of.

use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::error::Result;
use crate::memtable::Memtable;
use crate::range::Bounds;
use crate::record::{Edge, Entry, Visit};
use crate::slice::prefix;
use crate::stone::Stone;
use crate::walk::{FrozenWalk, MemtableWalk, ReverseWalk, Row, StoneWalk, Walk};

/// A walk over one memtable or stone.
pub(crate) enum Run {
    Memtable(MemtableWalk),
    Frozen(FrozenWalk),
    Stone(StoneWalk),
    Reverse(ReverseWalk),
}

impl Run {
    /// The records of a stone, tombstones too, in key order or against it.
    pub(crate) fn stone(stone: &Arc<Stone>, bounds: Bounds, reverse: bool) -> Result<Self> {
        Ok(if reverse {
            Run::Reverse(ReverseWalk::new(stone, bounds)?)
        } else {
            Run::Stone(StoneWalk::new(stone, bounds)?)
        })
    }

    /// What it walks over.
    fn over(&self) -> Over<'_> {
        match self {
            Run::Memtable(walk) => Over::Memtable(walk.memtable()),
            Run::Frozen(walk) => Over::Memtable(walk.memtable()),
            Run::Stone(walk) => Over::Stone(walk.stone()),
            Run::Reverse(walk) => Over::Stone(walk.stone()),
        }
    }

    /// Bytes of all records of what it walks over, about.
    pub(crate) fn content(&self) -> u64 {
        match self.over() {
            Over::Memtable(memtable) => memtable.bytes() as u64,
            Over::Stone(stone) => stone.info().content,
        }
    }

    /// Shows about so many records from all over what it walks over.
    pub(crate) fn sample(&self, count: u64, show: &mut dyn FnMut(Entry<'_>)) -> Result<()> {
        match self.over() {
            Over::Memtable(memtable) => {
                for (key, held) in memtable.sample(count) {
                    show(held.entry(&key));
                }
                Ok(())
            }
            Over::Stone(stone) => stone.sample(count, show),
        }
    }

    fn key(&self) -> Option<&[u8]> {
        self.entry().map(|entry| entry.key)
    }
}

enum Over<'a> {
    Memtable(&'a Memtable),
    Stone(&'a Arc<Stone>),
}

impl Walk for Run {
    fn reach(&mut self) -> Result<bool> {
        match self {
            Run::Memtable(walk) => walk.reach(),
            Run::Frozen(walk) => walk.reach(),
            Run::Stone(walk) => walk.reach(),
            Run::Reverse(walk) => walk.reach(),
        }
    }

    fn entry(&self) -> Option<Entry<'_>> {
        match self {
            Run::Memtable(walk) => walk.entry(),
            Run::Frozen(walk) => walk.entry(),
            Run::Stone(walk) => walk.entry(),
            Run::Reverse(walk) => walk.entry(),
        }
    }

    fn pass(&mut self) {
        match self {
            Run::Memtable(walk) => walk.pass(),
            Run::Frozen(walk) => walk.pass(),
            Run::Stone(walk) => walk.pass(),
            Run::Reverse(walk) => walk.pass(),
        }
    }

    fn take(&mut self) -> Option<Row> {
        match self {
            Run::Memtable(walk) => walk.take(),
            Run::Frozen(walk) => walk.take(),
            Run::Stone(walk) => walk.take(),
            Run::Reverse(walk) => walk.take(),
        }
    }

    fn visit(&mut self, visit: &mut Visit<'_>) -> Result<ControlFlow<Edge>> {
        match self {
            Run::Memtable(walk) => walk.visit(visit),
            Run::Frozen(walk) => walk.visit(visit),
            Run::Stone(walk) => walk.visit(visit),
            Run::Reverse(walk) => walk.visit(visit),
        }
    }
}

/// A run, and what the key begins with at which it stands.
struct Head {
    run: Run,
    stands_at: Stand,
}

#[derive(Clone, Copy, PartialEq)]
enum Stand {
    /// It has passed a record and not reached the next one.
    Between,
    At(u64),
    End,
}

impl Head {
    fn reach(&mut self) -> Result<()> {
        if self.stands_at == Stand::Between {
            self.run.reach()?;
            self.stands_at = self.run.key().map_or(Stand::End, |key| Stand::At(prefix(key)));
        }
        Ok(())
    }

    /// The run itself, for whoever moves it.
    fn moved(&mut self) -> &mut Run {
        self.stands_at = Stand::Between;
        &mut self.run
    }
}

/// Several runs as one: of each key the record of the newest run that has it.
pub(crate) struct Merged {
    newer: Layers,
    /// As a rule it has most of the records. It shows them where they lie, and what is newer is put in between.
    oldest: Option<Head>,
}

impl Merged {
    /// Merges `runs`, newest first, which all go in the same direction.
    pub(crate) fn new(runs: Vec<Run>, reverse: bool) -> Result<Self> {
        let mut heads: Vec<Head> = runs.into_iter().map(|run| Head { run, stands_at: Stand::Between }).collect();
        heads.iter_mut().try_for_each(Head::reach)?;
        // Most memtables have nothing in a range, and what is at its end stays there.
        heads.retain(|head| head.stands_at != Stand::End);
        let oldest = heads.pop();
        Ok(Merged { newer: Layers { heads, reverse, at_key: Vec::new(), stands_at: Stand::Between }, oldest })
    }

    /// Shows the records from here on, until `visit` breaks off. Says whether it did; else there are no more.
    pub(crate) fn visit(&mut self, visit: &mut Visit<'_>) -> Result<ControlFlow<Edge>> {
        let Merged { newer, oldest: Some(oldest) } = self else { return Ok(ControlFlow::Continue(())) };
        if newer.heads.is_empty() {
            return oldest.moved().visit(visit);
        }
        let flow = oldest.moved().visit(&mut |entry| {
            loop {
                match newer.order(entry.key)? {
                    Ordering::Less if newer.show(visit)?.is_break() => return Ok(ControlFlow::Break(Edge::Before)),
                    Ordering::Less => {}
                    Ordering::Equal => return newer.show(visit),
                    Ordering::Greater => return visit(entry),
                }
            }
        })?;
        if flow.is_break() { Ok(flow) } else { newer.visit(visit) }
    }

    /// Shows all records from here on.
    pub(crate) fn visit_all(&mut self, mut visit: impl FnMut(&Entry<'_>) -> Result<()>) -> Result<()> {
        self.visit(&mut |entry| visit(entry).map(ControlFlow::Continue)).map(drop)
    }

    /// The next key's newest record.
    pub(crate) fn next(&mut self) -> Result<Option<Row>> {
        let Merged { newer, oldest: Some(oldest) } = self else { return Ok(None) };
        oldest.reach()?;
        let order = oldest.run.key().map_or(Ok(Ordering::Less), |key| newer.order(key))?;
        newer.reach()?;
        Ok(match order {
            Ordering::Less => newer.take(),
            Ordering::Equal => {
                oldest.moved().pass();
                newer.take()
            }
            Ordering::Greater => oldest.moved().take(),
        })
    }
}

/// Runs that are merged record by record.
struct Layers {
    /// Newest first.
    heads: Vec<Head>,
    reverse: bool,
    /// The runs that stand at the key that was reached, newest first.
    at_key: Vec<usize>,
    stands_at: Stand,
}

impl Layers {
    /// Finds the least key that a run reaches, and the runs that stand there.
    fn find_next(&mut self) -> Result<()> {
        self.heads.iter_mut().try_for_each(Head::reach)?;
        let mut next: Option<(u64, &Run)> = None;
        for (index, Head { run, stands_at }) in self.heads.iter().enumerate() {
            let Stand::At(begins) = *stands_at else { continue };
            let order = next.map_or(Ordering::Less, |(least, other)| {
                // Keys that begin with other bytes need not be looked at.
                let order = begins.cmp(&least).then_with(|| run.key().cmp(&other.key()));
                if self.reverse { order.reverse() } else { order }
            });
            if order.is_lt() {
                next = Some((begins, run));
                self.at_key.clear();
            }
            if order.is_le() {
                self.at_key.push(index);
            }
        }
        self.stands_at = next.map_or(Stand::End, |(begins, _)| Stand::At(begins));
        Ok(())
    }

    /// Whether the next key comes before this one, is the same or comes behind it. What is at its end comes behind all.
    fn order(&mut self, key: &[u8]) -> Result<Ordering> {
        self.reach()?;
        let Stand::At(begins) = self.stands_at else { return Ok(Ordering::Greater) };
        let order = begins.cmp(&prefix(key)).then_with(|| self.newest().and_then(Run::key).cmp(&Some(key)));
        Ok(if self.reverse { order.reverse() } else { order })
    }

    /// The newest of the runs that stand at the key that was reached.
    fn newest(&self) -> Option<&Run> {
        self.at_key.first().and_then(|index| self.heads.get(*index)).map(|head| &head.run)
    }
}

/// Of each key the newest record; to pass one is to pass it in all layers.
impl Walk for Layers {
    fn reach(&mut self) -> Result<bool> {
        if self.stands_at == Stand::Between {
            self.find_next()?;
        }
        Ok(self.stands_at != Stand::End)
    }

    fn entry(&self) -> Option<Entry<'_>> {
        self.newest().and_then(Run::entry)
    }

    fn pass(&mut self) {
        for index in self.at_key.drain(..) {
            if let Some(head) = self.heads.get_mut(index) {
                head.moved().pass();
            }
        }
        self.stands_at = Stand::Between;
    }

    fn take(&mut self) -> Option<Row> {
        // What gives its record has passed it.
        let newest = (!self.at_key.is_empty()).then(|| self.at_key.remove(0))?;
        let row = self.heads.get_mut(newest)?.moved().take();
        self.pass();
        row
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::error::Code;
    use crate::memtable::Held;
    use crate::record::visits::{edges, seen};
    use crate::record::{Kind, Meta};
    use crate::slice::{Key, Slice};

    fn memtable<K: AsRef<str>>(keys: &[K], version: u64) -> Arc<Memtable> {
        let memtable = Memtable::default();
        let meta = Meta { kind: Kind::BYTES, tombstone: false, version, time: 0, expiration: None, dictionary: None };
        for key in keys {
            let frame: Arc<[u8]> = key.as_ref().as_bytes().into();
            let held = Held { sequence: 1, meta, value: Slice::new(&frame, 0..0) };
            memtable.insert(std::iter::once((Key::new(&frame, 0..frame.len()), held)));
        }
        Arc::new(memtable)
    }

    #[test]
    fn keys_that_begin_alike_are_told_apart() {
        let layers: [&[&str]; 3] =
            [&["12345678b", "a"], &["12345678a", "12345678b", "a\0"], &["12345678", "12345678c"]];
        let expected = ["12345678", "12345678a", "12345678b", "12345678c", "a", "a\0"];
        for reverse in [false, true] {
            let run =
                |keys: &&[&str]| Run::Memtable(MemtableWalk::new(&memtable(keys, 1), Bounds::all(), 1, reverse, None));
            let mut merged = Merged::new(layers.iter().map(run).collect(), reverse).unwrap();
            let mut seen = Vec::new();
            let see = |entry: &Entry<'_>| {
                seen.push(String::from_utf8(entry.key.to_vec()).unwrap());
                Ok(())
            };
            merged.visit_all(see).unwrap();
            if reverse {
                seen.reverse();
            }
            assert_eq!(seen, expected);
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Next,
        /// So many records, and how it ends: on an edge, or else with an error.
        Visit(usize, Option<Edge>),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let visit = (0..10_usize, edges()).prop_map(|(count, edge)| Step::Visit(count, edge));
        proptest::collection::vec(prop_oneof![Just(Step::Next), visit], 0..20)
    }

    proptest! {
        #[test]
        fn runs_are_one_map_in_which_newer_records_hide_older_ones(
            // Some keys differ behind their first 8 bytes.
            layers in proptest::collection::vec(proptest::collection::vec("(|prefix__)[a-e]{1,2}", 0..30), 0..5),
            frozen in any::<bool>(),
            reverse in any::<bool>(),
            steps in steps(),
        ) {
            let memtables: Vec<_> = layers.iter().zip(1..).map(|(keys, version)| memtable(keys, version)).collect();
            let runs = memtables.iter().rev().map(|memtable| match frozen && !reverse {
                true => Run::Frozen(FrozenWalk::new(memtable)),
                false => Run::Memtable(MemtableWalk::new(memtable, Bounds::all(), 1, reverse, None)),
            });
            let mut merged = Merged::new(runs.collect(), reverse).unwrap();
            let mut newest = BTreeMap::new();
            for (keys, version) in layers.iter().zip(1..) {
                newest.extend(keys.iter().map(|key| (key.clone(), version)));
            }
            let mut expected: Vec<_> = newest.into_iter().collect();
            if reverse {
                expected.reverse();
            }
            let mut left = &expected[..];
            let keep = |entry: &Entry<'_>| (String::from_utf8(entry.key.to_vec()).unwrap(), entry.meta.version);
            for step in steps {
                let seen = match step {
                    Step::Visit(count, edge) => seen(count, edge, keep, |visit| merged.visit(visit)),
                    Step::Next => {
                        let row = merged.next().unwrap();
                        row.into_iter().map(|row| match row {
                            Row::Held(key, held) => (String::from_utf8(key.to_vec()).unwrap(), held.meta.version),
                            Row::Stored(_) => unreachable!("there are no stones"),
                        }).collect()
                    }
                };
                let wanted = match step {
                    Step::Visit(count, _) => count,
                    Step::Next => 1,
                };
                let (now, then) = left.split_at(wanted.min(left.len()));
                prop_assert_eq!(seen, now);
                left = then;
            }
        }
    }

    #[test]
    fn a_record_that_a_visit_refuses_comes_next_again() {
        for layers in [&[&["a", "b", "c"][..]][..], &[&["b"], &["a", "b", "c"]]] {
            for frozen in [false, true] {
                let run = |keys: &&[&str]| match frozen {
                    true => Run::Frozen(FrozenWalk::new(&memtable(keys, 1))),
                    false => Run::Memtable(MemtableWalk::new(&memtable(keys, 1), Bounds::all(), 1, false, None)),
                };
                let mut merged = Merged::new(layers.iter().map(run).collect(), false).unwrap();
                let (mut refusals, mut seen) = (1, Vec::new());
                let mut visit = |entry: &Entry<'_>| {
                    if entry.key == b"b" && refusals > 0 {
                        refusals -= 1;
                        return Err(crate::Error::new(Code::Closed, "refused"));
                    }
                    seen.push(entry.key[0]);
                    Ok(ControlFlow::Continue(()))
                };
                assert!(merged.visit(&mut visit).is_err());
                assert!(merged.visit(&mut visit).unwrap().is_continue());
                assert_eq!(seen, b"abc");
            }
        }
    }
}
