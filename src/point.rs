//! `get`: a point read, the call that matters most.
//!
//! It is a bare function of Node-API: what napi-rs puts around one costs more than the read.

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

use napi::{Result, check_status, sys};

use crate::failure::{Failure, Outcome, guarded};
use crate::handle::Share;
use crate::memory::Memory;
use crate::values::value_of;

struct Point {
    share: Arc<Share>,
    memory: Memory,
}

/// Makes the function: `get(lengthOfTable, lengthOfKey)`, of names that stand in the memory.
pub(crate) fn make(
    env: sys::napi_env,
    share: &Arc<Share>,
    memory: Memory,
    buffer: sys::napi_value,
) -> Result<sys::napi_value> {
    let point = Box::into_raw(Box::new(Point { share: Arc::clone(share), memory })).cast::<c_void>();
    let mut function = ptr::null_mut();
    // SAFETY: the environment is that of this call. The function is given a `Point`, which lives until `drop_point`,
    // and that runs when the function is garbage.
    unsafe {
        check_status!(sys::napi_create_function(env, c"get".as_ptr(), 3, Some(get), point, &mut function))?;
        check_status!(sys::napi_add_finalizer(
            env,
            function,
            point,
            Some(drop_point),
            ptr::null_mut(),
            ptr::null_mut()
        ))?;
    }
    Memory::be_carried(env, function, buffer)?;
    Ok(function)
}

unsafe extern "C" fn drop_point(_env: sys::napi_env, point: *mut c_void, _hint: *mut c_void) {
    // SAFETY: made by `Box::into_raw` in `make`, and finalized once.
    drop(unsafe { Box::from_raw(point.cast::<Point>()) });
}

unsafe extern "C" fn get(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let (mut arguments, mut count, mut point) = ([ptr::null_mut(); 2], 2, ptr::null_mut());
    let (mut table, mut key) = (0, 0);
    // SAFETY: Node-API calls this with an environment and what `make` registered; missing arguments are undefined, of
    // which no number can be got, and so the lengths stay 0, which no name has.
    let point = unsafe {
        sys::napi_get_cb_info(env, info, &mut count, arguments.as_mut_ptr(), ptr::null_mut(), &mut point);
        sys::napi_get_value_uint32(env, arguments[0], &mut table);
        sys::napi_get_value_uint32(env, arguments[1], &mut key);
        &*point.cast::<Point>()
    };
    let found = guarded(|| point.get(env, table as usize, key as usize));
    found.map_err(|failure| failure.into_napi(env)).flatten().unwrap_or_else(|error| {
        // SAFETY: as above.
        unsafe { napi::JsError::from(error).throw_into(env) };
        ptr::null_mut()
    })
}

impl Point {
    /// What is under the key; null, which JavaScript gets as undefined, for nothing.
    fn get(&self, env: sys::napi_env, table: usize, key: usize) -> Outcome<Result<sys::napi_value>> {
        let (table, key) = self.memory.names(table, key);
        let table = std::str::from_utf8(table).map_err(|_| Failure::internal("the name of a table is not UTF-8"))?;
        let found =
            self.share.queue().engine()?.visit(table, key, |record| value_of(env, record, &self.memory.out()))?;
        Ok(found.unwrap_or(Ok(ptr::null_mut())))
    }
}
