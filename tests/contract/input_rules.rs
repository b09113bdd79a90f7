//! The input rules of the contract on the whole path: from a body to a contact, and from a query to
//! an answer. `shared/tests/rules` holds each rule alone.

use serde_json::{Value, json};
use shared::http::Request;
use shared::journal::Figure;
use shared::query;
use tests::path::Path;

use crate::doors::{self, Doors};
use crate::security::token;
use crate::worker::{add, path};

/// An enrollment in a course.
fn enrolled(contact: &Value, course: &str) -> Value {
    json!({
        "eventName": "learning_course_enrolled",
        "contactIdentifier": contact,
        "course_slug": course,
        "payload": { "ts": "2026-09-20T10:00:00Z" },
    })
}

fn by_email(email: &str) -> Value {
    json!({ "email": email })
}

async fn reasons(path: &Path) -> Vec<String> {
    let letters = path.dead_letters().await;
    letters.into_iter().map(|letter| letter.attributes["reason"].clone()).collect()
}

#[tokio::test]
async fn an_id_that_no_contact_has_is_not_found_without_a_call() {
    for id in ["0101", "10000000000000000000", "ada", " 101", &"4".repeat(40)] {
        let path = path();
        let before = path.calls();
        let answer = path.track(&enrolled(&json!({ "contactId": id }), "c")).await;
        assert!(answer.body.contains("persisted"), "{id}: {}", answer.body);
        path.come_to_rest().await;
        assert_eq!(reasons(&path).await, ["CONTACT_NOT_FOUND"], "{id}");
        assert_eq!(path.calls(), before, "{id}");
    }
}

#[tokio::test]
async fn beside_an_id_that_no_contact_has_the_email_serves() {
    for id in ["0101", "ada", &"4".repeat(40)] {
        let path = path();
        add(&path, &[("email", "ada@example.org")]);
        let contact = json!({ "email": "ada@example.org", "contactId": id });
        let answer = path.track(&enrolled(&contact, "c")).await;
        let answer: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(answer["contactId"], id, "the caller's word comes back");
        path.come_to_rest().await;
        assert_eq!(path.held("ada@example.org").unwrap()["hhl_enrolled_courses"], "c", "{id}");
        assert_eq!(path.journal.sum(Figure::ContactIdsIgnored), 1.0, "{id}");
        assert_eq!(reasons(&path).await, [""; 0], "{id}");
    }
}

#[tokio::test]
async fn a_read_by_an_id_that_no_contact_has_is_answered_by_the_email() {
    let doors = Doors::with(&[]);
    doors.add("7", &[("email".to_owned(), "ada+news@example.org".to_owned())].into());
    let asked = async |raw: &str| {
        let query = query::parameters(raw);
        let request = Request { query, ..doors::get("/progress/read", &[]) };
        doors::body(&doors.answer(request).await)["mode"].clone()
    };
    assert_eq!(asked("email=ada+news@example.org").await, "authenticated");
    assert_eq!(asked("email=%20ADA%2Bnews@Example.org&contactId=0101").await, "authenticated");
    assert_eq!(asked("contactId=0101").await, "anonymous");
}

#[tokio::test]
async fn one_course_is_one_however_white_space_surrounds_it() {
    let path = path();
    for course in [
        "Research Paper ",
        "Research Paper",
        "\u{A0}Research Paper",
        "Research Paper\u{3000}",
        "\u{2028}Research Paper",
    ] {
        path.track(&enrolled(&by_email("ada@example.org"), course)).await;
    }
    path.come_to_rest().await;
    let held = path.held("ada@example.org").unwrap();
    assert_eq!(held["hhl_enrolled_courses"], "Research Paper");
}

#[tokio::test]
async fn one_person_is_one_however_the_address_is_written() {
    let path = path();
    for (email, course) in
        [("ada@Bücher.example", "a"), (" ADA@xn--bcher-kva.example", "b"), ("tom&jerry@b.co", "c")]
    {
        path.track(&enrolled(&by_email(email), course)).await;
    }
    path.come_to_rest().await;
    assert_eq!(path.held("ada@xn--bcher-kva.example").unwrap()["hhl_enrolled_courses"], "a;b");
    assert_eq!(path.held("tom&jerry@b.co").unwrap()["hhl_enrolled_courses"], "c");
    assert_eq!(path.portal.stats().contacts, 2);
}

#[tokio::test]
async fn different_events_under_one_id_are_all_applied_and_counted() {
    let path = path();
    let under_x = |course: &str| {
        let mut event = enrolled(&by_email("ada@example.org"), course);
        event["eventId"] = json!("x");
        event
    };
    let events = ["a", "b", "c", "a"].map(under_x);
    let answer = path.track(&json!({ "events": events })).await;
    let answer: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(answer["eventIds"], json!(["x", "x", "x", "x"]));
    assert_eq!(path.journal.sum(Figure::EventIdsReused), 1.0);
    path.come_to_rest().await;
    assert_eq!(path.held("ada@example.org").unwrap()["hhl_enrolled_courses"], "a;b;c");
    assert_eq!(path.journal.sum(Figure::EventsApplied), 3.0, "the repeated one is one message");
}

