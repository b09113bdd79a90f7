//! What the laws are told with: fresh queues and their time, the words for sending and taking, and
//! the two backends.
//!
//! A message is named `group/anything`; the name is its body and its deduplication id as well.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use shared::ports::{Delivery, Outgoing, Queue, QueueFault, Receipt, ReceiveRequest};
use simulation::clock::VirtualClock;
use simulation::entropy::SeededEntropy;
use simulation::queue::SimQueue;
use sqlite::{QueueSettings, SqliteQueues};
use sqs::SqsQueue;
use tests::ministack::{Ministack, QueueShape};

/// A pair of fresh queues, and their time.
pub(super) struct Bench {
    pub(super) events: Arc<dyn Queue>,
    pub(super) dead_letters: Arc<dyn Queue>,
    pub(super) time: Arc<dyn Time>,
    pub(super) follows: Follows,
}

/// What a backend does as AWS does, beyond what all of them do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Follows {
    /// A repeated `ReceiveRequestAttemptId` gives the same messages.
    pub(super) attempt_ids: bool,
    /// A receipt handle is stale as soon as its visibility ran out.
    pub(super) expired_handles: bool,
    /// Characters outside of XML 1.0 are refused.
    pub(super) forbidden_characters: bool,
    /// Its time can be turned, so that a law may wait for minutes.
    pub(super) long_waits: bool,
}

/// Where queues come from.
#[async_trait]
pub(super) trait Backend: Send + Sync {
    async fn open(&self, shape: QueueShape) -> Bench;
}

/// Virtual or real time.
#[async_trait]
pub(super) trait Time: Send + Sync {
    /// Lets so much time pass, and a little more.
    async fn pass(&self, time: Duration);
    /// Returns when a receive that was started before is waiting.
    async fn until_waiting(&self);
}

pub(super) const PLAIN: QueueShape = QueueShape { delay: Duration::ZERO, max_receive_count: 100 };
/// SQS counts visibility in whole seconds.
pub(super) const SHORT: Duration = Duration::from_secs(1);
pub(super) const LONG: Duration = Duration::from_secs(60);
pub(super) const MEBIBYTE: usize = 1_048_576;
pub(super) const NOTHING: [&str; 0] = [];

impl Bench {
    /// Sends messages of these names, `group/anything`, all of which must be accepted.
    pub(super) async fn put(&self, names: &[&str]) {
        let results = self.events.send(names.iter().copied().map(message).collect()).await;
        assert_eq!(results, vec![Ok(()); names.len()]);
    }

    pub(super) async fn take(&self, messages_max: u32, visibility: Duration) -> Vec<Delivery> {
        receive(&self.events, messages_max, visibility).await
    }

    pub(super) fn wait_for_one(&self, wait: Duration) -> tokio::task::JoinHandle<Vec<Delivery>> {
        let events = self.events.clone();
        let request = ReceiveRequest { wait, ..request(1, LONG) };
        tokio::spawn(async move { events.receive(request).await.expect("an answer") })
    }

    pub(super) async fn delete(&self, held: Vec<Delivery>) {
        assert_eq!(faults(&self.events.delete(receipts(held)).await), []);
    }

    pub(super) async fn hide(&self, held: Vec<Delivery>, visibility: Duration) {
        let changes = held.into_iter().map(|delivery| (delivery.receipt, visibility)).collect();
        assert_eq!(faults(&self.events.change_visibility(changes).await), []);
    }
}

pub(super) async fn receive(
    queue: &Arc<dyn Queue>,
    messages_max: u32,
    visibility: Duration,
) -> Vec<Delivery> {
    queue.receive(request(messages_max, visibility)).await.expect("an answer")
}

pub(super) fn request(messages_max: u32, visibility: Duration) -> ReceiveRequest {
    static ATTEMPT: AtomicU64 = AtomicU64::new(0);
    let attempt_id = format!("attempt-{}", ATTEMPT.fetch_add(1, Ordering::Relaxed));
    ReceiveRequest { messages_max, visibility, wait: Duration::ZERO, attempt_id }
}

