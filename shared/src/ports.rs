//! The ports: what the core takes from the outside, as traits and nothing else.
//!
//! Production, the local stack and the simulation each bring their own; the core cannot tell
//! them apart. The fourth port, `Transport`, is cut inside the `hubspot` crate, below its client.
//!
//! **Invariant**: nothing in this crate implements one of these traits.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::journal::{Figure, Line};

/// The time of day, a steady clock, and waiting.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The time of day. It may jump; order nothing by it but what people did.
    fn now(&self) -> DateTime<Utc>;

    /// Time since some fixed moment in this process. It never goes back: deadlines and pacing
    /// are measured with it.
    fn uptime(&self) -> Duration;

    /// Waits. On virtual time it returns when the clock was turned far enough.
    async fn sleep(&self, wait: Duration);
}

/// Chance: ids, jitter, request attempts.
pub trait Entropy: Send + Sync {
    /// 64 uniformly distributed bits.
    fn next_u64(&self) -> u64;
}

/// Where log lines and figures go: the machine's output, or a test's memory.
pub trait Journal: Send + Sync {
    /// Writes a line, whole.
    fn line(&self, line: Line);

    /// Writes the figures of one request or one pass; the same figure may have many values.
    fn figures(&self, figures: &[(Figure, f64)]);
}

/// A message to be put on a FIFO queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The body: text, at most 1 MiB, without characters that SQS refuses.
    pub body: String,
    /// `MessageGroupId`: at most 128 ASCII characters.
    pub group: String,
    /// `MessageDeduplicationId`: at most 128 ASCII characters; the same id in the same group
    /// within five minutes is accepted and stored once.
    pub deduplication_id: String,
    /// String message attributes, at most ten. Dead letters carry their reason here.
    pub attributes: BTreeMap<String, String>,
}

/// Which messages to take, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiveRequest {
    /// At most this many messages, 1 to 10.
    pub messages_max: u32,
    /// How long nobody else sees them, nor any later message of their groups.
    pub visibility: Duration,
    /// How long to wait for a first message; zero answers at once. At most 20 s.
    pub wait: Duration,
    /// `ReceiveRequestAttemptId`: a repeated receive with the same id gives the same messages,
    /// so a lost answer hides nothing.
    pub attempt_id: String,
}

/// A message in hand. It can be settled once: settling consumes it.
#[derive(Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The queue's name for the message, for logs and for `batchItemFailures`.
    pub message_id: String,
    /// What settles it. A later receive of the same message makes it stale.
    pub receipt_handle: String,
    /// The body as it was sent.
    pub body: String,
    /// `MessageGroupId`.
    pub group: String,
    /// `MessageDeduplicationId`.
    pub deduplication_id: String,
    /// `ApproximateReceiveCount`: 1 at the first receive.
    pub receive_count: u32,
    /// `SentTimestamp`: when the queue accepted it.
    pub sent_at: DateTime<Utc>,
    /// String message attributes.
    pub attributes: BTreeMap<String, String>,
}

impl Delivery {
    /// The same receipt without the body: what an event source keeps, to delete what the worker
    /// does not name as failed.
    #[must_use]
    pub fn receipt(&self) -> Self {
        Self {
            message_id: self.message_id.clone(),
            receipt_handle: self.receipt_handle.clone(),
            body: String::new(),
            group: self.group.clone(),
            deduplication_id: self.deduplication_id.clone(),
            receive_count: self.receive_count,
            sent_at: self.sent_at,
            attributes: BTreeMap::new(),
        }
    }
}

/// How many messages a queue holds, as SQS approximates it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Ready to be received (a closed group's messages count too).
    pub visible: u64,
    /// In somebody's hands.
    pub in_flight: u64,
    /// Sent, and not yet to be seen because of the queue's delay.
    pub delayed: u64,
}

impl Depth {
    /// All that the queue holds.
    pub fn total(&self) -> u64 {
        self.visible + self.in_flight + self.delayed
    }
}

/// Why the queue did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueFault {
    /// Throttled, unreachable, or failed on its side; or the answer was lost and nobody knows.
    /// Asking again is safe: sends are deduplicated, the rest is idempotent.
    #[error("the queue did not answer: {0}")]
    Unavailable(String),
    /// It will never take this: too long, a forbidden character, no such queue, no permission.
    #[error("the queue refused: {0}")]
    Refused(String),
    /// The receipt handle is stale: the message was received again by someone else, or is gone.
    #[error("the receipt handle is stale")]
    Stale,
}

/// A FIFO queue with message groups: SQS, the embedded one, the simulated one.
///
/// One suite of laws, in `tests/contract/queue_laws.rs`, holds each of them to the same behavior.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Puts messages on the queue; any number, the adapter makes batches of ten. The answer has
    /// one entry for each message, in order. `Ok` means that it is durably stored.
    async fn send(&self, messages: Vec<Outgoing>) -> Vec<Result<(), QueueFault>>;

    /// Takes up to ten messages. While a message of a group is in flight, no other message of
    /// that group is given out; the messages of one group come in the order they were sent.
    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<Delivery>, QueueFault>;

    /// Deletes messages for good, any number. What could not be deleted comes back with why.
    async fn delete(&self, deliveries: Vec<Delivery>) -> Vec<(Delivery, QueueFault)>;

    /// Makes messages visible again after `visibility` (zero: at once; at most 12 hours), any
    /// number. What could not be changed comes back with why.
    async fn change_visibility(
        &self,
        deliveries: Vec<(Delivery, Duration)>,
    ) -> Vec<(Delivery, QueueFault)>;

    /// How much the queue holds.
    async fn depth(&self) -> Result<Depth, QueueFault>;
}
