//! The reader of persistent-kv's files, on every cut and every flipped bit.

use std::io;
use std::sync::Arc;

use proptest::prelude::*;

use super::records::{Item, Records};
use super::report::LossKind;
use super::takeover::judge;
use crate::codec::{put_bytes, put_varint};
use crate::env::{File, Mapping};
use crate::map::MapKey;

const U64_FULL: &[u8] = include_bytes!("../../tests/fixtures/persistent-kv/u64/snapshot_4_0-of-1_full.bin");
const U64_LOGS: [&[u8]; 3] = [
    include_bytes!("../../tests/fixtures/persistent-kv/u64/snapshot_5_0-of-3_diff.bin"),
    include_bytes!("../../tests/fixtures/persistent-kv/u64/snapshot_5_1-of-3_diff.bin"),
    include_bytes!("../../tests/fixtures/persistent-kv/u64/snapshot_5_2-of-3_diff.bin"),
];
const STRING_FULL: &[u8] = include_bytes!("../../tests/fixtures/persistent-kv/string/snapshot_2_0-of-1_full.bin");

/// A file in memory, to be read only.
struct Memory(Vec<u8>);

impl File for Memory {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = &self.0[(offset as usize).min(self.0.len())..];
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_at(&self, _bytes: &[u8], _offset: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn set_len(&self, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn map(&self) -> io::Result<Mapping> {
        Ok(Mapping::Memory(Arc::from(&*self.0)))
    }
}

/// Keys and values; no value is a removal.
type Change = (Vec<u8>, Option<Vec<u8>>);

#[derive(Debug, Default, PartialEq)]
struct Found {
    changes: Vec<Change>,
    /// Where each of them ends.
    ends: Vec<u64>,
    losses: Vec<(LossKind, u64, u64)>,
}

/// What is in a log.
fn read<K: MapKey>(bytes: &[u8]) -> Found {
    let file = Memory(bytes.to_vec());
    let (mut found, mut end) = (Found::default(), 0);
    let mut records = Records::new(&file).unwrap();
    while let Some((offset, len, item)) = records.next().unwrap() {
        assert_eq!(offset, end, "bytes are passed over");
        end += len;
        match judge::<K>(item, len, false) {
            Ok(change) => {
                found.changes.push((change.stored.to_vec(), change.value.map(<[u8]>::to_vec)));
                found.ends.push(end);
            }
            Err((kind, _)) => found.losses.push((kind, offset, len)),
        }
    }
    assert_eq!(end, bytes.len() as u64, "the end is not reached");
    found
}

fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (tag, bytes) in [(0x0a, key), (0x12, value)] {
        if !bytes.is_empty() {
            body.push(tag);
            put_bytes(&mut body, bytes);
        }
    }
    let mut out = Vec::new();
    put_varint(&mut out, body.len() as u64);
    [out, body].concat()
}

/// Some records and where each begins; the last entry is the end.
fn log(changes: &[Change]) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut starts) = (Vec::new(), vec![0]);
    for (key, value) in changes {
        bytes.extend(record(key, value.as_deref().unwrap_or_default()));
        starts.push(bytes.len());
    }
    (bytes, starts)
}

fn some_changes() -> Vec<Change> {
    vec![
        (b"a".to_vec(), Some(b"1".to_vec())),
        (b"".to_vec(), Some(b"of the empty key".to_vec())),
        (b"removed".to_vec(), None),
        (vec![b'k'; 300], Some(vec![b'v'; 200])),
        (b"".to_vec(), None),
        (b"last but one".to_vec(), None),
        (b"last".to_vec(), Some(vec![0x12; 150])),
    ]
}

