//! Scans, by pages.

use std::cell::RefCell;
use std::ops::Bound;
use std::sync::Arc;

use cairndb::{Bytes, Range, Record, Scan};
use napi::bindgen_prelude::{JsValue, ToNapiValue};
use napi::{Env, Result, sys};
use napi_derive::napi;

use crate::failure::{Answer, Outcome};
use crate::handle::Share;
use crate::values::{RawValue, key_text};

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
    fn of_engine(&self) -> Range<'_> {
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

/// A scan over a snapshot of its own, which it lets go when it is closed, comes to its end, or is garbage.
#[napi]
pub(crate) struct NativeCursor {
    share: Arc<Share>,
    scan: RefCell<Option<Scan>>,
    values: bool,
}

impl NativeCursor {
    pub(crate) fn open(share: &Arc<Share>, table: &str, range: &RawRange) -> Outcome<Self> {
        let scan = share.queue().engine()?.scan(table, &range.of_engine())?;
        Ok(NativeCursor { share: Arc::clone(share), scan: RefCell::new(Some(scan)), values: range.values })
    }

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
        Ok(Page(entries))
    }
}

#[napi]
#[expect(unreachable_pub, reason = "napi takes public methods only")]
impl NativeCursor {
    /// Up to `max` further entries, flat; an empty page is the end.
    #[napi(catch_unwind)]
    pub fn next(&self, max: u32) -> Answer<Page> {
        Answer::to(|| self.read(max as usize))
    }

    #[napi(catch_unwind)]
    pub fn close(&self) -> Answer<()> {
        Answer::to(|| {
            self.scan.borrow_mut().take();
            Ok(())
        })
    }
}

/// `[key, value, key, value, ...]`, or only the keys.
pub(crate) struct Page(Vec<(Bytes, Option<Record>)>);

impl ToNapiValue for Page {
    unsafe fn to_napi_value(env: sys::napi_env, Page(entries): Self) -> Result<sys::napi_value> {
        let env = Env::from_raw(env);
        let mut page = env.create_array(0)?;
        for (key, record) in entries {
            page.insert(&*key_text(&key))?;
            if let Some(record) = record {
                page.insert(RawValue(record))?;
            }
        }
        Ok(page.raw())
    }
}
