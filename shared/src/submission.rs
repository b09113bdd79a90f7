//! From a request body to valid events, or to rejections with a code and details.
//!
//! Every limit of the HTTP contract on events stands here. Bytes come in; [`Event`]s go out. In a
//! batch, one bad event is that event's fate alone.
//!
//! **Invariant**: an [`Event`] holds no slug that is empty, too long, or would break a list.

use serde_json::{Map, Value};

use crate::event::{Event, EventName, Page, RESERVED_PATHWAY, Ts};
use crate::identity::{self, Person};
use crate::limits::{SLUG_UNITS_MAX, is_key, is_listable, units};
use crate::state::time_of;

/// The longest body of a single event, in bytes.
pub const SINGLE_BYTES_MAX: usize = 10_000;
/// The longest body of a batch, in bytes.
pub const BATCH_BYTES_MAX: usize = 512 * 1024;
/// The most events in a batch.
pub const BATCH_EVENTS_MAX: usize = 50;
/// The longest event id, in UTF-16 units.
pub const EVENT_ID_UNITS_MAX: usize = 100;
/// The longest other text, in UTF-16 units.
pub const TEXT_UNITS_MAX: usize = 1_000;

/// A body that was read: one event, or a batch in which each stands for itself.
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
    Single(Box<Event>),
    /// `events`, in order; one bad event is that event's fate alone.
    Batch(Vec<Result<Event, Rejection>>),
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
    let parsed = parse(body);
    if let Ok(Value::Object(fields)) = &parsed
        && let Some(Value::Array(events)) = fields.get("events")
    {
        return Ok(Submission { token: token(fields), events: read_batch(events)? });
    }
    if body.len() > SINGLE_BYTES_MAX {
        return Err(too_large("body: a single event may have 10000 bytes"));
    }
    let value = parsed?;
    let event = read_event(&value)?;
    let token = value.as_object().and_then(token);
    Ok(Submission { token, events: Submitted::Single(Box::new(event)) })
}

fn parse(body: &[u8]) -> Result<Value, Rejection> {
    // The site's pages send an absent body where they mean an empty object.
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Rejection {
        code: RejectionCode::InvalidJson,
        details: vec![format!(
            "root: not valid JSON at line {} column {}",
            error.line(),
            error.column()
        )],
    })
}

fn read_batch(events: &[Value]) -> Result<Submitted, Rejection> {
    if events.is_empty() {
        return Err(Rejection {
            code: RejectionCode::SchemaValidationFailed,
            details: vec!["events: Array must contain at least 1 element(s)".into()],
        });
    }
    if events.len() > BATCH_EVENTS_MAX {
        return Err(too_large("events: a batch may have 50 events"));
    }
    Ok(Submitted::Batch(events.iter().map(read_event).collect()))
}

fn token(fields: &Map<String, Value>) -> Option<String> {
    match fields.get("token") {
        None | Some(Value::Null) => None,
        Some(token) => Some(token.as_str().unwrap_or_default().to_owned()),
    }
}

fn too_large(detail: &str) -> Rejection {
    Rejection { code: RejectionCode::PayloadTooLarge, details: vec![detail.to_owned()] }
}

fn read_event(value: &Value) -> Result<Event, Rejection> {
    let mut faults = Faults(Vec::new());
    let empty = Map::new();
    let Some(fields) = faults.object("root", Some(value)) else {
        return Err(Rejection { code: RejectionCode::SchemaValidationFailed, details: faults.0 });
    };
    let payload = match fields.get("payload") {
        None | Some(Value::Null) => &empty,
        payload => faults.object("payload", payload).unwrap_or(&empty),
    };

    let name = faults.event_name(fields.get("eventName"));
    let contact = faults.contact(fields.get("contactIdentifier"));
    let top_pathway = faults.slug("pathway_slug", fields.get("pathway_slug"));
    let top_course = faults.slug("course_slug", fields.get("course_slug"));
    let top_source =
        faults.text("enrollment_source", fields.get("enrollment_source"), TEXT_UNITS_MAX);
    let id = faults.text("eventId", fields.get("eventId"), EVENT_ID_UNITS_MAX);
    let payload_pathway = faults.slug("payload.pathway_slug", payload.get("pathway_slug"));
    let payload_course = faults.slug("payload.course_slug", payload.get("course_slug"));
    let module = faults.slug("payload.module_slug", payload.get("module_slug"));
    let payload_source =
        faults.text("payload.enrollment_source", payload.get("enrollment_source"), TEXT_UNITS_MAX);
    let content_type =
        faults.listable("payload.content_type", payload.get("content_type"), TEXT_UNITS_MAX);
    let slug = faults.slug("payload.slug", payload.get("slug"));

    let has_top_slug = top_pathway.is_some() || top_course.is_some();
    let pathway = top_pathway.or(payload_pathway);
    let course = top_course.or(payload_course);
    let viewed = content_type.zip(slug).map(|(content_type, slug)| Page { content_type, slug });
    if pathway.as_deref() == Some(RESERVED_PATHWAY) {
        faults.add("pathway_slug", "'courses' is reserved");
    }

    if let Some(name) = name
        && let Some(missing) = match name {
            EventName::ModuleStarted | EventName::ModuleCompleted => (module.is_none()
                && !has_top_slug)
                .then_some("payload.module_slug, or a top-level pathway_slug or course_slug"),
            EventName::PathwayEnrolled | EventName::PathwayCompleted => {
                pathway.is_none().then_some("pathway_slug")
            }
            EventName::CourseEnrolled | EventName::CourseCompleted => {
                course.is_none().then_some("course_slug")
            }
            EventName::PageViewed => {
                viewed.is_none().then_some("payload.content_type and payload.slug")
            }
        }
    {
        faults.add("root", &format!("{} needs {missing}", name.as_str()));
    }

    match name {
        Some(name) if faults.0.is_empty() => Ok(Event {
            name,
            id,
            contact,
            pathway,
            course,
            module,
            source: top_source.or(payload_source),
            viewed: if name == EventName::PageViewed { viewed } else { None },
            ts: ts(payload.get("ts")),
        }),
        _ => Err(Rejection { code: RejectionCode::SchemaValidationFailed, details: faults.0 }),
    }
}

