//! Deliveries in hand → what is to be done for whom.
//!
//! One unreadable message is that message's fate alone. The events of one person, in one group,
//! become one piece of work: this is where coalescing happens.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::dead_letter::{Reason, Verdict};
use shared::envelope::{Envelope, OpenFault};
use shared::facts::Facts;
use shared::identity::Person;
use shared::ports::Delivery;

use crate::settle::{Cause, Settled, Settlement};

/// How long a message of a newer version is left for a newer worker before it is looked at again.
const NEWER_WORKER_WAIT: Duration = Duration::from_secs(60);

/// A message in hand, with where it came from.
#[derive(Debug)]
pub struct Held {
    /// The message.
    pub delivery: Delivery,
    /// Who deletes it once it is settled.
    pub origin: Origin,
}

/// Who deletes a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The event source that invoked us, after we return, unless we name it as failed.
    Invocation,
    /// We took it ourselves and delete it ourselves.
    ToppedUp,
}

/// A message that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The message.
    pub held: Held,
    /// What is in it.
    pub envelope: Envelope,
}

/// All events of one person that were in one group.
#[derive(Debug)]
pub struct Coalesced {
    /// Whom they name.
    pub person: Person,
    /// The joined facts.
    pub facts: Facts,
    /// The messages, all of one group; they share one fate but for what the queue does to them.
    pub opened: Vec<Opened>,
}

/// Opens deliveries and puts together what belongs together. What can't be opened is settled.
pub fn coalesce(deliveries: Vec<Held>) -> (Vec<Coalesced>, Vec<Settled>) {
    let mut by_person: BTreeMap<(Person, String, bool), Coalesced> = BTreeMap::new();
    let mut settled = Vec::new();
    for held in deliveries {
        let envelope = match Envelope::open(&held.delivery.body) {
            Ok(envelope) => envelope,
            Err(fault) => {
                settled.push(Settled { held, settlement: unopened(&fault), envelope: None });
                continue;
            }
        };
        let facts = Facts::of(&envelope.happening);
        let key = (envelope.person.clone(), held.delivery.group.clone(), envelope.hopped);
        let person = envelope.person.clone();
        let opened = Opened { held, envelope };
        by_person
            .entry(key)
            .and_modify(|coalesced| {
                coalesced.facts = std::mem::take(&mut coalesced.facts).join(facts.clone());
            })
            .or_insert_with(|| Coalesced { person, facts, opened: Vec::new() })
            .opened
            .push(opened);
    }
    (by_person.into_values().collect(), settled)
}

fn unopened(fault: &OpenFault) -> Settlement {
    let reason = match fault {
        OpenFault::Newer(_) => return Settlement::Retry(NEWER_WORKER_WAIT, Cause::Parked),
        OpenFault::Unreadable(_) => Reason::Unreadable,
        OpenFault::Invalid(_) => Reason::InvalidEvent,
    };
    Settlement::DeadLettered(Verdict {
        reason,
        detail: fault.to_string(),
        correlation_id: String::new(),
    })
}
