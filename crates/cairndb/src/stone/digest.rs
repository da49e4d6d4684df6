//! The digest of a region: the SHA-256 of those of its parts.
//!
//! Parts have nothing to do with each other, so that several can be taken at once. One digest of everything takes five times
//! as long on a processor without instructions for SHA-256, and was half of what it took to write a stone.

use sha2::{Digest, Sha256};

#[cfg(target_arch = "x86_64")]
use super::lanes;
use crate::codec::sha256;

/// The bytes of a part; the last one may have fewer.
pub(super) const PART: usize = 4096;
/// Parts whose digests are taken together.
pub(super) const LANES: usize = 8;

/// The digest of a region, as its bytes come.
#[derive(Default)]
pub(super) struct RegionDigest {
    /// Of the digests of the parts.
    outer: Sha256,
    /// What no digest was taken of yet.
    pending: Vec<u8>,
}

impl RegionDigest {
    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let missing = LANES * PART - self.pending.len();
            let (taken, rest) = bytes.split_at(missing.min(bytes.len()));
            self.pending.extend_from_slice(taken);
            if taken.len() == missing {
                self.take_parts();
            }
            bytes = rest;
        }
    }

    /// Gives the digest, and begins that of another region.
    pub(super) fn finish(&mut self) -> [u8; 32] {
        self.take_parts();
        self.outer.finalize_reset().into()
    }

    fn take_parts(&mut self) {
        let (parts, last) = self.pending.as_chunks::<PART>();
        let (together, parts) = parts.as_chunks::<LANES>();
        together.iter().flat_map(digests).for_each(|digest| self.outer.update(digest));
        let single = parts.iter().map(<[u8; PART]>::as_slice).chain((!last.is_empty()).then_some(last));
        single.for_each(|part| self.outer.update(sha256(part)));
        self.pending.clear();
    }
}

/// The SHA-256 of each part.
fn digests(parts: &[[u8; PART]; LANES]) -> [[u8; 32]; LANES] {
    #[cfg(target_arch = "x86_64")]
    if let Some(digests) = lanes::digests(parts) {
        return digests;
    }
    parts.each_ref().map(|part| sha256(part))
}

/// The digest of a whole region.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn region_digest(bytes: &[u8]) -> [u8; 32] {
    let mut digest = RegionDigest::default();
    digest.update(bytes);
    digest.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As FORMAT.md says it.
    fn stated(region: &[u8]) -> [u8; 32] {
        sha256(&region.chunks(PART).flat_map(sha256).collect::<Vec<u8>>())
    }

    #[test]
    fn regions_of_every_shape_have_the_digest_that_is_stated() {
        let bytes: Vec<u8> = (0..20 * PART as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut digest = RegionDigest::default();
        for parts in [0, 1, 2, 7, 8, 9, 15, 16, 17, 19] {
            for len in [parts * PART, parts * PART + 1, (parts + 1) * PART - 1] {
                let region = &bytes[..len];
                assert_eq!(region_digest(region), stated(region), "{len} bytes at once");
                for step in [1000, PART, 3 * PART + 5] {
                    region.chunks(step).for_each(|some| digest.update(some));
                    assert_eq!(digest.finish(), stated(region), "{len} bytes by {step}");
                }
            }
        }
    }
}
