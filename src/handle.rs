//! The handle: one opening of a directory, as a JavaScript object.
//!
//! Its methods are closures over the opening. A method that `#[napi]` generates first finds out what its `this` is and
//! guards the borrow of it, which costs more than reading a record does.

use std::path::Path;
use std::sync::Arc;

use cairndb::{Database, DictionaryId, Durability, Progress};
use napi::bindgen_prelude::{
    BufferSlice, ClassInstance, FromNapiValue, Function, FunctionCallContext, JsObjectValue, JsValue, Object,
    ToNapiValue,
};
use napi::{Env, Result, sys};

use crate::cursor::{self, Asked, Cursor};
use crate::failure::{Answer, Failure, Outcome, guarded};
use crate::memory::{self, Memory};
use crate::point;
use crate::progress::Watched;
use crate::promise::{self, Deferred};
use crate::queue::{Committed, Queue};
use crate::registry;
use crate::report::{RawBackupReport, RawPruned, RawStats, RawVerifyReport};
use crate::text::Text;
use crate::values::{Found, Outcomes, Raw, RawRecord, Values};

/// Whoever may still use a handle. When the last one is garbage the handle is closed, without holding up the event loop.
pub(crate) struct Share(Arc<Queue>);

impl Share {
    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.0
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// A call of a method.
struct Call<'a> {
    share: &'a Arc<Share>,
    memory: Memory,
    arguments: FunctionCallContext<'a>,
}

/// Makes the JavaScript object. What its methods do is said in `ts/native.ts`.
pub(crate) fn make(env: &Env, queue: Arc<Queue>) -> Result<Object<'_>> {
    let share = Arc::new(Share(queue));
    let (memory, buffer) = Memory::new(env.raw())?;
    let get = point::make(env.raw(), &share, memory, buffer)?;
    let mut handle = Methods { env, share, memory, buffer, object: Object::new(env)? };
    Memory::be_carried(env.raw(), handle.object.raw(), buffer)?;
    handle.object.set_named_property("get", Raw(get))?;
    handle.add("commit", commit)?;
    handle.add("commitSync", commit_sync)?;
    handle.add("settle", settle)?;
    handle.add("getMany", get_many)?;
    handle.add("getRecord", get_record)?;
    handle.add("has", has)?;
    handle.add("tableSize", table_size)?;
    handle.add("expirationsBefore", expirations_before)?;
    handle.add("listTables", list_tables)?;
    handle.add("scan", scan)?;
    handle.add("defineDictionary", define_dictionary)?;
    handle.add("defineShape", define_shape)?;
    handle.add("shapes", shapes)?;
    handle.add("changes", changes)?;
    handle.add("dictionary", dictionary)?;
    handle.add("stats", stats)?;
    handle.add("dropTable", drop_table)?;
    handle.add("dropTableSync", drop_table_sync)?;
    handle.add("cleanupExpired", cleanup_expired)?;
    handle.add("flush", flush)?;
    handle.add("compact", compact)?;
    handle.add("verify", verify)?;
    handle.add("backup", backup)?;
    handle.add("prune", prune)?;
    handle.add("takeTurn", take_turn)?;
    handle.add("endTurn", end_turn)?;
    handle.add("close", close)?;
    handle.add("closeSync", close_sync)?;
    Ok(handle.object)
}

struct Methods<'env> {
    env: &'env Env,
    share: Arc<Share>,
    memory: Memory,
    buffer: sys::napi_value,
    object: Object<'env>,
}

impl Methods<'_> {
    fn add<R: ToNapiValue + 'static>(&mut self, name: &str, method: fn(Call<'_>) -> Result<R>) -> Result<()> {
        let (share, memory) = (Arc::clone(&self.share), self.memory);
        let function: Function<'_, (), R> = self
            .env
            .create_function_from_closure(name, move |arguments| method(Call { share: &share, memory, arguments }))?;
        Memory::be_carried(self.env.raw(), function.raw(), self.buffer)?;
        self.object.set_named_property(name, function)
    }
}

