//! Damage of every kind to a small database with every kind of file: opening or reading it gives a typed error that
//! names the damaged file, or the right answer; never a wrong value, a panic, a hang, or memory out of proportion.
#![allow(clippy::print_stderr, reason = "how much was tried is worth knowing")]

mod allocation;
mod fixture;
mod repairs;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use cairndb::{Code, Database, Error, Range};
use cairndb_sim::{CrashPlan, SimEnv};

use fixture::{Fixture, Row, View, is, open};

#[global_allocator]
static ALLOCATOR: allocation::Counting = allocation::Counting;

/// How many bytes more than these for each byte of the files opening and reading may hold at a time. A simulated disk
/// gives copies where a real one gives mappings.
const MEMORY: usize = 2 << 20;
const MEMORY_FOR_EACH_BYTE: usize = 16;
/// How many operations on the disk opening and reading may take; without damage it is a quarter of this.
const OPERATIONS: u64 = 4_000;

/// What became of a damaged database.
#[derive(Default)]
struct Tally {
    refused: u64,
    failing: u64,
    older: u64,
    right: u64,
    /// How often verify looked, and how often it found damage.
    verified: u64,
    named: u64,
}

impl Tally {
    fn print(&self, what: &str) {
        let Tally { refused, failing, older, right, .. } = self;
        eprintln!("{what}: {refused} refused, {failing} with reads that fail, {older} without the tail, {right} right");
    }
}

/// A database after something happened to its files.
struct Damaged<'a> {
    fixture: &'a Fixture,
    /// The files that are not what they were.
    changed: Vec<&'a Path>,
    /// The oldest state that may be found.
    least: usize,
}

impl Damaged<'_> {
    /// Opens the database and reads everything in it.
    fn examine(&self, env: &SimEnv, mmap: bool, tally: &mut Tally) {
        let before = env.operations();
        let (_, peak) = allocation::peak(|| match open(env, mmap) {
            Err(error) => {
                self.check(&error);
                tally.refused += 1;
            }
            Ok(db) => self.read(&db, mmap, tally),
        });
        let size: usize = env.files().values().map(Vec::len).sum();
        assert!(peak <= MEMORY + MEMORY_FOR_EACH_BYTE * size, "{peak} bytes of memory for files of {size}");
        let operations = env.operations() - before;
        assert!(operations <= OPERATIONS, "{operations} operations");
    }

    /// A verification reads in one way only, so that it is done for one.
    fn read(&self, db: &Database, verify: bool, tally: &mut Tally) {
        let mut reader = Reader::new(db, &self.fixture.states[self.least..]);
        reader.tables();
        reader.points();
        reader.ranges();
        let report = verify.then(|| db.verify().expect("verify reports damage and does not fail"));
        reader.sweeps();
        reader.errors.iter().for_each(|error| self.check(error));
        if let Some(report) = report {
            tally.verified += 1;
            tally.named += u64::from(!report.damage.is_empty());
            for error in &reader.errors {
                let named = report.damage.iter().any(|damage| Some(&*damage.path) == error.path());
                assert!(named, "verify says nothing of {error}: {:#?}", report.damage);
            }
            for damage in &report.damage {
                let known = self.changed.iter().any(|path| *path == damage.path);
                assert!(known, "verify names a sound file: {damage:?}");
            }
        }
        match reader.states.last() {
            _ if !reader.errors.is_empty() => tally.failing += 1,
            Some(&state) if Some(state) == self.fixture.states.last() => tally.right += 1,
            _ => tally.older += 1,
        }
    }

    /// Whatever is said to be damaged is.
    fn check(&self, error: &Error) {
        assert_eq!(error.code(), Code::Corrupt, "{error}");
        let path = error.path().expect("damage is in a file");
        let known = self.changed.contains(&path) || path == Path::new("db");
        assert!(known, "a sound file is called damaged: {error}");
    }
}

/// Asks everything, and keeps the states that all answers so far agree with.
struct Reader<'a> {
    db: &'a Database,
    states: Vec<&'a View>,
    keys: BTreeSet<(String, Vec<u8>)>,
    errors: Vec<Error>,
}

impl<'a> Reader<'a> {
    fn new(db: &'a Database, states: &'a [View]) -> Self {
        let tables = states.iter().flatten();
        let keys = tables.flat_map(|(table, rows)| rows.keys().map(|key| (table.clone(), key.clone())));
        let missing = ("users".to_owned(), b"missing".to_vec());
        Reader { db, keys: keys.chain([missing]).collect(), states: states.iter().collect(), errors: Vec::new() }
    }

