//! What to do with each person's events: a decision from values to values.
//!
//! In: the coalesced events, and what HubSpot said about the people they name. Out: contacts to
//! create, contacts to update with what changes, people to forget, and messages that are settled
//! without a write. Repairs create nobody.
//!
//! **Invariant**: no two writes are for the same record, and none is for a contact whose canonical
//! group differs from the messages' group: the worker does not hold that group.

use std::collections::BTreeMap;
use std::time::Duration;

use hubspot::contact::{Contact, Properties};
use shared::catalog::Catalog;
use shared::dead_letter::Reason;
use shared::envelope::{Content, Envelope, deduplication_id};
use shared::facts::{Claim, Facts};
use shared::identity::Person;
use shared::milestones::{StateFault, Values, milestones};
use shared::ports::Outgoing;
use shared::properties::{EMAIL, LIFECYCLE_STAGE, LIFECYCLE_STAGE_NEW};

use crate::batch::Coalesced;
use crate::failure::{classify, dead};
use crate::lookup::Lookup;
use crate::message::Message;
use crate::settlement::{Cause, Settled, Settlement};

/// How soon a person is looked up again when HubSpot said neither yes nor no.
const UNANSWERED_RETRY: Duration = Duration::from_secs(5);

/// One contact to be written.
#[derive(Debug)]
pub struct Write {
    /// Which contact.
    pub target: Target,
    /// What to write.
    pub properties: Properties,
    /// The messages whose effect it is.
    pub messages: Vec<Message>,
    /// Claims that the facts do not support.
    pub unsupported_claims: Vec<Claim>,
    /// The length of the state, in characters.
    pub state_chars: usize,
    /// Whether the last view was left out because the portal does not know its type.
    pub view_left_out: bool,
}

/// A contact that holds everything already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchanged {
    /// Its message group.
    pub group: Option<String>,
    /// How many events changed nothing.
    pub events: usize,
    /// Claims that the facts do not support.
    pub unsupported_claims: usize,
}

/// Which contact a write is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The record of this id.
    Existing(String),
    /// A new one, by this e-mail.
    New(String),
}

/// Somebody who is to be forgotten.
#[derive(Debug)]
pub struct Forget {
    /// The record; or the e-mail of a person who has none, which HubSpot then blocks.
    pub target: Target,
    /// The messages about this person.
    pub messages: Vec<Message>,
}

/// Everything that a pass does.
#[derive(Debug, Default)]
pub struct Plan {
    /// Contacts to create or to update, each with at least one property.
    pub writes: Vec<Write>,
    /// Contacts that hold everything already: confirmed by the read.
    pub unchanged: Vec<Unchanged>,
    /// People to forget. Nothing is written about them.
    pub forgets: Vec<Forget>,
    /// Messages that are settled without a write.
    pub settled: Vec<Settled>,
}

/// What all messages that name one contact ask for.
#[derive(Default)]
struct Joined {
    contact: Option<Contact>,
    facts: Facts,
    is_forgotten: bool,
    messages: Vec<Message>,
}

/// Decides. `lookups` come in the order of `work`.
pub fn plan(work: Vec<Coalesced>, lookups: Vec<Lookup>, catalog: &Catalog) -> Plan {
    let mut plan = Plan::default();
    let mut by_target: BTreeMap<Target, Joined> = BTreeMap::new();
    for (coalesced, lookup) in work.into_iter().zip(lookups) {
        let Coalesced { person, facts, is_forgotten, messages } = coalesced;
        let (target, contact) = match lookup {
            Lookup::Unanswered => {
                plan.settle(messages, |_| Settlement::Retry(UNANSWERED_RETRY, Cause::Transient));
                continue;
            }
            Lookup::Refused(refusal) => {
                plan.settle(messages, |_| Settlement::DeadLettered(classify(&refusal)));
                continue;
            }
            Lookup::Found(contact) => {
                let canonical = canonical(&contact);
                if let Some(canonical) = canonical.filter(|c| is_elsewhere(&messages, c)) {
                    plan.settle(messages, |message| hand_on(message, &canonical));
                    continue;
                }
                (Target::Existing(contact.id.clone()), Some(*contact))
            }
            Lookup::Missing => match person.email() {
                Some(email) => (Target::New(email.to_owned()), None),
                None => {
                    plan.settle(messages, |message| of_nobody(message, is_forgotten));
                    continue;
                }
            },
        };
        let joined =
            by_target.entry(target).or_insert_with(|| Joined { contact, ..Joined::default() });
        joined.facts = std::mem::take(&mut joined.facts).join(facts);
        joined.is_forgotten |= is_forgotten;
        joined.messages.extend(messages);
    }
    for (target, Joined { contact, facts, is_forgotten, messages }) in by_target {
        if is_forgotten {
            plan.forgets.push(Forget { target, messages });
        } else if contact.is_none() && facts.is_bare_recompute() {
            plan.settle(messages, |_| Settlement::Applied);
        } else {
            plan.add(target, contact.as_ref(), &facts, messages, catalog);
        }
    }
    plan
}

