//! The options of an opening, from JavaScript's numbers to the engine's types.

use std::time::Duration;

use napi_derive::napi;

use crate::failure::{Failure, Outcome};

/// Longer waits mean "never", and the clock must be able to add them to the present.
const LONGEST: Duration = Duration::from_secs(u32::MAX as u64);

/// Settings of the engine. The first handle of a directory in the process decides; a later one shares its engine. The
/// level of durability is none of them, since each commit names its own.
#[napi(object, object_to_js = false)]
pub(crate) struct OpenOptions {
    /// Milliseconds.
    pub sync_interval: f64,
    /// Milliseconds.
    pub flush_interval: f64,
    /// Milliseconds.
    pub reclaim_delay: f64,
    pub keep_generations: u32,
    /// Bytes.
    pub memtable_bytes: f64,
    pub mmap: bool,
    pub shared: bool,
    pub read_only: bool,
    pub sha256: bool,
}

impl OpenOptions {
    pub(crate) fn into_engine(self) -> Outcome<cairndb::Options> {
        Ok(cairndb::Options {
            sync_interval: duration("syncInterval", self.sync_interval)?,
            flush_interval: duration("flushInterval", self.flush_interval)?,
            reclaim_delay: duration("reclaimDelay", self.reclaim_delay)?,
            keep_generations: self.keep_generations,
            // Saturates at both ends; what is too little is refused by the engine.
            memtable_bytes: self.memtable_bytes as usize,
            mmap: self.mmap,
            shared: self.shared,
            read_only: self.read_only,
            sha256: self.sha256,
        })
    }
}

fn duration(name: &str, milliseconds: f64) -> Outcome<Duration> {
    if milliseconds.is_nan() || milliseconds < 0.0 {
        let code = cairndb::Code::InvalidOptions.as_str();
        return Err(Failure::new(code, format!("{name} is {milliseconds}; give milliseconds, 0 or more")));
    }
    Ok(Duration::try_from_secs_f64(milliseconds / 1000.0).map_or(LONGEST, |duration| duration.min(LONGEST)))
}