    /// Keeps the states of which `holds` holds.
    fn agree(&mut self, what: impl Debug, holds: impl Fn(&View) -> bool) {
        let count = self.states.len();
        self.states.retain(|state| holds(state));
        assert!(!self.states.is_empty(), "{what:?} is in none of the last {count} states");
    }

    fn answer<T>(&mut self, answer: cairndb::Result<T>) -> Option<T> {
        answer.map_err(|error| self.errors.push(error)).ok()
    }

    fn tables(&mut self) {
        let tables = self.db.tables().expect("tables are known once a database is open");
        self.agree(&tables, |state| state.keys().eq(&tables));
    }

    fn points(&mut self) {
        for (table, key) in self.keys.clone() {
            let (found, contained) = (self.db.get(&table, &key), self.db.contains(&table, &key));
            if let Some(found) = self.answer(found) {
                let found = found.map(Row::from);
                self.agree((&table, &key, &found), |state| {
                    state.get(&table).and_then(|rows| rows.get(&key)) == found.as_ref()
                });
            }
            if let Some(contained) = self.answer(contained) {
                let has = |state: &View| state.get(&table).is_some_and(|rows| rows.contains_key(&key));
                self.agree((&table, &key, contained), |state| has(state) == contained);
            }
        }
    }

    fn ranges(&mut self) {
        for table in self.db.tables().expect("tables are known once a database is open") {
            let len = self.db.len(&table);
            if let Some(len) = self.answer(len) {
                self.agree((&table, len), |state| state[&table].len() as u64 == len);
            }
            for reverse in [false, true] {
                self.range(&table, reverse);
            }
        }
    }

    /// What a range gives before it fails is right, and nothing is left out.
    fn range(&mut self, table: &str, reverse: bool) {
        let range = if reverse { Range::all().reverse() } else { Range::all() };
        let scan = self.db.scan(table, &range);
        let Some(scan) = self.answer(scan) else { return };
        let (mut rows, mut whole) = (Vec::new(), true);
        for row in scan {
            match self.answer(row) {
                Some((key, found)) => rows.push((key.to_vec(), Row::from(found))),
                None => {
                    whole = false;
                    break;
                }
            }
        }
        self.agree((table, reverse, &rows), |state| {
            let mut known: Vec<_> = state[table].iter().map(|(key, row)| (key.clone(), row.clone())).collect();
            if reverse {
                known.reverse();
            }
            if whole { known == rows } else { known.starts_with(&rows) }
        });
    }

    /// The expirations are read by a sweep only.
    fn sweeps(&mut self) {
        for table in self.db.tables().expect("tables are known once a database is open") {
            let swept = self.db.cleanup_expired(&table);
            if let Some(swept) = self.answer(swept) {
                assert!(swept <= 1, "{swept} records of {table} had expired");
            }
        }
    }
}

/// A machine with these files in the place of those that it has; those of no bytes at all are not there.
fn machine(fixture: &Fixture, files: &[(&Path, Option<&[u8]>)]) -> SimEnv {
    use cairndb::env::Env;
    let env = fixture.env.crashed(CrashPlan::Process);
    for (path, bytes) in files {
        match bytes {
            Some(bytes) => env.put_file(path, bytes).unwrap(),
            None => env.remove(path).unwrap(),
        }
    }
    env
}

/// Examines the database with these files in the place of its own, and says which case it was if something is wrong.
fn try_with(fixture: &Fixture, files: &[(&Path, Option<&[u8]>)], least: usize, what: impl Debug, tally: &mut Tally) {
    let damaged = Damaged { fixture, changed: files.iter().map(|(path, _)| *path).collect(), least };
    for mmap in [true, false] {
        // A panic of the engine is a failure of the test, and so is one of its own checks: both say which case it was.
        let tried = catch_unwind(AssertUnwindSafe(|| damaged.examine(&machine(fixture, files), mmap, tally)));
        if let Err(cause) = tried {
            let text = cause.downcast_ref::<String>().map(String::as_str);
            panic!("{what:?}, mmap {mmap}: {}", text.or(cause.downcast_ref::<&str>().copied()).unwrap_or_default());
        }
    }
}

/// The oldest state that damage to these files may bring back. The end of the newest segment is lost without a trace
/// where more than one of its frames is gone, unless the manifest speaks for it.
fn least(fixture: &Fixture, changed: &[&Path]) -> usize {
    let newest = |kind| fixture.files.keys().rfind(|path| is(path, kind)).map(PathBuf::as_path);
    let damages = |kind| changed.iter().any(|path| Some(*path) == newest(kind));
    if damages("journal") && (!fixture.closed || damages("manifest")) {
        fixture.newest_segment
    } else {
        fixture.durable
    }
}

