//! What the engine reports is so: no damage where there is none, and no "nothing was done" where something may have been.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use cairndb::env::Mode;
use cairndb::{Code, Database, Durability, Kind, Op, Options};
use cairndb_sim::{Failure, Fault, Interruption, Op as Operation, SimEnv, interrupted};

fn put(db: &Database, key: &[u8]) -> cairndb::Result<()> {
    db.commit(&[Op::put("t", key, Kind::BYTES, b"value")], Durability::Full).map(drop)
}

#[test]
fn verify_finds_no_damage_while_others_write() {
    let interruption = Interruption::default();
    // A segment of the journal is opened to be read.
    let at = |path: &Path, mode| mode == Mode::Read && path.extension().is_some_and(|ending| ending == "journal");
    let env = interrupted(SimEnv::new(1), at, &interruption);
    let db = Database::open_with(Arc::new(env), "db", Options::default()).unwrap();
    put(&db, b"before").unwrap();
    let (writer, looked) = (db.clone(), Arc::new(Mutex::new(0_u8)));
    let count = Arc::clone(&looked);
    interruption.set(move || {
        *count.lock().unwrap() += 1;
        // The second says that the first is on the disk.
        put(&writer, b"meanwhile").unwrap();
        put(&writer, b"meanwhile").unwrap();
    });
    let report = db.verify().unwrap();
    interruption.clear();
    assert!(*looked.lock().unwrap() > 0, "nobody wrote meanwhile");
    assert_eq!(report.damage, []);
    assert!(report.checked > 0);
}

#[test]
fn a_sync_that_finds_the_disk_full_is_a_failed_sync() {
    let env = SimEnv::new(1);
    let db = Database::open_with(Arc::new(env.clone()), "db", Options::default()).unwrap();
    put(&db, b"before").unwrap();
    env.inject(Fault::new(Failure::Error(io::ErrorKind::StorageFull)).of(Operation::Sync));
    // `Full` would promise that nothing was written and that the next write can go on.
    assert_eq!(put(&db, b"k").unwrap_err().code(), Code::Io);
    assert_eq!(put(&db, b"k").unwrap_err().code(), Code::Failed);
    assert!(db.get("t", b"before").unwrap().is_some());
}

#[test]
fn a_directory_that_may_not_be_written_to_is_told_with_what_to_do() {
    for (kind, hint) in [
        (io::ErrorKind::PermissionDenied, "change its permissions"),
        (io::ErrorKind::ReadOnlyFilesystem, "it is on a read-only file system"),
        (io::ErrorKind::Other, "name a directory that can be created"),
    ] {
        let env = SimEnv::new(1);
        env.inject(Fault::new(Failure::Error(kind)).of(Operation::CreateDir));
        let error = Database::open_with(Arc::new(env), "db", Options::default()).unwrap_err();
        assert_eq!(error.code(), Code::Directory, "{error}");
        assert!(error.to_string().contains(hint), "{error}");
    }
}

#[test]
fn each_durable_write_of_one_writer_is_counted_as_one_sync() {
    let db = Database::open_with(Arc::new(SimEnv::new(1)), "db", Options::default()).unwrap();
    for syncs in 1..4 {
        put(&db, b"k").unwrap();
        db.commit(&[Op::put("t", b"k", Kind::BYTES, b"value")], Durability::Os).unwrap();
        assert_eq!(db.stats().syncs, syncs);
    }
}

#[test]
fn verify_counts_the_bytes_of_each_commit() {
    let env = SimEnv::new(1);
    let db = Database::open_with(Arc::new(env.clone()), "db", Options::default()).unwrap();
    let read = || {
        db.commit(&[Op::put("t", b"k", Kind::BYTES, b"value")], Durability::Os).unwrap();
        let journal = env.bytes(Path::new("db/000000000001.journal")).unwrap().len() as u64;
        (db.verify().unwrap().bytes, journal)
    };
    let (first, second) = (read(), read());
    assert_eq!(second.0 - first.0, second.1 - first.1);
}

#[test]
fn a_stone_that_cannot_be_looked_at_is_an_error_and_no_reason_to_go_back_a_generation() {
    let env = SimEnv::new(1);
    let open = || Database::open_with(Arc::new(env.clone()), "db", Options::default());
    let db = open().unwrap();
    for key in [b"a", b"b"] {
        put(&db, key).unwrap();
        db.checkpoint().unwrap();
    }
    db.close().unwrap();
    env.inject(Fault::new(Failure::Error(io::ErrorKind::Other)).of(Operation::FileLen));
    assert_eq!(open().unwrap_err().code(), Code::Io);
    assert_eq!(open().unwrap().len("t").unwrap(), 2);
}