fn ts(value: Option<&Value>) -> Ts {
    match value {
        None | Some(Value::Null) => Ts::Missing,
        Some(other) => other.as_str().and_then(time_of).map_or(Ts::Unreadable, Ts::Read),
    }
}

/// What is wrong with an event, gathered: a sender mends all of it at once.
struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, path: &str, what: &str) {
        self.0.push(format!("{path}: {what}"));
    }

    fn object<'a>(
        &mut self,
        path: &str,
        value: Option<&'a Value>,
    ) -> Option<&'a Map<String, Value>> {
        match value {
            Some(Value::Object(fields)) => Some(fields),
            other => {
                self.add(path, &format!("Expected object, received {}", kind(other)));
                None
            }
        }
    }

    fn event_name(&mut self, value: Option<&Value>) -> Option<EventName> {
        let name = match value {
            None => {
                self.add("eventName", "Required");
                return None;
            }
            Some(Value::String(text)) => EventName::from_wire(text),
            Some(_) => None,
        };
        if name.is_none() {
            self.add("eventName", "no such event");
        }
        name
    }

    fn contact(&mut self, value: Option<&Value>) -> Option<Person> {
        let path = "contactIdentifier";
        if matches!(value, None | Some(Value::Null)) {
            return None;
        }
        let fields = self.object(path, value)?;
        let email = match fields.get("email") {
            None | Some(Value::Null) => None,
            Some(Value::String(email)) => match identity::check_email(email) {
                Ok(()) => Some(email.as_str()),
                Err(what) => {
                    self.add("contactIdentifier.email", &what);
                    return None;
                }
            },
            other => {
                let what = format!("Expected string, received {}", kind(other));
                self.add("contactIdentifier.email", &what);
                return None;
            }
        };
        let contact_id = self.text(
            "contactIdentifier.contactId",
            fields.get("contactId"),
            identity::CONTACT_ID_UNITS_MAX,
        );
        let person = Person::new(email, contact_id.as_deref());
        if person.is_none() {
            self.add(path, "At least one of email or contactId must be provided");
        }
        person
    }

    /// A text that may be absent, `null` or empty, all of which mean absent.
    fn text(&mut self, path: &str, value: Option<&Value>, units_max: usize) -> Option<String> {
        match value {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if units(text) > units_max => {
                let what = format!("String must contain at most {units_max} character(s)");
                self.add(path, &what);
                None
            }
            Some(Value::String(text)) => Some(text.clone()).filter(|text| !text.is_empty()),
            other => {
                self.add(path, &format!("Expected string, received {}", kind(other)));
                None
            }
        }
    }

    fn listable(&mut self, path: &str, value: Option<&Value>, units_max: usize) -> Option<String> {
        let text = self.text(path, value, units_max)?;
        if !is_listable(&text) {
            self.add(path, "may hold neither ';' nor control characters");
            return None;
        }
        Some(text)
    }

    fn slug(&mut self, path: &str, value: Option<&Value>) -> Option<String> {
        let slug = self.listable(path, value, SLUG_UNITS_MAX)?;
        if !is_key(&slug) {
            self.add(path, "is reserved");
            return None;
        }
        Some(slug)
    }
}

fn kind(value: Option<&Value>) -> &'static str {
    match value {
        None => "undefined",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "boolean",
        Some(Value::Number(_)) => "number",
        Some(Value::String(_)) => "string",
        Some(Value::Array(_)) => "array",
        Some(Value::Object(_)) => "object",
    }
}
