//! Recorded histories over HTTP against a running stack: shuffled, with duplicates, singly and in
//! batches, all contacts at once.

use serde_json::json;
use simulation::entropy::SeededEntropy;
use tests::running::Running;

use crate::golden;

/// Every fourth history: what the stack does in a few seconds.
const SHARE: usize = 4;

#[tokio::test]
async fn histories_over_http_end_as_recorded_in_any_order() {
    let running = Running::start(golden::catalog()).await;
    running.allow_view_type("page").await;
    let histories: Vec<_> = golden::histories().into_iter().step_by(SHARE).collect();
    let events = golden::shuffled(&histories, &SeededEntropy::new(9), |initial| {
        running.add(&json!(initial))
    });
    for (nth, batch) in events.chunks(25).enumerate() {
        if nth % 4 == 0 {
            for event in batch {
                let (status, answer) = running.post(event.to_string()).await;
                let is_valid = status == 200 && answer["status"] == "persisted";
                assert!(is_valid || status == 400, "{status} {answer}");
            }
        } else {
            let (status, answer) = running.post(json!({ "events": batch }).to_string()).await;
            assert_eq!((status, &answer["status"]), (200, &json!("persisted")), "{answer}");
        }
    }
    running.until_at_rest().await;
    for history in &histories {
        let email = history.expected.get("email").unwrap();
        let contact = running.portal.contact_by_email(email).unwrap();
        golden::assert_same(&history.id, &contact.properties, &history.expected);
    }
    running.stack.stop().await;
}
