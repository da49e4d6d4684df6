//! The disk, kept twice: as the operating system sees it, and as it would be found after a power loss.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::content::Content;

/// A file, whatever its names are.
pub(crate) type Node = u64;

/// One thing that reaches the disk or does not.
#[derive(Clone)]
pub(crate) enum Change {
    /// Bytes of a file, without the length that they may need.
    Data { node: Node, offset: u64, bytes: Arc<[u8]> },
    /// A file's length, set for itself or because a write needs it.
    Len { node: Node, len: u64, by_write: bool },
    /// A name in a directory: a creation, or the first half of a rename.
    Link { path: Arc<Path>, node: Node },
    /// The end of a name: a removal, or the second half of a rename.
    Unlink { path: Arc<Path> },
}

/// A change that the operating system has and the disk may not have.
#[derive(Clone)]
pub(crate) struct Pending {
    pub(crate) change: Change,
    /// The change before this one must be on the disk first: a rename may leave both names, never none.
    pub(crate) with_previous: bool,
    /// When a lying disk, which acknowledged the sync of this change, will have done it.
    settles: Option<u64>,
}

impl Change {
    /// The file whose sync makes this change durable.
    pub(crate) fn node(&self) -> Option<Node> {
        match self {
            Change::Data { node, .. } | Change::Len { node, .. } => Some(*node),
            Change::Link { .. } | Change::Unlink { .. } => None,
        }
    }

    fn name(&self) -> Option<&Path> {
        match self {
            Change::Link { path, .. } | Change::Unlink { path } => Some(path),
            Change::Data { .. } | Change::Len { .. } => None,
        }
    }

    fn names(&self, path: &Path) -> bool {
        self.name().is_some_and(|name| name.as_os_str() == path.as_os_str())
    }

    fn is_in(&self, directory: &Path) -> bool {
        self.name().is_some_and(|path| is_within(path, directory))
    }
}

/// A path that is compared as bytes: component by component takes as long as all else that a lookup does.
#[derive(Clone)]
pub(crate) struct Name(pub(crate) Arc<Path>);

impl Borrow<OsStr> for Name {
    fn borrow(&self) -> &OsStr {
        self.0.as_os_str()
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_os_str() == other.0.as_os_str()
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.as_os_str().cmp(other.0.as_os_str())
    }
}

/// Names and contents.
#[derive(Clone, Default)]
pub(crate) struct Image {
    pub(crate) names: BTreeMap<Name, Node>,
    pub(crate) files: BTreeMap<Node, Content>,
}

impl Image {
    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::Data { node, offset, bytes } => self.file(*node).write(*offset, bytes),
            Change::Len { node, len, .. } => self.file(*node).set_len(*len),
            Change::Link { path, node } => {
                self.file(*node);
                self.names.insert(Name(Arc::clone(path)), *node);
            }
            Change::Unlink { path } => {
                self.names.remove(path.as_os_str());
            }
        }
    }

    pub(crate) fn file(&mut self, node: Node) -> &mut Content {
        self.files.entry(node).or_default()
    }

    /// Forgets the files that have no name and ends the others where their length says.
    pub(crate) fn settle(&mut self) {
        let named: BTreeSet<Node> = self.names.values().copied().collect();
        self.files.retain(|node, _| named.contains(node));
        self.files.values_mut().for_each(Content::trim);
    }
}

/// Both views, and what is between them.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    pub(crate) system: Image,
    pub(crate) durable: Image,
    pub(crate) pending: Vec<Pending>,
    /// Contents of files that lost their name: what a block that is given out again may still hold.
    pub(crate) stale: Vec<Content>,
    /// Directories are durable at once: [`cairndb::env::Env::create_dir`] promises it.
    directories: BTreeSet<Name>,
    next_node: Node,
    /// Whether a pending change has a time at which it settles: looking for one at every operation is too slow.
    lied: bool,
}

/// How many removed files the blocks of the disk remember.
const STALE: usize = 4;

impl Disk {
    /// The disk as it is found when this is all that reached it.
    pub(crate) fn found_as(&self, image: Image) -> Disk {
        Disk {
            system: image.clone(),
            durable: image,
            pending: Vec::new(),
            stale: self.stale.clone(),
            directories: self.directories.clone(),
            next_node: self.next_node,
            lied: false,
        }
    }

