//! Custom events: their definitions, listed, made and compared with our table, and sending.
//!
//! HubSpot takes an event under its fully qualified name, `pe<portal's number>_<name>`, which only
//! the list of definitions tells. A batch is accepted or refused as a whole: an answer speaks of no
//! single event, and an event that was accepted can't be read back.
//!
//! **Invariant**: a send that may have been taken is [`CallFault::Unknown`], though each event has
//! an id: of the versions' texts, 2026-09's no longer promises that one id counts once.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::event::EventName;
use shared::event_definitions::{EVENT_PROPERTIES, EventProperty, PROPERTY_KIND, label};
use shared::state::instant;

use crate::call::Call;
use crate::classify;
use crate::client::{Client, percent_encoded};
use crate::fault::{CallFault, Effect, PortalFault, Refusal};
use crate::schema::{Made, null_is_default};
use crate::transport::Answer;
use crate::wire::{self, Batch, ErrorBody, OBJECT_NOT_FOUND};

/// The most events that one send may have.
pub const OCCURRENCES_MAX: usize = 500;
/// Definitions on a page of the list.
const PAGE_MAX: usize = 100;
/// Pages that are read: a portal has 500 definitions at most, so this is ample.
const PAGES_MAX: usize = 50;

/// One event that happened, as HubSpot is to hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventOccurrence {
    /// The fully qualified name of its definition.
    pub event: String,
    /// What tells it from every other of its name; sent again, it counts once.
    pub uuid: String,
    /// Whose it is.
    pub whom: Whom,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// What it is about, by the names of [`EVENT_PROPERTIES`].
    pub properties: BTreeMap<&'static str, String>,
}

/// Whose an event is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Whoever has this e-mail; HubSpot makes a contact where nobody has.
    Email(String),
    /// The contact of this record id.
    RecordId(String),
}

/// A custom event as the portal defines it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventDefinition {
    /// `pe<portal's number>_<name>`
    pub fully_qualified_name: String,
    /// Whether it was put away, and takes no events.
    #[serde(default, deserialize_with = "null_is_default")]
    pub archived: bool,
    /// What its occurrences may carry.
    #[serde(default, deserialize_with = "null_is_default")]
    pub properties: Vec<EventPropertyDefinition>,
}

/// A property of a custom event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EventPropertyDefinition {
    /// Internal name.
    pub name: String,
    /// HubSpot's `type`.
    #[serde(rename = "type", default, deserialize_with = "null_is_default")]
    pub kind: String,
}

/// What the portal puts before the name of each event: `pe<portal's number>_`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qualifier(String);

/// How a portal's events differ from our table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventDifference {
    /// The event is not defined: every occurrence would be refused.
    Missing {
        /// Its name.
        event: EventName,
    },
    /// It lacks a property that occurrences carry.
    Property {
        /// Its name.
        event: EventName,
        /// The property's name.
        name: &'static str,
    },
    /// A property has a type that our values don't fit.
    Kind {
        /// Its name.
        event: EventName,
        /// The property's name.
        name: &'static str,
        /// The type in the portal.
        theirs: String,
    },
}

impl EventDefinition {
    /// Which of ours it is, if it is one and takes events.
    pub fn event(&self) -> Option<EventName> {
        let (number, name) = self.fully_qualified_name.strip_prefix("pe")?.split_once('_')?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        EventName::from_wire(name).filter(|_| is_number && !self.archived)
    }
}

impl Qualifier {
    /// Learns it from a portal's definitions.
    ///
    /// # Errors
    /// [`PortalFault::UnfitEvent`], with the first difference from our table: what is sent to such
    /// a definition is refused, whatever the event.
    pub fn learn(definitions: &[EventDefinition]) -> Result<Self, PortalFault> {
        if let Some(difference) = compare(definitions).first() {
            return Err(PortalFault::UnfitEvent(difference.to_string()));
        }
        let prefix = definitions.iter().find_map(|definition| {
            definition.fully_qualified_name.strip_suffix(definition.event()?.as_str())
        });
        Ok(Self(prefix.unwrap_or_default().to_owned()))
    }

    /// An event's fully qualified name.
    pub fn qualified(&self, event: EventName) -> String {
        format!("{}{}", self.0, event.as_str())
    }
}

impl EventDifference {
    /// The event that it is about.
    pub fn event(&self) -> EventName {
        match self {
            Self::Missing { event } | Self::Property { event, .. } | Self::Kind { event, .. } => {
                *event
            }
        }
    }
}

impl fmt::Display for EventDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event = self.event().as_str();
        let create = "hint: run `milepost properties create --events`";
        match self {
            Self::Missing { .. } => write!(f, "{event} is not defined; {create}"),
            Self::Property { name, .. } => write!(f, "{event} lacks the property {name}; {create}"),
            Self::Kind { name, theirs, .. } => write!(
                f,
                "{event} has {name} of type {theirs}, not {PROPERTY_KIND}; hint: a type can't be \
                 changed: archive the event and create it anew"
            ),
        }
    }
}

/// How the portal's events differ from our table, in the table's order.
pub fn compare(theirs: &[EventDefinition]) -> Vec<EventDifference> {
    let mut differences = Vec::new();
    for event in EventName::ALL {
        let Some(their) = theirs.iter().find(|their| their.event() == Some(event)) else {
            differences.push(EventDifference::Missing { event });
            continue;
        };
        for ours in EVENT_PROPERTIES {
            let name = ours.name;
            match their.properties.iter().find(|property| property.name == name) {
                None => differences.push(EventDifference::Property { event, name }),
                Some(property) if property.kind != PROPERTY_KIND => {
                    let theirs = property.kind.clone();
                    differences.push(EventDifference::Kind { event, name, theirs });
                }
                Some(_) => {}
            }
        }
    }
    differences
}

