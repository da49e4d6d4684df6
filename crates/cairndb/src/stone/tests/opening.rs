//! When a stone is opened, and which files are refused.

use std::sync::atomic::Ordering;

use super::*;
use crate::Code;

const PATH: &str = "1.stone";

fn stone() -> (Arc<MemoryEnv>, StoneInfo) {
    let env = Arc::new(MemoryEnv::default());
    let info = write(&*env, Path::new(PATH), &sample(), 256);
    (env, info)
}

/// The code, the offset and the message of what reading the stone in each way gives.
fn refusals(env: &Arc<MemoryEnv>, info: &StoneInfo) -> Vec<(Code, Option<u64>, String)> {
    let errors = ways().map(|access| {
        let stone = open(env, Path::new(PATH), info, access);
        let error = get(&stone, b"key/001").unwrap_err();
        assert_eq!(stone.cursor().next().err().unwrap().code(), error.code());
        assert_eq!(stone.expirations(0.0, 1.0).err().unwrap().code(), error.code());
        (error.code(), error.offset(), error.message().to_owned())
    });
    errors.to_vec()
}

#[test]
fn a_stone_that_is_not_used_is_not_opened() {
    let (env, info) = stone();
    let opened = env.opened.load(Ordering::Relaxed);
    for access in ways() {
        let stone = open(&env, Path::new("missing.stone"), &info, access);
        assert_eq!((stone.path(), stone.info()), (Path::new("missing.stone"), &info));
    }
    assert_eq!(env.opened.load(Ordering::Relaxed), opened);
}

#[test]
fn a_stone_is_opened_once_and_a_failure_to_open_it_is_not_final() {
    let (env, info) = stone();
    for access in ways() {
        let stone = open(&env, Path::new(PATH), &info, access);
        env.refusals.store(2, Ordering::Relaxed);
        for _ in 0..2 {
            assert_eq!(get(&stone, b"key/001").unwrap_err().code(), Code::Io);
        }
        let opened = env.opened.load(Ordering::Relaxed);
        for _ in 0..3 {
            assert!(get(&stone, b"key/001").unwrap().is_some());
        }
        assert_eq!(env.opened.load(Ordering::Relaxed), opened + 1);
    }
}

#[test]
fn another_stone_under_the_name_is_refused() {
    let (env, info) = stone();
    env.remove(Path::new(PATH)).unwrap();
    let mut model = sample();
    model.get_mut(&b"key/001"[..]).unwrap().1 = b"value of 2".to_vec();
    let swapped = write(&*env, Path::new(PATH), &model, 256);
    assert_eq!((swapped.size, swapped.records), (info.size, info.records));
    for (code, _, message) in refusals(&env, &info) {
        assert_eq!(code, Code::Corrupt);
        assert!(message.contains("another stone"), "{message}");
    }
    assert!(get(&open(&env, Path::new(PATH), &swapped, Access::Mapped), b"key/001").unwrap().is_some());
}

#[test]
fn a_file_of_another_length_is_refused() {
    let (env, info) = stone();
    let whole = env.bytes(Path::new(PATH));
    let longer = [whole.as_slice(), &[0]].concat();
    for bytes in (0..whole.len()).map(|len| whole[..len].to_vec()).chain([longer]) {
        let shorter = bytes.len().min(whole.len()) as u64;
        env.put(Path::new(PATH), bytes);
        for (code, offset, message) in refusals(&env, &info) {
            assert_eq!((code, offset), (Code::Corrupt, Some(shorter)), "{message}");
        }
    }
}

#[test]
fn a_manifest_with_other_facts_is_refused() {
    let (env, info) = stone();
    for other in [
        StoneInfo { records: info.records + 1, ..info.clone() },
        StoneInfo { tombstones: 0, ..info.clone() },
        StoneInfo { digest: [0; 32], ..info.clone() },
        StoneInfo { size: 0, ..info.clone() },
        StoneInfo { size: u64::MAX, ..info.clone() },
    ] {
        assert!(refusals(&env, &other).iter().all(|(code, ..)| *code == Code::Corrupt), "{other:?}");
    }
    let stone = Stone::new(env, PATH.into(), TABLE + 1, info, Access::Mapped);
    assert_eq!(get(&Arc::new(stone), b"key/001").unwrap_err().code(), Code::Corrupt);
}

#[test]
fn a_newer_version_of_the_format_is_told_from_damage() {
    let (env, info) = stone();
    let mut bytes = env.bytes(Path::new(PATH));
    bytes[8] = 2;
    let crc = crc32c::crc32c(&bytes[..28]);
    bytes[28..32].copy_from_slice(&crc.to_le_bytes());
    env.put(Path::new(PATH), bytes);
    for (code, _, message) in refusals(&env, &info) {
        assert_eq!(code, Code::Format);
        assert!(message.contains("version 2") && message.contains(PATH), "{message}");
    }
    let stone = open(&env, Path::new(PATH), &info, Access::Mapped);
    assert_eq!(stone.verify(&Default::default(), &mut |damage| panic!("{damage:?}")).unwrap_err().code(), Code::Format);
}

#[test]
fn a_file_that_is_cut_while_it_is_read_gives_no_bytes() {
    let (env, info) = stone();
    let [_, cached] = ways();
    let stone = open(&env, Path::new(PATH), &info, cached);
    stone.cursor_at(Seek::Start).unwrap();
    let file = env.open(Path::new(PATH), crate::env::Mode::Write).unwrap();
    file.set_len(100).unwrap();
    assert_eq!(get(&stone, b"key/001").unwrap_err().code(), Code::Corrupt);
    assert_eq!(stone.cursor().next().err().unwrap().code(), Code::Corrupt);
}
