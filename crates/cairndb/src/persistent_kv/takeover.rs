//! Takes the records of a store of persistent-kv over into the map beside it.
//!
//! Everything is read twice. First to see whether all of it can be taken over: if not, nothing is written. Then to write
//! it. What is there after a crash says [`Marker`]: a take-over that was not finished begins again, one that is done is
//! never repeated, and a map that was never taken over is never touched. The store's own files are only read.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::Losses;
use super::files::{Group, find};
use super::marker::Marker;
use super::records::{Item, Records};
use super::report::{LossKind, Report};
use crate::batch::{Durability, MAX_KEY_BYTES, MAX_VALUE_BYTES, Op};
use crate::database::Database;
use crate::env::{Env, Mode, ProcessLock};
use crate::error::{Code, Error, Result};
use crate::map::{MapKey, TABLE};
use crate::record::Kind;

const LOCK: &str = "lockfile";
/// Held by the process that takes over.
const TURN: &str = "takeover.lock";
/// Records are written in commits of about this many bytes.
const COMMIT: usize = 1 << 20;
/// No record of persistent-kv with anything in it is shorter, in bytes.
const SHORTEST: u64 = 4;

/// Takes over what there is to take over. The report is there if there was something, now or earlier.
pub(super) fn take_over<K: MapKey>(
    env: &dyn Env,
    directory: &Path,
    home: &Path,
    db: &Database,
    losses: Losses,
) -> Result<Option<Report>> {
    // In this order: what is taken over by another process is marked before the first record is there.
    let empty = db.tables()?.is_empty();
    match Marker::load(env, home)? {
        Some(Marker::Done(report)) => return Ok(Some(report)),
        None if !empty || find(env, directory, &mut Report::default())?.is_empty() => return Ok(None),
        _ => {}
    }
    let _locks = lock(env, directory, home)?;
    if let Some(Marker::Done(report)) = Marker::load(env, home)? {
        return Ok(Some(report));
    }
    let mut report = Report::default();
    let groups = find(env, directory, &mut report)?;
    if groups.is_empty() {
        return Err(vanished(directory));
    }
    let source = Source { env, directory, groups };
    source.read::<K>(&mut report, &mut |_, _| Ok(()))?;
    if losses == Losses::Refuse
        && let Some(error) = refusal(directory, &report, "Losses::Accept takes over what is sound")
    {
        return Err(error);
    }
    Marker::Running.store(env, home)?;
    db.drop_table(TABLE, Durability::Full)?;
    let mut writer = Writer { db, entries: Vec::new(), bytes: 0 };
    // The second reading finds what the first found: the lock is ours.
    source.read::<K>(&mut Report::default(), &mut |key, value| writer.put(key, value))?;
    writer.commit()?;
    db.flush()?;
    report.entries = db.len(TABLE)?;
    Marker::Done(report.clone()).store(env, home)?;
    Ok(Some(report))
}

/// Keeps other processes that share the map from taking over too, and the original from running meanwhile.
fn lock(env: &dyn Env, directory: &Path, home: &Path) -> Result<Vec<Arc<dyn ProcessLock>>> {
    let ours = hold(env, &home.join(TURN), "another process takes the store over; open it again when that is done")?;
    Ok(std::iter::once(ours).chain(hold_original(env, directory)?).collect())
}

/// Keeps the original from running. Without its lock file it is not.
pub(super) fn hold_original(env: &dyn Env, directory: &Path) -> Result<Option<Arc<dyn ProcessLock>>> {
    let path = directory.join(LOCK);
    match env.file_len(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found.map_err(|error| Error::io(&path, "look at the store's lock", &error))?,
    };
    let what = "a program has the store open with persistent-kv; end it, then open the store again";
    hold(env, &path, what).map(Some)
}

/// Takes the lock on a file until it is dropped. The file's bytes stay as they are.
fn hold(env: &dyn Env, path: &Path, busy: &str) -> Result<Arc<dyn ProcessLock>> {
    let failed = |error: io::Error| Error::io(path, "take the lock", &error);
    let lock = env.process_lock(path).map_err(failed)?;
    if lock.try_exclusive().map_err(failed)? { Ok(lock) } else { Err(Error::new(Code::Locked, busy).about(path)) }
}

fn vanished(directory: &Path) -> Error {
    let what = "the store's files are gone, but they were not taken over to the end; put them back";
    Error::new(Code::Directory, what).about(directory)
}

/// Why a store is left alone, with what else can be done.
pub(super) fn refusal(directory: &Path, report: &Report, accept: &str) -> Option<Error> {
    let loss = report.grave()?;
    let path = directory.join(&loss.file);
    Some(match loss.kind {
        LossKind::WrongKey => {
            let what =
                format!("{}, at byte {}; name the type that the store has, or {accept}", loss.reason, loss.offset);
            Error::new(Code::InvalidKey, what).about(&path)
        }
        LossKind::TooLong => {
            Error::new(Code::TooLarge, format!("{}, at byte {}; {accept}", loss.reason, loss.offset)).about(&path)
        }
        _ => Error::corrupt(&path, loss.offset, format!("{}; {accept}", loss.reason)),
    })
}

