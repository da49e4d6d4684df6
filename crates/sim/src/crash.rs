//! What a crash leaves on the disk.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Range;

use crate::content::Content;
use crate::disk::{Change, Disk, Image, Pending};
use crate::rng::Rng;

/// What kind of crash it is and, of a power loss, what had reached the disk.
///
/// A *change* is one thing that a disk has or has not: the bytes of one write, a length of a file, a new name, a
/// removed name. A rename is two, and its second half (the old name goes) never reaches the disk without the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CrashPlan {
    /// The process dies; the operating system has all that it was told, and still has it to lose.
    Process,
    /// The power goes. Every pending change is lost but these.
    PowerLoss {
        /// The pending changes that had reached the disk.
        kept: Kept,
        /// What a file holds where it became longer and the bytes did not arrive.
        gaps: Gaps,
    },
}

/// Which of the pending changes had reached the disk, counted from the oldest.
///
/// Changes reach the disk in any order, so a later one can be there and an earlier one not. Of two writes to the same
/// byte the later one wins if both are there, as the page cache holds a byte only once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kept {
    /// None: what was not synced is lost.
    None,
    /// All: the disk was just in time.
    All,
    /// The first so many.
    Prefix(usize),
    /// All but the one with this index.
    AllBut(usize),
    /// A random subset.
    Subset(u64),
    /// A random subset of the changes, in which a write is cut into the 512-byte sectors that it touches.
    Sectors(u64),
    /// All before the last write, and the first bytes of that write.
    Torn {
        /// How many bytes of it.
        bytes: usize,
        /// Whether the file has the length that the whole write needs, or ends with the bytes.
        grown: bool,
    },
}

/// What a file holds where it became longer and the bytes did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Gaps {
    /// Zeros.
    Zeros,
    /// What those blocks held before: bytes of removed files if there were any, else random ones.
    Stale,
}

impl CrashPlan {
    /// A power loss that takes all that was not synced.
    pub const POWER_LOSS: CrashPlan = CrashPlan::PowerLoss { kept: Kept::None, gaps: Gaps::Zeros };

    /// Whether nothing is kept that came after something that is lost.
    #[must_use]
    pub fn keeps_order(self) -> bool {
        match self {
            CrashPlan::Process => true,
            CrashPlan::PowerLoss { kept, .. } => match kept {
                Kept::None | Kept::All | Kept::Prefix(_) | Kept::Torn { .. } => true,
                Kept::AllBut(_) | Kept::Subset(_) | Kept::Sectors(_) => false,
            },
        }
    }
}

/// What became of one change.
enum Fate {
    Lost,
    Whole,
    /// These bytes of a write.
    Parts(Vec<Range<usize>>),
    /// The first bytes of a write.
    Start(usize),
    /// A length, but only as far as this.
    UpTo(u64),
}

const SECTOR: u64 = 512;

/// At which of its bytes the last write is torn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tears {
    /// At every byte, with and without the length, over zeros and over stale bytes.
    All,
    /// At every byte, and in all four ways where a sector ends, else in one way after the other. Zeros that are
    /// written ahead are torn where a sector ends only: elsewhere it shows in nothing but the file's length.
    EachByte,
    /// In all four ways where a sector ends, and at so many other bytes.
    Sampled(u64),
}

/// Every plan that makes a difference on this disk: the process crash, none, all, every prefix, every single omission,
/// the last write torn, and `random` subsets each of whole changes and of sectors.
pub(crate) fn plans(disk: &Disk, tears: Tears, random: u64, seed: u64) -> impl Iterator<Item = CrashPlan> + use<> {
    let count = disk.pending.len();
    let last = last_write(&disk.pending);
    // Nothing can be stale where no file became longer.
    let grows = disk.pending.iter().any(|pending| matches!(pending.change, Change::Len { .. }));
    let all_gaps: &[Gaps] = if grows { &[Gaps::Zeros, Gaps::Stale] } else { &[Gaps::Zeros] };

    let one = |kept| CrashPlan::PowerLoss { kept, gaps: Gaps::Zeros };
    let sure = [CrashPlan::Process, one(Kept::None)].into_iter().chain((count > 0).then(|| one(Kept::All)));
    let partial = (1..count)
        .map(Kept::Prefix)
        .chain((0..count.saturating_sub(1)).map(Kept::AllBut))
        .chain((0..if count > 2 { random } else { 0 }).map(Kept::Subset))
        .chain((0..if last.is_some() { random } else { 0 }).map(Kept::Sectors));
    let torn = last.map_or(Vec::new(), |last| torn_plans(&last, all_gaps, tears, Rng::of(seed, count as u64)));
    sure.chain(partial.flat_map(|kept| all_gaps.iter().map(move |&gaps| CrashPlan::PowerLoss { kept, gaps })))
        .chain(torn)
}

