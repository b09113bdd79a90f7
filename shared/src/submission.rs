//! From a request body to valid events, or to rejections with a code and details.
//!
//! Bytes come in; [`SentEvent`]s go out. This module decides how large a body may be and which of
//! its members count; the parsed types decide what a value may be.
//!
//! **Invariant**: a bad event in a batch never costs another its place, and a member that Milepost
//! doesn't use never costs an event its own.

use serde_json::value::RawValue;

use crate::contact_id::ContactId;
use crate::email::Email;
use crate::event::{Event, EventName, Fields, Page, SentEvent, Ts};
use crate::identity::Person;
use crate::json::{self, Kind, Members};
use crate::limits::{EVENT_ID_UNITS_MAX, TEXT_UNITS_MAX, is_plain, units};
use crate::slug::{RESERVED_PATHWAY, Slug, SlugFault};

/// The longest body of a single event, in bytes.
pub const SINGLE_BYTES_MAX: usize = 10_000;
/// The longest body of a batch, in bytes.
pub const BATCH_BYTES_MAX: usize = 512 * 1024;
/// The most events in a batch.
pub const BATCH_EVENTS_MAX: usize = 50;

/// The members that count, at the top of a body or of an event of a batch.
const TOP: [&str; 8] = [
    "eventName",
    "eventId",
    "contactIdentifier",
    "pathway_slug",
    "course_slug",
    "module_slug",
    "enrollment_source",
    "payload",
];
/// The members that count in `payload`.
const PAYLOAD: [&str; 7] = [
    "pathway_slug",
    "course_slug",
    "module_slug",
    "enrollment_source",
    "content_type",
    "slug",
    "ts",
];
/// The members that count in `contactIdentifier`.
const CONTACT: [&str; 2] = ["email", "contactId"];
/// What a value that isn't well-formed Unicode gets.
const LONE_SURROGATE: &str = "must be well-formed Unicode";

/// A body that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// `token` at the top of the body. A token that is no text is kept as an empty one: a token
    /// was given, and it is bad.
    pub token: Option<String>,
    /// What was sent.
    pub events: Submitted,
}

/// One event or many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// A single event.
    Single(Box<SentEvent>),
    /// `events`, in order; one bad event is that event's fate alone.
    Batch(Vec<Result<SentEvent, Rejection>>),
}

/// Why a body or an event of a batch was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The machine's word for it.
    pub code: RejectionCode,
    /// One line for each thing wrong: `path: what`. Never a value that was sent.
    pub details: Vec<String>,
}

/// The machine's word for a rejection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectionCode {
    /// The body, or the number of its events, is over the limit.
    PayloadTooLarge,
    /// No JSON, or no UTF-8.
    InvalidJson,
    /// JSON, but no valid event.
    SchemaValidationFailed,
}

impl RejectionCode {
    /// The code on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::InvalidJson => "INVALID_JSON",
            Self::SchemaValidationFailed => "SCHEMA_VALIDATION_FAILED",
        }
    }
}

/// Reads the body of `POST /events/track`.
///
/// # Errors
/// The rejection of the whole body. In a batch, a bad event is an entry and no error.
pub fn read(body: &[u8]) -> Result<Submission, Rejection> {
    if body.len() > BATCH_BYTES_MAX {
        return Err(too_large("body: a batch may have 524288 bytes"));
    }
    // The site's pages send an absent body where they mean an empty object.
    let parsed = json::document(if body.is_empty() { b"{}" } else { body });
    let batch = parsed.as_ref().ok().and_then(|document| {
        let top = json::members(document, ["token", "events"])?;
        Some((top, json::elements(top.get("events")?)?))
    });
    if let Some((top, events)) = batch {
        return Ok(Submission { token: token(top.present("token")), events: read_batch(&events)? });
    }
    if body.len() > SINGLE_BYTES_MAX {
        return Err(too_large("body: a single event may have 10000 bytes"));
    }
    let document = parsed.map_err(|error| Rejection {
        code: RejectionCode::InvalidJson,
        details: vec![format!(
            "root: not valid JSON at line {} column {}",
            error.line(),
            error.column()
        )],
    })?;
    let event = read_event(document)?;
    let token = json::members(document, ["token"]).and_then(|top| token(top.present("token")));
    Ok(Submission { token, events: Submitted::Single(Box::new(event)) })
}

