//! What is to happen with each person's events: a decision from values to values.
//!
//! In: the coalesced events, and what HubSpot said of the people they name. Out: contacts to
//! create, contacts to update with what changes of them, people to forget, and messages that are
//! settled without a write. Repairs create nobody.
//!
//! **Invariant**: no two plans write the same record, and none writes a contact whose canonical
//! group is another one than the messages': that one is not ours to hold.

use std::collections::BTreeMap;
use std::time::Duration;

use hubspot::contact::{Contact, Properties};
use hubspot::fault::Refusal;
use shared::catalog::Catalog;
use shared::dead_letter::{Reason, Verdict};
use shared::envelope::{Content, Envelope, deduplication_id};
use shared::facts::{Claim, Facts};
use shared::identity::Person;
use shared::milestones::{StateFault, Values, milestones};
use shared::ports::Outgoing;
use shared::properties::{EMAIL, LIFECYCLE_STAGE, LIFECYCLE_STAGE_NEW};

use crate::batch::Coalesced;
use crate::forget::Forget;
use crate::held::Opened;
use crate::lookup::Lookup;
use crate::settlement::{Cause, Settled, Settlement};

/// How soon a person is looked up again of whom HubSpot said nothing, neither yes nor no.
const UNANSWERED_RETRY: Duration = Duration::from_secs(5);

/// One contact to be written.
#[derive(Debug)]
pub struct Write {
    /// Which contact.
    pub target: Target,
    /// What to write.
    pub properties: Properties,
    /// The messages whose effect it is.
    pub opened: Vec<Opened>,
    /// Claims that the facts do not bear out.
    pub unsupported_claims: Vec<Claim>,
    /// The length of the state, in characters.
    pub state_chars: usize,
    /// Whether the last view was left out because the portal does not know its type.
    pub view_left_out: bool,
}

/// One contact that holds everything already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchanged {
    /// Its message group.
    pub group: Option<String>,
    /// How many events changed nothing.
    pub events: usize,
    /// Claims that the facts do not bear out.
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

/// All that is to happen in a pass.
#[derive(Debug, Default)]
pub struct Plan {
    /// Contacts to create or to update, each with at least one property.
    pub writes: Vec<Write>,
    /// Contacts that hold everything already: confirmed by the read.
    pub unchanged: Vec<Unchanged>,
    /// People to forget. Nothing is written of them.
    pub forgets: Vec<Forget>,
    /// Messages whose fate is decided.
    pub settled: Vec<Settled>,
}

/// What is to happen with one contact, of all who name it.
#[derive(Default)]
struct Joined {
    contact: Option<Contact>,
    facts: Facts,
    is_forgotten: bool,
    opened: Vec<Opened>,
}

