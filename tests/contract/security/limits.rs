//! Lengths, over a real socket: what is too long is refused as such, whatever it holds, and the next
//! request is answered as ever.

use serde_json::{Value, json};
use shared::catalog::Catalog;
use tests::running::Running;

/// Just within a batch's length, so that it is read.
const READ_BYTES: usize = 512 * 1024;

/// A module of Ada's, with something more at its top.
fn event(more: &Value) -> Value {
    let mut event = json!({
        "eventName": "learning_module_started",
        "contactIdentifier": { "email": "ada@example.org" },
        "payload": { "module_slug": "m", "course_slug": "c" },
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

#[tokio::test]
async fn what_is_too_long_is_refused_before_it_is_read_and_harms_nobody_after_it() {
    let running = Running::start(Catalog::default()).await;
    let long = "x".repeat(9_900);
    let many = |events: usize| json!({ "events": vec![event(&json!({})); events] }).to_string();
    for (what, body) in [
        ("10 MB of depth", "[".repeat(10_000_000)),
        ("10 MB of an event", event(&json!({ "x": "y".repeat(10_000_000) })).to_string()),
        ("a long single event", event(&json!({ "x": long })).to_string()),
        ("51 events", many(51)),
        ("half a megabyte of depth", "[".repeat(READ_BYTES)),
        ("depth in a batch", format!("{{\"events\":{}", "[".repeat(READ_BYTES - 20))),
        ("half a megabyte of nothings", format!("{{\"events\":[{}0]}}", "0,".repeat(200_000))),
    ] {
        let (status, answer) = running.post(body).await;
        let code = &answer["details"]["code"];
        assert_eq!((status, code), (400, &json!("PAYLOAD_TOO_LARGE")), "{what}: {answer}");
        // What is said of it does not grow with it.
        assert!(answer.to_string().len() < 1_000, "{what}");
    }
    assert_eq!(running.post(many(50)).await.0, 200);
    running.until_held("ada@example.org", "hhl_enrolled_courses", "c").await;
    running.stack.stop().await;
}

#[tokio::test]
async fn an_answer_to_the_worst_batch_is_a_few_times_as_long_at_most() {
    let running = Running::start(Catalog::default()).await;
    let worst = json!({
        "eventName": 1, "eventId": 1, "contactIdentifier": 1, "pathway_slug": 1, "course_slug": 1,
        "enrollment_source": 1,
        "payload": {
            "pathway_slug": 1, "course_slug": 1, "module_slug": 1, "enrollment_source": 1,
            "content_type": 1, "slug": 1,
        },
    });
    let batch = json!({ "events": vec![worst; 50] }).to_string();
    let length = batch.len();
    let (status, answer) = running.post(batch).await;
    assert_eq!(status, 400);
    assert!(answer.to_string().len() < 4 * length, "{}", answer.to_string().len());
    running.stack.stop().await;
}
