//! Records as JavaScript values.

use cairndb::{Bytes, Kind, Record, split_packed};
use napi::bindgen_prelude::{
    BufferSlice, Float64ArraySlice, FromNapiValue, JsObjectValue, JsValue, Object, ToNapiValue,
};
use napi::{Env, Result, check_status, sys};
use napi_derive::napi;

use crate::failure::Failure;
use crate::memory::{Memory, Out};

/// The value of a record as an object that names what it is, or a Buffer for bytes: see `RawValue` in `ts/native.ts`.
pub(crate) struct RawValue<V = Bytes>(pub(crate) Record<V>);

impl<V: AsRef<[u8]>> ToNapiValue for RawValue<V> {
    unsafe fn to_napi_value(env: sys::napi_env, RawValue(record): Self) -> Result<sys::napi_value> {
        let env = Env::from_raw(env);
        if record.kind == Kind::BYTES {
            return bytes(&env, record.value.as_ref());
        }
        let mut object = Object::new(&env)?;
        match record.kind {
            Kind::PACKED => {
                let (head, tail) = parts(&env, &record)?;
                object.set_named_property("dictionary", dictionary_of(&record))?;
                object.set_named_property("head", Raw(bytes(&env, head)?))?;
                object.set_named_property("text", Raw(text(&env, tail)?))?;
            }
            Kind::JSON => object.set_named_property("json", Raw(text(&env, record.value.as_ref())?))?,
            kind => object.set_named_property("kind", u32::from(kind.number()))?,
        }
        Ok(object.raw())
    }
}

/// As [`RawValue`]; but of a packed value the head goes out by the memory, if there is room, behind its dictionary and its
/// length, and its characters are returned.
pub(crate) fn value_of<V: AsRef<[u8]>>(env: sys::napi_env, record: Record<V>, out: &Out) -> Result<sys::napi_value> {
    if record.kind == Kind::PACKED {
        let env = Env::from_raw(env);
        let (head, tail) = parts(&env, &record)?;
        if out.append(&[dictionary_of(&record), head.len() as u32], head) {
            return text(&env, tail);
        }
    }
    // SAFETY: the caller gives the environment of this thread.
    unsafe { RawValue::to_napi_value(env, RawValue(record)) }
}

/// 1 more than the number of the dictionary whose short keys the value has, or 0 for none; and the highest bit if the record
/// will expire.
pub(crate) fn dictionary_of<V>(record: &Record<V>) -> u32 {
    record.mapped_by.map_or(0, |id| id.number() + 1) | u32::from(record.expiration.is_some()) << 31
}

fn parts<'a, V: AsRef<[u8]>>(env: &Env, record: &'a Record<V>) -> Result<(&'a [u8], &'a [u8])> {
    split_packed(record.value.as_ref()).ok_or_else(|| malformed(env, "a packed value is shorter than it says"))
}

// The engine takes no such value and checks what it reads, so only another program can have written it.
fn malformed(env: &Env, what: &str) -> napi::Error {
    Failure::new(cairndb::Code::Corrupt.as_str(), what).into_napi(env.raw())
}

/// A JavaScript value that has been made already.
pub(crate) struct Raw(pub(crate) sys::napi_value);

impl FromNapiValue for Raw {
    unsafe fn from_napi_value(_env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        Ok(Raw(value))
    }
}

impl ToNapiValue for Raw {
    unsafe fn to_napi_value(_env: sys::napi_env, Raw(value): Self) -> Result<sys::napi_value> {
        Ok(value)
    }
}

pub(crate) fn text(env: &Env, bytes: &[u8]) -> Result<sys::napi_value> {
    let mut string = std::ptr::null_mut();
    let (start, len) = (bytes.as_ptr().cast(), bytes.len() as isize);
    // Most text is of one byte for each character, which need not be decoded.
    if bytes.is_ascii() {
        // SAFETY: the environment is that of this call; the bytes are there until it returns.
        check_status!(unsafe { sys::napi_create_string_latin1(env.raw(), start, len, &mut string) })?;
        return Ok(string);
    }
    if let Err(error) = std::str::from_utf8(bytes) {
        return Err(malformed(env, &format!("a stored text is not UTF-8: {error}")));
    }
    // SAFETY: as above.
    check_status!(unsafe { sys::napi_create_string_utf8(env.raw(), start, len, &mut string) })?;
    Ok(string)
}