impl Client {
    /// Sends up to [`OCCURRENCES_MAX`] events. `Ok` means that HubSpot has accepted every one.
    ///
    /// # Errors
    /// As every write: see [`CallFault`]. A [`CallFault::Request`] means that none was accepted; of
    /// an event that is not defined HubSpot may say no more than that.
    pub async fn send_events(&self, occurrences: &[EventOccurrence]) -> Result<(), CallFault> {
        if occurrences.is_empty() {
            return Ok(());
        }
        let inputs: Vec<Input<'_>> = occurrences.iter().map(Input::from).collect();
        let path = format!("{}/send/batch", self.version().events());
        let call =
            Call::write(Method::POST, path.clone()).with_body(wire::body(&Batch { inputs })?);
        let answer = self.call(call.expecting(&[404])).await?;
        match answer.status {
            404 => Err(not_found(&answer, &path)),
            // No version documents it. What it says of each event would be lost.
            207 => Err(CallFault::Unknown("status 207 to a batch of events".to_owned())),
            _ => Ok(()),
        }
    }

    /// All custom events that the portal defines, with their properties.
    ///
    /// # Errors
    /// As every read: see [`CallFault`].
    pub async fn list_event_definitions(&self) -> Result<Vec<EventDefinition>, CallFault> {
        let mut definitions = Vec::new();
        let mut after = String::new();
        for _ in 0..PAGES_MAX {
            let path = format!(
                "{}/event-definitions?limit={PAGE_MAX}&includeProperties=true{after}",
                self.version().events()
            );
            let page: Page = wire::read(&self.call(Call::read(Method::GET, path)).await?)?;
            // One that can't be read is none of ours, or will be said to be missing.
            let readable = page.results.into_iter().map(serde_json::from_value);
            definitions.extend(readable.filter_map(Result::<EventDefinition, _>::ok));
            match page.paging.and_then(|paging| paging.next) {
                Some(next) => after = format!("&after={}", percent_encoded(&next.after)),
                None => break,
            }
        }
        Ok(definitions)
    }

    /// Makes the definition of an event. The portal may show it a moment later.
    ///
    /// # Errors
    /// As every write: see [`CallFault`].
    pub async fn create_event_definition(&self, event: EventName) -> Result<Made, CallFault> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Create {
            name: &'static str,
            label: &'static str,
            description: &'static str,
            primary_object: &'static str,
            include_default_properties: bool,
            property_definitions: [PropertyCreate; EVENT_PROPERTIES.len()],
        }
        let create = Create {
            name: event.as_str(),
            label: label(event),
            description: "Happened on the learning site; sent by Milepost.",
            primary_object: "CONTACT",
            // Those are of browsers and pages, which Milepost knows nothing of.
            include_default_properties: false,
            property_definitions: EVENT_PROPERTIES.map(PropertyCreate::from),
        };
        self.make(format!("{}/event-definitions", self.version().events()), &create).await
    }

    /// Adds a property to an event that is defined.
    ///
    /// # Errors
    /// As every write: see [`CallFault`].
    pub async fn create_event_property(
        &self,
        definition: &EventDefinition,
        property: EventProperty,
    ) -> Result<Made, CallFault> {
        let name = percent_encoded(&definition.fully_qualified_name);
        let path = format!("{}/event-definitions/{name}/property", self.version().events());
        self.make(path, &PropertyCreate::from(property)).await
    }
}

#[derive(Serialize)]
struct PropertyCreate {
    name: &'static str,
    label: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
}

impl From<EventProperty> for PropertyCreate {
    fn from(EventProperty { name, label }: EventProperty) -> Self {
        Self { name, label, kind: PROPERTY_KIND }
    }
}

/// A 404 that names an object is about what was sent; any other is about the path.
fn not_found(answer: &Answer, path: &str) -> CallFault {
    let body = ErrorBody::of(&answer.body);
    if body.text("category") == OBJECT_NOT_FOUND {
        return CallFault::Request(Box::new(Refusal::of(answer.status, &body)));
    }
    classify::of_answer(answer, Effect::Write, path)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Input<'a> {
    event_name: &'a str,
    uuid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_id: Option<&'a str>,
    occurred_at: String,
    properties: &'a BTreeMap<&'static str, String>,
}

impl<'a> From<&'a EventOccurrence> for Input<'a> {
    fn from(occurrence: &'a EventOccurrence) -> Self {
        let EventOccurrence { event, uuid, whom, occurred_at, properties } = occurrence;
        let (email, object_id) = match whom {
            Whom::Email(email) => (Some(email.as_str()), None),
            Whom::RecordId(id) => (None, Some(id.as_str())),
        };
        let occurred_at = instant(*occurred_at);
        Self { event_name: event, uuid, email, object_id, occurred_at, properties }
    }
}

#[derive(Deserialize)]
struct Page {
    results: Vec<Value>,
    paging: Option<Paging>,
}

#[derive(Deserialize)]
struct Paging {
    next: Option<Next>,
}

#[derive(Deserialize)]
struct Next {
    after: String,
}

#[cfg(test)]
mod tests;
