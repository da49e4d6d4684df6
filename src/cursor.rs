//! Scans, by pages.

use std::cell::RefCell;
use std::ops::Bound;
use std::rc::Rc;
use std::sync::Arc;

use cairndb::{Range, Scan};
use napi::bindgen_prelude::{Function, JsObjectValue, JsValue, Object, ToNapiValue};
use napi::{Env, Result};

use crate::failure::{Answer, Outcome};
use crate::handle::Share;
use crate::memory::Memory;
use crate::page::{Contents, Page};
use crate::text::Text;
use crate::values::Raw;

/// Bits of how a range is read: see `SCAN_AFTER` and so on in `ts/native.ts`.
const AFTER: u32 = 1;
const BEFORE: u32 = 2;
const REVERSE: u32 = 4;
const VALUES: u32 = 8;
const RECORDS: u32 = 16;

/// Which records, in which order, and what of them.
pub(crate) struct Asked {
    pub(crate) low: Option<Text>,
    pub(crate) high: Option<Text>,
    pub(crate) prefix: Option<Text>,
    pub(crate) how: u32,
    pub(crate) limit: f64,
}

impl Asked {
    pub(crate) fn range(&self) -> Range<'_> {
        let low = bound(self.low.as_deref(), self.how & AFTER != 0);
        let high = bound(self.high.as_deref(), self.how & BEFORE != 0);
        let range = Range::between(low, high).with_prefix(self.prefix.as_deref().unwrap_or_default().as_bytes());
        let range = if self.how & REVERSE != 0 { range.reverse() } else { range };
        // Saturates at both ends.
        range.limit(self.limit as usize)
    }

    pub(crate) fn contents(&self) -> Contents {
        match self.how {
            how if how & RECORDS != 0 => Contents::Record,
            how if how & VALUES != 0 => Contents::Value,
            _ => Contents::Nothing,
        }
    }
}

fn bound(key: Option<&str>, excluded: bool) -> Bound<&[u8]> {
    match key.map(str::as_bytes) {
        None => Bound::Unbounded,
        Some(key) if excluded => Bound::Excluded(key),
        Some(key) => Bound::Included(key),
    }
}

/// A scan, as long as it has not come to its end.
pub(crate) struct Cursor {
    share: Arc<Share>,
    scan: RefCell<Option<Scan>>,
    contents: Contents,
    memory: Memory,
}

impl Cursor {
    pub(crate) fn new(share: &Arc<Share>, scan: Scan, contents: Contents, memory: Memory) -> Self {
        Cursor { share: Arc::clone(share), scan: RefCell::new(Some(scan)), contents, memory }
    }

    /// The next records, at most `max`. At the end of the scan its snapshot is let go.
    pub(crate) fn read(&self, max: usize) -> Outcome<Page> {
        self.share.queue().check_open()?;
        let mut page = Page::new(self.memory.out(), self.contents);
        let mut scan = self.scan.borrow_mut();
        if let Some(rows) = &mut *scan {
            rows.visit(max, |key, record| page.add(key, record))?;
            if rows.size_hint() == (0, Some(0)) {
                *scan = None;
            }
        }
        Ok(page)
    }

    fn close(&self) {
        self.scan.borrow_mut().take();
    }

    /// Makes the JavaScript object: `next(max)` and `close()`. The snapshot is let go too when that is garbage.
    fn into_object(self, env: &Env, carried: Raw) -> Result<Object<'_>> {
        let cursor = Rc::new(self);
        let mut object = Object::new(env)?;
        let reader = Rc::clone(&cursor);
        let next: Function<'_, (), Answer<Page>> = env.create_function_from_closure("next", move |arguments| {
            let max: u32 = arguments.get(0)?;
            Ok(Answer::to(|| reader.read(max as usize)))
        })?;
        let close: Function<'_, (), ()> = env.create_function_from_closure("close", move |_| {
            cursor.close();
            Ok(())
        })?;
        Memory::be_carried(env.raw(), next.raw(), carried.0)?;
        object.set_named_property("next", next)?;
        object.set_named_property("close", close)?;
        Ok(object)
    }
}

/// The first page as JavaScript gets it. `carried` is the buffer of the memory, for the functions that read on.
pub(crate) fn first_page(env: &Env, page: Page, cursor: Cursor, carried: impl FnOnce() -> Result<Raw>) -> Result<Raw> {
    // SAFETY: the environment is that of the caller's call.
    let mut array = Object::from_raw(env.raw(), unsafe { Page::to_napi_value(env.raw(), page) }?);
    if cursor.scan.borrow().is_some() {
        array.set_named_property("rest", cursor.into_object(env, carried()?)?)?;
    }
    Ok(Raw(array.raw()))
}
