//! What opens, and what is said of what does not.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use shared::envelope::{Content, Envelope, OpenFault, VERSION, deduplication_id};
use shared::event::{Event, EventName, Fields, Mentioned, Page};
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
            at: at(),
            event: Event::PageViewed {
                page: Page { content_type: "module".into(), slug: "m".parse().unwrap() },
                within: Mentioned {
                    pathway: "p".parse().ok(),
                    course: "c".parse().ok(),
                    module: "m".parse().ok(),
                },
            },
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
        at: at(),
        event: Event::PathwayCompleted { pathway: "p".parse().unwrap() },
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
    check("event.pathway: 'courses' is reserved", |body| {
        body["event"]["pathway"] = json!("courses")
    });
    for part in ["pathway", "course", "module"] {
        let slug = "may hold neither ';' nor control or bidirectional formatting characters";
        for text in ["a;b", "a\nb", "a\u{202E}b"] {
            check(&format!("event.{part}: {slug}"), |body| body["event"][part] = json!(text));
        }
    }
    let page = "learning_page_viewed needs payload.content_type and payload.slug";
    check(page, |body| body["event"]["viewed"] = Value::Null);
    check(page, |body| body["event"]["viewed"]["slug"] = json!(" "));
    let name = |body: &mut Value, name: &str| body["event"]["name"] = json!(name);
    check("learning_course_enrolled needs course_slug", |body| {
        name(body, "learning_course_enrolled");
        body["event"]["course"] = json!(" ");
    });
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
    assert_eq!(opened.happening().unwrap().event.course(), "courses".parse().ok().as_ref());
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
    assert_eq!(sealed.deduplication_id, deduplication_id(&sealed.group, &envelope().unique_id()));
    assert!(sealed.attributes.is_empty());
    assert_eq!(deduplication_id("g", "e-1").len(), 64);
    assert_ne!(deduplication_id("g", "e-1"), deduplication_id("h", "e-1"));
    assert_ne!(deduplication_id("g", "e-1"), deduplication_id("g", "e-2"));
}

/// An event under the id `e-1` that was received at [`at`].
fn under_one_id(at: DateTime<Utc>, name: EventName, fields: Fields) -> Envelope {
    let event = Event::build(name, fields).unwrap();
    Envelope { content: Content::Event(Happening { at, event }), ..envelope() }
}

#[test]
fn two_different_events_under_one_id_are_two_messages() {
    let earlier = at() - chrono::TimeDelta::hours(1);
    let in_course = |course: &str| Fields {
        course: course.parse().ok(),
        module: "m".parse().ok(),
        source: Some("s".into()),
        ..Fields::default()
    };
    let ids: std::collections::BTreeSet<String> = [
        under_one_id(earlier, EventName::ModuleStarted, in_course("c")),
        under_one_id(earlier, EventName::ModuleCompleted, in_course("c")),
        under_one_id(earlier, EventName::ModuleStarted, in_course("d")),
        under_one_id(
            earlier - chrono::TimeDelta::hours(1),
            EventName::ModuleStarted,
            in_course("c"),
        ),
        under_one_id(earlier, EventName::CourseEnrolled, in_course("c")),
        under_one_id(earlier, EventName::CourseEnrolled, Fields { source: None, ..in_course("c") }),
        Envelope { content: Content::Recompute, ..envelope() },
        Envelope { content: Content::Forget, ..envelope() },
    ]
    .map(|envelope| envelope.seal().deduplication_id)
    .into();
    assert_eq!(ids.len(), 8);
}

#[test]
fn an_event_that_is_sent_twice_is_one_message_whenever_it_is_received() {
    let fields = Fields { course: "c".parse().ok(), ..Fields::default() };
    let sent = |received_at: DateTime<Utc>, own: Option<DateTime<Utc>>| {
        let at = own.unwrap_or(received_at);
        let event = under_one_id(at, EventName::CourseEnrolled, fields.clone());
        let correlation_id = received_at.to_string();
        Envelope { accepted_at: received_at, correlation_id, ..event }.seal().deduplication_id
    };
    let later = at() + chrono::TimeDelta::seconds(9);
    let own = Some(at() - chrono::TimeDelta::hours(1));
    assert_eq!(sent(at(), own), sent(later, own));
    assert_eq!(sent(at(), None), sent(later, None), "no time of its own");
    assert_ne!(sent(at(), own), sent(at(), None));
}

