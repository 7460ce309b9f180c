//! Feeds arbitrary bytes to the decoder of `xml`.
#![no_main]

#[path = "../shared.rs"]
mod shared;

libfuzzer_sys::fuzz_target!(|data: &[u8]| shared::decode("xml", data));
