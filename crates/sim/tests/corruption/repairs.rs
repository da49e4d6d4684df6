//! Repair of a damaged database: what is sound is kept, nothing appears that was never written, and what is lost is
//! named.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cairndb::env::{Env, Mode};
use cairndb::{Code, Database, Progress, RepairReport, repair_with};
use cairndb_sim::{CrashPlan, Rng, SimEnv};

use crate::allocation;
use crate::fixture::{self, Files, Fixture, Row, View, is, view};

const MEMORY: usize = 4 << 20;
const OPERATIONS: u64 = 4_000;

/// All that was ever written under a key; times behind a break of the journal are not known.
struct Written(BTreeMap<(String, Vec<u8>), Vec<Row>>);

impl Written {
    /// Whether a record was written like this. Of a table whose name is lost only the records are known, and of a
    /// dictionary that is lost not even the name, where the record can do without.
    fn knows(&self, table: &str, key: &[u8], row: &Row) -> bool {
        let (row, unnamed) = (timeless(row), table.starts_with("recovered-"));
        let bare = |known: &Row| row.dictionary.is_none() && Row { dictionary: None, ..known.clone() } == row;
        let mut of_key = self.0.iter().filter(|(of, _)| (unnamed || of.0 == table) && of.1 == key);
        of_key.any(|(_, rows)| rows.iter().any(|known| *known == row || bare(known)))
    }
}

fn timeless(row: &Row) -> Row {
    Row { time: 0, ..row.clone() }
}

fn written(states: &[View]) -> Written {
    let mut written = BTreeMap::<_, Vec<Row>>::new();
    for (table, rows) in states.iter().flatten() {
        for (key, row) in rows {
            let known = written.entry((table.clone(), key.clone())).or_default();
            if !known.contains(&timeless(row)) {
                known.push(timeless(row));
            }
        }
    }
    Written(written)
}

fn open_target(env: &SimEnv) -> Database {
    Database::open_with(Arc::new(env.clone()), "new", fixture::options(true)).expect("what was repaired opens")
}

/// Repairs a database, opens the new one and looks that it is sound.
fn repair(env: &SimEnv) -> cairndb::Result<(RepairReport, View)> {
    let before = env.files();
    let operations = env.operations();
    let (report, peak) = allocation::peak(|| repair_with(Arc::new(env.clone()), "db", "new", &Progress::default()));
    assert!(peak <= MEMORY, "{peak} bytes of memory");
    assert!(env.operations() - operations <= OPERATIONS, "{} operations", env.operations() - operations);
    let unchanged = |files: &Files| {
        files.iter().filter(|(path, _)| path.starts_with("db")).map(|(p, b)| (p.clone(), b.clone())).collect::<Files>()
    };
    let mut after = unchanged(&env.files());
    after.remove(Path::new("db/lock"));
    let mut source = unchanged(&before);
    source.remove(Path::new("db/lock"));
    assert!(after == source, "the source is not changed");
    let report = report?;
    // It is all on the disk when the call returns.
    let env = env.crashed(CrashPlan::POWER_LOSS);
    let db = open_target(&env);
    let found = view(&db).expect("all of it can be read");
    let verified = db.verify().unwrap();
    assert!(verified.damage.is_empty(), "{:#?}", verified.damage);
    assert_eq!(report.tables, found.len() as u64);
    Ok((report, found))
}

/// Whether a report speaks of a key of a table.
fn names(report: &RepairReport, table: &str, key: &[u8]) -> bool {
    report.damage.iter().any(|damage| {
        let between = damage.between.as_ref().is_some_and(|range| {
            range.after.as_deref().is_none_or(|after| after < key)
                && range.before.as_deref().is_none_or(|before| key < before)
        });
        damage.table.as_deref().is_none_or(|named| named == table)
            && (between || damage.keys.iter().any(|lost| lost == key))
    })
}

struct Case<'a> {
    fixture: &'a Fixture,
    written: &'a Written,
}

