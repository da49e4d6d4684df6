//! The files in the directory of a database.

use std::path::Path;

use crate::backup::UNFINISHED;
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::journal::segment_path;
use crate::manifest::NUMBERS;
use crate::merge::stone_path;
use crate::recover::unusable;

/// The database's files in a directory, by kind. Names of any other form are not ours and are left alone.
#[derive(Default)]
pub(crate) struct Files {
    pub(crate) segments: Vec<u64>,
    pub(crate) stones: Vec<u64>,
    /// Ascending.
    pub(crate) generations: Vec<u64>,
    pub(crate) temporary: Vec<String>,
    /// Whether a backup, a restore or a repair that wrote here did not come to its end.
    pub(crate) unfinished: bool,
}

impl Files {
    pub(crate) fn list(env: &dyn Env, directory: &Path) -> Result<Self> {
        env.list(directory).map(Files::of).map_err(|error| unusable(directory, &error))
    }

    pub(crate) fn of(names: Vec<String>) -> Self {
        let mut files = Files::default();
        for name in names {
            if name == UNFINISHED {
                files.temporary.push(name);
                continue;
            }
            let Some((number, kind)) = name.split_once('.') else { continue };
            if number.len() < 12 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
                continue;
            }
            let Some(number) = number.parse().ok().filter(|&number| number < NUMBERS) else { continue };
            match kind {
                "journal" => files.segments.push(number),
                "stone" => files.stones.push(number),
                "manifest" => files.generations.push(number),
                "manifest.tmp" => files.temporary.push(name),
                _ => {}
            }
        }
        files.generations.sort_unstable();
        // The manifest is what makes it whole; the mark may outlive it.
        files.unfinished = files.generations.is_empty() && files.temporary.iter().any(|name| name == UNFINISHED);
        files
    }

    /// Refuses a directory without a manifest that has other files of a database: the manifest is lost, or a backup, a
    /// restore or a repair did not come to its end.
    pub(crate) fn refuse_unnamed(&self, directory: &Path) -> Result<()> {
        self.check_finished(directory)?;
        if self.segments.is_empty() && self.stones.is_empty() {
            return Ok(());
        }
        let what = "there are database files but no manifest that names them; restore the manifest, or repair";
        Err(Error::corrupt(directory, 0, what))
    }

    /// The bytes of the stones and the journal, as far as they can be told.
    pub(crate) fn bytes(&self, env: &dyn Env, directory: &Path) -> u64 {
        let stones = self.stones.iter().map(|&number| stone_path(directory, number));
        let segments = self.segments.iter().map(|&number| segment_path(directory, number));
        stones.chain(segments).filter_map(|path| env.file_len(&path).ok()).sum()
    }

    /// Refuses what a backup, a restore or a repair has left that did not come to its end.
    pub(crate) fn check_finished(&self, directory: &Path) -> Result<()> {
        if !self.unfinished {
            return Ok(());
        }
        let what = "a backup, restore or repair into this directory was interrupted, and it is no database; remove it and \
                    begin again";
        Err(Error::new(Code::Directory, what).about(directory))
    }
}
