//! What is written down about the work: log lines and figures, as values.
//!
//! The core says them to a [`Journal`](crate::ports::Journal); the host writes them out as JSON
//! lines and CloudWatch's embedded metric format, a test keeps them and looks for what must not
//! be there.
//!
//! **Invariant**: no e-mail, token or body in a line. A contact stands there as its message group,
//! which is a hash. The one exception is ingest's fallback line, which `milepost recover` reads.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

pub use crate::settings::LogLevel;

/// One log line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Error: a person is needed. Warn: nothing is lost, but look. Info: one wide line a request
    /// and a contact written. Debug: what needed no write, too.
    pub level: LogLevel,
    /// What happened, without values: lines with the same message are about the same thing.
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

/// The figures, by the names that alarms and the dashboard use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Figure {
    /// Events that ingest put on the queue.
    EventsAccepted,
    /// Events that ingest refused.
    EventsRejected,
    /// Events that stand in a log line because the queue did not take them.
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
    /// Calls left in HubSpot's window, as it last said.
    HubSpotRemaining,
    /// Calls left in the portal's day, as it last said.
    DailyRemaining,
    /// Messages that wait for a portal that refuses us, or for the next day.
    Parked,
    /// Messages whose contact is left alone because a write's outcome is unknown.
    Quarantined,
    /// Age of the oldest event of a pass, in seconds since it was accepted.
    OldestEventAge,
    /// From accept to known effect, in seconds.
    TimeToCrm,
    /// Events whose own time was missing or absurd, so that the receive time stands in.
    TimesReplaced,
    /// Event ids that two different events of one request have.
    EventIdsReused,
    /// Contact ids that no contact can have, beside an e-mail that serves in their place.
    ContactIdsIgnored,
    /// Completions that were claimed and that the progress does not bear out.
    UnsupportedClaims,
    /// Contacts whose state has more than 80 % of its property's length.
    StatesNearLimit,
    /// Events that were dropped because their person is forgotten.
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
