//! The limits and the form of a request's body.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use shared::event::{Event, EventName, Page, Ts};
use shared::identity::Person;
use shared::submission::{
    BATCH_BYTES_MAX, Rejection, RejectionCode, SINGLE_BYTES_MAX, Submission, Submitted, read,
};

fn page_view() -> Value {
    json!({"eventName": "learning_page_viewed", "payload": {"content_type": "course", "slug": "c"}})
}

/// Reads a single event.
fn single(body: &Value) -> Result<Event, Rejection> {
    match read(body.to_string().as_bytes())?.events {
        Submitted::Single(event) => Ok(*event),
        Submitted::Batch(_) => panic!("{body} is a batch"),
    }
}

/// A page view with another value at a path.
fn with(path: &str, value: Value) -> Value {
    let mut event = page_view();
    let mut slot = &mut event;
    for part in path.split('.') {
        slot = &mut slot[part];
    }
    *slot = value;
    event
}

#[track_caller]
fn refuses(body: &Value, details: &[&str]) {
    let Err(rejection) = single(body) else { panic!("{body} is taken") };
    assert_eq!(rejection.code, RejectionCode::SchemaValidationFailed);
    assert_eq!(rejection.details, details, "{body}");
}

/// A body of so many bytes, the rest of it spaces.
fn padded(body: &Value, bytes: usize) -> Vec<u8> {
    let mut body = body.to_string().into_bytes();
    assert!(body.len() <= bytes);
    body.resize(bytes, b' ');
    body
}

#[test]
fn an_event_is_what_its_body_says_and_the_top_goes_before_the_payload() {
    let at: DateTime<Utc> = "2026-11-24T17:00:00.123Z".parse().unwrap();
    let mut body = json!({
        "eventName": "learning_module_started",
        "eventId": "e-1",
        "contactIdentifier": {"email": "Ada@example.org", "contactId": "7"},
        "pathway_slug": "p",
        "course_slug": "c",
        "enrollment_source": "s",
        "unknown": {},
        "payload": {
            "module_slug": "m",
            "pathway_slug": "q",
            "course_slug": "d",
            "enrollment_source": "t",
            "content_type": "course",
            "slug": "c",
            "ts": "2026-11-24T19:00:00.123456+02:00",
        },
    });
    let text = |text: &str| Some(text.to_owned());
    let top = Event {
        name: EventName::ModuleStarted,
        id: text("e-1"),
        contact: Person::new(Some("ada@example.org"), Some("7")),
        pathway: text("p"),
        course: text("c"),
        module: text("m"),
        source: text("s"),
        viewed: None,
        ts: Ts::Read(at),
    };
    assert_eq!(single(&body), Ok(top.clone()));
    for part in ["pathway_slug", "course_slug", "enrollment_source"] {
        body[part] = json!("");
    }
    let below = Event { pathway: text("q"), course: text("d"), source: text("t"), ..top };
    assert_eq!(single(&body), Ok(below.clone()));
    body["eventName"] = json!("learning_page_viewed");
    let viewed = Some(Page { content_type: "course".into(), slug: "c".into() });
    assert_eq!(single(&body), Ok(Event { name: EventName::PageViewed, viewed, ..below }));
}

#[test]
fn a_null_and_an_empty_text_are_absent() {
    let mut bare = single(&page_view()).unwrap();
    for path in ["eventId", "contactIdentifier", "pathway_slug", "payload.module_slug"] {
        assert_eq!(single(&with(path, Value::Null)).as_ref(), Ok(&bare), "{path}");
    }
    for path in ["eventId", "course_slug", "enrollment_source", "payload.course_slug"] {
        assert_eq!(single(&with(path, json!(""))).as_ref(), Ok(&bare), "{path}");
    }
    assert_eq!(single(&with("payload.ts", Value::Null)).as_ref(), Ok(&bare));
    for ts in [json!(""), json!("today"), json!(5), json!("9999-12-31T23:59:59-01:00")] {
        bare.ts = Ts::Unreadable;
        assert_eq!(single(&with("payload.ts", ts)).as_ref(), Ok(&bare));
    }
    let without_payload = json!({"eventName": "learning_pathway_enrolled", "pathway_slug": "p"});
    let with_null =
        json!({"eventName": "learning_pathway_enrolled", "pathway_slug": "p", "payload": null});
    assert_eq!(single(&without_payload), single(&with_null));
    assert_eq!(single(&without_payload).unwrap().pathway.as_deref(), Some("p"));
}

