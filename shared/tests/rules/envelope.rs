//! What opens, and what is said of what does not.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use shared::envelope::{Content, Envelope, OpenFault, VERSION, deduplication_id};
use shared::event::{EventName, Page};
use shared::facts::Happening;
use shared::identity::Person;

fn at() -> DateTime<Utc> {
    "2026-11-24T20:00:00Z".parse().unwrap()
}

/// A body with everything in it, after a change.
fn body(change: impl Fn(&mut Value)) -> String {
    let mut body = json!({
        "v": 1,
        "kind": "event",
        "id": "e-1",
        "correlationId": "r-1",
        "acceptedAt": "2026-11-24T20:00:00.000Z",
        "contact": {"email": "ada@example.org", "contactId": "7"},
        "event": {
            "name": "learning_page_viewed",
            "at": "2026-11-24T20:00:00.000Z",
            "pathway": "p",
            "course": "c",
            "module": "m",
            "source": "s",
            "viewed": {"type": "module", "slug": "m"},
        },
        "hopped": true,
    });
    change(&mut body);
    body.to_string()
}

fn envelope() -> Envelope {
    Envelope {
        id: "e-1".into(),
        correlation_id: "r-1".into(),
        accepted_at: at(),
        person: Person::new(Some("ada@example.org"), Some("7")).unwrap(),
        content: Content::Event(Happening {
            name: EventName::PageViewed,
            at: at(),
            pathway: Some("p".into()),
            course: Some("c".into()),
            module: Some("m".into()),
            source: Some("s".into()),
            viewed: Some(Page { content_type: "module".into(), slug: "m".into() }),
        }),
        hopped: true,
    }
}

#[test]
fn a_body_has_the_keys_that_are_documented() {
    let wire: Value = serde_json::from_str(&envelope().body()).unwrap();
    assert_eq!(wire.to_string(), body(|_| ()));
    assert_eq!(Envelope::open(&body(|_| ())), Ok(envelope()));
}

#[test]
fn what_is_absent_is_not_written_and_not_missed() {
    let mut envelope = envelope();
    let name = EventName::PathwayCompleted;
    envelope.content = Content::Event(Happening {
        name,
        at: at(),
        pathway: Some("p".into()),
        course: None,
        module: None,
        source: None,
        viewed: None,
    });
    envelope.person = Person::new(Some("ada@example.org"), None).unwrap();
    envelope.hopped = false;
    let wire: Value = serde_json::from_str(&envelope.body()).unwrap();
    let time = "2026-11-24T20:00:00.000Z";
    assert_eq!(wire["event"], json!({"name": name.as_str(), "at": time, "pathway": "p"}));
    assert_eq!(wire["contact"], json!({"email": "ada@example.org"}));
    assert_eq!(wire.get("hopped"), None);

    envelope.correlation_id = String::new();
    let mut without = wire;
    without.as_object_mut().unwrap().remove("correlationId");
    assert_eq!(Envelope::open(&without.to_string()), Ok(envelope));
}

#[test]
fn a_repair_has_a_version_that_a_worker_which_knows_events_only_leaves_alone() {
    #[track_caller]
    fn check(content: Content, kind: &str) {
        let repair = Envelope { content, ..envelope() };
        let wire: Value = serde_json::from_str(&repair.body()).unwrap();
        let mut expected: Value = serde_json::from_str(&body(|_| ())).unwrap();
        expected.as_object_mut().unwrap().remove("event");
        expected["v"] = json!(VERSION);
        expected["kind"] = json!(kind);
        assert_eq!(wire, expected);
        assert_eq!(Envelope::open(&wire.to_string()), Ok(repair));
    }
    check(Content::Recompute, "recompute");
    check(Content::Forget, "forget");
    let event: Value = serde_json::from_str(&envelope().body()).unwrap();
    assert!(event["v"].as_u64().unwrap() < VERSION);
}

#[test]
fn a_newer_version_is_left_for_a_newer_worker_whatever_else_it_holds() {
    assert_eq!(Envelope::open(r#"{"v":3,"events":[]}"#), Err(OpenFault::Newer(3)));
    assert_eq!(Envelope::open(&body(|body| body["v"] = json!(9))), Err(OpenFault::Newer(9)));
    assert_eq!(Envelope::open(&body(|body| body["v"] = json!(0))), Ok(envelope()));
}

#[test]
fn what_is_no_envelope_is_unreadable_and_is_not_quoted() {
    for text in ["", "ada", "null", "[]", "{}", r#"{"v":"1"}"#, r#"{"v":-1}"#, r#"{"v":1}"#] {
        let Err(OpenFault::Unreadable(what)) = Envelope::open(text) else { panic!("{text}") };
        assert!(!what.contains("ada"), "{what}");
    }
    let no_event = body(|body| drop(body.as_object_mut().unwrap().remove("event")));
    assert_eq!(Envelope::open(&no_event), Err(OpenFault::Unreadable("it has no event".into())));
    let other_kind = body(|body| body["kind"] = json!("ada"));
    let Err(OpenFault::Unreadable(what)) = Envelope::open(&other_kind) else { panic!() };
    assert!(what.starts_with("Data at 1:"), "{what}");
}

#[test]
fn an_event_that_can_not_be_is_invalid() {
    #[track_caller]
    fn check(what: &str, change: impl Fn(&mut Value)) {
        assert_eq!(Envelope::open(&body(change)), Err(OpenFault::Invalid(what.into())));
    }
    let slug = "it has a slug that the state can't hold";
    check(slug, |body| body["event"]["pathway"] = json!("courses"));
    for part in ["pathway", "course", "module"] {
        for text in ["", "a;b", "a\nb", "$serde_json::private::Number"] {
            check(slug, |body| body["event"][part] = json!(text));
        }
    }
    check("it names nobody", |body| body["contact"] = json!({"email": " "}));
    check("there is no such event", |body| body["event"]["name"] = json!("learning_nothing"));
    for text in ["today", "9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00+01:00"] {
        check("acceptedAt is no time", |body| body["acceptedAt"] = json!(text));
        check("event.at is no time", |body| body["event"]["at"] = json!(text));
    }
}

#[test]
fn a_course_may_be_called_courses() {
    let body = body(|body| body["event"]["course"] = json!("courses"));
    let opened = Envelope::open(&body).unwrap();
    assert_eq!(opened.happening().unwrap().course.as_deref(), Some("courses"));
}

#[test]
fn a_character_that_sqs_refuses_is_escaped() {
    let mut envelope = envelope();
    envelope.id = "\u{FFFE}\u{FFFF}\u{1}".into();
    let body = envelope.seal().body;
    assert!(body.is_ascii());
    assert_eq!(Envelope::open(&body), Ok(envelope));
}

#[test]
fn a_message_is_in_its_persons_group_and_counts_once_for_that_person() {
    let sealed = envelope().seal();
    assert_eq!(sealed.body, envelope().body());
    assert_eq!(sealed.group, envelope().person.group());
    assert_eq!(sealed.deduplication_id, deduplication_id(&sealed.group, "e-1"));
    assert!(sealed.attributes.is_empty());
    assert_eq!(deduplication_id("g", "e-1").len(), 64);
    assert_ne!(deduplication_id("g", "e-1"), deduplication_id("h", "e-1"));
    assert_ne!(deduplication_id("g", "e-1"), deduplication_id("g", "e-2"));
}