impl Call<'_> {
    fn argument<T: FromNapiValue>(&self, index: usize) -> Result<T> {
        self.arguments.get(index)
    }

    /// Through what long work is watched.
    fn progress(&self, index: usize) -> Result<Arc<Progress>> {
        Ok(self.argument::<ClassInstance<'_, Watched>>(index)?.share())
    }

    /// What `commit` makes of the request and the level that the call was given.
    fn committing<T>(&self, commit: impl FnOnce(&[u8], Durability) -> Outcome<T>) -> Result<Answer<T>> {
        let request: BufferSlice<'_> = self.argument(0)?;
        let length: i64 = self.argument(1)?;
        let durability = level(self.argument(2)?);
        Ok(Answer::to(|| {
            let request = usize::try_from(length).ok().and_then(|length| request.get(..length));
            let request = request.ok_or_else(|| Failure::internal("a request is shorter than its length says"))?;
            commit(request, durability?)
        }))
    }

    /// What `read` finds in the engine.
    fn read<T>(&self, read: impl FnOnce(&Database) -> cairndb::Result<T>) -> Result<Answer<T>> {
        Ok(Answer::to(|| Ok(read(self.share.queue().engine()?)?)))
    }

    /// A promise of what `work` makes in its turn.
    fn in_turn<V: ToNapiValue + Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> cairndb::Result<V> + Send + 'static,
    ) -> Result<Raw> {
        let (deferred, promise) = Deferred::new(self.arguments.env)?;
        self.share.queue().in_turn(deferred, |engine| Ok(work(engine)?));
        Ok(Raw(promise.raw()))
    }

    /// A promise of what `work` makes, whatever else goes on meanwhile.
    fn beside<V: ToNapiValue + Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> cairndb::Result<V> + Send + 'static,
    ) -> Result<Raw> {
        let queue = Arc::clone(self.share.queue());
        let work = move || Ok(work(queue.engine()?)?);
        let promise = promise::spawned(self.arguments.env, "cairndb-task", work, |_, value| Ok(value))?;
        Ok(Raw(promise.raw()))
    }
}

fn commit(call: Call<'_>) -> Result<Answer<Committed>> {
    call.committing(|request, durability| call.share.queue().commit(call.arguments.env, request, durability))
}

fn commit_sync(call: Call<'_>) -> Result<Answer<Outcomes>> {
    call.committing(|request, durability| call.share.queue().commit_sync(request, durability))
}

fn settle(call: Call<'_>) -> Result<()> {
    call.share.queue().settle(call.arguments.env, &call.argument(0)?)
}

fn level(number: u32) -> Outcome<Durability> {
    match number {
        0 => Ok(Durability::Eventual),
        1 => Ok(Durability::Os),
        2 => Ok(Durability::Full),
        _ => Err(Failure::internal(format!("there is no level of durability {number}"))),
    }
}

fn take_turn(call: Call<'_>) -> Result<Answer<bool>> {
    Ok(Answer::to(|| call.share.queue().take_turn()))
}

fn end_turn(call: Call<'_>) -> Result<()> {
    call.share.queue().end_turn();
    Ok(())
}

fn get_many(call: Call<'_>) -> Result<Answer<Values>> {
    let (table, keys): (Text, Vec<Text>) = (call.argument(0)?, call.argument(1)?);
    call.read(|engine| {
        let snapshot = engine.snapshot(&table)?;
        let records = keys.iter().map(|key| snapshot.get(key.as_bytes())).collect::<cairndb::Result<_>>()?;
        Ok(Values { records, memory: call.memory })
    })
}

fn get_record(call: Call<'_>) -> Result<Answer<Found<RawRecord>>> {
    let (table, key): (Text, Text) = (call.argument(0)?, call.argument(1)?);
    call.read(|engine| Ok(Found(engine.get(&table, key.as_bytes())?.map(RawRecord::from))))
}

fn has(call: Call<'_>) -> Result<Answer<bool>> {
    let (table, key): (Text, Text) = (call.argument(0)?, call.argument(1)?);
    call.read(|engine| engine.contains(&table, key.as_bytes()))
}

fn table_size(call: Call<'_>) -> Result<Answer<f64>> {
    let table: Text = call.argument(0)?;
    call.read(|engine| Ok(engine.len(&table)? as f64))
}

fn expirations_before(call: Call<'_>) -> Result<Answer<f64>> {
    let (table, moment): (Text, f64) = (call.argument(0)?, call.argument(1)?);
    call.read(|engine| Ok(engine.expirations_before(&table, moment)? as f64))
}

fn list_tables(call: Call<'_>) -> Result<Answer<Vec<String>>> {
    call.read(Database::tables)
}

fn scan(call: Call<'_>) -> Result<Raw> {
    let (table, max): (Text, u32) = (call.argument(0)?, call.argument(6)?);
    let (low, high, prefix) = (call.argument(1)?, call.argument(2)?, call.argument(3)?);
    let asked = Asked { low, high, prefix, how: call.argument(4)?, limit: call.argument(5)? };
    let env = &*call.arguments.env;
    let begun = guarded(|| {
        let scan = call.share.queue().engine()?.scan(&table, &asked.range())?;
        let cursor = Cursor::new(call.share, scan, asked.contents(), call.memory);
        Ok((cursor.read(max as usize)?, cursor))
    });
    let (page, cursor) = begun.map_err(|failure| failure.into_napi(env.raw()))?;
    cursor::first_page(env, page, cursor, || {
        call.arguments.this::<Object<'_>>()?.get_named_property_unchecked("memory")
    })
}

