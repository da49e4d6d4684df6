//! Every bit flipped, blocks in the wrong place, blocks of another file: the right answer or an error.

use super::super::blocks;
use super::super::verify::Damage;
use super::*;
use crate::Code;

const PATH: &str = "1.stone";

/// Reads everything there is. Whatever is given must be right; what is not given must be an error.
/// Returns the keys that could not be read.
fn check(stone: &Arc<Stone>, model: &Model) -> Vec<Vec<u8>> {
    let mut lost = Vec::new();
    let refused = |error: crate::Error| {
        assert_eq!(error.code(), Code::Corrupt, "{error}");
        assert!(error.path().is_some() && error.offset().is_some());
    };
    for (key, record) in model {
        match get(stone, key) {
            Ok(found) => assert_eq!(found.as_ref(), Some(record)),
            Err(error) => {
                refused(error);
                lost.push(key.clone());
            }
        }
        let missing = [key, &b"?"[..]].concat();
        match get(stone, &missing) {
            Ok(found) => assert_eq!(found, None),
            Err(error) => refused(error),
        }
    }
    let mut expected = model.iter();
    let mut cursor = stone.cursor();
    loop {
        match (cursor.next(), expected.next()) {
            (Ok(Some(record)), Some((key, (meta, value)))) => {
                assert_eq!(record.entry(), Entry { key, meta: *meta, value });
            }
            (Ok(None), None) => break,
            (Err(error), _) => break refused(error),
            (got, expected) => {
                panic!("{:?} and not {expected:?}", got.unwrap().map(|record| record.key().to_vec()))
            }
        }
    }
    let mut expected = model.iter().rev();
    let mut cursor = stone.cursor();
    match cursor.seek(Seek::End) {
        Err(error) => refused(error),
        Ok(()) => loop {
            match (cursor.prev(), expected.next()) {
                (Ok(Some(record)), Some((key, (meta, value)))) => {
                    assert_eq!(record.entry(), Entry { key, meta: *meta, value });
                }
                (Ok(None), None) => break,
                (Err(error), _) => break refused(error),
                (_, expected) => panic!("{expected:?} is missing"),
            }
        },
    }
    let key = model.keys().nth(model.len() / 2).unwrap();
    match stone.cursor_at(Seek::Before(key)).and_then(|mut cursor| cursor.next()) {
        Ok(record) => assert_eq!(record.unwrap().key(), key),
        Err(error) => refused(error),
    }
    let expected = expiring(model, f64::NEG_INFINITY, f64::INFINITY);
    match stone.expirations(f64::NEG_INFINITY, f64::INFINITY) {
        Err(error) => refused(error),
        Ok(due) => {
            let due: Vec<_> = due.collect();
            assert_eq!(due.len(), expected.len());
            for (record, (at, key)) in due.into_iter().zip(&expected) {
                match record {
                    Ok(record) => {
                        assert_eq!((record.meta().expiration, record.key()), (Some(*at), key.as_slice()))
                    }
                    Err(error) => refused(error),
                }
            }
        }
    }
    lost
}

fn damages(stone: &Stone) -> Vec<Damage> {
    let mut damages = Vec::new();
    stone.verify(&Default::default(), &mut |damage| damages.push(damage)).unwrap();
    damages
}

/// Whether a report of damage tells of the loss of this key.
fn covers(damages: &[Damage], key: &[u8]) -> bool {
    damages.iter().any(|damage| match &damage.lost {
        Lost::Nothing => false,
        Lost::Key(lost) => lost == key,
        Lost::Between { after, before, .. } => {
            after.as_deref().is_none_or(|after| after < key) && before.as_deref().is_none_or(|before| key < before)
        }
        Lost::Everything => true,
    })
}

/// Reads a damaged file in both ways and verifies it.
fn check_damaged(env: &Arc<MemoryEnv>, info: &StoneInfo, model: &Model, bytes: Vec<u8>, what: &str) {
    env.put(Path::new(PATH), bytes);
    let damages = damages(&open(env, Path::new(PATH), info, Access::Mapped));
    assert!(!damages.is_empty(), "{what} went unnoticed");
    for damage in &damages {
        if let Lost::Between { likely: Some(likely), .. } = &damage.lost {
            assert!(covers(std::slice::from_ref(damage), likely), "{what} has no room for {likely:?}: {damage:?}");
        }
    }
    let [mapped, cached] = ways().map(|access| open(env, Path::new(PATH), info, access));
    for key in check(&mapped, model) {
        assert!(covers(&damages, &key), "{what} lost {key:?}: {damages:?}");
    }
    // Without a mapping a point read needs the block offsets as well.
    let blocks = cached.footer().map(|footer| footer.blocks.offset..footer.expirations.offset);
    let blocks = |damage: &Damage| blocks.as_ref().is_ok_and(|blocks| blocks.contains(&damage.offset));
    for key in check(&cached, model) {
        assert!(covers(&damages, &key) || damages.iter().any(blocks), "{what} lost {key:?}: {damages:?}");
    }
}

