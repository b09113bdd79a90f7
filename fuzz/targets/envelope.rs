//! Any text as the body of a message.

#![no_main]

libfuzzer_sys::fuzz_target!(|body: &str| fuzz::envelope(body));
