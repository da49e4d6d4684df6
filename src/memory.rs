//! Memory that a handle and JavaScript share: names come in by it, and packed values go out.
//!
//! A Buffer for each value, or a string for each name, would cost more than reading the record does.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use napi::{Result, check_status, sys};

/// Where the name of a table stands, then the key, and then what goes out: see `ts/native.ts`.
const TABLE: usize = 0;
const KEY: usize = 1024;
const OUT: usize = 2048;
const LEN: usize = 64 << 10;

/// An `ArrayBuffer`. Only the thread of its environment has it, and it lives as long as the functions that carry it as a
/// property.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    bytes: *mut u8,
}

impl Memory {
    /// Makes the buffer. Every function that is given the memory has to carry it.
    pub(crate) fn new(env: sys::napi_env) -> Result<(Self, sys::napi_value)> {
        let (mut bytes, mut buffer) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the environment is that of this call; both results go to places of ours.
        check_status!(unsafe { sys::napi_create_arraybuffer(env, LEN, &mut bytes, &mut buffer) })?;
        Ok((Memory { bytes: bytes.cast() }, buffer))
    }

    /// Makes an object carry the memory: as long as it lives, the memory does.
    pub(crate) fn be_carried(env: sys::napi_env, object: sys::napi_value, buffer: sys::napi_value) -> Result<()> {
        // SAFETY: the environment and both values are those of the caller's call.
        check_status!(unsafe { sys::napi_set_named_property(env, object, c"memory".as_ptr(), buffer) })
    }

    /// The name of a table and a key, as JavaScript put them there.
    pub(crate) fn names(&self, table: usize, key: usize) -> (&[u8], &[u8]) {
        let part = |from: usize, len: usize| {
            // SAFETY: inside of the buffer, since both places have 1024 bytes; JavaScript does not run meanwhile.
            unsafe { slice::from_raw_parts(self.bytes.add(from), len.min(KEY - TABLE)) }
        };
        (part(TABLE, table), part(KEY, key))
    }

    /// Begins to fill the place of what goes out.
    pub(crate) fn out(&self) -> Out {
        Out { memory: *self, at: Cell::new(OUT) }
    }
}

/// The counter of a database's changes as memory that JavaScript can read; null where it may not have such memory.
pub(crate) fn changes(env: sys::napi_env, counter: Arc<AtomicU64>) -> Result<sys::napi_value> {
    let (bytes, hint) = (counter.as_ptr().cast::<c_void>(), Arc::into_raw(counter).cast_mut().cast::<c_void>());
    let mut buffer = ptr::null_mut();
    // SAFETY: the counter lives until `drop_changes`, which runs once, when the buffer is garbage. Both sides use atomic
    // operations alone, JavaScript on the half of it that changes most.
    let status = unsafe { sys::napi_create_external_arraybuffer(env, bytes, 8, Some(drop_changes), hint, &mut buffer) };
    if status == sys::Status::napi_ok {
        return Ok(buffer);
    }
    // SAFETY: no buffer has been made, so nothing else gives this share of the counter back.
    drop(unsafe { Arc::from_raw(hint.cast::<AtomicU64>()) });
    // SAFETY: the environment is that of this call.
    check_status!(unsafe { sys::napi_get_null(env, &mut buffer) })?;
    Ok(buffer)
}

unsafe extern "C" fn drop_changes(_env: sys::napi_env, _bytes: *mut c_void, counter: *mut c_void) {
    // SAFETY: made by `Arc::into_raw` in `changes`, and finalized once.
    drop(unsafe { Arc::from_raw(counter.cast::<AtomicU64>()) });
}

/// What goes out by the memory in one call.
pub(crate) struct Out {
    memory: Memory,
    at: Cell<usize>,
}

impl Out {
    /// Appends numbers, each as 4 bytes, and bytes. Does nothing and says so if there is no room for them.
    pub(crate) fn append(&self, numbers: &[u32], bytes: &[u8]) -> bool {
        let at = self.at.get();
        let end = at + size_of_val(numbers) + bytes.len();
        if end > LEN {
            return false;
        }
        // SAFETY: inside of the buffer; nothing else looks at it during the call.
        let place = unsafe { slice::from_raw_parts_mut(self.memory.bytes.add(at), end - at) };
        let (front, back) = place.split_at_mut(size_of_val(numbers));
        for (place, number) in front.as_chunks_mut().0.iter_mut().zip(numbers) {
            *place = number.to_le_bytes();
        }
        back.copy_from_slice(bytes);
        self.at.set(end);
        true
    }

    /// Where the next bytes go.
    pub(crate) fn place(&self) -> usize {
        self.at.get()
    }

    /// Forgets what was appended from this place on.
    pub(crate) fn take_back(&self, place: usize) {
        self.at.set(place);
    }

    /// Puts another number to a place where one was appended.
    pub(crate) fn put(&self, place: usize, number: u32) {
        debug_assert!(OUT <= place && place + size_of::<u32>() <= self.at.get(), "nothing was appended there");
        // SAFETY: as in `append`, which has given out this place.
        unsafe { self.memory.bytes.add(place).cast::<[u8; 4]>().write(number.to_le_bytes()) };
    }
}
