//! What must hold of any input: a request's body, a contact's state, a message's body.
//!
//! Each function takes what the outside may send and panics where a law is broken. The fuzz targets
//! call them with what a fuzzer makes up; `shared/tests/corpus.rs` calls them with the corpus.
//!
//! **Invariant**: what was accepted once is read again as the same, wherever it is stored.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Months, Utc};
use serde_json::json;
use shared::catalog::Catalog;
use shared::email::Email;
use shared::envelope::{Content, Envelope, OpenFault, VERSION};
use shared::event::{Event, EventName, FUTURE_MAX, Fields, PAST_MONTHS_MAX, SentEvent, Ts, When};
use shared::facts::{Facts, Happening, Progress};
use shared::identity::Person;
use shared::limits::{CONTACT_ID_UNITS_MAX, EVENT_ID_UNITS_MAX, TEXT_UNITS_MAX, is_plain, units};
use shared::milestones::{StateFault, Values, milestones};
use shared::properties::PROGRESS_STATE;
use shared::slug::{RESERVED_PATHWAY, Slug};
use shared::state::{self, instant};
use shared::submission::{
    BATCH_BYTES_MAX, BATCH_EVENTS_MAX, Rejection, SINGLE_BYTES_MAX, Submitted, read,
};

/// The longest line of ours about something that was sent.
const FAULT_CHARS_MAX: usize = 150;

/// A request's body is refused in words of ours, or it is within the limits, and every event in it
/// is one that the queue and the state can hold.
pub fn submission(body: &[u8]) {
    match read(body).map(|submission| submission.events) {
        Err(rejection) => is_in_our_words(&rejection),
        Ok(Submitted::Single(event)) => {
            assert!(body.len() <= SINGLE_BYTES_MAX);
            is_accepted(&event);
        }
        Ok(Submitted::Batch(events)) => {
            assert!(body.len() <= BATCH_BYTES_MAX);
            assert!((1..=BATCH_EVENTS_MAX).contains(&events.len()));
            for event in &events {
                match event {
                    Ok(event) => is_accepted(event),
                    Err(rejection) => is_in_our_words(rejection),
                }
            }
        }
    }
}

/// A contact's state is refused, or it is written in one form that reads as the same; what it holds
/// joins with itself to itself, and with events in either order to the same.
pub fn state(text: &str) {
    let progress = match state::read(Some(text)) {
        Ok(progress) => progress,
        Err(fault) => return is_short(&fault.to_string()),
    };
    let written = state::write(&progress);
    assert_eq!(state::read(Some(&written)).as_ref(), Ok(&progress), "it reads as it was");
    let mut joined = progress.clone();
    joined.join(&progress);
    assert_eq!(joined, progress, "with itself it is itself");

    let (first, second) = (events_of(&progress, 1, None), events_of(&progress, 2, Some("page")));
    let contact = Values::from([(PROGRESS_STATE.to_owned(), text.to_owned())]);
    let catalog = catalog_of(&progress);
    let join = |contact: &Values, facts: &Facts| {
        let changed = milestones(Some(contact), facts, &catalog)?.changed;
        let mut contact = contact.clone();
        contact.extend(changed);
        Ok::<_, StateFault>(contact)
    };
    let in_order = join(&contact, &first).and_then(|contact| join(&contact, &second));
    let disordered = join(&contact, &second).and_then(|contact| join(&contact, &first));
    if let (Ok(in_order), Ok(disordered)) = (in_order, disordered) {
        assert_eq!(in_order, disordered, "the order of events does not matter");
        assert_eq!(join(&in_order, &first), Ok(in_order), "what is applied changes nothing again");
    }
}

/// A message's body is refused in words of ours, or it opens to an envelope that seals to a body
/// that opens to the same, and the state can hold its event.
pub fn envelope(body: &str) {
    match Envelope::open(body) {
        Ok(envelope) => {
            is_carried(&envelope);
            envelope.happening().into_iter().for_each(is_held);
        }
        Err(OpenFault::Newer(version)) => assert!(version > VERSION),
        Err(fault) => is_short(&fault.to_string()),
    }
}

fn is_in_our_words(rejection: &Rejection) {
    assert!(!rejection.details.is_empty());
    rejection.details.iter().for_each(|detail| is_short(detail));
}

/// Our texts are ASCII and short; what was sent seldom is, and may not be quoted.
fn is_short(text: &str) {
    assert!(text.is_ascii() && text.len() <= FAULT_CHARS_MAX, "{text}");
}

