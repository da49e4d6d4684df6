//! Which seeds a test runs, and how one that failed is run again.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Once;

use crate::shrink::{Chosen, list, parse, shrink};

/// The number in an environment variable, or else the usual one.
///
/// # Panics
/// If it is no number: a misspelt replay must not pass.
#[must_use]
pub fn number(name: &str, usual: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// Runs `check`; if it panics, says where that was too.
pub fn locate<T>(place: impl FnOnce() -> String, check: impl FnOnce() -> T) -> T {
    match catch(check) {
        Ok(value) => value,
        Err(text) => resume_unwind(Box::new(format!("{text}\n{}", place()))),
    }
}

/// Runs `check`; if it panics, gives the message.
pub fn catch<T>(check: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(check)).map_err(|cause| {
        let text = cause.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| cause.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message").to_owned()
    })
}

/// Runs `test` with the seeds `FIRST..FIRST + SEEDS` and adds up what it returns. `usual` is how many seeds there are
/// unless the environment says otherwise; the first one then is 1. `STEPS` names the only ones of the `steps` of the
/// histories that are done.
///
/// # Panics
/// If one seed fails: with the shortest history that still fails, and the command that replays it.
pub fn each(binary: &str, usual: u64, steps: usize, test: impl Fn(u64, Chosen<'_>) -> u64) -> u64 {
    let first = number("FIRST", 1);
    let chosen = std::env::var("STEPS").ok().map(|text| parse(&text).unwrap_or_else(|wrong| panic!("{wrong}")));
    let run = |seed| {
        catch(|| test(seed, chosen.as_ref())).unwrap_or_else(|text| {
            let short = if chosen.is_some() { None } else { shorten(steps, |left| test(seed, Some(left))) };
            let (text, steps) =
                short.map_or((text, String::new()), |(left, text)| (text, format!(" STEPS={}", list(&left))));
            let test = std::thread::current().name().unwrap_or_default().to_owned();
            panic!(
                "{text}\n\nseed {seed} failed; replay it with:\n\
                 FIRST={seed} SEEDS=1{steps} cargo test -p cairndb-sim --test {binary} {test}\n"
            )
        })
    };
    (first..first + number("SEEDS", usual)).map(run).sum()
}

/// The shortest history of so many steps that still fails, and its message. Those on the way there say nothing.
pub fn shorten(steps: usize, test: impl Fn(&BTreeSet<usize>) -> u64) -> Option<(BTreeSet<usize>, String)> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                usual(info);
            }
        }));
    });
    QUIET.set(true);
    let short = shrink(steps, |left| catch(|| test(left)).err());
    QUIET.set(false);
    short
}

thread_local! {
    /// Whether a panic of this thread is one of many and is looked at by whoever catches it.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}
