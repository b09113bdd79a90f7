//! An e-mail or an id, as typed → the contact in HubSpot, and every name that messages may have for
//! that person: primary and secondary e-mails, the record id, ids that were merged away.

use std::collections::BTreeSet;

use hubspot::contact::Contact;
use shared::identity::Person;
use shared::properties::names_to_read;

use crate::crm::Crm;
use crate::dlq::dead_letter::DeadLetter;
use crate::ending::Stopped;

/// HubSpot's own: the ids that were merged into a contact, joined by `;`.
const MERGED_IDS: &str = "hs_merged_object_ids";

/// Somebody, as far as anybody knows.
#[derive(Debug)]
pub(super) struct Known {
    /// The contact, if HubSpot has one.
    pub(super) contact: Option<Contact>,
    /// What the person is called.
    pub(super) names: Names,
}

/// What one person is called, the typed name among it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    /// The name under which the person's messages belong together.
    pub(super) canonical: Person,
    emails: BTreeSet<String>,
    ids: BTreeSet<String>,
}

/// Looks somebody up.
///
/// # Errors
/// [`Stopped::Usage`], for a name that is none; [`Stopped::OtherSide`].
pub(super) async fn look_up(crm: &Crm, typed: &str) -> Result<Known, Stopped> {
    let person = Person::typed(typed).map_err(|fault| {
        Stopped::Usage(format!("the name: {fault}; hint: name an e-mail or a contact id"))
    })?;
    let contact = read(crm, &person).await?;
    Ok(Known { names: Names::of(person, contact.as_ref()), contact })
}

/// The contact of this name, secondary e-mails and merged ids included.
async fn read(crm: &Crm, person: &Person) -> Result<Option<Contact>, Stopped> {
    let mut names = names_to_read();
    names.push(MERGED_IDS);
    let found = match (person.email(), person.record_id()) {
        (Some(email), _) => {
            let emails = [email.to_owned()];
            crm.patiently(async || crm.client.read_by_email(&emails, &names).await).await?
        }
        (None, Some(id)) => {
            let ids = [id.to_string()];
            crm.patiently(async || crm.client.read_by_id(&ids, &names).await).await?
        }
        (None, None) => return Ok(None),
    };
    Ok(found.contacts.into_iter().next())
}

impl Names {
    fn of(typed: Person, contact: Option<&Contact>) -> Self {
        let mut emails: BTreeSet<String> = typed.email().map(str::to_owned).into_iter().collect();
        let mut ids: BTreeSet<String> = typed.contact_id().map(str::to_owned).into_iter().collect();
        let mut canonical = typed;
        if let Some(contact) = contact {
            let merged = contact.properties.get(MERGED_IDS).map(String::as_str).unwrap_or_default();
            ids.extend(merged.split(';').filter(|id| !id.is_empty()).map(str::to_owned));
            ids.insert(contact.id.clone());
            emails.extend(contact.email.iter().chain(&contact.additional_emails).cloned());
            canonical =
                Person::new(contact.email.as_deref(), Some(&contact.id)).unwrap_or(canonical);
        }
        Self { canonical, emails, ids }
    }

    /// Everybody that messages may be about, the canonical one first: one for each group.
    pub(super) fn people(&self) -> Vec<Person> {
        let by_email = self.emails.iter().filter_map(|email| Person::new(Some(email), None));
        let by_id = self.ids.iter().filter_map(|id| Person::new(None, Some(id)));
        let mut people = vec![self.canonical.clone()];
        people.extend(by_email.chain(by_id).filter(|one| one.group() != self.canonical.group()));
        people
    }

    /// Whether a dead letter is about this person.
    pub(super) fn are_in(&self, letter: &DeadLetter) -> bool {
        let named = letter.envelope.as_ref().map(|envelope| &envelope.person);
        let has_email = |person: &Person| person.email().is_some_and(|e| self.emails.contains(e));
        let has_id = |person: &Person| person.contact_id().is_some_and(|id| self.ids.contains(id));
        named.is_some_and(|person| has_email(person) || has_id(person))
            || self.people().iter().any(|person| person.group() == letter.group)
    }

    /// Whether HubSpot has nobody of any of these names.
    ///
    /// # Errors
    /// [`Stopped::OtherSide`].
    pub(super) async fn are_unknown(&self, crm: &Crm) -> Result<bool, Stopped> {
        for person in self.people() {
            if read(crm, &person).await?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