/// Bodies that the version before typed events wrote, as it wrote them.
const RECORDED: [(&str, &str); 14] = [
    (
        "module_started in a course",
        r#"{"v":1,"kind":"event","id":"e-1","correlationId":"r-1","acceptedAt":"2026-11-24T20:00:00.123Z","contact":{"email":"ada@example.org","contactId":"0101"},"event":{"name":"learning_module_started","at":"2026-11-24T20:00:00.123Z","pathway":"p","course":"c","module":"m"}}"#,
    ),
    (
        "module_completed in a flat pathway",
        r#"{"v":1,"kind":"event","id":"e-1","correlationId":"r-1","acceptedAt":"2026-11-24T20:00:00.123Z","contact":{"email":"ada@example.org","contactId":"0101"},"event":{"name":"learning_module_completed","at":"2026-11-24T20:00:00.123Z","pathway":"p","module":"m"}}"#,
    ),
    (
        "module_completed in a standalone course",
        r#"{"v":1,"kind":"event","id":"e-1","correlationId":"r-1","acceptedAt":"2026-11-24T20:00:00.123Z","contact":{"email":"ada@example.org","contactId":"0101"},"event":{"name":"learning_module_completed","at":"2026-11-24T20:00:00.123Z","course":"c","module":"m","source":"catalog"}}"#,
    ),
    (
        "module_started without a module",
        r#"{"v":1,"kind":"event","id":"e-1","correlationId":"r-1","acceptedAt":"2026-11-24T20:00:00.123Z","contact":{"email":"ada@example.org","contactId":"0101"},"event":{"name":"learning_module_started","at":"2026-11-24T20:00:00.123Z","pathway":"p"}}"#,
    ),
    (
        "module_started without a place",
        r#"{"v":1,"kind":"event","id":"e-1","correlationId":"r-1","acceptedAt":"2026-11-24T20:00:00.123Z","contact":{"email":"ada@example.org","contactId":"0101"},"event":{"name":"learning_module_started","at":"2026-11-24T20:00:00.123Z","module":"m"}}"#,
    ),
    (
        "pathway_enrolled",
        r#"{"v":1,"kind":"event","id":"e-1","correlationId":"r-1","acceptedAt":"2026-11-24T20:00:00.123Z","contact":{"email":"ada@example.org","contactId":"0101"},"event":{"name":"learning_pathway_enrolled","at":"2026-11-24T20:00:00.123Z","pathway":"p","source":"catalog"}}"#,
    ),
    (
        "pathway_completed",
        r#"{"v":1,"kind":"event","id":"e-1","correlationId":"r-1","acceptedAt":"2026-11-24T20:00:00.123Z","contact":{"email":"ada@example.org","contactId":"0101"},"event":{"name":"learning_pathway_completed","at":"2026-11-24T20:00:00.123Z","pathway":"p"}}"#,
    ),
    (
        "course_enrolled",
        r#"{"v":1,"kind":"event","id":"e-1","correlationId":"r-1","acceptedAt":"2026-11-24T20:00:00.123Z","contact":{"email":"ada@example.org","contactId":"0101"},"event":{"name":"learning_course_enrolled","at":"2026-11-24T20:00:00.123Z","pathway":"p","course":"c"}}"#,
    ),
    (
        "course_enrolled with white space and an escape",
        r#"{"v":1,"kind":"event","id":"e-1","correlationId":"r-1","acceptedAt":"2026-11-24T20:00:00.123Z","contact":{"email":"ada@example.org","contactId":"0101"},"event":{"name":"learning_course_enrolled","at":"2026-11-24T20:00:00.123Z","course":"Research Paper ","source":"\u001b]52"}}"#,
    ),
    (
        "course_enrolled with what was once reserved",
        r#"{"v":1,"kind":"event","id":"e-1","correlationId":"r-1","acceptedAt":"2026-11-24T20:00:00.123Z","contact":{"email":"ada@example.org","contactId":"0101"},"event":{"name":"learning_course_enrolled","at":"2026-11-24T20:00:00.123Z","course":"$serde_json::private::x"}}"#,
    ),
    (
        "course_completed",
        r#"{"v":1,"kind":"event","id":"e-1","correlationId":"r-1","acceptedAt":"2026-11-24T20:00:00.123Z","contact":{"email":"ada@example.org","contactId":"0101"},"event":{"name":"learning_course_completed","at":"2026-11-24T20:00:00.123Z","pathway":"p","course":"c"}}"#,
    ),
    (
        "page_viewed",
        r#"{"v":1,"kind":"event","id":"e-1","correlationId":"r-1","acceptedAt":"2026-11-24T20:00:00.123Z","contact":{"email":"ada@example.org","contactId":"0101"},"event":{"name":"learning_page_viewed","at":"2026-11-24T20:00:00.123Z","pathway":"p","course":"c","module":"m","source":"s","viewed":{"type":"module","slug":" m"}}}"#,
    ),
    (
        "recompute",
        r#"{"v":2,"kind":"recompute","id":"e-1","correlationId":"r-1","acceptedAt":"2026-11-24T20:00:00.123Z","contact":{"contactId":"7"},"hopped":true}"#,
    ),
    (
        "forget",
        r#"{"v":2,"kind":"forget","id":"e-1","correlationId":"r-1","acceptedAt":"2026-11-24T20:00:00.123Z","contact":{"contactId":"7"},"hopped":true}"#,
    ),
];

