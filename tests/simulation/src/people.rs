//! The people of a history: what was accepted of each, what others did to their records, and where
//! their events may end.
//!
//! In: what the site had accepted and what the marketer did. Out: bounds between which each record
//! must stand in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use shared::dead_letter::Reason;
use shared::facts::{Facts, Progress};
use shared::properties::PROGRESS_STATE;
use shared::state;
use simulator::{ContactView, Portal};

/// One learner.
#[derive(Debug, Default)]
pub struct Person {
    /// The addresses that HubSpot knows or knew this person by.
    pub addresses: BTreeSet<String>,
    /// The address that the site knows.
    pub email: Option<String>,
    /// The record id that the site knows.
    pub contact_id: Option<String>,
    /// Why every event of this person must end as a dead letter.
    pub doom: Option<Reason>,
    /// Why an event of this person may end as one.
    pub allowed: BTreeSet<Reason>,
    /// The records that are or were this person's.
    pub records: BTreeSet<u64>,
    /// What records held that others took away.
    pub gone: Progress,
    /// Whether others changed more than what is not ours.
    pub is_touched: bool,
    /// The facts of all events that were accepted, and of the state at the start.
    pub must: Facts,
    /// The facts of events that may be on the queue although ingest could not say so.
    pub may: Facts,
    /// Event id → the facts, and how often the event was accepted.
    pub accepted: BTreeMap<String, (Facts, u32)>,
    /// Whether some event may be on the queue that ingest could not vouch for.
    pub has_may: bool,
}

impl Person {
    /// An event was accepted once more.
    pub fn accept(&mut self, event_id: &str, facts: Facts) {
        self.must = planted::without(|| std::mem::take(&mut self.must).join(facts.clone()));
        self.accepted.entry(event_id.to_owned()).or_insert((facts, 0)).1 += 1;
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct People {
    inner: Mutex<Inner>,
}

/// All of them, in hand.
#[derive(Debug, Default)]
pub struct Inner {
    /// In the order in which they came.
    pub persons: Vec<Person>,
    /// Event id → whose it is.
    pub by_event: BTreeMap<String, usize>,
    /// What the marketer set on a record and nobody else may change: record, property → value.
    pub notes: BTreeMap<(u64, String), String>,
}

impl People {
    /// Takes them in hand.
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The person's records as they are now, under their present ids.
    pub fn records(&mut self, nth: usize, portal: &Portal) -> Vec<ContactView> {
        let person = &mut self.persons[nth];
        let found = person.addresses.iter().filter_map(|address| portal.contact_by_email(address));
        person.records.extend(found.map(|contact| contact.id));
        let mut views: BTreeMap<u64, ContactView> = BTreeMap::new();
        for id in &person.records {
            if let Some(view) = portal.contact(*id) {
                views.insert(view.id, view);
            }
        }
        views.into_values().collect()
    }

    /// Everybody who has a part in this record.
    pub fn owners(&mut self, record: u64, portal: &Portal) -> Vec<usize> {
        let persons = 0..self.persons.len();
        persons
            .filter(|nth| self.records(*nth, portal).iter().any(|one| one.id == record))
            .collect()
    }
}

/// What a record's state holds; `None` if it can't be read.
pub fn progress_of(record: &ContactView) -> Option<Progress> {
    state::read(record.properties.get(PROGRESS_STATE).map(String::as_str)).ok()
}

/// Whether `small` says nothing that `large` does not.
pub fn is_within(small: &Progress, large: &Progress) -> bool {
    let mut both = large.clone();
    both.join(small);
    both == *large
}
