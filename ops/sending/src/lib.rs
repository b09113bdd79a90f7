//! The commands that send events from files: [`track`] to a front door, [`recover`] and
//! `track --envelopes` onto the queue itself.
//!
//! **Invariant**: the same file sends the same ids in every run, so to run a command again never
//! counts an event twice.

pub mod recover;
pub mod track;

mod input;
mod requeue;
