//! Texts: see `tests/it/fuzz/markup.rs`.

#![no_main]

#[path = "../../it/fuzz/markup.rs"]
mod markup;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    markup::check(data);
});
