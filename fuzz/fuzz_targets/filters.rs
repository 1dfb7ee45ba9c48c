#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| spanline_fuzz::filters(data));
