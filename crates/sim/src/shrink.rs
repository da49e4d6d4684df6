//! The shortest history that still fails.

use std::collections::BTreeSet;

/// The only steps of a history that are done, by their numbers from 1; all, if nobody chose.
pub type Chosen<'a> = Option<&'a BTreeSet<usize>>;

/// How the steps are written in a command that replays them.
#[must_use]
pub fn list(steps: &BTreeSet<usize>) -> String {
    steps.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

/// Reads what [`list`] writes.
///
/// # Errors
/// With the text, if it is no such list.
pub fn parse(text: &str) -> Result<BTreeSet<usize>, String> {
    let numbers = text.split(',').filter(|number| !number.is_empty()).map(str::parse);
    numbers.collect::<Result<_, _>>().map_err(|_| format!("{text} is no list of steps, as 1,2,5 is one"))
}

/// Leaves steps out of `1..=steps` as long as `fails` still gives a message, and returns what is left with the last
/// message. `None` if even all of them do not fail.
pub fn shrink(steps: usize, fails: impl Fn(&BTreeSet<usize>) -> Option<String>) -> Option<(BTreeSet<usize>, String)> {
    let mut left: BTreeSet<usize> = (1..=steps).collect();
    let mut message = fails(&left)?;
    let mut size = left.len().div_ceil(2);
    while size > 0 {
        let mut smaller = false;
        // From the end: what comes after the failure goes at once.
        let numbers: Vec<usize> = left.iter().rev().copied().collect();
        for part in numbers.chunks(size) {
            let rest: BTreeSet<usize> = left.iter().copied().filter(|number| !part.contains(number)).collect();
            if let Some(still) = fails(&rest) {
                (left, message, smaller) = (rest, still, true);
            }
        }
        if !smaller || size > left.len() {
            size = if size == 1 && !smaller { 0 } else { (size / 2).max(usize::from(smaller)) };
        }
    }
    Some((left, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_part_in_the_failure_goes() {
        let needs = |needed: &'static [usize]| {
            move |steps: &BTreeSet<usize>| {
                needed.iter().all(|number| steps.contains(number)).then(|| format!("{} steps", steps.len()))
            }
        };
        for needed in [&[][..], &[1], &[20], &[3, 4, 17], &[1, 2, 3, 18, 19, 20]] {
            let (left, message) = shrink(20, needs(needed)).unwrap();
            assert_eq!(left, needed.iter().copied().collect());
            assert_eq!(message, format!("{} steps", needed.len()));
        }
        assert_eq!(shrink(20, needs(&[21])), None);
    }

    #[test]
    fn lists_of_steps_are_read_as_they_are_written() {
        for steps in [&[][..], &[7], &[1, 20, 300]] {
            let steps = steps.iter().copied().collect();
            assert_eq!(parse(&list(&steps)).unwrap(), steps);
        }
        assert!(parse("1,x").is_err());
    }
}
