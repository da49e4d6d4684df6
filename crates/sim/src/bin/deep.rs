//! Runs one kind of simulation over seed after seed until the time is up, and says how much that was.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program with a time budget, not a simulation")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::panic;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use cairndb_sim::layers::{LAYERS, Layer};
use cairndb_sim::seeds::catch;
use cairndb_sim::shrink;

const HELP: &str = "deep LAYER [--seconds N] [--seeds N] [--from SEED] [--threads T] [--steps 1,2,5]

Runs the seeds from --from on (1 if it is not given) until the time is up, --seeds of them are done, or one fails.
Then it prints what was tried. A seed that fails is cut down to the shortest history that still fails.

  --steps   does only these steps of the history

Layers:
";

struct Asked {
    layer: &'static Layer,
    seconds: u64,
    seeds: u64,
    from: u64,
    threads: u64,
    steps: Option<BTreeSet<usize>>,
}

fn parse(arguments: &[String]) -> Result<Asked, String> {
    let [name, options @ ..] = arguments else { return Err("name a layer".to_owned()) };
    let layer = LAYERS.iter().find(|layer| layer.name == name).ok_or_else(|| format!("there is no layer {name}"))?;
    let mut asked = Asked { layer, seconds: 60, seeds: u64::MAX, from: 1, threads: 1, steps: None };
    for pair in options.chunks(2) {
        let [option, value] = pair else { return Err(format!("{} needs a value", pair[0])) };
        let number = || value.parse::<u64>().map_err(|_| format!("{option} {value}: not a number"));
        match option.as_str() {
            "--seconds" => asked.seconds = number()?,
            "--seeds" => asked.seeds = number()?,
            "--from" => asked.from = number()?,
            "--threads" => asked.threads = number()?.max(1),
            "--steps" => asked.steps = Some(shrink::parse(value)?),
            _ => return Err(format!("there is no option {option}")),
        }
    }
    Ok(asked)
}

/// What all threads share.
struct Progress {
    next: u64,
    done: u64,
    counts: Vec<u64>,
    printed: Instant,
    failed: Option<(u64, String)>,
}

impl Asked {
    fn run(&self) -> ExitCode {
        let start = Instant::now();
        let progress = Progress {
            next: self.from,
            done: 0,
            counts: vec![0; self.layer.counts.len()],
            printed: start,
            failed: None,
        };
        let progress = Mutex::new(progress);
        std::thread::scope(|scope| {
            for _ in 0..self.threads {
                scope.spawn(|| self.work(&progress, start));
            }
        });
        let progress = progress.into_inner().expect("no thread panics outside a seed");
        println!("{}", self.line(&progress, start));
        match &progress.failed {
            None => ExitCode::SUCCESS,
            Some((seed, message)) => {
                println!("{}", self.explain(*seed, message));
                ExitCode::FAILURE
            }
        }
    }

    fn work(&self, progress: &Mutex<Progress>, start: Instant) {
        loop {
            let seed = {
                let mut progress = progress.lock().expect("no thread panics outside a seed");
                let ended = start.elapsed() >= Duration::from_secs(self.seconds);
                if ended || progress.failed.is_some() || progress.next - self.from >= self.seeds {
                    return;
                }
                progress.next += 1;
                progress.next - 1
            };
            let outcome = catch(|| (self.layer.run)(seed, self.steps.as_ref()));
            let mut progress = progress.lock().expect("no thread panics outside a seed");
            match outcome {
                Ok(counts) => {
                    progress.done += 1;
                    progress.counts.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
                }
                Err(message) => {
                    progress.failed.get_or_insert((seed, message));
                }
            }
            if progress.printed.elapsed() >= Duration::from_secs(10) {
                progress.printed = Instant::now();
                println!("{}", self.line(&progress, start));
            }
        }
    }

    /// One line that a person and a program can read.
    fn line(&self, progress: &Progress, start: Instant) -> String {
        let mut line = format!("{}: {} seeds from {}", self.layer.name, progress.done, self.from);
        for (name, count) in self.layer.counts.iter().zip(&progress.counts) {
            let _ = write!(line, ", {count} {name}");
        }
        line + &format!(", {:.0} s", start.elapsed().as_secs_f64())
    }

    fn explain(&self, seed: u64, message: &str) -> String {
        let shortest = match &self.steps {
            Some(_) => None,
            None => shrink::shrink(self.layer.steps, |steps| catch(|| (self.layer.run)(seed, Some(steps))).err()),
        };
        let (option, message) = match &shortest {
            None => (String::new(), message),
            Some((steps, message)) => (format!(" --steps {}", shrink::list(steps)), message.as_str()),
        };
        let name = self.layer.name;
        format!(
            "{message}\n\nseed {seed} failed; this replays it:\n\
             cargo run --release -p cairndb-sim --bin deep -- {name} --from {seed} --seeds 1{option}"
        )
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match parse(&arguments) {
        Ok(asked) => {
            // The message is kept with the seed that it belongs to.
            panic::set_hook(Box::new(|_| ()));
            asked.run()
        }
        Err(wrong) => {
            let layers = LAYERS.iter().map(|layer| format!("  {:10} {}\n", layer.name, layer.about));
            println!("{wrong}\n\n{HELP}{}", layers.collect::<String>());
            ExitCode::FAILURE
        }
    }
}
