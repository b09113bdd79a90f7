//! Repairs as messages: a wish about a contact, sealed into the contact's group and put on the
//! events queue. What `audit --repair`, `backfill` and `contact forget` share.
//!
//! A command that wrote to HubSpot itself would write beside a worker that holds the contact; the
//! queue is the lock, so a repair goes through it. A worker reads the contact when its turn comes
//! and derives from the state that it finds then; what a command has read tells it whom to name.
//!
//! **Invariant**: a repair carries whom it is about and nothing of what a command has read.

use std::path::PathBuf;

use host::{catalog_folder, environment};
use hubspot::contact::Contact;
use shared::catalog::Catalog;
use shared::envelope::{Content, Envelope};
use shared::facts::Facts;
use shared::identity::Person;
use shared::milestones::{Milestones, StateFault, milestones};
use shared::ports::Outgoing;
use shared::settings::catalog_path;

use crate::dlq::replay;
use crate::ending::Stopped;
use crate::pace::Pace;
use crate::queues::{Queues, stopped};

/// How many messages go together.
const BATCH: usize = 10;

/// Repairs on their way.
pub(crate) struct Repairs<'a> {
    queues: &'a Queues,
    pace: Pace,
    /// This run's own, so that the queue takes what an earlier run has sent as well.
    run: String,
    waiting: Vec<Outgoing>,
    /// How many are on the queue.
    pub(crate) sent: u64,
}

impl<'a> Repairs<'a> {
    /// None yet; at most so many a second.
    pub(crate) fn new(queues: &'a Queues, rate: u32) -> Self {
        Self {
            queues,
            pace: Pace::new(Some(rate), queues.clock.uptime()),
            run: format!("{:016x}", queues.entropy.next_u64()),
            waiting: Vec::new(),
            sent: 0,
        }
    }

    /// Sends one in its person's group, or keeps it until there are enough to go together.
    ///
    /// # Errors
    /// [`Stopped::OtherSide`]: the queue does not take it.
    pub(crate) async fn send(&mut self, person: Person, content: Content) -> Result<(), Stopped> {
        let number = self.sent + self.waiting.len() as u64;
        let envelope = Envelope {
            id: format!("repair-{}-{number}", self.run),
            correlation_id: format!("repair-{}", self.run),
            accepted_at: self.queues.clock.now(),
            person,
            content,
            hopped: false,
        };
        self.waiting.push(envelope.seal());
        if self.waiting.len() >= BATCH { self.flush().await } else { Ok(()) }
    }

    /// Sends what was kept.
    ///
    /// # Errors
    /// [`Stopped::OtherSide`]: the queue does not take it.
    pub(crate) async fn flush(&mut self) -> Result<(), Stopped> {
        let batch = std::mem::take(&mut self.waiting);
        if batch.is_empty() {
            return Ok(());
        }
        let clock = &*self.queues.clock;
        let start_at = self.pace.start_of(batch.len(), clock.uptime());
        clock.sleep(start_at.saturating_sub(clock.uptime())).await;
        for result in replay::send(self.queues, batch).await {
            result.map_err(|fault| stopped(&fault))?;
            self.sent += 1;
        }
        Ok(())
    }
}

/// Whom a contact is to the queue: its canonical name.
pub(crate) fn person(contact: &Contact) -> Option<Person> {
    Person::new(contact.email.as_deref(), Some(&contact.id))
}

/// What a recompute would change of a contact as it was read, by the catalog that is here.
///
/// # Errors
/// [`StateFault`]: it would change nothing, because the state can't be read or would not fit.
pub(crate) fn foreseen(contact: &Contact, catalog: &Catalog) -> Result<Milestones, StateFault> {
    milestones(Some(&contact.properties), &Facts::recompute(), catalog)
}

/// The catalog in this folder, or where CATALOG_PATH says.
///
/// # Errors
/// [`Stopped::Usage`]: there is none, or it has errors.
pub(crate) fn catalog(folder: Option<PathBuf>) -> Result<Catalog, Stopped> {
    let folder = folder.unwrap_or_else(|| catalog_path(&environment::lookup, "catalog").into());
    let (catalog, _warnings) =
        catalog_folder::load(&folder).map_err(|fault| Stopped::Usage(fault.to_string()))?;
    Ok(catalog)
}
