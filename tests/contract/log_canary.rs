//! Nothing personal is logged: both functions are led through every outcome with marked addresses,
//! ids, tokens, bodies and paths, and no line of the journal may hold a mark.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::http::Request;
use shared::journal::Line;
use simulator::faults::{FaultKind, FaultRule};

use crate::doors::{self, Doors, QueueMood};

/// Stands in everything that a client sends.
pub(crate) const MARK: &str = "canary";
const EMAIL: &str = "canary.one@canary.example";
/// A record id can't hold letters.
pub(crate) const CONTACT_ID: &str = "990712345678";
const TOKEN: &str = "Bearer canary.canary.canary";

fn event(contact: Value) -> Value {
    json!({
        "eventName": "learning_page_viewed",
        "eventId": "canary-id",
        "contactIdentifier": contact,
        "enrollment_source": "canary-source",
        "payload": { "content_type": "course", "slug": "canary-slug", "ts": "canary-time" },
    })
}

/// The requests that a client can make, all of them marked.
pub(crate) fn requests() -> Vec<Request> {
    let named = json!({ "email": EMAIL, "contactId": CONTACT_ID });
    let mut invalid = event(json!({ "email": "canary at home" }));
    invalid["eventName"] = "canary-event".into();
    invalid["pathway_slug"] = "canary;slug".into();
    invalid["payload"]["content_type"] = json!({ "canary": 1 });
    let batch = json!({ "token": TOKEN, "events": [
        event(named.clone()), event(Value::Null), invalid, { "canary": "canary" },
    ]});
    let mut requests = vec![
        doors::post(event(named.clone()).to_string()),
        doors::post(event(json!({ "email": EMAIL })).to_string()),
        doors::post(event(json!({ "contactId": CONTACT_ID })).to_string()),
        doors::post(event(Value::Null).to_string()),
        doors::post(invalid.to_string()),
        doors::post(batch.to_string()),
        doors::post(json!({ "events": [invalid, "canary"] }).to_string()),
        doors::post(format!("{{\"{MARK}\": canary")),
        doors::post(MARK.repeat(2_000)),
    ];
    let long_id = "9".repeat(51);
    for path in ["/progress/read", "/progress/aggregate", "/enrollments/list"] {
        for query in [
            vec![("email", EMAIL)],
            vec![("contactId", CONTACT_ID)],
            vec![("email", "nobody.canary@canary.example")],
            vec![("contactId", "canary")],
            vec![("email", "canary at home"), ("contactId", &long_id)],
            vec![("type", "canary"), ("slug", "")],
            vec![],
        ] {
            requests.push(doors::get(path, &query));
            let with_slug = [&query[..], &[("type", "course"), ("slug", "canary-slug")]].concat();
            requests.push(doors::get(path, &with_slug));
        }
    }
    requests.push(doors::get("/canary/canary.one@canary.example", &[]));
    requests.push(Request { method: "CANARY".into(), ..doors::get("/events/track", &[]) });
    for request in requests.clone() {
        let mut signed = request;
        signed.headers.insert("authorization".into(), TOKEN.into());
        signed.headers.insert("origin".into(), "https://canary.example".into());
        signed.headers.insert("x-request-id".into(), MARK.into());
        requests.push(signed);
    }
    requests
}

/// A contact that is marked all over.
pub(crate) fn contact() -> BTreeMap<String, String> {
    BTreeMap::from([
        ("email".to_owned(), EMAIL.to_owned()),
        ("hhl_progress_state".to_owned(), "{\"canary".to_owned()),
        ("hhl_progress_summary".to_owned(), MARK.to_owned()),
    ])
}

async fn lines(variables: &[(&str, &str)], mood: QueueMood, fault: Option<FaultKind>) -> Vec<Line> {
    let doors = Doors::with(variables);
    doors.add(CONTACT_ID, &contact());
    doors.queue.becomes(mood);
    if let Some(kind) = fault {
        doors.portal.set_fault(FaultRule::every(kind));
    }
    let requests = requests();
    let asked = requests.len();
    for request in requests {
        let response = doors.answer(request).await;
        assert!(response.status < 500 || response.body.contains("Unable to fetch"));
    }
    assert_eq!(doors.journal.lines_saying("Request answered").len(), asked);
    doors.journal.lines()
}

fn is_marked(line: &Line) -> bool {
    let text = format!("{line:?}").to_lowercase();
    text.contains(MARK) || text.contains(CONTACT_ID)
}

#[tokio::test]
async fn no_outcome_logs_anything_that_a_client_sent() {
    let signed = [("IDENTITY_POLICY", "signed")];
    let off = [("ENABLE_CRM_PROGRESS", "false")];
    let well = || QueueMood::Well;
    let mut all = lines(&[], well(), None).await;
    all.extend(lines(&signed, well(), None).await);
    all.extend(lines(&off, well(), None).await);
    for fault in [
        FaultKind::Unauthorized,
        FaultKind::Forbidden,
        FaultKind::Daily,
        FaultKind::TenSecondly,
        FaultKind::InternalError,
        FaultKind::Edge { status: 502 },
        FaultKind::CutBefore,
        FaultKind::Refused,
        FaultKind::UnknownProperty { name: "hhl_progress_state".into() },
        FaultKind::Slow { wait_ms: 60_000 },
    ] {
        all.extend(lines(&[], well(), Some(fault)).await);
    }
    for message in ["Request answered", "Validation failure", "HubSpot could not be read"] {
        assert!(all.iter().any(|line| line.message == message), "{message}");
    }
    for line in all {
        assert!(!is_marked(&line), "{line:?}");
    }
}

#[tokio::test]
async fn the_fallback_line_alone_holds_an_event_and_only_in_its_one_field() {
    for mood in [QueueMood::Away, QueueMood::Silent, QueueMood::RefusesWith(MARK)] {
        let mut fallbacks = 0;
        for mut line in lines(&[], mood, None).await {
            if line.message == ingest::story::FALLBACK_MESSAGE {
                fallbacks += 1;
                assert!(is_marked(&line));
                line.fields.remove(ingest::story::FALLBACK_FIELD);
            }
            assert!(!is_marked(&line), "{line:?}");
        }
        assert!(fallbacks > 0);
    }
}
