//! How precisely a verification names what is damaged and what is lost.

use std::sync::atomic::Ordering;

use super::super::verify::Damage;
use super::*;
use crate::codec::Reader;
use crate::stone::digest::region_digest;
use crate::stone::format::{FOOTER_LEN, Footer, LINE, checksum};

const PATH: &str = "1.stone";

fn stone() -> (Arc<MemoryEnv>, StoneInfo, Vec<u8>) {
    let env = Arc::new(MemoryEnv::default());
    let info = write(&*env, Path::new(PATH), &sample(), 256);
    let bytes = env.bytes(Path::new(PATH));
    (env, info, bytes)
}

fn find(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).position(|window| window == part).unwrap()
}

fn lost(env: &Arc<MemoryEnv>, info: &StoneInfo, bytes: Vec<u8>) -> Vec<(u64, Lost)> {
    env.put(Path::new(PATH), bytes);
    let mut damages = Vec::new();
    let stone = open(env, Path::new(PATH), info, Access::Mapped);
    stone.verify(&Default::default(), &mut |damage| damages.push((damage.offset, damage.lost))).unwrap();
    damages.into_iter().filter(|(_, lost)| *lost != Lost::Nothing).collect()
}

fn between(after: &[u8], before: &[u8], likely: Option<&[u8]>) -> Lost {
    let [after, before] = [after, before].map(|key| Some(key.to_vec()));
    Lost::Between { after, before, likely: likely.map(<[u8]>::to_vec) }
}

#[test]
fn a_damaged_value_costs_its_own_key_and_the_offset_is_that_of_its_record() {
    let (env, info, mut bytes) = stone();
    let key = find(&bytes, b"key/012");
    bytes[key + 9] ^= 1;
    // Before the key: checksum and length of the group, head, version, time, two lengths.
    let offset = key as u64 - 10;
    let expected = between(b"key/011", b"key/013", Some(b"key/012"));
    assert_eq!(lost(&env, &info, bytes), [(offset, expected)]);
}

#[test]
fn a_damaged_key_is_bounded_by_its_neighbours() {
    let (env, info, mut bytes) = stone();
    let key = find(&bytes, b"key/012");
    bytes[key + 6] ^= 4;
    assert_eq!(lost(&env, &info, bytes), [(key as u64 - 10, between(b"key/011", b"key/013", None))]);
}

#[test]
fn a_damaged_length_costs_no_more_than_the_rest_of_its_block() {
    let (env, info, mut bytes) = stone();
    let key = find(&bytes, b"key/010");
    bytes[key - 1] = 0x7f;
    let lost = lost(&env, &info, bytes.clone());
    let [(_, Lost::Between { after: Some(after), before: Some(before), likely: None })] = lost.as_slice() else {
        panic!("{lost:?}");
    };
    assert_eq!(after, b"key/009");
    assert!(find(&bytes, before) - key <= 256, "{before:?}");
}

#[test]
fn all_records_damaged_is_one_report() {
    let (env, info, mut bytes) = stone();
    let last = find(&bytes, b"key/039") + 7;
    bytes[40..last].fill(0xee);
    assert_eq!(lost(&env, &info, bytes), [(40, Lost::Between { after: None, before: None, likely: None })]);
}

/// The sample in packed groups of several records each.
fn packed() -> (Arc<MemoryEnv>, StoneInfo, Vec<u8>) {
    let env = Arc::new(MemoryEnv::default());
    let info = write_packed(&*env, Path::new(PATH), &sample(), 256, packer(&sample()));
    let bytes = env.bytes(Path::new(PATH));
    (env, info, bytes)
}

