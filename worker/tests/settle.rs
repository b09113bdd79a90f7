//! What the queues are told of every fate, and in which order.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on panics")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use shared::dead_letter::{Reason, Verdict, dead_letter};
use shared::envelope::deduplication_id;
use shared::ports::{Clock, Delivery, Depth, Outgoing, Queue, QueueFault, ReceiveRequest};
use worker::held::Origin::{Invocation, ToppedUp};
use worker::held::{Held, Origin};
use worker::settle::{Outcome, settle};
use worker::settlement::{Cause, Settled, Settlement};

/// What a queue was told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Sent(&'static str, Outgoing),
    Deleted(String),
    MadeToWait(String, u64),
}

/// A queue that writes down what it is told, in one list with the others, and does not do what
/// concerns messages or bodies whose name begins with `lost`.
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

    async fn delete(&self, deliveries: Vec<Delivery>) -> Vec<(Delivery, QueueFault)> {
        assert!(!deliveries.is_empty(), "there is nothing to delete");
        let (lost, known): (Vec<_>, Vec<_>) =
            deliveries.into_iter().partition(|delivery| Self::is_lost(&delivery.message_id));
        let deleted = known.into_iter().map(|delivery| Told::Deleted(delivery.message_id));
        self.told.lock().unwrap().extend(deleted);
        lost.into_iter().map(|delivery| (delivery, QueueFault::Stale)).collect()
    }

    async fn change_visibility(
        &self,
        deliveries: Vec<(Delivery, Duration)>,
    ) -> Vec<(Delivery, QueueFault)> {
        assert!(!deliveries.is_empty(), "there is nothing to change");
        let (lost, known): (Vec<_>, Vec<_>) =
            deliveries.into_iter().partition(|(delivery, _)| Self::is_lost(&delivery.message_id));
        let waits = known
            .into_iter()
            .map(|(delivery, wait)| Told::MadeToWait(delivery.message_id, wait.as_secs()));
        self.told.lock().unwrap().extend(waits);
        lost.into_iter().map(|(delivery, _)| (delivery, QueueFault::Stale)).collect()
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
        receipt_handle: "r".into(),
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
    Settled { held: Held { delivery, origin }, envelope: None, settlement }
}

fn outgoing(body: &str) -> Outgoing {
    Outgoing {
        body: body.into(),
        group: "h".into(),
        deduplication_id: "e".into(),
        attributes: BTreeMap::new(),
    }
}

fn verdict() -> Verdict {
    Verdict { reason: Reason::Rejected, detail: "no".into(), correlation_id: "c".into() }
}

fn retry(after_s: u64, cause: Cause) -> Settlement {
    Settlement::Retry(Duration::from_secs(after_s), cause)
}

async fn settled(settled: Vec<Settled>) -> (Outcome, Vec<Told>) {
    let told = Arc::default();
    let queue = |name| Noting { name, told: Arc::clone(&told) };
    let (events, dead_letters) = (queue("events"), queue("dead letters"));
    let outcome = settle(&events, &dead_letters, &Standing, settled).await;
    let told = told.lock().unwrap().clone();
    (outcome, told)
}

fn outcome(done: &[&str], unsent: usize, untold: usize) -> Outcome {
    Outcome { done: done.iter().map(|id| (*id).to_owned()).collect(), unsent, untold }
}

#[tokio::test]
async fn what_is_applied_is_deleted_by_whoever_took_it() {
    let all = vec![
        message("a", Invocation, Settlement::Applied),
        message("b", ToppedUp, Settlement::Applied),
    ];
    assert_eq!(settled(all).await, (outcome(&["a"], 0, 0), vec![Told::Deleted("b".into())]));
    let invoked = vec![message("a", Invocation, Settlement::Applied)];
    assert_eq!(settled(invoked).await, (outcome(&["a"], 0, 0), vec![]));
}

#[tokio::test]
async fn what_is_replaced_is_deleted_after_its_replacement_was_sent() {
    let all = vec![
        message("a", ToppedUp, Settlement::HandedOn(outgoing("on"))),
        message("b", ToppedUp, Settlement::DeadLettered(verdict())),
        message("c", Invocation, Settlement::HandedOn(outgoing("on, too"))),
    ];
    let (found, told) = settled(all).await;
    assert_eq!(found, outcome(&["c"], 0, 0));
    let dead = dead_letter(&delivery("b", "body", 1), &verdict(), at());
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
async fn what_comes_again_waits_and_is_not_done() {
    let all = vec![
        message("a", Invocation, retry(7, Cause::Moment)),
        message("b", ToppedUp, retry(30, Cause::Quarantined)),
        received(49, "c", Invocation, retry(60, Cause::Parked)),
    ];
    let wait = |id: &str, seconds| Told::MadeToWait(id.into(), seconds);
    let told = vec![wait("a", 7), wait("b", 30), wait("c", 60)];
    assert_eq!(settled(all).await, (outcome(&[], 0, 0), told));
}

#[tokio::test]
async fn what_waits_for_long_is_sent_anew_before_the_queue_buries_it() {
    for cause in [Cause::Moment, Cause::Parked] {
        let (found, told) = settled(vec![received(50, "a", Invocation, retry(7, cause))]).await;
        assert_eq!(found, outcome(&["a"], 0, 0));
        let Delivery { body, group, attributes, .. } = delivery("a", "body", 50);
        let deduplication_id = deduplication_id("g", "a");
        let renewed = Outgoing { body, group, deduplication_id, attributes };
        assert_eq!(told, [Told::Sent("events", renewed)]);
    }
}

#[tokio::test]
async fn what_is_in_quarantine_for_long_waits_longer_and_is_not_sent_anew() {
    for (after_s, wait_s) in [(30, 900), (1_200, 1_200)] {
        let quarantined = retry(after_s, Cause::Quarantined);
        let found = settled(vec![received(50, "a", Invocation, quarantined)]).await;
        let told = vec![Told::MadeToWait("a".into(), wait_s)];
        assert_eq!(found, (outcome(&[], 0, 0), told));
    }
}

#[tokio::test]
async fn what_could_not_be_replaced_comes_again_and_is_not_deleted() {
    let mut dead = message("b", ToppedUp, Settlement::DeadLettered(verdict()));
    dead.held.delivery.body = "lost, too".into();
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
async fn what_the_queue_does_not_take_note_of_is_counted() {
    let lost = |what: &str| format!("lost-{what}");
    let all = vec![
        message(&lost("a"), ToppedUp, Settlement::Applied),
        message(&lost("b"), ToppedUp, Settlement::Applied),
        message(&lost("c"), Invocation, retry(7, Cause::Moment)),
        message("d", Invocation, retry(7, Cause::Moment)),
    ];
    let told = vec![Told::MadeToWait("d".into(), 7)];
    assert_eq!(settled(all).await, (outcome(&[], 0, 3), told));
}

#[tokio::test]
async fn nothing_is_told_of_nothing() {
    assert_eq!(settled(vec![]).await, (outcome(&[], 0, 0), vec![]));
}
