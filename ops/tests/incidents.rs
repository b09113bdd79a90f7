//! Incidents: each made to happen in a running stack, seen where an operator looks (alarm, console,
//! `milepost doctor`), mended by what docs/operate.md says, word for word, and counted: what was
//! accepted is on its contact, or among the dead letters with a reason, and in one place only.
//!
//! The stack is the one that `local` and `serve` run, and the commands are processes beside it. Where
//! an incident takes an hour, the stack's clock lags and is moved on
//! ([`tests::late_clock`]).
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
#[path = "support/process.rs"]
mod process;

/// What was sent, and where it stands in the end.
#[path = "incidents/ledger.rs"]
mod ledger;
/// The commands, as the handbook has them.
#[path = "incidents/shell.rs"]
mod shell;
/// The stack with somebody who watches it.
#[path = "incidents/site.rs"]
mod site;

/// HubSpot is down for an hour.
#[path = "incidents/outage.rs"]
mod outage;
/// The token is revoked.
#[path = "incidents/token.rs"]
mod token;

/// A property is deleted in the portal.
#[path = "incidents/property.rs"]
mod property;
/// The portal's day is spent.
#[path = "incidents/quota.rs"]
mod quota;

/// A contact's state that can't be read.
#[path = "incidents/corrupt_state.rs"]
mod corrupt_state;
/// Events that can't succeed, among others.
#[path = "incidents/poison.rs"]
mod poison;

/// More comes than HubSpot takes.
#[path = "incidents/deep_queue.rs"]
mod deep_queue;
/// Two contacts become one while their events wait.
#[path = "incidents/merged_contact.rs"]
mod merged_contact;
/// Courses with other modules than they have.
#[path = "incidents/wrong_catalog.rs"]
mod wrong_catalog;
