//! Counts the words of the standard input, on top of those of all runs before, and prints the ten most frequent ones:
//! `cargo run --example map -- <directory> < text`.

use std::error::Error;
use std::io::{self, BufRead, Write};

use cairndb::{Map, map::Config};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory] = arguments.as_slice() else { return Err("usage: map <directory> < text".into()) };
    let words: Map<String, u64> = Map::open(directory, Config::default())?;
    for line in io::stdin().lock().lines() {
        for word in line?.split_whitespace() {
            let count = words.get(word)?.unwrap_or(0);
            words.set(word, count + 1)?;
        }
    }
    let mut counted: Vec<(String, u64)> = words.iter().collect::<cairndb::Result<_>>()?;
    counted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (word, count) in counted.iter().take(10) {
        writeln!(io::stdout(), "{count:8} {word}")?;
    }
    words.close()?;
    Ok(())
}
