//! Errors and panics on their way to JavaScript.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use napi::bindgen_prelude::{JsObjectValue, JsValue, Object, ToNapiValue, TypeName};
use napi::{Env, JsError, ValueType, sys};

/// What JavaScript gets as an `Error` with the properties `code` and, where they are known, `path` and `offset`.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    code: &'static str,
    message: String,
    path: Option<String>,
    offset: Option<u64>,
}

/// What can fail on its way to the engine and back.
pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Failure { code, message: message.into(), path: None, offset: None }
    }

    /// A defect of CairnDB itself.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Failure::new(cairndb::Code::Internal.as_str(), message)
    }

    pub(crate) fn closed() -> Self {
        Failure::new(cairndb::Code::Closed.as_str(), "the database is closed; open it again")
    }

    /// The operating system did not give the thread that this work needs.
    pub(crate) fn no_thread(error: &std::io::Error) -> Self {
        Failure::new(cairndb::Code::Io.as_str(), format!("could not start a thread: {error}"))
    }

    fn panicked(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Failure::internal(format!("native code panicked: {}", text.unwrap_or("no message")))
    }

    /// The JavaScript error, wrapped so that napi throws, or rejects with, this very object.
    pub(crate) fn into_napi(self, env: sys::napi_env) -> napi::Error {
        let error = JsError::from(napi::Error::new(self.code, self.message)).into_unknown(Env::from_raw(env));
        let mut object = Object::from_raw(env, error.raw());
        let path = self.path.map_or(Ok(()), |path| object.set_named_property("path", path));
        let offset = self.offset.map_or(Ok(()), |offset| object.set_named_property("offset", offset as f64));
        match path.and(offset) {
            Ok(()) => napi::Error::from_unknown_without_coercion(error),
            // The environment ends, or has no memory left.
            Err(undecorated) => undecorated,
        }
    }
}

impl From<cairndb::Error> for Failure {
    fn from(error: cairndb::Error) -> Self {
        Failure {
            code: error.code().as_str(),
            message: error.to_string(),
            path: error.path().map(|path| path.to_string_lossy().into_owned()),
            offset: error.offset(),
        }
    }
}

impl ToNapiValue for Failure {
    unsafe fn to_napi_value(env: sys::napi_env, failure: Self) -> napi::Result<sys::napi_value> {
        // SAFETY: the caller gives the environment of this thread.
        unsafe { napi::Error::to_napi_value(env, failure.into_napi(env)) }
    }
}

/// Runs `work`; a panic in it becomes a failure, since a database must not abort the process that it lives in.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    // What a panic leaves half done belongs to the engine, whose locks are released and whose journal is the truth.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| Err(Failure::panicked(&*payload)))
}

/// What a native method returns: converting it makes the value, or throws the failure with all its properties.
pub(crate) struct Answer<T>(Outcome<T>);

impl<T> Answer<T> {
    pub(crate) fn to(work: impl FnOnce() -> Outcome<T>) -> Self {
        Answer(guarded(work))
    }
}

impl<T> From<Outcome<T>> for Answer<T> {
    fn from(outcome: Outcome<T>) -> Self {
        Answer(outcome)
    }
}

impl<T: ToNapiValue> ToNapiValue for Answer<T> {
    unsafe fn to_napi_value(env: sys::napi_env, answer: Self) -> napi::Result<sys::napi_value> {
        match answer.0 {
            // SAFETY: the caller gives the environment of this thread.
            Ok(value) => unsafe { T::to_napi_value(env, value) },
            Err(failure) => Err(failure.into_napi(env)),
        }
    }
}

impl<T> TypeName for Answer<T> {
    fn type_name() -> &'static str {
        "Answer"
    }

    fn value_type() -> ValueType {
        ValueType::Unknown
    }
}
