//! An open file of the simulated disk.

use std::io;
use std::path::Path;
use std::sync::Arc;

use cairndb::env::{File, Mapping};
use parking_lot::Mutex;

use crate::disk::Node;
use crate::faults::{Failure, Op};
use crate::world::{About, World};

pub(crate) struct SimFile {
    world: Arc<Mutex<World>>,
    process: u32,
    path: Arc<Path>,
    node: Node,
    writable: bool,
}

impl SimFile {
    /// The caller has counted the file as opened.
    pub(crate) fn new(world: Arc<Mutex<World>>, process: u32, path: Arc<Path>, node: Node, writable: bool) -> Self {
        SimFile { world, process, path, node, writable }
    }

    fn operate<T>(
        &self,
        op: Op,
        offset: u64,
        len: usize,
        run: impl FnOnce(&mut World, Option<Failure>) -> io::Result<T>,
    ) -> io::Result<T> {
        let about = About { op, path: &self.path, to: None, offset, len };
        self.world.lock().operate(self.process, about, run)
    }

    fn check_writable(&self, end: Option<u64>) -> io::Result<()> {
        if !self.writable {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the file was opened to read"));
        }
        match end {
            Some(end) if i64::try_from(end).is_ok() => Ok(()),
            _ => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.world.lock().closed(self.node);
    }
}

impl File for SimFile {
    fn len(&self) -> io::Result<u64> {
        self.operate(Op::Len, 0, 0, |world, _| Ok(world.disk.content(self.node).len()))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.operate(Op::Read, offset, buffer.len(), |world, failure| {
            let limit = at_most(buffer.len(), failure);
            let read = world.disk.content(self.node).read(&mut buffer[..limit], offset);
            flip(&mut buffer[..read], failure);
            Ok(read)
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.operate(Op::Write, offset, bytes.len(), |world, failure| {
            self.check_writable(offset.checked_add(bytes.len() as u64))?;
            let limit = at_most(bytes.len(), failure);
            let count = world.room(self.node, offset, limit)?;
            if count > 0 {
                world.disk.write(self.node, offset, &bytes[..count]);
            }
            Ok(count)
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.operate(Op::SetLen, len, 0, |world, _| {
            self.check_writable(Some(len))?;
            world.disk.set_len(self.node, len);
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.operate(Op::Sync, 0, 0, |world, failure| {
            if failure == Some(Failure::LosePages) {
                world.disk.drop_dirty(self.node);
                return Err(io::Error::other("the simulated disk lost the pages"));
            }
            let settles = world.settles();
            world.disk.sync(self.node, settles);
            Ok(())
        })
    }

    fn map(&self) -> io::Result<Mapping> {
        self.operate(Op::Map, 0, 0, |world, failure| {
            let mut bytes = world.disk.content(self.node).to_vec();
            flip(&mut bytes, failure);
            Ok(Mapping::Memory(bytes.into()))
        })
    }
}

fn at_most(len: usize, failure: Option<Failure>) -> usize {
    match failure {
        Some(Failure::Short(limit)) => len.min(limit.max(1)),
        _ => len,
    }
}

fn flip(bytes: &mut [u8], failure: Option<Failure>) {
    if let Some(Failure::FlipBit(bit)) = failure
        && !bytes.is_empty()
    {
        let byte = (bit / 8 % bytes.len() as u64) as usize;
        bytes[byte] ^= 1 << (bit % 8);
    }
}
