//! Signed calls through the public door, against a server on loopback that plays AWS.
#![allow(
    clippy::unwrap_used,
    reason = "a test that can't go on panics; clippy sees helpers of a test as no test"
)]

mod calls;
mod parameters;
mod world;