impl Plan {
    fn add(
        &mut self,
        target: Target,
        contact: Option<&Contact>,
        facts: &Facts,
        messages: Vec<Message>,
        catalog: &Catalog,
    ) {
        let held: Option<&Values> = contact.map(|contact| &contact.properties);
        let found = match milestones(held, facts, catalog) {
            Ok(found) => found,
            Err(fault) => {
                let reason = match fault {
                    StateFault::Corrupt(_) => Reason::CorruptState,
                    StateFault::TooLarge { .. } => Reason::StateTooLarge,
                };
                self.settle(messages, |message| dead(message, reason, &fault.to_string()));
                return;
            }
        };
        let mut properties = found.changed;
        if let Target::New(email) = &target {
            properties.insert(EMAIL.into(), email.clone());
            properties.insert(LIFECYCLE_STAGE.into(), LIFECYCLE_STAGE_NEW.into());
        }
        if properties.is_empty() {
            self.unchanged.push(Unchanged {
                group: messages.first().map(|first| first.group().to_owned()),
                events: messages.len(),
                unsupported_claims: found.unsupported_claims.len(),
            });
            self.settle(messages, |_| Settlement::Applied);
        } else {
            self.writes.push(Write {
                target,
                properties,
                messages,
                unsupported_claims: found.unsupported_claims,
                state_chars: found.state_chars,
                view_left_out: false,
            });
        }
    }

    fn settle(&mut self, messages: Vec<Message>, fate: impl Fn(&Message) -> Settlement) {
        self.settled.extend(Settled::all(messages, fate));
    }
}

/// Who a contact is to the queue: its primary e-mail, or its id if it has none. `None` if it has
/// neither.
fn canonical(contact: &Contact) -> Option<Person> {
    Person::new(contact.email.as_deref(), Some(&contact.id))
}

/// Whether these messages are in a group other than the contact's canonical one.
fn is_elsewhere(messages: &[Message], canonical: &Person) -> bool {
    messages.first().is_some_and(|first| first.group() != canonical.group())
}

/// Sends a message on to the canonical group, as often as that changes: people rename and merge
/// contacts while messages wait. The deduplication id is made from this message. With the event's own
/// id, the queue would swallow it when a contact gets its old name back within five minutes.
fn hand_on(message: &Message, canonical: &Person) -> Settlement {
    let envelope = Envelope { person: canonical.clone(), hopped: true, ..message.envelope.clone() };
    let sealed = envelope.seal();
    let deduplication_id = deduplication_id(&sealed.group, &message.received.delivery.message_id);
    Settlement::HandedOn(Outgoing { deduplication_id, ..sealed })
}

/// Settles a message about somebody who can't be found or created. An event can never succeed, unless
/// its person is forgotten; a repair has nothing left to do.
fn of_nobody(message: &Message, is_forgotten: bool) -> Settlement {
    match message.envelope.content {
        Content::Event(_) if is_forgotten => Settlement::Forgotten,
        Content::Event(_) => {
            dead(message, Reason::ContactNotFound, "there is no contact of this id")
        }
        Content::Recompute | Content::Forget => Settlement::Applied,
    }
}

#[cfg(test)]
mod tests;
