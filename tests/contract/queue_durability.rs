//! The embedded queue keeps everything that it acknowledged when its process ends.
//!
//! A copy of the database and its log, taken while the queue is open and working, plays a process
//! that was killed: a kill leaves the same files on the disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use shared::ports::{Clock, Delivery, Outgoing, Queue, QueueFault, Receipt, ReceiveRequest};
use simulation::clock::VirtualClock;
use simulation::entropy::SeededEntropy;
use sqlite::{OpenError, QueueSettings, SqliteQueues};

const MINUTE: Duration = Duration::from_secs(60);
/// A large body, in bytes.
const LARGE: usize = 200_000;

#[tokio::test]
async fn a_reopened_queue_has_messages_order_counts_and_known_ids() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue.db");
    let clock = VirtualClock::default();
    let queues = open(&path, &clock);
    put(&*queues.events(), &["a/1", "a/2", "b/1", "c/1"]).await;
    let mut held = take(&*queues.events(), 3, MINUTE).await;
    assert_eq!(names(&held), ["a/1", "a/2", "b/1"]);
    let in_flight_over_the_end = held.remove(2);
    assert_eq!(queues.events().delete(receipts(held)).await, []);
    let before = queues.events().depth().await.expect("a depth");
    queues.close();

    clock.advance(Duration::from_secs(30));
    let queues = open(&path, &clock);
    let events = queues.events();
    assert_eq!(events.depth().await.expect("a depth"), before);
    put(&*events, &["a/1", "b/1", "c/1"]).await;
    assert_eq!(events.depth().await.expect("a depth"), before, "the ids are known");
    assert_eq!(names(&take(&*events, 10, MINUTE).await), ["c/1"], "b is closed");
    assert_eq!(events.delete(vec![in_flight_over_the_end.receipt]).await, [], "its handle holds");
    put(&*events, &["b/2"]).await;
    let held = take(&*events, 10, MINUTE).await;
    assert_eq!(names(&held), ["b/2"]);
    drop((queues, events));

    clock.advance(MINUTE);
    let queues = open(&path, &clock);
    let again = take(&*queues.events(), 10, MINUTE).await;
    let counts: Vec<_> =
        again.iter().map(|held| (held.body.as_str(), held.receive_count)).collect();
    assert_eq!(counts, [("c/1", 2), ("b/2", 2)]);
}

#[tokio::test]
async fn what_a_dead_process_held_is_given_out_after_the_quarantine_and_no_sooner() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue.db");
    let clock = VirtualClock::default();
    let queues = open(&path, &clock);
    put(&*queues.events(), &["a/1", "b/1"]).await;
    let mut held = take(&*queues.events(), 2, 10 * MINUTE).await;
    let soon = held.pop().map(|held| (held.receipt, Duration::from_secs(5)));
    assert_eq!(queues.events().change_visibility(soon.into_iter().collect()).await, []);
    queues.close();

    let queues = open(&path, &clock);
    queues.reclaim(MINUTE / 2).await.expect("reclaimed");
    clock.advance(Duration::from_secs(6));
    assert_eq!(names(&take(&*queues.events(), 10, MINUTE).await), ["b/1"], "its wait was shorter");
    clock.advance(Duration::from_secs(23));
    assert_eq!(names(&take(&*queues.events(), 10, MINUTE).await), [""; 0]);
    clock.advance(Duration::from_secs(2));
    assert_eq!(names(&take(&*queues.events(), 10, MINUTE).await), ["a/1"]);
}

#[tokio::test]
async fn a_torn_process_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue.db");
    let clock = VirtualClock::default();
    let queues = open(&path, &clock);
    let events = queues.events();
    for round in 0..20 {
        let sent: Vec<String> = (0..10).map(|number| format!("{number}/{round}")).collect();
        put(&*events, &sent.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let mut held = take(&*events, 10, MINUTE).await;
        let kept = held.split_off(held.len() / 2);
        assert_eq!(events.delete(receipts(held)).await, []);
        let depth = events.depth().await.expect("a depth");

        let survivors = open(&tear(&path, round), &clock);
        assert_eq!(survivors.events().depth().await.expect("a depth"), depth, "round {round}");
        assert_eq!(
            survivors.events().delete(receipts(kept)).await,
            [],
            "what was in flight still is"
        );
        clock.advance(2 * MINUTE);
    }
}

