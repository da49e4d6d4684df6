//! Files made to do harm: sound in their checksums, nonsense in what they say. No panic, no hang, no huge allocation.

use proptest::prelude::*;

use super::*;
use crate::stone::format::{FOOTER_LEN, LINE, SEALED, checksum};

const PATH: &str = "1.stone";

fn stone() -> (Arc<MemoryEnv>, StoneInfo, Vec<u8>) {
    let env = Arc::new(MemoryEnv::default());
    let info = write(&*env, Path::new(PATH), &sample(), 256);
    let bytes = env.bytes(Path::new(PATH));
    (env, info, bytes)
}

/// Uses everything; only that it ends and how is of interest. Gives how much damage a verification finds.
fn exercise(env: &Arc<MemoryEnv>, info: &StoneInfo, bytes: Vec<u8>) -> u64 {
    env.put(Path::new(PATH), bytes);
    for access in ways() {
        let stone = open(env, Path::new(PATH), info, access);
        for key in sample().keys() {
            if let Ok(Some((_, value))) = get(&stone, key) {
                assert_eq!(value, sample()[key].1);
            }
            let _ = get(&stone, &[key, &b"?"[..]].concat());
            for seek in [Seek::Before(key), Seek::After(key), Seek::End] {
                let mut cursor = stone.cursor();
                if cursor.seek(seek).is_ok() {
                    let _ = (cursor.next(), cursor.prev(), cursor.prev());
                }
            }
        }
        let mut cursor = stone.cursor();
        let forward = std::iter::from_fn(|| cursor.next().ok().flatten()).count();
        let backward = std::iter::from_fn(|| cursor.prev().ok().flatten()).count();
        assert!(forward <= 40 && backward <= 40, "{forward} {backward}");
        let due = stone.expirations(f64::NEG_INFINITY, f64::INFINITY).map_or(0, Iterator::count);
        assert!(due <= 10);
    }
    let mut damages = 0;
    open(env, Path::new(PATH), info, Access::Mapped).verify(&Default::default(), &mut |_| damages += 1).unwrap();
    damages
}

fn salt(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes[24..28].try_into().unwrap())
}

/// Replaces the bytes after the checksum at `at` and makes the checksum right.
fn forge(bytes: &mut [u8], at: u64, payload: &[u8]) {
    let crc = checksum(salt(bytes), at, payload);
    let at = at as usize;
    bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
    bytes[at + 4..at + 4 + payload.len()].copy_from_slice(payload);
}

/// All lines of the file: of index, blocks and expirations.
fn lines(env: &Arc<MemoryEnv>, info: &StoneInfo) -> Vec<u64> {
    let footer = open(env, Path::new(PATH), info, Access::Mapped).footer().unwrap().clone();
    let end = footer.expirations.offset + footer.expirations.len;
    (footer.index.offset..end).step_by(LINE as usize).collect()
}

proptest! {
    #[test]
    fn forged_lines(
        forged in proptest::collection::vec(
            (any::<proptest::sample::Index>(), proptest::collection::vec(prop_oneof![
                any::<u8>(), Just(0), Just(1), Just(2), Just(255)
            ], 60)),
            1..8,
        ),
    ) {
        let (env, info, mut bytes) = stone();
        let before = bytes.clone();
        let lines = lines(&env, &info);
        for (line, payload) in &forged {
            forge(&mut bytes, *line.get(&lines), payload);
        }
        if bytes != before {
            assert!(exercise(&env, &info, bytes) > 0);
        }
    }
}

#[test]
fn an_index_that_leads_astray_everywhere_ends_every_search() {
    let (env, info, mut bytes) = stone();
    let footer = open(&env, Path::new(PATH), &info, Access::Mapped).footer().unwrap().clone();
    for fingerprint in [0, 77] {
        for offset in [1_u64, 80, 2 * footer.data_end - 1, 2 * footer.data_end, (1 << 23) - 1, (1 << 24) - 1] {
            let [o @ .., _, _, _, _, _] = offset.to_le_bytes();
            let slot = [&[fingerprint], &o[..]].concat();
            for line in 0..footer.index.lines() {
                forge(&mut bytes, footer.index.offset + line * LINE, &slot.repeat(15));
            }
            assert!(exercise(&env, &info, bytes.clone()) > 0);
        }
    }
}

