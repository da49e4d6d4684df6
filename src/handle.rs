//! The handle: one opening of a directory, as a JavaScript object.
//!
//! Its methods are closures over the opening. A method that `#[napi]` generates first finds out what its `this` is and
//! guards the borrow of it, which costs more than reading a record does.

use std::sync::Arc;

use cairndb::{Database, Durability};
use napi::bindgen_prelude::{
    BufferSlice, FromNapiValue, Function, FunctionCallContext, JsObjectValue, JsValue, Object, ToNapiValue,
};
use napi::{Env, Result, sys};

use crate::cursor::{NativeCursor, RawRange};
use crate::failure::{Answer, Failure, Outcome};
use crate::promise::{self, Deferred};
use crate::queue::{Committed, Queue};
use crate::report::{RawStats, RawVerifyReport};
use crate::text::Text;
use crate::values::{Found, Raw, RawRecord, RawValue};

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
    arguments: FunctionCallContext<'a>,
}

/// Makes the JavaScript object. What its methods do is said in `ts/native.ts`.
pub(crate) fn make(env: &Env, queue: Arc<Queue>) -> Result<Object<'_>> {
    let share = Arc::new(Share(queue));
    let mut handle = Methods { env, share, object: Object::new(env)? };
    handle.add("commit", commit)?;
    handle.add("get", get)?;
    handle.add("getMany", get_many)?;
    handle.add("getRecord", get_record)?;
    handle.add("has", has)?;
    handle.add("tableSize", table_size)?;
    handle.add("listTables", list_tables)?;
    handle.add("cursor", cursor)?;
    handle.add("defineDictionary", define_dictionary)?;
    handle.add("stats", stats)?;
    handle.add("dropTable", drop_table)?;
    handle.add("cleanupExpired", cleanup_expired)?;
    handle.add("flush", flush)?;
    handle.add("compact", compact)?;
    handle.add("verify", verify)?;
    handle.add("close", close)?;
    Ok(handle.object)
}

struct Methods<'env> {
    env: &'env Env,
    share: Arc<Share>,
    object: Object<'env>,
}

impl Methods<'_> {
    fn add<R: ToNapiValue + 'static>(&mut self, name: &str, method: fn(Call<'_>) -> Result<R>) -> Result<()> {
        let share = Arc::clone(&self.share);
        let function: Function<'_, (), R> =
            self.env.create_function_from_closure(name, move |arguments| method(Call { share: &share, arguments }))?;
        self.object.set_named_property(name, function)
    }
}

impl Call<'_> {
    fn argument<T: FromNapiValue>(&self, index: usize) -> Result<T> {
        self.arguments.get(index)
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
    let request: BufferSlice<'_> = call.argument(0)?;
    let length: i64 = call.argument(1)?;
    let durability = level(call.argument(2)?);
    Ok(Answer::to(|| {
        let request = usize::try_from(length).ok().and_then(|length| request.get(..length));
        let request = request.ok_or_else(|| Failure::internal("a request is shorter than its length says"))?;
        call.share.queue().commit(call.arguments.env, request, durability?)
    }))
}

fn level(number: u32) -> Outcome<Durability> {
    match number {
        0 => Ok(Durability::Eventual),
        1 => Ok(Durability::Os),
        2 => Ok(Durability::Full),
        _ => Err(Failure::internal(format!("there is no level of durability {number}"))),
    }
}

fn get(call: Call<'_>) -> Result<Answer<Found<RawValue>>> {
    let (table, key): (Text, Text) = (call.argument(0)?, call.argument(1)?);
    call.read(|engine| Ok(Found(engine.get(&table, key.as_bytes())?.map(RawValue))))
}

fn get_many(call: Call<'_>) -> Result<Answer<Vec<Found<RawValue>>>> {
    let (table, keys): (Text, Vec<Text>) = (call.argument(0)?, call.argument(1)?);
    call.read(|engine| {
        let snapshot = engine.snapshot(&table)?;
        keys.iter().map(|key| Ok(Found(snapshot.get(key.as_bytes())?.map(RawValue)))).collect()
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

fn list_tables(call: Call<'_>) -> Result<Answer<Vec<String>>> {
    call.read(Database::tables)
}

fn cursor(call: Call<'_>) -> Result<Answer<NativeCursor>> {
    let (table, range): (Text, RawRange) = (call.argument(0)?, call.argument(1)?);
    Ok(Answer::to(|| NativeCursor::open(call.share, &table, &range)))
}

fn define_dictionary(call: Call<'_>) -> Result<Answer<u32>> {
    let (name, deflate): (String, Vec<(String, String)>) = (call.argument(0)?, call.argument(1)?);
    call.read(|engine| {
        let pairs: Vec<(&str, &str)> = deflate.iter().map(|(long, short)| (&**long, &**short)).collect();
        Ok(engine.define_dictionary(&name, &pairs)?.number())
    })
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

fn cleanup_expired(call: Call<'_>) -> Result<Raw> {
    let table: String = call.argument(0)?;
    call.in_turn(move |engine| Ok(engine.cleanup_expired(&table)? as f64))
}

fn flush(call: Call<'_>) -> Result<Raw> {
    call.in_turn(Database::flush)
}

fn compact(call: Call<'_>) -> Result<Raw> {
    call.beside(Database::compact)
}

fn verify(call: Call<'_>) -> Result<Raw> {
    call.beside(|engine| Ok(RawVerifyReport::from(engine.verify()?)))
}

fn close(call: Call<'_>) -> Result<Raw> {
    let (deferred, promise) = Deferred::new(call.arguments.env)?;
    call.share.queue().close(deferred);
    Ok(Raw(promise.raw()))
}

impl ToNapiValue for Committed {
    unsafe fn to_napi_value(env: sys::napi_env, committed: Self) -> Result<sys::napi_value> {
        // SAFETY: the caller gives the environment of this thread.
        unsafe {
            match committed {
                Committed::Now(outcomes) => ToNapiValue::to_napi_value(env, outcomes),
                Committed::Later { ticket } => ToNapiValue::to_napi_value(env, ticket as f64),
            }
        }
    }
}
