//! Promises of work that is done on a thread.

use std::thread;

use napi::bindgen_prelude::{Object, ToNapiValue};
use napi::{Env, JsDeferred, Result};

use crate::failure::{Answer, Failure, Outcome, guarded};

type Resolver<V> = Box<dyn FnOnce(Env) -> Result<Answer<V>> + Send>;

/// The native side of a promise. Must be settled: an open one keeps the process alive.
pub(crate) struct Deferred<V: ToNapiValue + 'static>(JsDeferred<Answer<V>, Resolver<V>>);

impl<V: ToNapiValue + 'static> Deferred<V> {
    pub(crate) fn new(env: &Env) -> Result<(Self, Object<'_>)> {
        let (deferred, promise) = env.create_deferred()?;
        Ok((Deferred(deferred), promise))
    }

    /// Resolves, or rejects, the promise. From any thread; if its environment has ended nothing happens.
    pub(crate) fn settle(self, outcome: Outcome<V>)
    where
        V: Send,
    {
        self.convert(outcome, |_, value| Ok(value));
    }

    /// As `settle`, with a value that can only be made on the thread of the environment.
    fn convert<T: Send + 'static>(
        self,
        outcome: Outcome<T>,
        convert: impl FnOnce(&Env, T) -> Result<V> + Send + 'static,
    ) {
        match outcome {
            Ok(value) => {
                self.0.resolve(Box::new(move |env| convert(&env, value).map(|value| Answer::from(Ok(value)))));
            }
            Err(failure) => self.fail(failure),
        }
    }

    fn fail(self, failure: Failure) {
        self.0.resolve(Box::new(|_| Ok(Answer::from(Err(failure)))));
    }
}

/// A promise of what `work`, on a thread of its own, and then `convert`, back on the thread of the environment, make.
pub(crate) fn spawned<'env, T: Send + 'static, V: ToNapiValue + 'static>(
    env: &'env Env,
    name: &str,
    work: impl FnOnce() -> Outcome<T> + Send + 'static,
    convert: impl FnOnce(&Env, T) -> Result<V> + Send + 'static,
) -> Result<Object<'env>> {
    let (deferred, promise) = Deferred::new(env)?;
    let unstarted = Deferred(deferred.0.clone());
    let spawned = thread::Builder::new().name(name.into()).spawn(move || deferred.convert(guarded(work), convert));
    if let Err(error) = spawned {
        unstarted.fail(Failure::no_thread(&error));
    }
    Ok(promise)
}
