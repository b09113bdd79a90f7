//! Lives of a function's process: cold, warm, killed in the midst of a batch, near its deadline; and
//! batches that come twice or fail in part.

use std::collections::BTreeSet;

use aws_sdk_sqs::types::Message;
use serde_json::{Value, json};
use simulator::faults::{FaultKind, FaultRule};
use tests::binaries::Function;
use tests::emulator::Emulator;

use super::events::{gateway_event, sqs_event};
use super::{Bench, module_event, track};

/// What Lambda gives the worker of a test, in seconds: 4 more than it keeps for telling the queue.
const SHORT_TIMEOUT_S: u32 = 24;

fn address(n: usize) -> String {
    format!("learner.{n}@example.org")
}

/// Puts an event each of so many people on the queue.
async fn crowd(bench: &Bench, people: usize) {
    let ingest = bench.emulated(Function::Ingest).await;
    let event = |n| module_event("started", &address(n), "what-is-hedgehog");
    let events: Vec<Value> = (0..people).map(event).collect();
    assert_eq!(track(&ingest, &json!({ "events": events })).await["accepted"], people);
}

/// Makes messages visible, as their time-out does when nobody settles them.
async fn time_out(bench: &Bench, messages: &[Message]) {
    for message in messages {
        let change = bench.sqs.change_message_visibility().queue_url(&bench.queues.events);
        let change = change.receipt_handle(message.receipt_handle().unwrap());
        change.visibility_timeout(0).send().await.unwrap();
    }
}

#[tokio::test]
async fn a_process_serves_again_and_one_that_died_is_replaced() {
    let bench = Bench::start().await;
    for function in Function::ALL {
        let event = match function {
            Function::Worker => sqs_event(&[]),
            Function::Ingest | Function::Reader => gateway_event("GET", "/api/health", ""),
        };
        let emulator = bench.emulated(function).await;
        let first = emulator.invoke(&event).await.unwrap();
        let process = emulator.function().unwrap();
        assert!(process.is_some(), "{function:?}");
        emulator.invoke(&event).await.unwrap();
        assert_eq!(emulator.function().unwrap(), process, "{function:?}: a warm start");

        emulator.kill_function().unwrap();
        // Whether the emulator has noticed yet is a matter of chance: one request may meet the dead.
        let after = match emulator.invoke(&event).await {
            Ok(answer) => answer,
            Err(_) => emulator.invoke(&event).await.unwrap(),
        };
        assert_ne!(emulator.function().unwrap(), process, "{function:?}: a cold start");
        assert_eq!(after["statusCode"], first["statusCode"], "{function:?}");
    }
}

#[tokio::test]
async fn a_worker_that_is_killed_after_its_write_loses_nothing_and_doubles_nothing() {
    let bench = Bench::start().await;
    crowd(&bench, 10).await;
    let messages = bench.receive(10).await;
    assert_eq!(messages.len(), 10);
    // HubSpot applies what arrives, and answers when there is nobody any more.
    let slow = FaultKind::Slow { wait_ms: 60_000 };
    bench.portal.set_fault(FaultRule::on("batch/create", slow));
    let worker = bench.emulated(Function::Worker).await;
    let killed = async {
        bench.until("contact", async || bench.held(&address(9))).await;
        worker.kill_function().unwrap();
    };
    let event = sqs_event(&messages);
    let (answer, ()) = tokio::join!(worker.invoke(&event), killed);
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(bench.left().await, (0, 10), "nothing was settled");
    let before: Vec<_> = (0..10).map(|n| bench.held(&address(n))).collect();

    bench.portal.clear_faults();
    time_out(&bench, &messages).await;
    let again = bench.receive(10).await;
    assert_eq!(again.len(), 10);
    assert_eq!(bench.hand_over(&worker, &again).await, [""; 0]);
    assert_eq!(bench.left().await, (0, 0));
    assert_eq!(bench.portal.stats().contacts, 10);
    let after: Vec<_> = (0..10).map(|n| bench.held(&address(n))).collect();
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_worker_near_its_deadline_stops_in_time_and_names_what_is_not_done() {
    let bench = Bench::start().await;
    crowd(&bench, 12).await;
    let messages = bench.receive(10).await;
    bench.portal.set_fault(FaultRule::every(FaultKind::Slow { wait_ms: 60_000 }));
    let mut variables = bench.variables(Function::Worker);
    variables.insert("AWS_LAMBDA_FUNCTION_TIMEOUT", SHORT_TIMEOUT_S.to_string());
    let program = Function::Worker.program().await.unwrap();
    let worker = Emulator::start(program, &variables).await.unwrap();

    // An invocation that Lambda has to end is an error, and names nothing.
    let failed = bench.hand_over(&worker, &messages).await;
    let ids = messages.iter().map(|message| message.message_id().unwrap().to_owned());
    assert_eq!(failed.len(), 10);
    assert_eq!(BTreeSet::from_iter(failed), ids.collect());
    let (visible, in_hand) = bench.left().await;
    assert_eq!(visible + in_hand, 12, "with too little time for a pass, none is taken beyond them");
    assert_eq!(bench.portal.stats().contacts, 0);
}

#[tokio::test]
async fn a_batch_that_is_delivered_twice_writes_once() {
    let bench = Bench::start().await;
    crowd(&bench, 10).await;
    let event = sqs_event(&bench.receive(10).await);
    let worker = bench.emulated(Function::Worker).await;
    let nothing_failed = json!({ "batchItemFailures": [] });
    assert_eq!(worker.invoke(&event).await.unwrap(), nothing_failed);
    assert_eq!(bench.portal.stats().calls, 2, "a read and a write");
    let before: Vec<_> = (0..10).map(|n| bench.portal.contact_by_email(&address(n))).collect();

    // To the same process, and to another that knows nothing of the first.
    let other = bench.emulated(Function::Worker).await;
    assert_eq!(worker.invoke(&event).await.unwrap(), nothing_failed);
    assert_eq!(other.invoke(&event).await.unwrap(), nothing_failed);
    assert_eq!(bench.portal.stats().calls, 4, "two more reads");
    let after: Vec<_> = (0..10).map(|n| bench.portal.contact_by_email(&address(n))).collect();
    assert_eq!(after, before);
}

#[tokio::test]
async fn of_a_batch_only_what_must_come_again_is_named() {
    let bench = Bench::start().await;
    crowd(&bench, 9).await;
    let messages = bench.receive(9).await;
    // What a newer ingest would send of somebody else.
    let newer = messages[0].body().unwrap().replacen("\"v\":1", "\"v\":999", 1);
    let newer = bench.sqs.send_message().queue_url(&bench.queues.events).message_body(newer);
    newer.message_group_id("g").message_deduplication_id("d").send().await.unwrap();
    let [newer] = &bench.receive(10).await[..] else { panic!("one more message") };
    let mut all = messages.clone();
    // In the midst of the others.
    all.insert(4, newer.clone());

    let worker = bench.emulated(Function::Worker).await;
    let failed = bench.hand_over(&worker, &all).await;
    assert_eq!(failed, [newer.message_id().unwrap()]);
    assert!((0..9).all(|n| bench.held(&address(n)).is_some()));
    assert_eq!(bench.left().await, (0, 1), "it waits for a newer worker");
}