impl Case<'_> {
    /// Damage to one file: `journal` if it is one, where a break does not say which keys are lost.
    fn check(&self, what: &str, files: &[(&Path, Option<&[u8]>)]) -> RepairReport {
        let env = crate::machine(self.fixture, files);
        let (report, found) = repair(&env).unwrap_or_else(|error| panic!("{what}: {error}"));
        for (table, rows) in &found {
            for (key, row) in rows {
                assert!(self.written.knows(table, key, row), "{what}: {table} {key:?} was never written: {row:?}");
            }
        }
        let journal = files.iter().any(|(path, _)| is(path, "journal"));
        let last = self.fixture.states.last().unwrap();
        // An undurable tail that is torn may be gone without a word.
        let least =
            if journal { &self.fixture.states[self.fixture.newest_segment..] } else { std::slice::from_ref(last) };
        let exact = least.contains(&found);
        if report.damage.is_empty() {
            assert!(exact, "{what}: something is lost, and nothing is reported");
        }
        if !journal && !exact {
            self.check_losses(what, &report, &found, last);
        }
        report
    }

    /// Whatever is not as it was last written is in the report.
    fn check_losses(&self, what: &str, report: &RepairReport, found: &View, last: &View) {
        let keys: BTreeSet<_> =
            last.iter().chain(found).flat_map(|(table, rows)| rows.keys().map(move |key| (table, key))).collect();
        for (table, key) in keys {
            let row = |view: &View| view.get(table).and_then(|rows| rows.get(key)).cloned();
            if row(found) != row(last) {
                assert!(names(report, table, key), "{what}: {table} {key:?} is not named: {:#?}", report.damage);
            }
        }
    }
}

