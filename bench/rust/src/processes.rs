//! Measuring processes: this program, run again for one engine and one workload.

use std::env;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::measure::Figure;
use crate::store::{Engine, Result};
use crate::workloads::{Run, Workload};

/// The first argument of a measuring process.
pub(crate) const CHILD: &str = "--child";

/// What a measuring process is told besides its workload.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) records: usize,
    pub(crate) seconds: f64,
    pub(crate) round: u64,
}

/// Runs a workload in a process of its own, in a directory that is as it should be.
pub(crate) fn measure(engine: &Engine, workload: &Workload, directory: &Path, size: Size) -> Result<Vec<Figure>> {
    let numbers = [size.records.to_string(), size.seconds.to_string(), size.round.to_string()];
    let child = Command::new(env::current_exe()?)
        .args([CHILD, engine.name, workload.name])
        .arg(directory)
        .args(numbers)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()?;
    if !child.status.success() {
        return Err(format!("{}: {}", child.status, String::from_utf8_lossy(&child.stderr).trim_end()).into());
    }
    // A library may print too, so what counts is the last line.
    let output = String::from_utf8(child.stdout)?;
    Ok(serde_json::from_str(output.lines().last().unwrap_or_default())?)
}

/// The other side of [`measure`].
pub(crate) fn be_measured(arguments: &[String]) -> Result<String> {
    let [engine, workload, directory, records, seconds, round] = arguments else {
        return Err("a measuring process is started by the benchmark only".into());
    };
    let engine = crate::ENGINES.iter().find(|known| known.name == engine).ok_or("there is no such engine")?;
    let workload = crate::WORKLOADS.iter().find(|known| known.name == workload).ok_or("there is no such workload")?;
    let size = Size { records: records.parse()?, seconds: seconds.parse()?, round: round.parse()? };
    let figures = (workload.run)(&Run::new(engine, Path::new(directory), size))?;
    Ok(serde_json::to_string(&figures)?)
}

/// Copies a closed store, and brings the copy to the disk, so that no run is charged for it.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    // `cp` keeps holes, which some stores' files consist of for the most part.
    let status = Command::new("cp").arg("-R").arg(from).arg(to).status()?;
    if status.success() { sync_all(to) } else { Err(format!("cp ended with {status}").into()) }
}

fn sync_all(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() { sync_all(&path)? } else { File::open(&path)?.sync_all()? }
    }
    Ok(())
}
