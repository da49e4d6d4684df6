//! The Node-API binding of CairnDB: conversion and scheduling, nothing else.
//!
//! What the facade may expect of it is written down in `ts/native.ts`. The engine stores; here JavaScript values become
//! its arguments, its results become JavaScript values, and what would make the event loop wait goes to a thread:
//!
//! - [`registry`]: one engine for each directory, whoever in the process opens it;
//! - [`queue`]: the writes of a handle in the order of its calls, some at once and some on a thread of its own;
//! - [`point`], [`memory`]: a point read without what costs more than it;
//! - [`settle`]: tells JavaScript what became of the writes that it did not wait for;
//! - [`environment`]: what has to happen when a worker or the process ends.

#![cfg_attr(test, allow(dead_code, reason = "a test build exports nothing, since only Node could call it"))]

mod cursor;
mod environment;
mod failure;
mod handle;
mod jobs;
mod memory;
mod options;
mod page;
mod persistent_kv;
mod point;
mod progress;
mod promise;
mod queue;
mod registry;
mod report;
mod request;
mod settle;
mod sync;
mod text;
mod values;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use cairndb::env::RealEnv;
use napi::bindgen_prelude::{Function, JsValue, Object};
use napi::threadsafe_function::UnknownReturnValue;
use napi::{Env, Result};
use napi_derive::napi;

use crate::environment::Opening;
use crate::failure::{Outcome, guarded};
use crate::options::OpenOptions;
use crate::progress::Watched;
use crate::queue::Queue;
use crate::registry::Lease;
use crate::report::{RawBackupReport, RawRepairReport};
use crate::settle::{Settle, Settler};
use crate::values::Raw;

/// The version of the engine.
#[napi(catch_unwind)]
pub(crate) fn engine_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Opens a directory off the event loop. `settle` is called, later, once for each ticket that the handle gives out.
#[napi(catch_unwind)]
pub(crate) fn open<'env>(
    env: &'env Env,
    directory: String,
    options: OpenOptions,
    settle: Function<'env, Settle, UnknownReturnValue>,
) -> Result<Object<'env>> {
    let settler = Settler::new(env, &settle)?;
    let opening = Opening::begin(env)?;
    promise::spawned(
        env,
        "cairndb-open",
        move || take(&opening, directory, options, settler),
        |env, queue| Ok(Raw(handle::make(env, queue)?.raw())),
    )
}

/// As `open`, and waits for it: for whoever has promised its own callers to be synchronous.
#[napi(catch_unwind)]
pub(crate) fn open_sync<'env>(
    env: &'env Env,
    directory: String,
    options: OpenOptions,
    settle: Function<'env, Settle, UnknownReturnValue>,
) -> Result<Object<'env>> {
    let settler = Settler::new(env, &settle)?;
    let opening = Opening::begin(env)?;
    let queue = guarded(|| take(&opening, directory, options, settler));
    handle::make(env, queue.map_err(|failure| failure.into_napi(env.raw()))?)
}

fn take(opening: &Opening, directory: String, options: OpenOptions, settler: Settler) -> Outcome<Arc<Queue>> {
    let lease = Lease::take(&PathBuf::from(directory), options.into_engine()?)?;
    opening.complete(Queue::new(lease, settler))
}

/// Begins to follow what is committed to a directory, off the event loop.
#[napi(catch_unwind)]
pub(crate) fn watch(env: &Env, directory: String) -> Result<Object<'_>> {
    let begin = move || Ok(cairndb::Watch::open(directory)?);
    promise::spawned(env, "cairndb-watch", begin, |env, watch| Ok(Raw(watch::make(env, watch)?.raw())))
}

/// Writes all that can be proved good of one directory to another, off the event loop.
#[napi(catch_unwind)]
pub(crate) fn repair<'env>(env: &'env Env, source: String, target: String, progress: &Watched) -> Result<Object<'env>> {
    let progress = progress.share();
    let work = move || {
        let report = cairndb::repair_with(Arc::new(RealEnv::new()), source, target, &progress)?;
        Ok(RawRepairReport::from(report))
    };
    promise::spawned(env, "cairndb-repair", work, |_, report| Ok(report))
}

/// Writes what is in a backup to another directory, off the event loop.
#[napi(catch_unwind)]
pub(crate) fn restore<'env>(
    env: &'env Env,
    source: String,
    target: String,
    progress: &Watched,
) -> Result<Object<'env>> {
    let progress = progress.share();
    let work = move || {
        let report = cairndb::restore_with(Arc::new(RealEnv::new()), source, target, &progress)?;
        Ok(RawBackupReport::from(report))
    };
    promise::spawned(env, "cairndb-restore", work, |_, report| Ok(report))
}
