//! Deliveries in hand → what is to be done for whom.
//!
//! One unreadable message is that message's fate alone. The events of one person, in one group,
//! become one piece of work, and repairs join them: this is where coalescing happens.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::dead_letter::{Reason, Verdict};
use shared::envelope::{Content, Envelope, OpenFault};
use shared::facts::Facts;
use shared::identity::Person;

use crate::held::{Held, Opened};
use crate::settlement::{Cause, Settled, Settlement};

/// How long a message of a newer version is left for a newer worker before it is looked at again.
const NEWER_WORKER_WAIT: Duration = Duration::from_secs(60);

/// All messages about one person that were in one group.
#[derive(Debug)]
pub struct Coalesced {
    /// Whom they name.
    pub person: Person,
    /// The joined facts.
    pub facts: Facts,
    /// Whether the person is to be forgotten.
    pub is_forgotten: bool,
    /// The messages, all of one group; they share one fate but for what the queue does to them.
    pub opened: Vec<Opened>,
}

/// Opens deliveries. What can't be opened is settled.
pub fn open(deliveries: Vec<Held>) -> (Vec<Opened>, Vec<Settled>) {
    let mut opened = Vec::with_capacity(deliveries.len());
    let mut settled = Vec::new();
    for held in deliveries {
        match Envelope::open(&held.delivery.body) {
            Ok(envelope) => opened.push(Opened { held, envelope }),
            Err(fault) => {
                settled.push(Settled { held, settlement: unopened(&fault), envelope: None });
            }
        }
    }
    (opened, settled)
}

/// Puts together what belongs together.
pub fn coalesce(opened: Vec<Opened>) -> Vec<Coalesced> {
    let mut by_person: BTreeMap<(Person, String), Coalesced> = BTreeMap::new();
    for opened in opened {
        let Envelope { person, content, .. } = &opened.envelope;
        let key = (person.clone(), opened.held.delivery.group.clone());
        let facts = match content {
            Content::Event(happening) => Facts::of(happening),
            Content::Recompute => Facts::recompute(),
            Content::Forget => Facts::default(),
        };
        let coalesced = by_person.entry(key).or_insert_with(|| Coalesced {
            person: person.clone(),
            facts: Facts::default(),
            is_forgotten: false,
            opened: Vec::new(),
        });
        coalesced.is_forgotten |= *content == Content::Forget;
        coalesced.facts = std::mem::take(&mut coalesced.facts).join(facts);
        coalesced.opened.push(opened);
    }
    by_person.into_values().collect()
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
