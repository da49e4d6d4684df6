//! The tables that people read.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::measure::{Figure, Unit};
use crate::store::Engine;
use crate::workloads::REST;

const SUBJECT: &str = "cairndb";
/// The peers that CairnDB measures itself by.
const RIVALS: [&str; 4] = ["redb", "fjall", "heed", "persistent-kv"];
/// The most that a durable put of 116 bytes may write, and what many threads must gain over one.
const MOST_WRITTEN: f64 = 140.0;
const LEAST_GAIN: f64 = 15.0;

/// What was measured: engine by engine, in rounds.
pub(crate) struct Results<'a> {
    pub(crate) engines: Vec<&'a Engine>,
    pub(crate) records: usize,
    pub(crate) rounds: u64,
    pub(crate) seconds: f64,
    pub(crate) machine: String,
    pub(crate) failures: Vec<String>,
    /// The names of the figures in the order in which they came.
    rows: Vec<String>,
    figures: BTreeMap<(String, &'static str), Vec<Figure>>,
}

impl<'a> Results<'a> {
    pub(crate) fn new(engines: Vec<&'a Engine>, records: usize, rounds: u64, seconds: f64, machine: String) -> Self {
        let (failures, rows, figures) = (Vec::new(), Vec::new(), BTreeMap::new());
        Results { engines, records, rounds, seconds, machine, failures, rows, figures }
    }

    pub(crate) fn add(&mut self, engine: &Engine, figure: Figure) {
        if !self.rows.contains(&figure.name) {
            self.rows.push(figure.name.clone());
        }
        self.figures.entry((figure.name.clone(), engine.name)).or_default().push(figure);
    }

    /// Every figure of every round, for programs.
    pub(crate) fn json(&self) -> serde_json::Value {
        let figures: Vec<_> = self
            .figures
            .iter()
            .map(|((name, engine), figures)| {
                let values: Vec<_> = figures.iter().map(|figure| figure.value).collect();
                let per_second: Vec<_> = figures.iter().map(|figure| figure.per_processor_second).collect();
                serde_json::json!({ "name": name, "engine": engine, "unit": figures[0].unit, "values": values,
                    "perProcessorSecond": per_second })
            })
            .collect();
        serde_json::json!({ "records": self.records, "rounds": self.rounds, "seconds": self.seconds,
            "machine": self.machine, "versions": self.versions(), "failures": self.failures, "figures": figures })
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = format!(
            "# Benchmark of the engine\n\n\
             {} records with keys of 16 and values of 100 bytes that cannot be compressed. The median of {} rounds, and \
             how far the farthest round is from it. Every engine and workload is a process of its own; the engines take \
             turns, another one begins each round; after each run the store was opened again and every record compared. \
             A measurement ends after {} s (the churn after ten times as long) if it has not done everything by then.\n\n\
             {}\n\n\
             The ratios compare CairnDB with the best of redb, fjall, heed and persistent-kv, and with the best of all \
             others. Above 1 CairnDB is ahead, in bytes too. At rest means {} s after all work has ended, as every load \
             is left before others read it; after the churn it is measured in the first round only.\n",
            grouped(self.records as f64),
            self.rounds,
            self.seconds,
            self.machine,
            REST.as_secs(),
        );
        let titles = [
            ("Operations per second of processor time", Unit::Rate, true),
            ("Operations per second", Unit::Rate, false),
            ("Bytes", Unit::Bytes, false),
        ];
        for (title, unit, of_processor) in titles {
            self.table(&mut text, title, unit, of_processor);
        }
        self.shares(&mut text);
        self.claims(&mut text);
        self.modes(&mut text);
        for failure in &self.failures {
            let _ = write!(text, "\n**Failed:** {failure}\n");
        }
        text
    }

    fn table(&self, text: &mut String, title: &str, unit: Unit, of_processor: bool) {
        let rows: Vec<_> = self.rows.iter().filter(|row| self.unit(row) == Some(unit)).collect();
        if rows.is_empty() {
            return;
        }
        let names: Vec<_> = self.engines.iter().map(|engine| engine.name).collect();
        let _ = write!(text, "\n## {title}\n\n| | {} | / best of four | / best of all |\n", names.join(" | "));
        let _ = writeln!(text, "| --- |{}", " ---: |".repeat(names.len() + 2));
        for row in rows {
            let cells: Vec<_> = names.iter().map(|name| self.cell(row, name, of_processor)).collect();
            let four = self.ratio(row, &RIVALS, of_processor);
            let all = self.ratio(row, &names, of_processor);
            let _ = writeln!(text, "| {row} | {} | {four} | {all} |", cells.join(" | "));
        }
    }

    fn unit(&self, row: &str) -> Option<Unit> {
        let of = |engine: &&Engine| self.figures.get(&(row.to_owned(), engine.name));
        self.engines.iter().find_map(of).and_then(|figures| figures.first()).map(|figure| figure.unit)
    }

    fn values(&self, row: &str, engine: &'static str, of_processor: bool) -> Vec<f64> {
        let pick = |figure: &Figure| if of_processor { figure.per_processor_second } else { Some(figure.value) };
        let figures = self.figures.get(&(row.to_owned(), engine));
        figures.map(|figures| figures.iter().filter_map(pick).collect()).unwrap_or_default()
    }

