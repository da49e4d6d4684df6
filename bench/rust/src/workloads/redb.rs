//! The workload of redb's own benchmark, from its description: records of 24 and 150 bytes, loaded at once; single and
//! batched durable writes; `len`; random reads and ranges, from several threads too; removals; compaction.

use std::thread;

use super::Run;
use crate::data::{ABSENT, Batch, Maker, Model, REDB_RECORD, check};
use crate::measure::{Figure, Meter, disk_bytes, timed};
use crate::store::{Level, Result, Store, View};

const SINGLE_WRITES: u32 = 1_000;
const BATCHES: u32 = 100;
const BATCH: u32 = 1_000;
const RANGE: usize = 10;
const THREADS: [usize; 2] = [4, 8];

pub(super) fn run(run: &Run) -> Result<Vec<Figure>> {
    let mut model = Model::loaded(run.records, REDB_RECORD);
    let mut figures = vec![bulk_load(run)?];
    let store = run.open(Level::Full)?;
    figures.push(single_writes(run, &*store, &mut model)?);
    figures.push(batch_writes(run, &*store, &mut model)?);
    store.close()?;
    let store = run.open(Level::Os)?;
    figures.push(length(&*store, &model)?);
    figures.extend(reads(run, &*store)?);
    figures.push(removals(&*store, &mut model)?);
    run.close_and_verify(store, &model)?;
    figures.push(Figure::bytes("redb: space", disk_bytes(run.directory)?));
    if let Some(compact) = run.engine.compact {
        compact(run.directory)?;
        figures.push(Figure::bytes("redb: space after the compaction", disk_bytes(run.directory)?));
        run.verify(&model)?;
    }
    Ok(figures)
}

/// All records in one transaction, which is on the disk in the end.
fn bulk_load(run: &Run) -> Result<Figure> {
    let store = run.open(Level::Os)?;
    let mut batch = Batch::new(REDB_RECORD);
    let meter = Meter::start()?;
    batch.fill((0..run.records as u32).map(|id| (id, 0)));
    store.put_batch(&batch)?;
    store.flush()?;
    let figure = meter.stop()?.rate("redb: bulk load", run.records);
    store.close()?;
    Ok(figure)
}

fn single_writes(run: &Run, store: &dyn Store, model: &mut Model) -> Result<Figure> {
    let mut maker = Maker::new(REDB_RECORD);
    let first = model.versions.len() as u32;
    let (done, spent) = timed(first..first + SINGLE_WRITES, run.limit, |id| {
        model.versions.push(0);
        let (key, value) = maker.pair(id, 0);
        store.put(key, value)
    })?;
    Ok(spent.rate("redb: individual durable writes", done))
}

fn batch_writes(run: &Run, store: &dyn Store, model: &mut Model) -> Result<Figure> {
    let mut batch = Batch::new(REDB_RECORD);
    let (done, spent) = timed(0..BATCHES, run.limit, |_| {
        let first = model.versions.len() as u32;
        batch.fill((first..first + BATCH).map(|id| (id, 0)));
        model.versions.extend([0; BATCH as usize]);
        store.put_batch(&batch)
    })?;
    Ok(spent.rate("redb: durable batches of 1,000 (records)", done * BATCH as usize))
}

fn length(store: &dyn Store, model: &Model) -> Result<Figure> {
    let meter = Meter::start()?;
    let length = store.len()?;
    let figure = meter.stop()?.rate("redb: len()", 1);
    if length == model.live() as u64 { Ok(figure) } else { Err(format!("len() is {length}").into()) }
}

fn reads(run: &Run, store: &dyn Store) -> Result<Vec<Figure>> {
    let ids = run.any(run.reads());
    let mut figures = Vec::new();
    let view = store.view()?;
    let (done, spent) = timed(&ids, run.limit, reader(&*view))?;
    figures.push(spent.rate("redb: random reads", done));
    if run.engine.ordered {
        let mut maker = Maker::new(REDB_RECORD);
        let (done, spent) = timed(&ids[..ids.len() / 2], run.limit, |id| {
            let mut records = 0;
            view.range(maker.key(*id), RANGE, &mut |_, value| {
                records += usize::from(value.len() == REDB_RECORD.value);
                Ok(())
            })?;
            if records > 0 { Ok(()) } else { Err(format!("the range from record {id} on is empty").into()) }
        })?;
        figures.push(spent.rate("redb: random range reads of 10", done));
    }
    drop(view);
    for threads in THREADS {
        figures.push(reads_of_threads(run, store, &ids, threads)?);
    }
    Ok(figures)
}

fn reader<'a>(view: &'a dyn View) -> impl FnMut(&u32) -> Result<()> + 'a {
    let mut maker = Maker::new(REDB_RECORD);
    move |id| {
        let found = view.get(maker.key(*id), &mut |value| check(*id, value, REDB_RECORD))?;
        if found { Ok(()) } else { Err(format!("record {id} is missing").into()) }
    }
}

fn reads_of_threads(run: &Run, store: &dyn Store, ids: &[u32], threads: usize) -> Result<Figure> {
    let meter = Meter::start()?;
    let done = thread::scope(|scope| {
        let read = |ids| move || Ok(timed(ids, run.limit, reader(&*store.view()?))?.0);
        let readers: Vec<_> = ids.chunks(ids.len() / threads).map(|ids| scope.spawn(read(ids))).collect();
        readers.into_iter().map(|reader| reader.join().map_err(|_| "a reader panicked")?).sum::<Result<usize>>()
    })?;
    Ok(meter.stop()?.rate(format!("redb: random reads, {threads} threads"), done))
}

/// Every second record, in one transaction, which is on the disk in the end.
fn removals(store: &dyn Store, model: &mut Model) -> Result<Figure> {
    let mut batch = Batch::new(REDB_RECORD);
    let half = model.versions.len() / 2;
    let meter = Meter::start()?;
    batch.fill((0..half as u32).map(|n| (2 * n, 0)));
    store.delete_batch(&batch)?;
    store.flush()?;
    let figure = meter.stop()?.rate("redb: removals", half);
    (0..half).for_each(|n| model.versions[2 * n] = ABSENT);
    Ok(figure)
}
