//! Opening: take the lock, choose a generation, replay the journal, remove what a crash left behind.

use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use crate::catalog::{Catalog, Names, Target};
use crate::env::{Env, File, LockAttempt, Mode};
use crate::error::{Code, Error, Result};
use crate::files::Files;
use crate::inner::{Core, Generations, Inner};
use crate::journal::{ReplayFrom, ReplayedFrame, SegmentEnd, Syncer, Writer, replay, segment_path};
use crate::manifest::{Manifest, TableEntry};
use crate::merge::stone_path;
use crate::options::Options;
use crate::reclaim::{Superseded, remove_if_there};
use crate::sharing::{self, Sharing};
use crate::stone::{Access, BlockCache, Stone};
use crate::sync::{AtomicU64, AtomicUsize, Mutex};
use crate::table::{Layer, Table};
use crate::view;

/// The least and the most bytes of the cache that stones are read through when they are not mapped. Between them it is as
/// large as a memtable, so that one option says how much memory a database takes.
const BLOCK_CACHE: (u64, u64) = (1 << 20, 64 << 20);

/// A journal in more segments than this is gathered by a checkpoint.
const MANY_SEGMENTS: u64 = 8;

pub(crate) fn open(env: Arc<dyn Env>, directory: &Path, options: Options) -> Result<Arc<Inner>> {
    options.validate()?;
    if options.read_only {
        return view::open(env, directory, options);
    }
    env.create_dir(directory).map_err(|error| unusable(directory, &error))?;
    if options.shared {
        return sharing::open(env, directory, options);
    }
    let lock = take_lock(&*env, directory)?;
    let inner = recover(Opening { env, directory, options, sharing: None })?;
    *inner.lock.lock() = Some(lock);
    inner.catch_up();
    Ok(inner)
}

/// What a database is opened with.
pub(crate) struct Opening<'a> {
    pub(crate) env: Arc<dyn Env>,
    pub(crate) directory: &'a Path,
    pub(crate) options: Options,
    pub(crate) sharing: Option<Sharing>,
}

impl Opening<'_> {
    /// How stones are read.
    pub(crate) fn access(&self) -> Result<Access> {
        if self.options.mmap {
            return Ok(Access::Mapped);
        }
        let (least, most) = BLOCK_CACHE;
        let bytes = (self.options.memtable_bytes as u64).clamp(least, most);
        Ok(Access::Cached(Arc::new(BlockCache::new(bytes)?)))
    }
}

/// Recovers what is in a directory that nobody else uses.
pub(crate) fn recover(opening: Opening<'_>) -> Result<Arc<Inner>> {
    let (env, directory) = (&opening.env, opening.directory);
    let files = Files::list(&**env, directory)?;
    let chosen = choose_generation(&**env, directory, &files)?;
    let access = opening.access()?;

    let mut state = Replayed::new(env, directory, &chosen.current, &access);
    let from =
        ReplayFrom { database: chosen.current.database, first: chosen.current.first_segment, durable: chosen.durable };
    let end = replay(&**env, directory, &files.segments, from, |frame| {
        state.sequence += 1;
        state.apply(&frame)
    })?;
    remove_orphans(&**env, directory, &files, &chosen, end)?;
    make_durable(&**env, directory, &files, &chosen, end)?;

    let since = env.monotonic();
    let next_stone = files.stones.iter().map(|number| number + 1).max().unwrap_or(1).max(chosen.current.next_stone);
    let generations = Generations {
        next_generation: files.generations.last().copied().unwrap_or(chosen.current.generation) + 1,
        current: chosen.current,
        superseded: chosen.older.into_iter().map(|manifest| Superseded { manifest, since }).collect(),
    };
    Ok(state.into_inner(opening, access, generations, next_stone, end))
}

/// A directory that cannot hold a database.
pub(crate) fn unusable(directory: &Path, error: &io::Error) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => "it is a file; name a directory",
        io::ErrorKind::PermissionDenied => "this user may not read and write there; change its permissions",
        io::ErrorKind::ReadOnlyFilesystem => "it is on a read-only file system",
        _ => "name a directory that can be created and written to",
    };
    Error::new(Code::Directory, format!("this cannot hold a database ({error}): {hint}")).about(directory)
}

