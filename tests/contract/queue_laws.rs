//! The laws of a FIFO queue with message groups, written once and held over every `Queue`: the
//! embedded one on virtual time, and SQS's protocol, spoken by ministack, on real time.
//!
//! Where an emulator is known not to follow AWS, `bench::Follows` says so and the law says what it
//! leaves out there. Real SQS and the embedded queue follow all of them.

mod bench;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use shared::ports::{Outgoing, QueueFault};
use tests::ministack::QueueShape;

use self::bench::{
    Backend, Embedded, Emulated, LONG, MEBIBYTE, NOTHING, PLAIN, SHORT, Simulated, faults, ids,
    message, receipts, receive, request,
};

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;
type Law = (&'static str, fn(Arc<dyn Backend>) -> Running);

macro_rules! laws {
    ($($law:ident),* $(,)?) => {
        &[$((stringify!($law), |backend| Box::pin($law(backend)))),*]
    };
}

const LAWS: &[Law] = laws![
    messages_of_a_group_come_in_order,
    a_group_is_closed_while_one_of_its_messages_is_in_flight,
    groups_are_received_side_by_side,
    deleting_opens_the_group,
    visibility_zero_opens_the_group_and_gives_the_message_again,
    a_visibility_that_runs_out_gives_the_message_again,
    a_later_message_stays_hidden_behind_a_delayed_one,
    each_receive_raises_the_count,
    the_same_id_is_stored_once_even_after_a_delete,
    ids_are_known_per_group,
    ids_are_forgotten_after_five_minutes,
    a_handle_is_stale_once_the_message_is_received_again,
    a_handle_is_stale_once_its_visibility_ran_out,
    a_new_message_stays_hidden_for_the_delay,
    a_message_received_too_often_becomes_a_dead_letter,
    a_refused_message_leaves_its_neighbors_alone,
    more_than_ten_are_sent_and_deleted,
    a_sender_wakes_a_waiting_receiver,
    a_waiting_receiver_gets_what_becomes_visible,
    a_wait_for_nothing_ends,
    a_body_of_one_mebibyte_passes,
    odd_characters_come_back_unchanged,
    forbidden_characters_are_refused,
    attributes_come_back_unchanged,
    the_depth_adds_up,
    a_repeated_attempt_gives_the_same_messages,
    an_attempt_is_over_once_a_message_was_settled,
];

/// Runs every law, side by side, each on queues of its own; names those that were broken.
async fn check(backend: Arc<dyn Backend>) {
    let running = LAWS.iter().map(|(name, law)| (name, tokio::spawn(law(backend.clone()))));
    let mut broken = Vec::new();
    for (name, law) in running.collect::<Vec<_>>() {
        if law.await.is_err() {
            broken.push(name);
        }
    }
    assert!(broken.is_empty(), "broken, see the panics above: {broken:#?}");
}

#[tokio::test]
async fn the_embedded_queue_keeps_the_laws() {
    check(Arc::new(Embedded)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulated_queue_keeps_the_laws() {
    check(Arc::new(Simulated)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqs_keeps_the_laws() {
    check(Arc::new(Emulated::start().await)).await;
}

async fn messages_of_a_group_come_in_order(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    bench.put(&["a/1", "a/2", "a/3", "a/4"]).await;
    assert_eq!(ids(&bench.take(3, LONG).await), ["a/1", "a/2", "a/3"]);
}

async fn a_group_is_closed_while_one_of_its_messages_is_in_flight(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    bench.put(&["a/1", "a/2", "a/3"]).await;
    let mut held = bench.take(2, LONG).await;
    assert_eq!(ids(&bench.take(10, LONG).await), NOTHING);
    bench.delete(vec![held.remove(0)]).await;
    assert_eq!(ids(&bench.take(10, LONG).await), NOTHING, "the second is in flight yet");
    bench.put(&["a/4"]).await;
    assert_eq!(ids(&bench.take(10, LONG).await), NOTHING, "a new one opens nothing");
}

async fn groups_are_received_side_by_side(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    bench.put(&["a/1", "b/1", "a/2", "b/2", "c/1"]).await;
    // Which group comes first is nobody's promise.
    let first = bench.take(1, LONG).await;
    let closed = first[0].group.clone();
    assert_eq!(ids(&first), [format!("{closed}/1")]);
    let others = bench.take(10, LONG).await;
    let mut rest = ids(&others);
    rest.sort();
    let mut open = vec!["a/1", "a/2", "b/1", "b/2", "c/1"];
    open.retain(|name| !name.starts_with(&closed));
    assert_eq!(rest, open, "all groups but the closed one");
}

async fn deleting_opens_the_group(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    bench.put(&["a/1", "a/2"]).await;
    let held = bench.take(1, LONG).await;
    bench.delete(held).await;
    assert_eq!(ids(&bench.take(10, LONG).await), ["a/2"]);
}

async fn visibility_zero_opens_the_group_and_gives_the_message_again(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    bench.put(&["a/1", "a/2"]).await;
    let held = bench.take(1, LONG).await;
    bench.hide(held, Duration::ZERO).await;
    assert_eq!(ids(&bench.take(10, LONG).await), ["a/1", "a/2"]);
}

async fn a_visibility_that_runs_out_gives_the_message_again(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    bench.put(&["a/1", "a/2"]).await;
    assert_eq!(ids(&bench.take(1, SHORT).await), ["a/1"]);
    bench.time.pass(SHORT).await;
    assert_eq!(ids(&bench.take(10, LONG).await), ["a/1", "a/2"]);
}

async fn a_later_message_stays_hidden_behind_a_delayed_one(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    bench.put(&["a/1", "a/2"]).await;
    let mut held = bench.take(2, LONG).await;
    bench.hide(vec![held.remove(1)], Duration::ZERO).await;
    bench.hide(held, 2 * SHORT).await;
    assert_eq!(ids(&bench.take(10, LONG).await), NOTHING);
    bench.time.pass(2 * SHORT).await;
    assert_eq!(ids(&bench.take(10, LONG).await), ["a/1", "a/2"]);
}

async fn each_receive_raises_the_count(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    bench.put(&["a/1"]).await;
    let mut first = None;
    for count in 1..=3 {
        let held = bench.take(1, LONG).await;
        assert_eq!(held[0].receive_count, count);
        let first = first.get_or_insert(held[0].message_id.clone());
        assert_eq!(&held[0].message_id, first, "it keeps its name");
        bench.hide(held, Duration::ZERO).await;
    }
}

async fn the_same_id_is_stored_once_even_after_a_delete(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    bench.put(&["a/1", "a/1", "a/2"]).await;
    bench.put(&["a/1"]).await;
    let held = bench.take(10, LONG).await;
    assert_eq!(ids(&held), ["a/1", "a/2"]);
    bench.delete(held).await;
    bench.put(&["a/1", "a/3"]).await;
    assert_eq!(ids(&bench.take(10, LONG).await), ["a/3"]);
}

async fn ids_are_known_per_group(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    let same = ["a/1", "b/1"].map(|id| Outgoing { deduplication_id: "d".into(), ..message(id) });
    assert_eq!(bench.events.send(same.to_vec()).await, [Ok(()), Ok(())]);
    assert_eq!(bench.events.depth().await.expect("a depth").total(), 2);
}

async fn ids_are_forgotten_after_five_minutes(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    if !bench.follows.long_waits {
        return;
    }
    bench.put(&["a/1"]).await;
    bench.time.pass(Duration::from_secs(299)).await;
    bench.put(&["a/1"]).await;
    assert_eq!(bench.events.depth().await.expect("a depth").total(), 1);
    bench.time.pass(Duration::from_secs(1)).await;
    bench.put(&["a/1"]).await;
    let depth = bench.events.depth().await.expect("a depth");
    assert_eq!(depth.total(), 2, "five minutes from the first, not from the repeat");
}

async fn a_handle_is_stale_once_the_message_is_received_again(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    bench.put(&["a/1", "b/1"]).await;
    let old = bench.take(10, SHORT).await;
    bench.time.pass(SHORT).await;
    let held = bench.take(10, LONG).await;
    assert_eq!(held.len(), 2);
    let mut refused = bench.events.delete(receipts(old)).await;
    assert_eq!(faults(&refused), [QueueFault::Stale, QueueFault::Stale]);
    let old = (refused.remove(0).0, Duration::ZERO);
    assert_eq!(faults(&bench.events.change_visibility(vec![old]).await), [QueueFault::Stale]);
    bench.delete(held).await;
    assert_eq!(bench.events.depth().await.expect("a depth").total(), 0);
}

async fn a_handle_is_stale_once_its_visibility_ran_out(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    if !bench.follows.expired_handles {
        return;
    }
    bench.put(&["a/1"]).await;
    let old = bench.take(1, SHORT).await;
    bench.time.pass(SHORT).await;
    let mut refused = bench.events.delete(receipts(old)).await;
    assert_eq!(faults(&refused), [QueueFault::Stale]);
    let old = (refused.remove(0).0, LONG);
    assert_eq!(faults(&bench.events.change_visibility(vec![old]).await), [QueueFault::Stale]);
    assert_eq!(ids(&bench.take(1, LONG).await), ["a/1"]);
}

async fn a_new_message_stays_hidden_for_the_delay(backend: Arc<dyn Backend>) {
    let bench = backend.open(QueueShape { delay: 2 * SHORT, ..PLAIN }).await;
    bench.put(&["a/1"]).await;
    assert_eq!(ids(&bench.take(10, LONG).await), NOTHING);
    assert_eq!(bench.events.depth().await.expect("a depth").delayed, 1);
    bench.time.pass(2 * SHORT).await;
    assert_eq!(ids(&bench.take(10, LONG).await), ["a/1"]);
}

async fn a_message_received_too_often_becomes_a_dead_letter(backend: Arc<dyn Backend>) {
    let bench = backend.open(QueueShape { max_receive_count: 2, ..PLAIN }).await;
    let attributes = BTreeMap::from([("kind".to_owned(), "odd".to_owned())]);
    let sent = Outgoing { attributes: attributes.clone(), ..message("a/1") };
    assert_eq!(bench.events.send(vec![sent]).await, [Ok(())]);
    for _ in 0..2 {
        let held = bench.take(1, LONG).await;
        bench.hide(held, Duration::ZERO).await;
    }
    bench.put(&["a/2"]).await;
    assert_eq!(ids(&bench.take(10, LONG).await), ["a/2"], "the next one moves up");
    let dead = receive(&bench.dead_letters, 10, LONG).await;
    assert_eq!(ids(&dead), ["a/1"]);
    assert_eq!((dead[0].group.as_str(), &dead[0].attributes), ("a", &attributes));
    bench.dead_letters.delete(receipts(dead)).await;
    assert_eq!(bench.dead_letters.depth().await.expect("a depth").total(), 0);
}

async fn a_refused_message_leaves_its_neighbors_alone(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    let large = Outgoing { body: "x".repeat(MEBIBYTE + 1), ..message("a/2") };
    let no_body = Outgoing { body: String::new(), ..message("a/4") };
    let sent = vec![message("a/1"), large, message("a/3"), no_body, message("a/5")];
    let results = bench.events.send(sent).await;
    let arrived: Vec<_> = results.iter().map(Result::is_ok).collect();
    assert_eq!(arrived, [true, false, true, false, true]);
    let refused = |result: &Result<_, _>| matches!(result, Err(QueueFault::Refused(_)));
    assert!(refused(&results[1]) && refused(&results[3]), "not to be tried again: {results:?}");
    assert_eq!(ids(&bench.take(10, LONG).await), ["a/1", "a/3", "a/5"]);
}

async fn more_than_ten_are_sent_and_deleted(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    let sent: Vec<String> = (0..25).map(|number| format!("{number}/1")).collect();
    bench.put(&sent.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut held = Vec::new();
    while held.len() < sent.len() {
        let more = bench.take(10, LONG).await;
        assert!(!more.is_empty(), "{} of {} came", held.len(), sent.len());
        held.extend(more);
    }
    bench.delete(held).await;
    assert_eq!(bench.events.depth().await.expect("a depth").total(), 0);
}

async fn a_sender_wakes_a_waiting_receiver(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    let waiting = bench.wait_for_one(Duration::from_secs(20));
    bench.time.until_waiting().await;
    bench.put(&["a/1"]).await;
    assert_eq!(ids(&waiting.await.expect("no panic")), ["a/1"]);
}

async fn a_waiting_receiver_gets_what_becomes_visible(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    bench.put(&["a/1"]).await;
    bench.take(1, 2 * SHORT).await;
    let waiting = bench.wait_for_one(Duration::from_secs(20));
    for _ in 0..2 {
        bench.time.until_waiting().await;
        bench.time.pass(SHORT).await;
    }
    assert_eq!(ids(&waiting.await.expect("no panic")), ["a/1"]);
}

async fn a_wait_for_nothing_ends(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    let waiting = bench.wait_for_one(SHORT);
    bench.time.until_waiting().await;
    bench.time.pass(SHORT).await;
    assert_eq!(ids(&waiting.await.expect("no panic")), NOTHING);
}

async fn a_body_of_one_mebibyte_passes(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    let body = "é".repeat(MEBIBYTE / 2);
    let large = Outgoing { body: body.clone(), ..message("a/1") };
    assert_eq!(bench.events.send(vec![large, message("a/2")]).await, [Ok(()), Ok(())]);
    let held = bench.take(1, LONG).await;
    assert!(held[0].body == body, "{} bytes came back", held[0].body.len());
}

async fn odd_characters_come_back_unchanged(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    let odd = "\t\n\r \"\\</&\u{7F}\u{A0}\u{2028}\u{202E}\u{E000}\u{FFFD}\u{10FFFF} e\u{301} 👩\u{200D}🚀 ש x";
    let sent = Outgoing { body: odd.to_owned(), ..message("a/1") };
    assert_eq!(bench.events.send(vec![sent]).await, [Ok(())]);
    assert_eq!(ids(&bench.take(1, LONG).await), [odd]);
}

async fn forbidden_characters_are_refused(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    if !bench.follows.forbidden_characters {
        return;
    }
    for forbidden in ["\0", "\u{1}", "\u{1F}", "\u{FFFE}", "\u{FFFF}"] {
        let sent = Outgoing { body: forbidden.to_owned(), ..message("a/1") };
        let results = bench.events.send(vec![sent]).await;
        assert!(
            matches!(&results[..], [Err(QueueFault::Refused(_))]),
            "{forbidden:?}: {results:?}"
        );
    }
    assert_eq!(bench.events.depth().await.expect("a depth").total(), 0);
}

async fn attributes_come_back_unchanged(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    let attributes: BTreeMap<_, _> =
        (0..10).map(|number| (format!("name-{number}"), format!("Wert „{number}“"))).collect();
    let sent = Outgoing { attributes: attributes.clone(), ..message("a/1") };
    assert_eq!(bench.events.send(vec![sent]).await, [Ok(())]);
    let held = bench.take(1, LONG).await;
    assert_eq!(held[0].attributes, attributes);
    assert_eq!((held[0].group.as_str(), held[0].deduplication_id.as_str()), ("a", "a/1"));
}

async fn the_depth_adds_up(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    let counts = async || {
        let depth = bench.events.depth().await.expect("a depth");
        (depth.visible, depth.in_flight, depth.delayed)
    };
    assert_eq!(counts().await, (0, 0, 0));
    bench.put(&["a/1", "a/2", "b/1"]).await;
    assert_eq!(counts().await, (3, 0, 0));
    let mut held = bench.take(1, LONG).await;
    assert_eq!(counts().await, (2, 1, 0), "a closed group's messages are visible");
    held.extend(bench.take(1, LONG).await);
    assert_eq!(counts().await, (1, 2, 0));
    bench.hide(vec![held.remove(1)], Duration::ZERO).await;
    bench.delete(held).await;
    assert_eq!(counts().await, (2, 0, 0));
}

async fn a_repeated_attempt_gives_the_same_messages(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    if !bench.follows.attempt_ids {
        return;
    }
    bench.put(&["a/1", "a/2", "b/1"]).await;
    let request = request(2, 2 * SHORT);
    let first = bench.events.receive(request.clone()).await.expect("an answer");
    let again = bench.events.receive(request.clone()).await.expect("an answer");
    assert_eq!(first, again, "handles and counts too");
    bench.time.pass(SHORT).await;
    let later = bench.events.receive(request.clone()).await.expect("an answer");
    assert_eq!(first, later);
    bench.time.pass(2 * SHORT - Duration::from_millis(1)).await;
    bench.delete(later).await;
}

async fn an_attempt_is_over_once_a_message_was_settled(backend: Arc<dyn Backend>) {
    let bench = backend.open(PLAIN).await;
    if !bench.follows.attempt_ids {
        return;
    }
    bench.put(&["a/1", "a/2", "b/1", "c/1"]).await;
    let request = request(2, 2 * SHORT);
    let mut first = bench.events.receive(request.clone()).await.expect("an answer");
    assert_eq!(ids(&first), ["a/1", "a/2"]);
    bench.hide(vec![first.remove(1)], LONG).await;
    let next = bench.events.receive(request.clone()).await.expect("an answer");
    assert_eq!(ids(&next), ["b/1", "c/1"]);
    bench.time.pass(2 * SHORT).await;
    let expired = bench.events.receive(request).await.expect("an answer");
    assert_eq!(expired.iter().map(|held| held.receive_count).collect::<Vec<_>>(), [2, 2]);
}