#[tokio::test]
async fn an_id_that_two_people_share_is_not_a_reused_one() {
    let path = path();
    let events = ["ada@example.org", "bob@example.org"].map(|email| {
        let mut event = enrolled(&by_email(email), "c");
        event["eventId"] = json!("1");
        event
    });
    path.track(&json!({ "events": events })).await;
    path.come_to_rest().await;
    assert_eq!(path.journal.sum(Figure::EventIdsReused), 0.0);
    assert_eq!(path.portal.stats().contacts, 2);
}

#[tokio::test]
async fn a_body_with_a_mark_or_with_junk_that_nobody_uses_is_queued() {
    let doors = Doors::with(&[]);
    let event = enrolled(&by_email("ada@example.org"), "c").to_string();
    let with = |junk: &str| event.replacen('{', &format!("{{{junk},"), 1);
    let title = with(r#""title":"Launch \ud83d""#);
    let nested = with(&format!(r#""deep":{}{}"#, "[".repeat(200), "]".repeat(200)));
    let batch = format!(r#"{{"events":[{event},{title},{nested}]}}"#);
    let answer = doors::body(&doors.track(batch).await);
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!(3), &json!([])));
    for single in [format!("\u{FEFF}{event}"), title, nested] {
        assert_eq!(doors::body(&doors.track(single).await)["status"], "persisted");
    }
}

#[tokio::test]
async fn second_60_is_stored_as_the_millisecond_before_it() {
    let path = path();
    let mut event = enrolled(&by_email("ada@example.org"), "c");
    event["payload"]["ts"] = json!("2026-01-18T12:34:60Z");
    path.track(&event).await;
    path.come_to_rest().await;
    let held = path.held("ada@example.org").unwrap();
    let state: Value = serde_json::from_str(&held["hhl_progress_state"]).unwrap();
    assert_eq!(state["courses"]["c"]["enrolled_at"], "2026-01-18T12:34:59.999Z");
}

#[tokio::test]
async fn a_path_may_have_more_slashes_and_head_is_answered_where_get_is() {
    let doors = Doors::with(&[]);
    let event = enrolled(&by_email("ada@example.org"), "c").to_string();
    for path in ["/events/track/", "//events/track", "/prod/events//track/"] {
        let request = Request { path: path.into(), ..doors::post(event.clone()) };
        assert_eq!(doors.answer(request).await.status, 200, "{path}");
    }
    for path in ["/api/health", "/progress/read/", "/enrollments/list"] {
        let get = doors.answer(doors::get(path, &[])).await;
        let head = Request { method: "HEAD".into(), ..doors::get(path, &[]) };
        let head = doors.answer(head).await;
        assert_eq!((head.status, head.headers), (get.status, get.headers), "{path}");
        assert_eq!(head.body, "", "{path}");
    }
}

#[tokio::test]
async fn what_a_terminal_would_obey_is_refused() {
    let doors = Doors::with(&[]);
    for text in ["\u{1b}]52;c;aGk=\u{7}", "\u{202E}gpj.exe", "\u{9b}31m", "\u{2067}x"] {
        for path in
            ["/enrollment_source", "/eventId", "/course_slug", "/contactIdentifier/contactId"]
        {
            let mut event = enrolled(&json!({ "email": "a@b.co", "contactId": "7" }), "c");
            event["enrollment_source"] = json!("catalog");
            event["eventId"] = json!("e-1");
            *event.pointer_mut(path).unwrap() = json!(text);
            let answer = doors.track(event.to_string()).await;
            assert_eq!(answer.status, 400, "{path} {text:?}");
            assert!(!answer.body.contains(text), "{path} {text:?}");
        }
    }
    assert_eq!(doors.queued().await, []);
}

#[tokio::test]
async fn a_signed_token_names_a_person_as_a_body_does() {
    let doors = Doors::with(&[("IDENTITY_POLICY", "signed")]);
    for (claims, email, id) in [
        (json!({ "email": null, "contactId": 101 }), None, Some("101")),
        (
            json!({ "email": "tom&jerry@example.com", "contactId": null }),
            Some("tom&jerry@example.com"),
            None,
        ),
        (
            json!({ "email": "ada@Bücher.example", "contactId": null }),
            Some("ada@xn--bcher-kva.example"),
            None,
        ),
    ] {
        let mut request = doors::post(enrolled(&Value::Null, "c").to_string());
        request.headers.insert("authorization".into(), format!("Bearer {}", token(&claims)));
        let answer = doors.answer(request).await;
        assert_eq!(doors::body(&answer)["status"], "persisted", "{claims}");
        let queued = doors.queued().await;
        assert_eq!((queued[0].person.email(), queued[0].person.contact_id()), (email, id));
    }
}
