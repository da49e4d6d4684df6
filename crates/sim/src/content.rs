//! The bytes of one file, shared between all worlds that have not changed them.

use std::collections::BTreeMap;
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3Default;

const PAGE: usize = 4096;
type Page = [u8; PAGE];

/// What a file holds. A clone shares every page until one of the two writes to it.
#[derive(Clone, Default)]
pub(crate) struct Content {
    len: u64,
    /// Where the bytes that were ever written end: what the file costs of a quota, however far `set_len` extended it.
    written: u64,
    /// A page that is not there is a hole and reads as zeros.
    pages: Arc<BTreeMap<u64, Arc<Page>>>,
}

impl Content {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut content = Content::default();
        content.write(0, bytes);
        content.set_len(bytes.len() as u64);
        content
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Reads up to the end of the file and returns how much that was.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        let len = self.len.saturating_sub(offset).min(buffer.len() as u64) as usize;
        for (page, within, part) in spans(offset, len) {
            match self.pages.get(&page) {
                Some(bytes) => buffer[part].copy_from_slice(&bytes[within]),
                None => buffer[part].fill(0),
            }
        }
        len
    }

    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len as usize];
        for (number, page) in self.pages.iter() {
            let start = bytes.len().min(*number as usize * PAGE);
            let end = bytes.len().min(start + PAGE);
            bytes[start..end].copy_from_slice(&page[..end - start]);
        }
        bytes
    }

    /// Feeds all that makes a difference to a reader. Files that read alike are alike, whatever their holes.
    pub(crate) fn digest(&self, hash: &mut Xxh3Default) {
        hash.update(&self.len.to_le_bytes());
        for (number, page) in self.pages.iter().filter(|(_, page)| page.iter().any(|&byte| byte != 0)) {
            hash.update(&number.to_le_bytes());
            hash.update(&page[..]);
        }
    }

    /// Puts bytes in place without making the file longer: a disk can have got the bytes and not the length.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let pages = Arc::make_mut(&mut self.pages);
        for (page, within, part) in spans(offset, bytes.len()) {
            let bytes = &bytes[part];
            // Zeros in a hole are what is there.
            if !pages.contains_key(&page) && bytes.iter().all(|&byte| byte == 0) {
                continue;
            }
            let page = pages.entry(page).or_insert_with(|| Arc::new([0; PAGE]));
            Arc::make_mut(page)[within].copy_from_slice(bytes);
        }
        self.written = self.written.max(offset + bytes.len() as u64);
    }

    /// Cuts or extends the file. What lies past the new end is forgotten, so that a later extension reads as zeros.
    pub(crate) fn set_len(&mut self, len: u64) {
        if len < self.len {
            self.forget_past(len);
        }
        self.len = len;
    }

    /// Removes what was put past the end of the file.
    pub(crate) fn trim(&mut self) {
        self.forget_past(self.len);
    }

    fn forget_past(&mut self, end: u64) {
        if self.written <= end {
            return;
        }
        self.written = end;
        let pages = Arc::make_mut(&mut self.pages);
        pages.split_off(&end.div_ceil(PAGE as u64));
        let within = (end % PAGE as u64) as usize;
        if within > 0
            && let Some(page) = pages.get_mut(&(end / PAGE as u64))
        {
            Arc::make_mut(page)[within..].fill(0);
        }
    }
}

/// The pages that `len` bytes at `offset` touch: number, part of the page, part of the bytes.
fn spans(offset: u64, len: usize) -> impl Iterator<Item = (u64, std::ops::Range<usize>, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = offset + done as u64;
        let within = (at % PAGE as u64) as usize;
        let part = (PAGE - within).min(len - done);
        let span = (at / PAGE as u64, within..within + part, done..done + part);
        done += part;
        Some(span)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    /// A file as a plain vector; `past` are bytes beyond the end.
    #[derive(Default)]
    struct Plain {
        bytes: Vec<u8>,
        len: usize,
    }

    #[test]
    fn behaves_as_a_vector_of_bytes() {
        let mut rng = Rng::new(5);
        for _ in 0..200 {
            let mut content = Content::default();
            let mut plain = Plain::default();
            for _ in 0..20 {
                let at = rng.index(3 * PAGE);
                if rng.chance(2, 3) {
                    let size = rng.index(2 * PAGE);
                    let bytes = rng.bytes(size);
                    content.write(at as u64, &bytes);
                    plain.bytes.resize(plain.bytes.len().max(at + size), 0);
                    plain.bytes[at..at + size].copy_from_slice(&bytes);
                } else {
                    content.set_len(at as u64);
                    if at < plain.len {
                        plain.bytes.truncate(at);
                    }
                    plain.len = at;
                }
                let mut seen = plain.bytes.clone();
                seen.resize(plain.len, 0);
                assert_eq!(content.to_vec(), seen);
                let from = rng.index(4 * PAGE);
                let mut buffer = vec![9; rng.index(PAGE)];
                let read = content.read(&mut buffer, from as u64);
                assert_eq!(
                    buffer[..read],
                    seen[from.min(plain.len)..(from + buffer.len()).min(plain.len).max(from.min(plain.len))]
                );
            }
        }
    }

    #[test]
    fn a_clone_keeps_its_bytes() {
        let mut content = Content::of(&[1; 5000]);
        let clone = content.clone();
        content.write(10, &[2; 4990]);
        content.set_len(20);
        assert_eq!(clone.to_vec(), vec![1; 5000]);
    }

    #[test]
    fn a_hole_costs_nothing() {
        let mut content = Content::default();
        content.set_len(1 << 40);
        assert_eq!((content.len(), content.written(), content.pages.len()), (1 << 40, 0, 0));
        let mut byte = [7];
        assert_eq!(content.read(&mut byte, 1 << 39), 1);
        assert_eq!(byte, [0]);
    }
}
