//! A dead letter as an operator sees it.
//!
//! In: a delivery of the dead-letter queue. Out: its short id, its reason, and what may be shown of
//! it. A contact is named by its message group; only an operator who asks sees who it is.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use shared::envelope::{Content, Envelope, deduplication_id};
use shared::ports::{Delivery, Receipt};
use shared::slug::Slug;
use shared::state::instant;

use crate::reasons::NO_REASON;

/// The length of a dead letter's id, in characters.
const ID_CHARS: usize = 16;

/// One dead letter.
#[derive(Debug)]
pub struct DeadLetter {
    /// Its id, made from its group and body: the same in every run, whatever the queue calls it.
    pub id: String,
    /// The queue's id for it.
    pub message_id: String,
    /// Its deduplication id. The worker keeps the one of the event's message.
    pub deduplication_id: String,
    /// The contact's message group.
    pub group: String,
    /// The body, unchanged.
    pub body: String,
    /// The reason's code.
    pub reason: String,
    /// When it died.
    pub failed_at: DateTime<Utc>,
    /// The envelope, if the body can be read as one.
    pub envelope: Option<Envelope>,
    detail: Option<String>,
    attempts: Option<String>,
    correlation_id: Option<String>,
}

/// What anybody may see of a dead letter. It names no person.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown<'a> {
    /// Its id.
    pub id: &'a str,
    /// The reason's code.
    pub reason: &'a str,
    /// What the worker added to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<&'a str>,
    /// When it died.
    pub failed_at: String,
    /// How often it was received before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<&'a str>,
    /// HubSpot's correlation id, or the event's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<&'a str>,
    /// The message group.
    pub contact: &'a str,
    /// How long the body is.
    pub body_bytes: usize,
    /// What happened, if it is an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<ShownEvent<'a>>,
    /// Which repair it is, if it isn't an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repair: Option<&'static str>,
}

impl Shown<'_> {
    /// The dead letter on one line: its id, why and when it died, and what it is.
    pub fn in_short(&self) -> String {
        let Self { id, reason, failed_at, .. } = self;
        let what = self.event.as_ref().map(|event| event.name).or(self.repair);
        format!("{id}  {reason} {failed_at}, {}", what.unwrap_or("unreadable"))
    }
}

/// The event, without the person.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownEvent<'a> {
    /// The event's name.
    pub name: &'static str,
    /// When it happened.
    pub at: String,
    accepted_at: String,
    /// Its pathway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pathway: Option<&'a str>,
    /// Its course.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub course: Option<&'a str>,
    /// Its module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<&'a str>,
}

/// A dead letter as it is exported: all of it, addresses included.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Exported<'a> {
    id: &'a str,
    message_id: &'a str,
    group: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    failed_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    envelope: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
}

impl DeadLetter {
    /// The dead letter that was delivered, and the receipt that settles it.
    pub fn of(delivery: Delivery) -> (Self, Receipt) {
        let Delivery { message_id, receipt, body, group, sent_at, .. } = delivery;
        let sent_as = delivery.deduplication_id;
        let mut attributes = delivery.attributes;
        let mut id = deduplication_id(&group, &body);
        id.truncate(ID_CHARS);
        let failed_at = attributes
            .remove("failedAt")
            .and_then(|text| DateTime::parse_from_rfc3339(&text).ok())
            .map_or(sent_at, |time| time.to_utc());
        let letter = Self {
            id,
            reason: attributes.remove("reason").unwrap_or_else(|| NO_REASON.to_owned()),
            failed_at,
            envelope: Envelope::open(&body).ok(),
            detail: attributes.remove("detail"),
            attempts: attributes.remove("attempts"),
            correlation_id: attributes.remove("correlationId"),
            message_id,
            deduplication_id: sent_as,
            group,
            body,
        };
        (letter, receipt)
    }

    /// What anybody may see.
    pub fn shown(&self) -> Shown<'_> {
        let envelope = self.envelope.as_ref();
        let (event, repair) = match envelope.map(|envelope| &envelope.content) {
            Some(Content::Event(happening)) => (
                Some(ShownEvent {
                    name: happening.event.name().as_str(),
                    at: instant(happening.at),
                    accepted_at: envelope.map(|e| instant(e.accepted_at)).unwrap_or_default(),
                    pathway: happening.event.pathway().map(Slug::as_str),
                    course: happening.event.course().map(Slug::as_str),
                    module: happening.event.module().map(Slug::as_str),
                }),
                None,
            ),
            Some(Content::Recompute) => (None, Some("recompute")),
            Some(Content::Forget) => (None, Some("forget")),
            None => (None, None),
        };
        Shown {
            id: &self.id,
            reason: &self.reason,
            detail: self.detail.as_deref(),
            failed_at: instant(self.failed_at),
            attempts: self.attempts.as_deref(),
            correlation_id: self.correlation_id.as_deref(),
            contact: &self.group,
            body_bytes: self.body.len(),
            event,
            repair,
        }
    }

    /// All of it, as one line of an export. A body that isn't valid JSON stays a text.
    pub fn exported(&self) -> impl Serialize + '_ {
        let envelope: Option<Value> =
            serde_json::from_str(&self.body).ok().filter(Value::is_object);
        Exported {
            id: &self.id,
            message_id: &self.message_id,
            group: &self.group,
            reason: &self.reason,
            detail: self.detail.as_deref(),
            failed_at: instant(self.failed_at),
            attempts: self.attempts.as_deref(),
            correlation_id: self.correlation_id.as_deref(),
            body: envelope.is_none().then_some(self.body.as_str()),
            envelope,
        }
    }
}

/// The deduplication id under which a dead letter goes back to the events queue. It differs from the
/// event's own, or the queue could drop it as a duplicate. It is the same every time, so that of two
/// replays the queue drops the second.
pub fn replay_id(group: &str, message_id: &str) -> String {
    deduplication_id(group, &format!("replay {message_id}"))
}
