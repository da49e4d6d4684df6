//! Scans, by pages.

use std::cell::RefCell;
use std::ops::Bound;
use std::rc::Rc;
use std::sync::Arc;

use cairndb::{Range, Scan};
use napi::bindgen_prelude::{Function, JsObjectValue, JsValue, Object};
use napi::{Env, Result, sys};
use napi_derive::napi;

use crate::failure::{Answer, Outcome};
use crate::handle::Share;
use crate::memory::Memory;
use crate::page::{Contents, Page};

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
    pub records: Option<bool>,
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
    contents: Contents,
    share: &Arc<Share>,
    (memory, buffer): (Memory, sys::napi_value),
) -> Result<Object<'env>> {
    let cursor = Rc::new(Cursor { share: Arc::clone(share), scan: RefCell::new(Some(scan)), contents, memory });
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

impl RawRange {
    pub(crate) fn contents(&self) -> Contents {
        match self.records {
            Some(true) => Contents::Record,
            _ if self.values => Contents::Value,
            _ => Contents::Nothing,
        }
    }
}

struct Cursor {
    share: Arc<Share>,
    scan: RefCell<Option<Scan>>,
    contents: Contents,
    memory: Memory,
}

impl Cursor {
    fn read(&self, max: usize) -> Outcome<Page> {
        self.share.queue().check_open()?;
        let mut page = Page::new(self.memory.out(), self.contents);
        let mut scan = self.scan.borrow_mut();
        if let Some(rows) = &mut *scan
            && rows.visit(max, |key, record| page.add(key, record))? == 0
        {
            *scan = None;
        }
        Ok(page)
    }
}
