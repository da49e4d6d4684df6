//! An embedded, durable key-value database.
//!
//! A cairn is a stack of stones that stays where it was put. Every table here is one: writes go to a journal and a
//! memtable; memtables become *stones*, immutable files, which merge into larger ones. Nothing on disk is changed in
//! place, every byte that is read was checked, and a write that was acknowledged is not lost under the promise of its
//! [`Durability`].
//!
//! ```
//! use cairndb::{Database, Durability, Kind, Op, Options};
//!
//! # let directory = tempfile::tempdir().unwrap();
//! let db = Database::open(directory.path(), Options::default())?;
//! db.commit(&[Op::put("users", b"u1", Kind::JSON, br#"{"name":"Alice"}"#)], Durability::Os)?;
//! let user = db.get("users", b"u1")?.expect("it was just written");
//! assert_eq!(user.value, br#"{"name":"Alice"}"#);
//! assert_eq!(user.version, 1);
//! db.close()?;
//! # Ok::<(), cairndb::Error>(())
//! ```

// Bytes from disk and input from a caller must not be able to bring a process down, and nothing goes around `Env`
// (what that means is listed in clippy.toml). Tests of the public interface live in crates of their own.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![deny(clippy::disallowed_methods, clippy::disallowed_macros, clippy::print_stdout, clippy::print_stderr)]

mod backup;
mod batch;
mod catalog;
mod checkpoint;
mod codec;
mod commit;
mod database;
mod dictionary;
pub mod env;
mod error;
mod files;
#[cfg(test)]
mod format_tests;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod inner;
mod journal;
mod log;
mod manifest;
pub mod map;
mod memtable;
mod merge;
mod options;
mod order;
mod packed;
pub mod persistent_kv;
mod places;
mod plan;
mod progress;
mod range;
mod read;
mod reclaim;
mod record;
mod recover;
mod repair;
mod runs;
mod sample;
mod sharing;
mod slice;
mod stats;
mod stone;
mod stripes;
mod sweep;
mod sync;
mod table;
mod verify;
mod view;
mod walk;
mod watch;

pub use backup::{BackupReport, restore, restore_with};
pub use batch::{
    DictionaryId, Durability, MAX_COMMIT_BYTES, MAX_KEY_BYTES, MAX_TABLE_BYTES, MAX_VALUE_BYTES, Op, Outcome,
};
pub use database::Database;
pub use error::{Code, Error, Result};
pub use journal::Ticket;
pub use map::Map;
pub use options::Options;
pub use packed::{Elements, Text, Value, split as split_packed};
pub use progress::Progress;
pub use range::Range;
pub use read::{Bytes, Record, Scan, Snapshot};
pub use reclaim::Pruned;
pub use record::Kind;
pub use repair::{RepairReport, repair, repair_with};
pub use stats::{Stats, TableStats};
pub use verify::{Damage, KeyRange, Report};
pub use watch::{Change, Watch};

/// The version of the format that this library writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(doctest)]
#[doc = include_str!("../../../docs/from-persistent-kv.md")]
mod from_persistent_kv {}

#[cfg(doctest)]
#[doc = include_str!("../../../docs/backup.md")]
mod backup_guide {}
