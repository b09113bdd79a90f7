//! The embedded queue: two durable FIFO queues, events and dead letters, in one SQLite file.
//!
//! It behaves as SQS FIFO in high-throughput mode does, so the core can't tell the two apart;
//! `tests/contract/queue_laws.rs` holds both to the same laws. A message passes `accept` (what SQS
//! would refuse), `store` and `receive` (the SQL for sending, settling and receiving) and `groups`
//! (which group is open). `writer` is the one thread that runs all of it, and SQLite itself moves
//! committed pages from its log into the file (`schema`).
//!
//! **Invariant**: `send` answers `Ok` after the commit that holds the message was synced to disk.

mod accept;
mod attempts;
mod groups;
mod receive;
mod schema;
mod store;
mod writer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use shared::ports::{
    Clock, Delivery, Depth, Entropy, Outgoing, Queue, QueueFault, Receipt, ReceiveRequest,
};
use tokio::sync::Notify;

use self::store::{Change, Store};
use self::writer::Writer;

/// The file's name in a data folder.
pub const FILE_NAME: &str = "queue.sqlite";

/// How the events queue treats its messages. The dead-letter queue shares the retention only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueSettings {
    /// How long a new message stays hidden: the coalescing window. At most 15 minutes in SQS.
    pub delay: Duration,
    /// A message that was received this often goes to the dead-letter queue instead of to one
    /// more receiver.
    pub max_receive_count: u32,
    /// How long a message is kept, dead letters too.
    pub retention: Duration,
}

impl Default for QueueSettings {
    /// The settings of the deployed stack's queues.
    fn default() -> Self {
        QueueSettings {
            delay: Duration::from_secs(5),
            max_receive_count: 100,
            retention: Duration::from_secs(14 * 24 * 60 * 60),
        }
    }
}

/// Why the queue's file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// SQLite can't open, create or lock the file, or it isn't a database.
    #[error(
        "the queue at {path} can't be opened: {source}; \
         hint: check that its folder exists and is writable, and that the file is a queue"
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A later version of the program wrote it.
    #[error(
        "the queue at {path} has format {found}, this program knows formats up to {known}; \
         hint: use the newer program, or another data folder"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The format in the file.
        found: i64,
        /// The newest format that this program knows.
        known: i64,
    },
    /// The system gave no thread.
    #[error(
        "the queue's thread can't be started: {0}; \
         hint: check how many processes and threads this user may have (ulimit -u)"
    )]
    System(#[from] std::io::Error),
}

/// A dead letter as an operator sees it, without receiving it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The queue's name for it.
    pub message_id: String,
    /// `MessageGroupId`.
    pub group: String,
    /// The body, unchanged.
    pub body: String,
    /// String message attributes; the reason is among them.
    pub attributes: BTreeMap<String, String>,
    /// When it reached the dead-letter queue.
    pub sent_at: DateTime<Utc>,
    /// How often it was received, in both queues together.
    pub receive_count: u32,
}

/// The two queues of one file; clones share them. The [`Queue`]s that it gave keep the file open.
/// The thread ends with the last of them, or with [`close`](SqliteQueues::close).
#[derive(Clone)]
pub struct SqliteQueues {
    writer: Arc<Writer>,
    events: Arc<FifoQueue>,
    dead_letters: Arc<FifoQueue>,
}

