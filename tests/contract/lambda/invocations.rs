//! Each function in an emulator of its own; API Gateway and the event source are played by hand.

use std::collections::BTreeSet;

use aws_sdk_sqs::types::Message;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use simulator::faults::{FaultKind, FaultRule};
use tests::binaries::Function;
use tests::emulator::Emulator;

use super::events::{gateway_event, sqs_event};
use super::{Bench, answered, module_event, track};

fn address(n: usize) -> String {
    format!("learner.{n}@example.org")
}

/// Puts an event each of so many people on the queue, through the front door.
async fn crowd(ingest: &Emulator, people: usize) {
    let events: Vec<Value> =
        (0..people).map(|n| module_event("started", &address(n), "what-is-hedgehog")).collect();
    let answer = track(ingest, &json!({ "events": events })).await;
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!(people), &json!([])));
}

fn ids(messages: &[Message]) -> BTreeSet<String> {
    messages.iter().map(|message| message.message_id().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_click_goes_from_the_gateway_to_the_contact_and_back_to_the_page() {
    let bench = Bench::start().await;
    let ingest = bench.emulated(Function::Ingest).await;
    let email = "new.learner@example.org";

    let answer = track(&ingest, &module_event("started", email, "what-is-hedgehog")).await;
    for (name, value) in [
        ("status", json!("persisted")),
        ("mode", json!("authenticated")),
        ("backend", json!("properties")),
        ("queued", json!(true)),
    ] {
        assert_eq!(answer[name], value, "{name} of {answer}");
    }
    let mut event = gateway_event("POST", "/events/track", "");
    let body = module_event("completed", email, "what-is-hedgehog").to_string();
    event["body"] = STANDARD.encode(body).into();
    event["isBase64Encoded"] = true.into();
    assert_eq!(answered(&ingest, &event).await["queued"], true);

    let messages = bench.receive(10).await;
    assert_eq!(messages.len(), 2);
    let worker = bench.emulated(Function::Worker).await;
    assert_eq!(bench.hand_over(&worker, &messages).await, [""; 0]);
    assert_eq!(bench.left().await, (0, 0));
    let held = bench.held(email).expect("a contact");
    for (name, value) in [
        ("lifecyclestage", "lead"),
        ("hhl_enrolled_courses", "getting-started-101"),
        ("hhl_total_progress", "1"),
        ("hhl_last_activity", "2026-01-18"),
        ("hhl_progress_summary", "hedgehog-fundamentals: 0/1 courses"),
    ] {
        assert_eq!(held[name], value, "{name}");
    }

    let reader = bench.emulated(Function::Reader).await;
    let question = gateway_event("GET", "/progress/read", "email=new.learner%40example.org");
    let answer = answered(&reader, &question).await;
    assert_eq!(answer["mode"], "authenticated");
    assert_eq!(answer["updated_at"], "2026-01-18");
    let course = &answer["progress"]["hedgehog-fundamentals"]["courses"]["getting-started-101"];
    let module = &course["modules"]["what-is-hedgehog"];
    assert_eq!(module["completed_at"], "2026-01-18T17:30:00.000Z", "{answer}");

    for function in [ingest, worker, reader] {
        let said = function.said().unwrap();
        assert!(said.contains(r#""level":"info""#) && !said.contains("example.org"), "{said}");
    }
}

#[tokio::test]
async fn what_the_worker_took_beyond_its_invocation_it_deletes_itself() {
    let bench = Bench::start().await;
    let ingest = bench.emulated(Function::Ingest).await;
    crowd(&ingest, 25).await;
    let messages = bench.receive(10).await;
    assert_eq!((messages.len(), bench.left().await), (10, (15, 10)));

    let worker = bench.emulated(Function::Worker).await;
    let answer = worker.invoke(&sqs_event(&messages)).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    assert_eq!(bench.left().await, (0, 10), "the invocation's own are the event source's");
    let held = (0..25).filter(|n| bench.held(&address(*n)).is_some()).count();
    assert_eq!(held, 25);
    assert_eq!(bench.portal.stats().calls, 2, "one read, one write");
}

#[tokio::test]
async fn a_message_that_nobody_can_read_is_a_dead_letter_and_hinders_no_other() {
    let bench = Bench::start().await;
    let ingest = bench.emulated(Function::Ingest).await;
    crowd(&ingest, 9).await;
    let foreign = bench.sqs.send_message().queue_url(&bench.queues.events);
    let foreign = foreign.message_group_id("g").message_deduplication_id("d");
    foreign.message_body("no envelope").send().await.unwrap();
    let messages = bench.receive(10).await;
    assert_eq!(messages.len(), 10);

    let worker = bench.emulated(Function::Worker).await;
    assert_eq!(bench.hand_over(&worker, &messages).await, [""; 0]);
    assert!((0..9).all(|n| bench.held(&address(n)).is_some()));
    assert_eq!(bench.left().await, (0, 0));
    let dead = bench.sqs.receive_message().queue_url(&bench.queues.dead_letters);
    let dead = dead.message_attribute_names("All").max_number_of_messages(10).send().await.unwrap();
    let [letter] = dead.messages() else { panic!("one dead letter, not {dead:?}") };
    let attributes = letter.message_attributes().expect("attributes");
    assert_eq!(attributes["reason"].string_value(), Some("UNREADABLE"));
    assert_eq!(attributes["attempts"].string_value(), Some("1"));
    assert_eq!(letter.body(), Some("no envelope"));
}

#[tokio::test]
async fn while_hubspot_is_away_messages_wait_as_long_as_it_asks_and_then_come_again() {
    let bench = Bench::start().await;
    let ingest = bench.emulated(Function::Ingest).await;
    crowd(&ingest, 12).await;
    let messages = bench.receive(10).await;
    assert_eq!(messages.len(), 10);
    // Long enough for a slow machine to find the queue empty, short enough to wait for.
    let away = FaultKind::Migrating { retry_after_s: 8 };
    bench.portal.set_fault(FaultRule::every(away));

    let worker = bench.emulated(Function::Worker).await;
    let failed = bench.hand_over(&worker, &messages).await;
    assert_eq!(failed.len(), 10, "each once, and none of the two that were taken beyond them");
    assert_eq!(BTreeSet::from_iter(failed), ids(&messages));
    assert_eq!(bench.receive(10).await, [], "they came back before HubSpot does");
    assert_eq!(bench.left().await, (0, 12));

    bench.portal.clear_faults();
    // They were taken for ten minutes. That they come again is the worker's doing.
    while bench.left().await != (0, 0) {
        let some = async || Some(bench.receive(10).await).filter(|some| !some.is_empty());
        let again = bench.until("message that comes again", some).await;
        assert_eq!(bench.hand_over(&worker, &again).await, [""; 0]);
    }
    assert!((0..12).all(|n| bench.held(&address(n)).is_some()));
}
