//! The dead letters of any queue: seen, understood, and sent back.
//!
//! A [`walk`] receives every letter and holds it, [`meant`] says which are meant, [`reasons`]
//! explains why they died, [`replay`] sends them back to the events queue and tells what became of
//! each. The command line and the console are two faces of it; neither has a way of its own.
//!
//! **Invariant**: it works through the `Queue` port alone, so that what holds for one queue holds
//! for every one.

use std::sync::Arc;

use shared::ports::{Clock, Entropy, Queue};

pub mod letter;
pub mod meant;
pub mod pace;
pub mod reasons;
pub mod replay;
pub mod report;
pub mod walk;

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
