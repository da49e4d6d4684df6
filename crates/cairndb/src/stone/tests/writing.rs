//! What the writer promises and what it refuses.

use std::sync::atomic::Ordering;

use super::*;
use crate::Code;
use crate::codec::sha256;
use crate::stone::writer::StoneWriter;

#[test]
fn records_out_of_order_are_refused() {
    let env = MemoryEnv::default();
    for (i, (first, second)) in [("b", "a"), ("a", "a"), ("a", ""), ("", ""), ("ab", "a")].into_iter().enumerate() {
        let path = format!("{i}.stone");
        let mut writer = StoneWriter::create(&env, Path::new(&path), TABLE, BASE, None).unwrap();
        writer.add(Entry { key: first.as_bytes(), meta: meta(1, None), value: b"" }).unwrap();
        let error = writer.add(Entry { key: second.as_bytes(), meta: meta(1, None), value: b"" }).unwrap_err();
        assert_eq!(error.code(), Code::Internal);
    }
}

#[test]
fn a_stone_does_not_replace_a_file() {
    let env = MemoryEnv::default();
    let path = Path::new("1.stone");
    env.put(path, b"precious".to_vec());
    let error = StoneWriter::create(&env, path, TABLE, BASE, None).err().unwrap();
    assert_eq!((error.code(), error.path()), (Code::Io, Some(path)));
    assert_eq!(env.bytes(path), b"precious");
}

#[test]
fn a_finished_stone_was_synced_once() {
    let env = MemoryEnv::default();
    write(&env, Path::new("1.stone"), &sample(), 256);
    assert_eq!(env.syncs.load(Ordering::Relaxed), 1);
}

#[test]
fn a_full_disk_is_an_error_at_whatever_byte() {
    let model: Model = (0..3000_u32)
        .map(|i| (i.to_be_bytes().to_vec(), (meta(1, (i % 2 == 0).then_some(1.0)), vec![7; 200])))
        .collect();
    let env = MemoryEnv::default();
    let size = write(&env, Path::new("whole.stone"), &model, 4096).size;
    for capacity in (1..size).step_by(40_001).chain([size - 1]) {
        let env = MemoryEnv::default();
        env.capacity.store(capacity, Ordering::Relaxed);
        let mut writer = StoneWriter::create(&env, Path::new("1.stone"), TABLE, BASE, None).unwrap();
        let added = model.iter().try_for_each(|(key, (meta, value))| writer.add(Entry { key, meta: *meta, value }));
        let error = added.and_then(|()| writer.finish()).unwrap_err();
        assert_eq!(error.code(), Code::Full, "{capacity}");
    }
}

#[test]
fn files_of_one_name_and_content_differ_in_their_salt() {
    let env = MemoryEnv::default();
    let path = Path::new("1.stone");
    let first = write(&env, path, &sample(), 256);
    let before = env.bytes(path);
    env.remove(path).unwrap();
    let second = write(&env, path, &sample(), 256);
    assert_ne!(first.digest, second.digest);
    assert_ne!(before[..32], env.bytes(path)[..32]);
}

/// If this fails, files that exist can no longer be read: raise the version of the format instead.
#[test]
fn the_format_has_not_changed() {
    let env = MemoryEnv::default();
    let path = Path::new("1.stone");
    let info = write(&env, path, &sample(), 256);
    let bytes = env.bytes(path);
    assert_eq!(&bytes[..12], b"CAIRNSTN\x01\0\0\0");
    assert_eq!(&bytes[bytes.len() - 8..], b"CAIRNEND");
    let hex: String = sha256(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((info.size, hex.as_str()), (2336, "041f6cb8b7bc4b96497fe6594a6f0757ceb72fa1217defaa83cc6cc367d18c6b"));
}
