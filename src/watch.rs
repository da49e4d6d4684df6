//! A watch as a JavaScript object.

use std::cell::RefCell;
use std::rc::Rc;

use cairndb::{Change, DictionaryId, Watch};
use napi::bindgen_prelude::{Function, FunctionCallContext, JsObjectValue, Object, ToNapiValue};
use napi::{Env, Result};
use napi_derive::napi;

use crate::failure::{Answer, Failure, Outcome};
use crate::values::{RawValue, key_text};

/// Something that was committed: see `RawChange` in `ts/native.ts`.
#[napi(object, object_from_js = false, use_nullable = true)]
pub(crate) struct RawChange {
    pub table: String,
    pub key: Option<String>,
    pub value: Option<RawValue>,
    pub version: f64,
    pub timestamp: f64,
    pub expiration: Option<f64>,
}

impl From<Change> for RawChange {
    fn from(change: Change) -> Self {
        let none =
            RawChange { table: String::new(), key: None, value: None, version: 0.0, timestamp: 0.0, expiration: None };
        match change {
            Change::Put { table, key, record } => RawChange {
                table,
                key: Some(key_text(&key).into_owned()),
                version: record.version as f64,
                timestamp: record.timestamp as f64,
                expiration: record.expiration,
                value: Some(RawValue(record)),
            },
            Change::Delete { table, key, timestamp } => {
                RawChange { table, key: Some(key_text(&key).into_owned()), timestamp: timestamp as f64, ..none }
            }
            Change::DropTable { table } => RawChange { table, ..none },
        }
    }
}

/// The watch until it is closed.
type Open = Rc<RefCell<Option<Watch>>>;

/// Makes the JavaScript object. What its methods do is said in `ts/native.ts`.
pub(crate) fn make(env: &Env, watch: Watch) -> Result<Object<'_>> {
    let open = Rc::new(RefCell::new(Some(watch)));
    let mut object = Object::new(env)?;
    add(env, &mut object, "next", &open, |watch, _| {
        Ok(watch.next_changes()?.into_iter().map(RawChange::from).collect::<Vec<_>>())
    })?;
    add(env, &mut object, "shapes", &open, |watch, first| Ok(watch.shapes(first)))?;
    add(env, &mut object, "dictionary", &open, |watch, number| {
        let pairs = watch.dictionary(DictionaryId::from_number(number)).unwrap_or_default();
        Ok(pairs.into_iter().map(|(long, short)| vec![long, short]).collect::<Vec<_>>())
    })?;
    let close: Function<'_, (), ()> = env.create_function_from_closure("close", move |_| {
        open.borrow_mut().take();
        Ok(())
    })?;
    object.set_named_property("close", close)?;
    Ok(object)
}

/// Adds a method that may be given a number.
fn add<R: ToNapiValue + 'static>(
    env: &Env,
    object: &mut Object<'_>,
    name: &str,
    open: &Open,
    method: fn(&mut Watch, u32) -> Outcome<R>,
) -> Result<()> {
    let open = Rc::clone(open);
    let function: Function<'_, (), Answer<R>> =
        env.create_function_from_closure(name, move |call: FunctionCallContext<'_>| {
            let number = if call.length() > 0 { call.get(0)? } else { 0 };
            Ok(Answer::to(|| method(open.borrow_mut().as_mut().ok_or_else(Failure::closed)?, number)))
        })?;
    object.set_named_property(name, function)
}