/// Decides. `lookups` stand in the order of `work`.
pub fn plan(work: Vec<Coalesced>, lookups: Vec<Lookup>, catalog: &Catalog) -> Plan {
    let mut plan = Plan::default();
    let mut by_target: BTreeMap<Target, Joined> = BTreeMap::new();
    for (Coalesced { person, facts, is_forgotten, opened }, lookup) in work.into_iter().zip(lookups)
    {
        let (target, contact) = match lookup {
            Lookup::Unanswered => {
                plan.settle(opened, |_| Settlement::Retry(UNANSWERED_RETRY, Cause::Moment));
                continue;
            }
            Lookup::Refused(refusal) => {
                plan.settle(opened, |_| Settlement::DeadLettered(refused(&refusal)));
                continue;
            }
            Lookup::Found(contact) => {
                let canonical = canonical(&contact);
                if let Some(canonical) = canonical.filter(|c| is_elsewhere(&opened, c)) {
                    plan.settle(opened, |opened| hand_on(opened, &canonical));
                    continue;
                }
                (Target::Existing(contact.id.clone()), Some(*contact))
            }
            Lookup::Missing => match person.email() {
                Some(email) => (Target::New(email.to_owned()), None),
                None => {
                    plan.settle(opened, |opened| of_nobody(opened, is_forgotten));
                    continue;
                }
            },
        };
        let joined =
            by_target.entry(target).or_insert_with(|| Joined { contact, ..Joined::default() });
        joined.facts = std::mem::take(&mut joined.facts).join(facts);
        joined.is_forgotten |= is_forgotten;
        joined.opened.extend(opened);
    }
    for (target, Joined { contact, facts, is_forgotten, opened }) in by_target {
        if is_forgotten {
            plan.forgets.push(Forget { target, opened });
        } else if contact.is_none() && facts.is_bare_recompute() {
            plan.settle(opened, |_| Settlement::Applied);
        } else {
            plan.add(target, contact.as_ref(), &facts, opened, catalog);
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
        opened: Vec<Opened>,
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
                self.settle(opened, |opened| dead(opened, reason, &fault.to_string()));
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
                group: opened.first().map(|first| first.held.delivery.group.clone()),
                events: opened.len(),
                unsupported_claims: found.unsupported_claims.len(),
            });
            self.settle(opened, |_| Settlement::Applied);
        } else {
            self.writes.push(Write {
                target,
                properties,
                opened,
                unsupported_claims: found.unsupported_claims,
                state_chars: found.state_chars,
                view_left_out: false,
            });
        }
    }

    fn settle(&mut self, opened: Vec<Opened>, fate: impl Fn(&Opened) -> Settlement) {
        self.settled.extend(opened.into_iter().map(|opened| Settled::of(opened, &fate)));
    }
}

/// Who a contact is to the queue: its primary e-mail, or its id where it has none. `None` stands
/// for a contact of which not even that can be said.
fn canonical(contact: &Contact) -> Option<Person> {
    Person::new(contact.email.as_deref(), Some(&contact.id))
}

/// Whether these messages are in another group than the contact's canonical one.
fn is_elsewhere(opened: &[Opened], canonical: &Person) -> bool {
    opened.first().is_some_and(|first| first.held.delivery.group != canonical.group())
}

/// To the canonical group, as often as that changes: people rename and merge contacts while their
/// messages wait. The deduplication id is this message's own: that of the event would be swallowed
/// where a contact gets its old name back within five minutes.
fn hand_on(opened: &Opened, canonical: &Person) -> Settlement {
    let envelope = Envelope { person: canonical.clone(), hopped: true, ..opened.envelope.clone() };
    let sealed = envelope.seal();
    let deduplication_id = deduplication_id(&sealed.group, &opened.held.delivery.message_id);
    Settlement::HandedOn(Outgoing { deduplication_id, ..sealed })
}

/// What HubSpot's refusal of one record means for its messages.
pub fn refused(refusal: &Refusal) -> Verdict {
    let is_email =
        |(property, code): &(String, String)| property == EMAIL || code == "INVALID_EMAIL";
    let reason = match refusal.properties.iter().any(is_email) {
        true => Reason::InvalidEmail,
        false => Reason::Rejected,
    };
    let detail = format!("HubSpot refuses the contact: {refusal}");
    Verdict { reason, detail, correlation_id: refusal.correlation_id.clone() }
}

/// A message about somebody who can't be found and whom nothing can create: an event can never
/// succeed, unless its person is forgotten, and a repair has nothing left to do.
fn of_nobody(opened: &Opened, is_forgotten: bool) -> Settlement {
    match opened.envelope.content {
        Content::Event(_) if is_forgotten => Settlement::Forgotten,
        Content::Event(_) => {
            dead(opened, Reason::ContactNotFound, "there is no contact of this id")
        }
        Content::Recompute | Content::Forget => Settlement::Applied,
    }
}

/// A message that can never succeed, for this reason.
pub(crate) fn dead(opened: &Opened, reason: Reason, detail: &str) -> Settlement {
    Settlement::DeadLettered(Verdict {
        reason,
        detail: detail.to_owned(),
        correlation_id: opened.envelope.correlation_id.clone(),
    })
}
