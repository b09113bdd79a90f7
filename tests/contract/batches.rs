//! `POST /events/track` beyond the recordings: batches, identity policies, and a queue that is away.

use std::time::Duration;

use serde_json::{Value, json};
use shared::event::EventName;
use shared::journal::Figure;
use shared::ports::Clock;
use simulation::journal::KeptJournal;

use crate::doors::{self, Doors, QueueMood, SECRET};

/// `Authorization` of ada@example.org with the contact id 201, signed with [`SECRET`], until 2033.
const ADA: &str = "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.\
    eyJpc3MiOiJoZWRnZWhvZy1sZWFybiIsImF1ZCI6ImhlZGdlaG9nLWxlYXJuLWZyb250ZW5kIiwiZXhwIjoyMDAw\
    MDAwMDAwLCJjb250YWN0SWQiOiIyMDEiLCJlbWFpbCI6ImFkYUBleGFtcGxlLm9yZyJ9.\
    vIGMi6NK0-W4uOeGAmiw13Bongzn2m9GQsY8tIqf64E";

fn viewed(email: Option<&str>, slug: &str) -> Value {
    let mut event = json!({
        "eventName": "learning_page_viewed",
        "eventId": format!("id-{slug}"),
        "payload": { "content_type": "course", "slug": slug, "ts": "2026-11-24T19:59:00Z" },
    });
    if let Some(email) = email {
        event["contactIdentifier"] = json!({ "email": email });
    }
    event
}

fn counts(journal: &KeptJournal) -> [f64; 3] {
    [Figure::EventsAccepted, Figure::EventsRejected, Figure::EventsFallback]
        .map(|figure| journal.sum(figure))
}

