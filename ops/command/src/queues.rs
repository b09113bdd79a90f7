//! Where a command finds its queues: SQS as the environment names it, or the file of a `serve` or
//! `local`.
//!
//! A command opens the file whether a process serves it or not. That is safe: every change is one
//! transaction of SQLite, receipts and visibility are in the file, and a server checks once a second
//! for what another process put there.
//!
//! **Invariant**: a command makes no queue; a missing one is an error of usage.

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use dead_letters::Queues;
use host::clock::SystemClock;
use host::entropy::SystemEntropy;
use host::environment;
use shared::ports::{Clock, Entropy, Queue, QueueFault};
use shared::settings::QueueUrls;
use sqlite::{FILE_NAME, QueueSettings, SqliteQueues};
use sqs::client::ClientSettings;
use sqs::queue::SqsQueue;

use crate::ending::Stopped;

/// Which queues.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// The data folder of a `serve` or `local`, running or not [default: SQS, by QUEUE_URL and
    /// DLQ_URL]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Place {
    /// Whether queues were named at all, by a folder or by the environment.
    pub fn is_named(&self) -> bool {
        self.data.is_some() || environment::lookup("QUEUE_URL").is_some()
    }

    /// Whether a folder was named.
    pub fn is_typed(&self) -> bool {
        self.data.is_some()
    }

    /// The folder that was named.
    pub fn folder(&self) -> Option<&Path> {
        self.data.as_deref()
    }

    /// Opens the queues.
    ///
    /// # Errors
    /// [`Stopped::Usage`], for a folder without a queue, and for a variable that is missing or
    /// wrong.
    pub fn open(self) -> Result<Queues, Stopped> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let entropy: Arc<dyn Entropy> = Arc::new(
            SystemEntropy::seeded().map_err(|no_entropy| Stopped::Usage(no_entropy.to_string()))?,
        );
        let (events, dead_letters) = match self.data {
            Some(folder) => in_file(folder.join(FILE_NAME), &clock, &entropy)?,
            None => in_sqs()?,
        };
        Ok(Queues { events, dead_letters, clock, entropy })
    }
}

/// Events and dead letters.
type Pair = (Arc<dyn Queue>, Arc<dyn Queue>);

fn in_file(
    path: PathBuf,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Pair, Stopped> {
    if !path.is_file() {
        return Err(Stopped::Usage(format!(
            "there is no queue at {}; hint: name with --data the folder that `serve` or `local` \
             was given",
            path.display()
        )));
    }
    let queues =
        SqliteQueues::open(&path, clock.clone(), entropy.clone(), QueueSettings::default())
            .map_err(|error| Stopped::Usage(error.to_string()))?;
    Ok((queues.events(), queues.dead_letters()))
}

fn in_sqs() -> Result<Pair, Stopped> {
    let urls = QueueUrls::from_lookup(&environment::lookup).map_err(|wrong| {
        Stopped::Usage(format!("{wrong}; or name a data folder of `serve` or `local` with --data"))
    })?;
    let settings = ClientSettings::from_lookup(&environment::lookup)
        .map_err(|missing| Stopped::Usage(missing.to_string()))?;
    let client = sqs::client(&settings);
    let queue = |url: &str| -> Arc<dyn Queue> {
        Arc::new(SqsQueue::with_client(client.clone(), settings.timeouts, url))
    };
    Ok((queue(&urls.events), queue(&urls.dead_letters)))
}

/// A queue's fault, as what stops a command.
pub fn stopped(fault: &QueueFault) -> Stopped {
    let hint = match fault {
        QueueFault::Refused(_) => "check the queue's URL, the region, and what you may do with it",
        QueueFault::Unavailable(_) | QueueFault::Stale => "run the command again",
    };
    Stopped::OtherSide(format!("{fault}; hint: {hint}"))
}

impl From<QueueFault> for Stopped {
    fn from(fault: QueueFault) -> Self {
        stopped(&fault)
    }
}
