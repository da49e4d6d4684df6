//! What the tests share.
#![allow(dead_code, reason = "each test file is a crate of its own and uses a part")]

use cairndb::{Database, Durability, Kind, Op, Options, Range};

/// A database in a directory that goes with it.
pub(crate) struct Scratch {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) db: Database,
    options: Options,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Scratch::with(Options::default())
    }

    pub(crate) fn with(options: Options) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let db = Database::open(directory.path(), options.clone()).unwrap();
        Scratch { directory, db, options }
    }

    /// Closes the database and opens it again.
    pub(crate) fn reopen(&mut self) {
        self.db.close().unwrap();
        self.db = Database::open(self.directory.path(), self.options.clone()).unwrap();
    }

    /// Lets the database go without closing it and opens it again.
    pub(crate) fn abandon(&mut self) {
        let elsewhere = tempfile::tempdir().unwrap();
        self.db = Database::open(elsewhere.path(), Options::default()).unwrap();
        self.db = Database::open(self.directory.path(), self.options.clone()).unwrap();
    }

    pub(crate) fn put(&self, table: &str, key: &str, value: &str) -> u64 {
        let outcomes =
            self.db.commit(&[Op::put(table, key.as_bytes(), Kind::BYTES, value.as_bytes())], Durability::Os).unwrap();
        match outcomes[..] {
            [cairndb::Outcome::Written(version)] => version,
            _ => panic!("{outcomes:?}"),
        }
    }

    pub(crate) fn delete(&self, table: &str, key: &str) -> cairndb::Outcome {
        self.db.commit(&[Op::delete(table, key.as_bytes())], Durability::Os).unwrap()[0]
    }

    pub(crate) fn get(&self, table: &str, key: &str) -> Option<String> {
        self.db.get(table, key.as_bytes()).unwrap().map(|record| text(&record.value))
    }

    pub(crate) fn version(&self, table: &str, key: &str) -> u64 {
        self.db.get(table, key.as_bytes()).unwrap().map_or(0, |record| record.version)
    }

    /// The keys of a range.
    pub(crate) fn keys(&self, table: &str, range: &Range<'_>) -> Vec<String> {
        self.db.scan(table, range).unwrap().map(|row| text(&row.unwrap().0)).collect()
    }

    /// The names of the files with this ending.
    pub(crate) fn files(&self, ending: &str) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(ending))
            .collect();
        names.sort();
        names
    }

    /// Bytes of all files.
    pub(crate) fn size(&self) -> u64 {
        std::fs::read_dir(self.directory.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
