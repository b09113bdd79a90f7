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

/// The page over queues that other processes work on.
#[path = "cli/console.rs"]
mod console;

/// Progress checked and repaired; one contact shown and forgotten.
#[path = "cli/repair.rs"]
mod repair;

/// Setting up a portal that knows nothing of Milepost.
#[path = "cli/properties.rs"]
mod properties;

/// What is wrong with a deployment; how long a backlog takes.
#[path = "cli/doctor.rs"]
mod doctor;
#[path = "cli/quota.rs"]
mod quota;

/// What the page on the command line says of each document is so.
#[path = "cli/usage_json.rs"]
mod usage_json;

/// A good catalog and broken ones.
#[path = "cli/catalog.rs"]
mod catalog;
