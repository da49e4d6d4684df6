//! Several processes in one directory.
//!
//! Each has the whole of what is in memory. What they have in common beside the files are a few numbers in a mapped file:
//! how far the journal goes and which generation is the present one, with a version that moves with each change.
//!
//! - **To commit**, a process waits for its turn (a lock among processes), reads what the others have appended, appends
//!   its own frame, announces the new end, and gives the turn back. It syncs after that, so a turn is short.
//! - **To read**, it compares the version with the one that it has followed: one load where nothing has changed. Else it
//!   reads on in the journal, or, if another process has flushed, begins again from the new generation's manifest.
//! - **Flushes, merges and the removal of files** are done by one process at a time, by another lock.
//!
//! The system releases the locks of whoever dies. A frame that he had not announced is overwritten by the next one; a
//! generation that he had not announced is removed by whoever does the upkeep next. Whoever opens the directory while
//! nobody else has it recovers it as in exclusive use, and the numbers begin anew.
//!
//! | number | what |
//! | --- | --- |
//! | 0 | version; the announcement of version *v* is in slot *v* mod 2 |
//! | 1 | not 0 once a write or a sync has failed: nobody appends any more |
//! | 2 | who did the upkeep last |
//! | 3 | the number of the database |
//! | 4 | how many have opened the directory since the first one |
//! | 5 | 1 during a turn; 1 before it says that somebody died during his |
//! | 8 to 12, 16 to 20 | the slots: generation, number, end and last digest of the last segment, time of the last frame |

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::catalog::Target;
use crate::env::{Env, ProcessLock, SharedNumbers};
use crate::error::{Code, Error, Result};
use crate::inner::{Core, Generations, Inner};
use crate::journal::{ReplayFrom, SegmentEnd, Ticket, sync_segment, walk};
use crate::manifest::{Manifest, StoneEntry};
use crate::merge::stone_path;
use crate::options::Options;
use crate::reclaim::{Superseded, remove_if_there};
use crate::recover::{Files, Opening, Replayed, recover, take_lock, unnamed, unusable};
use crate::stone::Stone;
use crate::sync::{AtomicU64, Mutex, MutexGuard};
use crate::table::{Layer, Table};

const VERSION: usize = 0;
const FAILED: usize = 1;
const KEEPER: usize = 2;
const DATABASE: usize = 3;
const MEMBERS: usize = 4;
const TURN: usize = 5;
const SLOTS: [usize; 2] = [8, 16];
const COUNT: usize = 24;

/// How long a process waits for a turn. One that is alive takes it for less than a millisecond; one that was stopped in
/// the middle keeps it.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same for the upkeep, where a merge may take its time.
const PATIENCE_WITH_UPKEEP: Duration = Duration::from_secs(120);
const SHORTEST_PAUSE: Duration = Duration::from_micros(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(1);

/// What processes tell each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Announced {
    generation: u64,
    end: SegmentEnd,
    time: u64,
}

/// A process's part in a directory that is shared.
pub(crate) struct Sharing {
    numbers: Box<dyn SharedNumbers>,
    /// Held together by all who have the directory open.
    membership: Arc<dyn ProcessLock>,
    /// The right to append.
    turn: Arc<dyn ProcessLock>,
    /// The right to flush, merge, and remove files; and how many threads of this process use it.
    upkeep: Arc<dyn ProcessLock>,
    keepers: Mutex<usize>,
    /// Tells this process from others: the how manieth it was to open the directory.
    me: AtomicU64,
    /// The version whose announcement this process has followed.
    followed: AtomicU64,
    /// The generation that it has.
    generation: AtomicU64,
}

impl Sharing {
    fn new(env: &dyn Env, directory: &Path) -> Result<Self> {
        let lock = |name: &str| env.process_lock(&directory.join(name)).map_err(|error| unusable(directory, &error));
        Ok(Sharing {
            numbers: env
                .shared_numbers(&directory.join("shared"), COUNT)
                .map_err(|error| unusable(directory, &error))?,
            membership: lock("lock")?,
            turn: lock("turn.lock")?,
            upkeep: lock("upkeep.lock")?,
            keepers: Mutex::new(0),
            me: AtomicU64::new(0),
            followed: AtomicU64::new(0),
            generation: AtomicU64::new(0),
        })
    }

