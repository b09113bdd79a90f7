//! What a process writes down about its work, as values: log lines, contacts written, and figures.
//!
//! In: what ingest, worker and reader hand to a [`Journal`](crate::ports::Journal). Out: the host
//! writes JSON lines and CloudWatch's embedded metric format, the console keeps recent figures, and
//! tests check what must never be logged.
//!
//! **Invariant**: a line holds no e-mail, token or body. It names a contact by its message group,
//! which is a hash. The only exception is ingest's fallback line, which `milepost recover` reads.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use crate::settings::LogLevel;

/// One log line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Error: a person is needed. Warn: nothing is lost, but it needs attention. Info: one wide line
    /// for each request and each contact written. Debug: contacts that needed no write, too.
    pub level: LogLevel,
    /// What happened, without values: the same message always means the same thing.
    pub message: Cow<'static, str>,
    /// The values, units in their names (`wait_ms`).
    pub fields: BTreeMap<&'static str, Value>,
}

impl Line {
    /// A line without fields.
    pub fn new(level: LogLevel, message: impl Into<Cow<'static, str>>) -> Self {
        Self { level, message: message.into(), fields: BTreeMap::new() }
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.fields.insert(name, value.into());
        self
    }
}

/// A contact that HubSpot is known to hold as written. It becomes one log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactWritten {
    /// The contact's message group.
    pub group: Option<String>,
    /// HubSpot's record id.
    pub record_id: String,
    /// Whether the write created the contact.
    pub is_new: bool,
    /// Messages that went into the write.
    pub events: usize,
    /// The names of their events; empty if all of them were repairs.
    pub event_names: BTreeSet<&'static str>,
    /// The names of the properties that were written.
    pub properties: Vec<String>,
    /// The length of the stored state, in characters.
    pub state_chars: usize,
    /// The correlation id of the first message.
    pub correlation_id: Option<String>,
}

impl From<ContactWritten> for Line {
    fn from(contact: ContactWritten) -> Self {
        let message = match contact.event_names.is_empty() {
            true => "Contact recomputed from its state".to_owned(),
            false => {
                let names = Vec::from_iter(contact.event_names).join(", ");
                format!("Track event (persisted via properties) {names}")
            }
        };
        Self::new(LogLevel::Info, message)
            .with("contact", contact.group)
            .with("events", contact.events)
            .with("correlation_id", contact.correlation_id)
            .with("contact_id", contact.record_id)
            .with("created", contact.is_new)
            .with("properties", contact.properties.join(","))
            .with("state_chars", contact.state_chars)
    }
}

/// The figures, by the names that alarms and the dashboard use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Figure {
    /// Events that ingest put on the queue.
    EventsAccepted,
    /// Events that ingest refused.
    EventsRejected,
    /// Events that ingest logged because the queue did not take them.
    EventsFallback,
    /// Events whose effect HubSpot is known to hold.
    EventsApplied,
    /// Events that went to the dead-letter queue.
    EventsDeadLettered,
    /// Contacts that were created.
    ContactsCreated,
    /// Contacts that were written, created ones among them.
    ContactsWritten,
    /// Contacts that held everything already.
    ContactsUnchanged,
    /// Events per contact in a pass.
    CoalescingRatio,
    /// Calls made to HubSpot.
    HubSpotCalls,
    /// 429 answers.
    HubSpotThrottled,
    /// Calls left in HubSpot's ten-second window, as of its last answer.
    HubSpotRemaining,
    /// Calls left in the portal's day, as of HubSpot's last answer.
    DailyRemaining,
    /// Messages that wait because the portal refuses the app, or because the day's calls are spent.
    Parked,
    /// Messages that wait because the outcome of a write to their contact is unknown.
    Quarantined,
    /// Age of the oldest event of a pass, in seconds since it was accepted.
    OldestEventAge,
    /// From accepting an event to its known effect in HubSpot, in seconds.
    TimeToCrm,
    /// Events whose own time was missing or absurd, so that the receive time counts.
    TimesReplaced,
    /// Event ids that two different events of one request have.
    EventIdsReused,
    /// Contact ids that no contact can have, beside an e-mail that serves in their place.
    ContactIdsIgnored,
    /// Completions that an event claimed and the stored progress does not show.
    UnsupportedClaims,
    /// Contacts whose state takes up more than 80 % of its property.
    StatesNearLimit,
    /// Events that were dropped because their person was forgotten.
    EventsForgotten,
}

impl Figure {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::EventsAccepted,
        Self::EventsRejected,
        Self::EventsFallback,
        Self::EventsApplied,
        Self::EventsDeadLettered,
        Self::ContactsCreated,
        Self::ContactsWritten,
        Self::ContactsUnchanged,
        Self::CoalescingRatio,
        Self::HubSpotCalls,
        Self::HubSpotThrottled,
        Self::HubSpotRemaining,
        Self::DailyRemaining,
        Self::Parked,
        Self::Quarantined,
        Self::OldestEventAge,
        Self::TimeToCrm,
        Self::TimesReplaced,
        Self::EventIdsReused,
        Self::ContactIdsIgnored,
        Self::UnsupportedClaims,
        Self::StatesNearLimit,
        Self::EventsForgotten,
    ];

    /// The metric's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::EventsAccepted => "EventsAccepted",
            Self::EventsRejected => "EventsRejected",
            Self::EventsFallback => "EventsFallback",
            Self::EventsApplied => "EventsApplied",
            Self::EventsDeadLettered => "EventsDeadLettered",
            Self::ContactsCreated => "ContactsCreated",
            Self::ContactsWritten => "ContactsWritten",
            Self::ContactsUnchanged => "ContactsUnchanged",
            Self::CoalescingRatio => "CoalescingRatio",
            Self::HubSpotCalls => "HubSpotCalls",
            Self::HubSpotThrottled => "HubSpotThrottled",
            Self::HubSpotRemaining => "HubSpotRemaining",
            Self::DailyRemaining => "DailyRemaining",
            Self::Parked => "Parked",
            Self::Quarantined => "Quarantined",
            Self::OldestEventAge => "OldestEventAge",
            Self::TimeToCrm => "TimeToCrm",
            Self::TimesReplaced => "TimesReplaced",
            Self::EventIdsReused => "EventIdsReused",
            Self::ContactIdsIgnored => "ContactIdsIgnored",
            Self::UnsupportedClaims => "UnsupportedClaims",
            Self::StatesNearLimit => "StatesNearLimit",
            Self::EventsForgotten => "EventsForgotten",
        }
    }

    /// CloudWatch's unit.
    pub fn unit(self) -> &'static str {
        match self {
            Self::CoalescingRatio => "None",
            Self::OldestEventAge | Self::TimeToCrm => "Seconds",
            _ => "Count",
        }
    }
}
