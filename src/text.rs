//! JavaScript strings as UTF-8, short ones without taking memory from the heap.

use std::ops::Deref;

use napi::bindgen_prelude::{FromNapiValue, TypeName, ValidateNapiValue};
use napi::{Error, Result, Status, ValueType, sys};

/// Most names of tables and most keys are shorter than this, in bytes.
const SHORT: usize = 96;

/// The longest encoding of one character, in bytes.
const LONGEST_CHARACTER: usize = 4;

/// A string argument. Half of a surrogate pair comes as the replacement character.
pub(crate) enum Text {
    Short([u8; SHORT], usize),
    Long(String),
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            // What Node-API writes is UTF-8, whose check is cheap where it is short; the empty name is refused anyway.
            Text::Short(bytes, length) => std::str::from_utf8(&bytes[..*length]).unwrap_or_default(),
            Text::Long(text) => text,
        }
    }
}

impl FromNapiValue for Text {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        let mut bytes = [0; SHORT];
        let mut length = 0;
        // SAFETY: the caller gives a value of the environment of this thread; the buffer is as long as is said.
        let status =
            unsafe { sys::napi_get_value_string_utf8(env, value, bytes.as_mut_ptr().cast(), SHORT, &mut length) };
        if status != sys::Status::napi_ok {
            return Err(Error::new(Status::from(status), "an argument is not a string"));
        }
        // One byte is for the NUL at the end. If a whole character had still found room, nothing was cut off.
        if length + LONGEST_CHARACTER < SHORT {
            return Ok(Text::Short(bytes, length));
        }
        // SAFETY: as above.
        unsafe { String::from_napi_value(env, value) }.map(Text::Long)
    }
}

impl TypeName for Text {
    fn type_name() -> &'static str {
        "String"
    }

    fn value_type() -> ValueType {
        ValueType::String
    }
}

impl ValidateNapiValue for Text {}