fn stone(model: &Model, packer: Option<Packer>) -> (Arc<MemoryEnv>, StoneInfo, Vec<u8>) {
    let env = Arc::new(MemoryEnv::default());
    let info = write_packed(&*env, Path::new(PATH), model, 256, packer);
    let bytes = env.bytes(Path::new(PATH));
    (env, info, bytes)
}

#[test]
fn no_flipped_bit_gives_a_wrong_answer_or_goes_unnoticed() {
    flip_bits(None, 0..8);
}

#[test]
fn no_flipped_bit_of_packed_records_gives_a_wrong_answer_or_goes_unnoticed() {
    flip_bits(packer(&sample()), 2..4);
}

fn flip_bits(packer: Option<Packer>, bits: std::ops::Range<u32>) {
    let model = sample();
    let (env, info, bytes) = stone(&model, packer);
    assert!((1500..3500).contains(&bytes.len()), "{}", bytes.len());
    for byte in 0..bytes.len() {
        for bit in bits.clone() {
            let mut damaged = bytes.clone();
            damaged[byte] ^= 1 << bit;
            check_damaged(&env, &info, &model, damaged, &format!("bit {bit} of byte {byte}"));
        }
    }
}

#[test]
fn a_damaged_end_does_not_keep_a_range_from_what_lies_between() {
    // Keys with a part in common, as searches among the blocks expect it.
    let key = |number: u32| format!("key/{number:03}").into_bytes();
    let model: Model = (0..200).map(|number| (key(number), (meta(1, None), vec![7; 40]))).collect();
    let (env, info, bytes) = stone(&model, None);
    let whole = open(&env, Path::new(PATH), &info, Access::Mapped);
    let last = blocks::start(&whole, whole.footer().unwrap().block_count - 1).unwrap();
    for at in [whole.footer().unwrap().data_start, last] {
        let mut damaged = bytes.clone();
        damaged[at as usize + 8] ^= 1;
        env.put(Path::new(PATH), damaged);
        for access in ways() {
            let stone = open(&env, Path::new(PATH), &info, access);
            for number in [70, 130, 71] {
                let mut cursor = stone.cursor_at(Seek::Before(&key(number))).unwrap();
                assert_eq!(cursor.next().unwrap().unwrap().key(), key(number));
            }
        }
    }
}

#[test]
fn no_run_of_zeros_gives_a_wrong_answer_or_goes_unnoticed() {
    fill_with_zeros(None);
    fill_with_zeros(packer(&sample()));
}

fn fill_with_zeros(packer: Option<Packer>) {
    let model = sample();
    let (env, info, bytes) = stone(&model, packer);
    for len in [1, 16, 64, 512] {
        for start in (0..bytes.len() - len).step_by(len.min(16)) {
            let mut damaged = bytes.clone();
            damaged[start..start + len].fill(0);
            if damaged != bytes {
                check_damaged(&env, &info, &model, damaged, &format!("{len} zeros at {start}"));
            }
        }
    }
}

#[test]
fn no_block_in_the_wrong_place_gives_a_wrong_answer_or_goes_unnoticed() {
    // Records of one length, so that blocks fit in each other's places record for record.
    let model: Model = (0..64_u64).map(|i| (vec![b'a', i as u8], (meta(1, None), vec![i as u8; 53]))).collect();
    let (env, info, bytes) = stone(&model, None);
    for len in [64, 256] {
        for from in (32..bytes.len() - len).step_by(64) {
            for to in [32, 96, 32 + 4 * 64, 32 + 9 * 64, bytes.len() - 288 - len, bytes.len() - 288 - 2 * len] {
                let mut damaged = bytes.clone();
                damaged.copy_within(from..from + len, to);
                if damaged != bytes {
                    check_damaged(&env, &info, &model, damaged, &format!("{len} bytes of {from} at {to}"));
                }
            }
        }
    }
}

#[test]
fn no_block_of_an_older_file_gives_a_wrong_answer_or_goes_unnoticed() {
    // The same keys with older values: only the salt tells the files' blocks apart.
    let model = |value: u8| (0..64).map(|i| (vec![i], (meta(1, None), vec![value; 50]))).collect::<Model>();
    let (env, _, older) = stone(&model(1), None);
    env.remove(Path::new(PATH)).unwrap();
    let info = write(&*env, Path::new(PATH), &model(2), 256);
    let bytes = env.bytes(Path::new(PATH));
    assert_eq!(older.len(), bytes.len());
    for len in [64, 512] {
        for start in (0..bytes.len() - len).step_by(64) {
            let mut damaged = bytes.clone();
            damaged[start..start + len].copy_from_slice(&older[start..start + len]);
            if damaged != bytes {
                check_damaged(&env, &info, &model(2), damaged, &format!("{len} old bytes at {start}"));
            }
        }
    }
}
