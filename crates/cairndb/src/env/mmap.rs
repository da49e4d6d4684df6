//! Memory mapping.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};

use super::SharedNumbers;

/// A read-only mapping of a whole file.
pub struct Map(memmap2::Mmap);

impl Map {
    /// Maps the present bytes of `file`.
    #[allow(unsafe_code, reason = "mapping a file cannot be expressed safely")]
    pub(super) fn new(file: &File) -> io::Result<Self> {
        // SAFETY: a mapping is sound while nobody changes or cuts what is read of the file. Stones are written once and
        // never changed or cut afterwards. Segments of the journal are mapped when a database is opened, before anybody
        // appends to them, and by a verification, which appends may overtake: they go behind the frames that are there,
        // and a frame of which a part is missing is not taken for one. The directory is locked against other processes
        // of ours, or they share it: then they too append only, and nobody reads behind what was announced, where the
        // remains of a dead one are overwritten. A stranger that changes files all the same is met by the checksums, which are computed over the
        // bytes in place, and by readers that check every bound.
        let map = unsafe { memmap2::Mmap::map(file)? };
        Ok(Map(map))
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Numbers in a file that is mapped to be written.
pub(super) struct Numbers {
    map: memmap2::MmapRaw,
    count: usize,
}

impl Numbers {
    /// Maps the first `count` numbers of `file`, which is long enough.
    pub(super) fn new(file: &File, count: usize) -> io::Result<Self> {
        let map = memmap2::MmapOptions::new().len(count * size_of::<AtomicU64>()).map_raw(file)?;
        Ok(Numbers { map, count })
    }

    #[allow(unsafe_code, reason = "memory that processes share cannot be expressed safely")]
    fn at(&self, index: usize) -> Option<&AtomicU64> {
        if index >= self.count {
            return None;
        }
        // SAFETY: a mapping begins at a page, so that each number is aligned, and `index` is within it. It lives as long
        // as `self`. All who use this memory do so through atomics of this size, processes of ours too; the file is ours
        // alone to write, and nobody cuts it.
        Some(unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().cast::<u64>().add(index)) })
    }
}

impl SharedNumbers for Numbers {
    fn load(&self, index: usize) -> u64 {
        self.at(index).map_or(0, |number| number.load(Ordering::Acquire))
    }

    fn store(&self, index: usize, number: u64) {
        if let Some(place) = self.at(index) {
            place.store(number, Ordering::Release);
        }
    }
}