    fn version(&self) -> u64 {
        self.numbers.load(VERSION)
    }

    fn is_behind(&self) -> bool {
        self.version() != self.followed.load(Ordering::Acquire)
    }

    /// The last announcement, with its version. The slot of a version is written again only after the next version was
    /// announced, so what was read is whole if the version still stands.
    fn read(&self) -> (u64, Announced) {
        loop {
            let version = self.version();
            let slot = slot_of(version);
            let [generation, number, offset, digest, time] = [0, 1, 2, 3, 4].map(|i| self.numbers.load(slot + i));
            if self.version() == version {
                let end = SegmentEnd { number, offset, digest };
                return (version, Announced { generation, end, time });
            }
        }
    }

    /// Only whoever has the turn calls this.
    fn announce(&self, announced: &Announced) {
        let version = self.version().wrapping_add(1);
        let Announced { generation, end, time } = *announced;
        for (place, number) in (slot_of(version)..).zip([generation, end.number, end.offset, end.digest, time]) {
            self.numbers.store(place, number);
        }
        self.numbers.store(VERSION, version);
        self.followed.store(version, Ordering::Release);
    }

    fn wait_for_turn(&self, env: &dyn Env, directory: &Path) -> Result<()> {
        let since = env.monotonic();
        let mut pause = SHORTEST_PAUSE;
        loop {
            if self.turn.try_exclusive().map_err(|error| Error::io(directory, "take a turn to write", &error))? {
                return Ok(());
            }
            if Duration::from_nanos(env.monotonic().saturating_sub(since)) > PATIENCE {
                return Err(stuck(directory, "writing"));
            }
            env.pause(pause);
            pause = LONGEST_PAUSE.min(2 * pause);
        }
    }

    /// Gives the turn back.
    fn end_turn(&self) {
        self.numbers.store(TURN, 0);
        self.release_turn();
    }

    fn release_turn(&self) {
        // The system does it when the file is closed, if not now.
        let _at_the_latest_when_closed = self.turn.release();
    }

    /// Takes the next member's number. Only whoever has the turn calls this.
    fn enroll(&self) {
        let me = self.numbers.load(MEMBERS) + 1;
        self.numbers.store(MEMBERS, me);
        self.me.store(me, Ordering::Relaxed);
    }

    /// Tells the others that nothing more may be appended.
    fn fail(&self) {
        self.numbers.store(FAILED, 1);
    }
}

fn slot_of(version: u64) -> usize {
    if version.is_multiple_of(2) { SLOTS[0] } else { SLOTS[1] }
}

fn stuck(directory: &Path, doing: &str) -> Error {
    let what =
        format!("another process that shares the database has been {doing} for too long; it may have been stopped");
    Error::new(Code::Locked, what).about(directory)
}

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

fn failed_elsewhere() -> Error {
    let what = "a write of another process that shares the database has failed, so nothing more is written; close the \
                database in all processes, and open it again";
    Error::new(Code::Failed, what)
}

/// Gives every frame from the first segment of a generation up to an end that was announced.
fn read_journal(
    env: &dyn Env,
    directory: &Path,
    manifest: &Manifest,
    end: SegmentEnd,
    mut visit: impl FnMut(&crate::journal::ReplayedFrame<'_>) -> Result<()>,
) -> Result<()> {
    let from = ReplayFrom { database: manifest.database, first: manifest.first_segment, durable: manifest.durable };
    let segments: Vec<u64> = (from.first..=end.number).collect();
    let found = walk(env, directory, &segments, from, end.offset, |frame| visit(&frame))?;
    if found == end {
        return Ok(());
    }
    let path = crate::journal::segment_path(directory, found.number);
    Err(Error::corrupt(&path, found.offset, "the journal ends before what a process announced; run verify"))
}

/// The commit lock; in a directory that is shared also the turn among processes, with all that others have committed.
/// What was appended is announced when it is dropped.
pub(crate) struct Committing<'a> {
    inner: &'a Inner,
    core: MutexGuard<'a, Core>,
    before: Option<Announced>,
}

