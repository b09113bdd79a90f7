//! The ports: what the core takes from the outside, as traits, and the values that cross them.
//!
//! Four ports are here: [`Clock`], [`Entropy`], [`Journal`] and [`Queue`]. Two more belong to the
//! crates that need them: `Transport` to `hubspot`, `ReadToken` to the token source. Production, the
//! local stack and the simulation each bring their own, and the core can't tell them apart.
//!
//! **Invariant**: nothing in this crate implements one of these traits, and only [`Queue`] uses up a
//! [`Receipt`].

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::journal::{ContactWritten, Figure, Line};

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

    /// Writes a contact that was written to HubSpot: as its line, unless an implementation has a use
    /// for the values.
    fn contact_written(&self, contact: ContactWritten) {
        self.line(contact.into());
    }

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

/// What settles one received message: SQS's receipt handle.
///
/// A receipt has no `Clone`, and settling consumes it. So this settles a message once:
///
/// ```
/// # use shared::ports::{Delivery, Queue};
/// async fn once(queue: &dyn Queue, delivery: Delivery) {
///     queue.delete(vec![delivery.receipt]).await;
/// }
/// ```
///
/// Settling it again does not compile:
///
/// ```compile_fail,E0382
/// # use shared::ports::{Delivery, Queue};
/// async fn twice(queue: &dyn Queue, delivery: Delivery) {
///     queue.delete(vec![delivery.receipt]).await;
///     queue.delete(vec![delivery.receipt]).await;
/// }
/// ```
///
/// Nor does a copy for later:
///
/// ```compile_fail,E0599
/// # use shared::ports::{Delivery, Queue};
/// async fn copied(queue: &dyn Queue, delivery: Delivery) {
///     queue.delete(vec![delivery.receipt.clone()]).await;
///     queue.delete(vec![delivery.receipt]).await;
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Receipt(String);

impl Receipt {
    /// The receipt with this handle. Only a queue gives out handles; a later receive of the same
    /// message makes the earlier ones stale.
    pub fn new(handle: impl Into<String>) -> Self {
        Self(handle.into())
    }

    /// The handle, for the queue that gave it.
    pub fn handle(&self) -> &str {
        &self.0
    }
}

impl From<Delivery> for Receipt {
    fn from(delivery: Delivery) -> Self {
        delivery.receipt
    }
}

/// A received message, with the receipt that settles it.
#[derive(Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The queue's name for the message, for logs and for `batchItemFailures`.
    pub message_id: String,
    /// What settles it.
    pub receipt: Receipt,
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
    /// The receipt is stale: the message was received again by someone else, or is gone.
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

    /// Deletes messages, any number. The receipts of those that it could not delete come back, each
    /// with the fault.
    async fn delete(&self, receipts: Vec<Receipt>) -> Vec<(Receipt, QueueFault)>;

    /// Lets go of messages: each becomes visible again after its time (zero: at once; at most 12
    /// hours). Any number. The receipts of those that it could not change come back, each with the
    /// fault.
    async fn change_visibility(
        &self,
        receipts: Vec<(Receipt, Duration)>,
    ) -> Vec<(Receipt, QueueFault)>;

    /// Holds messages for `visibility` from now on. Nothing is settled, so the caller keeps the
    /// receipts. A message that it can't hold longer comes again when its time is over.
    async fn hold(&self, receipts: &[&Receipt], visibility: Duration) {
        let same = |receipt: &&Receipt| (Receipt(receipt.0.clone()), visibility);
        let _not_held = self.change_visibility(receipts.iter().map(same).collect()).await;
    }

    /// How much the queue holds.
    async fn depth(&self) -> Result<Depth, QueueFault>;
}
