//! What the fuzzers do with the bytes that they make up: one function for each target.
//!
//! The programs in `fuzz` give these functions to libFuzzer, and `scripts/fuzz.mjs` runs those. The tests here give
//! them the corpus in `fuzz/corpus`, and random changes of it, on any toolchain.

mod choices;
mod database;
pub mod mutation;
mod plan;

pub use cairndb::fuzzing::{dictionary, journal, manifest, packed, record, stone};
pub use database::{File, database, pack};
pub use plan::ops_and_crash;

/// A target: its name, and what is done with the bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All targets. Each has a folder of its name in the corpus.
pub const TARGETS: [Target; 8] = [
    ("journal", journal),
    ("manifest", manifest),
    ("stone", stone),
    ("record", record),
    ("dictionary", dictionary),
    ("packed", packed),
    ("database", database),
    ("ops_and_crash", ops_and_crash),
];
