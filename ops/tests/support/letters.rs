//! Dead letters, and a place that holds them: the file of a `serve`, or SQS.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use host::clock::SystemClock;
use host::entropy::SystemEntropy;
use shared::identity::Person;
use shared::ports::{Delivery, Outgoing, Queue, ReceiveRequest};
use sqlite::{FILE_NAME, QueueSettings, SqliteQueues};
use tokio::process::Command;

use crate::process::milepost;

/// Two queues, and what a command must be told to find them.
pub(crate) struct Place {
    pub(crate) events: Arc<dyn Queue>,
    pub(crate) dead_letters: Arc<dyn Queue>,
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: Vec<(String, String)>,
}

impl Place {
    /// The queues in a data folder, which may be in use.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        let clock = Arc::new(SystemClock::start());
        let entropy = Arc::new(SystemEntropy::seeded().unwrap());
        let path = folder.join(FILE_NAME);
        let settings = QueueSettings { delay: Duration::ZERO, ..QueueSettings::default() };
        let queues = SqliteQueues::open(&path, clock, entropy, settings).unwrap();
        Self {
            events: queues.events(),
            dead_letters: queues.dead_letters(),
            arguments: vec!["--data".to_owned(), folder.to_str().unwrap().to_owned()],
            variables: Vec::new(),
        }
    }

    /// A command about these queues, not yet run.
    pub(crate) fn milepost(&self, arguments: &str) -> Command {
        let mut command = milepost(&arguments.split_whitespace().collect::<Vec<_>>());
        command.args(&self.arguments).envs(self.variables.iter().cloned());
        command
    }

    /// Puts letters on the dead-letter queue.
    pub(crate) async fn put(&self, letters: Vec<Outgoing>) {
        for sent in self.dead_letters.send(letters).await {
            sent.unwrap();
        }
    }

    /// How many dead letters there are.
    pub(crate) async fn dead(&self) -> u64 {
        self.dead_letters.depth().await.unwrap().total()
    }

    /// Takes all events off the queue.
    pub(crate) async fn take_events(&self) -> Vec<Outgoing> {
        let mut taken = Vec::new();
        for attempt in 0.. {
            let request = ReceiveRequest {
                messages_max: 10,
                visibility: Duration::from_secs(60),
                // Those that a command sent wait for as long as a deployed queue lets them.
                wait: Duration::from_secs(7),
                attempt_id: format!("take-{attempt}-{}", taken.len()),
            };
            let received = self.events.receive(request).await.unwrap();
            if received.is_empty() {
                break;
            }
            for Delivery { receipt, body, group, deduplication_id, attributes, .. } in received {
                assert!(self.events.delete(vec![receipt]).await.is_empty());
                taken.push(Outgoing { body, group, deduplication_id, attributes });
            }
        }
        taken
    }
}

/// An event of somebody as the queue holds it.
pub(crate) fn body(number: u32, email: &str) -> String {
    format!(
        r#"{{"v":1,"kind":"event","id":"e-{number}","correlationId":"c-{number}","acceptedAt":"2026-01-18T09:00:00.000Z","contact":{{"email":"{email}"}},"event":{{"name":"learning_module_completed","at":"2026-01-18T08:{:02}:{:02}.000Z","pathway":"network-automation","course":"advanced-networking","module":"module-{number}"}}}}"#,
        number / 60 % 60,
        number % 60,
    )
}

/// A dead letter of somebody.
pub(crate) fn letter(number: u32, email: &str, reason: &str, failed_at: &str) -> Outgoing {
    let attributes = [
        ("reason", reason),
        ("failedAt", failed_at),
        ("attempts", "1"),
        ("detail", "hhl_progress_state: RULE"),
    ];
    Outgoing {
        body: body(number, email),
        group: Person::new(Some(email), None).unwrap().group(),
        deduplication_id: format!("sent-{number}"),
        attributes: attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    }
}

/// A letter that the queue's backstop made: it says nothing.
pub(crate) fn silent(letter: Outgoing) -> Outgoing {
    Outgoing { attributes: BTreeMap::new(), ..letter }
}
