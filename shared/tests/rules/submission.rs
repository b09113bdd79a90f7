//! The limits and the form of a request's body.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use shared::event::{CoursePlace, Event, Mentioned, ModulePlace, Page, SentEvent, Ts};
use shared::identity::Person;
use shared::submission::{
    BATCH_BYTES_MAX, Rejection, RejectionCode, SINGLE_BYTES_MAX, Submission, Submitted, read,
};

fn page_view() -> Value {
    json!({"eventName": "learning_page_viewed", "payload": {"content_type": "course", "slug": "c"}})
}

/// Reads a single event.
fn single(body: &Value) -> Result<SentEvent, Rejection> {
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
        "module_slug": "n",
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
    let sent = |event: Event| SentEvent {
        event,
        id: Some("e-1".to_owned()),
        contact: Person::new(Some("ada@example.org"), Some("7")),
        ts: Ts::Read(at),
    };
    let place = |pathway: &str, course: &str, module: &str| ModulePlace::InCourse {
        course: CoursePlace { pathway: pathway.parse().ok(), course: course.parse().unwrap() },
        module: module.parse().unwrap(),
    };
    assert_eq!(single(&body), Ok(sent(Event::ModuleStarted(place("p", "c", "n")))));
    for part in ["pathway_slug", "course_slug", "module_slug", "enrollment_source"] {
        body[part] = json!("");
    }
    assert_eq!(single(&body), Ok(sent(Event::ModuleStarted(place("q", "d", "m")))));
    body["eventName"] = json!("learning_course_enrolled");
    let course = CoursePlace { pathway: "q".parse().ok(), course: "d".parse().unwrap() };
    let below = Event::CourseEnrolled { course: course.clone(), source: Some("t".into()) };
    assert_eq!(single(&body), Ok(sent(below)));
    body["enrollment_source"] = json!("s");
    let top = Event::CourseEnrolled { course, source: Some("s".into()) };
    assert_eq!(single(&body), Ok(sent(top)));
    body["eventName"] = json!("learning_page_viewed");
    let page = Page { content_type: "course".into(), slug: "c".parse().unwrap() };
    let within =
        Mentioned { pathway: "q".parse().ok(), course: "d".parse().ok(), module: "m".parse().ok() };
    assert_eq!(single(&body), Ok(sent(Event::PageViewed { page, within })));
}

#[test]
fn a_body_may_begin_with_a_byte_order_mark() {
    for body in [page_view(), json!({ "events": [page_view()] })] {
        let marked = [b"\xEF\xBB\xBF".as_slice(), body.to_string().as_bytes()].concat();
        assert_eq!(read(&marked), read(body.to_string().as_bytes()));
    }
}

