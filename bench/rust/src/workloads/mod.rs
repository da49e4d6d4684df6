//! What is done with a store. Every workload is one process, and ends by comparing every record.

mod counted;
mod durable;
mod records;
mod redb;
mod ycsb;

use std::path::Path;
use std::thread;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use crate::data::{Model, RECORD};
use crate::measure::{Figure, disk_bytes, settle};
use crate::processes::Size;
use crate::store::{Engine, Level, Result, Store};

/// CairnDB merges what is left to merge when nobody has written for ten seconds, and keeps what that replaces for ten more.
pub(crate) const REST: Duration = Duration::from_secs(25);

/// What a workload finds in its directory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// Nothing, and it leaves all records there for the others.
    Loads,
    /// Nothing.
    Empty,
    /// All records, in the one place that all workloads share that do not change them.
    Loaded,
    /// A copy of all records.
    Copied,
}

pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) start: Start,
    pub(crate) suits: fn(&Engine) -> bool,
    pub(crate) run: fn(&Run) -> Result<Vec<Figure>>,
}

const fn workload(name: &'static str, start: Start, run: fn(&Run) -> Result<Vec<Figure>>) -> Workload {
    Workload { name, start, suits: |_| true, run }
}

const fn of_ranges(workload: Workload) -> Workload {
    Workload { suits: |engine| engine.ordered, ..workload }
}

pub(crate) const WORKLOADS: &[Workload] = &[
    workload("load", Start::Loads, records::load),
    workload("read", Start::Loaded, records::read),
    workload("read in one snapshot", Start::Loaded, records::read_snapshot),
    workload("read of missing keys", Start::Loaded, records::read_missing),
    workload("scan", Start::Loaded, records::scan),
    of_ranges(workload("ranges", Start::Loaded, records::ranges)),
    workload("put", Start::Copied, records::put),
    workload("durable put", Start::Empty, durable::one),
    workload("durable put, 64 threads", Start::Empty, durable::many),
    Workload { suits: counted::suits, ..workload("counted", Start::Empty, counted::puts) },
    workload("churn", Start::Copied, records::churn),
    workload("YCSB A", Start::Copied, ycsb::a),
    workload("YCSB B", Start::Copied, ycsb::b),
    workload("YCSB C", Start::Loaded, ycsb::c),
    workload("YCSB D", Start::Copied, ycsb::d),
    of_ranges(workload("YCSB E", Start::Copied, ycsb::e)),
    workload("YCSB F", Start::Copied, ycsb::f),
    workload("redb", Start::Empty, redb::run),
];

/// One engine at one workload.
pub(crate) struct Run<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) directory: &'a Path,
    pub(crate) records: usize,
    /// After this time a measurement ends, also if not everything was done that should be.
    pub(crate) limit: Duration,
    round: u64,
}

impl<'a> Run<'a> {
    pub(crate) fn new(engine: &'a Engine, directory: &'a Path, size: Size) -> Self {
        let Size { records, seconds, round } = size;
        Run { engine, directory, records, limit: Duration::from_secs_f64(seconds), round }
    }

    fn open(&self, level: Level) -> Result<Box<dyn Store>> {
        (self.engine.open)(self.directory, level)
    }

    /// The store with all records, and nothing left to do in the background.
    fn open_loaded(&self) -> Result<(Box<dyn Store>, Model)> {
        let store = self.open(Level::Os)?;
        settle()?;
        Ok((store, Model::loaded(self.records, RECORD)))
    }

    /// As [`Run::open_loaded`], after each record was read once: what is measured is reading from memory.
    fn open_warm(&self) -> Result<(Box<dyn Store>, Model)> {
        let (store, model) = self.open_loaded()?;
        store.scan(&mut |_, _| Ok(()))?;
        settle()?;
        Ok((store, model))
    }

    /// Closes the store, opens it again and compares every record.
    fn close_and_verify(&self, store: Box<dyn Store>, model: &Model) -> Result<()> {
        store.close()?;
        self.verify(model)
    }

    fn verify(&self, model: &Model) -> Result<()> {
        let store = self.open(Level::Os)?;
        model.verify(&*store)?;
        store.close()
    }

    /// Leaves the store to itself until background work has ended and files that were kept for a while are gone. Gives the
    /// space that it takes then.
    fn rest(&self, name: &str) -> Result<Figure> {
        let store = self.open(Level::Os)?;
        // Opening may begin a merge, and what that replaces is kept for a while from then on.
        settle()?;
        thread::sleep(REST);
        settle()?;
        store.close()?;
        Ok(Figure::bytes(name, disk_bytes(self.directory)?))
    }

    /// The same for each engine in a round.
    fn random(&self) -> SmallRng {
        SmallRng::seed_from_u64(self.round)
    }

    /// How much is read: as many as there are records, and so many at least that it takes a while.
    fn reads(&self) -> usize {
        self.records.max(1_000_000)
    }

    fn any(&self, count: usize) -> Vec<u32> {
        let (mut random, records) = (self.random(), self.records as u32);
        (0..count).map(|_| random.random_range(0..records)).collect()
    }

    fn shuffled(&self) -> Vec<u32> {
        let mut ids: Vec<u32> = (0..self.records as u32).collect();
        ids.shuffle(&mut self.random());
        ids
    }
}