#[test]
fn every_event_needs_what_it_is_about() {
    let module = "payload.module_slug, or a top-level pathway_slug or course_slug";
    #[track_caller]
    fn check(name: &str, needs: &str, enough: &[Value], too_little: &[Value]) {
        for fields in enough {
            let mut event = fields.clone();
            event["eventName"] = json!(name);
            assert!(single(&event).is_ok(), "{event}");
        }
        for fields in too_little {
            let mut event = fields.clone();
            event["eventName"] = json!(name);
            refuses(&event, &[&format!("root: {name} needs {needs}")]);
        }
    }
    let top = |key: &str| json!({key: "x"});
    let payload = |key: &str| json!({"payload": {key: "x"}});
    for name in ["learning_module_started", "learning_module_completed"] {
        let enough = [top("pathway_slug"), top("course_slug"), payload("module_slug")];
        let too_little = [json!({}), payload("pathway_slug"), payload("course_slug")];
        check(name, module, &enough, &too_little);
    }
    for name in ["learning_pathway_enrolled", "learning_pathway_completed"] {
        let enough = [top("pathway_slug"), payload("pathway_slug")];
        check(name, "pathway_slug", &enough, &[json!({}), top("course_slug")]);
    }
    for name in ["learning_course_enrolled", "learning_course_completed"] {
        let enough = [top("course_slug"), payload("course_slug")];
        check(name, "course_slug", &enough, &[json!({}), top("pathway_slug")]);
    }
    let both = json!({"payload": {"content_type": "c", "slug": "s"}});
    let too_little = [json!({}), payload("content_type"), payload("slug")];
    check("learning_page_viewed", "payload.content_type and payload.slug", &[both], &too_little);
}

#[test]
fn a_text_is_within_its_limit() {
    #[track_caller]
    fn check(path: &str, units_max: usize, value: impl Fn(usize) -> Value) {
        assert!(single(&with(path, value(units_max))).is_ok(), "{path}");
        let what = format!("{path}: String must contain at most {units_max} character(s)");
        refuses(&with(path, value(units_max + 1)), &[&what]);
    }
    let text = |units| json!("x".repeat(units));
    check("eventId", 100, text);
    check("enrollment_source", 1_000, text);
    check("payload.enrollment_source", 1_000, text);
    for path in ["pathway_slug", "course_slug", "payload.pathway_slug", "payload.course_slug"] {
        check(path, 200, text);
    }
    check("payload.module_slug", 200, text);
    check("contactIdentifier.email", 255, |units| json!(format!("{}@b.co", "x".repeat(units - 5))));
    let contact = |units| {
        with("contactIdentifier", json!({"email": "a@b.co", "contactId": "7".repeat(units)}))
    };
    assert!(single(&contact(50)).is_ok());
    let what = "contactIdentifier.contactId: String must contain at most 50 character(s)";
    refuses(&contact(51), &[what]);
    let needs = "root: learning_page_viewed needs payload.content_type and payload.slug";
    for (path, units_max) in [("payload.content_type", 1_000), ("payload.slug", 200)] {
        assert!(single(&with(path, text(units_max))).is_ok());
        let what = format!("{path}: String must contain at most {units_max} character(s)");
        refuses(&with(path, text(units_max + 1)), &[&what, needs]);
    }
}

