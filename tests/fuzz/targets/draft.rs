//! Messages: see `tests/it/fuzz/draft.rs`.

#![no_main]

#[path = "../../it/fuzz/draft.rs"]
mod draft;
#[allow(dead_code)]
#[path = "../../it/fuzz/markup.rs"]
mod markup;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    draft::check(data);
});
