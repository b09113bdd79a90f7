//! Dead letters: the closed list of reasons, and the attributes that carry them.
//!
//! A dead letter keeps the body, so that it can be replayed, and says on it why it is dead. Only a
//! permanent fault of that one event or contact makes one; an outage never does.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::ports::{Delivery, Outgoing};
use crate::state::instant;

/// The longest detail, in characters: what an operator reads on one line or two.
const DETAIL_CHARS_MAX: usize = 500;

/// Why a message can never succeed as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The envelope is fine, the event in it is not.
    InvalidEvent,
    /// HubSpot does not take the e-mail.
    InvalidEmail,
    /// There is no such contact id, and no e-mail to create one by.
    ContactNotFound,
    /// The contact's stored state can't be understood.
    CorruptState,
    /// The joined state would not fit into its property.
    StateTooLarge,
    /// HubSpot refuses this contact's values.
    Rejected,
    /// The body is no envelope.
    Unreadable,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::InvalidEvent,
        Self::InvalidEmail,
        Self::ContactNotFound,
        Self::CorruptState,
        Self::StateTooLarge,
        Self::Rejected,
        Self::Unreadable,
    ];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidEvent => "INVALID_EVENT",
            Self::InvalidEmail => "INVALID_EMAIL",
            Self::ContactNotFound => "CONTACT_NOT_FOUND",
            Self::CorruptState => "CORRUPT_STATE",
            Self::StateTooLarge => "STATE_TOO_LARGE",
            Self::Rejected => "REJECTED",
            Self::Unreadable => "UNREADABLE",
        }
    }

    /// The reason of this word, if there is one.
    pub fn from_wire(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// Why a message can never succeed, for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureReason {
    /// Why.
    pub reason: Reason,
    /// More of it, without personal data.
    pub detail: String,
    /// HubSpot's correlation id where HubSpot refused, else the event's own; may be empty.
    pub correlation_id: String,
}

/// The message that goes to the dead-letter queue in place of a delivery.
///
/// It keeps the deduplication id. So a message that was sent there and could not be deleted is there
/// once, even if it comes again within five minutes.
pub fn dead_letter(
    delivery: &Delivery,
    failure: &FailureReason,
    failed_at: DateTime<Utc>,
) -> Outgoing {
    let detail: String = failure
        .detail
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(DETAIL_CHARS_MAX)
        .collect();
    let attributes = [
        ("reason", failure.reason.as_str().to_owned()),
        ("detail", detail),
        ("failedAt", instant(failed_at)),
        ("attempts", delivery.receive_count.to_string()),
        ("correlationId", failure.correlation_id.clone()),
    ];
    Outgoing {
        body: delivery.body.clone(),
        group: delivery.group.clone(),
        deduplication_id: delivery.deduplication_id.clone(),
        // SQS refuses an attribute without a value.
        attributes: attributes
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<BTreeMap<_, _>>(),
    }
}
