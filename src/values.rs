//! Records as JavaScript values.

use cairndb::{Kind, Record};
use napi::bindgen_prelude::{BufferSlice, Float64ArraySlice, JsObjectValue, JsValue, Object, ToNapiValue};
use napi::{Env, Result, sys};
use napi_derive::napi;

use crate::failure::Failure;

/// The value of a record: a string for JSON, a Buffer for bytes, else an object that names the kind.
pub(crate) struct RawValue(pub(crate) Record);

impl ToNapiValue for RawValue {
    unsafe fn to_napi_value(env: sys::napi_env, RawValue(record): Self) -> Result<sys::napi_value> {
        let env = Env::from_raw(env);
        match record.kind {
            Kind::JSON => text(&env, &record.value),
            Kind::BYTES => bytes(&env, &record.value),
            kind => {
                let mut object = Object::new(&env)?;
                object.set_named_property("kind", u32::from(kind.number()))?;
                if kind == Kind::TAGGED {
                    object.set_named_property("text", Raw(text(&env, &record.value)?))?;
                } else {
                    object.set_named_property("bytes", Raw(bytes(&env, &record.value)?))?;
                }
                Ok(object.raw())
            }
        }
    }
}

/// A JavaScript value that has been made already.
pub(crate) struct Raw(pub(crate) sys::napi_value);

impl ToNapiValue for Raw {
    unsafe fn to_napi_value(_env: sys::napi_env, Raw(value): Self) -> Result<sys::napi_value> {
        Ok(value)
    }
}

fn text(env: &Env, bytes: &[u8]) -> Result<sys::napi_value> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(env.create_string(text)?.raw()),
        // The engine takes no such value and checks what it reads, so only another program can have written it.
        Err(error) => {
            let code = cairndb::Code::Corrupt.as_str();
            Err(Failure::new(code, format!("a stored text is not UTF-8: {error}")).into_napi(env.raw()))
        }
    }
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
pub(crate) struct Outcomes(Vec<f64>);

impl From<Vec<cairndb::Outcome>> for Outcomes {
    fn from(outcomes: Vec<cairndb::Outcome>) -> Self {
        Outcomes(outcomes.into_iter().map(number).collect())
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
    unsafe fn to_napi_value(env: sys::napi_env, Outcomes(numbers): Self) -> Result<sys::napi_value> {
        Ok(Float64ArraySlice::copy_from(&Env::from_raw(env), numbers)?.raw())
    }
}
