//! What a measuring process can know about itself: time, processor time, bytes written, space on the disk.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};

use crate::store::Result;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Unit {
    /// Operations in a second: more is better.
    Rate,
    /// Bytes: less is better.
    Bytes,
    /// Neither is better; it says how far a run came.
    Share,
}

/// One figure of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: Unit,
    pub(crate) value: f64,
    /// The same for each second of processor time, user and system, of all threads.
    pub(crate) per_processor_second: Option<f64>,
}

impl Figure {
    pub(crate) fn bytes(name: impl Into<String>, bytes: f64) -> Self {
        Figure { name: name.into(), unit: Unit::Bytes, value: bytes, per_processor_second: None }
    }

    pub(crate) fn share(name: impl Into<String>, share: f64) -> Self {
        Figure { name: name.into(), unit: Unit::Share, value: share, per_processor_second: None }
    }
}

/// What something took.
#[derive(Clone, Copy)]
pub(crate) struct Spent {
    time: Duration,
    processor: Duration,
}

impl Spent {
    pub(crate) fn rate(self, name: impl Into<String>, operations: usize) -> Figure {
        // A clock tick at least, so that an operation that takes none has a finite rate.
        let per = |time: Duration| operations as f64 / time.max(Duration::from_micros(1)).as_secs_f64();
        let (value, per_processor_second) = (per(self.time), Some(per(self.processor)));
        Figure { name: name.into(), unit: Unit::Rate, value, per_processor_second }
    }
}

pub(crate) struct Meter {
    started: Instant,
    processor: Duration,
}

impl Meter {
    pub(crate) fn start() -> Result<Self> {
        Ok(Meter { processor: processor_time()?, started: Instant::now() })
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn stop(&self) -> Result<Spent> {
        Ok(Spent { time: self.started.elapsed(), processor: processor_time()? - self.processor })
    }
}

fn processor_time() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let microseconds = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(microseconds.try_into()?))
}

/// Looking at the clock costs as much as the fastest operations, so it is looked at about this often, and no more often
/// than after each operation.
const LOOK_EVERY: Duration = Duration::from_micros(100);

/// Does `work` with item after item, until there are no more or the time is over. Returns how many were done.
pub(crate) fn timed<T>(
    items: impl IntoIterator<Item = T>,
    limit: Duration,
    mut work: impl FnMut(T) -> Result<()>,
) -> Result<(usize, Spent)> {
    let meter = Meter::start()?;
    let (mut done, mut stride, mut next_look, mut last_look) = (0, 1, 1, Duration::ZERO);
    for item in items {
        work(item)?;
        done += 1;
        if done == next_look {
            let now = meter.elapsed();
            if now >= limit {
                break;
            }
            stride = if now - last_look < LOOK_EVERY { 2 * stride } else { 1 };
            (next_look, last_look) = (done + stride, now);
        }
    }
    Ok((done, meter.stop()?))
}

/// Waits until no thread of this process works any more, so that a run is not charged for the work of the one before:
/// the merges that loading has left to do.
pub(crate) fn settle() -> Result<()> {
    const LOOK: Duration = Duration::from_millis(100);
    const IDLE: Duration = Duration::from_millis(3);
    for _ in 0..300 {
        let before = processor_time()?;
        std::thread::sleep(LOOK);
        if processor_time()? - before < IDLE {
            break;
        }
    }
    Ok(())
}

/// Bytes that this process has written: passed to system calls, and pages that it made the storage take. The first does
/// not see what is written into a mapping, the second counts in whole pages. `None` where the system does not count.
pub(crate) fn written() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/self/io").ok()?;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    Some((field("wchar:")?, field("write_bytes:")?))
}

/// The space that the files of a directory take on the disk. Holes take none.
pub(crate) fn disk_bytes(directory: &Path) -> Result<f64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0.0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { disk_bytes(&entry.path())? } else { metadata.blocks() as f64 * 512.0 };
    }
    Ok(bytes)
}
