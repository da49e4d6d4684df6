#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cairndb_fuzzing::packed(bytes));
