//! A look at some records before all of them are written: at the bottom of a stack, where most of a table is, they are
//! packed by what they have in common.

use std::path::Path;

use crate::env::Env;
use crate::error::Result;
use crate::record::{Entry, Meta};
use crate::runs::Run;
use crate::stone::{Packer, StoneWriter};

/// Some of the records of runs, by which it is decided how the others are written.
#[derive(Default)]
pub(crate) struct Sample {
    /// Of the runs, in bytes.
    content: u64,
    records: Vec<(Vec<u8>, Meta, Vec<u8>)>,
}

/// A sample has about so many records, and so many bytes of each value.
const SAMPLE: u64 = 1024;
const SAMPLE_LEN: usize = 512;
/// In less than this, taking a sample takes more time than it saves room.
const SMALL: u64 = 16 << 10;

impl Sample {
    /// Takes records from all over the runs; none of them if there are few.
    pub(crate) fn of(runs: &[Run]) -> Result<Sample> {
        let content: u64 = runs.iter().map(Run::content).sum();
        let mut sample = Sample { content, records: Vec::new() };
        if content < SMALL {
            return Ok(sample);
        }
        for run in runs.iter().filter(|run| run.content() > 0) {
            run.sample((SAMPLE * run.content()).div_ceil(content), &mut |Entry { key, meta, value }| {
                let value = value.get(..SAMPLE_LEN).unwrap_or(value);
                sample.records.push((key.to_vec(), meta, value.to_vec()));
            })?;
        }
        Ok(sample)
    }

    /// Begins a stone of records like these, of nothing in particular if there are none.
    pub(crate) fn begin(&self, env: &dyn Env, path: &Path, table: u32) -> Result<StoneWriter> {
        let base_time = self.median_time().unwrap_or_else(|| env.now());
        StoneWriter::create(env, path, table, base_time, self.packer(base_time))
    }

    /// The time of the middle record: a record has the difference to it, which is long if it is years.
    fn median_time(&self) -> Option<u64> {
        let mut times: Vec<u64> = self.records.iter().map(|(_, meta, _)| meta.time).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    }

    /// What packs records like these; `None` if that would save too little.
    fn packer(&self, base_time: u64) -> Option<Packer> {
        let encode = |(key, meta, value): &(Vec<u8>, Meta, Vec<u8>)| {
            let mut record = Vec::new();
            Entry { key, meta: *meta, value }.encode(base_time, &mut record);
            record
        };
        let records: Vec<Vec<u8>> = self.records.iter().map(encode).collect();
        if records.is_empty() { None } else { Packer::new(&records, self.content) }
    }
}
