//! One directory of files, kept twice: as programs see it, and as it is safe from a power loss.
//!
//! A sync of a file makes its bytes and its length safe, and a sync of the directory its names: nothing else does.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};

pub(crate) type Node = u64;
type Names = BTreeMap<OsString, Node>;

/// The directory itself.
pub(crate) const ROOT: Node = 1;
/// What reaches the disk as one piece.
const PAGE: usize = 4096;

#[derive(Default)]
pub(crate) struct Disk {
    files: BTreeMap<Node, File>,
    names: Names,
    safe_names: Names,
    /// What was done to the names since they were safe, oldest first.
    changes: Vec<Change>,
    created: u64,
}

#[derive(Default)]
struct File {
    bytes: Vec<u8>,
    safe: Vec<u8>,
    /// The pages that were written since the file was safe.
    dirty: BTreeSet<usize>,
}

enum Change {
    Link(OsString, Node),
    Unlink(OsString),
    Rename(OsString, OsString, Node),
}

impl Change {
    fn apply(self, names: &mut Names) {
        match self {
            Change::Link(name, node) => drop(names.insert(name, node)),
            Change::Unlink(name) => drop(names.remove(&name)),
            Change::Rename(from, to, node) => {
                names.remove(&from);
                names.insert(to, node);
            }
        }
    }
}

impl Disk {
    pub(crate) fn node(&self, name: &OsStr) -> Option<Node> {
        self.names.get(name).copied()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = (&OsString, Node)> {
        self.names.iter().map(|(name, node)| (name, *node))
    }

    /// The length of a file. One that was removed is there as long as the power is.
    pub(crate) fn len(&self, node: Node) -> Option<u64> {
        self.files.get(&node).map(|file| file.bytes.len() as u64)
    }

    pub(crate) fn create(&mut self, name: &OsStr) -> Node {
        self.created += 1;
        let node = ROOT + self.created;
        self.files.insert(node, File::default());
        self.names.insert(name.into(), node);
        self.changes.push(Change::Link(name.into(), node));
        node
    }

    /// Whether there was such a file.
    pub(crate) fn remove(&mut self, name: &OsStr) -> bool {
        self.changes.push(Change::Unlink(name.into()));
        self.names.remove(name).is_some()
    }

    /// Whether there was a file `from`.
    pub(crate) fn rename(&mut self, from: &OsStr, to: &OsStr) -> bool {
        let Some(node) = self.names.remove(from) else { return false };
        self.names.insert(to.into(), node);
        self.changes.push(Change::Rename(from.into(), to.into(), node));
        true
    }

    pub(crate) fn read(&self, node: Node, offset: u64, len: usize) -> &[u8] {
        let Some(file) = self.files.get(&node) else { return &[] };
        let start = (offset as usize).min(file.bytes.len());
        &file.bytes[start..(start + len).min(file.bytes.len())]
    }

    pub(crate) fn write(&mut self, node: Node, offset: u64, bytes: &[u8]) {
        let Some(file) = self.files.get_mut(&node) else { return };
        let (start, end) = (offset as usize, offset as usize + bytes.len());
        if file.bytes.len() < end {
            file.bytes.resize(end, 0);
        }
        file.bytes[start..end].copy_from_slice(bytes);
        file.dirty.extend(start / PAGE..end.div_ceil(PAGE));
    }

    pub(crate) fn set_len(&mut self, node: Node, len: u64) {
        if let Some(file) = self.files.get_mut(&node) {
            file.bytes.resize(len as usize, 0);
        }
    }

    pub(crate) fn sync(&mut self, node: Node) {
        if let Some(file) = self.files.get_mut(&node) {
            file.safe.clone_from(&file.bytes);
            file.dirty.clear();
        }
    }

    pub(crate) fn sync_names(&mut self) {
        self.changes.clear();
        self.safe_names.clone_from(&self.names);
    }

    /// The power goes: only what was safe is left, and of the rest what `survives` says, asked for each piece.
    pub(crate) fn cut(&mut self, mut survives: impl FnMut() -> bool) {
        for change in self.changes.drain(..) {
            if survives() {
                change.apply(&mut self.safe_names);
            }
        }
        self.names.clone_from(&self.safe_names);
        let named: BTreeSet<Node> = self.names.values().copied().collect();
        self.files.retain(|node, _| named.contains(node));
        for file in self.files.values_mut() {
            file.cut(&mut survives);
        }
    }
}

impl File {
    fn cut(&mut self, survives: &mut impl FnMut() -> bool) {
        if self.safe.len() != self.bytes.len() && survives() {
            self.safe.resize(self.bytes.len(), 0);
        }
        for page in std::mem::take(&mut self.dirty) {
            let (start, end) = (page * PAGE, ((page + 1) * PAGE).min(self.bytes.len()));
            if start < end && survives() {
                if self.safe.len() < end {
                    self.safe.resize(end, 0);
                }
                self.safe[start..end].copy_from_slice(&self.bytes[start..end]);
            }
        }
        self.bytes.clone_from(&self.safe);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> OsString {
        text.into()
    }

    fn content(disk: &Disk, text: &str) -> Option<Vec<u8>> {
        disk.node(&name(text)).map(|node| disk.read(node, 0, usize::MAX / 2).to_vec())
    }

    #[test]
    fn only_what_was_synced_is_left() {
        let mut disk = Disk::default();
        let kept = disk.create(&name("kept"));
        disk.write(kept, 0, b"safe");
        disk.sync(kept);
        disk.create(&name("renamed"));
        disk.sync_names();
        disk.write(kept, 4, b" and not");
        disk.rename(&name("renamed"), &name("new"));
        let unnamed = disk.create(&name("unnamed"));
        disk.write(unnamed, 0, b"synced, but its name was not");
        disk.sync(unnamed);
        assert_eq!(content(&disk, "kept").unwrap(), b"safe and not");
        disk.cut(|| false);
        assert_eq!(content(&disk, "kept").unwrap(), b"safe");
        assert_eq!((content(&disk, "new"), content(&disk, "unnamed")), (None, None));
        assert!(content(&disk, "renamed").is_some());
    }

    #[test]
    fn pages_and_names_survive_one_by_one() {
        let mut disk = Disk::default();
        let file = disk.create(&name("file"));
        disk.sync_names();
        disk.write(file, 0, &[1; 3 * PAGE]);
        disk.create(&name("other"));
        // In this order: the name, the length, three pages.
        let mut answers = [false, false, false, true, false].into_iter();
        disk.cut(|| answers.next().unwrap());
        assert_eq!(content(&disk, "file").unwrap(), [vec![0; PAGE], vec![1; PAGE]].concat());
        assert_eq!(content(&disk, "other"), None);
    }

    #[test]
    fn a_cut_that_everything_survives_loses_nothing() {
        let mut disk = Disk::default();
        let file = disk.create(&name("a"));
        disk.write(file, 5000, b"bytes");
        disk.rename(&name("a"), &name("b"));
        disk.create(&name("c"));
        assert!(disk.remove(&name("c")) && !disk.remove(&name("c")));
        let before: Vec<_> = disk.names().map(|(name, node)| (name.clone(), node)).collect();
        disk.cut(|| true);
        assert_eq!(disk.names().map(|(name, node)| (name.clone(), node)).collect::<Vec<_>>(), before);
        assert_eq!(content(&disk, "b").unwrap().len(), 5005);
    }
}
