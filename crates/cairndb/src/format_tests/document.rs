//! FORMAT.md as a grammar: its tables, and an interpreter that reads structures by them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::reader::{Cursor, Outcome};

/// A row of a table, by the names of the columns.
pub(super) type Row = HashMap<String, String>;

/// The page, cut into its sections.
pub(super) struct Document {
    sections: HashMap<String, Vec<Row>>,
    /// Code blocks whose first line names a file.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// The tables that somebody has asked for: the section, and a column by which it was asked for.
    pub(super) used: RefCell<BTreeSet<(String, String)>>,
}

/// What a field holds.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Number(u64),
    Signed(i64),
    Float(f64),
    Bytes(&'a [u8]),
    List(Vec<Struct<'a>>),
}

/// A structure, by the names of its fields.
#[derive(Clone, Debug, Default)]
pub(super) struct Struct<'a>(BTreeMap<String, Value<'a>>);

/// A heading as the link to it spells it.
pub(super) fn anchor(heading: &str) -> String {
    heading.trim().to_lowercase().replace(' ', "-")
}

fn cells(line: &str) -> Vec<String> {
    let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
    inner.split(" |").map(|cell| cell.trim().to_string()).collect()
}

/// The first piece of code in a cell.
pub(super) fn code(cell: &str) -> Option<&str> {
    cell.split('`').nth(1)
}

impl Document {
    pub(super) fn parse(text: &str) -> Outcome<Document> {
        let mut document = Document { sections: HashMap::new(), files: BTreeMap::new(), used: RefCell::default() };
        let (mut section, mut columns) = (String::new(), Vec::new());
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(heading) = line.strip_prefix('#') {
                section = anchor(heading.trim_start_matches('#'));
            }
            if let Some(info) = line.strip_prefix("```hex ") {
                let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
                document.files.insert(info.to_string(), parse_hex(&block)?);
            }
            if !line.starts_with('|') {
                columns = Vec::new();
            } else if columns.is_empty() {
                columns = cells(line);
            } else if !line.starts_with("| -") {
                let row = columns.iter().cloned().zip(cells(line)).collect();
                document.sections.entry(section.clone()).or_default().push(row);
            }
        }
        Ok(document)
    }

    /// The rows of a section's tables that have a column of this name.
    pub(super) fn rows(&self, section: &str, column: &str) -> Outcome<Vec<&Row>> {
        self.used.borrow_mut().insert((section.into(), column.into()));
        let rows = self.sections.get(section).into_iter().flatten();
        let rows: Vec<&Row> = rows.filter(|row| row.contains_key(column)).collect();
        if rows.is_empty() { Err(format!("no table with a column {column} in section {section}")) } else { Ok(rows) }
    }

    /// A number of a table of numbers.
    pub(super) fn number(&self, section: &str, name: &str) -> Outcome<u64> {
        let rows = self.rows(section, "number")?;
        let row = rows.iter().find(|row| row["number"] == name).ok_or(format!("no number {name:?} in {section}"))?;
        let text = row.get("value").and_then(|cell| code(cell)).ok_or(format!("{name:?} has no value"))?;
        text.parse().map_err(|_| format!("{text} is no number"))
    }

    /// Reads a structure by the table of its section.
    pub(super) fn read<'a>(&self, section: &str, cursor: &mut Cursor<'a>) -> Outcome<Struct<'a>> {
        let (start, mut read) = (cursor.position(), Struct::default());
        for row in self.rows(section, "type")? {
            let field = row.get("field").ok_or(format!("a row of {section} has no field"))?;
            let name = field.split([':', ',']).next().unwrap_or_default().to_string();
            let at = |what: &str| format!("{name} in {section}: {what}");
            if let Some(offset) = row.get("offset")
                && offset.parse() != Ok(cursor.position() - start)
            {
                return Err(at(&format!("stands at {} and not at {offset}", cursor.position() - start)));
            }
            if let Some(condition) = row.get("if").filter(|condition| !condition.is_empty())
                && !read.meets(condition)?
            {
                continue;
            }
            let value = self.value(&row["type"], &read, cursor).map_err(|error| at(&error))?;
            if let Some(constant) = code(field)
                && !value.is(constant)
            {
                return Err(at(&format!("is {value:?} and not {constant}")));
            }
            read.0.insert(name, value);
        }
        Ok(read)
    }

    fn value<'a>(&self, kind: &str, before: &Struct<'a>, cursor: &mut Cursor<'a>) -> Outcome<Value<'a>> {
        Ok(match kind {
            "u8" => Value::Number(cursor.integer(1)?),
            "u24" => Value::Number(cursor.integer(3)?),
            "u32" => Value::Number(cursor.integer(4)?),
            "u40" => Value::Number(cursor.integer(5)?),
            "u64" => Value::Number(cursor.integer(8)?),
            "f64" => Value::Float(f64::from_bits(cursor.integer(8)?)),
            "varint" => Value::Number(cursor.varint()?),
            "zigzag" => Value::Signed(cursor.zigzag()?),
            "text" => Value::Bytes(cursor.text()?),
            list if list.starts_with("list of") => {
                let link = list.split(['#', ')']).nth(1).ok_or("a list of what?")?;
                let mut items = Vec::new();
                for _ in 0..cursor.varint()? {
                    items.push(self.read(link, cursor)?);
                }
                Value::List(items)
            }
            bytes => {
                let len = bytes.strip_suffix(" bytes").ok_or(format!("there is no type {bytes}"))?;
                let len = match code(len) {
                    Some(field) => before.number(field)?,
                    None => len.parse().map_err(|_| format!("{len} is no length"))?,
                };
                Value::Bytes(cursor.take(len)?)
            }
        })
    }
}