fn read_batch(events: &[&RawValue]) -> Result<Submitted, Rejection> {
    if events.is_empty() {
        return Err(Rejection {
            code: RejectionCode::SchemaValidationFailed,
            details: vec!["events: Array must contain at least 1 element(s)".into()],
        });
    }
    if events.len() > BATCH_EVENTS_MAX {
        return Err(too_large("events: a batch may have 50 events"));
    }
    Ok(Submitted::Batch(events.iter().map(|event| read_event(event)).collect()))
}

fn token(value: Option<&RawValue>) -> Option<String> {
    value.map(|token| json::text(token).unwrap_or_default())
}

fn too_large(detail: &str) -> Rejection {
    Rejection { code: RejectionCode::PayloadTooLarge, details: vec![detail.to_owned()] }
}

fn read_event(value: &RawValue) -> Result<SentEvent, Rejection> {
    let mut faults = Faults(Vec::new());
    let Some(top) = faults.object("root", value, TOP) else {
        return Err(Rejection { code: RejectionCode::SchemaValidationFailed, details: faults.0 });
    };
    let payload = top
        .present("payload")
        .and_then(|payload| faults.object("payload", payload, PAYLOAD))
        .unwrap_or(Members::none(PAYLOAD));

    let name = faults.event_name(top.get("eventName"));
    let contact = top.present("contactIdentifier").and_then(|contact| faults.contact(contact));
    let top_pathway = faults.slug("pathway_slug", top.present("pathway_slug"));
    let top_course = faults.slug("course_slug", top.present("course_slug"));
    let top_module = faults.slug("module_slug", top.present("module_slug"));
    let top_source =
        faults.text("enrollment_source", top.present("enrollment_source"), TEXT_UNITS_MAX);
    let id = faults.text("eventId", top.present("eventId"), EVENT_ID_UNITS_MAX);
    let below_pathway = faults.slug("payload.pathway_slug", payload.present("pathway_slug"));
    let below_course = faults.slug("payload.course_slug", payload.present("course_slug"));
    let below_module = faults.slug("payload.module_slug", payload.present("module_slug"));
    let below_source = faults.text(
        "payload.enrollment_source",
        payload.present("enrollment_source"),
        TEXT_UNITS_MAX,
    );
    let content_type = faults.content_type("payload.content_type", payload.present("content_type"));
    let slug = faults.slug("payload.slug", payload.present("slug"));

    let has_top_slug = top_pathway.is_some() || top_course.is_some();
    let fields = Fields {
        pathway: top_pathway.or(below_pathway),
        course: top_course.or(below_course),
        module: top_module.or(below_module),
        source: top_source.or(below_source),
        page: content_type.zip(slug).map(|(content_type, slug)| Page { content_type, slug }),
    };
    let is_reserved = fields.pathway.as_deref() == Some(RESERVED_PATHWAY);
    if is_reserved {
        faults.add("pathway_slug", &SlugFault::Reserved.to_string());
    }
    let event = name.filter(|_| !is_reserved).and_then(|name| {
        let is_of_module = matches!(name, EventName::ModuleStarted | EventName::ModuleCompleted);
        if is_of_module && fields.module.is_none() && !has_top_slug {
            let what = "payload.module_slug, or a top-level pathway_slug or course_slug";
            faults.add("root", &format!("{} needs {what}", name.as_str()));
            return None;
        }
        match Event::build(name, fields) {
            Ok(event) => Some(event),
            Err(missing) => {
                faults.add("root", &missing.to_string());
                None
            }
        }
    });
    match event {
        Some(event) if faults.0.is_empty() => {
            let ts = payload.present("ts").map_or(Ts::Missing, |ts| {
                json::text(ts).map_or(Ts::Unreadable, |ts| Ts::read(&ts))
            });
            Ok(SentEvent { event, id, contact, ts })
        }
        _ => Err(Rejection { code: RejectionCode::SchemaValidationFailed, details: faults.0 }),
    }
}