fn torn_plans(last: &LastWrite<'_>, all_gaps: &[Gaps], tears: Tears, mut rng: Rng) -> Vec<CrashPlan> {
    let ends: &[bool] = if last.grew { &[true, false] } else { &[true] };
    let ways: Vec<(bool, Gaps)> =
        ends.iter().flat_map(|&grown| all_gaps.iter().map(move |&gaps| (grown, gaps))).collect();
    let plan = |bytes, (grown, gaps)| CrashPlan::PowerLoss { kept: Kept::Torn { bytes, grown }, gaps };
    let len = last.bytes.len();
    let ends_sector = |bytes: usize| (last.offset + bytes as u64).is_multiple_of(SECTOR);
    let chosen: BTreeSet<usize> = match tears {
        Tears::All => BTreeSet::new(),
        Tears::EachByte if last.bytes.iter().any(|&byte| byte != 0) => (1..len).collect(),
        Tears::EachByte => BTreeSet::new(),
        Tears::Sampled(count) => (0..count).map(|_| 1 + rng.index(len.saturating_sub(1))).collect(),
    };
    (1..len)
        .flat_map(|bytes| {
            let some = if tears == Tears::All || ends_sector(bytes) {
                &ways[..]
            } else if chosen.contains(&bytes) {
                &ways[bytes % ways.len()..][..1]
            } else {
                &[]
            };
            some.iter().map(move |&way| plan(bytes, way)).collect::<Vec<_>>()
        })
        .collect()
}

/// The disk as the next process finds it.
pub(crate) fn crash(disk: &Disk, plan: CrashPlan, seed: u64) -> Disk {
    match plan {
        CrashPlan::Process => {
            let mut left = disk.clone();
            left.collect(&std::collections::BTreeMap::new());
            left
        }
        CrashPlan::PowerLoss { kept, gaps } => {
            let fates = fates(&disk.pending, kept, seed);
            let lossless = fates.iter().all(|fate| matches!(fate, Fate::Whole));
            let mut image = disk.durable.clone();
            if gaps == Gaps::Stale && !lossless {
                fill_gaps(&mut image, disk, seed);
            }
            for (pending, fate) in disk.pending.iter().zip(&fates) {
                persist(&mut image, &pending.change, fate);
            }
            image.settle();
            disk.found_as(image)
        }
    }
}

fn fates(pending: &[Pending], kept: Kept, seed: u64) -> Vec<Fate> {
    let whole = |whole| if whole { Fate::Whole } else { Fate::Lost };
    let mut fates: Vec<Fate> = match kept {
        Kept::None => pending.iter().map(|_| Fate::Lost).collect(),
        Kept::All => pending.iter().map(|_| Fate::Whole).collect(),
        Kept::Prefix(count) => (0..pending.len()).map(|index| whole(index < count)).collect(),
        Kept::AllBut(lost) => (0..pending.len()).map(|index| whole(index != lost)).collect(),
        Kept::Subset(choice) => {
            let mut rng = Rng::of(seed, choice);
            let odds = 1 + rng.below(7);
            pending.iter().map(|_| whole(rng.chance(odds, 8))).collect()
        }
        Kept::Sectors(choice) => {
            let mut rng = Rng::of(seed, !choice);
            let odds = 1 + rng.below(7);
            pending.iter().map(|pending| sectors(&pending.change, &mut rng, odds)).collect()
        }
        Kept::Torn { bytes, grown } => torn(pending, bytes, grown),
    };
    for index in 1..pending.len() {
        if pending[index].with_previous && matches!(fates[index - 1], Fate::Lost) {
            fates[index] = Fate::Lost;
        }
    }
    fates
}