fn flip_every_bit(fixture: &Fixture, kind: &str) -> Tally {
    let mut tally = Tally::default();
    for (path, bytes) in fixture.files.iter().filter(|(path, _)| is(path, kind)) {
        let mut bytes = bytes.clone();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            try_with(fixture, &[(path, Some(&bytes))], fixture.durable, (path, "bit", bit), &mut tally);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
    tally.print(&format!("bits of each {kind}"));
    tally
}

#[test]
fn the_databases_have_files_of_every_kind() {
    for fixture in [fixture::crashed(), fixture::closed()] {
        let size: usize = fixture.files.values().map(Vec::len).sum();
        assert!((8 << 10..10 << 10).contains(&size), "{size} bytes");
        for (kind, count) in [("manifest", 2), ("journal", 2), ("stone", 5)] {
            let found = fixture.files.keys().filter(|path| is(path, kind)).count();
            assert!(found >= count, "{found} of kind {kind}");
        }
        let mut tally = Tally::default();
        try_with(&fixture, &[], fixture.states.len() - 1, "no damage", &mut tally);
        assert_eq!(tally.right, 2);
    }
}

#[test]
fn every_flipped_bit_of_a_stone_is_noticed_or_does_not_matter() {
    let tally = flip_every_bit(&fixture::crashed(), "stone");
    assert!(tally.failing > 10_000 && tally.right > 10_000);
    assert_eq!(tally.older, 0);
    assert_eq!(tally.named, tally.verified, "verify names each, of the generation before too");
}

#[test]
fn every_flipped_bit_of_a_manifest_is_noticed_or_does_not_matter() {
    for fixture in [fixture::crashed(), fixture::closed()] {
        let tally = flip_every_bit(&fixture, "manifest");
        assert!(tally.right > 1000, "the generation before says the same");
        assert_eq!(tally.failing + tally.older, 0);
    }
}

#[test]
fn every_flipped_bit_of_the_journal_is_noticed_or_in_the_tail_that_was_not_on_the_disk() {
    let tally = flip_every_bit(&fixture::crashed(), "journal");
    assert!(tally.refused > 1000 && tally.older > 100);
    assert_eq!(tally.failing, 0);
    let tally = flip_every_bit(&fixture::closed(), "journal");
    assert!(tally.refused > 1000);
    assert_eq!(tally.failing + tally.older, 0, "all of it was on the disk");
}

/// Damage of other kinds than single bits, to both databases.
fn damage_both(what: &str, damage: impl Fn(&Fixture, &mut Tally)) {
    for fixture in [fixture::crashed(), fixture::closed()] {
        let mut tally = Tally::default();
        damage(&fixture, &mut tally);
        tally.print(what);
        assert!(tally.refused > 0, "some damage is noticed");
    }
}

#[test]
fn a_file_that_is_cut_anywhere_is_noticed_or_does_not_matter() {
    damage_both("cuts", |fixture, tally| {
        for (path, bytes) in &fixture.files {
            for len in 0..bytes.len() {
                let cut = [(&**path, Some(&bytes[..len]))];
                try_with(fixture, &cut, least(fixture, &[path]), (path, "cut to", len), tally);
            }
        }
    });
}

#[test]
fn a_file_that_goes_on_with_anything_is_noticed_or_read_as_it_was() {
    damage_both("longer files", |fixture, tally| {
        for (path, bytes) in &fixture.files {
            let tails = [vec![0], vec![0; 700], vec![0xff; 700], bytes.clone(), bytes[bytes.len() / 2..].to_vec()];
            for (number, tail) in tails.iter().enumerate() {
                let longer = [&bytes[..], tail].concat();
                try_with(fixture, &[(path, Some(&longer))], fixture.durable, (path, "tail", number), tally);
            }
        }
    });
}

#[test]
fn sectors_of_zeros_or_of_other_places_are_noticed_or_do_not_matter() {
    damage_both("sectors", |fixture, tally| {
        let sectors: Vec<_> = fixture
            .files
            .iter()
            .flat_map(|(path, bytes)| {
                (0..bytes.len()).step_by(SECTOR).map(move |at| (path, at, bytes.len().min(at + SECTOR)))
            })
            .collect();
        for &(path, from, to) in &sectors {
            let mut zeroed = fixture.files[path].clone();
            zeroed[from..to].fill(0);
            try_with(fixture, &[(path, Some(&zeroed))], least(fixture, &[path]), (path, "zeros at", from), tally);
        }
        for (index, &one) in sectors.iter().enumerate() {
            for &other in &sectors[index + 1..] {
                swap_sectors(fixture, one, other, tally);
            }
        }
    });
}

const SECTOR: usize = 512;

/// Two sectors, each in the place of the other: writes that went astray. What a file ends with may be less than a
/// sector; then it is cut, or goes on with zeros.
fn swap_sectors(fixture: &Fixture, one: (&PathBuf, usize, usize), other: (&PathBuf, usize, usize), tally: &mut Tally) {
    let mut files = fixture.files.clone();
    let sector = |(path, from, to): (&PathBuf, usize, usize)| fixture.files[path][from..to].to_vec();
    for ((path, from, to), mut bytes) in [(one, sector(other)), (other, sector(one))] {
        bytes.resize(to - from, 0);
        files.get_mut(path).expect("a file")[from..to].copy_from_slice(&bytes);
    }
    let mut changed: Vec<(&Path, Option<&[u8]>)> = vec![(one.0, Some(&files[one.0]))];
    if one.0 != other.0 {
        changed.push((other.0, Some(&files[other.0])));
    }
    let least = least(fixture, &[one.0, other.0]);
    try_with(fixture, &changed, least, (one, other), tally);
}

#[test]
fn files_that_are_missing_swapped_or_duplicated_are_noticed_or_do_not_matter() {
    damage_both("files", |fixture, tally| {
        for (path, bytes) in &fixture.files {
            try_with(fixture, &[(path, None)], least(fixture, &[path]), (path, "removed"), tally);
            for (other, others) in fixture.files.iter().filter(|(other, _)| *other != path) {
                let copied = [(&**other, Some(&bytes[..]))];
                try_with(fixture, &copied, least(fixture, &[other]), (path, "copied over", other), tally);
                if path < other {
                    let swapped = [(&**path, Some(&others[..])), (&**other, Some(&bytes[..]))];
                    let least = least(fixture, &[path, other]);
                    try_with(fixture, &swapped, least, (path, "swapped with", other), tally);
                }
            }
        }
    });
}

#[test]
fn files_under_names_that_were_not_given_out_are_noticed_or_do_not_matter() {
    let (fixture, mut tally) = (fixture::crashed(), Tally::default());
    for bytes in fixture.files.values() {
        for number in [0, 1, 6, 20, u64::MAX] {
            for kind in ["manifest", "journal", "stone", "manifest.tmp", "lock", "notes"] {
                let path = PathBuf::from(format!("db/{number:012}.{kind}"));
                if !fixture.files.contains_key(&path) {
                    let stray = [(&*path, Some(&bytes[..]))];
                    try_with(&fixture, &stray, fixture.durable, (&path, bytes.len()), &mut tally);
                }
            }
        }
    }
    tally.print("foreign names");
    assert!(tally.right > 100);
}

#[test]
fn what_rots_in_the_journal_of_an_open_database_is_named_with_its_keys() {
    let fixture = fixture::crashed();
    let mut keys = BTreeSet::new();
    for (path, bytes) in fixture.files.iter().filter(|(path, _)| is(path, "journal")) {
        for bit in (0..bytes.len() * 8).step_by(3) {
            let env = machine(&fixture, &[]);
            let db = open(&env, true).unwrap();
            let mut rotten = bytes.clone();
            rotten[bit / 8] ^= 1 << (bit % 8);
            env.put_file(path, &rotten).unwrap();
            let damage = db.verify().unwrap().damage;
            let behind = bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count() <= bit / 8;
            assert_eq!(damage.is_empty(), behind, "{} bit {bit}: {damage:#?}", path.display());
            for damage in damage {
                assert_eq!(&damage.path, path, "bit {bit}");
                keys.extend(damage.table.into_iter().flat_map(|table| {
                    damage.keys.iter().map(move |key| (table.clone(), key.clone())).collect::<Vec<_>>()
                }));
                // In memory it is what it was.
                let last = fixture.states.last().unwrap();
                assert_eq!(&fixture::view(&db).unwrap(), last);
            }
        }
    }
    let named = |table: &str, key: &[u8]| keys.contains(&(table.to_owned(), key.to_vec()));
    assert!(named("users", b"fred") && named("log", b"4") && named("new", b"k") && named("users", b"hans"));
    assert!(!named("bulk", b"a"), "it is in a stone");
}

#[test]
fn an_older_copy_of_a_file_is_noticed_or_does_not_matter() {
    damage_both("older copies", |fixture, tally| {
        for (path, copies) in &fixture.older {
            for (number, copy) in copies.iter().enumerate() {
                try_with(fixture, &[(path, Some(copy))], least(fixture, &[path]), (path, "copy", number), tally);
            }
        }
    });
}