impl SqliteQueues {
    /// Opens the file, or makes it. Its folder must exist. Another process may have it open too, as
    /// the command line does beside a server; a waiting receiver sees that process's messages within
    /// a second.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(
        path: &Path,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        settings: QueueSettings,
    ) -> Result<SqliteQueues, OpenError> {
        let store = Store::new(schema::open(path)?, clock.clone(), entropy, settings)
            .map_err(|source| OpenError::File { path: path.to_owned(), source })?;
        let wakes = Which::ALL.map(|_| Arc::new(Notify::new()));
        let [events, dead_letters] = wakes.clone();
        let writer = Arc::new(Writer::start(store, wakes)?);
        let queue = |which, wake| {
            Arc::new(FifoQueue { which, wake, writer: writer.clone(), clock: clock.clone() })
        };
        Ok(SqliteQueues {
            events: queue(Which::Events, events),
            dead_letters: queue(Which::DeadLetters, dead_letters),
            writer: writer.clone(),
        })
    }

    /// Queues that live in memory and end with the process, for tests.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn in_memory(
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        settings: QueueSettings,
    ) -> Result<SqliteQueues, OpenError> {
        Self::open(Path::new(":memory:"), clock, entropy, settings)
    }

    /// The queue of events.
    pub fn events(&self) -> Arc<dyn Queue> {
        self.events.clone()
    }

    /// The queue of dead letters.
    pub fn dead_letters(&self) -> Arc<dyn Queue> {
        self.dead_letters.clone()
    }

    /// The oldest dead letters, at most `letters_max`, without receiving them.
    ///
    /// # Errors
    /// [`QueueFault::Unavailable`].
    pub async fn list_dead_letters(&self, letters_max: u32) -> Result<Vec<DeadLetter>, QueueFault> {
        self.writer.ask(move |store| store.dead_letters(letters_max)).await
    }

    /// When the oldest event on the queue was sent, in flight or not.
    ///
    /// # Errors
    /// [`QueueFault::Unavailable`].
    pub async fn oldest_event(&self) -> Result<Option<DateTime<Utc>>, QueueFault> {
        self.writer.ask(|store| store.oldest(Which::Events)).await
    }

    /// Takes back the events that a dead process holds: they are visible again after `wait` at the
    /// latest. Only the process that works on the file may call this, when it starts.
    ///
    /// # Errors
    /// [`QueueFault::Unavailable`].
    pub async fn reclaim(&self, wait: Duration) -> Result<(), QueueFault> {
        self.writer.ask(move |store| store.reclaim(Which::Events, wait)).await
    }

    /// Finishes the calls that were made, closes the file and joins the thread: it blocks for about
    /// one commit. Later calls are answered `Unavailable`.
    pub fn close(&self) {
        self.writer.close();
    }
}

/// Which of the two queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Events = 0,
    DeadLetters = 1,
}

impl Which {
    const ALL: [Which; 2] = [Which::Events, Which::DeadLetters];

    /// The queue's number in the file, and its place in arrays.
    fn column(self) -> i64 {
        self as i64
    }
}

/// The asynchronous side of one queue.
struct FifoQueue {
    which: Which,
    wake: Arc<Notify>,
    writer: Arc<Writer>,
    clock: Arc<dyn Clock>,
}

/// A waiting receiver looks again this often, because nothing wakes it when another process puts
/// a message into the file.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

#[async_trait]
impl Queue for FifoQueue {
    async fn send(&self, messages: Vec<Outgoing>) -> Vec<Result<(), QueueFault>> {
        let (which, count) = (self.which, messages.len());
        let sent = self.writer.ask(move |store| store.send(which, &messages)).await;
        sent.unwrap_or_else(|fault| vec![Err(fault); count])
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<Delivery>, QueueFault> {
        accept::check_receive(&request)?;
        let which = self.which;
        let deadline = self.clock.uptime() + request.wait;
        loop {
            // Registered before the look, so it misses nothing that is sent in between.
            let woken = self.wake.notified();
            let asked = request.clone();
            let received = self.writer.ask(move |store| store.receive(which, &asked)).await?;
            let left = deadline.saturating_sub(self.clock.uptime());
            if !received.deliveries.is_empty() || left.is_zero() {
                return Ok(received.deliveries);
            }
            let pause = received.opens_in.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN).min(left);
            tokio::select! {
                () = woken => {}
                () = self.clock.sleep(pause) => {}
            }
        }
    }

    async fn delete(&self, receipts: Vec<Receipt>) -> Vec<(Receipt, QueueFault)> {
        self.settle(receipts.into_iter().map(|receipt| (receipt, Change::Delete)).collect()).await
    }

    async fn change_visibility(
        &self,
        receipts: Vec<(Receipt, Duration)>,
    ) -> Vec<(Receipt, QueueFault)> {
        let changes =
            receipts.into_iter().map(|(receipt, wait)| (receipt, Change::Hide(wait))).collect();
        self.settle(changes).await
    }

    async fn depth(&self) -> Result<Depth, QueueFault> {
        let which = self.which;
        self.writer.ask(move |store| store.depth(which)).await
    }
}

impl FifoQueue {
    /// Makes the changes, and gives back the receipts whose change was not made.
    async fn settle(&self, changes: Vec<(Receipt, Change)>) -> Vec<(Receipt, QueueFault)> {
        let which = self.which;
        let orders: Vec<_> = changes
            .iter()
            .map(|(receipt, change)| (receipt.handle().to_owned(), *change))
            .collect();
        let count = orders.len();
        let settled = self.writer.ask(move |store| store.settle(which, &orders)).await;
        let settled = settled.unwrap_or_else(|fault| vec![Err(fault); count]);
        let paired = changes.into_iter().zip(settled);
        paired.filter_map(|((receipt, _), done)| Some((receipt, done.err()?))).collect()
    }
}