#[test]
fn what_is_not_used_of_an_event_costs_neither_it_nor_its_neighbors() {
    let plain = page_view().to_string();
    let deep = format!("{}{}", "[".repeat(400), "]".repeat(400));
    let deeper = format!("{}1{}", r#"{"a":"#.repeat(9_000), "}".repeat(9_000));
    for unused in [
        r#""title":"Launch \ud83d""#,
        r#""\udc00":1"#,
        r#""big":1e999"#,
        &format!(r#""deep":{deep}"#),
        &format!(r#""deep":{deeper}"#),
    ] {
        let body = |event: &str| format!(r#"{{"events":[{plain},{event},{plain}],{unused}}}"#);
        let top = plain.replacen('{', &format!("{{{unused},"), 1);
        let below = plain.replace(r#""payload":{"#, &format!(r#""payload":{{{unused},"#));
        for event in [top, below] {
            assert_ne!(event, plain);
            let Ok(Submission { events: Submitted::Batch(events), .. }) =
                read(body(&event).as_bytes())
            else {
                panic!("{event} costs its batch");
            };
            assert_eq!(events, vec![single(&page_view()); 3], "{event}");
        }
    }
}

#[test]
fn a_value_that_is_used_is_well_formed_unicode_or_costs_its_own_event() {
    for (member, told) in [
        (r#""eventId":"\ud83d""#, "eventId: must be well-formed Unicode"),
        (r#""course_slug":"a\udfffb""#, "course_slug: must be well-formed Unicode"),
        (
            r#""contactIdentifier":{"email":"a@b.co","contactId":"\ud800"}"#,
            "contactIdentifier.contactId: must be well-formed Unicode",
        ),
    ] {
        let plain = page_view().to_string();
        let event = plain.replacen('{', &format!("{{{member},"), 1);
        let body = format!(r#"{{"events":[{event},{plain}]}}"#);
        let Submitted::Batch(events) = read(body.as_bytes()).unwrap().events else { panic!() };
        assert_eq!(events[0].as_ref().unwrap_err().details, [told]);
        assert_eq!(events[1], single(&page_view()));
    }
}

#[test]
fn the_last_of_a_repeated_member_counts() {
    let plain = page_view().to_string();
    let twice = plain.replacen('{', r#"{"eventName":5,"payload":{"slug":";"},"#, 1);
    assert_eq!(read(twice.as_bytes()), read(plain.as_bytes()));
}

#[test]
fn white_space_at_the_edges_of_a_slug_goes_and_nothing_but_it_is_absent() {
    let with_slug = |slug: &str| single(&with("course_slug", json!(slug)));
    for spelled in ["c ", "\u{A0}c", "c\u{3000}", "\u{2028}c\n", "\u{85}c"] {
        assert_eq!(with_slug(spelled), with_slug("c"), "{spelled:?}");
    }
    assert_eq!(with_slug(" \u{A0}"), single(&page_view()));
    assert_ne!(with_slug("\u{FEFF}c"), with_slug("c"), "it isn't white space");
    assert!(with_slug("$serde_json::private::Number").is_ok(), "no other text is reserved");
}

#[test]
fn second_60_is_read_as_the_last_millisecond_of_its_minute() {
    for (ts, read) in [
        ("2026-01-18T12:34:60Z", "2026-01-18T12:34:59.999Z"),
        ("2026-01-18T23:59:60.25+01:00", "2026-01-18T22:59:59.999Z"),
        ("2026-01-18T12:34:59.999Z", "2026-01-18T12:34:59.999Z"),
    ] {
        let read = Ts::Read(read.parse().unwrap());
        assert_eq!(single(&with("payload.ts", json!(ts))).unwrap().ts, read, "{ts}");
    }
}

#[test]
fn no_text_that_is_shown_later_holds_control_characters() {
    let what = "may not hold control or bidirectional formatting characters";
    for character in ["\u{1b}]52;c;", "\u{0}", "\u{202E}", "\u{2066}", "\u{85}"] {
        for path in ["eventId", "enrollment_source", "payload.enrollment_source"] {
            refuses(&with(path, json!(character)), &[&format!("{path}: {what}")]);
        }
        let contact = json!({"email": "a@b.co", "contactId": format!("7{character}")});
        let told = format!("contactIdentifier.contactId: {what}");
        refuses(&with("contactIdentifier", contact), &[&told]);
    }
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
    let pathway = "p".parse().unwrap();
    let enrolled = Event::PathwayEnrolled { pathway, source: None };
    assert_eq!(single(&without_payload).unwrap().event, enrolled);
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
        let enough =
            [top("pathway_slug"), top("course_slug"), top("module_slug"), payload("module_slug")];
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
    check("contactIdentifier.email", 255, |chars| {
        let end = if chars % 2 == 0 { "co" } else { "com" };
        json!(format!("a@{}{end}", "b.".repeat((chars - 4) / 2)))
    });
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
            refuses(&with(path, value.clone()), &[&received(path, kind)]);
        }
        refuses(
            &with("contactIdentifier.email", value),
            &[&received("contactIdentifier.email", kind)],
        );
    }
    for path in ["pathway_slug", "payload.module_slug"] {
        let what = "may hold neither ';' nor control or bidirectional formatting characters";
        for text in ["a;b", "a\nb", "a\u{202E}b"] {
            refuses(&with(path, json!(text)), &[&format!("{path}: {what}")]);
        }
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
