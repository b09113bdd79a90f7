//! The contacts, and who answers to which id and address.
//!
//! Primary and secondary e-mails are one namespace; an archived contact holds no address; a
//! merged-away id leads to the survivor. Reads and writes go through indexes: no call walks all
//! contacts but list and search.
//!
//! **Invariant**: an address, and a value of a unique property, belongs to at most one live contact.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::values;

/// One contact. Its JSON is its row on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The record id.
    pub id: u64,
    /// What was set; an unset property is absent. `email` is the primary address.
    pub properties: BTreeMap<String, String>,
    /// The secondary addresses, oldest first.
    pub additional_emails: Vec<String>,
    /// The ids this record took in, with when.
    pub merged: Vec<(u64, DateTime<Utc>)>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was written last.
    pub updated_at: DateTime<Utc>,
    /// When it was archived, if it is.
    pub archived_at: Option<DateTime<Utc>>,
}

impl Contact {
    /// The primary address.
    pub fn email(&self) -> Option<&str> {
        self.properties.get("email").map(String::as_str)
    }

    /// A property's value, HubSpot's computed ones included.
    pub fn value(&self, name: &str) -> Option<String> {
        let joined = |parts: Vec<String>| (!parts.is_empty()).then(|| parts.join(";"));
        match name {
            "createdate" => Some(values::iso(self.created_at)),
            "lastmodifieddate" => Some(values::iso(self.updated_at)),
            "hs_object_id" => Some(self.id.to_string()),
            "hs_additional_emails" => joined(self.additional_emails.clone()),
            "hs_merged_object_ids" => {
                joined(self.merged.iter().map(|(id, _)| id.to_string()).collect())
            }
            "hs_calculated_merged_vids" => joined(
                self.merged
                    .iter()
                    .map(|(id, at)| format!("{id}:{}", at.timestamp_millis()))
                    .collect(),
            ),
            "hs_all_contact_vids" => {
                let ids = std::iter::once(self.id).chain(self.merged.iter().map(|(id, _)| *id));
                joined(ids.map(|id| id.to_string()).collect())
            }
            "hs_email_domain" => {
                self.email().and_then(|e| e.split_once('@')).map(|(_, domain)| domain.to_owned())
            }
            "hs_is_unworked" => Some("true".into()),
            "hs_pipeline" => Some("contacts-lifecycle-pipeline".into()),
            "hs_object_source" | "hs_object_source_label" => Some("INTEGRATION".into()),
            stored => self.properties.get(stored).cloned(),
        }
    }
}

/// What a write sets: a value, or `None` to clear.
pub type Changes = BTreeMap<String, Option<String>>;

/// All contacts of the portal.
#[derive(Debug, Default)]
pub struct Store {
    contacts: BTreeMap<u64, Contact>,
    /// Property name to value to holder, for `email` (secondary ones too) and unique properties.
    holders: BTreeMap<String, HashMap<String, u64>>,
    /// Merged-away id to the id it was merged into.
    pub(crate) merged_into: BTreeMap<u64, u64>,
    /// Addresses that were deleted permanently.
    pub(crate) forgotten: BTreeSet<String>,
    pub(crate) next_id: u64,
    /// The names of the properties whose values are unique.
    pub(crate) unique: BTreeSet<String>,
    /// How far the search index is behind: so long an overwritten contact is kept.
    pub(crate) index_lag: TimeDelta,
    /// Contacts as they were before a recent write: what the index still shows.
    before: VecDeque<(DateTime<Utc>, u64, Option<Contact>)>,
    /// What must go to disk.
    pub(crate) touched: BTreeSet<u64>,
}

/// The first record id of a fresh portal.
const FIRST_ID: u64 = 101;
/// Each record has an id that is this much higher than the last one, as in a busy portal.
const ID_STEP: u64 = 50;

impl Store {
    pub(crate) fn new(index_lag: TimeDelta) -> Self {
        let unique = BTreeSet::from(["email".to_owned()]);
        Self { next_id: FIRST_ID, unique, index_lag, ..Self::default() }
    }

