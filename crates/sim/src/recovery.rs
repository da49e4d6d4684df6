//! What must be right about a database that is opened on what a crash left.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use cairndb::env::Env;
use cairndb::{Code, Database, Durability, Kind, Op, Options, Result};

use crate::crash::CrashPlan;
use crate::env::SimEnv;
use crate::listing;
use crate::model::{Timeline, View};
use crate::reads;

/// A table that no history has.
const AFTER: &str = "after";

/// Judges what crashes of one history leave.
pub struct Judge<'a> {
    /// What the history did.
    pub timeline: &'a Timeline,
    /// How its database is opened.
    pub options: &'a Options,
}

impl Judge<'_> {
    /// Opens what a crash left, which must be one of the allowed states of the history as a whole, with no file that
    /// does not belong to it. Returns which state it is.
    ///
    /// # Panics
    /// If it is not.
    pub fn recover(&self, left: &SimEnv, allowed: Range<usize>) -> Recovered {
        let lossy = left.pending() > 0;
        let (db, found) = self.open(left);
        let state = self.state(&found, allowed.clone(), left.now());
        let state = state.unwrap_or_else(|| panic!("none of the states {allowed:?} that are allowed: {found:#?}"));
        check_files(left);
        drop(db);
        Recovered { found, state, lossy }
    }

    /// Opens it a second time, after a power loss that takes all that the first recovery did not bring to the disk:
    /// the same must be there, and the same files.
    ///
    /// # Panics
    /// If it is not.
    pub fn recover_again(&self, left: &SimEnv, first: &Recovered) -> (SimEnv, Database) {
        let again = left.crashed(CrashPlan::POWER_LOSS);
        let (db, found) = self.open(&again);
        assert_eq!(found, first.found, "the second recovery found something else");
        if first.lossy {
            check_files(&again);
        } else {
            assert!(again.fingerprint_of_files() == left.fingerprint_of_files(), "the second recovery changed files");
        }
        (again, db)
    }

    /// Writes to what was recovered and loses the power once more: the write lies safely on what was found.
    ///
    /// # Panics
    /// If it does not.
    pub fn write_on(&self, env: &SimEnv, db: &Database, found: &View) {
        db.commit(&[Op::put(AFTER, b"k", Kind::BYTES, b"v")], Durability::Os).expect("writes again");
        db.flush().expect("syncs again");
        let (_, mut after) = self.open(&env.crashed(CrashPlan::POWER_LOSS));
        assert_eq!(after.remove(AFTER).expect("a write after recovery").len(), 1);
        assert_eq!(&after, found, "another write after the recovery took something with it");
    }

    /// Which of the allowed states shows itself like this, the newest one if there are several.
    pub fn state(&self, found: &View, allowed: Range<usize>, now: u64) -> Option<usize> {
        allowed.rev().find(|&state| self.timeline.states()[state].shows(found, now))
    }

    /// Whether an allowed state looks like this one.
    pub fn allows(&self, state: usize, allowed: Range<usize>, now: u64) -> bool {
        let states = self.timeline.states();
        allowed.contains(&state) || allowed.rev().any(|other| states[other].looks_like(&states[state], now))
    }

    /// Recovers, twice, what a disk left that had acknowledged syncs which it had not done. `None` if the database says
    /// that something is damaged, which it may if the disk did not even keep the order: then it cannot tell.
    ///
    /// # Panics
    /// If it shows anything but one of the allowed states, as a whole.
    pub fn recover_lies(&self, left: &SimEnv, allowed: Range<usize>) -> Option<usize> {
        let lossy = left.pending() > 0;
        let found = match self.look(left) {
            Ok((_, found)) => found,
            Err(error) if error.code() == Code::Corrupt => return None,
            Err(error) => panic!("{:?}: {error}", error.code()),
        };
        let state = self.state(&found, allowed.clone(), left.now());
        let state = state.unwrap_or_else(|| panic!("none of the states {allowed:?} that are allowed: {found:#?}"));
        // What the death of a process left may still be on its way to the disk, whatever recovery was told.
        if !lossy {
            let (_, again) = self.open(&left.crashed(CrashPlan::POWER_LOSS));
            assert_eq!(again, found, "the second recovery found something else");
        }
        Some(state)
    }

    fn open(&self, env: &SimEnv) -> (Database, View) {
        self.look(env).unwrap_or_else(|error| panic!("cannot open and read: {error}"))
    }

    fn look(&self, env: &SimEnv) -> Result<(Database, View)> {
        let db = Database::open_with(Arc::new(env.clone()), "db", self.options.clone())?;
        let found = reads::view(&db)?;
        Ok((db, found))
    }
}

/// What a recovery found.
pub struct Recovered {
    /// All that a reader sees.
    pub found: View,
    /// Which state of the history that is.
    pub state: usize,
    /// Whether something was not on the disk yet when it was opened: a removed file may come back then.
    lossy: bool,
}

fn check_files(env: &SimEnv) {
    listing::check(env, Path::new("db")).unwrap_or_else(|wrong| panic!("{wrong}"));
}
