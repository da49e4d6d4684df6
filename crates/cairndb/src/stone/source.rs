//! Where the bytes of a stone come from: the mapped file, or positioned reads through a bounded cache.

use std::collections::hash_map::DefaultHasher;
use std::hash::BuildHasherDefault;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

use super::format::LINE;
use crate::env::{Env, File, Mapping, Mode};
use crate::error::{Error, Result};

/// How stones are read.
#[derive(Clone)]
pub(crate) enum Access {
    /// Through a mapping: the page cache of the operating system is the cache.
    Mapped,
    /// By positioned reads through this cache, which all stones of a database share.
    Cached(Arc<BlockCache>),
}

/// A bounded cache of parts of stones.
pub(crate) struct BlockCache {
    // The hasher has fixed keys: what is evicted, and so what is read again, is the same in every simulated run.
    parts: Cache<Part, Arc<[u8]>, Weight, BuildHasherDefault<DefaultHasher>>,
    stones: AtomicU64,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Part {
    stone: u64,
    offset: u64,
    len: u64,
}

#[derive(Clone)]
struct Weight;

impl Weighter<Part, Arc<[u8]>> for Weight {
    fn weight(&self, _: &Part, bytes: &Arc<[u8]>) -> u64 {
        // What an entry costs besides its bytes, about.
        bytes.len() as u64 + 96
    }
}

impl BlockCache {
    /// A cache of at most `capacity` bytes.
    pub(crate) fn new(capacity: u64) -> Result<BlockCache> {
        let estimated = usize::try_from(capacity / PAGE).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        let options = OptionsBuilder::new()
            .shards(16)
            .estimated_items_capacity(estimated)
            .weight_capacity(capacity)
            .build()
            .map_err(|error| Error::new(crate::Code::Internal, format!("no block cache: {error}")))?;
        let parts = Cache::with_options(options, Weight, BuildHasherDefault::default(), DefaultLifecycle::default());
        Ok(BlockCache { parts, stones: AtomicU64::new(0) })
    }
}

/// Lines are read in pages of this many bytes.
const PAGE: u64 = 4096;

pub(super) enum Source {
    Mapped(Mapping),
    Cached(CachedFile),
}

pub(super) struct CachedFile {
    file: Box<dyn File>,
    len: u64,
    cache: Arc<BlockCache>,
    /// Which stone this is to the cache.
    stone: u64,
}

impl Source {
    pub(super) fn open(env: &dyn Env, path: &Path, access: &Access) -> Result<Source> {
        let failed = |error: io::Error| Error::io(path, "open a table file", &error);
        let file = env.open(path, Mode::Read).map_err(failed)?;
        Ok(match access {
            Access::Mapped => Source::Mapped(file.map().map_err(failed)?),
            Access::Cached(cache) => {
                let len = file.len().map_err(failed)?;
                let stone = cache.stones.fetch_add(1, Ordering::Relaxed);
                Source::Cached(CachedFile { file, len, cache: Arc::clone(cache), stone })
            }
        })
    }

    pub(super) fn len(&self) -> u64 {
        match self {
            Source::Mapped(mapping) => mapping.len() as u64,
            Source::Cached(file) => file.len,
        }
    }

    /// A copy of bytes that are wanted once: past the cache.
    pub(super) fn read(&self, path: &Path, range: Range<u64>) -> Result<Vec<u8>> {
        match self {
            Source::Mapped(mapping) => Ok(mapped(mapping, path, range)?.to_vec()),
            Source::Cached(file) => file.read(path, range),
        }
    }

    /// The bytes of the range, shared with the cache. `None` where the file is mapped: they are in memory as they are.
    pub(super) fn part(&self, path: &Path, range: Range<u64>) -> Result<Option<Arc<[u8]>>> {
        match self {
            Source::Mapped(_) => Ok(None),
            Source::Cached(file) => file.part(path, range).map(Some),
        }
    }

    /// Calls `look` with the line at `offset`, a multiple of its length.
    pub(super) fn line<T>(&self, path: &Path, offset: u64, look: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
        let line = offset..offset.saturating_add(LINE);
        match self {
            Source::Mapped(mapping) => look(mapped(mapping, path, line)?),
            Source::Cached(file) => {
                let start = offset - offset % PAGE;
                let page = file.part(path, start..start.saturating_add(PAGE).min(file.len))?;
                let inside = (line.start - start) as usize..(line.end - start) as usize;
                look(page.get(inside).ok_or_else(|| cut(path, file.len))?)
            }
        }
    }
}

impl CachedFile {
    fn part(&self, path: &Path, range: Range<u64>) -> Result<Arc<[u8]>> {
        let len = range.end.saturating_sub(range.start);
        let key = Part { stone: self.stone, offset: range.start, len };
        if let Some(bytes) = self.cache.parts.get(&key) {
            return Ok(bytes);
        }
        let bytes: Arc<[u8]> = self.read(path, range)?.into();
        self.cache.parts.insert(key, Arc::clone(&bytes));
        Ok(bytes)
    }

    fn read(&self, path: &Path, range: Range<u64>) -> Result<Vec<u8>> {
        // Checked before memory is taken, so that a hostile length cannot exhaust it.
        if range.start > range.end || range.end > self.len {
            return Err(cut(path, self.len));
        }
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => cut(path, range.start),
            _ => Error::io(path, "read a table file", &error),
        };
        let len = usize::try_from(range.end - range.start).map_err(|_| failed(io::ErrorKind::OutOfMemory.into()))?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).map_err(|error| failed(error.into()))?;
        bytes.resize(len, 0);
        self.file.read_exact_at(&mut bytes, range.start).map_err(failed)?;
        Ok(bytes)
    }
}

fn mapped<'a>(mapping: &'a Mapping, path: &Path, range: Range<u64>) -> Result<&'a [u8]> {
    let places = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
    places.and_then(|(start, end)| mapping.get(start..end)).ok_or_else(|| cut(path, mapping.len() as u64))
}

fn cut(path: &Path, offset: u64) -> Error {
    super::reader::damaged(path, offset, "the file ends where it should go on")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;
    use crate::env::RealEnv;

    #[test]
    fn no_memory_is_taken_for_what_lies_past_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let env = RealEnv::new();
        env.open(&path, Mode::Create).unwrap().write_all_at(&[7; 100], 0).unwrap();
        for access in [Access::Mapped, Access::Cached(Arc::new(BlockCache::new(1 << 20).unwrap()))] {
            let source = Source::open(&env, &path, &access).unwrap();
            assert_eq!(source.read(&path, 90..100).unwrap(), [7; 10]);
            for (start, end) in [(0, 101), (0, u64::MAX), (100, 101), (u64::MAX - 1, u64::MAX), (7, 6)] {
                assert_eq!(source.read(&path, start..end).unwrap_err().code(), Code::Corrupt);
            }
            let past = source.line(&path, 64, |line| Ok(line.len()));
            assert_eq!(past.unwrap_err().code(), Code::Corrupt);
        }
    }
}
