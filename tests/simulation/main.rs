//! Simulated histories: many seeds, one verdict each.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on panics; clippy sees helpers of a test as no test"
)]

/// Writes with unknown outcomes, two workers, duplicates in any order.
mod late_writes;
