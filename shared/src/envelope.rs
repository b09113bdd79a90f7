//! The envelope: the one thing that crosses the queue.
//!
//! Ingest seals a [`Happening`] with whom it is about into a versioned JSON body, and the command
//! line a repair; the worker opens it. The types on the wire are apart from the types that compute,
//! so that either can change.
//!
//! **Invariant**: a body that was sealed opens to an equal envelope, and a newer version is told
//! from garbage: the one is left for a newer worker, the other is a dead letter.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use crate::event::{Event, EventName, Fields, Page, Ts};
use crate::facts::Happening;
use crate::identity::{Person, sha256_hex};
use crate::ports::Outgoing;
use crate::slug::{Slug, SlugFault};
use crate::state::instant;

/// The newest version that this code reads.
pub const VERSION: u64 = REPAIR_VERSION;
/// What an event is written as.
const EVENT_VERSION: u64 = 1;
/// What a repair is written as: a worker that knows events only leaves it for a newer one, where it
/// would bury a kind that it does not know.
const REPAIR_VERSION: u64 = 2;

/// One event, or one repair, on its way, with whom it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The event id, as given or made. A repair has one of its own.
    pub id: String,
    /// Ties log lines of ingest and worker together: the request's id.
    pub correlation_id: String,
    /// When ingest accepted it, or a command sent it.
    pub accepted_at: DateTime<Utc>,
    /// Whom it is about.
    pub person: Person,
    /// What it is.
    pub content: Content,
    /// Whether a worker sent it on to the contact's canonical group. For whoever reads the queue.
    pub hopped: bool,
}

/// What an envelope is sent for. Repairs are envelopes so that the contact's group, which is the
/// lock, serves them too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Something happened.
    Event(Happening),
    /// What is derived from the contact's state is derived anew. It carries nothing: the state that
    /// counts is the one that the worker reads.
    Recompute,
    /// The contact is deleted for good, and the person's events beside it have no effect any more.
    Forget,
}

/// A body that is no envelope of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenFault {
    /// A newer ingest wrote it: leave it for a newer worker.
    #[error("the envelope has version {0}, and this worker reads up to {VERSION}")]
    Newer(u64),
    /// It will never be read.
    #[error("the body is no envelope: {0}")]
    Unreadable(String),
    /// It is an envelope, and its event can't be.
    #[error("the envelope holds no valid event: {0}")]
    Invalid(String),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    v: u64,
    kind: Kind,
    id: String,
    #[serde(default)]
    correlation_id: String,
    accepted_at: String,
    contact: WireContact,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<WireEvent>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    hopped: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Event,
    Recompute,
    Forget,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireContact {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contact_id: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct WireEvent {
    name: String,
    at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pathway: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    course: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    module: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    viewed: Option<WirePage>,
}

#[derive(Serialize, Deserialize)]
struct WirePage {
    #[serde(rename = "type")]
    content_type: String,
    slug: String,
}

#[derive(Deserialize)]
struct Version {
    v: u64,
}

impl Envelope {
    /// What happened, unless it is a repair.
    pub fn happening(&self) -> Option<&Happening> {
        match &self.content {
            Content::Event(happening) => Some(happening),
            Content::Recompute | Content::Forget => None,
        }
    }

    /// The message that carries it, in its person's group.
    pub fn seal(&self) -> Outgoing {
        let group = self.person.group();
        Outgoing {
            body: self.body(),
            deduplication_id: deduplication_id(&group, &self.unique_id()),
            group,
            attributes: BTreeMap::new(),
        }
    }

    /// What is equal for two envelopes only if they are the same event under the same id: the id
    /// with what the event says. Two events under one id are two.
    ///
    /// A time that only stands in for the event's own, which is the time of receipt, is not part of
    /// it: an event that is sent twice says the same twice.
    pub fn unique_id(&self) -> String {
        let says = match &self.content {
            Content::Event(happening) => {
                let mut event = WireEvent::of(happening);
                if happening.at == self.accepted_at.trunc_subsecs(3) {
                    event.at.clear();
                }
                serde_json::to_string(&event).unwrap_or_default()
            }
            Content::Recompute => "recompute".to_owned(),
            Content::Forget => "forget".to_owned(),
        };
        format!("{}\n{says}", self.id)
    }

    /// The JSON body.
    pub fn body(&self) -> String {
        let (v, kind, event) = match &self.content {
            Content::Event(happening) => {
                (EVENT_VERSION, Kind::Event, Some(WireEvent::of(happening)))
            }
            Content::Recompute => (REPAIR_VERSION, Kind::Recompute, None),
            Content::Forget => (REPAIR_VERSION, Kind::Forget, None),
        };
        let wire = Wire {
            v,
            kind,
            id: self.id.clone(),
            correlation_id: self.correlation_id.clone(),
            accepted_at: instant(self.accepted_at),
            contact: WireContact {
                email: self.person.email().map(str::to_owned),
                contact_id: self.person.contact_id().map(str::to_owned),
            },
            event,
            hopped: self.hopped,
        };
        let json = serde_json::to_string(&wire).unwrap_or_default();
        // SQS refuses these two; inside JSON they can only stand in a string, where this is equal.
        json.replace('\u{FFFE}', "\\ufffe").replace('\u{FFFF}', "\\uffff")
    }

    /// Opens a body.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(body: &str) -> Result<Self, OpenFault> {
        let unreadable = |error: serde_json::Error| {
            // The error's own text may quote what was sent.
            let (line, column) = (error.line(), error.column());
            OpenFault::Unreadable(format!("{:?} at {line}:{column}", error.classify()))
        };
        let Version { v } = serde_json::from_str(body).map_err(unreadable)?;
        if v > VERSION {
            return Err(OpenFault::Newer(v));
        }
        let wire: Wire = serde_json::from_str(body).map_err(unreadable)?;
        let WireContact { email, contact_id } = wire.contact;
        let content = match (wire.kind, wire.event) {
            (Kind::Event, Some(event)) => Content::Event(event.opened()?),
            (Kind::Event, None) => return Err(OpenFault::Unreadable("it has no event".into())),
            (Kind::Recompute, _) => Content::Recompute,
            (Kind::Forget, _) => Content::Forget,
        };
        Ok(Self {
            person: Person::new(email.as_deref(), contact_id.as_deref())
                .ok_or_else(|| OpenFault::Invalid("it names nobody".into()))?,
            accepted_at: time(&wire.accepted_at, "acceptedAt")?,
            content,
            id: wire.id,
            correlation_id: wire.correlation_id,
            hopped: wire.hopped,
        })
    }
}

