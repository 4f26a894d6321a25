//! Mistreated logs: see `tests/it/fuzz/recovery/mod.rs`.

#![no_main]

#[allow(dead_code)]
#[path = "../../it/model.rs"]
mod model;
#[path = "../../it/fuzz/recovery/mod.rs"]
mod recovery;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    recovery::check(data);
});