pub(crate) fn take_lock(env: &dyn Env, directory: &Path) -> Result<Box<dyn Send + Sync>> {
    match env.lock(&directory.join("lock")).map_err(|error| unusable(directory, &error))? {
        LockAttempt::Held(guard) => Ok(guard),
        LockAttempt::Busy(holder) => {
            let holder = holder.map_or("another process".to_string(), |pid| format!("process {pid}"));
            Err(Error::new(Code::Locked, format!("the database is in use by {holder}; close it there first"))
                .about(directory))
        }
    }
}

struct Chosen {
    current: Manifest,
    /// Earlier generations that are whole, oldest first.
    older: Vec<Manifest>,
    /// How far the journal was on the disk, as the manifests say that are whole: also one whose stones are not there.
    durable: (u64, u64),
    /// Whether a newer generation was there and could not be used.
    stepped_back: bool,
}

/// The newest generation whose manifest and files are there. A disk that acknowledged syncs it had not done may have
/// lost the newest; the one before it and the journal say the same.
fn choose_generation(env: &dyn Env, directory: &Path, files: &Files) -> Result<Chosen> {
    let Usable { mut manifests, said, refused } = Usable::find(env, directory, files, usize::MAX)?;
    if manifests.is_empty() {
        return match refused {
            Some(error) => Err(error),
            None => {
                let current = create(env, directory, files)?;
                Ok(Chosen { durable: current.durable, current, older: Vec::new(), stepped_back: false })
            }
        };
    }
    let current = manifests.remove(0);
    manifests.retain(|older| older.database == current.database);
    manifests.reverse();
    Ok(Chosen { durable: said_durable(&said, &current), current, older: manifests, stepped_back: refused.is_some() })
}

/// The generations whose manifests and files are there.
pub(crate) struct Usable {
    /// Newest first.
    pub(crate) manifests: Vec<Manifest>,
    /// The databases that whole manifests are of, and how far the journal was on the disk when they were written.
    pub(crate) said: Vec<(u64, (u64, u64))>,
    /// Why the newest of all could not be used.
    pub(crate) refused: Option<Error>,
}

impl Usable {
    /// The `most` newest ones.
    pub(crate) fn find(env: &dyn Env, directory: &Path, files: &Files, most: usize) -> Result<Self> {
        let mut usable = Usable { manifests: Vec::new(), said: Vec::new(), refused: None };
        for &generation in files.generations.iter().rev() {
            let checked = Manifest::load(env, directory, generation).and_then(|manifest| {
                usable.said.push((manifest.database, manifest.durable));
                check_stones(env, directory, &manifest)?;
                Ok(manifest)
            });
            match checked {
                Ok(manifest) => usable.manifests.push(manifest),
                Err(error) if error.code() == Code::Corrupt => {
                    if usable.manifests.is_empty() {
                        usable.refused.get_or_insert(error);
                    }
                }
                Err(error) => return Err(error),
            }
            if usable.manifests.len() == most {
                break;
            }
        }
        Ok(usable)
    }
}

/// How far the journal was on the disk, as the manifests say that are of the same database as this one.
pub(crate) fn said_durable(said: &[(u64, (u64, u64))], manifest: &Manifest) -> (u64, u64) {
    let of_same = said.iter().filter(|(database, _)| *database == manifest.database);
    of_same.map(|(_, durable)| *durable).max().unwrap_or(manifest.durable)
}

/// Whether the stones of a generation are there, whole as far as their size tells.
pub(crate) fn check_stones(env: &dyn Env, directory: &Path, manifest: &Manifest) -> Result<()> {
    for stone in manifest.stones() {
        let path = stone_path(directory, stone.number);
        let what = match env.file_len(&path) {
            Ok(len) if len == stone.info.size => continue,
            Ok(len) => format!("a stone has {len} bytes instead of {}", stone.info.size),
            Err(error) if error.kind() == io::ErrorKind::NotFound => "a stone is missing".to_string(),
            Err(error) => return Err(Error::io(&path, "look at a stone", &error)),
        };
        return Err(Error::corrupt(&path, 0, format!("{what}; restore a backup, or repair to keep the rest")));
    }
    Ok(())
}

/// The first generation of a new database.
fn create(env: &dyn Env, directory: &Path, files: &Files) -> Result<Manifest> {
    files.refuse_unnamed(directory)?;
    let mut seed = directory.as_os_str().as_encoded_bytes().to_vec();
    seed.extend_from_slice(&env.now().to_le_bytes());
    seed.extend_from_slice(&env.monotonic().to_le_bytes());
    let manifest = Manifest {
        database: xxh3_64(&seed),
        generation: 1,
        time: env.now(),
        first_segment: 1,
        durable: (0, 0),
        next_stone: 1,
        next_table: 1,
        tables: Vec::new(),
        dictionaries: Vec::new(),
        shapes: Vec::new(),
    };
    manifest.store(env, directory)?;
    Ok(manifest)
}

