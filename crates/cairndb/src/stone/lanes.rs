//! SHA-256 of eight parts at once, for processors with wide vectors and without instructions for SHA-256.
//!
//! Each step of SHA-256 needs the one before, so a digest by itself leaves most of such a processor idle. Eight that have
//! nothing to do with each other take hardly longer, one in each lane of a vector (Gueron and Krasnov, "Simultaneous Hashing
//! of Multiple Messages", 2012). The functions and constants are those of [FIPS 180-4](https://doi.org/10.6028/NIST.FIPS.180-4).

use super::digest::{LANES, PART};

const BLOCK: usize = 64;

/// The SHA-256 of each part; `None` where the processor has no vectors for it, or better than that.
pub(super) fn digests(parts: &[[u8; PART]; LANES]) -> Option<[[u8; 32]; LANES]> {
    if std::arch::is_x86_feature_detected!("sha") || !std::arch::is_x86_feature_detected!("avx2") {
        return None;
    }
    #[allow(unsafe_code, reason = "what needs a feature of the processor can be called only where it was looked for")]
    // SAFETY: the processor has the feature, as was asked just now.
    Some(unsafe { side_by_side_with_avx2(parts) })
}

#[target_feature(enable = "avx2")]
fn side_by_side_with_avx2(parts: &[[u8; PART]; LANES]) -> [[u8; 32]; LANES] {
    side_by_side(parts)
}

/// A word of each part.
#[derive(Clone, Copy)]
struct Lanes([u32; LANES]);

/// Everything here becomes vector code of the function that it is inlined into, and only there.
impl Lanes {
    #[inline(always)]
    fn each(mut self, change: impl Fn(u32) -> u32) -> Lanes {
        for word in &mut self.0 {
            *word = change(*word);
        }
        self
    }

    #[inline(always)]
    fn with(mut self, other: Lanes, join: impl Fn(u32, u32) -> u32) -> Lanes {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word = join(*word, other);
        }
        self
    }

    #[inline(always)]
    fn plus(self, other: Lanes) -> Lanes {
        self.with(other, u32::wrapping_add)
    }
}

#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "blocks cover a part exactly, and each has 16 words of 4 bytes")]
fn side_by_side(parts: &[[u8; PART]; LANES]) -> [[u8; 32]; LANES] {
    let mut state = INITIAL.map(|word| Lanes([word; LANES]));
    for at in (0..PART).step_by(BLOCK) {
        let mut words = [Lanes([0; LANES]); 16];
        for (lane, part) in parts.iter().enumerate() {
            for (words, word) in words.iter_mut().zip(part[at..at + BLOCK].as_chunks().0) {
                words.0[lane] = u32::from_be_bytes(*word);
            }
        }
        compress(&mut state, words);
    }
    // A part fills its blocks, so a last one has nothing but the mark of the end and the length in bits.
    let mut padding = [Lanes([0; LANES]); 16];
    padding[0] = Lanes([1 << 31; LANES]);
    padding[15] = Lanes([8 * PART as u32; LANES]);
    compress(&mut state, padding);
    std::array::from_fn(|lane| {
        let mut digest = [0; 32];
        for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(&state) {
            *bytes = word.0[lane].to_be_bytes();
        }
        digest
    })
}

/// One block of each part. Of the schedule only the last 16 words are kept.
#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "all indices are below 16, or 64 with the constants")]
#[allow(clippy::many_single_char_names, reason = "the names of the standard")]
fn compress(state: &mut [Lanes; 8], mut words: [Lanes; 16]) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (round, constants) in CONSTANTS.as_chunks::<16>().0.iter().enumerate() {
        for t in 0..16 {
            if round > 0 {
                let near = words[(t + 1) % 16].each(|w| w.rotate_right(7) ^ w.rotate_right(18) ^ (w >> 3));
                let far = words[(t + 14) % 16].each(|w| w.rotate_right(17) ^ w.rotate_right(19) ^ (w >> 10));
                words[t] = words[t].plus(near).plus(words[(t + 9) % 16]).plus(far);
            }
            let sum1 = e.each(|e| e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25));
            let choice = e.with(f, |e, f| e & f).with(e.with(g, |e, g| !e & g), |f, g| f ^ g);
            let next = h.plus(sum1).plus(choice).plus(words[t]).each(|sum| sum.wrapping_add(constants[t]));
            let sum0 = a.each(|a| a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22));
            let majority = a.with(b, |a, b| a & b).with(a.with(b, |a, b| a | b).with(c, |ab, c| ab & c), |x, y| x | y);
            (h, g, f, e) = (g, f, e, d.plus(next));
            (d, c, b, a) = (c, b, a, next.plus(sum0).plus(majority));
        }
    }
    for (before, now) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *before = before.plus(now);
    }
}

/// Section 5.3.3 of the standard.
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// Section 4.2.2 of the standard.
const CONSTANTS: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::sha256;

    #[test]
    fn each_lane_has_the_digest_of_its_part() {
        for seed in 0..4_u64 {
            let mut state = seed;
            let parts: [[u8; PART]; LANES] = std::array::from_fn(|_| {
                std::array::from_fn(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 56) as u8
                })
            });
            let expected = parts.each_ref().map(|part| sha256(part));
            // As it is computed also where the processor has something better, or no vectors.
            assert_eq!(side_by_side(&parts), expected);
            assert_eq!(digests(&parts).unwrap_or(expected), expected);
        }
    }
}
