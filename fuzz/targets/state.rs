//! Any text as the state that a contact holds.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| fuzz::state(text));
