//! All of AWS's part played by ministack: the functions are zip files, an HTTP API is before the one
//! and an event source mapping before the other.

use serde_json::Value;
use tests::binaries::Function;
use tests::cloud::Cloud;

use super::{Bench, module_event};

#[tokio::test]
async fn a_post_to_the_deployed_api_becomes_a_contact_and_its_repetition_changes_nothing() {
    let bench = Bench::start().await;
    let cloud = Cloud::of(&bench.ministack);
    let mut functions = Vec::new();
    for function in [Function::Ingest, Function::Worker] {
        let (program, variables) = (function.program().await.unwrap(), bench.variables(function));
        let made = cloud.create_function(function.name(), program, &variables).await;
        functions.push(made.unwrap());
    }
    let api = cloud.create_http_api("POST /events/track", &functions[0]).await.unwrap();
    cloud.map_queue("arn:aws:sqs:us-east-1:000000000000:events.fifo", &functions[1]).await.unwrap();
    let url = format!("{api}/events/track");

    let mut event = module_event("started", "ann@example.org", "what-is-hedgehog");
    event["eventId"] = "click-1".into();
    persisted(&cloud, &url, &event).await;
    bench.until("contact", async || bench.held("ann@example.org")).await;
    let before = bench.portal.contact_by_email("ann@example.org");

    persisted(&cloud, &url, &event).await;
    // One batch goes after the other: with this one, all that came before it is done.
    persisted(&cloud, &url, &module_event("started", "bob@example.org", "what-is-hedgehog")).await;
    bench.until("second contact", async || bench.held("bob@example.org")).await;
    bench.until("empty queue", async || (bench.left().await == (0, 0)).then_some(())).await;
    assert_eq!(bench.portal.contact_by_email("ann@example.org"), before);
    assert_eq!(bench.portal.stats().contacts, 2);
}

async fn persisted(cloud: &Cloud, url: &str, event: &Value) {
    let answer = cloud.post(url, event).await.unwrap();
    assert_eq!((&answer["status"], &answer["queued"]), (&"persisted".into(), &true.into()));
}
