//! The core workloads of the Yahoo! Cloud Serving Benchmark, with this benchmark's records, from one thread.

use rand::Rng;
use rand::rngs::SmallRng;
use rand_distr::{Distribution, Zipf};

use super::Run;
use crate::data::{Maker, Model, RECORD, check, mix};
use crate::measure::{Figure, timed};
use crate::store::{Result, Store};

/// The exponent of the distribution of the keys, as YCSB has it.
const SKEW: f64 = 0.99;
const LONGEST_SCAN: usize = 100;

#[derive(Clone, Copy)]
enum Step {
    Read(u32),
    Update(u32),
    Insert(u32),
    Scan(u32, usize),
    /// Reads, and writes what follows from it.
    Modify(u32),
}

/// The other operation that a workload consists of, besides reads.
#[derive(Clone, Copy)]
enum Other {
    Update,
    Insert,
    Modify,
}

struct Mix {
    name: &'static str,
    /// Of a hundred operations.
    reads: u32,
    other: Other,
    /// Whether reads are scans.
    scans: bool,
    /// Whether the newest records are the most popular.
    latest: bool,
}

const BASE: Mix = Mix { name: "", reads: 50, other: Other::Update, scans: false, latest: false };

pub(super) fn a(run: &Run) -> Result<Vec<Figure>> {
    measure(run, &Mix { name: "YCSB A: 50 % read, 50 % update", ..BASE })
}

pub(super) fn b(run: &Run) -> Result<Vec<Figure>> {
    measure(run, &Mix { name: "YCSB B: 95 % read, 5 % update", reads: 95, ..BASE })
}

pub(super) fn c(run: &Run) -> Result<Vec<Figure>> {
    measure(run, &Mix { name: "YCSB C: read", reads: 100, ..BASE })
}

pub(super) fn d(run: &Run) -> Result<Vec<Figure>> {
    let name = "YCSB D: 95 % read of the latest, 5 % insert";
    measure(run, &Mix { name, reads: 95, other: Other::Insert, latest: true, ..BASE })
}

pub(super) fn e(run: &Run) -> Result<Vec<Figure>> {
    let name = "YCSB E: 95 % scan of 1 to 100, 5 % insert";
    measure(run, &Mix { name, reads: 95, other: Other::Insert, scans: true, ..BASE })
}

pub(super) fn f(run: &Run) -> Result<Vec<Figure>> {
    measure(run, &Mix { name: "YCSB F: 50 % read, 50 % read and write", other: Other::Modify, ..BASE })
}

fn measure(run: &Run, mix: &Mix) -> Result<Vec<Figure>> {
    let (store, mut model) = run.open_warm()?;
    let steps = steps(run, mix)?;
    let mut maker = Maker::new(RECORD);
    let (done, spent) = timed(steps, run.limit, |step| take(step, &*store, &mut model, &mut maker))?;
    run.close_and_verify(store, &model)?;
    Ok(vec![spent.rate(mix.name, done)])
}

/// All operations, made up before the clock runs.
fn steps(run: &Run, mix: &Mix) -> Result<Vec<Step>> {
    let popularity = Popularity { ranks: Zipf::new(run.records as f64, SKEW)?, latest: mix.latest };
    let mut random = run.random();
    let mut records = run.records as u32;
    let mut step = || {
        if random.random_range(0..100) < mix.reads {
            let id = popularity.pick(records, &mut random);
            return if mix.scans { Step::Scan(id, random.random_range(1..=LONGEST_SCAN)) } else { Step::Read(id) };
        }
        match mix.other {
            Other::Update => Step::Update(popularity.pick(records, &mut random)),
            Other::Modify => Step::Modify(popularity.pick(records, &mut random)),
            Other::Insert => {
                records += 1;
                Step::Insert(records - 1)
            }
        }
    };
    Ok((0..run.reads()).map(|_| step()).collect())
}

struct Popularity {
    ranks: Zipf<f64>,
    latest: bool,
}

impl Popularity {
    fn pick(&self, records: u32, random: &mut SmallRng) -> u32 {
        let rank = self.ranks.sample(random) as u32 - 1;
        // Popular records lie anywhere, if they are not the newest ones.
        if self.latest { records - 1 - rank } else { (mix(u64::from(rank)) % u64::from(records)) as u32 }
    }
}

fn take(step: Step, store: &dyn Store, model: &mut Model, maker: &mut Maker) -> Result<()> {
    match step {
        Step::Read(id) => read(id, store, maker),
        Step::Update(id) => update(id, store, model, maker),
        Step::Modify(id) => {
            read(id, store, maker)?;
            update(id, store, model, maker)
        }
        Step::Insert(id) => {
            model.versions.push(0);
            let (key, value) = maker.pair(id, 0);
            store.put(key, value)
        }
        Step::Scan(id, length) => {
            let mut records = 0;
            store.range(maker.key(id), length, &mut |_, value| {
                records += usize::from(value.len() == RECORD.value);
                Ok(())
            })?;
            if records > 0 { Ok(()) } else { Err(format!("the range from record {id} on is empty").into()) }
        }
    }
}

fn read(id: u32, store: &dyn Store, maker: &mut Maker) -> Result<()> {
    let found = store.get(maker.key(id), &mut |value| check(id, value, RECORD))?;
    if found { Ok(()) } else { Err(format!("record {id} is missing").into()) }
}

fn update(id: u32, store: &dyn Store, model: &mut Model, maker: &mut Maker) -> Result<()> {
    let version = &mut model.versions[id as usize];
    *version += 1;
    let (key, value) = maker.pair(id, *version);
    store.put(key, value)
}
