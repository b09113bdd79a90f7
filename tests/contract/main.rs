//! The contract, tested through the public doors. One module for each door.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on panics; clippy sees helpers of a test as no test"
)]

/// Bodies that are no events.
mod bad_input;
/// Batches, identity policies, and a queue that is away.
mod batches;
/// Who sees the console, and what acts through it.
mod console;
/// Ingest and reader with a queue and a portal behind them.
mod doors;
/// Recorded vectors, through the pure fold.
mod golden;
/// Recorded requests, through ingest and reader.
mod http_vectors;
/// The HubSpot client against the portal: outcomes, limits, retries, tokens.
mod hubspot_client;
/// The production transport over real sockets.
mod hubspot_dial;
/// The properties and groups of a portal, its midnight and its quota, through the client.
mod hubspot_setup;
/// The input rules, on the whole path.
mod input_rules;
/// The three compiled functions, as AWS runs them.
mod lambda;
/// Nothing personal in the journal.
mod log_canary;
/// Metrics that alarms and the dashboard need, and the alarms over them.
mod metrics;
/// What the embedded queue keeps across an end of the process, clean or torn.
mod queue_durability;
/// What every `Queue` does, over the embedded one and over the SQS protocol.
mod queue_laws;
/// Random histories of the embedded queue, compared with a model of a page.
mod queue_model;
/// When a waiting receiver of the embedded queue gets what was sent.
mod queue_waiting;

/// What the HubSpot simulator does, over both of its doors.
mod portal_laws;
/// What an attacker can send, and what it comes to.
mod security;
/// What the SQS adapter makes of answers other than success.
mod sqs_faults;

/// The other backend: events as HubSpot's own.
mod events_backend;
/// HubSpot away, and back, on the whole path.
mod outages;
/// What becomes of repairs on the whole path.
mod repairs;
/// What becomes of events on the whole path.
mod worker;

/// Events whose page did not wait for the answer.
mod gone_pages;
/// The deployment guide's Tests 1 to 6, over HTTP.
mod guide;
/// Recorded histories, over HTTP.
mod histories;
