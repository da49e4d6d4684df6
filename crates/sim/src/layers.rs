//! The kinds of simulation, each of which runs a seed.

use crate::crash::Tears;
use crate::explore::{Depth, crash_a_liar, crash_everywhere};
use crate::histories::{crashing_history, history};
use crate::members::shared_history;
use crate::shrink::Chosen;
use crate::suffering::{self, fail_everywhere};

/// A kind of simulation.
pub struct Layer {
    /// How it is called.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// How many steps its histories have.
    pub steps: usize,
    /// What is counted.
    pub counts: &'static [&'static str],
    /// Runs a seed, or only some steps of it, and counts. Panics if something is wrong.
    pub run: fn(u64, Chosen<'_>) -> Vec<u64>,
}

const STEPS: usize = 16;
const LONG: usize = 300;
const CRASHES: &[&str] = &["points", "crashes", "crash states"];
const RECOVERIES: &[&str] = &["points", "crashes", "crash states", "recoveries crashed", "crash states in recovery"];

/// All kinds.
pub const LAYERS: &[Layer] = &[
    Layer {
        name: "crashes",
        about: "crashes a history at every change in every way, the last write torn at every byte",
        steps: STEPS,
        counts: CRASHES,
        run: |seed, steps| crashes(seed, steps, Depth { tears: Tears::EachByte, ..depth() }),
    },
    Layer {
        name: "recoveries",
        about: "crashes recoveries at every change that they make",
        steps: STEPS,
        counts: RECOVERIES,
        run: |seed, steps| crashes(seed, steps, Depth { recoveries: 1, ..depth() }),
    },
    Layer {
        name: "lies",
        about: "crashes a history on a disk that acknowledges syncs that it does later",
        steps: STEPS,
        counts: &["crash states", "refused as damage"],
        run: |seed, steps| {
            let (states, refused) = crash_a_liar(seed, &depth(), steps);
            vec![states, refused]
        },
    },
    Layer {
        name: "faults",
        about: "lets every operation of a history fail in every way, once and from then on",
        steps: suffering::STEPS,
        counts: &["faults", "faults that stay"],
        run: |seed, steps| [false, true].map(|sticky| fail_everywhere(seed, sticky, steps)).into(),
    },
    Layer {
        name: "models",
        about: "compares long histories with the model, with crashes and without",
        steps: LONG,
        counts: &["steps", "crashes"],
        run: |seed, steps| vec![history(seed, LONG, steps) + LONG as u64, crashing_history(seed, LONG, steps)],
    },
    Layer {
        name: "sharing",
        about: "compares what processes find that share a directory with the model, and kills them",
        steps: LONG,
        counts: &["steps", "kills", "power losses"],
        run: |seed, steps| {
            let mishaps = shared_history(seed, LONG, steps);
            vec![LONG as u64, mishaps.kills, mishaps.crashes]
        },
    },
];

fn depth() -> Depth {
    Depth { steps: STEPS, tears: Tears::Sampled(4), random: 8, write_on: 4, recoveries: 0 }
}

fn crashes(seed: u64, chosen: Chosen<'_>, depth: Depth) -> Vec<u64> {
    let counts = crash_everywhere(seed, &depth, chosen);
    vec![counts.points, counts.crashes, counts.states, counts.recoveries, counts.second_states]
}