#[test]
fn a_damaged_group_costs_its_records_and_no_others() {
    let (env, info, mut bytes) = packed();
    let stone = open(&env, Path::new(PATH), &info, Access::Mapped);
    let start = stone.footer().unwrap().data_start as usize;
    let mut group = Reader::new(&bytes[start + 4..]);
    let len = (group.varint().unwrap() >> 1) as usize;
    let second = (start + 4 + group.position() + len).next_multiple_of(4);
    bytes[second + 20] ^= 1;
    let lost = lost(&env, &info, bytes);
    let [(at, Lost::Between { after: Some(after), before: Some(before), likely: None })] = lost.as_slice() else {
        panic!("{lost:?}");
    };
    assert_eq!(*at, second as u64);
    let stone = open(&env, Path::new(PATH), &info, Access::Mapped);
    let unreadable: Vec<_> = sample().into_keys().filter(|key| get(&stone, key).is_err()).collect();
    let between: Vec<_> = sample().into_keys().filter(|key| after < key && key < before).collect();
    assert!((2..=8).contains(&between.len()) && unreadable == between, "{unreadable:?} {between:?}");
}

#[test]
fn either_table_of_symbols_is_enough() {
    let (env, info, bytes) = packed();
    let tables = open(&env, Path::new(PATH), &info, Access::Mapped).footer().unwrap().symbols();
    let damage = |tables: &[&std::ops::Range<u64>]| {
        let mut bytes = bytes.clone();
        tables.iter().for_each(|table| bytes[table.start as usize + 30] ^= 1);
        bytes
    };
    for table in &tables {
        env.put(Path::new(PATH), damage(&[table]));
        let stone = open(&env, Path::new(PATH), &info, Access::Mapped);
        assert!(sample().iter().all(|(key, record)| get(&stone, key).unwrap().as_ref() == Some(record)));
        let mut damages = Vec::new();
        stone.verify(&Default::default(), &mut |damage| damages.push((damage.offset, damage.lost))).unwrap();
        // The table, and the digest of the data.
        assert_eq!(damages, [(table.start, Lost::Nothing), (0, Lost::Nothing)]);
    }
    let [first, again] = &tables;
    assert_eq!(lost(&env, &info, damage(&[first, again])), [(first.start, Lost::Everything)]);
}

#[test]
fn a_damaged_bucket_names_the_keys_that_can_no_longer_be_found() {
    let (env, info, mut bytes) = stone();
    // 40 records take 3 buckets; the blocks and the expirations follow them.
    let stone = open(&env, Path::new(PATH), &info, Access::Mapped);
    let index = stone.footer().unwrap().index;
    assert_eq!(index.len, 3 * LINE);
    bytes[index.offset as usize + 2 * LINE as usize + 30] ^= 4;
    let lost = lost(&env, &info, bytes);
    let stone = open(&env, Path::new(PATH), &info, Access::Mapped);
    let unreachable: Vec<_> = sample().into_keys().filter(|key| get(&stone, key).is_err()).collect();
    assert!((1..40).contains(&unreachable.len()));
    assert_eq!(lost.len(), unreachable.len());
    for key in unreachable {
        assert!(lost.iter().any(|(_, lost)| *lost == Lost::Key(key.clone())), "{key:?}: {lost:?}");
    }
}

#[test]
fn damaged_block_offsets_and_expirations_lose_no_record() {
    let (env, info, bytes) = stone();
    let footer = open(&env, Path::new(PATH), &info, Access::Mapped).footer().unwrap().clone();
    for region in [footer.blocks, footer.expirations] {
        for line in 0..region.lines() {
            let at = region.offset + line * LINE;
            let mut bytes = bytes.clone();
            bytes[at as usize + 5] ^= 4;
            env.put(Path::new(PATH), bytes);
            let mut damages = Vec::new();
            let stone = open(&env, Path::new(PATH), &info, Access::Mapped);
            stone.verify(&Default::default(), &mut |damage| damages.push((damage.offset, damage.lost))).unwrap();
            // The region's digest, and the line itself, once.
            assert_eq!(damages, [(region.offset, Lost::Nothing), (at, Lost::Nothing)]);
        }
    }
}

#[test]
fn without_its_footer_a_stone_is_lost() {
    let (env, info, mut bytes) = stone();
    let at = bytes.len() - 100;
    bytes[at] ^= 1;
    assert_eq!(lost(&env, &info, bytes), [(info.size - FOOTER_LEN, Lost::Everything)]);
}

