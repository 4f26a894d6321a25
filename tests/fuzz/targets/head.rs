//! Requests: see `tests/it/fuzz/head.rs`.

#![no_main]

#[path = "../../it/fuzz/head.rs"]
mod head;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    head::check(data);
});