/// Bytes in hexadecimal, `00*40` for forty times the same, up to a semicolon.
pub(super) fn parse_hex(block: &[&str]) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    for token in block.iter().flat_map(|line| line.split(';').next()).flat_map(str::split_whitespace) {
        let (byte, times) = token.split_once('*').unwrap_or((token, "1"));
        let byte = u8::from_str_radix(byte, 16).map_err(|_| format!("{token} is no byte"))?;
        let times = times.parse().map_err(|_| format!("{token} is no byte"))?;
        bytes.extend(std::iter::repeat_n(byte, times));
    }
    Ok(bytes)
}

impl Value<'_> {
    fn is(&self, constant: &str) -> bool {
        match self {
            Value::Number(number) => constant.parse() == Ok(*number),
            Value::Bytes(bytes) => *bytes == constant.as_bytes(),
            _ => false,
        }
    }
}

impl<'a> Struct<'a> {
    fn get(&self, field: &str) -> Outcome<&Value<'a>> {
        self.0.get(field).ok_or(format!("there is no field {field}"))
    }

    fn meets(&self, condition: &str) -> Outcome<bool> {
        let bit = condition.strip_prefix("bit ").and_then(|bit| bit.parse::<u32>().ok());
        let bit = bit.filter(|bit| *bit < 8).ok_or(format!("there is no condition {condition}"))?;
        Ok(self.number("head")? >> bit & 1 == 1)
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }

    pub(super) fn number(&self, field: &str) -> Outcome<u64> {
        match self.get(field)? {
            Value::Number(number) => Ok(*number),
            other => Err(format!("{field} is {other:?}")),
        }
    }

    pub(super) fn signed(&self, field: &str) -> Outcome<i64> {
        match self.get(field)? {
            Value::Signed(number) => Ok(*number),
            other => Err(format!("{field} is {other:?}")),
        }
    }

    pub(super) fn float(&self, field: &str) -> Outcome<f64> {
        match self.get(field)? {
            Value::Float(number) => Ok(*number),
            other => Err(format!("{field} is {other:?}")),
        }
    }

    pub(super) fn bytes(&self, field: &str) -> Outcome<&'a [u8]> {
        match self.get(field)? {
            Value::Bytes(bytes) => Ok(bytes),
            other => Err(format!("{field} is {other:?}")),
        }
    }

    /// The bytes of a text field.
    pub(super) fn text(&self, field: &str) -> Outcome<String> {
        String::from_utf8(self.bytes(field)?.to_vec()).map_err(|error| error.to_string())
    }

    pub(super) fn list(&self, field: &str) -> Outcome<&[Struct<'a>]> {
        match self.get(field)? {
            Value::List(items) => Ok(items),
            other => Err(format!("{field} is {other:?}")),
        }
    }
}