#[test]
fn every_fault_is_told_by_its_path_and_never_by_its_value() {
    let received = |path: &str, kind: &str| format!("{path}: Expected string, received {kind}");
    for (value, kind) in [
        (json!(true), "boolean"),
        (json!(5), "number"),
        (json!([]), "array"),
        (json!({}), "object"),
    ] {
        for path in ["eventId", "pathway_slug", "contactIdentifier.contactId"] {
            let alone = path != "contactIdentifier.contactId";
            let nobody = "contactIdentifier: At least one of email or contactId must be provided";
            let told = received(path, kind);
            let details = if alone { vec![told.as_str()] } else { vec![told.as_str(), nobody] };
            refuses(&with(path, value.clone()), &details);
        }
        refuses(
            &with("contactIdentifier.email", value),
            &[&received("contactIdentifier.email", kind)],
        );
    }
    for path in ["pathway_slug", "payload.module_slug"] {
        let unlisted = format!("{path}: may hold neither ';' nor control characters");
        refuses(&with(path, json!("a;b")), &[&unlisted]);
        let reserved = format!("{path}: is reserved");
        refuses(&with(path, json!("$serde_json::private::Number")), &[&reserved]);
    }
    refuses(&with("pathway_slug", json!("courses")), &["pathway_slug: 'courses' is reserved"]);
    refuses(
        &with("payload.pathway_slug", json!("courses")),
        &["pathway_slug: 'courses' is reserved"],
    );
    refuses(
        &with("contactIdentifier.email", json!("ada")),
        &["contactIdentifier.email: Invalid email"],
    );
    let nobody = "contactIdentifier: At least one of email or contactId must be provided";
    refuses(&with("contactIdentifier", json!({})), &[nobody]);
    let no_object = "contactIdentifier: Expected object, received string";
    refuses(&with("contactIdentifier", json!("ada")), &[no_object]);
    refuses(&with("eventName", json!("x")), &["eventName: no such event"]);
    refuses(&with("eventName", Value::Null), &["eventName: no such event"]);
    let none = "root: learning_page_viewed needs payload.content_type and payload.slug";
    refuses(&with("payload", json!(5)), &["payload: Expected object, received number", none]);
    refuses(&json!([]), &["root: Expected object, received array"]);
    refuses(&json!(null), &["root: Expected object, received null"]);
    let several = json!({"eventId": 5, "pathway_slug": 5});
    let told = [
        "eventName: Required",
        "pathway_slug: Expected string, received number",
        "eventId: Expected string, received number",
    ];
    refuses(&several, &told);
}

#[test]
fn a_body_is_within_its_limits() {
    let code = |body: &[u8]| read(body).map(|_| ()).map_err(|rejection| rejection.code);
    let too_large = Err(RejectionCode::PayloadTooLarge);
    assert_eq!(SINGLE_BYTES_MAX, 10_000);
    assert_eq!(code(&padded(&page_view(), 10_000)), Ok(()));
    assert_eq!(code(&padded(&page_view(), 10_001)), too_large);
    assert_eq!(code(&vec![b' '; 10_000]), Err(RejectionCode::InvalidJson));
    assert_eq!(code(&vec![b' '; 10_001]), too_large);

    let batch = |events: usize| json!({ "events": vec![page_view(); events] });
    assert_eq!(BATCH_BYTES_MAX, 524_288);
    assert_eq!(code(&padded(&batch(1), 524_288)), Ok(()));
    assert_eq!(code(&padded(&batch(1), 524_289)), too_large);
    assert_eq!(code(batch(50).to_string().as_bytes()), Ok(()));
    assert_eq!(code(batch(51).to_string().as_bytes()), too_large);

    let empty = read(batch(0).to_string().as_bytes()).unwrap_err();
    assert_eq!(empty.details, ["events: Array must contain at least 1 element(s)"]);
    // An absent body is an empty object.
    assert_eq!(read(b"").unwrap_err().details, ["eventName: Required"]);
    let broken = read(b"{\n\"a\"").unwrap_err();
    assert_eq!(broken.details, ["root: not valid JSON at line 2 column 3"]);
    for large in [padded(&page_view(), 10_001), padded(&batch(1), 524_289)] {
        assert!(read(&large).unwrap_err().details[0].starts_with("body: "));
    }
    let many = read(batch(51).to_string().as_bytes()).unwrap_err();
    assert_eq!(many.details, ["events: a batch may have 50 events"]);
}

#[test]
fn in_a_batch_a_bad_event_is_that_events_fate_alone() {
    let body = json!({"token": "a.b.c", "events": [page_view(), 5, page_view()]});
    let Submission { token, events } = read(body.to_string().as_bytes()).unwrap();
    assert_eq!(token.as_deref(), Some("a.b.c"));
    let Submitted::Batch(events) = events else { panic!("{events:?}") };
    assert_eq!(events.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
}

#[test]
fn a_token_that_is_no_text_is_a_bad_one() {
    let token = |token: Value| read(with("token", token).to_string().as_bytes()).unwrap().token;
    assert_eq!(token(json!("a.b.c")).as_deref(), Some("a.b.c"));
    assert_eq!(token(json!(5)).as_deref(), Some(""));
    assert_eq!(token(Value::Null), None);
    assert_eq!(read(page_view().to_string().as_bytes()).unwrap().token, None);
}

#[test]
fn a_code_has_its_word() {
    use RejectionCode::{InvalidJson, PayloadTooLarge, SchemaValidationFailed};
    let words = [PayloadTooLarge, InvalidJson, SchemaValidationFailed].map(RejectionCode::as_str);
    assert_eq!(words, ["PAYLOAD_TOO_LARGE", "INVALID_JSON", "SCHEMA_VALIDATION_FAILED"]);
}
