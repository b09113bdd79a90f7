//! The embedded queue: two durable FIFO queues, events and dead letters, in one SQLite file.
//!
//! It behaves as SQS FIFO in high-throughput mode does, so that the core cannot tell the two
//! apart; `tests/contract/queue_laws.rs` holds both to the same laws. A message passes
//! `accept` (what SQS would refuse), `store` and `receive` (what is done with it, in SQL) and
//! `groups` (which group is open); `writer` is the one thread that does it, and `checkpoints` brings
//! what it committed from SQLite's log into the file.
//!
//! **Invariant**: `send` answers `Ok` after the commit that holds the message was synced to disk.

mod accept;
mod attempts;
mod checkpoints;
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

use self::checkpoints::Checkpoints;
use self::store::{Change, Store};
use self::writer::Writer;

/// What the file is called in a data folder.
pub const FILE_NAME: &str = "queue.sqlite";

/// How the events queue treats its messages. The dead-letter queue shares the retention only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueSettings {
    /// How long a new message stays hidden: the coalescing window. At most 15 minutes in SQS.
    pub delay: Duration,
    /// A message that was received this often goes to the dead-letter queue instead of being
    /// given out once more.
    pub max_receive_count: u32,
    /// How long a message is kept at all, dead letters too.
    pub retention: Duration,
}

impl Default for QueueSettings {
    /// What the deployed stack's queues have.
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
    /// SQLite can't open, create or lock the file, or it is no database.
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
    /// A later version of the program has written it.
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
    /// The system gave no thread, or no second handle on the file.
    #[error("the queue needs threads and a handle on its file, and the system refuses: {0}")]
    System(#[from] std::io::Error),
}

/// A dead letter as an operator sees it: looked at, not received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The queue's name for it.
    pub message_id: String,
    /// `MessageGroupId`.
    pub group: String,
    /// The body as it was sent.
    pub body: String,
    /// String message attributes; the reason is among them.
    pub attributes: BTreeMap<String, String>,
    /// When it came to the dead-letter queue.
    pub sent_at: DateTime<Utc>,
    /// How often it was received, in both queues together.
    pub receive_count: u32,
}

/// The two queues of one file, to be shared by cloning. The [`Queue`]s it gave keep the file open; the last one to go,
/// or [`close`](SqliteQueues::close), ends the thread.
#[derive(Clone)]
pub struct SqliteQueues {
    writer: Arc<Writer>,
    events: Arc<Door>,
    dead_letters: Arc<Door>,
}

impl SqliteQueues {
    /// Opens the file, or makes it. Its folder must exist. Another process may hold it open too,
    /// as the command line does beside a server; a waiting receiver sees what that one sends
    /// within a second.
    pub fn open(
        path: &Path,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        settings: QueueSettings,
    ) -> Result<SqliteQueues, OpenError> {
        let connection = schema::open(path)?;
        let checkpoints = Checkpoints::start(path)?;
        Self::over(connection, Some(checkpoints), path, clock, entropy, settings)
    }

    /// Queues that live in memory and end with the process, for tests.
    pub fn in_memory(
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        settings: QueueSettings,
    ) -> Result<SqliteQueues, OpenError> {
        let path = Path::new(":memory:");
        let connection = schema::open(path)?;
        Self::over(connection, None, path, clock, entropy, settings)
    }

    fn over(
        connection: rusqlite::Connection,
        checkpoints: Option<Checkpoints>,
        path: &Path,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        settings: QueueSettings,
    ) -> Result<SqliteQueues, OpenError> {
        let store = Store::new(connection, clock.clone(), entropy, settings)
            .map_err(|source| OpenError::File { path: path.to_owned(), source })?;
        let wakes = Which::ALL.map(|_| Arc::new(Notify::new()));
        let [events, dead_letters] = wakes.clone();
        let writer = Arc::new(Writer::start(store, checkpoints, wakes)?);
        let door = |which, wake| {
            Arc::new(Door { which, wake, writer: writer.clone(), clock: clock.clone() })
        };
        Ok(SqliteQueues {
            events: door(Which::Events, events),
            dead_letters: door(Which::DeadLetters, dead_letters),
            writer: writer.clone(),
        })
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
    pub async fn list_dead_letters(&self, letters_max: u32) -> Result<Vec<DeadLetter>, QueueFault> {
        self.writer.ask(move |store| store.dead_letters(letters_max)).await
    }

    /// When the oldest event came that is still on the queue, in whoever's hands.
    ///
    /// # Errors
    /// [`QueueFault`].
    pub async fn oldest_event(&self) -> Result<Option<DateTime<Utc>>, QueueFault> {
        self.writer.ask(|store| store.oldest(Which::Events)).await
    }

    /// Takes back the events that somebody holds who is gone: they are given out again after `wait`
    /// at the latest. For the one process that works on the file, when it starts.
    ///
    /// # Errors
    /// [`QueueFault`].
    pub async fn reclaim(&self, wait: Duration) -> Result<(), QueueFault> {
        self.writer.ask(move |store| store.reclaim(Which::Events, wait)).await
    }

    /// Finishes what was asked, closes the file and joins the thread: it blocks for about one
    /// commit. What is asked later is answered `Unavailable`.
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
struct Door {
    which: Which,
    wake: Arc<Notify>,
    writer: Arc<Writer>,
    clock: Arc<dyn Clock>,
}

/// A waiting receiver looks again this often, because nobody wakes it for what another process
/// puts into the file.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

#[async_trait]
impl Queue for Door {
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
            // Made before looking: it is woken from now on, so nothing sent in between is missed.
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

impl Door {
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