#[test]
fn an_unreadable_disk_block_is_reported_and_the_rest_is_read() {
    let env = Arc::new(MemoryEnv::default());
    let mut model = sample();
    model.extend((0..100).map(|i| (vec![b'z', i], (meta(1, None), vec![i; 100]))));
    let info = write(&*env, Path::new(PATH), &model, 256);
    let key = find(&env.bytes(Path::new(PATH)), b"key/020");
    env.bad_byte.store(key as u64, Ordering::Relaxed);
    let mut damages = Vec::new();
    let stone = open(&env, Path::new(PATH), &info, Access::Mapped);
    stone.verify(&Default::default(), &mut |damage| damages.push(damage)).unwrap();
    // The region's digest cannot be computed either.
    let [_, Damage { offset, lost: Lost::Between { after: Some(after), before: Some(before), .. }, error }] =
        damages.as_slice()
    else {
        panic!("{damages:?}");
    };
    assert!((key as u64 - 256..key as u64).contains(offset));
    assert_eq!(error.code(), crate::Code::Io);
    assert!(after.as_slice() < &b"key/020"[..] && &b"key/020"[..] < before.as_slice());
}

#[test]
fn a_verification_sees_the_file_as_it_is_now() {
    let (env, info, mut bytes) = stone();
    let stone = open(&env, Path::new(PATH), &info, Access::Mapped);
    assert!(get(&stone, b"key/001").unwrap().is_some());
    bytes[40] ^= 1;
    env.put(Path::new(PATH), bytes);
    let mut damages = 0;
    stone.verify(&Default::default(), &mut |_| damages += 1).unwrap();
    assert!(damages > 0);
}

/// A sound file whose writer erred: `err` changes it, then all checksums and digests are made right.
fn wrong(err: impl FnOnce(&mut Vec<u8>, &mut Footer)) -> Vec<(String, Lost)> {
    let (env, info, mut bytes) = stone();
    let mut footer = open(&env, Path::new(PATH), &info, Access::Mapped).footer().unwrap().clone();
    err(&mut bytes, &mut footer);
    for line in (footer.index.offset..info.size - FOOTER_LEN).step_by(LINE as usize) {
        reseal(&mut bytes, line, LINE as usize);
    }
    let Footer { data, index, blocks, expirations, .. } = &mut footer;
    for region in [data, index, blocks, expirations] {
        region.digest = region_digest(&bytes[region.offset as usize..][..region.len as usize]);
    }
    let (end, digest) = footer.encode();
    bytes.splice((info.size - FOOTER_LEN) as usize.., end);
    env.put(Path::new(PATH), bytes);
    let info = StoneInfo { digest, tombstones: footer.tombstones, ..info };
    let mut damages = Vec::new();
    let stone = open(&env, Path::new(PATH), &info, Access::Mapped);
    stone
        .verify(&Default::default(), &mut |damage| damages.push((damage.error.message().to_owned(), damage.lost)))
        .unwrap();
    damages
}

fn reseal(bytes: &mut [u8], at: u64, len: usize) {
    let salt = u32::from_le_bytes(bytes[24..28].try_into().unwrap());
    let at_index = at as usize;
    let crc = checksum(salt, at, &bytes[at_index + 4..at_index + len]);
    bytes[at_index..at_index + 4].copy_from_slice(&crc.to_le_bytes());
}

fn assert_one(damages: &[(String, Lost)], what: &str, lost: &Lost) {
    let [(message, found)] = damages else { panic!("{damages:?}") };
    assert!(message.contains(what) && found == lost, "{damages:?}");
}

