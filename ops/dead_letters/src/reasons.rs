//! Each reason explained to an operator: what happened, and how to fix it.
//!
//! `docs/queue.md` has the same table. A reason of a newer worker is shown by its code.

use shared::dead_letter::Reason;

/// The code of a dead letter without a reason: SQS moved it here after `maxReceiveCount` receives.
pub const NO_REASON: &str = "NO_REASON";

/// A reason, explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explained {
    /// What happened.
    pub what: &'static str,
    /// How to fix it.
    pub fix: &'static str,
}

/// Explains a reason by its code.
pub fn explained(code: &str) -> Explained {
    let (what, fix) = match Reason::from_wire(code) {
        Some(Reason::Unreadable) => (
            "the body isn't an envelope: something other than ingest writes to the queue",
            "find what writes to the queue, then purge",
        ),
        Some(Reason::InvalidEvent) => (
            "the envelope is readable, but the event in it is invalid",
            "find what writes to the queue, then purge",
        ),
        Some(Reason::InvalidEmail) => (
            "HubSpot does not accept the e-mail address",
            "correct the address at its source and send the event again, then purge",
        ),
        Some(Reason::ContactNotFound) => (
            "no contact has this id, and the event has no e-mail to create one with",
            "let the site send e-mails too; if the contact was deleted, purge",
        ),
        Some(Reason::CorruptState) => (
            "the contact's hhl_progress_state can't be read; it was not overwritten",
            "restore it from the property's history in HubSpot, then replay",
        ),
        Some(Reason::StateTooLarge) => (
            "the state of the contact would exceed 65,536 characters",
            "fix what sends slugs that vary, clear them from the state, then replay",
        ),
        Some(Reason::Rejected) => (
            "HubSpot refuses this contact's values, often because of a rule in the portal",
            "change the rule or the contact that the detail names, then replay",
        ),
        None if code == NO_REASON => (
            "it was received 100 times, and the worker crashed or timed out each time",
            "find the cause in the worker's log and fix it, then replay",
        ),
        None => ("a newer worker gave this reason", "look it up in that version's documentation"),
    };
    Explained { what, fix }
}
