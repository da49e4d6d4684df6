//! The end of an environment: of a worker, or of the process.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

use napi::bindgen_prelude::{FnArgs, Function, FunctionCallContext, JsObjectValue, Object, Unknown};
use napi::{Env, Result};

use crate::failure::{Failure, Outcome};
use crate::queue::Queue;
use crate::sync::Lock;

type Listener<'a> = Function<'a, (), ()>;

thread_local! {
    /// The openings of each environment. There can be several on a thread, one for each context.
    static OPENINGS: RefCell<HashMap<usize, Vec<Arc<Opening>>>> = RefCell::default();
}

/// An opening of a directory, seen from its environment, which may end at any moment of it.
#[derive(Default)]
pub(crate) struct Opening(Lock<State>);

#[derive(Default)]
struct State {
    ended: bool,
    queue: Weak<Queue>,
}

impl Opening {
    /// Registers an opening that is about to begin, so that it ends with the environment.
    pub(crate) fn begin(env: &Env) -> Result<Arc<Self>> {
        let key = env.raw() as usize;
        let opening = Arc::<Opening>::default();
        let is_new = OPENINGS.with_borrow_mut(|all| {
            let is_new = !all.contains_key(&key);
            let openings = all.entry(key).or_default();
            // Whoever opens holds its opening, whoever is open the queue.
            openings.retain(|opening| Arc::strong_count(opening) > 1 || opening.queue().is_some());
            openings.push(Arc::clone(&opening));
            is_new
        });
        if is_new {
            env.add_env_cleanup_hook(key, end)?;
            on_exit(env, key)?;
        }
        Ok(opening)
    }

    /// Says that the directory is open. If the environment has ended meanwhile it is given up again.
    pub(crate) fn complete(&self, queue: Queue) -> Outcome<Arc<Queue>> {
        let queue = Arc::new(queue);
        let mut state = self.0.lock();
        if state.ended {
            queue.end();
            return Err(Failure::closed());
        }
        state.queue = Arc::downgrade(&queue);
        Ok(queue)
    }

    fn queue(&self) -> Option<Arc<Queue>> {
        self.0.lock().queue.upgrade()
    }

    fn end(&self) -> Option<Arc<Queue>> {
        let mut state = self.0.lock();
        state.ended = true;
        state.queue.upgrade()
    }
}

/// When this returns the directories of the environment are released; those that are being opened will be.
fn end(key: usize) {
    let openings = OPENINGS.with_borrow_mut(|all| all.remove(&key)).unwrap_or_default();
    for queue in openings.iter().filter_map(|opening| opening.end()) {
        queue.end();
    }
}

/// Node ends a process in the middle of everything when `process.exit()` is called, and cleans nothing up. The listeners
/// of `exit` are the last that run.
fn on_exit(env: &Env, key: usize) -> Result<()> {
    let prepare: Listener<'_> = env.create_function_from_closure("cairndb", move |_: FunctionCallContext<'_>| {
        let openings = OPENINGS.with_borrow(|all| all.get(&key).cloned()).unwrap_or_default();
        for queue in openings.iter().filter_map(|opening| opening.queue()) {
            let _nobody_is_left_to_be_told = queue.prepare_exit();
        }
        Ok(())
    })?;
    let process: Object<'_> = env.get_global()?.get_named_property("process")?;
    let on: Function<'_, FnArgs<(&str, Listener<'_>)>, Unknown<'_>> = process.get_named_property("on")?;
    on.apply(process, ("exit", prepare).into())?;
    Ok(())
}
