//! The fates that a message can have: a closed list.
//!
//! **Invariant**: a message gets exactly one, and whoever gets one to carry out must use it.

use std::time::Duration;

use shared::dead_letter::Verdict;
use shared::envelope::Envelope;
use shared::ports::Outgoing;

use crate::held::{Held, Opened};

/// The fate of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Settlement {
    /// HubSpot is known to hold its effect.
    Applied,
    /// It is an event of somebody who was deleted for good: it has no effect any more.
    Forgotten,
    /// It belongs to another group: this message, there.
    HandedOn(Outgoing),
    /// It can never succeed.
    DeadLettered(Verdict),
    /// It comes again after this long.
    Retry(Duration, Cause),
}

/// Why a message comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Of the moment: a limit, an outage, a conflict that a new read resolves.
    Moment,
    /// Of the portal or the day, or a newer version: it waits, however long it takes.
    Parked,
    /// A write's outcome is unknown: the contact is left alone for the quarantine.
    Quarantined,
}

/// A message with its fate.
#[derive(Debug)]
pub struct Settled {
    /// The message.
    pub held: Held,
    /// What was in it, if it could be opened.
    pub envelope: Option<Envelope>,
    /// Its fate.
    pub settlement: Settlement,
}

impl Settled {
    /// Settles an opened message.
    pub fn of(opened: Opened, fate: impl Fn(&Opened) -> Settlement) -> Self {
        let settlement = fate(&opened);
        Self { held: opened.held, envelope: Some(opened.envelope), settlement }
    }
}