/// A copy: there are runtimes that forbid memory of ours behind a Buffer.
fn bytes(env: &Env, bytes: &[u8]) -> Result<sys::napi_value> {
    Ok(BufferSlice::copy_from(env, bytes)?.raw())
}

/// A key as a string. Keys that Rust programs write need not be UTF-8; what is not comes with replacement characters.
pub(crate) fn key_text(key: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(key)
}

/// What a read found: `undefined` for nothing.
pub(crate) struct Found<T>(pub(crate) Option<T>);

impl<T: ToNapiValue> ToNapiValue for Found<T> {
    unsafe fn to_napi_value(env: sys::napi_env, Found(found): Self) -> Result<sys::napi_value> {
        // SAFETY: the caller gives the environment of this thread.
        unsafe {
            match found {
                Some(value) => T::to_napi_value(env, value),
                None => <()>::to_napi_value(env, ()),
            }
        }
    }
}

/// What was found under several keys, in their order.
pub(crate) struct Values {
    pub(crate) records: Vec<Option<Record>>,
    pub(crate) memory: Memory,
}

impl ToNapiValue for Values {
    unsafe fn to_napi_value(env: sys::napi_env, Values { records, memory }: Self) -> Result<sys::napi_value> {
        let (out, handle) = (memory.out(), Env::from_raw(env));
        let mut values = handle.create_array(records.len() as u32)?;
        for (index, record) in (0..).zip(records) {
            if let Some(record) = record {
                values.set(index, Raw(value_of(env, record, &out)?))?;
            }
        }
        Ok(values.raw())
    }
}

/// A record with all that is known about it.
#[napi(object, object_from_js = false, use_nullable = true)]
pub(crate) struct RawRecord {
    pub value: RawValue,
    pub version: f64,
    pub timestamp: f64,
    pub expiration: Option<f64>,
    pub dictionary: Option<String>,
}

impl From<Record> for RawRecord {
    fn from(mut record: Record) -> Self {
        RawRecord {
            version: record.version as f64,
            timestamp: record.timestamp as f64,
            expiration: record.expiration,
            dictionary: record.dictionary.take(),
            value: RawValue(record),
        }
    }
}

/// What became of the operations of a group, one number for each: see `Outcomes` in `ts/native.ts`.
pub(crate) struct Outcomes(Vec<cairndb::Outcome>);

impl From<Vec<cairndb::Outcome>> for Outcomes {
    fn from(outcomes: Vec<cairndb::Outcome>) -> Self {
        Outcomes(outcomes)
    }
}

impl Outcomes {
    /// `None` if all of them say that a record was written, as mostly they do: to make an array costs more than a write.
    pub(crate) fn unless_written(self) -> Option<Self> {
        let written = self.0.iter().all(|outcome| matches!(outcome, cairndb::Outcome::Written(_)));
        (!written).then_some(self)
    }
}

fn number(outcome: cairndb::Outcome) -> f64 {
    match outcome {
        cairndb::Outcome::Written(version) => version as f64,
        cairndb::Outcome::Missing => 0.0,
        cairndb::Outcome::Deleted => -1.0,
        cairndb::Outcome::Aborted => -2.0,
        cairndb::Outcome::Conflict(version) => -3.0 - version as f64,
    }
}

impl ToNapiValue for Outcomes {
    unsafe fn to_napi_value(env: sys::napi_env, Outcomes(outcomes): Self) -> Result<sys::napi_value> {
        let numbers: Vec<f64> = outcomes.into_iter().map(number).collect();
        Ok(Float64ArraySlice::copy_from(&Env::from_raw(env), numbers)?.raw())
    }
}
