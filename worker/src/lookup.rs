//! Who the people of a batch are in HubSpot: at most two batch reads, ids first.
//!
//! When HubSpot does not know an id, the person's e-mail is asked for. An id that can't be one of
//! HubSpot's is never asked for. A contact may be asked for by a secondary e-mail, or by an id that
//! was merged away. It comes back under its present name, and is found here under the old one.
//!
//! **Invariant**: a person is [`Lookup::Missing`] only when HubSpot says so.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hubspot::Client;
use hubspot::client::READ_WORST_CASE;
use hubspot::contact::{Contact, Found};
use hubspot::fault::{CallFault, Refusal};
use shared::identity::Person;
use shared::properties::names_to_read;

/// HubSpot's own: the ids that were merged into a contact, joined by `;`.
const MERGED_IDS: &str = "hs_merged_object_ids";

/// What HubSpot says about one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The contact.
    Found(Box<Contact>),
    /// HubSpot has no such contact.
    Missing,
    /// HubSpot's answer does not mention this person.
    Unanswered,
    /// HubSpot refuses to look this person up.
    Refused(Refusal),
}

/// Looks everybody up. The answers come in the order of `people`.
///
/// When HubSpot refuses the whole request, the people are halved until the culprit is alone. When no
/// time is left for another round, the rest are unanswered.
///
/// # Errors
/// The fault of a call; then nothing is known about anybody.
pub(crate) async fn look_up(
    client: &Client,
    people: &[Person],
    time_left: impl Fn() -> Duration,
) -> Result<Vec<Lookup>, CallFault> {
    let mut answers = Vec::with_capacity(people.len());
    let mut parts = vec![people];
    let mut parts_read = 0;
    // Every refused part is cut in two until it is one person: at most 2 × people rounds.
    while let Some(part) = parts.pop() {
        if parts_read > 0 && time_left() < READ_WORST_CASE * 2 {
            answers.extend(part.iter().map(|_| Lookup::Unanswered));
            continue;
        }
        parts_read += 1;
        match (look_up_part(client, part).await, part) {
            (Ok(found), _) => answers.extend(found),
            (Err(CallFault::Request(refusal)), [_one]) => answers.push(Lookup::Refused(*refusal)),
            (Err(CallFault::Request(_)), _) => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
            (Err(fault), _) => return Err(fault),
        }
    }
    Ok(answers)
}

async fn look_up_part(client: &Client, people: &[Person]) -> Result<Vec<Lookup>, CallFault> {
    let mut names = names_to_read();
    names.push(MERGED_IDS);

    let ids: BTreeSet<String> =
        people.iter().filter_map(Person::record_id).map(ToString::to_string).collect();
    let by_id = Answers::of(client.read_by_id(&Vec::from_iter(ids), &names).await?);
    let asked_by_id = |person: &Person| match person.record_id() {
        Some(id) => by_id.about(id.as_str()),
        None => Lookup::Missing,
    };

    let emails: BTreeSet<String> = people
        .iter()
        .filter(|person| !matches!(asked_by_id(person), Lookup::Found(_)))
        .filter_map(Person::email)
        .map(str::to_owned)
        .collect();
    let by_email = Answers::of(client.read_by_email(&Vec::from_iter(emails), &names).await?);

    let each = |person: &Person| match (asked_by_id(person), person.email()) {
        (Lookup::Missing | Lookup::Unanswered, Some(email)) => by_email.about(email),
        (answer, _) => answer,
    };
    Ok(people.iter().map(each).collect())
}

/// What one batch read said, by every name that a contact answers to.
struct Answers {
    contacts: Vec<Contact>,
    names: BTreeMap<String, usize>,
    missing: BTreeSet<String>,
}

impl Answers {
    fn of(found: Found) -> Self {
        let mut names = BTreeMap::new();
        for (index, contact) in found.contacts.iter().enumerate() {
            let merged = contact.properties.get(MERGED_IDS).map(String::as_str).unwrap_or_default();
            let old_ids = merged.split(';').filter(|id| !id.is_empty()).map(str::to_owned);
            let emails = contact.email.iter().chain(&contact.additional_emails).cloned();
            for name in old_ids.chain(emails).chain([contact.id.clone()]) {
                names.insert(name, index);
            }
        }
        let missing = found.missing.into_iter().map(|name| name.to_lowercase()).collect();
        Self { contacts: found.contacts, names, missing }
    }

    fn about(&self, name: &str) -> Lookup {
        match self.names.get(name).and_then(|index| self.contacts.get(*index)) {
            Some(contact) => Lookup::Found(Box::new(contact.clone())),
            None if self.missing.contains(name) => Lookup::Missing,
            None => Lookup::Unanswered,
        }
    }
}