#[test]
fn what_an_older_version_queued_still_means_the_same() {
    let slug = |text: &str| text.parse().ok();
    let source = |text: &str| Some(text.to_owned());
    let fields = |pathway, course, module, source| Fields {
        pathway: slug(pathway),
        course: slug(course),
        module: slug(module),
        source,
        page: None,
    };
    let page = Page { content_type: "module".into(), slug: "m".parse().unwrap() };
    let events = [
        (EventName::ModuleStarted, fields("p", "c", "m", None)),
        (EventName::ModuleCompleted, fields("p", "", "m", None)),
        (EventName::ModuleCompleted, fields("", "c", "m", None)),
        (EventName::ModuleStarted, fields("p", "", "", None)),
        (EventName::ModuleStarted, fields("", "", "m", None)),
        (EventName::PathwayEnrolled, fields("p", "", "", source("catalog"))),
        (EventName::PathwayCompleted, fields("p", "", "", None)),
        (EventName::CourseEnrolled, fields("p", "c", "", None)),
        (EventName::CourseEnrolled, fields("", "Research Paper", "", source("\u{1b}]52"))),
        (EventName::CourseEnrolled, fields("", "$serde_json::private::x", "", None)),
        (EventName::CourseCompleted, fields("p", "c", "", None)),
        (EventName::PageViewed, Fields { page: Some(page), ..fields("p", "c", "m", None) }),
    ];
    let at: DateTime<Utc> = "2026-11-24T20:00:00.123Z".parse().unwrap();
    let events = events.map(|(name, fields)| {
        let event = Event::build(name, fields).unwrap();
        (
            Content::Event(Happening { at, event }),
            Person::new(Some("ada@example.org"), Some("0101")),
        )
    });
    let seven = Person::new(None, Some("7"));
    let repairs = [(Content::Recompute, seven.clone()), (Content::Forget, seven)];
    for ((what, body), (content, person)) in
        RECORDED.into_iter().zip(events.into_iter().chain(repairs))
    {
        let opened = Envelope::open(body).unwrap();
        let hopped = !matches!(content, Content::Event(_));
        let expected = Envelope {
            id: "e-1".into(),
            correlation_id: "r-1".into(),
            accepted_at: at,
            person: person.unwrap(),
            content,
            hopped,
        };
        assert_eq!(opened, expected, "{what}");
    }
}

#[test]
fn an_id_that_no_contact_has_does_not_hide_the_email_beside_it() {
    let digits = "4".repeat(40);
    let opened =
        Envelope::open(&body(|body| body["contact"]["contactId"] = json!(digits))).unwrap();
    assert_eq!((opened.person.email(), opened.person.record_id()), (Some("ada@example.org"), None));
}