fn define_dictionary(call: Call<'_>) -> Result<Answer<u32>> {
    let (name, deflate): (String, Vec<(String, String)>) = (call.argument(0)?, call.argument(1)?);
    call.read(|engine| {
        let pairs: Vec<(&str, &str)> = deflate.iter().map(|(long, short)| (&**long, &**short)).collect();
        Ok(engine.define_dictionary(&name, &pairs)?.number())
    })
}

/// The number of a shape; -1 if objects that have it are to name their keys.
fn define_shape(call: Call<'_>) -> Result<Answer<i64>> {
    let keys: Vec<String> = call.argument(0)?;
    call.read(|engine| {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        Ok(engine.define_shape(&keys)?.map_or(-1, i64::from))
    })
}

fn shapes(call: Call<'_>) -> Result<Answer<Vec<Vec<String>>>> {
    let first: u32 = call.argument(0)?;
    call.read(|engine| Ok(engine.shapes(first)))
}

/// The long and the short names of a dictionary, by turns; nothing if there is none with this number.
fn dictionary(call: Call<'_>) -> Result<Answer<Vec<Vec<String>>>> {
    let number: u32 = call.argument(0)?;
    call.read(|engine| {
        let pairs = engine.dictionary(DictionaryId::from_number(number)).unwrap_or_default();
        Ok(pairs.into_iter().map(|(long, short)| vec![long, short]).collect())
    })
}

fn changes(call: Call<'_>) -> Result<Raw> {
    let counter = guarded(|| Ok(call.share.queue().engine()?.changes()));
    let env = call.arguments.env.raw();
    Ok(Raw(memory::changes(env, counter.map_err(|failure| failure.into_napi(env))?)?))
}

fn stats(call: Call<'_>) -> Result<Answer<RawStats>> {
    call.read(|engine| Ok(engine.stats().into()))
}

fn drop_table(call: Call<'_>) -> Result<Raw> {
    let table: String = call.argument(0)?;
    let (deferred, promise) = Deferred::new(call.arguments.env)?;
    call.share.queue().drop_table(deferred, table);
    Ok(Raw(promise.raw()))
}

fn drop_table_sync(call: Call<'_>) -> Result<Answer<bool>> {
    let table: Text = call.argument(0)?;
    call.read(|engine| engine.drop_table(&table, Durability::Full))
}

fn cleanup_expired(call: Call<'_>) -> Result<Raw> {
    let table: String = call.argument(0)?;
    call.in_turn(move |engine| Ok(engine.cleanup_expired(&table)? as f64))
}

fn flush(call: Call<'_>) -> Result<Raw> {
    call.in_turn(Database::flush)
}

fn compact(call: Call<'_>) -> Result<Raw> {
    let progress = call.progress(0)?;
    call.beside(move |engine| engine.compact_with(&progress))
}

fn verify(call: Call<'_>) -> Result<Raw> {
    let progress = call.progress(0)?;
    call.beside(move |engine| Ok(RawVerifyReport::from(engine.verify_with(&progress)?)))
}

fn backup(call: Call<'_>) -> Result<Raw> {
    let (target, progress) = (call.argument::<String>(0)?, call.progress(1)?);
    call.beside(move |engine| {
        // By the one name that the database's own directory has too, so that a link does not hide that it leads there.
        let target = registry::canonical(Path::new(&target));
        Ok(RawBackupReport::from(engine.backup_with(target, &progress)?))
    })
}

fn prune(call: Call<'_>) -> Result<Raw> {
    let keep: u32 = call.argument(0)?;
    call.beside(move |engine| Ok(RawPruned::from(engine.prune(keep)?)))
}

fn close(call: Call<'_>) -> Result<Raw> {
    let (deferred, promise) = Deferred::new(call.arguments.env)?;
    call.share.queue().close(deferred);
    Ok(Raw(promise.raw()))
}

fn close_sync(call: Call<'_>) -> Result<Answer<()>> {
    Ok(Answer::to(|| call.share.queue().close_sync()))
}

impl ToNapiValue for Committed {
    unsafe fn to_napi_value(env: sys::napi_env, committed: Self) -> Result<sys::napi_value> {
        // SAFETY: the caller gives the environment of this thread.
        unsafe {
            match committed {
                Committed::Now(outcomes) => ToNapiValue::to_napi_value(env, outcomes.unless_written()),
                Committed::Later { ticket } => ToNapiValue::to_napi_value(env, ticket as f64),
            }
        }
    }
}