#[tokio::test]
async fn a_batch_says_what_became_of_each_event() {
    let doors = Doors::with(&[]);
    let mut nameless = viewed(Some("bob@example.org"), "made-id");
    nameless.as_object_mut().unwrap().remove("eventId");
    let batch = json!({ "events": [
        viewed(Some("ada@example.org"), "a"), {}, viewed(None, "b"), nameless, null,
    ]});
    let response = doors.track(batch.to_string()).await;
    let body = doors::body(&response);
    assert_eq!(response.status, 200);
    for (name, expected) in [
        ("status", json!("persisted")),
        ("mode", json!("authenticated")),
        ("backend", json!("properties")),
        ("queued", json!(true)),
        ("accepted", json!(2)),
    ] {
        assert_eq!(body[name], expected, "{name}");
    }
    let ids: Vec<&str> =
        body["eventIds"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!((ids[0], ids[1].len()), ("id-a", 36));
    let refused: Vec<(u64, &str)> = body["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["index"].as_u64().unwrap(), entry["code"].as_str().unwrap()))
        .collect();
    let schema = "SCHEMA_VALIDATION_FAILED";
    assert_eq!(refused, [(1, schema), (2, "NO_IDENTITY"), (4, schema)]);

    let queued = doors.queued().await;
    let about: Vec<_> = queued.iter().map(|envelope| envelope.person.email().unwrap()).collect();
    assert_eq!(about.len(), 2);
    assert!(about.contains(&"ada@example.org") && about.contains(&"bob@example.org"));
    let name = EventName::PageViewed;
    assert!(queued.iter().all(|envelope| envelope.happening().unwrap().event.name() == name));
    assert_eq!(counts(&doors.journal), [2.0, 2.0, 0.0]);
}

#[tokio::test]
async fn a_batch_of_nobody_is_anonymous_and_one_without_a_valid_event_is_refused() {
    let doors = Doors::with(&[]);
    let nobody = json!({ "events": [viewed(None, "a"), {}] });
    let response = doors.track(nobody.to_string()).await;
    let anonymous = json!({ "status": "logged", "mode": "anonymous" });
    assert_eq!((response.status, doors::body(&response)), (200, anonymous));

    let response = doors.track(r#"{"events":[{},5]}"#).await;
    let body = doors::body(&response);
    assert_eq!((response.status, &body["error"]), (400, &json!("Invalid track event payload")));
    let details =
        json!(["events.0.eventName: Required", "events.1: Expected object, received number"]);
    assert_eq!(body["details"]["details"], details);
    assert_eq!(body["rejected"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_event_that_comes_twice_is_queued_once() {
    let doors = Doors::with(&[]);
    let event = viewed(Some("ada@example.org"), "a");
    let batch = json!({ "events": [event, event] });
    let accepted = doors::body(&doors.track(batch.to_string()).await)["accepted"].clone();
    assert_eq!(accepted, 2);
    doors.track(viewed(Some(" ADA@example.org "), "a").to_string()).await;
    doors.track(viewed(Some("ADA@example.org"), "a").to_string()).await;
    assert_eq!(doors.queued().await.len(), 1);
}

#[tokio::test]
async fn a_token_names_everybody_in_a_batch() {
    let doors = Doors::with(&[]);
    let batch = json!({ "events": [viewed(Some("bob@example.org"), "a"), viewed(None, "b")] });
    let mut request = doors::post(batch.to_string());
    request.headers.insert("authorization".into(), ADA.into());
    assert_eq!(doors::body(&doors.answer(request).await)["accepted"], 2);

    let token = ADA.strip_prefix("Bearer ").unwrap();
    let mut event = viewed(None, "c");
    event["token"] = token.into();
    let body = doors::body(&doors.track(event.to_string()).await);
    assert_eq!((&body["contactId"], &body["eventId"]), (&json!("201"), &json!("id-c")));
    for envelope in doors.queued().await {
        assert_eq!(envelope.person.email(), Some("ada@example.org"));
        assert_eq!(envelope.person.contact_id(), Some("201"));
    }
}

#[tokio::test]
async fn under_signed_only_a_token_identifies() {
    let doors = Doors::with(&[("IDENTITY_POLICY", "signed"), ("JWT_SECRET", SECRET)]);
    let event = viewed(Some("bob@example.org"), "a").to_string();
    let answered = async |authorization: Option<&str>, path: &str| {
        let mut request = match path {
            "/events/track" => doors::post(event.clone()),
            path => doors::get(path, &[("email", "bob@example.org")]),
        };
        if let Some(value) = authorization {
            request.headers.insert("authorization".into(), value.into());
        }
        let response = doors.answer(request).await;
        (response.status, doors::body(&response))
    };
    let bad_token =
        json!({ "error": "Invalid or expired token", "details": { "code": "INVALID_TOKEN" } });
    for path in ["/events/track", "/progress/read", "/enrollments/list"] {
        assert_eq!(answered(Some("Bearer a.b.c"), path).await, (401, bad_token.clone()), "{path}");
    }
    let (status, body) = answered(None, "/events/track").await;
    assert_eq!((status, &body["mode"]), (200, &json!("anonymous")));
    assert_eq!(answered(None, "/progress/read").await, (200, json!({ "mode": "anonymous" })));
    assert_eq!(answered(None, "/enrollments/list").await.0, 400);
    assert_eq!(answered(Some(ADA), "/events/track").await.1["contactId"], "201");
    assert_eq!(answered(Some(ADA), "/enrollments/list").await.0, 404);
    assert_eq!(doors.queued().await[0].person.email(), Some("ada@example.org"));
}

#[tokio::test]
async fn an_event_that_the_queue_does_not_take_stands_in_the_journal_as_it_would_on_the_queue() {
    for mood in [QueueMood::Away, QueueMood::Silent, QueueMood::RefusesWith("id-a")] {
        let doors = Doors::with(&[]);
        doors.queue.becomes(mood.clone());
        let before = doors.clock.uptime();
        let response = doors.track(viewed(Some("ada@example.org"), "a").to_string()).await;
        let waited = doors.clock.uptime() - before;
        assert!(waited <= Duration::from_secs(2), "{mood:?}: {waited:?}");
        let body = doors::body(&response);
        assert_eq!((&body["status"], &body["mode"]), (&json!("logged"), &json!("fallback")));
        assert!(body["error"].is_string());

        let lines = doors.journal.lines_saying(ingest::story::FALLBACK_MESSAGE);
        let kept = lines[0].fields[ingest::story::FALLBACK_FIELD].as_str().unwrap();
        let kept = shared::envelope::Envelope::open(kept).unwrap();
        assert_eq!((lines.len(), kept.id.as_str()), (1, "id-a"));
        assert_eq!(counts(&doors.journal), [0.0, 0.0, 1.0]);

        doors.queue.becomes(QueueMood::Well);
        doors.track(viewed(Some("ada@example.org"), "a").to_string()).await;
        let mut queued = doors.queued().await.remove(0);
        queued.accepted_at = kept.accepted_at;
        queued.correlation_id.clone_from(&kept.correlation_id);
        assert_eq!(queued, kept, "{mood:?}");
    }
}

#[tokio::test]
async fn of_a_batch_what_the_queue_refuses_is_told_and_the_rest_is_queued() {
    let doors = Doors::with(&[]);
    doors.queue.becomes(QueueMood::RefusesWith("id-b"));
    let events = ["a", "b", "c"].map(|slug| viewed(Some("ada@example.org"), slug));
    let body = doors::body(&doors.track(json!({ "events": events }).to_string()).await);
    assert_eq!((&body["accepted"], &body["eventIds"]), (&json!(2), &json!(["id-a", "id-c"])));
    let refused = &body["rejected"][0];
    assert_eq!((&refused["index"], &refused["code"]), (&json!(1), &json!("FALLBACK")));
    assert_eq!(counts(&doors.journal), [2.0, 0.0, 1.0]);
    assert_eq!(doors.queued().await.len(), 2);
}

#[tokio::test]
async fn a_time_that_is_missing_or_absurd_is_replaced_and_counted() {
    let doors = Doors::with(&[]);
    let events =
        [json!(null), json!("soon"), json!("2031-01-01T00:00:00Z"), json!("2020-01-01T00:00:00Z")]
            .map(|ts| {
                let mut event = viewed(Some("ada@example.org"), "a");
                event["payload"]["ts"] = ts;
                event.as_object_mut().unwrap().remove("eventId");
                event
            });
    doors.track(json!({ "events": events }).to_string()).await;
    let now = doors.clock.now();
    let line = doors.journal.lines_saying("Request answered").remove(0);
    let expected = json!({ "missing": 1, "unreadable": 1, "future": 1, "past": 1 });
    assert_eq!(line.fields["time_replaced"], expected);
    let queued = doors.queued().await;
    assert_eq!(queued.len(), 4);
    assert!(queued.iter().all(|envelope| envelope.happening().unwrap().at == now));
}
