//! What can happen to a message: a closed list.
//!
//! **Invariant**: every message gets exactly one settlement, and whoever gets one must use it.

use std::time::Duration;

use shared::dead_letter::FailureReason;
use shared::envelope::Envelope;
use shared::ports::Outgoing;

use crate::message::{Message, Received};

/// What happens to one message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Settlement {
    /// HubSpot is known to hold its effect.
    Applied,
    /// Its person was deleted permanently, so the event has no effect anymore.
    Forgotten,
    /// It belongs to another group and is sent there, as this message.
    HandedOn(Outgoing),
    /// It can never succeed.
    DeadLettered(FailureReason),
    /// It comes again after this time.
    Retry(Duration, Cause),
}

/// Why a message comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A limit, an outage, or a conflict that a new read resolves.
    Transient,
    /// The portal refuses the app, the day is spent, or the message needs a newer worker. It waits
    /// for as long as that takes.
    Parked,
    /// The outcome of a write is unknown: the contact is left alone for the quarantine.
    Quarantined,
}

/// A message with its settlement.
#[derive(Debug)]
pub struct Settled {
    /// The message.
    pub received: Received,
    /// What was in it, if its body could be read.
    pub envelope: Option<Envelope>,
    /// What happens to it.
    pub settlement: Settlement,
}

impl Settled {
    /// Settles a message.
    pub fn of(message: Message, fate: impl Fn(&Message) -> Settlement) -> Self {
        let settlement = fate(&message);
        Self { received: message.received, envelope: Some(message.envelope), settlement }
    }

    /// Settles messages, each by the same rule.
    pub fn all(messages: Vec<Message>, fate: impl Fn(&Message) -> Settlement) -> Vec<Self> {
        messages.into_iter().map(|message| Self::of(message, &fate)).collect()
    }

    /// Lets messages come again later; the wait depends on how often each was received.
    pub fn put_off(messages: Vec<Message>, wait: impl Fn(u32) -> (Duration, Cause)) -> Vec<Self> {
        Self::all(messages, |message| {
            let (after, cause) = wait(message.received.delivery.receive_count);
            Settlement::Retry(after, cause)
        })
    }
}
