//! The engine on a machine on which an operation fails, whichever it is.
#![allow(clippy::print_stderr, reason = "how much was tried is worth knowing")]

use cairndb_sim::seeds;
use cairndb_sim::suffering::{STEPS, fail_everywhere};

#[test]
fn nothing_promised_is_lost_whatever_operation_fails() {
    let count = seeds::each("engine_faults", 2, STEPS, |seed, chosen| fail_everywhere(seed, false, chosen));
    eprintln!("{count} faults, once each");
    assert!(count > 0);
}

#[test]
fn nothing_promised_is_lost_whatever_operations_fail_for_good() {
    let count = seeds::each("engine_faults", 2, STEPS, |seed, chosen| fail_everywhere(seed, true, chosen));
    eprintln!("{count} faults that stay");
    assert!(count > 0);
}