fn sectors(change: &Change, rng: &mut Rng, odds: u64) -> Fate {
    let Change::Data { offset, bytes, .. } = change else {
        return if rng.chance(odds, 8) { Fate::Whole } else { Fate::Lost };
    };
    let mut parts = Vec::new();
    let mut start = 0;
    while start < bytes.len() {
        let to_boundary = (SECTOR - (offset + start as u64) % SECTOR) as usize;
        let end = bytes.len().min(start + to_boundary);
        if rng.chance(odds, 8) {
            parts.push(start..end);
        }
        start = end;
    }
    Fate::Parts(parts)
}

fn torn(pending: &[Pending], bytes: usize, grown: bool) -> Vec<Fate> {
    let Some(last) = last_write(pending) else {
        return pending.iter().map(|_| Fate::Whole).collect();
    };
    let fate = |index: usize| match index.cmp(&last.index) {
        Ordering::Greater => Fate::Lost,
        Ordering::Equal => Fate::Start(bytes.min(last.bytes.len())),
        Ordering::Less if index + 1 == last.index && last.grew && !grown => Fate::UpTo(last.offset + bytes as u64),
        Ordering::Less => Fate::Whole,
    };
    (0..pending.len()).map(fate).collect()
}

struct LastWrite<'a> {
    index: usize,
    offset: u64,
    bytes: &'a [u8],
    /// Whether it made the file longer; that change then stands right before it.
    grew: bool,
}

fn last_write(pending: &[Pending]) -> Option<LastWrite<'_>> {
    pending.iter().enumerate().rev().find_map(|(index, last)| match &last.change {
        Change::Data { node, offset, bytes } => {
            let before = index.checked_sub(1).map(|before| &pending[before].change);
            let end = offset + bytes.len() as u64;
            let grew =
                matches!(before, Some(Change::Len { node: of, len, by_write: true }) if of == node && *len == end);
            Some(LastWrite { index, offset: *offset, bytes, grew })
        }
        _ => None,
    })
}

fn persist(image: &mut Image, change: &Change, fate: &Fate) {
    match (fate, change) {
        (Fate::Lost, _) => {}
        (Fate::Parts(parts), Change::Data { node, offset, bytes }) => {
            for part in parts {
                image.file(*node).write(offset + part.start as u64, &bytes[part.clone()]);
            }
        }
        (Fate::Start(end), Change::Data { node, offset, bytes }) => image.file(*node).write(*offset, &bytes[..*end]),
        (Fate::UpTo(limit), Change::Len { node, len, .. }) => {
            let file = image.file(*node);
            file.set_len((*limit).max(file.len()).min(*len));
        }
        (_, change) => image.apply(change),
    }
}

/// Puts old bytes where files may become longer; a length that reaches the disk then uncovers them.
fn fill_gaps(image: &mut Image, disk: &Disk, seed: u64) {
    for pending in &disk.pending {
        if let Change::Len { node, len, .. } = pending.change {
            let file = image.file(node);
            let start = file.len().max(file.written());
            if len > start {
                let bytes = stale(&disk.stale, start..len, Rng::of(seed, node));
                file.write(start, &bytes);
            }
        }
    }
}

/// More than this is not made up: what lies further into a gap reads as zeros.
const STALE_LIMIT: u64 = 1 << 20;

fn stale(removed: &[Content], at: Range<u64>, mut rng: Rng) -> Vec<u8> {
    let len = (at.end - at.start).min(STALE_LIMIT) as usize;
    let Some(old) = removed.get(rng.index(removed.len())).filter(|old| old.len() > 0) else {
        return rng.bytes(len);
    };
    // The bytes of the same place in the old file are the ones that look most like what belongs there.
    let mut bytes = vec![0; len];
    let mut done = 0;
    while done < len {
        done += old.read(&mut bytes[done..], (at.start + done as u64) % old.len());
    }
    bytes
}
