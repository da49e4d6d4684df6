//! Random changes of bytes, for tests that have no fuzzer: what libFuzzer does, without what it learns.

use cairndb_sim::Rng;

/// Numbers at the edges of what decoders take.
const EDGES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, 4, 8, 16];
/// Nothing grows beyond this.
const LONGEST: usize = 16 << 10;

/// A seed with a few random changes, or a mixture of two.
#[must_use]
pub fn mutate(rng: &mut Rng, seed: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..1 + rng.index(4) {
        change(rng, &mut bytes, other);
    }
    bytes.truncate(LONGEST);
    bytes
}

fn change(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8]) {
    let place = rng.index(bytes.len() + 1);
    let part = place..bytes.len().min(place + 1 + rng.index(12));
    match rng.below(7) {
        0 if place < bytes.len() => bytes[place] ^= 1 << rng.below(8),
        1 if place < bytes.len() => bytes[place] = bytes[place].wrapping_add(rng.below(9) as u8).wrapping_sub(4),
        2 => bytes[part].fill(EDGES[rng.index(EDGES.len())]),
        3 => drop(bytes.drain(part)),
        4 => {
            let copy = bytes[part].to_vec();
            bytes.splice(place..place, copy);
        }
        5 => {
            let from = rng.index(other.len() + 1);
            let to = other.len().min(from + 1 + rng.index(64));
            bytes.splice(part, other[from..to].iter().copied());
        }
        _ => bytes.truncate(place),
    }
}
