#![no_main]

#[path = "../checks.rs"]
mod all;
use all::{checks, kit};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::decode::check(bytes));
