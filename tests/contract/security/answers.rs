//! What answers tell: nothing of headers, tokens and addresses, nothing of what went wrong inside,
//! and of the request only what its sender is told on purpose.

use serde_json::Value;
use shared::http::Response;
use simulator::LOCAL_TOKEN;
use simulator::faults::{FaultKind, FaultRule};

use crate::doors::{Doors, QueueMood, SECRET};
use crate::log_canary::{self, MARK};

/// What would give away how the inside is made, or what it holds.
const INSIDE: [&str; 10] = [
    LOCAL_TOKEN,
    SECRET,
    "panicked",
    ".rs:",
    "hubspot",
    "sqlite",
    "sqs",
    "correlation",
    "RUST_",
    "stack",
];

/// An answer without what its sender is told on purpose: its own ids, its own origin, and the value
/// of `type` that is none.
fn without_own_words(response: &Response) -> String {
    let mut body: Value = match response.body.as_str() {
        "" => Value::Null,
        body => serde_json::from_str(body).unwrap(),
    };
    if response.status == 200
        && let Some(fields) = body.as_object_mut()
    {
        for own in ["eventId", "eventIds", "contactId"] {
            fields.remove(own);
        }
        // What a contact holds is what was asked for.
        for held in ["progress", "summary", "last_viewed", "enrollments"] {
            fields.remove(held);
        }
    }
    let body = body.to_string().replace("received 'canary'", "");
    format!("{body} {:?}", response.headers)
}

#[tokio::test]
async fn no_answer_tells_what_was_sent_or_what_is_inside() {
    let variables: [&[(&str, &str)]; 3] =
        [&[], &[("IDENTITY_POLICY", "signed")], &[("ENABLE_CRM_PROGRESS", "false")]];
    let faults = [
        None,
        Some(FaultKind::Unauthorized),
        Some(FaultKind::Forbidden),
        Some(FaultKind::InternalError),
        Some(FaultKind::Edge { status: 502 }),
        Some(FaultKind::CutBefore),
    ];
    let mut seen = 0;
    for variables in variables {
        for (fault, mood) in faults.iter().flat_map(|fault| {
            [QueueMood::Well, QueueMood::Away, QueueMood::RefusesWith(MARK)]
                .map(|mood| (fault, mood))
        }) {
            let doors = Doors::with(variables);
            doors.add(log_canary::CONTACT_ID, &log_canary::contact());
            doors.queue.becomes(mood);
            if let Some(kind) = fault {
                doors.portal.set_fault(FaultRule::every(kind.clone()));
            }
            for request in log_canary::requests() {
                let case = format!("{request:?} with {variables:?} and {fault:?}");
                let response = doors.answer(request).await;
                let told = without_own_words(&response).to_lowercase();
                assert!(!told.contains(MARK), "{case}: {told}");
                assert!(!told.contains(log_canary::CONTACT_ID), "{case}: {told}");
                for inside in INSIDE {
                    assert!(!told.contains(&inside.to_lowercase()), "{case}: {told}");
                }
                let kind = response.headers.get("content-type").map(String::as_str);
                let is_json = kind == Some("application/json; charset=utf-8");
                assert!(is_json || response.body.is_empty(), "{case}: {kind:?}");
                seen += 1;
            }
        }
    }
    assert!(seen > 1_000, "only {seen} answers");
}
