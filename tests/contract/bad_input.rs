//! Bodies that are no events: each gets a clear 400, and none a 500 or a panic.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use shared::submission::{self, BATCH_BYTES_MAX, BATCH_EVENTS_MAX, SINGLE_BYTES_MAX};
use tokio::runtime::Runtime;

use crate::doors::{self, Doors};

const VALID: &str = r#"{"eventName":"learning_module_started","eventId":"e-1",
    "contactIdentifier":{"email":"ada@example.org","contactId":"7"},"pathway_slug":"p",
    "enrollment_source":"catalog","payload":{"module_slug":"m","course_slug":"c",
    "ts":"2026-11-24T19:00:00.000+02:00"}}"#;

#[tokio::test]
async fn every_bad_body_is_a_400_that_says_what_is_wrong() {
    let doors = Doors::with(&[]);
    let check = async |what: &str, body: Vec<u8>, code: &str| {
        let response = doors.track(body).await;
        let found = doors::body(&response);
        assert_eq!(response.status, 400, "{what}: {found}");
        assert_eq!(found["details"]["code"], code, "{what}: {found}");
        assert!(!found["error"].as_str().unwrap().is_empty(), "{what}");
        assert!(!found["details"]["details"].as_array().unwrap().is_empty(), "{what}");
    };
    let large = "PAYLOAD_TOO_LARGE";
    check("one byte over a single event", padded(SINGLE_BYTES_MAX + 1), large).await;
    check("10 MB", padded(10_000_000), large).await;
    check("10 MB of nothing", vec![0; 10_000_000], large).await;
    check("one event over a batch", batch(BATCH_EVENTS_MAX + 1, 0), large).await;
    check("one byte over a batch", batch(1, BATCH_BYTES_MAX), large).await;

    let json = "INVALID_JSON";
    check("half an object", b"{".to_vec(), json).await;
    check("no UTF-8", b"{\"eventName\":\"\xFF\xFE\"}".to_vec(), json).await;
    check("half a character", b"{\"eventName\":\"\xC3\"}".to_vec(), json).await;
    check("NUL bytes", vec![0; 64], json).await;
    check("a NUL in a text", b"{\"eventName\":\"a\0b\"}".to_vec(), json).await;
    check("a form", b"eventName=learning_page_viewed".to_vec(), json).await;
    check("two documents", [VALID, VALID].concat().into_bytes(), json).await;
    check("deep lists", "[".repeat(SINGLE_BYTES_MAX).into_bytes(), json).await;
    check("deep objects", r#"{"payload":"#.repeat(900).into_bytes(), json).await;

    let schema = "SCHEMA_VALIDATION_FAILED";
    check("nothing", Vec::new(), schema).await;
    check("null", b"null".to_vec(), schema).await;
    check("a lone surrogate", br#"{"eventName":"\ud800"}"#.to_vec(), schema).await;
    check("a list", b"[]".to_vec(), schema).await;
    check("a text", b"\"event\"".to_vec(), schema).await;
    check("an event of no kind", b"{}".to_vec(), schema).await;
    check("no events", br#"{"events":[]}"#.to_vec(), schema).await;
    check("only bad events", br#"{"events":[null,{},7]}"#.to_vec(), schema).await;
    check("events that are no list", br#"{"events":{}}"#.to_vec(), schema).await;
    for (what, path, value) in [
        ("an unknown event", "/eventName", json!("learning_nothing")),
        ("a name of another type", "/eventName", json!(5)),
        ("a payload of another type", "/payload", json!("m")),
        ("an address that is none", "/contactIdentifier/email", json!("ada")),
        ("a long address", "/contactIdentifier/email", json!(format!("{}@b.co", "a".repeat(251)))),
        ("a long contact id", "/contactIdentifier/contactId", json!("7".repeat(51))),
        ("nobody", "/contactIdentifier", json!({})),
        ("a long slug", "/pathway_slug", json!("p".repeat(201))),
        ("a slug with a separator", "/payload/module_slug", json!("a;b")),
        ("a slug with a control character", "/payload/module_slug", json!("a\u{0}b")),
        ("the reserved pathway", "/pathway_slug", json!("courses")),
        ("a long event id", "/eventId", json!("e".repeat(101))),
        ("a long source", "/enrollment_source", json!("s".repeat(1_001))),
    ] {
        let mut event: Value = serde_json::from_str(VALID).unwrap();
        *event.pointer_mut(path).unwrap() = value;
        check(what, event.to_string().into_bytes(), schema).await;
    }
    assert!(doors.queued().await.is_empty());
}

#[tokio::test]
async fn the_content_type_decides_nothing() {
    let doors = Doors::with(&[]);
    for content_type in [
        "application/json",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "image/png",
        "application/json; charset=utf-16",
        "\u{0}",
        "",
    ] {
        for (body, status) in [(VALID, 200), ("{", 400), ("", 400)] {
            let mut request = doors::post(body);
            request.headers.insert("content-type".into(), content_type.into());
            assert_eq!(doors.answer(request).await.status, status, "{content_type:?} {body:?}");
        }
    }
}

thread_local! {
    /// One runtime and one pair of doors for all cases of a test: making them costs more than a
    /// case.
    static CASES: (Runtime, Doors) = (Runtime::new().unwrap(), Doors::with(&[]));
}

/// Whatever the body is: a 200 if it is valid, else a 400 with a code; and what is queued opens.
fn check_any(body: &[u8]) {
    CASES.with(|(runtime, doors)| {
        // Past the time in which the queue takes an id only once.
        doors.clock.advance(Duration::from_secs(600));
        let response = runtime.block_on(doors.track(body));
        let found = doors::body(&response);
        let code = submission::read(body).err().map(|rejection| rejection.code.as_str());
        match response.status {
            200 => assert!(code.is_none() && found["status"].is_string(), "{found}"),
            400 => {
                let expected = code.unwrap_or("SCHEMA_VALIDATION_FAILED");
                assert_eq!(found["details"]["code"], expected, "{found}");
            }
            status => panic!("{status}: {found}"),
        }
        let queued = runtime.block_on(doors.queued());
        assert_eq!(queued.is_empty(), found["status"] != "persisted", "{found}");
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_answered(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        check_any(&body);
    }

    #[test]
    fn any_json_is_answered(value in any_json()) {
        check_any(value.to_string().as_bytes());
    }

    #[test]
    fn a_valid_event_with_any_part_replaced_is_answered(
        path in proptest::sample::select(PATHS.to_vec()),
        value in any_json(),
        in_batch in any::<bool>(),
    ) {
        let mut event: Value = serde_json::from_str(VALID).unwrap();
        event["token"] = Value::Null;
        *event.pointer_mut(path).unwrap() = value;
        let body = if in_batch { json!({ "events": [event, {}] }) } else { event };
        check_any(body.to_string().as_bytes());
    }

    #[test]
    fn a_valid_event_with_any_bytes_damaged_is_answered(
        damages in proptest::collection::vec((0..VALID.len(), any::<u8>()), 1..6),
        length in 0..=VALID.len(),
    ) {
        let mut body = VALID.as_bytes().to_vec();
        for (place, byte) in damages {
            body[place] = byte;
        }
        check_any(&body);
        check_any(&body[..length]);
    }
}

const PATHS: [&str; 13] = [
    "",
    "/eventName",
    "/eventId",
    "/contactIdentifier",
    "/contactIdentifier/email",
    "/contactIdentifier/contactId",
    "/pathway_slug",
    "/enrollment_source",
    "/payload",
    "/payload/module_slug",
    "/payload/course_slug",
    "/payload/ts",
    "/token",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[a-z0-9@.;-]{0,260}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let key = prop_oneof![
            proptest::sample::select(vec!["eventName", "payload", "events", "token", "email"])
                .prop_map(str::to_owned),
            any::<String>(),
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(key, inner, 0..6)
                .prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

/// A single event of so many bytes.
fn padded(bytes: usize) -> Vec<u8> {
    let mut body = VALID.as_bytes().to_vec();
    body.resize(bytes, b' ');
    body
}

/// A batch of so many events, with so many more bytes in it.
fn batch(events: usize, more_bytes: usize) -> Vec<u8> {
    let mut body = format!(r#"{{"events":[{}]}}"#, vec![VALID; events].join(",")).into_bytes();
    body.resize(body.len() + more_bytes, b' ');
    body
}
