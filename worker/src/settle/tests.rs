//! What the queues are told of every fate, and in which order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use shared::dead_letter::{FailureReason, Reason, dead_letter};
use shared::envelope::deduplication_id;
use shared::ports::{Clock, Delivery, Depth, Outgoing, Queue, QueueFault, Receipt, ReceiveRequest};

use super::{Outcome, Queues, settle};
use crate::message::Origin::{self, Invocation, ToppedUp};
use crate::message::Received;
use crate::settlement::{Cause, Settled, Settlement};

/// What a queue was told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Sent(&'static str, Outgoing),
    Deleted(String),
    MadeToWait(String, u64),
}

/// A queue that notes its orders in one list with the other queue's. It does nothing with a receipt or
/// a body whose name begins with `lost`.
struct Noting {
    name: &'static str,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Noting {
    fn is_lost(name: &str) -> bool {
        name.starts_with("lost")
    }
}

#[async_trait]
impl Queue for Noting {
    async fn send(&self, messages: Vec<Outgoing>) -> Vec<Result<(), QueueFault>> {
        assert!(!messages.is_empty(), "there is nothing to send");
        let send = |message: Outgoing| {
            if Self::is_lost(&message.body) {
                return Err(QueueFault::Unavailable("it is lost".into()));
            }
            self.told.lock().unwrap().push(Told::Sent(self.name, message));
            Ok(())
        };
        messages.into_iter().map(send).collect()
    }

    async fn receive(&self, _: ReceiveRequest) -> Result<Vec<Delivery>, QueueFault> {
        panic!("settling receives nothing");
    }

    async fn delete(&self, receipts: Vec<Receipt>) -> Vec<(Receipt, QueueFault)> {
        assert!(!receipts.is_empty(), "there is nothing to delete");
        let (lost, known): (Vec<_>, Vec<_>) =
            receipts.into_iter().partition(|receipt| Self::is_lost(receipt.handle()));
        let deleted = known.iter().map(|receipt| Told::Deleted(receipt.handle().into()));
        self.told.lock().unwrap().extend(deleted);
        lost.into_iter().map(|receipt| (receipt, QueueFault::Stale)).collect()
    }

    async fn change_visibility(
        &self,
        receipts: Vec<(Receipt, Duration)>,
    ) -> Vec<(Receipt, QueueFault)> {
        assert!(!receipts.is_empty(), "there is nothing to change");
        let (lost, known): (Vec<_>, Vec<_>) =
            receipts.into_iter().partition(|(receipt, _)| Self::is_lost(receipt.handle()));
        let waits = known
            .iter()
            .map(|(receipt, wait)| Told::MadeToWait(receipt.handle().into(), wait.as_secs()));
        self.told.lock().unwrap().extend(waits);
        lost.into_iter().map(|(receipt, _)| (receipt, QueueFault::Stale)).collect()
    }

    async fn depth(&self) -> Result<Depth, QueueFault> {
        panic!("settling asks for no depth");
    }
}

struct Standing;

#[async_trait]
impl Clock for Standing {
    fn now(&self) -> DateTime<Utc> {
        at()
    }

    fn uptime(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, _: Duration) {
        panic!("settling does not wait");
    }
}