impl WireEvent {
    fn of(happening: &Happening) -> Self {
        let Fields { pathway, course, module, source, page } = happening.event.fields();
        Self {
            name: happening.event.name().as_str().to_owned(),
            at: instant(happening.at),
            pathway: pathway.map(String::from),
            course: course.map(String::from),
            module: module.map(String::from),
            source,
            viewed: page
                .map(|Page { content_type, slug }| WirePage { content_type, slug: slug.into() }),
        }
    }

    fn opened(self) -> Result<Happening, OpenFault> {
        let Self { name, at, pathway, course, module, source, viewed } = self;
        let name = EventName::from_wire(&name)
            .ok_or_else(|| OpenFault::Invalid("there is no such event".into()))?;
        let page = match viewed {
            Some(WirePage { content_type, slug }) => {
                slug_of(Some(slug), "viewed.slug")?.map(|slug| Page { content_type, slug })
            }
            None => None,
        };
        let pathway = slug_of(pathway, "pathway")?
            .map(Slug::of_a_pathway)
            .transpose()
            .map_err(|fault| invalid("pathway", fault))?;
        let fields = Fields {
            pathway,
            course: slug_of(course, "course")?,
            module: slug_of(module, "module")?,
            source,
            page,
        };
        let event = Event::build(name, fields)
            .map_err(|missing| OpenFault::Invalid(missing.to_string()))?;
        Ok(Happening { at: time(&at, "event.at")?, event })
    }
}

/// The slug of a message. An earlier version kept white space that no slug has any more; what was
/// nothing else was no slug.
fn slug_of(text: Option<String>, what: &str) -> Result<Option<Slug>, OpenFault> {
    match text.as_deref().map(Slug::parse).transpose() {
        Err(SlugFault::Empty) => Ok(None),
        parsed => parsed.map_err(|fault| invalid(what, fault)),
    }
}

fn invalid(what: &str, fault: SlugFault) -> OpenFault {
    OpenFault::Invalid(format!("event.{what}: {fault}"))
}

fn time(text: &str, what: &str) -> Result<DateTime<Utc>, OpenFault> {
    match Ts::read(text) {
        Ts::Read(time) => Ok(time),
        Ts::Missing | Ts::Unreadable => Err(OpenFault::Invalid(format!("{what} is no time"))),
    }
}

/// A `MessageDeduplicationId`: the same for the same id in the same group, and for nothing else.
pub fn deduplication_id(group: &str, id: &str) -> String {
    sha256_hex(&format!("{group}\n{id}"))
}
