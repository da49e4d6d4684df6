//! Plain work with small records: loading, reading, scanning, overwriting.

use super::Run;
use crate::data::{Batch, Maker, Model, RECORD, check};
use crate::measure::{Figure, Meter, disk_bytes, timed};
use crate::store::{Level, OnValue, Result, Store};

const BATCH: usize = 1_000;
const RANGE: usize = 10;
/// How often the churn overwrites everything, and how many times as long as other measurements it may take.
const PASSES: usize = 10;
const CHURN_LIMIT: u32 = 10;

pub(super) fn load(run: &Run) -> Result<Vec<Figure>> {
    let store = run.open(Level::Os)?;
    let model = Model::loaded(run.records, RECORD);
    let meter = Meter::start()?;
    write_batches(&*store, &(0..run.records as u32).collect::<Vec<_>>(), 0)?;
    let spent = meter.stop()?;
    run.close_and_verify(store, &model)?;
    let space = Figure::bytes("space after the load", disk_bytes(run.directory)?);
    let mut figures = vec![spent.rate("write, batches of 1,000", run.records), space];
    // What all others begin with was left to itself, whichever round it is.
    figures.push(run.rest("space after the load, at rest")?);
    Ok(figures)
}

fn write_batches(store: &dyn Store, ids: &[u32], version: u32) -> Result<()> {
    let mut batch = Batch::new(RECORD);
    ids.chunks(BATCH).try_for_each(|ids| {
        batch.fill(ids.iter().map(|id| (*id, version)));
        store.put_batch(&batch)
    })
}

/// Reads with `get`, and checks what it finds.
fn read_with(run: &Run, name: &str, mut get: impl FnMut(&[u8], OnValue) -> Result<bool>) -> Result<Figure> {
    let mut maker = Maker::new(RECORD);
    let ids = run.any(run.reads());
    let (done, spent) = timed(ids, run.limit, |id| {
        let found = get(maker.key(id), &mut |value| check(id, value, RECORD))?;
        if found { Ok(()) } else { Err(format!("record {id} is missing").into()) }
    })?;
    Ok(spent.rate(name, done))
}

pub(super) fn read(run: &Run) -> Result<Vec<Figure>> {
    let (store, model) = run.open_warm()?;
    let figure = read_with(run, "random read", |key, found| store.get(key, found))?;
    run.close_and_verify(store, &model)?;
    Ok(vec![figure])
}

pub(super) fn read_snapshot(run: &Run) -> Result<Vec<Figure>> {
    let (store, model) = run.open_warm()?;
    let view = store.view()?;
    let figure = read_with(run, "random read in one snapshot", |key, found| view.get(key, found))?;
    drop(view);
    run.close_and_verify(store, &model)?;
    Ok(vec![figure])
}

pub(super) fn read_missing(run: &Run) -> Result<Vec<Figure>> {
    let (store, model) = run.open_warm()?;
    let mut maker = Maker::new(RECORD);
    let behind_all = run.records as u32;
    let (done, spent) = timed(run.any(run.reads()), run.limit, |id| {
        let found = store.get(maker.key(behind_all + id), &mut |_| Ok(()))?;
        if found { Err("a record was found that was never written".into()) } else { Ok(()) }
    })?;
    run.close_and_verify(store, &model)?;
    Ok(vec![spent.rate("random read of missing keys", done)])
}

pub(super) fn scan(run: &Run) -> Result<Vec<Figure>> {
    let (store, model) = run.open_warm()?;
    let (mut records, mut bytes) = (0, 0);
    let meter = Meter::start()?;
    while records < run.reads() && (records == 0 || meter.elapsed() < run.limit) {
        store.scan(&mut |key, value| {
            records += 1;
            bytes += key.len() + value.len();
            Ok(())
        })?;
    }
    let spent = meter.stop()?;
    if bytes != records * (RECORD.key + RECORD.value) {
        return Err("a scan gave records of another length".into());
    }
    run.close_and_verify(store, &model)?;
    Ok(vec![spent.rate("scan (records)", records)])
}

pub(super) fn ranges(run: &Run) -> Result<Vec<Figure>> {
    let (store, model) = run.open_warm()?;
    let mut maker = Maker::new(RECORD);
    let (done, spent) = timed(run.any(run.reads() / 2), run.limit, |id| {
        let mut records = 0;
        store.range(maker.key(id), RANGE, &mut |_, value| {
            records += usize::from(value.len() == RECORD.value);
            Ok(())
        })?;
        // Only behind the last keys there are fewer.
        if records > 0 { Ok(()) } else { Err(format!("the range from record {id} on is empty").into()) }
    })?;
    run.close_and_verify(store, &model)?;
    Ok(vec![spent.rate("random range of 10 (ranges)", done)])
}

pub(super) fn put(run: &Run) -> Result<Vec<Figure>> {
    let (store, mut model) = run.open_loaded()?;
    let mut maker = Maker::new(RECORD);
    let (done, spent) = timed(run.shuffled(), run.limit, |id| {
        let (key, value) = maker.pair(id, 1);
        model.versions[id as usize] = 1;
        store.put(key, value)
    })?;
    run.close_and_verify(store, &model)?;
    Ok(vec![spent.rate("write without sync", done)])
}

/// Overwrites everything again and again, closes, and compacts. What a store has put off counts: closing is measured.
pub(super) fn churn(run: &Run) -> Result<Vec<Figure>> {
    let (store, mut model) = run.open_loaded()?;
    let ids = run.shuffled();
    let meter = Meter::start()?;
    let mut done = 0;
    'passes: for version in 1..=PASSES as u32 {
        for ids in ids.chunks(BATCH) {
            write_batches(&*store, ids, version)?;
            ids.iter().for_each(|id| model.versions[*id as usize] = version);
            done += ids.len();
            if meter.elapsed() > CHURN_LIMIT * run.limit {
                break 'passes;
            }
        }
    }
    store.close()?;
    let mut figures = vec![
        meter.stop()?.rate("churn: overwriting, and closing", done),
        Figure::share("churn: how much of ten times everything", done as f64 / (PASSES * run.records) as f64),
        Figure::bytes("space after the churn", disk_bytes(run.directory)?),
    ];
    run.verify(&model)?;
    if run.round == 0 {
        figures.push(run.rest("space after the churn, at rest")?);
    }
    if let Some(compact) = run.engine.compact {
        compact(run.directory)?;
        figures.push(Figure::bytes("space after the compaction", disk_bytes(run.directory)?));
        run.verify(&model)?;
    }
    Ok(figures)
}
