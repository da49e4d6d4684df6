//! The contents of a store of persistent-kv, by pages.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use cairndb::persistent_kv;
use napi::bindgen_prelude::{BufferSlice, Function, JsObjectValue, JsValue, Object, ToNapiValue};
use napi::{Env, Result, sys};
use napi_derive::napi;

use crate::failure::{Failure, Outcome, guarded};
use crate::promise;
use crate::sync::Lock;
use crate::values::Raw;

/// A page is full with so many changes, or so many bytes.
const PAGE_CHANGES: usize = 1000;
const PAGE_BYTES: usize = 1 << 20;

#[derive(Default)]
struct Page {
    changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    bytes: usize,
}

/// Begins to read a store. What comes of it is said in `ts/native.ts`. The thread that reads is one page ahead, and ends
/// when the object is garbage.
#[napi(catch_unwind)]
pub(crate) fn read_persistent_kv(env: &Env, directory: String) -> Result<Object<'_>> {
    let (sender, pages) = sync_channel(1);
    let reading = thread::Builder::new().name("cairndb-read".into()).spawn(move || {
        if let Err(failure) = guarded(|| read(&directory, &sender)) {
            // Who does not listen any more need not know.
            let _ended = sender.send(Err(failure));
        }
    });
    reading.map_err(|error| Failure::no_thread(&error).into_napi(env.raw()))?;
    let pages = Arc::new(Lock::new(pages));
    let next: Function<'_, (), Raw> = env.create_function_from_closure("next", move |arguments| {
        let pages = Arc::clone(&pages);
        let work = move || receive(&pages.lock());
        let promise = promise::spawned(arguments.env, "cairndb-page", work, |_, page| Ok(page))?;
        Ok(Raw(promise.raw()))
    })?;
    let mut object = Object::new(env)?;
    object.set_named_property("next", next)?;
    Ok(object)
}

fn read(directory: &str, sender: &SyncSender<Outcome<Page>>) -> Outcome<()> {
    let mut page = Page::default();
    persistent_kv::read(directory, |key, value| {
        page.bytes += key.len() + value.map_or(0, <[u8]>::len);
        page.changes.push((key, value.map(<[u8]>::to_vec)));
        if page.changes.len() < PAGE_CHANGES && page.bytes < PAGE_BYTES {
            return ControlFlow::Continue(());
        }
        let full = std::mem::take(&mut page);
        if sender.send(Ok(full)).is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if !page.changes.is_empty() {
        let _ended = sender.send(Ok(page));
    }
    Ok(())
}

/// The next page; an empty one once the store has been read.
fn receive(pages: &Receiver<Outcome<Page>>) -> Outcome<Page> {
    pages.recv().unwrap_or_else(|_| Ok(Page::default()))
}

impl ToNapiValue for Page {
    unsafe fn to_napi_value(env: sys::napi_env, page: Self) -> Result<sys::napi_value> {
        let env = Env::from_raw(env);
        let mut list = env.create_array(2 * page.changes.len() as u32)?;
        for (index, (key, value)) in (0..).step_by(2).zip(page.changes) {
            list.set(index, BufferSlice::copy_from(&env, key)?)?;
            list.set(index + 1, value.map(|value| BufferSlice::copy_from(&env, value)).transpose()?)?;
        }
        Ok(list.raw())
    }
}
