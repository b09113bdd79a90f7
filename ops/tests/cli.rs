//! `milepost` from outside: what a shell, a script and a person at a terminal see of it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on panics; clippy sees helpers of a test as no test"
)]

#[path = "support/contacts.rs"]
mod contacts;
#[path = "support/ended.rs"]
mod ended;
#[path = "support/killed_replay.rs"]
mod killed_replay;
#[path = "support/letters.rs"]
mod letters;
#[path = "support/process.rs"]
mod process;

/// Help that teaches, exit codes, and who reads what.
#[path = "cli/usage.rs"]
mod usage;

/// From the first curl to the contact; starting and stopping; `serve` too.
#[path = "cli/local.rs"]
mod local;

/// A day of events, sent and sent again.
#[path = "cli/track.rs"]
mod track;

/// Dead letters, over each queue; what ingest logged.
#[path = "cli/dlq.rs"]
mod dlq;

/// Setting up a portal that knows nothing of Milepost.
#[path = "cli/properties.rs"]
mod properties;

/// A good catalog and broken ones.
#[path = "cli/catalog.rs"]
mod catalog;