/// Removes the segments behind the journal's end, which must not be taken for later ones, and what no generation
/// names: stones and manifests that a crash left unfinished. If a newer generation could not be used, its files stay
/// until another one has taken its place.
fn remove_orphans(env: &dyn Env, directory: &Path, files: &Files, chosen: &Chosen, end: SegmentEnd) -> Result<()> {
    let mut orphans: Vec<_> =
        files.segments.iter().filter(|&&number| number > end.number).map(|&n| segment_path(directory, n)).collect();
    if !chosen.stepped_back {
        orphans.extend(unnamed(directory, files, &chosen.current, &chosen.older));
    }
    for path in &orphans {
        remove_if_there(env, path)?;
    }
    if !orphans.is_empty() {
        env.sync_dir(directory).map_err(|error| Error::io(directory, "sync the directory", &error))?;
    }
    Ok(())
}

/// The files that neither the present generation nor an earlier one names.
pub(crate) fn unnamed(directory: &Path, files: &Files, current: &Manifest, older: &[Manifest]) -> Vec<PathBuf> {
    let kept = || older.iter().chain([current]);
    let stones: HashSet<u64> = kept().flat_map(Manifest::stones).map(|stone| stone.number).collect();
    let generations: HashSet<u64> = kept().map(|manifest| manifest.generation).collect();
    let first_segment = kept().map(|manifest| manifest.first_segment).min().unwrap_or_default();
    let mut orphans: Vec<_> = files.temporary.iter().map(|name| directory.join(name)).collect();
    orphans.extend(files.stones.iter().filter(|&number| !stones.contains(number)).map(|&n| stone_path(directory, n)));
    orphans
        .extend(files.segments.iter().filter(|&&number| number < first_segment).map(|&n| segment_path(directory, n)));
    orphans.extend(
        files
            .generations
            .iter()
            .filter(|number| !generations.contains(number))
            .map(|&n| crate::manifest::manifest_path(directory, n)),
    );
    orphans
}

/// Brings the journal's tail to the disk. The next segment's frames will be acknowledged on the strength of a sync of
/// that segment alone.
///
/// A sync that failed before may have left pages that read well and count as written, although the disk does not have
/// them; a sync now would succeed and do nothing. So what is not known to be on the disk is written again.
///
/// The name of the manifest itself may not be on the disk yet, if the process died right after renaming it. The
/// generation before it, as long as there is one, must not be given up on the strength of such a name.
fn make_durable(env: &dyn Env, directory: &Path, files: &Files, chosen: &Chosen, end: SegmentEnd) -> Result<()> {
    let manifest = &chosen.current;
    // What stands before the first segment is in the stones.
    if manifest.durable.max((manifest.first_segment - 1, 0)) < (end.number, end.offset) {
        write_tail_again(env, directory, files, manifest, end)?;
    } else if chosen.older.is_empty() {
        return Ok(());
    }
    env.sync_dir(directory).map_err(|error| Error::io(directory, "sync the directory", &error))
}

/// Writes and syncs what the manifest does not know to be on the disk.
fn write_tail_again(
    env: &dyn Env,
    directory: &Path,
    files: &Files,
    manifest: &Manifest,
    end: SegmentEnd,
) -> Result<()> {
    let (durable_segment, durable) = manifest.durable;
    let from = durable_segment.max(manifest.first_segment);
    for number in (from..=end.number).filter(|number| files.segments.contains(number)) {
        let path = segment_path(directory, number);
        let start = if number == durable_segment { durable } else { 0 };
        env.open(&path, Mode::Write)
            .and_then(|file| {
                let stop = if number == end.number { end.offset } else { file.len()? };
                write_again(&*file, start..stop)?;
                file.sync()
            })
            .map_err(|error| Error::io(&path, "bring the journal to the disk", &error))?;
    }
    Ok(())
}

/// Writes a part of a file over itself.
fn write_again(file: &dyn File, part: Range<u64>) -> io::Result<()> {
    let len = part.end.saturating_sub(part.start);
    let mut buffer = vec![0; len.min(1 << 20) as usize];
    let mut offset = part.start;
    while offset < part.end {
        let len = (part.end - offset).min(buffer.len() as u64);
        let bytes = buffer.get_mut(..len as usize).unwrap_or_default();
        file.read_exact_at(bytes, offset)?;
        file.write_all_at(bytes, offset)?;
        offset += len;
    }
    Ok(())
}

