//! What a crash may take and what it may not. In the sets of outcomes `-` is a file that is not there.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cairndb::env::{Env, Mode};
use cairndb_sim::{CrashPlan, Gaps, Kept, Rng, SimEnv, Tears};
use common::{at, durable, fresh, machine, outcomes, set, sync_dir, text};

fn loss(kept: Kept) -> CrashPlan {
    CrashPlan::PowerLoss { kept, gaps: Gaps::Zeros }
}

#[test]
fn an_unsynced_write_may_be_lost_and_a_synced_one_may_not() {
    let env = machine();
    let file = durable(&env, "a", "old");
    file.write_all_at(b"new", 0).unwrap();
    assert_eq!(outcomes(&env, "a"), set(["old", "nld", "ned", "new"]));
    file.sync().unwrap();
    assert_eq!(env.pending(), 0);
    assert_eq!(outcomes(&env, "a"), set(["new"]));
}

#[test]
fn a_sync_is_of_one_file() {
    let env = machine();
    let a = durable(&env, "a", "a");
    let b = durable(&env, "b", "b");
    a.write_all_at(b"A", 0).unwrap();
    b.write_all_at(b"B", 0).unwrap();
    b.sync().unwrap();
    assert_eq!(outcomes(&env, "a"), set(["a", "A"]));
    assert_eq!(outcomes(&env, "b"), set(["B"]));
}

#[test]
fn a_file_without_a_synced_directory_may_vanish_whatever_was_synced_of_it() {
    let env = machine();
    let file = fresh(&env, "a", "x");
    file.sync().unwrap();
    assert_eq!(outcomes(&env, "a"), set(["-", "x"]));
    sync_dir(&env);
    assert_eq!(outcomes(&env, "a"), set(["x"]));
}

#[test]
fn a_synced_name_does_not_bring_the_bytes() {
    let env = machine();
    let file = fresh(&env, "a", "xy");
    sync_dir(&env);
    assert_eq!(outcomes(&env, "a"), set(["", "\0\0", "x", "x\0", "xy"]));
    file.sync().unwrap();
    assert_eq!(outcomes(&env, "a"), set(["xy"]));
}

#[test]
fn a_length_and_its_bytes_arrive_by_themselves() {
    let env = machine();
    let file = durable(&env, "a", "");
    file.write_all_at(b"1", 0).unwrap();
    file.write_all_at(b"2", 1).unwrap();
    // The second byte came and the first did not; the lengths came and no byte; the bytes came and no length.
    for found in ["\u{0}2", "\0\0", ""] {
        assert!(outcomes(&env, "a").contains(&Some(found.to_owned())), "{found:?}");
    }
    file.set_len(1).unwrap();
    assert!(outcomes(&env, "a").contains(&Some("12".to_owned())), "a cut may be undone");
    file.sync().unwrap();
    assert_eq!(outcomes(&env, "a"), set(["1"]));
    file.set_len(2).unwrap();
    file.sync().unwrap();
    assert_eq!(outcomes(&env, "a"), set(["1\0"]), "what was cut off is gone");
}

#[test]
fn a_rename_may_be_undone_or_half_done_until_the_directory_is_synced() {
    let env = machine();
    durable(&env, "a", "old");
    durable(&env, "b", "new");
    env.rename(&at("b"), &at("a")).unwrap();
    let states: BTreeSet<_> = env
        .plans(50)
        .map(|plan| env.crashed(plan))
        .map(|after| (text(&after, "a").unwrap(), text(&after, "b")))
        .collect();
    let state = |a: &str, b: Option<&str>| (a.to_owned(), b.map(str::to_owned));
    assert_eq!(states, [state("old", Some("new")), state("new", Some("new")), state("new", None)].into());
    sync_dir(&env);
    assert_eq!(outcomes(&env, "a"), set(["new"]));
    assert_eq!(outcomes(&env, "b"), set(["-"]));
}

#[test]
fn a_rename_before_the_sync_of_the_bytes_can_leave_an_empty_file() {
    let env = machine();
    durable(&env, "a", "old");
    fresh(&env, "b", "n");
    env.rename(&at("b"), &at("a")).unwrap();
    sync_dir(&env);
    assert_eq!(outcomes(&env, "a"), set(["", "\0", "n"]));
}

#[test]
fn a_removed_file_may_come_back_independently_of_others() {
    let env = machine();
    for name in ["a", "b"] {
        durable(&env, name, name);
        env.remove(&at(name)).unwrap();
    }
    assert!(env.files().is_empty());
    let both = |plan| {
        let after = env.crashed(plan);
        (text(&after, "a").is_some(), text(&after, "b").is_some())
    };
    let states: BTreeSet<_> = env.plans(0).map(both).collect();
    assert_eq!(states.len(), 4, "{states:?}");
    sync_dir(&env);
    assert_eq!(outcomes(&env, "a"), set(["-"]));
}

