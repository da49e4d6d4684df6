//! Writes of which each is on the disk before the next one of its thread.

use std::sync::Barrier;
use std::thread;

use super::Run;
use crate::data::{ABSENT, Maker, Model, RECORD};
use crate::measure::{Figure, Meter, Spent, written};
use crate::store::{Level, Result, Store};

const THREADS: u32 = 64;

pub(super) fn one(run: &Run) -> Result<Vec<Figure>> {
    let before = written();
    let (puts, spent) = puts(run, 1)?;
    let mut figures = vec![spent.rate("durable write, one thread", puts)];
    if let (Some(before), Some(after)) = (before, written()) {
        let each = |bytes: u64| bytes as f64 / puts as f64;
        figures.push(Figure::bytes("bytes passed to `write` for a durable put of 116", each(after.0 - before.0)));
        figures.push(Figure::bytes("bytes of pages written for a durable put of 116", each(after.1 - before.1)));
    }
    Ok(figures)
}

pub(super) fn many(run: &Run) -> Result<Vec<Figure>> {
    let (puts, spent) = puts(run, THREADS)?;
    Ok(vec![spent.rate("durable write, 64 threads", puts)])
}

/// Each thread writes records of its own until the time is over.
fn puts(run: &Run, threads: u32) -> Result<(usize, Spent)> {
    let store = run.open(Level::Full)?;
    let barrier = Barrier::new(threads as usize + 1);
    let (counts, spent) = thread::scope(|scope| -> Result<_> {
        let (store, barrier) = (&*store, &barrier);
        let writers: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || write(run, store, barrier, thread, threads))).collect();
        barrier.wait();
        let meter = Meter::start()?;
        let counts = writers.into_iter().map(|writer| writer.join().map_err(|_| "a writer panicked")?);
        let counts = counts.collect::<Result<Vec<u32>>>()?;
        Ok((counts, meter.stop()?))
    })?;
    run.close_and_verify(store, &written_by(&counts))?;
    Ok((counts.iter().map(|count| *count as usize).sum(), spent))
}

fn write(run: &Run, store: &dyn Store, barrier: &Barrier, thread: u32, threads: u32) -> Result<u32> {
    let mut maker = Maker::new(RECORD);
    barrier.wait();
    let meter = Meter::start()?;
    let mut count = 0;
    while meter.elapsed() < run.limit {
        let (key, value) = maker.pair(count * threads + thread, 0);
        store.put(key, value)?;
        count += 1;
    }
    Ok(count)
}

fn written_by(counts: &[u32]) -> Model {
    let most = counts.iter().max().copied().unwrap_or_default();
    let version = |row: u32, count: &u32| if row < *count { 0 } else { ABSENT };
    let versions = (0..most).flat_map(|row| counts.iter().map(move |count| version(row, count))).collect();
    Model { shape: RECORD, versions }
}
