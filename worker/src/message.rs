//! Messages in hand: where each came from, and what is in it.

use shared::envelope::Envelope;
use shared::ports::Delivery;

/// A message as it was received.
#[derive(Debug)]
pub struct Received {
    /// The message, with the receipt that settles it.
    pub delivery: Delivery,
    /// Who deletes it.
    pub origin: Origin,
}

/// Who deletes a message once it is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The event source that invoked the worker deletes it, unless the worker names it as failed.
    Invocation,
    /// The worker received it and deletes it.
    ToppedUp,
}

/// A message whose body could be read.
#[derive(Debug)]
pub struct Message {
    /// The message as it was received.
    pub received: Received,
    /// What is in it.
    pub envelope: Envelope,
}

impl Message {
    /// Its message group: one contact.
    pub fn group(&self) -> &str {
        &self.received.delivery.group
    }
}