impl Deref for Committing<'_> {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}

impl DerefMut for Committing<'_> {
    fn deref_mut(&mut self) -> &mut Core {
        &mut self.core
    }
}

impl Drop for Committing<'_> {
    fn drop(&mut self) {
        let Some(sharing) = &self.inner.sharing else { return };
        let now = announcement(sharing, &self.core);
        if self.before != Some(now) {
            sharing.announce(&now);
        }
        let closed = self.inner.closed.load(Ordering::Acquire);
        if !closed && self.inner.syncer.failure().is_some() {
            sharing.fail();
        }
        sharing.end_turn();
    }
}

fn announcement(sharing: &Sharing, core: &Core) -> Announced {
    let generation = sharing.generation.load(Ordering::Acquire);
    Announced { generation, end: core.journal.end(), time: core.journal.time() }
}

/// The right to flush, to merge and to remove files.
pub(crate) struct Upkeep<'a>(Option<&'a Sharing>);

impl Drop for Upkeep<'_> {
    fn drop(&mut self) {
        let Some(sharing) = self.0 else { return };
        let mut keepers = sharing.keepers.lock();
        *keepers -= 1;
        if *keepers == 0 {
            // The system does it when the file is closed, if not now.
            let _at_the_latest_when_closed = sharing.upkeep.release();
        }
    }
}

impl Inner {
    /// Brings to the disk what was written up to `ticket`, or all of it. If that fails nobody appends any more.
    pub(crate) fn sync(&self, ticket: Option<Ticket>) -> Result<()> {
        let outcome = ticket.map_or_else(|| self.syncer.sync_all(), |ticket| self.syncer.sync(ticket));
        // Whoever has closed may not speak for the others.
        if let (Err(_), Some(sharing), Ok(())) = (&outcome, &self.sharing, self.check_open()) {
            sharing.fail();
        }
        outcome
    }