#[test]
fn a_cut_at_any_byte_leaves_the_records_before_it_and_is_told_of() {
    let changes = some_changes();
    let (bytes, starts) = log(&changes);
    for len in 0..=bytes.len() {
        let whole = starts.iter().filter(|start| **start <= len).count() - 1;
        let found = read::<Vec<u8>>(&bytes[..len]);
        assert_eq!(found.changes, changes[..whole], "cut at {len}");
        let rest = (len - starts[whole]) as u64;
        let cut = (LossKind::Cut, starts[whole] as u64, rest);
        assert_eq!(found.losses, if rest == 0 { vec![] } else { vec![cut] }, "cut at {len}");
    }
}

/// A flipped bit in a key or a value cannot be told from another key or value, as there is no checksum. But it must not
/// reach further than the one record, and everything else must be noticed.
fn every_flipped_bit<K: MapKey>(bytes: &[u8]) {
    let sound = read::<K>(bytes);
    assert_eq!(sound.losses, []);
    let mut noticed = 0;
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let found = read::<K>(&flipped);
        if found.losses.is_empty() {
            assert_eq!(found.changes.len(), sound.changes.len(), "bit {bit}");
            let other = found.changes.iter().zip(&sound.changes).filter(|(found, sound)| found != sound).count();
            assert_eq!(other, 1, "bit {bit}");
        } else {
            noticed += 1;
            let crash = found.losses.iter().all(|(kind, ..)| kind.is_of_a_crash());
            let end = sound.ends.iter().find(|end| **end > bit as u64 / 8).unwrap();
            // The last record may be a removal, whose length then says that there was to be a value.
            assert!(!crash || Some(end) == sound.ends.last(), "bit {bit} is taken for a crash: {:?}", found.losses);
            assert!(found.losses[0].1 <= *end, "bit {bit}: {:?}", found.losses);
        }
    }
    assert!(noticed > 0);
}

#[test]
fn a_flipped_bit_is_noticed_or_stays_in_its_record() {
    U64_LOGS.into_iter().for_each(every_flipped_bit::<u64>);
    every_flipped_bit::<u64>(&U64_FULL[..first_records(U64_FULL, 40)]);
    every_flipped_bit::<String>(&STRING_FULL[..first_records(STRING_FULL, 40)]);
}

/// The length of the first records of a file, in bytes.
fn first_records(bytes: &[u8], count: usize) -> usize {
    let file = Memory(bytes.to_vec());
    let mut records = Records::new(&file).unwrap();
    (0..count).map(|_| records.next().unwrap().unwrap().1 as usize).sum()
}

#[test]
fn holes_of_zeros_are_passed_over_and_a_removal_of_the_empty_key_is_none() {
    let (first, last) = (record(b"first", b"1"), record(b"last", b"2"));
    let kept = |key: &[u8], value: &[u8]| (key.to_vec(), Some(value.to_vec()));
    for zeros in [4, 1000, 3 << 20] {
        let found = read::<String>(&[first.clone(), vec![0; zeros], last.clone()].concat());
        assert_eq!(found.changes, [kept(b"first", b"1"), kept(b"last", b"2")]);
        assert_eq!(found.losses, [(LossKind::Hole, first.len() as u64, zeros as u64)]);
    }
    let found = read::<String>(&[first, vec![0], last].concat());
    assert_eq!(found.changes, [kept(b"first", b"1"), (vec![], None), kept(b"last", b"2")]);
    assert_eq!(found.losses, []);
    assert_eq!(read::<u64>(&[0, 0]).losses, [(LossKind::Hole, 0, 2)]);
}

#[test]
fn what_only_claims_to_be_long_takes_no_memory() {
    for claim in [1 << 20, 1 << 40, u64::MAX] {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, claim);
        bytes.extend_from_slice(b"\x0a\x01k\x12\x01v");
        assert_eq!(read::<String>(&bytes).losses[0].0, LossKind::Damaged, "{claim}");
        let mut bytes = Vec::new();
        put_varint(&mut bytes, claim);
        bytes.push(0x0a);
        put_varint(&mut bytes, claim);
        assert_eq!(read::<String>(&bytes).losses[0].0, LossKind::Damaged, "{claim}");
    }
}