#[test]
fn a_record_or_a_group_that_claims_to_be_enormous() {
    let (env, info, bytes) = stone();
    let start = open(&env, Path::new(PATH), &info, Access::Mapped).footer().unwrap().data_start;
    for len in [1 << 20, u64::MAX >> 1, u64::MAX] {
        let mut record = vec![0x08, 1, 0, 4];
        crate::codec::put_varint(&mut record, len);
        record.extend_from_slice(b"key!");
        let groupd = [&[(record.len() as u8) << 1], &record[..]].concat();
        let mut group = Vec::new();
        crate::codec::put_varint(&mut group, len);
        for payload in [groupd, group] {
            let mut hostile = bytes.clone();
            forge(&mut hostile, start, &payload);
            assert!(exercise(&env, &info, hostile) > 0);
        }
    }
}

#[test]
fn packed_groups_with_codes_and_lengths_that_are_wrong() {
    let env = Arc::new(MemoryEnv::default());
    let info = write_packed(&*env, Path::new(PATH), &sample(), 256, packer(&sample()));
    let bytes = env.bytes(Path::new(PATH));
    let start = open(&env, Path::new(PATH), &info, Access::Mapped).footer().unwrap().data_start;
    let at = start as usize + 4;
    assert_eq!(bytes[at] & 1, 1, "the first group is packed");
    let (head, body) = (bytes[at], usize::from(bytes[at] >> 1));
    for codes in [vec![255; body], vec![254; body], vec![0; body], [vec![1, 255], vec![0; body - 2]].concat()] {
        let mut hostile = bytes.clone();
        forge(&mut hostile, start, &[&[head], &codes[..]].concat());
        assert!(exercise(&env, &info, hostile) > 0);
    }
    // Codes that are taken for records as they are.
    let mut plain = bytes.clone();
    forge(&mut plain, start, &[&[head ^ 1], &bytes[at + 1..at + 1 + body]].concat());
    assert!(exercise(&env, &info, plain) > 0);
}

#[test]
fn a_footer_that_contradicts_itself_under_a_digest_that_is_right() {
    let (env, info, bytes) = stone();
    let at = bytes.len() - FOOTER_LEN as usize;
    for field in (32..SEALED).step_by(8) {
        for value in [0, 1, 63, 64, 1 << 20, u64::MAX / 2, u64::MAX - 63, u64::MAX] {
            let mut hostile = bytes.clone();
            hostile[at + field..at + field + 8].copy_from_slice(&u64::to_le_bytes(value));
            if hostile == bytes {
                continue;
            }
            let digest = crate::codec::sha256(&hostile[at..at + SEALED]);
            hostile[at + SEALED..at + SEALED + 32].copy_from_slice(&digest);
            exercise(&env, &StoneInfo { digest, ..info.clone() }, hostile);
        }
    }
}

#[test]
fn blocks_that_are_empty_or_reversed_do_not_hide_those_before_them() {
    let (env, info, bytes) = stone();
    let blocks = open(&env, Path::new(PATH), &info, Access::Mapped).footer().unwrap().blocks;
    let starts: Vec<u8> = bytes[blocks.offset as usize + 4..][..60].to_vec();
    for (from, to) in [(1, 2), (2, 1), (0, 3), (3, 0), (5, 4)] {
        let mut payload = starts.clone();
        payload.copy_within(from * 5..from * 5 + 5, to * 5);
        let mut hostile = bytes.clone();
        forge(&mut hostile, blocks.offset, &payload);
        env.put(Path::new(PATH), hostile);
        for access in ways() {
            let mut cursor = open(&env, Path::new(PATH), &info, access).cursor_at(Seek::End).unwrap();
            let error = loop {
                match cursor.prev() {
                    Ok(Some(_)) => {}
                    Ok(None) => {
                        panic!("{from} to {to}: the start was reached past a block that leads nowhere")
                    }
                    Err(error) => break error,
                }
            };
            assert_eq!(error.code(), crate::Code::Corrupt);
        }
    }
}
