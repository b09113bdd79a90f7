//! What an operator is told about each reason: what happened, and the mend.
//!
//! `docs/queue.md` has the same table; a reason of a newer worker is shown by its word.

use shared::dead_letter::Reason;

/// The word for a letter that carries no reason: it came through the queue's own backstop.
pub const NO_REASON: &str = "NO_REASON";

/// What there is to say about a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explained {
    /// What happened.
    pub what: &'static str,
    /// What to do about it.
    pub mend: &'static str,
}

/// Explains a reason by its word.
pub fn explained(word: &str) -> Explained {
    let (what, mend) = match Reason::from_wire(word) {
        Some(Reason::Unreadable) => (
            "the body is no envelope: something beside ingest writes to the queue",
            "find what writes to the queue, then purge",
        ),
        Some(Reason::InvalidEvent) => (
            "the envelope is readable, and the event in it can't be",
            "find what writes to the queue, then purge",
        ),
        Some(Reason::InvalidEmail) => (
            "HubSpot does not take the e-mail address",
            "correct the address at its source and send the event again, then purge",
        ),
        Some(Reason::ContactNotFound) => (
            "no contact has this id, and the event has no e-mail to create one by",
            "let the site send e-mails too; if the contact was deleted, purge",
        ),
        Some(Reason::CorruptState) => (
            "hhl_progress_state of the contact can't be understood; nothing was written over it",
            "restore it from the property's history in HubSpot, then replay",
        ),
        Some(Reason::StateTooLarge) => (
            "the state of the contact would exceed 65,536 characters",
            "mend what sends slugs that vary, clear them from the state, then replay",
        ),
        Some(Reason::Rejected) => (
            "HubSpot refuses the values of this contact, often by a rule of the portal",
            "change the rule or the contact that the detail names, then replay",
        ),
        None if word == NO_REASON => (
            "it was received 100 times: the worker itself ended each time",
            "read in the worker's log how it ended and mend that, then replay",
        ),
        None => ("a newer worker gave this reason", "look it up in the documents of that version"),
    };
    Explained { what, mend }
}
