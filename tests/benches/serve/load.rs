//! Connections that post one event after another, each new to the queue, and note how long each
//! answer took.
//!
//! The client is a socket and next to nothing else, so that it takes little from the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use shared::ports::Clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// So many people learn at once: some of a second's events are of one contact.
const CONTACTS: u64 = 10_000;

/// How events come.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// The next as soon as the last is answered.
    Closed,
    /// So many a second over all connections, whether answers come or not. What is late because an
    /// earlier one was late counts from when it was due.
    PerSecond(f64),
}

/// What comes over how many connections, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    /// How many events a request holds.
    pub(crate) events: usize,
    pub(crate) pace: Pace,
    pub(crate) time: Duration,
}

/// Posts; how long each answer took, in seconds.
pub(crate) async fn post(address: &str, load: Load, clock: &Arc<dyn Clock>) -> Vec<f64> {
    let Load { connections, events, pace, time } = load;
    let begun_at = clock.uptime();
    let mut posting = JoinSet::new();
    for nth in 0..connections {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let clock = clock.clone();
        posting.spawn(async move {
            let mut connection = Connection { stream, read: Vec::with_capacity(2_048) };
            let mut times = Vec::new();
            loop {
                let due = match pace {
                    Pace::Closed => clock.uptime(),
                    Pace::PerSecond(rate) => {
                        let place = (times.len() * connections + nth) as f64;
                        begun_at + Duration::from_secs_f64(place / rate)
                    }
                };
                if due >= begun_at + time {
                    return times;
                }
                if let Some(early) = due.checked_sub(clock.uptime()).filter(|e| !e.is_zero()) {
                    clock.sleep(early).await;
                }
                connection.post(&body(events)).await;
                times.push((clock.uptime() - due).as_secs_f64());
            }
        });
    }
    posting.join_all().await.into_iter().flatten().collect()
}

/// A number that no event had before.
pub(crate) fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The event of this number.
pub(crate) fn event(n: u64) -> String {
    format!(
        r#"{{"eventName":"learning_module_started","eventId":"bench-{n}","contactIdentifier":{{"email":"learner.{}@example.org"}},"payload":{{"pathway_slug":"hedgehog-fundamentals","course_slug":"getting-started-101","module_slug":"intro-to-hedgehog","ts":"2026-01-18T17:30:00.000Z"}}}}"#,
        n % CONTACTS
    )
}

/// So many events nobody has posted yet, as one request's body.
fn body(events: usize) -> String {
    if events == 1 {
        return event(next());
    }
    let events: Vec<String> = (0..events).map(|_| event(next())).collect();
    format!(r#"{{"events":[{}]}}"#, events.join(","))
}

struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    /// Posts, and waits for `persisted`, of every event.
    async fn post(&mut self, body: &str) {
        let request = format!(
            "POST /events/track HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await.unwrap();
        self.read.clear();
        while !is_whole(&self.read) {
            assert!(self.stream.read_buf(&mut self.read).await.unwrap() > 0, "the server hung up");
        }
        let answer = String::from_utf8_lossy(&self.read);
        let is_all = !answer.contains("\"rejected\"") || answer.contains("\"rejected\":[]");
        assert!(answer.contains("persisted") && is_all, "{answer}");
    }
}

/// Whether an answer has come to its end.
fn is_whole(read: &[u8]) -> bool {
    let Some(head_end) = read.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&read[..head_end]);
    let length = tests::http_stub::header(&head, "content-length").unwrap_or("0");
    read.len() >= head_end + 4 + length.parse::<usize>().unwrap()
}
