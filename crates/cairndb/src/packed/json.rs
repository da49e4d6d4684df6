//! Values from JSON, and values as whatever serde writes.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::value::{Text, Value};

impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(truth) => Value::Boolean(truth),
            serde_json::Value::Number(number) => number_of(&number),
            serde_json::Value::String(text) => Value::String(text.into()),
            serde_json::Value::Array(items) => Value::List(items.into_iter().map(Value::from).collect()),
            serde_json::Value::Object(members) => {
                Value::Object(members.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
            }
        }
    }
}

/// An integer that a double would round stays what it is.
fn number_of(number: &serde_json::Number) -> Value {
    let double = number.as_f64().unwrap_or(f64::NAN);
    let integer = number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
    match integer {
        Some(integer) if double as i128 != integer || integer.abs() > i128::from(super::token::MAX_SAFE_INTEGER) => {
            Value::BigInteger(integer.to_string())
        }
        _ => Value::Number(double),
    }
}

/// What the other format does not have comes as near as it gets: undefined as nothing, a date as its milliseconds, an
/// integer of any size as an integer if it fits into 128 bits and as text otherwise, and of half of a surrogate pair the
/// replacement character.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null | Value::Undefined => serializer.serialize_unit(),
            Value::Boolean(truth) => serializer.serialize_bool(*truth),
            Value::Number(number) | Value::Date(number) => serialize_number(*number, serializer),
            Value::BigInteger(digits) => match digits.parse() {
                Ok(integer) => serializer.serialize_i128(integer),
                Err(_) => serializer.serialize_str(digits),
            },
            Value::String(text) => text.serialize(serializer),
            Value::List(items) | Value::Set(items) => serializer.collect_seq(items),
            Value::Map(entries) => serializer.collect_map(entries.iter().map(|(key, value)| (key, value))),
            Value::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
            Value::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Value::Elements(elements) => serializer.serialize_bytes(&elements.bytes),
        }
    }
}

fn serialize_number<S: Serializer>(number: f64, serializer: S) -> Result<S::Ok, S::Error> {
    let integer = number as i64;
    if integer as f64 == number && integer.unsigned_abs() <= super::token::MAX_SAFE_INTEGER {
        serializer.serialize_i64(integer)
    } else {
        serializer.serialize_f64(number)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Text::Utf8(text) => serializer.serialize_str(text),
            Text::Utf16(units) => serializer.serialize_str(&String::from_utf16_lossy(units)),
        }
    }
}
