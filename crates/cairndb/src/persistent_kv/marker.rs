//! `takeover.json`: how far a take-over has come.
//!
//! It is JSON in UTF-8: `{"takeover": {"format": 1, "state": "running" | "done", "report": …}, "sha256": …}`, with the
//! report only when it is done. The digest, in hexadecimal digits, is of the text of `takeover` without white space
//! between its parts. The file is replaced as a whole: written under another name, synced, renamed, and the directory
//! synced.

use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::report::Report;
use crate::codec::sha256;
use crate::env::{Env, Mode};
use crate::error::{Error, Result};
use crate::reclaim::remove_if_there;

const NAME: &str = "takeover.json";
/// No marker is longer, so that a file that only claims to be one cannot exhaust memory.
const MAX_LEN: u64 = 64 << 20;

pub(super) enum Marker {
    Running,
    Done(Report),
}

impl Marker {
    /// The marker in a directory, if there is one.
    pub(super) fn load(env: &dyn Env, home: &Path) -> Result<Option<Self>> {
        let path = home.join(NAME);
        let file = match env.open(&path, Mode::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| Error::io(&path, "open the state of the take-over", &error))?,
        };
        let damaged = || {
            let what = "the state of the take-over is damaged; \
                        if nothing was written since, move .cairndb away to take the store over again";
            Error::corrupt(&path, 0, what)
        };
        let read = file.len().and_then(|len| if len > MAX_LEN { Ok(None) } else { file.read_all().map(Some) });
        let bytes = read.map_err(|error| Error::io(&path, "read the state of the take-over", &error))?;
        bytes.as_deref().and_then(Marker::decode).map(Some).ok_or_else(damaged)
    }

    /// Puts the marker in the place of the one before. When this returns, it is on the disk.
    pub(super) fn store(&self, env: &dyn Env, home: &Path) -> Result<()> {
        let (path, temporary) = (home.join(NAME), home.join(format!("{NAME}.tmp")));
        remove_if_there(env, &temporary)?;
        let write = || {
            let file = env.open(&temporary, Mode::Create)?;
            file.write_all_at(self.encode().as_bytes(), 0)?;
            file.sync()?;
            drop(file);
            env.rename(&temporary, &path)?;
            env.sync_dir(home)
        };
        write().map_err(|error| Error::io(&path, "write the state of the take-over", &error))
    }

    fn encode(&self) -> String {
        let takeover = match self {
            Marker::Running => json!({ "format": 1, "state": "running" }),
            Marker::Done(report) => json!({ "format": 1, "state": "done", "report": report.to_json() }),
        };
        let seal = seal(&takeover);
        json!({ "takeover": takeover, "sha256": seal }).to_string()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let json: Value = serde_json::from_slice(bytes).ok()?;
        let takeover = json.get("takeover")?;
        if json.get("sha256")?.as_str()? != seal(takeover) || takeover.get("format")?.as_u64()? != 1 {
            return None;
        }
        match takeover.get("state")?.as_str()? {
            "running" => Some(Marker::Running),
            "done" => Report::from_json(takeover.get("report")?).map(Marker::Done),
            _ => None,
        }
    }
}

fn seal(takeover: &Value) -> String {
    sha256(takeover.to_string().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