#[test]
fn the_last_write_is_torn_at_every_byte() {
    let env = machine();
    let file = durable(&env, "a", "....");
    file.write_all_at(b"12", 1).unwrap();
    file.write_all_at(b"wxyz", 2).unwrap();
    let torn = |bytes, grown| text(&env.crashed(loss(Kept::Torn { bytes, grown })), "a").unwrap();
    assert_eq!(torn(0, false), ".12.");
    assert_eq!(torn(1, false), ".1w.");
    assert_eq!(torn(3, false), ".1wxy");
    assert_eq!(torn(3, true), ".1wxy\0");
    assert_eq!(torn(4, true), ".1wxyz");
    let planned = env.plans(0).filter(|plan| matches!(plan, CrashPlan::PowerLoss { kept: Kept::Torn { .. }, .. }));
    assert_eq!(planned.count(), 3 * 2 * 2, "three cuts, with and without the length, over zeros and over stale bytes");
}

#[test]
fn a_long_write_is_torn_at_every_sector_and_at_as_many_bytes_as_asked() {
    let env = machine();
    let file = durable(&env, "a", "....");
    let cuts = |tears| -> Vec<usize> {
        let plans = env.moment().plans(tears, 0);
        let bytes = |plan| match plan {
            CrashPlan::PowerLoss { kept: Kept::Torn { bytes, .. }, .. } => Some(bytes),
            _ => None,
        };
        plans.filter_map(bytes).collect()
    };
    file.write_all_at(&[7; 1500], 100).unwrap();
    let ends_of_sectors: Vec<usize> = [412, 924, 1436].iter().flat_map(|&bytes| [bytes; 4]).collect();
    assert_eq!(cuts(Tears::Sampled(0)), ends_of_sectors);
    assert!((13..=22).contains(&cuts(Tears::Sampled(10)).len()));
    assert_eq!(cuts(Tears::EachByte).iter().collect::<BTreeSet<_>>().len(), 1499);
    assert_eq!(cuts(Tears::EachByte).len(), 1499 + 3 * 3);
    assert_eq!(cuts(Tears::All).len(), 1499 * 4);
    file.write_all_at(&[0; 1500], 100).unwrap();
    assert_eq!(cuts(Tears::EachByte).iter().collect::<BTreeSet<_>>().len(), 3, "zeros");
}

#[test]
fn a_torn_write_cuts_no_length_that_it_did_not_set() {
    let env = machine();
    let file = durable(&env, "a", "....");
    file.set_len(6).unwrap();
    file.write_all_at(b"wxyz", 1).unwrap();
    let torn = env.crashed(loss(Kept::Torn { bytes: 1, grown: false }));
    assert_eq!(text(&torn, "a").unwrap(), ".w..\0\0");
}

#[test]
fn bytes_that_arrived_without_their_length_are_gone() {
    let env = machine();
    durable(&env, "a", "x").write_all_at(b"yz", 1).unwrap();
    let after = env.crashed(loss(Kept::AllBut(0)));
    assert_eq!(text(&after, "a").unwrap(), "x");
    after.open(&at("a"), Mode::Write).unwrap().set_len(3).unwrap();
    assert_eq!(text(&after, "a").unwrap(), "x\0\0");
}

#[test]
fn sectors_of_a_write_arrive_by_themselves() {
    let env = machine();
    let file = durable(&env, "a", "");
    file.set_len(2048).unwrap();
    file.sync().unwrap();
    file.write_all_at(&[7; 1500], 100).unwrap();
    let mut states = BTreeSet::new();
    for seed in 0..200 {
        let bytes = env.crashed(loss(Kept::Sectors(seed))).files().remove(&at("a")).unwrap();
        let sectors: Vec<bool> = [100..512, 512..1024, 1024..1536, 1536..1600]
            .map(|sector| {
                let sector = &bytes[sector];
                assert!(sector.iter().all(|&byte| byte == sector[0]), "a sector is whole or absent");
                sector[0] == 7
            })
            .into();
        states.insert(sectors);
    }
    assert_eq!(states.len(), 16, "every subset");
}

#[test]
fn gaps_hold_zeros_or_what_the_blocks_held_before() {
    let env = machine();
    durable(&env, "gone", "secret");
    env.remove(&at("gone")).unwrap();
    let file = durable(&env, "a", "ab");
    file.write_all_at(b"CDEF", 2).unwrap();
    let grown = |gaps| {
        // The removal, then the length; not the bytes.
        text(&env.crashed(CrashPlan::PowerLoss { kept: Kept::Prefix(2), gaps }), "a").unwrap()
    };
    assert_eq!(grown(Gaps::Zeros), "ab\0\0\0\0");
    assert_eq!(grown(Gaps::Stale), "abcret");
    assert_eq!(text(&env.crashed(CrashPlan::PowerLoss { kept: Kept::All, gaps: Gaps::Stale }), "a").unwrap(), "abCDEF");
    file.sync().unwrap();
    assert!(env.plans(9).all(|plan| text(&env.crashed(plan), "a").unwrap() == "abCDEF"));
}