/// Ten times as much as the log takes: it begins anew while they come.
#[tokio::test]
async fn under_load_the_log_stays_short_and_a_kill_loses_nothing() {
    const LOG_MAX: u64 = 4 << 20;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue.db");
    let log = folder.path().join("queue.db-wal");
    let clock = VirtualClock::default();
    let queues = open(&path, &clock);
    let mut most = 0;
    for number in 1..=200 {
        put_large(&*queues.events(), number).await;
        most = most.max(std::fs::metadata(&log).expect("a log").len());
        if number % 25 == 0 {
            let survivors = open(&tear(&path, number), &clock);
            assert_eq!(survivors.events().depth().await.expect("a depth").total(), number);
        }
    }
    assert!(most < LOG_MAX + (1 << 20), "{most} bytes");
}

#[tokio::test]
async fn messages_move_from_the_log_into_the_file_while_the_queue_is_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue.db");
    let queues = open(&path, &VirtualClock::default());
    for number in 0..60 {
        put_large(&*queues.events(), number).await;
    }
    assert!(std::fs::metadata(&path).expect("the file").len() > 60 * LARGE as u64 / 2);
}

#[tokio::test]
async fn a_large_transaction_makes_the_log_long_only_until_the_next_one() {
    const LOG_KEPT: u64 = 16 << 20;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue.db");
    let log = || std::fs::metadata(folder.path().join("queue.db-wal")).expect("a log").len();
    let queues = open(&path, &VirtualClock::default());
    let large = |number| Outgoing { body: "x".repeat(LARGE), ..message(&format!("{number}/1")) };
    let sent = queues.events().send((0..150).map(large).collect()).await;
    assert_eq!(sent, vec![Ok(()); 150]);
    assert!(log() > LOG_KEPT, "{} bytes", log());
    put(&*queues.events(), &["a/1"]).await;
    assert!(log() <= LOG_KEPT, "{} bytes", log());
}

#[tokio::test]
async fn many_senders_are_all_on_disk_when_they_are_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue.db");
    let clock = VirtualClock::default();
    let queues = open(&path, &clock);
    let senders = (0..500).map(|number| {
        let events = queues.events();
        tokio::spawn(async move { put(&*events, &[&format!("{number}/1")]).await })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.expect("it is sent");
    }
    let other = open(&path, &clock);
    assert_eq!(other.events().depth().await.expect("a depth").total(), 500);
}

#[tokio::test]
async fn two_processes_may_share_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue.db");
    let clock = VirtualClock::default();
    let (server, command) = (open(&path, &clock), open(&path, &clock));
    put(&*command.events(), &["a/1", "a/2"]).await;
    let held = take(&*server.events(), 1, MINUTE).await;
    assert_eq!(names(&held), ["a/1"]);
    assert_eq!(names(&take(&*command.events(), 10, MINUTE).await), [""; 0]);
    assert_eq!(command.events().delete(receipts(held)).await, []);
    assert_eq!(names(&take(&*server.events(), 10, MINUTE).await), ["a/2"]);
}

#[tokio::test]
async fn a_waiting_receiver_sees_what_another_process_sends() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue.db");
    let clock = VirtualClock::default();
    let (server, command) = (open(&path, &clock), open(&path, &clock));
    let waiting = tokio::spawn({
        let events = server.events();
        async move { events.receive(request(10, MINUTE, 20)).await.expect("an answer") }
    });
    while clock.next_wake().is_none() {
        tokio::task::yield_now().await;
    }
    put(&*command.events(), &["a/1"]).await;
    clock.advance(Duration::from_secs(1));
    assert_eq!(names(&waiting.await.expect("no panic")), ["a/1"]);
}

#[tokio::test]
async fn a_clock_set_back_between_two_runs_hides_nothing_longer() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue.db");
    let clock = VirtualClock::default();
    let queues = open(&path, &clock);
    put(&*queues.events(), &["a/1"]).await;
    clock.advance(60 * MINUTE);
    take(&*queues.events(), 1, MINUTE).await;
    queues.close();

    let earlier = VirtualClock::starting_at(clock.now() - chrono::TimeDelta::hours(3));
    let queues = open(&path, &earlier);
    earlier.advance(MINUTE);
    assert_eq!(names(&take(&*queues.events(), 1, MINUTE).await), ["a/1"]);
}

#[tokio::test]
async fn messages_go_when_their_retention_is_over() {
    let clock = VirtualClock::default();
    let queues = in_memory(&clock);
    put(&*queues.events(), &["a/1", "b/1"]).await;
    put(&*queues.dead_letters(), &["a/1"]).await;
    clock.advance(Duration::from_secs(13 * 24 * 60 * 60));
    put(&*queues.events(), &["a/2"]).await;
    clock.advance(Duration::from_secs(24 * 60 * 60));
    assert_eq!(queues.events().depth().await.expect("a depth").total(), 1);
    assert_eq!(queues.dead_letters().depth().await.expect("a depth").total(), 0);
    assert_eq!(names(&take(&*queues.events(), 10, MINUTE).await), ["a/2"]);
}

