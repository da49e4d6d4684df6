//! Long random histories: every answer of the database is the model's, through flushes, merges, crashes and time.

use cairndb_sim::histories::{crashing_history, history};
use cairndb_sim::seeds;

#[test]
fn every_answer_is_the_models() {
    seeds::each("engine_model", 32, 600, |seed, chosen| history(seed, 600, chosen));
}

#[test]
fn every_answer_is_the_models_after_crashes_too() {
    let crashes = seeds::each("engine_model", 32, 300, |seed, chosen| crashing_history(seed, 300, chosen));
    assert!(crashes > 0);
}