fn each_bit(kind: &str, step: usize, mut check: impl FnMut(&Case<'_>, &Path, usize, RepairReport)) {
    let fixture = fixture::crashed();
    let case = Case { fixture: &fixture, written: &written(&fixture.states) };
    for (path, bytes) in fixture.files.iter().filter(|(path, _)| is(path, kind)) {
        for bit in (0..bytes.len() * 8).step_by(step) {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let report = case.check(&format!("{} bit {bit}", path.display()), &[(path, Some(&bytes))]);
            check(&case, path, bit, report);
        }
    }
}

#[test]
fn a_sound_database_is_copied_as_it_is() {
    for fixture in [fixture::crashed(), fixture::closed()] {
        let (report, found) = repair(&crate::machine(&fixture, &[])).unwrap();
        assert_eq!(report.damage, []);
        assert_eq!(&found, fixture.states.last().unwrap());
        assert_eq!(
            report.generation,
            Some(fixture.files.keys().filter(|path| is(path, "manifest")).count() as u64 + 3)
        );
    }
}

#[test]
fn a_flipped_bit_of_a_stone_costs_at_most_the_record_that_it_is_in() {
    let mut losses = 0;
    each_bit("stone", 7, |_, path, bit, report| {
        let records = report.damage.iter().filter(|damage| damage.bytes.is_some()).count();
        assert!(records <= 1, "{} bit {bit}: {:#?}", path.display(), report.damage);
        losses += records;
    });
    assert!(losses > 2_000, "{losses} losses");
}

#[test]
fn a_flipped_bit_of_a_manifest_costs_nothing() {
    each_bit("manifest", 5, |case, path, bit, report| {
        let lost = report.damage.iter().any(|damage| damage.between.is_some() || !damage.keys.is_empty());
        assert!(!lost, "{} bit {bit}: {:#?}", path.display(), report.damage);
        assert_eq!(report.damage.len(), 1, "{} files", case.fixture.files.len());
    });
}

#[test]
fn a_flipped_bit_of_the_journal_costs_one_commit() {
    let (mut named, mut two) = (0, 0);
    each_bit("journal", 1, |_, path, bit, report| {
        let damage = report.damage.iter().filter(|damage| is(&damage.path, "journal"));
        let places: BTreeSet<_> = damage.map(|damage| (&damage.path, damage.offset)).collect();
        // The end of a header, or of a frame, is what the next frame is checked with.
        assert!(
            places.len() <= 1 + usize::from((72 * 8..80 * 8).contains(&bit)),
            "{} bit {bit}: {:#?}",
            path.display(),
            report.damage
        );
        named += usize::from(report.damage.iter().any(|damage| !damage.keys.is_empty()));
        let lost = |key: &[u8]| report.damage.iter().any(|damage| damage.keys.iter().any(|lost| lost == key));
        two += usize::from(lost(b"fred") && lost(b"1"));
    });
    assert!(named > 500, "the keys of a damaged commit are told in {named} cases");
    assert_eq!(two, 64, "the digest of a frame is what the next one is checked with, so that both are lost");
}

#[test]
fn cuts_and_lost_and_swapped_files_leave_what_is_sound() {
    let fixture = fixture::crashed();
    let case = Case { fixture: &fixture, written: &written(&fixture.states) };
    for (path, bytes) in &fixture.files {
        case.check(&format!("{} removed", path.display()), &[(path, None)]);
        for len in (0..bytes.len()).step_by(5) {
            case.check(&format!("{} cut to {len}", path.display()), &[(path, Some(&bytes[..len]))]);
        }
        for (other, others) in fixture.files.iter().filter(|(other, _)| *other > path) {
            let swapped = [(&**path, Some(&others[..])), (&**other, Some(&bytes[..]))];
            let report = case.check(&format!("{} and {} swapped", path.display(), other.display()), &swapped);
            if is(path, "stone") && is(other, "stone") {
                assert_eq!(report.damage, [], "stones are known by their digests, whatever their names are");
            }
        }
    }
}

#[test]
fn many_damages_at_once_leave_only_what_was_written() {
    let fixture = fixture::crashed();
    let all = written(&fixture.states);
    let mut opened = 0;
    for seed in 0..300 {
        let mut rng = Rng::of(seed, 77);
        let env = fixture.env.crashed(CrashPlan::Process);
        for _ in 0..1 + rng.index(6) {
            let path: &PathBuf = fixture.files.keys().nth(rng.index(fixture.files.len())).unwrap();
            let mut bytes = env.files()[path].clone();
            let at = rng.index(bytes.len());
            match rng.index(3) {
                0 => bytes[at] ^= 1 << rng.index(8),
                1 => bytes[at..].iter_mut().take(40).for_each(|byte| *byte = 0),
                _ => bytes.truncate(at + 1),
            }
            env.put_file(path, &bytes).unwrap();
        }
        let (_, found) = repair(&env).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        for (table, rows) in found {
            for (key, row) in rows {
                assert!(all.knows(&table, &key, &row), "seed {seed}: {table} {key:?} was never written: {row:?}");
                opened += 1;
            }
        }
    }
    assert!(opened > 1000, "{opened} records");
}

#[test]
fn without_any_manifest_what_the_files_say_themselves_is_kept() {
    let fixture = fixture::crashed();
    let env = fixture.env.crashed(CrashPlan::Process);
    for path in fixture.files.keys().filter(|path| is(path, "manifest")) {
        env.remove(path).unwrap();
    }
    let error = fixture::open(&env, true).unwrap_err();
    assert_eq!(error.code(), Code::Corrupt);
    let (report, found) = repair(&env).unwrap();
    assert_eq!(report.generation, None);
    // The journal that named them is gone, but not what was in them; `new` was made in the journal that is left.
    let bulk = found.values().find(|rows| rows.contains_key(&b"a"[..])).expect("the table of large values");
    assert_eq!(bulk[&b"a"[..]].value, [1; 1390]);
    assert_eq!(found["new"], fixture.states.last().unwrap()["new"]);
}

#[test]
fn what_cannot_be_repaired_or_written_to_is_refused() {
    let fixture = fixture::closed();
    let run = |env: &SimEnv, source: &str, target: &str| {
        repair_with(Arc::new(env.clone()), source, target, &Progress::default()).map_err(|error| error.code())
    };
    let env = fixture.env.crashed(CrashPlan::Process);
    assert_eq!(run(&env, "nothing", "new"), Err(Code::Directory));
    env.create_dir(Path::new("empty")).unwrap();
    assert_eq!(run(&env, "empty", "new"), Err(Code::Directory), "there is no database");
    assert_eq!(run(&env, "db", "db"), Err(Code::Directory));
    assert_eq!(run(&env, "db", "db/inside"), Err(Code::Directory));
    env.create_dir(Path::new("full")).unwrap();
    env.open(Path::new("full/notes"), Mode::Create).unwrap();
    assert_eq!(run(&env, "db", "full"), Err(Code::Directory), "something is there");
    let holder = fixture::open(&env.other_process(), true).unwrap();
    assert_eq!(run(&env, "db", "new"), Err(Code::Locked));
    holder.close().unwrap();
    assert!(run(&env, "db", "empty").is_ok(), "an empty directory will do");
}

#[test]
fn a_repair_that_fails_leaves_no_database_behind_and_can_be_tried_again() {
    let fixture = fixture::closed();
    let env = fixture.env.crashed(CrashPlan::Process);
    let size: usize = env.files().values().map(Vec::len).sum();
    env.set_quota(Some(size as u64 + 700));
    let error = repair_with(Arc::new(env.clone()), "db", "new", &Progress::default()).unwrap_err();
    assert_eq!(error.code(), Code::Full);
    env.set_quota(None);
    let (report, found) = repair(&env).unwrap();
    assert_eq!((report.damage.len(), &found), (0, fixture.states.last().unwrap()));
}