    fn median(&self, row: &str, engine: &'static str, of_processor: bool) -> Option<f64> {
        median(self.values(row, engine, of_processor))
    }

    fn cell(&self, row: &str, engine: &'static str, of_processor: bool) -> String {
        let values = self.values(row, engine, of_processor);
        let Some(middle) = median(values.clone()) else { return "–".into() };
        let spread = values.iter().map(|value| (value / middle - 1.0).abs()).fold(0.0, f64::max);
        format!("{} ±{:.0} %", short(middle), spread * 100.0)
    }

    /// How many times as good CairnDB is as the best of `names`.
    fn ratio(&self, row: &str, names: &[&'static str], of_processor: bool) -> String {
        let Some(subject) = self.median(row, SUBJECT, of_processor) else { return "–".into() };
        let less_is_better = self.unit(row) == Some(Unit::Bytes);
        let better = |other: f64| if less_is_better { other / subject } else { subject / other };
        names
            .iter()
            .filter(|name| **name != SUBJECT)
            .filter_map(|name| Some((better(self.median(row, name, of_processor)?), name)))
            .min_by(|(a, _), (b, _)| a.total_cmp(b))
            .map_or("–".into(), |(ratio, name)| format!("{ratio:.2} × {name}"))
    }

    /// Says which figures come from a run that was cut short.
    fn shares(&self, text: &mut String) {
        for row in self.rows.iter().filter(|row| self.unit(row) == Some(Unit::Share)) {
            let shares: Vec<_> = self
                .engines
                .iter()
                .filter_map(|engine| Some((engine.name, self.median(row, engine.name, false)?)))
                .map(|(name, share)| format!("{name} {:.0} %", share * 100.0))
                .collect();
            let _ = write!(text, "\n{row}: {}.\n", shares.join(", "));
        }
    }

    /// What CairnDB claims of itself.
    fn claims(&self, text: &mut String) {
        let rate = |engine, threads| self.median(&format!("durable write, {threads}"), engine, false);
        let gains: Vec<_> = self
            .engines
            .iter()
            .filter_map(|engine| {
                Some((engine.name, rate(engine.name, "64 threads")? / rate(engine.name, "one thread")?))
            })
            .map(|(name, gain)| format!("{name} {gain:.1}"))
            .collect();
        if !gains.is_empty() {
            let _ = write!(
                text,
                "\n64 threads write durably this many times as much as one: {}. CairnDB must reach {LEAST_GAIN}.\n",
                gains.join(", ")
            );
        }
        let row = "bytes counted for a durable put of 116: journal, but the zeros ahead";
        if let Some(bytes) = self.median(row, SUBJECT, false) {
            let _ = write!(
                text,
                "\nFor a durable put of 116 bytes CairnDB writes {bytes:.1} to its journal; it may be {MOST_WRITTEN}. They \
                 are counted in its `Env`, on their way to the file, over 1,000 puts: the system counts pages only. Zeros \
                 that are written ahead, once for many puts, are counted apart. For all engines the figures of `write` \
                 and of pages are those of `/proc/self/io`, and include opening and closing; Linux counts the \
                 whole of a large folio where one page of it is written, so pages say little of the disk.\n"
            );
        }
    }

    fn modes(&self, text: &mut String) {
        text.push_str(
            "\n## What a write survives\n\n| engine | set up | without sync | durable |\n| --- | --- | --- | --- |\n",
        );
        for engine in &self.engines {
            let Engine { name, setup, survives_os, survives_full, .. } = engine;
            let version = version(name).unwrap_or_default();
            let _ = writeln!(text, "| {name} {version} | {setup} | {survives_os} | {survives_full} |");
        }
    }

    fn versions(&self) -> BTreeMap<&str, String> {
        self.engines.iter().filter_map(|engine| Some((engine.name, version(engine.name)?))).collect()
    }
}

/// The version of a crate that this program was built with.
fn version(name: &str) -> Option<String> {
    let lock = include_str!("../Cargo.lock");
    let package = lock.split("[[package]]").find(|package| package.contains(&format!("\nname = \"{name}\"\n")))?;
    let version = package.lines().find_map(|line| line.strip_prefix("version = "))?;
    Some(version.trim_matches('"').to_owned())
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let (low, high) = (values.get((values.len().max(1) - 1) / 2)?, values.get(middle)?);
    Some((low + high) / 2.0)
}

/// Three digits that count.
fn short(value: f64) -> String {
    let (scaled, suffix) = match value {
        v if v >= 1e6 => (v / 1e6, " M"),
        v if v >= 1e4 => (v / 1e3, " k"),
        v => (v, ""),
    };
    let digits = if scaled >= 100.0 {
        0
    } else if scaled >= 10.0 {
        1
    } else {
        2
    };
    let text = if suffix.is_empty() && scaled >= 1e3 { grouped(scaled) } else { format!("{scaled:.digits$}") };
    format!("{text}{suffix}")
}

fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