    /// Whether a value of this property belongs to one contact only, so that it can name it.
    pub fn is_unique(&self, property: &str) -> bool {
        self.unique.contains(property)
    }

    /// Whether a contact with this address was deleted permanently.
    pub fn is_forgotten(&self, email: &str) -> bool {
        self.forgotten.contains(email)
    }

    /// A live contact by its own id. A merged-away or archived one is not found.
    pub fn live(&self, id: u64) -> Option<&Contact> {
        self.contacts.get(&id).filter(|contact| contact.archived_at.is_none())
    }

    /// A contact by its own id, archived or not.
    pub fn any(&self, id: u64) -> Option<&Contact> {
        self.contacts.get(&id)
    }

    /// The survivor's id, for a merged-away id.
    pub fn survivor(&self, id: u64) -> Option<u64> {
        let mut last = *self.merged_into.get(&id)?;
        // A chain of merges is as long as the merges, and never a ring: new ids are larger, and a
        // kept primary is never merged away into its own loser.
        for _ in 0..self.merged_into.len() {
            match self.merged_into.get(&last) {
                Some(next) => last = *next,
                None => break,
            }
        }
        Some(last)
    }

    /// Who holds this value of a unique property. Addresses are compared folded.
    pub fn holder(&self, property: &str, value: &str) -> Option<u64> {
        let holders = self.holders.get(property)?;
        if property == "email" {
            holders.get(&values::folded(value)).copied()
        } else {
            holders.get(value).copied()
        }
    }

