//! A machine at one moment, to be crashed in any number of ways.

use xxhash_rust::xxh3::Xxh3Default;

use crate::crash::{self, CrashPlan, Tears};
use crate::disk::{Change, Disk, Image};
use crate::env::SimEnv;
use crate::world::World;

/// A machine at one moment: what it would be found as after a crash then.
#[derive(Clone)]
pub struct Moment {
    disk: Disk,
    seed: u64,
    clock: u64,
    last_process: u32,
    changes: u64,
    operations: u64,
}

impl Moment {
    pub(crate) fn of(world: &mut World) -> Self {
        world.disk.settle(world.clock);
        Moment {
            disk: world.disk.clone(),
            seed: world.seed,
            clock: world.clock,
            last_process: world.last_process(),
            changes: world.changes,
            operations: world.operations,
        }
    }

    /// How many changes the machine had been told of, as [`SimEnv::changes`] counts them.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// How many operations it had been asked for, as [`SimEnv::operations`] counts them.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// By the monotonic clock, in nanoseconds.
    #[must_use]
    pub fn clock(&self) -> u64 {
        self.clock
    }

    /// Every crash that makes a difference: see [`SimEnv::plans`].
    pub fn plans(&self, tears: Tears, random: u64) -> impl Iterator<Item = CrashPlan> + use<> {
        crash::plans(&self.disk, tears, random, self.seed)
    }

    /// The machine that is found after a crash at this moment: see [`SimEnv::crashed`].
    #[must_use]
    pub fn crashed(&self, plan: CrashPlan) -> SimEnv {
        let disk = crash::crash(&self.disk, plan, self.seed);
        SimEnv::start(World::found(self.seed, disk, self.clock, self.last_process, plan))
    }
}

/// A number that is the same for two disks only if no program can tell them apart, now or after a power loss, but for
/// what stale blocks hold then.
pub(crate) fn fingerprint(disk: &Disk, clock: u64) -> u64 {
    let mut hash = Xxh3Default::new();
    hash.update(&clock.to_le_bytes());
    digest_image(&disk.system, &mut hash);
    if !disk.pending.is_empty() {
        digest_image(&disk.durable, &mut hash);
        for pending in &disk.pending {
            digest_change(&pending.change, &mut hash);
        }
    }
    hash.digest()
}

/// A number that is the same for two disks only if their files are, as the operating system sees them.
pub(crate) fn fingerprint_of_files(disk: &Disk) -> u64 {
    let mut hash = Xxh3Default::new();
    digest_image(&disk.system, &mut hash);
    hash.digest()
}

fn digest_image(image: &Image, hash: &mut Xxh3Default) {
    hash.update(&image.names.len().to_le_bytes());
    for (name, node) in &image.names {
        let path = name.0.as_os_str().as_encoded_bytes();
        hash.update(&path.len().to_le_bytes());
        hash.update(path);
        if let Some(content) = image.files.get(node) {
            content.digest(hash);
        }
    }
}

fn digest_change(change: &Change, hash: &mut Xxh3Default) {
    let (kind, node, place, bytes): (u8, u64, u64, &[u8]) = match change {
        Change::Data { node, offset, bytes } => (0, *node, *offset, bytes),
        Change::Len { node, len, by_write } => (1, *node, *len, if *by_write { &[1] } else { &[0] }),
        Change::Link { path, node } => (2, *node, 0, path.as_os_str().as_encoded_bytes()),
        Change::Unlink { path } => (3, 0, 0, path.as_os_str().as_encoded_bytes()),
    };
    hash.update(&[kind]);
    for number in [node, place, bytes.len() as u64] {
        hash.update(&number.to_le_bytes());
    }
    hash.update(bytes);
}
