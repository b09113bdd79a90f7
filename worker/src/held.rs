//! Messages in hand: where they came from, and what is in them.

use shared::envelope::Envelope;
use shared::ports::Delivery;

/// A message in hand, with where it came from.
#[derive(Debug)]
pub struct Held {
    /// The message.
    pub delivery: Delivery,
    /// Who deletes it once it is settled.
    pub origin: Origin,
}

/// Who deletes a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The event source that invoked us, after we return, unless we name it as failed.
    Invocation,
    /// We took it ourselves and delete it ourselves.
    ToppedUp,
}

/// A message that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The message.
    pub held: Held,
    /// What is in it.
    pub envelope: Envelope,
}