#[test]
fn gaps_are_filled_where_nothing_was_removed_too() {
    let env = machine();
    durable(&env, "a", "").set_len(100).unwrap();
    let whole = env.crashed(CrashPlan::PowerLoss { kept: Kept::All, gaps: Gaps::Stale });
    assert_eq!(whole.files()[&at("a")], [0; 100], "nothing is stale where nothing was lost");
    durable(&env, "b", "x").write_all_at(b"y", 0).unwrap();
    let stale = CrashPlan::PowerLoss { kept: Kept::Prefix(1), gaps: Gaps::Stale };
    let bytes = env.crashed(stale).files().remove(&at("a")).unwrap();
    assert!(bytes.len() == 100 && bytes.iter().any(|&byte| byte != 0));
}

#[test]
fn a_process_crash_loses_nothing_and_makes_nothing_durable() {
    let env = machine();
    fresh(&env, "a", "x");
    let after = env.crashed(CrashPlan::Process);
    assert_eq!(text(&after, "a").unwrap(), "x");
    assert_eq!(after.pending(), env.pending());
    assert_eq!(text(&after.crashed(CrashPlan::POWER_LOSS), "a"), None);
}

#[test]
fn the_plans_are_complete_and_have_no_doubles() {
    let env = machine();
    assert_eq!(env.plans(5).collect::<Vec<_>>(), [CrashPlan::Process, CrashPlan::POWER_LOSS]);
    for name in ["a", "b", "c", "d"] {
        durable(&env, name, "");
        env.remove(&at(name)).unwrap();
    }
    let plans: Vec<_> = env.plans(5).collect();
    // The process; none and all of four changes; three prefixes; three omissions; five subsets.
    assert_eq!(plans.len(), 1 + 2 + 3 + 3 + 5);
    assert_eq!(plans.iter().collect::<BTreeSet<_>>().len(), plans.len());
    let states: BTreeSet<_> = env.plans(200).map(|plan| env.crashed(plan).files()).collect();
    assert_eq!(states.len(), 16, "every subset of four changes");
}

/// Does something random; returns what must survive: the files whose name and bytes are durable.
struct Random {
    env: SimEnv,
    rng: Rng,
    kept: std::collections::BTreeMap<PathBuf, Vec<u8>>,
}

impl Random {
    fn new(seed: u64) -> Self {
        let env = SimEnv::new(seed);
        env.create_dir(Path::new("db")).unwrap();
        Random { env, rng: Rng::new(seed), kept: Default::default() }
    }

    fn step(&mut self) {
        let path = at(["a", "b", "c"][self.rng.index(3)]);
        let exists = self.env.files().contains_key(&path);
        match self.rng.below(8) {
            0..=3 => {
                let mode = if exists { Mode::Write } else { Mode::Create };
                let file = self.env.open(&path, mode).unwrap();
                let offset = self.rng.below(700);
                let bytes = self.rng.index(700);
                let bytes = self.rng.bytes(bytes);
                file.write_all_at(&bytes, offset).unwrap();
                self.kept.remove(&path);
                if self.rng.chance(1, 2) {
                    file.sync().unwrap();
                    if self.rng.chance(1, 2) {
                        sync_dir(&self.env);
                        self.kept.insert(path.clone(), self.env.files()[&path].clone());
                    }
                }
            }
            4 if exists => self.env.open(&path, Mode::Write).unwrap().set_len(self.rng.below(900)).unwrap(),
            5 if exists => self.env.remove(&path).unwrap(),
            6 if exists => self.env.rename(&path, &at("d")).unwrap(),
            7 => sync_dir(&self.env),
            _ => return,
        }
        if self.env.files().get(&path) != self.kept.get(&path) {
            self.kept.remove(&path);
        }
    }
}

#[test]
fn what_was_synced_survives_every_plan_of_random_histories() {
    let (mut states, mut kept) = (0, 0);
    for seed in 0..40 {
        let mut random = Random::new(seed);
        for _ in 0..25 {
            random.step();
            for plan in random.env.plans(4).step_by(7) {
                let found = random.env.crashed(plan).files();
                for (path, bytes) in &random.kept {
                    assert_eq!(found.get(path), Some(bytes), "seed {seed}, {plan:?}\n{}", random.env.history());
                    kept += 1;
                }
                states += 1;
            }
            assert_eq!(random.env.crashed(loss(Kept::All)).files(), random.env.files(), "all that is pending is all");
        }
    }
    assert!(states > 10_000 && kept > 1_000, "{states} states, {kept} comparisons");
}

#[test]
fn the_same_seed_and_plan_give_the_same_bytes() {
    let run = |seed| {
        let mut random = Random::new(seed);
        (0..30).for_each(|_| random.step());
        let images: Vec<_> = random.env.plans(16).map(|plan| (plan, random.env.crashed(plan).files())).collect();
        (images, random.env.history())
    };
    for seed in 0..5 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
    assert_ne!(run(1), run(2));
}
