//! Opening a directory that other processes may have open.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::follow::read_journal;
use super::{Announced, COUNT, DATABASE, FAILED, Sharing, failed_elsewhere, stuck};
use crate::env::{Env, ProcessLock};
use crate::error::{Error, Result};
use crate::inner::{Generations, Inner};
use crate::journal::sync_segment;
use crate::manifest::Manifest;
use crate::options::Options;
use crate::recover::{Opening, Replayed, recover, take_lock, unusable};

/// Opens a directory that other processes may have open.
pub(crate) fn open(env: Arc<dyn Env>, directory: &Path, options: Options) -> Result<Arc<Inner>> {
    let sharing = Sharing::new(&*env, directory)?;
    let (membership, turn) = (Arc::clone(&sharing.membership), Arc::clone(&sharing.turn));
    // Nobody else opens the directory meanwhile, nor writes.
    sharing.wait_for_turn(&*env, directory)?;
    let _turn = Released(turn);
    let alone = enter(&*env, directory, &*membership)?;
    let member = Released(Arc::clone(&membership));
    let opening = Opening { env, directory, options, sharing: Some(sharing) };
    let inner = if alone { begin(opening)? } else { join(opening)? };
    if alone && !membership.try_shared().map_err(|error| unusable(directory, &error))? {
        return Err(take_lock(&*inner.env, directory).err().unwrap_or_else(|| stuck(directory, "opening it")));
    }
    *inner.lock.lock() = Some(Box::new(member));
    inner.catch_up();
    Ok(inner)
}

/// A lock that is let go at the end.
struct Released(Arc<dyn ProcessLock>);

impl Drop for Released {
    fn drop(&mut self) {
        // The system does it when the file is closed, if not now.
        let _at_the_latest_when_closed = self.0.release();
    }
}

/// Becomes a member. Whether there is no other.
fn enter(env: &dyn Env, directory: &Path, membership: &dyn ProcessLock) -> Result<bool> {
    let failed = |error| unusable(directory, &error);
    loop {
        if membership.try_exclusive().map_err(failed)? {
            return Ok(true);
        }
        if membership.try_shared().map_err(failed)? {
            return Ok(false);
        }
        // Somebody has it for himself. If he has just let go, it is tried again.
        drop(take_lock(env, directory)?);
    }
}

/// The first one recovers the directory, and announces what there is.
fn begin(opening: Opening<'_>) -> Result<Arc<Inner>> {
    let inner = recover(opening)?;
    let Some(sharing) = &inner.sharing else { return Ok(inner) };
    let mut core = inner.core.lock();
    core.journal.share()?;
    let Manifest { generation, database, .. } = inner.generations.lock().current;
    for index in 0..COUNT {
        sharing.numbers.store(index, 0);
    }
    sharing.numbers.store(DATABASE, database);
    sharing.enroll();
    sharing.generation.store(generation, Ordering::Release);
    sharing.announce(&Announced { generation, end: core.journal.end(), time: core.journal.time() });
    drop(core);
    Ok(inner)
}

/// Takes over what the others have announced. Nobody appends meanwhile.
fn join(opening: Opening<'_>) -> Result<Arc<Inner>> {
    let (env, directory) = (&opening.env, opening.directory);
    let Some(sharing) = &opening.sharing else { return recover(opening) };
    if sharing.numbers.load(FAILED) != 0 {
        return Err(failed_elsewhere());
    }
    let (version, announced) = sharing.read();
    let manifest = Manifest::load(&**env, directory, announced.generation)?;
    if sharing.numbers.load(DATABASE) != manifest.database {
        let what = "the file that processes share belongs to another database; close the database everywhere";
        return Err(Error::corrupt(&directory.join("shared"), 0, what));
    }
    sharing.enroll();
    sharing.followed.store(version, Ordering::Release);
    sharing.generation.store(announced.generation, Ordering::Release);
    let access = opening.access()?;
    let mut state = Replayed::new(env, directory, &manifest, &access);
    let mut sequence = 0;
    read_journal(&**env, directory, &manifest, announced.end, |frame| {
        sequence += 1;
        state.sequence = sequence;
        state.apply(frame)
    })?;
    // A process that died may have left these before they were synced.
    for number in manifest.first_segment..announced.end.number {
        sync_segment(&**env, directory, number)?;
    }
    env.sync_dir(directory).map_err(|error| Error::unsynced(directory, "sync the directory", &error))?;
    let next_stone = manifest.next_stone;
    let generations =
        Generations { next_generation: manifest.generation + 1, current: manifest, superseded: Vec::new() };
    let inner = state.into_inner(opening, access, generations, next_stone, announced.end);
    inner.core.lock().journal.join(announced.end, announced.time)?;
    Ok(inner)
}
