//! The rules of the pure core, one by one, by table: where a property says too little and a
//! recorded vector does not come by.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on panics")]

/// What is wrong with a catalog, and what follows from one.
mod catalog;
/// The message that goes to the dead-letter queue.
mod dead_letter;
/// What crosses the queue.
mod envelope;
/// Which time counts.
mod event;
/// Answers and headers.
mod http;
/// Tokens, e-mails, and whom a request is about.
mod identity;
/// What changes of a contact.
mod milestones;
/// What a queue does with receipts.
mod ports;
/// Every variable's default and check.
mod settings;
/// What is read out of a stored state, and what is refused.
mod state;
/// The limits and the form of a request's body.
mod submission;
/// Small tables of names and sums.
mod tables;
