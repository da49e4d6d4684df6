//! Stones whose records are packed: read, damaged, repaired and merged like others.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use cairndb::{Code, Database, Durability, Kind, Op, Options, Progress, Range, repair_with};
use cairndb_sim::{CrashPlan, Rng, SimEnv};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn open(env: &SimEnv, directory: &str, mmap: bool) -> Database {
    let options = Options { mmap, memtable_bytes: 64 << 10, ..Options::default() };
    Database::open_with(Arc::new(env.clone()), directory, options).unwrap()
}

fn rows(db: &Database) -> cairndb::Result<Model> {
    let rows = db.scan("mail", &Range::all())?;
    rows.map(|row| row.map(|(key, record)| (key.to_vec(), record.value.to_vec()))).collect()
}

/// Records as applications have them: alike, but each its own.
fn write(db: &Database, model: &mut Model, rng: &mut Rng, count: u64) {
    for _ in 0..count {
        let n = rng.below(2000);
        let key = format!("user:{n:06}").into_bytes();
        if rng.below(5) == 0 {
            db.commit(&[Op::delete("mail", &key)], Durability::Os).unwrap();
            model.remove(&key);
        } else {
            let value = format!("user-{n}@example.com {}", rng.below(1000)).into_bytes();
            db.commit(&[Op::put("mail", &key, Kind::BYTES, &value)], Durability::Os).unwrap();
            model.insert(key, value);
        }
    }
}

/// A database of one stone, and its file.
fn packed() -> (SimEnv, Model, PathBuf, Vec<u8>) {
    let (env, mut model) = (SimEnv::new(1), Model::new());
    let db = open(&env, "db", true);
    write(&db, &mut model, &mut Rng::new(1), 800);
    db.compact().unwrap();
    db.close().unwrap();
    let stones: Vec<_> =
        env.files().into_iter().filter(|(path, _)| path.extension().is_some_and(|kind| kind == "stone")).collect();
    let [(path, bytes)] = <[_; 1]>::try_from(stones).unwrap();
    (env, model, path, bytes)
}

#[test]
fn a_table_of_like_records_takes_less_room_than_they() {
    let (env, model, _, bytes) = packed();
    let content: usize = model.iter().map(|(key, value)| key.len() + value.len()).sum();
    assert!(bytes.len() * 10 < content * 7, "{} bytes for {content}", bytes.len());
    for mmap in [true, false] {
        let db = open(&env, "db", mmap);
        assert_eq!(rows(&db).unwrap(), model);
        for (key, value) in &model {
            assert_eq!(db.get("mail", key).unwrap().unwrap().value.to_vec(), *value);
        }
        assert!(db.get("mail", b"user:0").unwrap().is_none());
        assert!(db.verify().unwrap().damage.is_empty());
    }
}

#[test]
fn every_merge_keeps_what_was_written() {
    let (mut env, mut model, mut rng) = (SimEnv::new(2), Model::new(), Rng::new(2));
    for round in 0..6 {
        let db = open(&env, "db", round % 2 == 0);
        write(&db, &mut model, &mut rng, 700);
        db.checkpoint().unwrap();
        env.run_due();
        assert_eq!(rows(&db).unwrap(), model, "round {round}");
        drop(db);
        env = env.reboot(CrashPlan::POWER_LOSS);
        assert_eq!(rows(&open(&env, "db", true)).unwrap(), model, "round {round}, after the power came back");
    }
}

#[test]
fn damage_gives_errors_and_costs_no_more_than_its_group() {
    let (env, model, path, bytes) = packed();
    for (number, at) in (0..bytes.len()).step_by(61).enumerate() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (number % 8);
        let env = env.reboot(CrashPlan::Process);
        env.put_file(&path, &damaged).unwrap();
        let what = format!("byte {at}");
        check_reads(&env, &model, &what);
        check_repair(&env, &model, &what);
    }
}

fn check_reads(env: &SimEnv, model: &Model, what: &str) {
    let Ok(db) = Database::open_with(Arc::new(env.clone()), "db", Options::default()) else { return };
    for (key, value) in model {
        match db.get("mail", key) {
            Ok(record) => assert_eq!(record.unwrap().value.to_vec(), *value, "{what}"),
            Err(error) => assert_eq!(error.code(), Code::Corrupt, "{what}"),
        }
    }
    if let Ok(rows) = rows(&db) {
        assert_eq!(rows, *model, "{what}");
    }
    assert!(!db.verify().unwrap().damage.is_empty(), "{what} went unnoticed");
}

fn check_repair(env: &SimEnv, model: &Model, what: &str) {
    let report = repair_with(Arc::new(env.clone()), "db", "new", &Progress::default()).unwrap();
    let found = rows(&open(env, "new", true)).unwrap();
    for (key, value) in &found {
        assert_eq!(model.get(key), Some(value), "{what}: {key:?} was never written so");
    }
    let lost: Vec<_> = model.keys().filter(|key| !found.contains_key(*key)).collect();
    assert!(lost.len() <= 8, "{what} lost {lost:?}");
    for key in lost {
        let between = report.damage.iter().filter_map(|damage| damage.between.as_ref()).any(|range| {
            range.after.as_ref().is_none_or(|after| after < key)
                && range.before.as_ref().is_none_or(|before| key < before)
        });
        let named = report.damage.iter().any(|damage| damage.keys.contains(key));
        assert!(between || named, "{what}: {key:?} is not named: {:#?}", report.damage);
    }
}

#[test]
fn without_a_footer_or_a_table_of_symbols_what_can_be_read_is_kept() {
    let (env, model, path, bytes) = packed();
    let mut cut = bytes.clone();
    cut.truncate(bytes.len() * 3 / 4);
    env.put_file(&path, &cut).unwrap();
    repair_with(Arc::new(env.clone()), "db", "new", &Progress::default()).unwrap();
    let found = rows(&open(&env, "new", true)).unwrap();
    assert!(found.len() * 2 > model.len(), "{} of {}", found.len(), model.len());
    assert!(found.iter().all(|(key, value)| model.get(key) == Some(value)));

    // Neither table of symbols: nothing can be unpacked, and that is said.
    let end = bytes.len();
    let place = |at: usize| u64::from_le_bytes(bytes[end - 288 + at..][..8].try_into().unwrap()) as usize;
    let mut blind = bytes.clone();
    blind[32] ^= 1;
    blind[place(72)] ^= 1;
    env.put_file(&path, &blind).unwrap();
    let db = open(&env, "db", true);
    assert_eq!(rows(&db).unwrap_err().code(), Code::Corrupt);
    db.close().unwrap();
    let report = repair_with(Arc::new(env.clone()), "db", "other", &Progress::default()).unwrap();
    assert_eq!(report.records, 0);
    assert!(!report.damage.is_empty());
}
