//! Any bytes at all: they open or are refused, and what opens can be patched and opened again.
#![no_main]

#[path = "../../tests/support/survive.rs"]
mod survive;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(survive::survives(bytes)));
