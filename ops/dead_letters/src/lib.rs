//! The dead letters of any queue: listed, explained, and sent back.
//!
//! A [`scan`] receives every dead letter and holds it, a [`filter`] says which ones an operator
//! chose, [`reasons`] explains why they died, and [`replay`] sends them back to the events queue and
//! reports what became of each. The command line and the console both use these, and have no other
//! way to a dead letter.
//!
//! **Invariant**: everything goes through the `Queue` port, so that it works the same over every
//! queue.

use std::sync::Arc;

use shared::ports::{Clock, Entropy, Queue};

pub mod dead_letter;
pub mod filter;
pub mod pace;
pub mod reasons;
pub mod replay;
pub mod report;
pub mod scan;

/// The two queues, and what it takes to work with them.
#[derive(Clone)]
pub struct Queues {
    /// Events.
    pub events: Arc<dyn Queue>,
    /// Dead letters.
    pub dead_letters: Arc<dyn Queue>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}