type Sink<'a> = dyn FnMut(Vec<u8>, Option<&[u8]>) -> Result<()> + 'a;

pub(super) struct Source<'a> {
    pub(super) env: &'a dyn Env,
    pub(super) directory: &'a Path,
    pub(super) groups: Vec<Group>,
}

impl Source<'_> {
    /// Gives every change of the store to the sink, in order, and what it cannot give to the report.
    pub(super) fn read<K: MapKey>(&self, report: &mut Report, sink: &mut Sink<'_>) -> Result<()> {
        for group in &self.groups {
            if group.full || !is_reordered(group.shards.len()) {
                self.read_group::<K>(group, None, report, sink)?;
                continue;
            }
            self.read_group::<K>(group, Some(true), report, sink)?;
            self.read_group::<K>(group, Some(false), &mut Report::default(), sink)?;
        }
        Ok(())
    }

    /// `at_home` restricts it to the records in the shard of their keys, or to those in another one.
    fn read_group<K: MapKey>(
        &self,
        group: &Group,
        at_home: Option<bool>,
        report: &mut Report,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        for (shard, file) in group.shards.iter().enumerate() {
            report.files.push(file.clone());
            let path = self.directory.join(file);
            let failed = |error: io::Error| Error::io(&path, "read the store's file", &error);
            let opened = self.env.open(&path, Mode::Read).map_err(failed)?;
            let mut records = Records::new(&*opened).map_err(failed)?;
            while let Some((offset, len, item)) = records.next().map_err(failed)? {
                let change = match judge::<K>(item, len, group.full) {
                    Ok(change) => change,
                    Err((kind, reason)) => {
                        report.lose(file, kind, offset, len, reason);
                        continue;
                    }
                };
                if at_home.is_none_or(|at_home| at_home == (home(change.stored, group.shards.len()) == shard)) {
                    sink(change.key, change.value)?;
                }
            }
        }
        Ok(())
    }
}

pub(super) struct Change<'a> {
    /// The key as persistent-kv has it.
    pub(super) stored: &'a [u8],
    pub(super) key: Vec<u8>,
    /// `None` where it was removed.
    pub(super) value: Option<&'a [u8]>,
}

/// What a part of a file does to the map, or why it does nothing.
pub(super) fn judge<K: MapKey>(
    item: Item<'_>,
    len: u64,
    full: bool,
) -> std::result::Result<Change<'_>, (LossKind, &'static str)> {
    let (stored, value) = match item {
        Item::Record { key, value } => (key, value),
        // The removal of an empty key takes one byte of zero.
        Item::Zeros if len < SHORTEST && K::from_persistent_kv(&[]).is_some() => (&[][..], &[][..]),
        Item::Zeros if full => return Err((LossKind::Damaged, "there are zeros in a full snapshot")),
        Item::Zeros => return Err((LossKind::Hole, "a crash came before a record was written")),
        Item::Cut if full => return Err((LossKind::Damaged, "a full snapshot ends in the middle of a record")),
        Item::Cut => return Err((LossKind::Cut, "a crash cut the last record")),
        Item::TooLong => return Err((LossKind::TooLong, "a record has more bytes than can be stored")),
        Item::Damaged(reason) => return Err((LossKind::Damaged, reason)),
    };
    let Some(key) = K::from_persistent_kv(stored).map(|key| key.to_key()) else {
        return Err((LossKind::WrongKey, "a key is not of the type that was asked for"));
    };
    if key.len() > MAX_KEY_BYTES {
        return Err((LossKind::TooLong, "a key has more bytes than can be stored"));
    }
    if value.len() > MAX_VALUE_BYTES {
        return Err((LossKind::TooLong, "a value has more bytes than can be stored"));
    }
    Ok(Change { stored, key, value: Some(value).filter(|value| !value.is_empty()) })
}

/// When a store is opened again, persistent-kv goes on with the shards of its log in the order of their names, in which
/// 10 comes before 2. So from eleven shards on a key may be in two of them: first in the one that it belongs to, later in
/// the other.
fn is_reordered(shards: usize) -> bool {
    shards > 10
}

/// The shard that a key belongs to: persistent-kv takes the hash that the standard library has for bytes.
fn home(key: &[u8], shards: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    (hasher.finish() % shards.max(1) as u64) as usize
}

struct Writer<'a> {
    db: &'a Database,
    entries: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    bytes: usize,
}

impl Writer<'_> {
    fn put(&mut self, key: Vec<u8>, value: Option<&[u8]>) -> Result<()> {
        self.bytes += key.len() + value.map_or(0, <[u8]>::len) + size_of::<Op<'_>>();
        self.entries.push((key, value.map(<[u8]>::to_vec)));
        if self.bytes < COMMIT { Ok(()) } else { self.commit() }
    }

    fn commit(&mut self) -> Result<()> {
        let ops: Vec<Op<'_>> = self
            .entries
            .iter()
            .map(|(key, value)| match value {
                Some(value) => Op::put(TABLE, key, Kind::BYTES, value),
                None => Op::delete(TABLE, key),
            })
            .collect();
        self.db.commit(&ops, Durability::Os)?;
        self.entries.clear();
        self.bytes = 0;
        Ok(())
    }
}