#[tokio::test]
async fn dead_letters_are_looked_at_without_receiving_them() {
    let clock = VirtualClock::default();
    let queues = in_memory(&clock);
    put(&*queues.events(), &["a/9"]).await;
    put(&*queues.dead_letters(), &["b/1", "a/1", "b/2"]).await;
    let first = queues.list_dead_letters(2).await.expect("a list");
    let seen: Vec<_> = first.iter().map(|l| (l.group.as_str(), l.body.as_str())).collect();
    assert_eq!(seen, [("b", "b/1"), ("a", "a/1")]);
    assert_eq!((first[0].receive_count, first[0].sent_at), (0, clock.now()));
    assert_eq!(queues.dead_letters().depth().await.expect("a depth").visible, 3);
}

#[tokio::test]
async fn a_closed_queue_says_so() {
    let queues = in_memory(&VirtualClock::default());
    let events = queues.events();
    queues.close();
    let results = events.send(vec![message("a/1")]).await;
    assert!(matches!(&results[..], [Err(QueueFault::Unavailable(_))]), "{results:?}");
    assert!(events.depth().await.is_err());
}

#[tokio::test]
async fn a_file_that_is_no_queue_or_a_newer_one_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = folder.path().join("text.db");
    std::fs::write(&text, "no database, but a text of some length".repeat(100)).expect("a file");
    assert!(matches!(try_open(&text), Err(OpenError::File { .. })));
    assert!(matches!(try_open(&folder.path().join("no/folder.db")), Err(OpenError::File { .. })));

    let newer = folder.path().join("newer.db");
    open(&newer, &VirtualClock::default()).close();
    set_format(&newer, 2);
    assert!(matches!(try_open(&newer), Err(OpenError::Newer { found: 2, known: 1, .. })));
}

/// SQLite's `user_version` stands at byte 60 of the file.
fn set_format(path: &Path, format: u32) {
    let mut bytes = std::fs::read(path).expect("the file");
    bytes[60..64].copy_from_slice(&format.to_be_bytes());
    std::fs::write(path, bytes).expect("the file");
}

fn open(path: &Path, clock: &VirtualClock) -> SqliteQueues {
    let entropy = Arc::new(SeededEntropy::new(7));
    SqliteQueues::open(path, Arc::new(clock.clone()), entropy, settings()).expect("a queue")
}

fn try_open(path: &Path) -> Result<SqliteQueues, OpenError> {
    let entropy = Arc::new(SeededEntropy::new(7));
    SqliteQueues::open(path, Arc::new(VirtualClock::default()), entropy, settings())
}

fn in_memory(clock: &VirtualClock) -> SqliteQueues {
    let entropy = Arc::new(SeededEntropy::new(7));
    SqliteQueues::in_memory(Arc::new(clock.clone()), entropy, settings()).expect("a queue")
}

fn settings() -> QueueSettings {
    QueueSettings { delay: Duration::ZERO, ..QueueSettings::default() }
}

/// A copy of the database and its log as they are now.
fn tear(path: &Path, number: u64) -> PathBuf {
    let torn = path.with_file_name(format!("torn-{number}.db"));
    for end in ["", "-wal"] {
        let [from, to] = [path, &torn].map(|file| format!("{}{end}", file.display()));
        std::fs::copy(from, to).expect("a copy");
    }
    torn
}

async fn put(queue: &dyn Queue, names: &[&str]) {
    let results = queue.send(names.iter().copied().map(message).collect()).await;
    assert_eq!(results, vec![Ok(()); names.len()]);
}

async fn put_large(queue: &dyn Queue, number: u64) {
    let sent = Outgoing { body: "x".repeat(LARGE), ..message(&format!("{number}/1")) };
    assert_eq!(queue.send(vec![sent]).await, [Ok(())]);
}

async fn take(queue: &dyn Queue, messages_max: u32, visibility: Duration) -> Vec<Delivery> {
    queue.receive(request(messages_max, visibility, 0)).await.expect("an answer")
}

fn request(messages_max: u32, visibility: Duration, wait_s: u64) -> ReceiveRequest {
    static ATTEMPT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let attempt = ATTEMPT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let wait = Duration::from_secs(wait_s);
    ReceiveRequest { messages_max, visibility, wait, attempt_id: attempt.to_string() }
}

fn message(name: &str) -> Outgoing {
    Outgoing {
        body: name.to_owned(),
        group: name.split('/').next().unwrap_or_default().to_owned(),
        deduplication_id: name.to_owned(),
        attributes: BTreeMap::new(),
    }
}

fn receipts(deliveries: Vec<Delivery>) -> Vec<Receipt> {
    deliveries.into_iter().map(Receipt::from).collect()
}

fn names(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.body.as_str()).collect()
}
