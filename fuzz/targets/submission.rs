//! Any bytes as the body of `POST /events/track`.

#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| fuzz::submission(body));
