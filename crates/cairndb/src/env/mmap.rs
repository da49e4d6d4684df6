//! Memory mapping: the only `unsafe` of the engine.

use std::fs::File;
use std::io;
use std::ops::Deref;

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
        // of ours. A stranger that changes files all the same is met by the checksums, which are computed over the
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