#[test]
fn damage_of_every_kind_is_told_with_its_place() {
    let sound = record(b"key", b"value");
    let wrong: [&[u8]; 8] = [
        &[2, 0x0b, 0],
        &[4, 0x0a, 1, b'k', 0x12],
        &[2, 0x0a, 0],
        &[8, 0x12, 1, b'v', 0x0a, 1, b'k', 0x0a, 0],
        &[3, 0x0a, 2, b'k', b'l', 0],
        &[0x83, 0x00, 0x0a, 1, b'k'],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        &[5, 0x0a, 2, b'k', b'l'],
    ];
    for bytes in wrong {
        let found = read::<String>(&[&sound[..], bytes].concat());
        assert_eq!(found.changes.len(), 1, "{bytes:?}");
        assert_eq!(found.losses[..], [(LossKind::Damaged, sound.len() as u64, bytes.len() as u64)], "{bytes:?}");
    }
    let strange = record(&[0xff], b"value");
    assert_eq!(read::<String>(&strange).losses, [(LossKind::WrongKey, 0, strange.len() as u64)]);
    assert_eq!(read::<u32>(&record(&u64::MAX.to_le_bytes(), b"v")).losses[0].0, LossKind::WrongKey);
    assert_eq!(read::<Vec<u8>>(&record(&[b'k'; 1023], b"v")).losses, []);
    assert_eq!(read::<Vec<u8>>(&record(&[b'k'; 1024], b"v")).losses[0].0, LossKind::TooLong);
}

proptest! {
    #[test]
    fn what_was_written_is_read_back_across_the_windows(
        lengths in proptest::collection::vec((0_usize..40, 0_usize..400_000), 1..12),
    ) {
        let changes: Vec<Change> = lengths.iter().enumerate().map(|(n, (key, value))| {
            (vec![n as u8; *key], Some(vec![7; *value]).filter(|value| !value.is_empty()))
        }).collect();
        let found = read::<Vec<u8>>(&log(&changes).0);
        // Removals of the empty key one after the other are read as one; four and more would be a hole.
        let mut expected = changes;
        expected.dedup_by(|next, one| next == one && *one == (vec![], None));
        prop_assert_eq!(found.changes, expected);
    }

    #[test]
    fn no_bytes_bring_the_reader_down(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        read::<String>(&bytes);
        read::<u64>(&bytes);
    }
}

#[test]
fn a_record_longer_than_can_be_stored_is_passed_over() {
    struct Sparse(u64, Vec<u8>, Vec<u8>);
    impl File for Sparse {
        fn len(&self) -> io::Result<u64> {
            Ok(self.0)
        }
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            assert!(buffer.len() <= 1 << 20, "{} bytes at once", buffer.len());
            let tail = self.0 - self.2.len() as u64;
            for (at, byte) in (offset..).zip(buffer.iter_mut()) {
                let of = if at >= tail { self.2.get((at - tail) as usize) } else { self.1.get(at as usize) };
                *byte = of.copied().unwrap_or(b'x');
            }
            Ok(buffer.len())
        }
        fn write_at(&self, _bytes: &[u8], _offset: u64) -> io::Result<usize> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn set_len(&self, _len: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn sync(&self) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn map(&self) -> io::Result<Mapping> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
    let mut head = Vec::new();
    put_varint(&mut head, 1 << 31);
    let behind = record(b"behind", b"it");
    let file = Sparse(head.len() as u64 + (1 << 31) + behind.len() as u64, head.clone(), behind);
    let mut records = Records::new(&file).unwrap();
    assert_eq!(records.next().unwrap(), Some((0, head.len() as u64 + (1 << 31), Item::TooLong)));
    assert!(matches!(records.next().unwrap(), Some((_, _, Item::Record { key: b"behind", value: b"it" }))));
    assert_eq!(records.next().unwrap(), None);
}
