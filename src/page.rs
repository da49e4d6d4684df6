//! A page of a scan on its way to JavaScript.

use std::borrow::Cow;
use std::mem;
use std::ops::ControlFlow;

use cairndb::{Kind, Record, split_packed};
use napi::bindgen_prelude::{JsObjectValue, JsValue, Object, ToNapiValue};
use napi::{Env, Result, sys};

use crate::memory::Out;
use crate::values::{Raw, RawRecord, RawValue, dictionary_of, key_text, text};

/// A string has at least so many bytes of characters, if there are so many. A string for each record would cost more than
/// to read it; but a part of a string keeps all of it in memory, so they are not long either.
const GROUP: usize = 1024;

/// Records in their order: see `NativeCursor` in `ts/native.ts`.
pub(crate) struct Page {
    out: Out,
    contents: Contents,
    items: Vec<Item>,
    /// The characters of the group that is being made, of so many records, and where in the memory their number goes.
    characters: Vec<u8>,
    count: u32,
    count_at: usize,
}

/// What an entry has besides its key.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Contents {
    Nothing,
    Value,
    /// The value with all that is known about it.
    Record,
}

enum Item {
    /// The characters of one record or several; the rest of them stands in the memory.
    Group(Vec<u8>),
    /// What is not packed, or finds no room there.
    Other(String, Record),
}

impl Page {
    pub(crate) fn new(out: Out, contents: Contents) -> Self {
        Page { out, contents, items: Vec::new(), characters: Vec::new(), count: 0, count_at: 0 }
    }

    /// Adds a record, and breaks off when the memory is full.
    pub(crate) fn add(&mut self, key: &[u8], record: Record<Cow<'_, [u8]>>) -> ControlFlow<()> {
        if let Some(packed) = self.packed(key, &record)
            && self.append(&packed)
        {
            return ControlFlow::Continue(());
        }
        self.end_group();
        let full = self.contents == Contents::Value && record.kind == Kind::PACKED;
        let Record { value, kind, version, timestamp, expiration, dictionary, mapped_by } = record;
        let value = value.into_owned().into();
        let record = Record { value, kind, version, timestamp, expiration, dictionary, mapped_by };
        self.items.push(Item::Other(key_text(key).into_owned(), record));
        if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// What goes out by the memory of a key and a packed value, or of a key alone. `None` for what does not: a value that is
    /// not packed, or not as it should be, and a key that is no text.
    fn packed<'a>(&self, key: &'a [u8], record: &'a Record<Cow<'_, [u8]>>) -> Option<Packed<'a>> {
        let key = (key, units(key)?);
        match self.contents {
            Contents::Nothing => return Some(Packed { key, value: None }),
            Contents::Value if record.kind == Kind::PACKED => {}
            _ => return None,
        }
        let (head, characters) = split_packed(&record.value)?;
        let numbers = [units(characters)?, dictionary_of(record), head.len() as u32];
        Some(Packed { key, value: Some((numbers, head, characters)) })
    }

    /// Whether there was room.
    fn append(&mut self, packed: &Packed<'_>) -> bool {
        let start = self.out.place();
        let Packed { key: (key, key_units), value } = packed;
        let begun = self.count > 0 || self.out.append(&[0], &[]);
        let appended = begun
            && self.out.append(&[*key_units], &[])
            && value.is_none_or(|(numbers, head, _)| self.out.append(&numbers, head));
        if !appended {
            self.out.take_back(start);
            return false;
        }
        if self.count == 0 {
            self.count_at = start;
            self.characters.reserve(2 * GROUP);
        }
        self.count += 1;
        self.characters.extend_from_slice(key);
        if let Some((_, _, characters)) = value {
            self.characters.extend_from_slice(characters);
        }
        if self.characters.len() >= GROUP {
            self.end_group();
        }
        true
    }

    fn end_group(&mut self) {
        if self.count > 0 {
            self.out.put(self.count_at, mem::take(&mut self.count));
            self.items.push(Item::Group(mem::take(&mut self.characters)));
        }
    }
}

/// A key, and of a packed value the numbers and the head that stand in the memory, and its characters.
struct Packed<'a> {
    key: (&'a [u8], u32),
    value: Option<([u32; 3], &'a [u8], &'a [u8])>,
}

/// How many units of UTF-16 a text has, which is what JavaScript counts; `None` if it is not UTF-8.
fn units(text: &[u8]) -> Option<u32> {
    // Most is of ASCII, and need not be decoded.
    let units = if text.is_ascii() { text.len() } else { str::from_utf8(text).ok()?.encode_utf16().count() };
    Some(units as u32)
}

impl ToNapiValue for Page {
    unsafe fn to_napi_value(env: sys::napi_env, mut page: Self) -> Result<sys::napi_value> {
        page.end_group();
        let env = Env::from_raw(env);
        let mut items = env.create_array(page.items.len() as u32)?;
        for (index, item) in (0..).zip(page.items) {
            let item = match item {
                Item::Group(characters) => text(&env, &characters)?,
                Item::Other(key, record) => entry(&env, &key, record, page.contents)?.raw(),
            };
            items.set(index, Raw(item))?;
        }
        Ok(items.raw())
    }
}

/// A key, and its value or all of its record: see `RawEntry` and `RawKeyedRecord` in `ts/native.ts`.
fn entry<'env>(env: &'env Env, key: &str, record: Record, contents: Contents) -> Result<Object<'env>> {
    let mut entry = if contents == Contents::Record {
        // SAFETY: the environment is that of this call.
        Object::from_raw(env.raw(), unsafe { RawRecord::to_napi_value(env.raw(), record.into()) }?)
    } else {
        let mut entry = Object::new(env)?;
        entry.set_named_property("value", RawValue(record))?;
        entry
    };
    entry.set_named_property("key", key)?;
    Ok(entry)
}