    /// Takes the commit lock.
    pub(crate) fn committing(&self) -> Result<Committing<'_>> {
        let mut core = self.core.lock();
        let Some(sharing) = &self.sharing else { return Ok(Committing { inner: self, core, before: None }) };
        self.check_held()?;
        sharing.wait_for_turn(&*self.env, &self.directory)?;
        if let Err(error) = self.begin_turn(sharing, &mut core) {
            sharing.release_turn();
            return Err(error);
        }
        if sharing.numbers.load(FAILED) != 0 {
            self.syncer.fail(failed_elsewhere());
        }
        let before = Some(sharing.read().1);
        Ok(Committing { inner: self, core, before })
    }

    /// Learns what the others did in their turns.
    fn begin_turn(&self, sharing: &Sharing, core: &mut Core) -> Result<()> {
        self.follow_in(sharing, core)?;
        if sharing.numbers.load(TURN) != 0 {
            core.journal.bury()?;
        }
        sharing.numbers.store(TURN, 1);
        Ok(())
    }

    /// Takes in what other processes have done.
    pub(crate) fn follow(&self) -> Result<()> {
        match &self.sharing {
            Some(sharing) if sharing.is_behind() => {
                let mut core = self.core.lock();
                self.check_open()?;
                self.follow_in(sharing, &mut core)
            }
            _ => Ok(()),
        }
    }

    /// Reads with all that was committed before. A file that another process has removed meanwhile, since it had put
    /// another one in its place, is no error.
    pub(crate) fn up_to_date<T>(&self, read: impl Fn() -> Result<T>) -> Result<T> {
        loop {
            self.follow()?;
            let generation = self.sharing.as_ref().map(|sharing| sharing.generation.load(Ordering::Acquire));
            let outcome = read();
            let present = self.sharing.as_ref().map(|sharing| sharing.read().1.generation);
            if outcome.is_ok() || present <= generation {
                return outcome;
            }
        }
    }

    fn follow_in(&self, sharing: &Sharing, core: &mut Core) -> Result<()> {
        loop {
            let (version, announced) = sharing.read();
            if version == sharing.followed.load(Ordering::Acquire) {
                return Ok(());
            }
            match self.advance(sharing, core, &announced) {
                Ok(()) => sharing.followed.store(version, Ordering::Release),
                // What it names may have been replaced, and removed.
                Err(_) if sharing.read().1.generation > announced.generation => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn advance(&self, sharing: &Sharing, core: &mut Core, announced: &Announced) -> Result<()> {
        // This process may have put one in place that it has not announced yet.
        if announced.generation > sharing.generation.load(Ordering::Acquire) {
            self.enter_generation(core, announced)?;
            sharing.generation.store(announced.generation, Ordering::Release);
        }
        let Core { journal, sequence, next_table, .. } = core;
        journal.follow(announced.end, |frame| {
            *sequence += 1;
            let mut target = Target {
                catalog: &self.catalog,
                sequence: *sequence,
                snapshots_open: self.snapshots.load(Ordering::SeqCst) > 0,
                memory: &self.memory,
                frozen_memory: &self.frozen_memory,
                next_table,
            };
            self.show(|| {
                let applied = target.apply(&frame);
                self.visible.store(*sequence, Ordering::SeqCst);
                applied
            })
        })
    }

    /// Goes over to a generation that another process has put in place.
    fn enter_generation(&self, core: &mut Core, announced: &Announced) -> Result<()> {
        let manifest = Manifest::load(&*self.env, &self.directory, announced.generation)?;
        let merged_only = manifest.first_segment == self.generations.lock().current.first_segment;
        if merged_only {
            self.replace_stones(&manifest)
        } else {
            self.reload(core, &manifest, announced)?
        }
        let mut generations = self.generations.lock();
        generations.next_generation = manifest.generation + 1;
        generations.current = manifest;
        Ok(())
    }

    fn replace_stones(&self, manifest: &Manifest) {
        for entry in &manifest.tables {
            let Some(table) = self.catalog.read().table_by_id(entry.id).cloned() else { continue };
            let levels = table.levels.load();
            let known = |number: u64| levels.stones.iter().find(|layer| layer.number == number);
            let is_known = |stone: &StoneEntry| known(stone.number).is_some();
            if entry.stones.len() == levels.stones.len() && entry.stones.iter().all(is_known) {
                continue;
            }
            let layer =
                |stone: &StoneEntry| known(stone.number).cloned().unwrap_or_else(|| self.layer(entry.id, stone));
            let layers: Vec<Layer> = entry.stones.iter().map(layer).collect();
            table.restack(|levels| levels.stones.clone_from(&layers));
        }
    }

    fn layer(&self, table: u32, StoneEntry { number, info }: &StoneEntry) -> Layer {
        let path = stone_path(&self.directory, *number);
        let stone = Stone::new(Arc::clone(&self.env), path, table, info.clone(), self.access.clone());
        Layer::new(*number, self.adopt(*number, stone))
    }

    /// Begins again from a generation, since the journal from which the memtables come is no longer kept.
    fn reload(&self, core: &mut Core, manifest: &Manifest, announced: &Announced) -> Result<()> {
        let mut state = Replayed::new(&self.env, &self.directory, manifest, &self.access);
        // Readers see all of it: it is at least what they have seen before.
        state.sequence = core.sequence;
        read_journal(&*self.env, &self.directory, manifest, announced.end, |frame| state.apply(frame))?;
        core.journal.jump(announced.end, announced.time)?;
        core.checkpoint_position = core.journal.position();
        core.next_table = core.next_table.max(state.next_table);
        core.sequence += 1;
        self.show(|| {
            self.take_over(state, core.sequence - 1);
            self.visible.store(core.sequence, Ordering::SeqCst);
        });
        Ok(())
    }

    fn take_over(&self, state: Replayed, sequence: u64) {
        let Replayed { catalog, stones, memory, .. } = state;
        self.stones.lock().extend(stones);
        let fresh = catalog.into_inner();
        let mut catalog = self.catalog.write();
        let gone: Vec<Arc<Table>> =
            catalog.tables().filter(|table| fresh.table_by_id(table.id).is_none()).cloned().collect();
        for table in gone {
            catalog.remove(table.id);
            table.dropped.store(true, Ordering::Release);
            table.levels.swap(Arc::default());
        }
        for table in fresh.tables() {
            match catalog.table_by_id(table.id) {
                Some(known) => known.become_like(table, sequence),
                None => catalog.insert(Arc::clone(table)),
            }
        }
        catalog.dictionaries = fresh.dictionaries;
        catalog.shapes = fresh.shapes;
        self.memory.store(memory.load(Ordering::Acquire), Ordering::Release);
        self.frozen_memory.store(0, Ordering::Release);
    }

    /// Waits for the right to the upkeep.
    pub(crate) fn upkeep(&self) -> Result<Upkeep<'_>> {
        let since = self.env.monotonic();
        loop {
            if let Some(upkeep) = self.try_upkeep()? {
                return Ok(upkeep);
            }
            self.check_open()?;
            if Duration::from_nanos(self.env.monotonic().saturating_sub(since)) > PATIENCE_WITH_UPKEEP {
                return Err(stuck(&self.directory, "flushing or merging"));
            }
            self.env.pause(LONGEST_PAUSE);
        }
    }

    /// The right to the upkeep, unless another process has it.
    pub(crate) fn try_upkeep(&self) -> Result<Option<Upkeep<'_>>> {
        let Some(sharing) = &self.sharing else { return Ok(Some(Upkeep(None))) };
        let mut keepers = sharing.keepers.lock();
        if *keepers == 0 {
            let taken = sharing.upkeep.try_exclusive();
            if !taken.map_err(|error| Error::io(&self.directory, "take the upkeep", &error))? {
                return Ok(None);
            }
            if let Err(error) = self.take_stock(sharing) {
                let _at_the_latest_when_closed = sharing.upkeep.release();
                return Err(error);
            }
        }
        *keepers += 1;
        Ok(Some(Upkeep(Some(sharing))))
    }

    /// Learns what other processes have done to the files, and removes what one left behind that died.
    fn take_stock(&self, sharing: &Sharing) -> Result<()> {
        if sharing.numbers.load(FAILED) != 0 {
            return Err(failed_elsewhere());
        }
        self.follow()?;
        let me = sharing.me.load(Ordering::Relaxed);
        if sharing.numbers.load(KEEPER) == me {
            return Ok(());
        }
        let files = Files::list(&*self.env, &self.directory)?;
        let mut generations = self.generations.lock();
        let present = generations.current.generation;
        let older = files.generations.iter().filter(|number| **number < present);
        let older: Vec<Manifest> =
            older.filter_map(|number| Manifest::load(&*self.env, &self.directory, *number).ok()).collect();
        for path in unnamed(&self.directory, &files, &generations.current, &older) {
            remove_if_there(&*self.env, &path)?;
        }
        let now = self.env.monotonic();
        let since = |manifest: &Manifest| {
            let known = generations.superseded.iter().find(|old| old.manifest.generation == manifest.generation);
            known.map_or(now, |old| old.since)
        };
        generations.superseded =
            older.into_iter().map(|manifest| Superseded { since: since(&manifest), manifest }).collect();
        let last = files.generations.last().copied().unwrap_or(present).max(present);
        generations.next_generation = last + 1;
        let next_stone = files.stones.iter().map(|number| number + 1).max().unwrap_or(1);
        let next_stone = next_stone.max(generations.current.next_stone).max(self.next_stone.load(Ordering::Acquire));
        self.next_stone.store(next_stone, Ordering::Release);
        sharing.numbers.store(KEEPER, me);
        Ok(())
    }

    /// Tells the other processes of a generation that this one has put in place. Until that is done this one keeps the
    /// upkeep: another would take the generation for one that a dead process left behind.
    pub(crate) fn announce_generation(&self, generation: u64) {
        let Some(sharing) = &self.sharing else { return };
        sharing.generation.store(generation, Ordering::Release);
        loop {
            match self.committing() {
                Ok(_announced_at_its_end) => return,
                // Then nobody uses it, and it is indeed left behind.
                Err(error) if error.code() == Code::Closed => return,
                Err(error) if error.code() == Code::Locked => {}
                Err(error) => {
                    sharing.fail();
                    return self.syncer.fail(error);
                }
            }
        }
    }

    /// The number of the present generation.
    pub(crate) fn generation(&self) -> u64 {
        self.generations.lock().current.generation
    }
}