pub(super) fn message(name: &str) -> Outgoing {
    Outgoing {
        body: name.to_owned(),
        group: name.split('/').next().unwrap_or_default().to_owned(),
        deduplication_id: name.to_owned(),
        attributes: BTreeMap::new(),
    }
}

pub(super) fn ids(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.body.as_str()).collect()
}

pub(super) fn receipts(deliveries: Vec<Delivery>) -> Vec<Receipt> {
    deliveries.into_iter().map(Receipt::from).collect()
}

pub(super) fn faults(refused: &[(Receipt, QueueFault)]) -> Vec<QueueFault> {
    refused.iter().map(|(_, fault)| fault.clone()).collect()
}

pub(super) struct Embedded;

#[async_trait]
impl Backend for Embedded {
    async fn open(&self, shape: QueueShape) -> Bench {
        let clock = VirtualClock::default();
        let settings = QueueSettings {
            delay: shape.delay,
            max_receive_count: shape.max_receive_count,
            ..QueueSettings::default()
        };
        let entropy = Arc::new(SeededEntropy::new(1));
        let queues = SqliteQueues::in_memory(Arc::new(clock.clone()), entropy, settings)
            .expect("a database in memory");
        let follows = Follows {
            attempt_ids: true,
            expired_handles: true,
            forbidden_characters: true,
            long_waits: true,
        };
        Bench {
            events: queues.events(),
            dead_letters: queues.dead_letters(),
            time: Arc::new(clock),
            follows,
        }
    }
}

pub(super) struct Simulated;

#[async_trait]
impl Backend for Simulated {
    async fn open(&self, shape: QueueShape) -> Bench {
        let clock = VirtualClock::default();
        let chance = Arc::new(SeededEntropy::new(1));
        let dead_letters = SimQueue::new(clock.clone(), chance.clone(), Duration::ZERO);
        let events = SimQueue::new(clock.clone(), chance, shape.delay)
            .with_redrive(shape.max_receive_count, &dead_letters);
        // It refuses nothing and forgets attempts: what is sent to it has passed the real ones.
        let follows = Follows {
            attempt_ids: false,
            expired_handles: true,
            forbidden_characters: false,
            long_waits: true,
        };
        Bench {
            events: Arc::new(events),
            dead_letters: Arc::new(dead_letters),
            time: Arc::new(clock),
            follows,
        }
    }
}

#[async_trait]
impl Time for VirtualClock {
    async fn pass(&self, time: Duration) {
        self.advance(time);
    }

    async fn until_waiting(&self) {
        while self.next_wake().is_none() {
            tokio::task::yield_now().await;
        }
    }
}

pub(super) struct Emulated {
    ministack: Ministack,
    made: AtomicU64,
}

impl Emulated {
    pub(super) async fn start() -> Emulated {
        let ministack = Ministack::start().await.expect("ministack starts");
        Emulated { ministack, made: AtomicU64::new(0) }
    }
}

#[async_trait]
impl Backend for Emulated {
    async fn open(&self, shape: QueueShape) -> Bench {
        let name = format!("events-{}", self.made.fetch_add(1, Ordering::Relaxed));
        let urls = self.ministack.create_queues(&name, shape).await.expect("two queues");
        let settings = self.ministack.client_settings();
        let queue = |url: &str| Arc::new(SqsQueue::new(&settings, url));
        // ministack 1.5.33 ignores `ReceiveRequestAttemptId`, and compares receipt handles
        // without looking at their age.
        let follows = Follows {
            attempt_ids: false,
            expired_handles: false,
            forbidden_characters: true,
            long_waits: false,
        };
        Bench {
            events: queue(&urls.events),
            dead_letters: queue(&urls.dead_letters),
            time: Arc::new(RealTime),
            follows,
        }
    }
}

struct RealTime;

#[async_trait]
impl Time for RealTime {
    #[expect(clippy::disallowed_methods, reason = "the emulator is another process, in real time")]
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time + Duration::from_millis(100)).await;
    }

    async fn until_waiting(&self) {
        self.pass(Duration::from_millis(100)).await;
    }
}
