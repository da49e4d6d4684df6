//! Copies the values of a database into a new one, record by record: `cargo run --example copy -- <from> <to>`.
//!
//! Structured values are unpacked and packed again; versions and times are those of the copy.

use std::error::Error;

use cairndb::{Database, Durability, Kind, Op, Options, Range};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = arguments.as_slice() else { return Err("usage: copy <from> <to>".into()) };
    let (from, to) = (Database::open(from, Options::default())?, Database::open(to, Options::default())?);
    for table in from.tables()? {
        for row in from.scan(&table, &Range::all())? {
            let (key, record) = row?;
            let value = match record.kind {
                Kind::PACKED => to.pack(&from.unpack(&record)?)?,
                _ => record.value.to_vec(),
            };
            let mut op = Op::put(&table, &key, record.kind, &value);
            if let Some(at) = record.expiration {
                op = op.expires_at(at);
            }
            to.commit(&[op], Durability::Os)?;
        }
    }
    from.close()?;
    to.close()?;
    Ok(())
}