/// What is wrong with an event, gathered: a sender fixes all of it at once.
struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, path: &str, what: &str) {
        self.0.push(format!("{path}: {what}"));
    }

    fn object<'a, const N: usize>(
        &mut self,
        path: &str,
        value: &'a RawValue,
        names: [&'static str; N],
    ) -> Option<Members<'a, N>> {
        let members = json::members(value, names);
        if members.is_none() {
            self.add(path, &format!("Expected object, received {}", json::kind(value).as_str()));
        }
        members
    }

    fn event_name(&mut self, value: Option<&RawValue>) -> Option<EventName> {
        let Some(value) = value else {
            self.add("eventName", "Required");
            return None;
        };
        let name = json::text(value).and_then(|name| EventName::from_wire(&name));
        if name.is_none() {
            self.add("eventName", "no such event");
        }
        name
    }

    fn contact(&mut self, value: &RawValue) -> Option<Person> {
        let path = "contactIdentifier";
        let named = self.object(path, value, CONTACT)?;
        let before = self.0.len();
        let email = named
            .present("email")
            .and_then(|email| self.string("contactIdentifier.email", email))
            .and_then(|email| self.parsed("contactIdentifier.email", Email::parse(&email)));
        let contact_id = named
            .present("contactId")
            .and_then(|id| self.string("contactIdentifier.contactId", id))
            .filter(|id| !id.is_empty())
            .and_then(|id| self.parsed("contactIdentifier.contactId", ContactId::parse(&id)));
        let person = Person::of(email, contact_id);
        if person.is_none() && self.0.len() == before {
            self.add(path, "At least one of email or contactId must be provided");
        }
        person
    }

    fn string(&mut self, path: &str, value: &RawValue) -> Option<String> {
        let kind = json::kind(value);
        if kind != Kind::String {
            self.add(path, &format!("Expected string, received {}", kind.as_str()));
            return None;
        }
        let text = json::text(value);
        if text.is_none() {
            self.add(path, LONE_SURROGATE);
        }
        text
    }

    fn parsed<T, E: std::fmt::Display>(&mut self, path: &str, parsed: Result<T, E>) -> Option<T> {
        parsed.map_err(|fault| self.add(path, &fault.to_string())).ok()
    }

    /// A plain text. An empty one is an absent one.
    fn text(&mut self, path: &str, value: Option<&RawValue>, units_max: usize) -> Option<String> {
        let text = self.string(path, value?)?;
        if units(&text) > units_max {
            self.add(path, &format!("String must contain at most {units_max} character(s)"));
            return None;
        }
        if !is_plain(&text) {
            self.add(path, "may not hold control or bidirectional formatting characters");
            return None;
        }
        Some(text).filter(|text| !text.is_empty())
    }

    /// A content type. It holds no `;`, as it always did.
    fn content_type(&mut self, path: &str, value: Option<&RawValue>) -> Option<String> {
        let text = self.text(path, value, TEXT_UNITS_MAX)?;
        if text.contains(';') {
            self.add(path, &SlugFault::Character.to_string());
            return None;
        }
        Some(text)
    }

    /// A slug. An empty one is an absent one, and so is white space.
    fn slug(&mut self, path: &str, value: Option<&RawValue>) -> Option<Slug> {
        let text = self.string(path, value?)?;
        match Slug::parse(&text) {
            Err(SlugFault::Empty) => None,
            parsed => self.parsed(path, parsed),
        }
    }
}