fn is_accepted(sent: &SentEvent) {
    let SentEvent { event, id, contact, ts } = sent;
    let Fields { pathway, course, module, source, page } = event.fields();
    let is_text = |text: &str, units_max: usize| {
        !text.is_empty() && units(text) <= units_max && is_plain(text)
    };
    let page_slug = page.as_ref().map(|page| &page.slug);
    let slugs = [&pathway, &course, &module].into_iter().flatten().chain(page_slug);
    assert!(slugs.into_iter().all(|slug| is_slug(slug)));
    assert!(id.iter().all(|id| is_text(id, EVENT_ID_UNITS_MAX)));
    assert!(source.iter().all(|source| is_text(source, TEXT_UNITS_MAX)));
    assert!(page.iter().all(|page| is_text(&page.content_type, TEXT_UNITS_MAX)));
    assert_ne!(pathway.as_deref(), Some(RESERVED_PATHWAY));
    if let Some(person) = contact {
        assert!(person.email().is_none_or(|email| {
            Email::parse(email).is_ok_and(|parsed| parsed.as_str() == email)
        }));
        assert!(person.contact_id().is_none_or(|id| is_text(id, CONTACT_ID_UNITS_MAX)));
    }
    assert_eq!(Event::build(event.name(), event.fields()).as_ref(), Ok(event));

    match read(&sent_anew(sent)).map(|submission| submission.events) {
        Ok(Submitted::Batch(events)) => assert_eq!(events, [Ok(sent.clone())]),
        other => panic!("sent anew it is {other:?}"),
    }

    let received_at = noon(3);
    let When { at, replaced } = ts.when(received_at);
    let oldest = received_at.checked_sub_months(Months::new(PAST_MONTHS_MAX)).unwrap();
    assert!((oldest..=received_at + FUTURE_MAX).contains(&at));
    assert_eq!(replaced.is_none(), *ts == Ts::Read(at) || *ts == Ts::Read(received_at));

    let envelope = Envelope {
        id: id.clone().unwrap_or_default(),
        correlation_id: String::new(),
        accepted_at: received_at,
        person: contact.clone().or_else(|| Person::new(Some("ada@example.org"), None)).unwrap(),
        content: Content::Event(Happening { at, event: event.clone() }),
        hopped: false,
    };
    is_carried(&envelope);
    envelope.happening().into_iter().for_each(is_held);
}

/// The queue gives the envelope back, and no character of its body is one that SQS refuses.
fn is_carried(envelope: &Envelope) {
    let sealed = envelope.seal();
    assert_eq!(Envelope::open(&sealed.body).as_ref(), Ok(envelope));
    let is_taken = |c: char| match c {
        '\t' | '\n' | '\r' => true,
        c => c >= ' ' && c != '\u{FFFE}' && c != '\u{FFFF}',
    };
    assert!(sealed.body.chars().all(is_taken));
    for id in [&sealed.group, &sealed.deduplication_id] {
        assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}

/// A contact's state gives the facts of the event back.
fn is_held(happening: &Happening) {
    let progress = Facts::of(happening).progress;
    assert_eq!(state::read(Some(&state::write(&progress))), Ok(progress));
}

/// An event as a page would send it: in a batch, where a single one's limit of bytes is out of the
/// way.
fn sent_anew(sent: &SentEvent) -> Vec<u8> {
    let SentEvent { event, id, contact, ts } = sent;
    let Fields { pathway, course, module, source, page } = event.fields();
    let text = |slug: Option<Slug>| slug.map(String::from);
    let contact = contact
        .as_ref()
        .map(|person| json!({ "email": person.email(), "contactId": person.contact_id() }));
    let ts = match ts {
        Ts::Missing => None,
        Ts::Unreadable => Some(String::new()),
        Ts::Read(at) => Some(instant(*at)),
    };
    let event = json!({
        "eventName": event.name().as_str(),
        "eventId": id,
        "contactIdentifier": contact,
        "pathway_slug": text(pathway),
        "course_slug": text(course),
        "enrollment_source": source,
        "payload": {
            "module_slug": text(module),
            "content_type": page.as_ref().map(|page| &page.content_type),
            "slug": page.as_ref().map(|page| page.slug.as_str()),
            "ts": ts,
        },
    });
    json!({ "events": [event] }).to_string().into_bytes()
}

/// What events on this day say of everything that a state names, of the slugs that events can have.
fn events_of(progress: &Progress, day: u32, source: Option<&str>) -> Facts {
    let named = progress.named();
    let mut facts = Facts::default();
    let mut say = |name: EventName, pathway: Option<&str>, course: Option<&str>| {
        let slug = |slug: &str| Slug::parse(slug).unwrap();
        let fields = Fields {
            pathway: pathway.map(slug),
            course: course.map(slug),
            module: Some(slug("module")),
            source: source.map(str::to_owned),
            page: None,
        };
        let event = Event::build(name, fields).unwrap();
        facts = std::mem::take(&mut facts).join(Facts::of(&Happening { at: noon(day), event }));
    };
    for pathway in named.pathways.into_iter().filter(|slug| is_slug(slug)) {
        say(EventName::PathwayEnrolled, Some(pathway), None);
    }
    for (pathway, course) in named.courses {
        if pathway.into_iter().chain([course]).all(is_slug) {
            say(EventName::CourseEnrolled, pathway, Some(course));
            say(EventName::ModuleStarted, pathway, Some(course));
            say(EventName::ModuleCompleted, pathway, Some(course));
        }
    }
    facts
}

fn is_slug(text: &str) -> bool {
    Slug::parse(text).is_ok_and(|slug| slug.as_str() == text)
}

/// A catalog of what a state names.
fn catalog_of(progress: &Progress) -> Catalog {
    let mut courses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (slug, course) in progress.all_courses() {
        courses.entry(slug.clone()).or_default().extend(course.modules.keys().cloned());
    }
    let courses = courses.into_iter().map(|(slug, modules)| (slug, modules.into_iter().collect()));
    let pathways = progress
        .pathways
        .iter()
        .map(|(slug, pathway)| (slug.clone(), pathway.courses.keys().cloned().collect()));
    Catalog { courses: courses.collect(), pathways: pathways.collect() }
}

/// Noon of a day in 2026.
fn noon(day: u32) -> DateTime<Utc> {
    format!("2026-01-{day:02}T12:00:00Z").parse().unwrap()
}
