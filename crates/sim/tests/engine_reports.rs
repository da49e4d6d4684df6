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
