//! Scans, by pages.

use std::cell::RefCell;
use std::ops::Bound;
use std::rc::Rc;
use std::sync::Arc;

use cairndb::{Bytes, Range, Record, Scan};
use napi::bindgen_prelude::{Function, JsObjectValue, JsValue, Object, ToNapiValue};
use napi::{Env, Result, sys};
use napi_derive::napi;

use crate::failure::{Answer, Outcome};
use crate::handle::Share;
use crate::memory::{Memory, Out};
use crate::values::{Raw, RawValue, by_memory, key_text};

/// Which records, in which order, and whether with their values.
#[napi(object, object_to_js = false)]
pub(crate) struct RawRange {
    pub gte: Option<String>,
    pub gt: Option<String>,
    pub lte: Option<String>,
    pub lt: Option<String>,
    pub prefix: Option<String>,
    pub reverse: Option<bool>,
    pub limit: Option<f64>,
    pub values: bool,
}

impl RawRange {
    pub(crate) fn of_engine(&self) -> Range<'_> {
        let low = bound(self.gte.as_deref(), self.gt.as_deref());
        let high = bound(self.lte.as_deref(), self.lt.as_deref());
        let mut range = Range::between(low, high);
        if let Some(prefix) = &self.prefix {
            range = range.with_prefix(prefix.as_bytes());
        }
        if self.reverse == Some(true) {
            range = range.reverse();
        }
        match self.limit {
            // Saturates at both ends.
            Some(limit) => range.limit(limit as usize),
            None => range,
        }
    }
}

fn bound<'a>(included: Option<&'a str>, excluded: Option<&'a str>) -> Bound<&'a [u8]> {
    match (included, excluded) {
        (_, Some(key)) => Bound::Excluded(key.as_bytes()),
        (Some(key), None) => Bound::Included(key.as_bytes()),
        (None, None) => Bound::Unbounded,
    }
}

/// Makes the JavaScript object of a scan: `next(max)` and `close()`. Its snapshot is let go when it is closed, comes to its
/// end, or is garbage.
pub(crate) fn make<'env>(
    env: &'env Env,
    scan: Scan,
    values: bool,
    share: &Arc<Share>,
    (memory, buffer): (Memory, sys::napi_value),
) -> Result<Object<'env>> {
    let cursor = Rc::new(Cursor { share: Arc::clone(share), scan: RefCell::new(Some(scan)), values, memory });
    let mut object = Object::new(env)?;
    let reader = Rc::clone(&cursor);
    let next: Function<'_, (), Answer<Page>> = env.create_function_from_closure("next", move |arguments| {
        let max: u32 = arguments.get(0)?;
        Ok(Answer::to(|| reader.read(max as usize)))
    })?;
    let close: Function<'_, (), ()> = env.create_function_from_closure("close", move |_| {
        cursor.scan.borrow_mut().take();
        Ok(())
    })?;
    Memory::be_carried(env.raw(), next.raw(), buffer)?;
    object.set_named_property("next", next)?;
    object.set_named_property("close", close)?;
    Ok(object)
}

struct Cursor {
    share: Arc<Share>,
    scan: RefCell<Option<Scan>>,
    values: bool,
    memory: Memory,
}

impl Cursor {
    fn read(&self, max: usize) -> Outcome<Page> {
        self.share.queue().check_open()?;
        let mut scan = self.scan.borrow_mut();
        let mut entries = Vec::new();
        while let Some(rows) = &mut *scan
            && entries.len() < max
        {
            match rows.next().transpose()? {
                Some((key, record)) => entries.push((key, self.values.then_some(record))),
                None => *scan = None,
            }
        }
        Ok(Page { entries, memory: self.memory })
    }
}

/// An item for each entry: see `NativeCursor` in `ts/native.ts`.
struct Page {
    entries: Vec<(Bytes, Option<Record>)>,
    memory: Memory,
}

impl ToNapiValue for Page {
    unsafe fn to_napi_value(env: sys::napi_env, Page { entries, memory }: Self) -> Result<sys::napi_value> {
        let (out, handle) = (memory.out(), Env::from_raw(env));
        let mut page = handle.create_array(entries.len() as u32)?;
        for (index, (key, record)) in (0..).zip(entries) {
            page.set(index, Raw(item(env, &key_text(&key), record, &out)?))?;
        }
        Ok(page.raw())
    }
}

fn item(env: sys::napi_env, key: &str, record: Option<Record>, out: &Out) -> Result<sys::napi_value> {
    let handle = Env::from_raw(env);
    let Some(record) = record else { return Ok(handle.create_string(key)?.raw()) };
    if let Some(text) = by_memory(env, &record, Some(key), out)? {
        return Ok(text);
    }
    let mut entry = Object::new(&handle)?;
    entry.set_named_property("key", key)?;
    entry.set_named_property("value", RawValue(record))?;
    Ok(entry.raw())
}
