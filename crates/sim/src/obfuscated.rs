//! An environment whose disk holds none of the bytes that were written.

use std::io;
use std::path::Path;

use cairndb::env::{Env, File, Mapping, Mode};

use crate::opening::Opening;

const KEY: u8 = 0xa7;
/// How much is written at once where a file becomes longer.
const CHUNK: u64 = 1 << 16;

/// An environment that inverts some bits of every byte on its way to the disk and back.
///
/// What was written around it, or is read around it, is garbage: so a test suite that passes in it proves that the
/// engine goes through [`Env`] for every byte.
pub fn obfuscated<E: Env>(env: E) -> impl Env {
    let open = |env: &E, path: &Path, mode: Mode| -> io::Result<Box<dyn File>> {
        Ok(Box::new(ObfuscatedFile(env.open(path, mode)?)))
    };
    Opening { env, open }
}

struct ObfuscatedFile(Box<dyn File>);

impl ObfuscatedFile {
    /// Writes what reads as zeros up to `end`: the file system's own zeros would not read as such.
    fn extend(&self, end: u64) -> io::Result<()> {
        let zeros = [KEY; CHUNK as usize];
        let mut at = self.0.len()?;
        while at < end {
            let part = (end - at).min(CHUNK);
            self.0.write_all_at(&zeros[..part as usize], at)?;
            at += part;
        }
        Ok(())
    }
}

impl File for ObfuscatedFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.0.read_at(buffer, offset)?;
        invert(&mut buffer[..read]);
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.extend(offset)?;
        let mut bytes = bytes.to_vec();
        invert(&mut bytes);
        self.0.write_at(&bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.extend(len)?;
        self.0.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn map(&self) -> io::Result<Mapping> {
        let mut bytes = self.0.map()?.to_vec();
        invert(&mut bytes);
        Ok(Mapping::Memory(bytes.into()))
    }
}

fn invert(bytes: &mut [u8]) {
    bytes.iter_mut().for_each(|byte| *byte ^= KEY);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SimEnv;

    #[test]
    fn the_disk_holds_other_bytes_and_reads_give_the_right_ones() {
        let disk = SimEnv::new(0);
        let env = obfuscated(disk.clone());
        let path = Path::new("file");
        let file = env.open(path, Mode::Create).unwrap();
        file.write_all_at(b"secret", 0).unwrap();
        assert_eq!(file.read_all().unwrap(), b"secret");
        assert_eq!(&*file.map().unwrap(), b"secret");
        let raw = &disk.files()[path];
        assert!(raw.iter().zip(b"secret").all(|(raw, plain)| raw != plain), "{raw:?}");
    }

    #[test]
    fn what_a_file_is_extended_by_reads_as_zeros() {
        let env = obfuscated(SimEnv::new(0));
        let file = env.open(Path::new("file"), Mode::Create).unwrap();
        file.set_len(3).unwrap();
        file.write_all_at(b"x", 5).unwrap();
        assert_eq!(file.read_all().unwrap(), b"\0\0\0\0\0x");
        file.set_len(1).unwrap();
        file.set_len(CHUNK + 2).unwrap();
        assert_eq!(file.read_all().unwrap(), vec![0; CHUNK as usize + 2]);
    }
}
