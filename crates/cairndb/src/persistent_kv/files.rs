//! Which files of persistent-kv make up a store, and in which order they are read.
//!
//! `snapshot_<ordinal>_<shard>-of-<shards>_<diff|full|pending>.bin`: what is in the store is the newest `full` one and
//! every later `diff` on top, in the order of their numbers. The shards of an ordinal belong together.

use std::collections::BTreeMap;
use std::path::Path;

use crate::env::Env;
use crate::error::{Error, Result};

use super::report::{LossKind, Report};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Diff,
    Full,
    /// A full one that was not finished: what it was made of is still there.
    Pending,
}

struct Name {
    ordinal: u64,
    shard: u64,
    shards: u64,
    kind: Kind,
    file: String,
}

impl Name {
    fn parse(file: String) -> Option<Self> {
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
            plain.then(|| digits.parse().ok()).flatten()
        };
        let mut parts = file.strip_prefix("snapshot_")?.strip_suffix(".bin")?.split('_');
        let ordinal = number(parts.next()?)?;
        let (shard, shards) = parts.next()?.split_once("-of-")?;
        let (shard, shards) = (number(shard)?, number(shards)?);
        let kind = match parts.next()? {
            "diff" => Kind::Diff,
            "full" => Kind::Full,
            "pending" => Kind::Pending,
            _ => return None,
        };
        parts.next().is_none().then_some(Name { ordinal, shard, shards, kind, file })
    }
}

/// The files of one ordinal.
pub(super) struct Group {
    pub(super) full: bool,
    /// By their number.
    pub(super) shards: Vec<String>,
}

/// The groups to read, one after the other. What is wrong with them goes to the report.
pub(super) fn find(env: &dyn Env, directory: &Path, report: &mut Report) -> Result<Vec<Group>> {
    let listed = env.list(directory).map_err(|error| Error::io(directory, "list the store's files", &error))?;
    let mut ordinals: BTreeMap<u64, Vec<Name>> = BTreeMap::new();
    for name in listed.into_iter().filter_map(Name::parse) {
        ordinals.entry(name.ordinal).or_default().push(name);
    }
    // A crash while it was finished leaves some of its shards under their last names.
    ordinals.retain(|_, names| names.iter().all(|name| name.kind != Kind::Pending));
    let base = ordinals.iter().rev().find(|(_, names)| names.iter().any(|name| name.kind == Kind::Full));
    if let Some((&base, _)) = base {
        ordinals = ordinals.split_off(&base);
    }
    let newest = ordinals.keys().next_back().copied();
    let mut groups = Vec::new();
    for (ordinal, mut names) in ordinals {
        names.sort_by_key(|name| name.shard);
        if let Some((file, reason)) = fault(&names) {
            if newest == Some(ordinal) && just_begun(env, directory, &names)? {
                continue;
            }
            report.lose(&file, LossKind::Damaged, 0, 0, &reason);
        }
        let full = names.iter().any(|name| name.kind == Kind::Full);
        groups.push(Group { full, shards: names.into_iter().map(|name| name.file).collect() });
    }
    Ok(groups)
}

/// What cannot be of the files of one ordinal, and the file that it is told of.
fn fault(names: &[Name]) -> Option<(String, String)> {
    let first = names.first()?;
    for (expected, name) in (0_u64..).zip(names) {
        if name.kind != first.kind || name.shards != first.shards {
            return Some((name.file.clone(), format!("its shard count or type is not that of {}", first.file)));
        }
        if name.shard < expected {
            return Some((name.file.clone(), format!("there are two files of shard {}", name.shard)));
        }
        if name.shard > expected {
            return Some((name.file.clone(), format!("the file of shard {expected} is missing beside it")));
        }
    }
    let last = names.last()?;
    let missing = last.shard + 1 != last.shards;
    missing.then(|| (last.file.clone(), format!("shards of {} are missing behind it", last.shards)))
}

/// A log of which not all files were made when the process died has no records yet.
fn just_begun(env: &dyn Env, directory: &Path, names: &[Name]) -> Result<bool> {
    for name in names {
        let path = directory.join(&name.file);
        let len = env.file_len(&path).map_err(|error| Error::io(&path, "look at the store's file", &error))?;
        if name.kind != Kind::Diff || len > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}