/// The state that the manifest and the journal lead to.
pub(crate) struct Replayed {
    pub(crate) catalog: Names,
    pub(crate) stones: HashMap<u64, Weak<Stone>>,
    pub(crate) next_table: u32,
    pub(crate) sequence: u64,
    pub(crate) memory: AtomicUsize,
    frozen_memory: AtomicUsize,
}

impl Replayed {
    pub(crate) fn new(env: &Arc<dyn Env>, directory: &Path, manifest: &Manifest, access: &Access) -> Self {
        let mut stones = HashMap::new();
        let table_of = |entry: &TableEntry| {
            let mut layers = Vec::new();
            for stone in &entry.stones {
                let path = stone_path(directory, stone.number);
                let opened = Arc::new(Stone::new(Arc::clone(env), path, entry.id, stone.info.clone(), access.clone()));
                stones.insert(stone.number, Arc::downgrade(&opened));
                layers.push(Layer::new(stone.number, opened));
            }
            let table = Table::new(entry.id, &entry.name, entry.settled, layers);
            table.expires.store(entry.expires, Ordering::Release);
            Arc::new(table)
        };
        let tables: Vec<_> = manifest.tables.iter().map(table_of).collect();
        Replayed {
            catalog: Names::new(Catalog::new(tables.into_iter(), &manifest.dictionaries, &manifest.shapes)),
            stones,
            next_table: manifest.next_table,
            sequence: 0,
            memory: AtomicUsize::new(0),
            frozen_memory: AtomicUsize::new(0),
        }
    }

    pub(crate) fn apply(&mut self, frame: &ReplayedFrame<'_>) -> Result<()> {
        let mut target = Target {
            catalog: &self.catalog,
            sequence: self.sequence,
            memory: &self.memory,
            frozen_memory: &self.frozen_memory,
            next_table: &mut self.next_table,
        };
        target.apply(frame)
    }

    pub(crate) fn into_inner(
        self,
        opening: Opening<'_>,
        access: Access,
        generations: Generations,
        next_stone: u64,
        end: SegmentEnd,
    ) -> Arc<Inner> {
        let Opening { env, directory, options, sharing } = opening;
        let directory = directory.to_path_buf();
        let syncer = Arc::new(Syncer::new(Arc::clone(&env), directory.clone()));
        let database = generations.current.database;
        let journal =
            Writer::new(Arc::clone(&env), directory.clone(), database, Arc::clone(&syncer), end, options.sha256);
        let core = Core { journal, sequence: self.sequence, next_table: self.next_table, checkpoint_position: 0 };
        Arc::new(Inner {
            env,
            directory,
            options,
            catalog: self.catalog,
            core: Mutex::new(core),
            syncer,
            visible: AtomicU64::new(self.sequence),
            last_seen: AtomicU64::default(),
            changes: Arc::default(),
            memory: self.memory,
            frozen_memory: self.frozen_memory,
            flushing: Mutex::new(()),
            merging: Mutex::new(()),
            generations: Mutex::new(generations),
            next_stone: AtomicU64::new(next_stone),
            access,
            stones: Mutex::new(self.stones),
            scheduled: Default::default(),
            counters: Default::default(),
            background_errors: Mutex::default(),
            closed: Default::default(),
            stop_merging: Default::default(),
            lock: Mutex::new(None),
            sharing,
        })
    }
}

impl Inner {
    /// Schedules the work that an earlier process left undone.
    pub(crate) fn catch_up(self: &Arc<Self>) {
        let end = self.core.lock().journal.end();
        let (first_segment, superseded) = {
            let generations = self.generations.lock();
            (generations.current.first_segment, !generations.superseded.is_empty())
        };
        let memory = self.memory.load(Ordering::Acquire);
        if memory >= self.options.memtable_bytes || end.number.saturating_sub(first_segment) >= MANY_SEGMENTS {
            self.schedule_checkpoint(Duration::ZERO);
        }
        // In a directory that is shared, who replaced a generation may be gone.
        if superseded || self.sharing.is_some() {
            self.schedule_reclaim(self.options.reclaim_delay);
        }
        self.schedule_merge();
        self.schedule_sweep();
    }
}
