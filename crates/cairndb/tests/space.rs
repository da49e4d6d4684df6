//! What the database takes on disk and in memory, and how it gives it back.

mod common;

use std::time::Duration;

use cairndb::{Durability, Kind, Op, Options};
use common::Scratch;

#[test]
fn overwriting_all_records_a_hundred_times_leaves_little_behind() {
    let scratch = Scratch::with(Options { memtable_bytes: 4 << 20, ..Options::default() });
    let keys: Vec<String> = (0..10_000).map(|n| format!("key-{n:06}")).collect();
    let mut value = [0_u8; 100];
    for round in 0..100_u8 {
        value.fill(round);
        let ops: Vec<Op<'_>> = keys.iter().map(|key| Op::put("t", key.as_bytes(), Kind::BYTES, &value)).collect();
        scratch.db.commit(&ops, Durability::Os).unwrap();
    }
    scratch.db.compact().unwrap();
    let stats = scratch.db.stats();
    assert_eq!((stats.live_records, stats.live_bytes), (10_000, 10_000 * 110));
    let on_disk = scratch.size();
    assert!(on_disk as f64 <= 1.3 * stats.live_bytes as f64, "{on_disk} bytes for {} live ones", stats.live_bytes);
    assert!(stats.space_amplification <= 1.3, "{}", stats.space_amplification);
    assert!(stats.write_amplification < 6.0, "{}", stats.write_amplification);
    assert_eq!(stats.reclaimable_bytes, 0);
    for key in &keys {
        assert!(scratch.db.contains("t", key.as_bytes()).unwrap());
    }
    let amplification = scratch.db.stats().read_amplification;
    assert!(amplification > 0.0 && amplification <= 1.0, "{amplification}");
}

#[test]
fn deleted_records_and_dropped_tables_give_their_space_back() {
    let scratch = Scratch::new();
    let value = vec![b'x'; 1000];
    for table in ["kept", "emptied", "dropped"] {
        for n in 0_u32..1000 {
            scratch.db.commit(&[Op::put(table, &n.to_be_bytes(), Kind::BYTES, &value)], Durability::Os).unwrap();
        }
    }
    scratch.db.compact().unwrap();
    let full = scratch.size();
    for n in 0_u32..1000 {
        scratch.db.commit(&[Op::delete("emptied", &n.to_be_bytes())], Durability::Os).unwrap();
    }
    assert!(scratch.db.drop_table("dropped", Durability::Os).unwrap());
    assert!(!scratch.db.drop_table("dropped", Durability::Os).unwrap());
    scratch.db.compact().unwrap();
    assert!(scratch.size() < full / 2, "{} of {full}", scratch.size());
    assert_eq!(scratch.db.tables().unwrap(), ["emptied", "kept"]);
    assert_eq!(scratch.db.len("emptied").unwrap(), 0);
}

#[test]
fn ten_thousand_small_tables_do_not_become_ten_thousand_files() {
    let mut scratch = Scratch::new();
    let tables: Vec<String> = (0..10_000).map(|n| format!("table-{n}")).collect();
    for round in 0..4_u8 {
        let key = [round];
        let ops: Vec<Op<'_>> = tables.iter().map(|table| Op::put(table, &key, Kind::BYTES, b"v")).collect();
        scratch.db.commit(&ops, Durability::Os).unwrap();
    }
    scratch.reopen();
    assert_eq!(scratch.files(".stone"), [""; 0]);
    assert_eq!(scratch.db.tables().unwrap().len(), 10_000);
    assert!(tables.iter().all(|table| scratch.db.len(table).unwrap() == 4));
}

#[test]
fn as_many_generations_are_kept_as_asked_for() {
    let options = Options { reclaim_delay: Duration::ZERO, keep_generations: 3, ..Options::default() };
    let scratch = Scratch::with(options);
    for n in 0..6 {
        scratch.put("t", "k", &n.to_string());
        scratch.db.compact().unwrap();
    }
    assert_eq!(scratch.files(".manifest").len(), 3);
}

#[test]
fn a_file_that_a_snapshot_reads_is_not_removed_under_it() {
    let scratch = Scratch::with(Options { reclaim_delay: Duration::ZERO, ..Options::default() });
    scratch.put("t", "k", "before");
    scratch.db.checkpoint().unwrap();
    let snapshot = scratch.db.snapshot("t").unwrap();
    scratch.put("t", "k", "after");
    scratch.db.compact().unwrap();
    assert_eq!(snapshot.get(b"k").unwrap().unwrap().value, b"before");
    drop(snapshot);
    scratch.db.prune(1).unwrap();
    assert_eq!(scratch.files(".stone").len(), 1);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let outer = tempfile::tempdir().unwrap();
    let directory = outer.path().join("data");
    let db = cairndb::Database::open(&directory, Options::default()).unwrap();
    db.commit(&[Op::put("t", b"k", Kind::BYTES, b"v")], Durability::Os).unwrap();
    db.checkpoint().unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for entry in std::fs::read_dir(&directory).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[test]
fn overwritten_values_take_memory_until_they_are_flushed() {
    let scratch = Scratch::new();
    for round in 1..=3 {
        for _ in 0..1000 {
            scratch.put("t", "k", &"x".repeat(1000));
        }
        let memory = scratch.db.stats().memory_bytes;
        assert!((1_000_000..1_200_000).contains(&memory), "{memory} bytes in round {round}");
        scratch.db.checkpoint().unwrap();
        assert_eq!(scratch.db.stats().memory_bytes, 0);
    }
    assert_eq!(scratch.version("t", "k"), 3000);
}

#[test]
#[cfg(target_os = "linux")]
fn a_closed_database_holds_none_of_its_files_though_handles_are_there() {
    let scratch = Scratch::new();
    scratch.put("t", "k", "v");
    scratch.db.checkpoint().unwrap();
    scratch.put("t", "l", "v");
    assert!(scratch.get("t", "k").is_some());
    let path = scratch.directory.path().to_str().unwrap();
    let mapped = || std::fs::read_to_string("/proc/self/maps").unwrap().contains(path);
    let open = || {
        let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
        let mut targets = descriptors.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
        targets.any(|target| target.starts_with(path))
    };
    assert!(mapped() && open());
    scratch.db.close().unwrap();
    assert!(!mapped() && !open());
}

/// A sync that has to bring a new length to the disk costs more than one of bytes inside the file.
#[test]
fn durable_writes_hardly_ever_make_the_journal_longer() {
    let scratch = Scratch::new();
    let mut lengths = std::collections::BTreeSet::new();
    for _ in 0..200 {
        scratch.db.commit(&[Op::put("t", b"k", Kind::BYTES, &[1; 100])], Durability::Full).unwrap();
        lengths.insert(scratch.size());
    }
    assert!(lengths.len() <= 4, "{lengths:?}");
}
