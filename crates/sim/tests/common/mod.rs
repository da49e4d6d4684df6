//! What the tests of the simulated disk share.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cairndb::env::{Env, File, Mode};
use cairndb_sim::SimEnv;

/// Everything happens in one directory.
pub(crate) fn at(name: &str) -> PathBuf {
    Path::new("db").join(name)
}

/// A machine with an empty directory.
pub(crate) fn machine() -> SimEnv {
    let env = SimEnv::new(1);
    env.create_dir(Path::new("db")).unwrap();
    env
}

pub(crate) fn sync_dir(env: &dyn Env) {
    env.sync_dir(Path::new("db")).unwrap();
}

/// A file whose name and bytes are durable.
pub(crate) fn durable(env: &SimEnv, name: &str, bytes: &str) -> Box<dyn File> {
    env.put_file(at(name), bytes.as_bytes()).unwrap();
    env.open(&at(name), Mode::Write).unwrap()
}

/// A file of which nothing is durable.
pub(crate) fn fresh(env: &SimEnv, name: &str, bytes: &str) -> Box<dyn File> {
    let file = env.open(&at(name), Mode::Create).unwrap();
    file.write_all_at(bytes.as_bytes(), 0).unwrap();
    file
}

/// What a file holds; `None` if there is none.
pub(crate) fn text(env: &SimEnv, name: &str) -> Option<String> {
    env.files().get(&at(name)).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

/// What the plans of a crash now can leave of a file, with stale bytes left out.
pub(crate) fn outcomes(env: &SimEnv, name: &str) -> BTreeSet<Option<String>> {
    use cairndb_sim::{CrashPlan, Gaps};
    env.plans(50)
        .filter(|plan| !matches!(plan, CrashPlan::PowerLoss { gaps: Gaps::Stale, .. }))
        .map(|plan| text(&env.crashed(plan), name))
        .collect()
}

pub(crate) fn set<const N: usize>(texts: [&str; N]) -> BTreeSet<Option<String>> {
    texts.into_iter().map(|text| (text != "-").then(|| text.to_owned())).collect()
}