    /// All contacts by ascending id, archived ones too.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Contact> {
        self.contacts.values()
    }

    /// All contacts from this id on, by ascending id.
    pub fn from(&self, id: u64) -> impl Iterator<Item = &Contact> {
        self.contacts.range(id..).map(|(_, contact)| contact)
    }

    /// How many contacts there are, archived ones too.
    pub fn count(&self) -> usize {
        self.contacts.len()
    }

    /// Puts a contact back as it was on disk.
    pub(crate) fn restore(&mut self, contact: Contact) {
        self.next_id = self.next_id.max(contact.id + ID_STEP);
        self.hold(&contact);
        self.contacts.insert(contact.id, contact);
    }

    /// Makes a contact. The caller has checked that its addresses are free.
    pub fn create(&mut self, now: DateTime<Utc>, changes: &Changes) -> u64 {
        let id = self.next_id;
        self.next_id += ID_STEP;
        let contact = Contact {
            id,
            properties: changes
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), value.clone()?)))
                .collect(),
            additional_emails: Vec::new(),
            merged: Vec::new(),
            created_at: now,
            updated_at: now,
            archived_at: None,
        };
        self.replace(now, id, Some(contact));
        id
    }

    /// Sets and clears properties of a contact that exists. A secondary address that becomes the
    /// primary one changes places with it; another new primary replaces the old one.
    pub fn update(&mut self, now: DateTime<Utc>, id: u64, changes: &Changes) {
        let Some(mut contact) = self.contacts.get(&id).cloned() else { return };
        for (name, value) in changes {
            let old = match value {
                Some(value) => contact.properties.insert(name.clone(), value.clone()),
                None => contact.properties.remove(name),
            };
            if name == "email"
                && let Some(new) = value
                && let Some(place) = contact.additional_emails.iter().position(|e| e == new)
            {
                contact.additional_emails.remove(place);
                contact.additional_emails.extend(old);
            }
        }
        contact.updated_at = now;
        self.replace(now, id, Some(contact));
    }

    /// Archives a contact and frees its addresses.
    pub fn archive(&mut self, now: DateTime<Utc>, id: u64) {
        if let Some(mut contact) = self.live(id).cloned() {
            contact.archived_at = Some(now);
            self.replace(now, id, Some(contact));
        }
    }

    /// Merges two live contacts; the survivor's id comes back. The loser's values fill what the
    /// primary has not set.
    pub(crate) fn merge(
        &mut self,
        now: DateTime<Utc>,
        primary: u64,
        loser: u64,
        keep_primary_id: bool,
    ) -> Option<u64> {
        let mut merged = self.live(primary)?.clone();
        let other = self.live(loser)?.clone();
        let other_emails =
            other.email().map(str::to_owned).into_iter().chain(other.additional_emails);
        for (name, value) in other.properties.iter().filter(|(name, _)| *name != "email") {
            merged.properties.entry(name.clone()).or_insert_with(|| value.clone());
        }
        for email in other_emails {
            if merged.properties.contains_key("email") {
                merged.additional_emails.push(email);
            } else {
                merged.properties.insert("email".into(), email);
            }
        }
        merged.merged.extend(other.merged);
        merged.merged.push((loser, now));
        merged.created_at = merged.created_at.min(other.created_at);
        merged.updated_at = now;
        if !keep_primary_id {
            merged.merged.push((primary, now));
            merged.id = self.next_id;
            self.next_id += ID_STEP;
        }
        let survivor = merged.id;
        for gone in [primary, loser].into_iter().filter(|id| *id != survivor) {
            self.replace(now, gone, None);
            self.merged_into.insert(gone, survivor);
        }
        self.replace(now, survivor, Some(merged));
        Some(survivor)
    }

    /// Removes a contact permanently, and tells the addresses it had.
    pub(crate) fn forget(&mut self, now: DateTime<Utc>, id: u64) -> Vec<String> {
        let Some(contact) = self.contacts.get(&id) else { return Vec::new() };
        let primary = contact.email().map(str::to_owned);
        let emails: Vec<String> =
            primary.into_iter().chain(contact.additional_emails.iter().cloned()).collect();
        self.forgotten.extend(emails.iter().cloned());
        self.replace(now, id, None);
        self.before.retain(|(_, other, _)| *other != id);
        emails
    }

    /// What the search index shows of contacts that changed lately: by id, the contact as it was,
    /// or `None` if it was not there.
    pub fn as_indexed(&self, now: DateTime<Utc>) -> BTreeMap<u64, Option<&Contact>> {
        let mut seen = BTreeMap::new();
        for (written_at, id, old) in &self.before {
            if *written_at + self.index_lag > now {
                seen.entry(*id).or_insert(old.as_ref());
            }
        }
        seen
    }

    fn replace(&mut self, now: DateTime<Utc>, id: u64, new: Option<Contact>) {
        let old = match &new {
            Some(contact) => self.contacts.insert(id, contact.clone()),
            None => self.contacts.remove(&id),
        };
        if let Some(old) = &old {
            self.release(old);
        }
        if let Some(new) = &new {
            self.hold(new);
        }
        while self.before.front().is_some_and(|(at, _, _)| *at + self.index_lag <= now) {
            self.before.pop_front();
        }
        self.before.push_back((now, id, old));
        self.touched.insert(id);
    }

    fn hold(&mut self, contact: &Contact) {
        if contact.archived_at.is_some() {
            return;
        }
        for (property, value) in keys(contact, &self.unique) {
            self.holders.entry(property).or_default().insert(value, contact.id);
        }
    }

    fn release(&mut self, contact: &Contact) {
        for (property, value) in keys(contact, &self.unique) {
            if let Some(holders) = self.holders.get_mut(&property)
                && holders.get(&value) == Some(&contact.id)
            {
                holders.remove(&value);
            }
        }
    }
}

/// What a contact holds alone, as property and value.
fn keys(contact: &Contact, unique: &BTreeSet<String>) -> Vec<(String, String)> {
    let secondary = contact.additional_emails.iter().map(|e| ("email".to_owned(), e.clone()));
    unique
        .iter()
        .filter_map(|name| Some((name.clone(), contact.properties.get(name)?.clone())))
        .chain(secondary)
        .collect()
}