    pub(crate) fn create_dir(&mut self, directory: &Path) -> io::Result<()> {
        for ancestor in directory.ancestors().filter(|ancestor| !is_root(ancestor)) {
            if self.system.names.contains_key(ancestor.as_os_str()) {
                return Err(io::ErrorKind::NotADirectory.into());
            }
        }
        for ancestor in directory.ancestors().filter(|ancestor| !is_root(ancestor)) {
            self.directories.insert(Name(ancestor.into()));
        }
        Ok(())
    }

    /// The names in a directory, in order.
    pub(crate) fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.check_dir(directory)?;
        let within = self.system.names.keys().chain(&self.directories).filter(|name| is_within(&name.0, directory));
        Ok(within.filter_map(|name| name.0.file_name()?.to_str().map(str::to_owned)).collect())
    }

    pub(crate) fn node(&self, path: &Path) -> io::Result<Node> {
        if self.is_dir(path) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        self.system.names.get(path.as_os_str()).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(crate) fn create(&mut self, path: &Arc<Path>) -> io::Result<Node> {
        self.check_dir(parent(path))?;
        if self.is_dir(path) || self.system.names.contains_key(path.as_os_str()) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.next_node += 1;
        let node = self.next_node;
        self.change(Change::Link { path: Arc::clone(path), node });
        Ok(node)
    }

    pub(crate) fn rename(&mut self, from: &Arc<Path>, to: &Arc<Path>) -> io::Result<()> {
        let node = self.node(from)?;
        if parent(from) != parent(to) {
            // The engine keeps all its files in one directory; two directories would need two syncs to be told apart.
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        if self.is_dir(to) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if self.system.names.get(to.as_os_str()) == Some(&node) {
            // POSIX: two names of one file, which a crash in the middle of a rename can leave, both stay.
            return Ok(());
        }
        self.remember(to);
        self.change(Change::Link { path: Arc::clone(to), node });
        self.change(Change::Unlink { path: Arc::clone(from) });
        if let Some(unlink) = self.pending.last_mut() {
            unlink.with_previous = true;
        }
        Ok(())
    }

    pub(crate) fn remove(&mut self, path: &Arc<Path>) -> io::Result<()> {
        self.node(path)?;
        self.remember(path);
        self.change(Change::Unlink { path: Arc::clone(path) });
        Ok(())
    }

    pub(crate) fn content(&mut self, node: Node) -> &Content {
        self.system.file(node)
    }

    pub(crate) fn write(&mut self, node: Node, offset: u64, bytes: &[u8]) {
        let end = offset + bytes.len() as u64;
        if end > self.content(node).len() {
            self.change(Change::Len { node, len: end, by_write: true });
        }
        self.change(Change::Data { node, offset, bytes: bytes.into() });
    }

    pub(crate) fn set_len(&mut self, node: Node, len: u64) {
        if len != self.content(node).len() {
            self.change(Change::Len { node, len, by_write: false });
        }
    }

    /// Makes a file's bytes and length durable: now, or when a lying disk gets round to it.
    pub(crate) fn sync(&mut self, node: Node, settles: Option<u64>) {
        self.acknowledge(|change| change.node() == Some(node), settles);
    }

    /// Makes the names in a directory durable: now, or when a lying disk gets round to it.
    pub(crate) fn sync_dir(&mut self, directory: &Path, settles: Option<u64>) -> io::Result<()> {
        self.check_dir(directory)?;
        self.acknowledge(|change| change.is_in(directory), settles);
        Ok(())
    }

    fn acknowledge(&mut self, belongs: impl Fn(&Change) -> bool, settles: Option<u64>) {
        match settles {
            None => self.persist(|pending| belongs(&pending.change)),
            Some(_) => {
                self.lied = true;
                for pending in self.pending.iter_mut().filter(|pending| belongs(&pending.change)) {
                    pending.settles = pending.settles.or(settles);
                }
            }
        }
    }

    /// Does what a lying disk had promised for a time up to `now`.
    pub(crate) fn settle(&mut self, now: u64) {
        if !self.lied {
            return;
        }
        self.persist(|pending| pending.settles.is_some_and(|at| at <= now));
        self.lied = self.pending.iter().any(|pending| pending.settles.is_some());
    }

    fn persist(&mut self, chosen: impl Fn(&Pending) -> bool) {
        for pending in self.pending.extract_if(.., |pending| chosen(pending)) {
            self.durable.apply(&pending.change);
        }
    }

    /// What the kernel does with the pages of a sync that failed: marks them clean. They will never be written.
    pub(crate) fn drop_dirty(&mut self, node: Node) {
        self.pending.retain(|pending| !matches!(pending.change, Change::Data { node: of, .. } if of == node));
    }

    /// Replaces a file's bytes on the disk and in the page cache, or makes a new file of them, durable at once. The
    /// name of a file that is there stays as durable as it was.
    pub(crate) fn put(&mut self, path: &Arc<Path>, bytes: &[u8]) -> io::Result<()> {
        let node = match self.node(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.put_name(path)?,
            found => found?,
        };
        self.sync(node, None);
        for image in [&mut self.system, &mut self.durable] {
            *image.file(node) = Content::of(bytes);
        }
        Ok(())
    }

    /// A new file with a durable name, over whatever was to become of that name.
    fn put_name(&mut self, path: &Arc<Path>) -> io::Result<Node> {
        self.check_dir(parent(path))?;
        for index in 1..self.pending.len() {
            if self.pending[index - 1].change.names(path) {
                self.pending[index].with_previous = false;
            }
        }
        self.pending.retain(|pending| !pending.change.names(path));
        self.next_node += 1;
        for image in [&mut self.system, &mut self.durable] {
            image.apply(&Change::Link { path: Arc::clone(path), node: self.next_node });
        }
        Ok(self.next_node)
    }

    /// Forgets files that have no name on either side, that no change would name, and that nobody has open.
    pub(crate) fn collect(&mut self, open: &BTreeMap<Node, usize>) {
        let mut used: BTreeSet<Node> = open.keys().copied().collect();
        used.extend(self.system.names.values().chain(self.durable.names.values()));
        used.extend(self.pending.iter().filter_map(|pending| match &pending.change {
            Change::Link { node, .. } => Some(node),
            _ => None,
        }));
        self.system.files.retain(|node, _| used.contains(node));
        self.durable.files.retain(|node, _| used.contains(node));
        self.pending.retain(|pending| pending.change.node().is_none_or(|node| used.contains(&node)));
    }

    /// The bytes that count against a quota.
    pub(crate) fn used(&self, open: &BTreeMap<Node, usize>) -> u64 {
        let named: BTreeSet<&Node> = self.system.names.values().chain(open.keys()).collect();
        named.iter().filter_map(|node| self.system.files.get(node)).map(Content::written).sum()
    }

    fn change(&mut self, change: Change) {
        self.system.apply(&change);
        self.pending.push(Pending { change, with_previous: false, settles: None });
    }

    fn remember(&mut self, path: &Path) {
        if let Some(content) = self.system.names.get(path.as_os_str()).and_then(|node| self.system.files.get(node)) {
            self.stale.push(content.clone());
            if self.stale.len() > STALE {
                self.stale.remove(0);
            }
        }
    }

    fn is_dir(&self, path: &Path) -> bool {
        is_root(path) || self.directories.contains(path.as_os_str())
    }

    fn check_dir(&self, directory: &Path) -> io::Result<()> {
        if self.is_dir(directory) {
            Ok(())
        } else if self.system.names.contains_key(directory.as_os_str()) {
            Err(io::ErrorKind::NotADirectory.into())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new(""))
}

fn is_within(path: &Path, directory: &Path) -> bool {
    let rest = path.as_os_str().as_encoded_bytes().strip_prefix(directory.as_os_str().as_encoded_bytes());
    match rest {
        Some([b'/', name @ ..]) => !name.contains(&b'/'),
        Some(name) => directory.as_os_str().is_empty() && !name.is_empty() && !name.contains(&b'/'),
        None => false,
    }
}

fn is_root(path: &Path) -> bool {
    path.parent().is_none()
}
