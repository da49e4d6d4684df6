//! Long work that JavaScript watches.

use std::sync::Arc;

use napi_derive::napi;

/// How far one long call has come, and the wish that it ends: see `cairndb::Progress`. JavaScript makes one for each call
/// and looks at it when it likes, so that nothing has to be called from the thread that does the work.
#[napi(js_name = "Progress")]
#[derive(Default)]
pub(crate) struct Watched(Arc<cairndb::Progress>);

impl Watched {
    /// The engine's side of it.
    pub(crate) fn share(&self) -> Arc<cairndb::Progress> {
        Arc::clone(&self.0)
    }
}

#[napi]
#[allow(unreachable_pub, reason = "the attribute that exports them wants public methods")]
impl Watched {
    #[napi(constructor, catch_unwind)]
    pub fn new() -> Self {
        Watched::default()
    }

    #[napi(getter, catch_unwind)]
    pub fn done(&self) -> f64 {
        self.0.done() as f64
    }

    #[napi(getter, catch_unwind)]
    pub fn total(&self) -> f64 {
        self.0.total() as f64
    }

    #[napi(catch_unwind)]
    pub fn cancel(&self) {
        self.0.cancel();
    }
}