fn at() -> DateTime<Utc> {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

fn delivery(message_id: &str, body: &str, receive_count: u32) -> Delivery {
    Delivery {
        message_id: message_id.into(),
        receipt: Receipt::new(message_id),
        body: body.into(),
        group: "g".into(),
        deduplication_id: "d".into(),
        receive_count,
        sent_at: at(),
        attributes: BTreeMap::from([("name".into(), "value".into())]),
    }
}

/// A message with a fate, at its first receive.
fn message(message_id: &str, origin: Origin, settlement: Settlement) -> Settled {
    received(1, message_id, origin, settlement)
}

fn received(times: u32, message_id: &str, origin: Origin, settlement: Settlement) -> Settled {
    let delivery = delivery(message_id, "body", times);
    Settled { received: Received { delivery, origin }, envelope: None, settlement }
}

fn outgoing(body: &str) -> Outgoing {
    Outgoing {
        body: body.into(),
        group: "h".into(),
        deduplication_id: "e".into(),
        attributes: BTreeMap::new(),
    }
}

fn failure() -> FailureReason {
    FailureReason { reason: Reason::Rejected, detail: "no".into(), correlation_id: "c".into() }
}

fn retry(after_s: u64, cause: Cause) -> Settlement {
    Settlement::Retry(Duration::from_secs(after_s), cause)
}

async fn settled(settled: Vec<Settled>) -> (Outcome, Vec<Told>) {
    let told = Arc::default();
    let queue = |name| Noting { name, told: Arc::clone(&told) };
    let (events, dead_letters) = (queue("events"), queue("dead letters"));
    let queues = Queues { events: &events, dead_letters: &dead_letters };
    let outcome = settle(queues, &Standing, settled).await;
    let told = told.lock().unwrap().clone();
    (outcome, told)
}

fn outcome(done: &[&str], unsent: usize, untold: usize) -> Outcome {
    let done = done.iter().map(|id| ((*id).to_owned(), Receipt::new(*id))).collect();
    Outcome { done, unsent, untold }
}

#[tokio::test]
async fn an_applied_message_is_deleted_by_its_receiver() {
    let all = vec![
        message("a", Invocation, Settlement::Applied),
        message("b", ToppedUp, Settlement::Applied),
    ];
    assert_eq!(settled(all).await, (outcome(&["a"], 0, 0), vec![Told::Deleted("b".into())]));
    let invoked = vec![message("a", Invocation, Settlement::Applied)];
    assert_eq!(settled(invoked).await, (outcome(&["a"], 0, 0), vec![]));
}

#[tokio::test]
async fn a_replaced_message_is_deleted_after_its_replacement_is_sent() {
    let all = vec![
        message("a", ToppedUp, Settlement::HandedOn(outgoing("on"))),
        message("b", ToppedUp, Settlement::DeadLettered(failure())),
        message("c", Invocation, Settlement::HandedOn(outgoing("on, too"))),
    ];
    let (found, told) = settled(all).await;
    assert_eq!(found, outcome(&["c"], 0, 0));
    let dead = dead_letter(&delivery("b", "body", 1), &failure(), at());
    let expected = [
        Told::Sent("events", outgoing("on")),
        Told::Sent("events", outgoing("on, too")),
        Told::Sent("dead letters", dead),
        Told::Deleted("a".into()),
        Told::Deleted("b".into()),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_retried_message_waits_and_is_not_done() {
    let all = vec![
        message("a", Invocation, retry(7, Cause::Transient)),
        message("b", ToppedUp, retry(30, Cause::Quarantined)),
        received(49, "c", Invocation, retry(60, Cause::Parked)),
    ];
    let wait = |id: &str, seconds| Told::MadeToWait(id.into(), seconds);
    let told = vec![wait("a", 7), wait("b", 30), wait("c", 60)];
    assert_eq!(settled(all).await, (outcome(&[], 0, 0), told));
}

#[tokio::test]
async fn a_long_waiting_message_is_sent_anew_before_the_queue_buries_it() {
    for cause in [Cause::Transient, Cause::Parked] {
        let (found, told) = settled(vec![received(50, "a", Invocation, retry(7, cause))]).await;
        assert_eq!(found, outcome(&["a"], 0, 0));
        let Delivery { body, group, attributes, .. } = delivery("a", "body", 50);
        let deduplication_id = deduplication_id("g", "a");
        let renewed = Outgoing { body, group, deduplication_id, attributes };
        assert_eq!(told, [Told::Sent("events", renewed)]);
    }
}

#[tokio::test]
async fn a_long_quarantine_waits_longer_and_is_not_sent_anew() {
    for (after_s, wait_s) in [(30, 900), (1_200, 1_200)] {
        let quarantined = retry(after_s, Cause::Quarantined);
        let found = settled(vec![received(50, "a", Invocation, quarantined)]).await;
        let told = vec![Told::MadeToWait("a".into(), wait_s)];
        assert_eq!(found, (outcome(&[], 0, 0), told));
    }
}

#[tokio::test]
async fn a_message_without_replacement_comes_again() {
    let mut dead = message("b", ToppedUp, Settlement::DeadLettered(failure()));
    dead.received.delivery.body = "lost, too".into();
    let all = vec![
        message("a", Invocation, Settlement::HandedOn(outgoing("lost"))),
        message("c", Invocation, Settlement::HandedOn(outgoing("on"))),
        dead,
    ];
    let (found, told) = settled(all).await;
    assert_eq!(found, outcome(&["c"], 2, 0));
    let expected = [
        Told::Sent("events", outgoing("on")),
        Told::MadeToWait("a".into(), 5),
        Told::MadeToWait("b".into(), 5),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn orders_that_the_queue_did_not_carry_out_are_counted() {
    let lost = |what: &str| format!("lost-{what}");
    let all = vec![
        message(&lost("a"), ToppedUp, Settlement::Applied),
        message(&lost("b"), ToppedUp, Settlement::Applied),
        message(&lost("c"), Invocation, retry(7, Cause::Transient)),
        message("d", Invocation, retry(7, Cause::Transient)),
    ];
    let told = vec![Told::MadeToWait("d".into(), 7)];
    assert_eq!(settled(all).await, (outcome(&[], 0, 3), told));
}

#[tokio::test]
async fn an_empty_pass_calls_no_queue() {
    assert_eq!(settled(vec![]).await, (outcome(&[], 0, 0), vec![]));
}