#[test]
fn a_file_that_was_written_wrong_is_noticed_though_its_checksums_are_right() {
    assert_eq!(wrong(|_, _| {}), []);
    let header = wrong(|bytes, _| {
        bytes[16] ^= 1;
        let crc = crc32c::crc32c(&bytes[..28]);
        bytes[28..32].copy_from_slice(&crc.to_le_bytes());
    });
    assert_one(&header, "another file", &Lost::Nothing);
    let counts = wrong(|_, footer| footer.tombstones += 1);
    assert_one(&counts, "other counts", &Lost::Nothing);
    let blocks = wrong(|bytes, footer| bytes[footer.blocks.offset as usize + 4 + 2 * 5..][..5].fill(0));
    assert_one(&blocks[..1], "blocks are out of order", &Lost::Nothing);
    let first = wrong(|bytes, footer| bytes[footer.blocks.offset as usize + 4] = 44);
    assert!(first.iter().any(|(_, lost)| *lost != Lost::Nothing), "{first:?}");
}

#[test]
fn an_index_that_was_written_wrong_is_noticed() {
    let slots = |bytes: &[u8], footer: &Footer| {
        let slots = (0..footer.index.lines())
            .flat_map(|line| (0..15).map(move |slot| (footer.index.offset + line * LINE) as usize + 4 + slot * 4));
        let (used, free): (Vec<_>, Vec<_>) = slots.partition(|slot| bytes[slot + 1..slot + 4] != [0; 3]);
        (used, free)
    };
    let forgotten = wrong(|bytes, footer| {
        let slot = slots(bytes, footer).0[7];
        bytes[slot + 1..slot + 4].fill(0);
    });
    let [(message, Lost::Key(_)), (count, Lost::Nothing)] = forgotten.as_slice() else { panic!("{forgotten:?}") };
    assert!(message.contains("does not lead") && count.contains("another count"), "{forgotten:?}");
    let invented = wrong(|bytes, footer| {
        let slot = slots(bytes, footer).1[0];
        bytes[slot + 1] = 80;
    });
    assert_one(&invented, "another count", &Lost::Nothing);
}

#[test]
fn expirations_that_were_written_wrong_are_noticed() {
    let at = |footer: &Footer, entry: usize| footer.expirations.offset as usize + 4 + entry * 13;
    let swapped = wrong(|bytes, footer| {
        let (first, second) = (at(footer, 0), at(footer, 1));
        let saved = bytes[first..first + 13].to_vec();
        bytes.copy_within(second..second + 13, first);
        bytes[second..second + 13].copy_from_slice(&saved);
    });
    assert_one(&swapped, "expirations are out of order", &Lost::Nothing);
    let later = wrong(|bytes, footer| bytes[at(footer, 0)] ^= 1);
    assert_one(&later, "does not expire when", &Lost::Nothing);
    let forgotten = wrong(|_, footer| footer.expiration_count -= 1);
    assert_one(&forgotten, "other counts", &Lost::Nothing);
}

#[test]
fn records_that_were_written_out_of_order_are_noticed() {
    let damages = wrong(|bytes, _| {
        // The keys 013 and 014 change places in the records of both, not in the index.
        for (key, other) in [(find(bytes, b"key/013"), 4_u8), (find(bytes, b"key/014"), 3)] {
            bytes[key + 6] = b'0' + other;
        }
        let (first, second) = (find(bytes, b"key/014"), find(bytes, b"key/013"));
        for (start, end) in record_bounds(bytes)
            .into_iter()
            .filter(|(start, end)| (*start..*end).contains(&first) || (*start..*end).contains(&second))
        {
            reseal(bytes, start as u64, end - start);
        }
    });
    let order = damages.iter().find(|(message, _)| message.contains("keys are out of order"));
    assert_eq!(order.map(|(_, lost)| lost), Some(&Lost::Key(b"key/013".to_vec())), "{damages:?}");
}

fn record_bounds(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut bounds = Vec::new();
    let mut at = 40;
    for _ in 0..40 {
        let mut reader = crate::codec::Reader::new(&bytes[at + 4..]);
        let head = reader.varint().unwrap();
        reader.take(head as usize >> 1).unwrap();
        let end = at + 4 + reader.position();
        bounds.push((at, end));
        at = end.next_multiple_of(4);
    }
    bounds
}
