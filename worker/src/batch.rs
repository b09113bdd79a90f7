//! Received messages → one piece of work for each person.
//!
//! A message that can't be read fails alone. The events of one person in one group become one piece
//! of work, and repairs join them: coalescing happens here.
//!
//! **Invariant**: every message is either settled here or in exactly one piece of work.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::dead_letter::{FailureReason, Reason};
use shared::envelope::{Content, Envelope, OpenFault};
use shared::facts::Facts;
use shared::identity::Person;

use crate::message::{Message, Received};
use crate::settlement::{Cause, Settled, Settlement};

/// How long a message of a newer version is left to a newer worker.
const NEWER_WORKER_WAIT: Duration = Duration::from_secs(60);

/// All messages about one person in one group.
#[derive(Debug)]
pub struct Coalesced {
    /// The person that they name.
    pub person: Person,
    /// The joined facts.
    pub facts: Facts,
    /// Whether the person is to be forgotten.
    pub is_forgotten: bool,
    /// The messages. They share one fate, though each is settled on its own.
    pub messages: Vec<Message>,
}

/// Reads the bodies. A message whose body can't be read is settled.
pub fn open(received: Vec<Received>) -> (Vec<Message>, Vec<Settled>) {
    let mut messages = Vec::with_capacity(received.len());
    let mut settled = Vec::new();
    for received in received {
        match Envelope::open(&received.delivery.body) {
            Ok(envelope) => messages.push(Message { received, envelope }),
            Err(fault) => {
                settled.push(Settled { received, settlement: unopened(&fault), envelope: None });
            }
        }
    }
    (messages, settled)
}

/// Puts together the messages of each person.
pub fn coalesce(messages: Vec<Message>) -> Vec<Coalesced> {
    let mut by_person: BTreeMap<(Person, String), Coalesced> = BTreeMap::new();
    for message in messages {
        let Envelope { person, content, .. } = &message.envelope;
        let key = (person.clone(), message.group().to_owned());
        let facts = match content {
            Content::Event(happening) => Facts::of(happening),
            Content::Recompute => Facts::recompute(),
            Content::Forget => Facts::default(),
        };
        let coalesced = by_person.entry(key).or_insert_with(|| Coalesced {
            person: person.clone(),
            facts: Facts::default(),
            is_forgotten: false,
            messages: Vec::new(),
        });
        coalesced.is_forgotten |= *content == Content::Forget;
        coalesced.facts = std::mem::take(&mut coalesced.facts).join(facts);
        coalesced.messages.push(message);
    }
    by_person.into_values().collect()
}

fn unopened(fault: &OpenFault) -> Settlement {
    let reason = match fault {
        OpenFault::Newer(_) => return Settlement::Retry(NEWER_WORKER_WAIT, Cause::Parked),
        OpenFault::Unreadable(_) => Reason::Unreadable,
        OpenFault::Invalid(_) => Reason::InvalidEvent,
    };
    Settlement::DeadLettered(FailureReason {
        reason,
        detail: fault.to_string(),
        correlation_id: String::new(),
    })
}
