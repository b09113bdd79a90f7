//! Which dead letters an operator chose. All conditions must hold; of several reasons, or several
//! ids, one is enough.

use chrono::{DateTime, Utc};
use shared::identity::Person;

use crate::dead_letter::DeadLetter;

/// The shortest prefix that identifies an id.
const ID_CHARS_MIN: usize = 6;

/// A choice of dead letters; the default matches all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Any of these reasons, by code; empty matches every reason.
    pub reasons: Vec<String>,
    /// Died at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Died before this time.
    pub until: Option<DateTime<Utc>>,
    /// About this contact.
    pub contact: Option<Contact>,
    /// Any of these: ids, prefixes of ids, event ids; empty matches every dead letter.
    pub ids: Vec<String>,
    /// The maximum number; the caller counts.
    pub limit: Option<u64>,
}

/// A contact, by everything that a dead letter may name it by.
#[derive(Debug, Clone)]
pub struct Contact {
    person: Person,
    group: String,
}

impl Filter {
    /// The dead letter with this id.
    pub fn by_id(id: String) -> Self {
        Self { ids: vec![id], ..Self::default() }
    }

    /// Narrows it to dead letters that died before this time.
    #[must_use]
    pub fn died_before(self, time: DateTime<Utc>) -> Self {
        Self { until: Some(self.until.map_or(time, |until| until.min(time))), ..self }
    }

    /// Whether it matches this dead letter, the limit aside.
    pub fn matches(&self, letter: &DeadLetter) -> bool {
        (self.reasons.is_empty() || self.reasons.contains(&letter.reason))
            && self.since.is_none_or(|since| letter.failed_at >= since)
            && self.until.is_none_or(|until| letter.failed_at < until)
            && self.contact.as_ref().is_none_or(|contact| contact.is_in(letter))
            && (self.ids.is_empty() || self.ids.iter().any(|id| is_id_of(id, letter)))
    }

    /// Whether `count` reaches the limit.
    pub fn is_enough(&self, count: u64) -> bool {
        self.limit.is_some_and(|limit| count >= limit)
    }

    /// How many to ask for next after `count` matches: 1 to `at_once`.
    pub fn room(&self, count: u64, at_once: u32) -> u32 {
        let left = self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(count));
        u32::try_from(left).unwrap_or(u32::MAX).clamp(1, at_once)
    }
}

impl Contact {
    /// The contact with this e-mail or id.
    ///
    /// # Errors
    /// What is wrong with the name. A name that nobody can have must never mean everybody.
    pub fn named(name: &str) -> Result<Self, String> {
        let person = Person::typed(name)?;
        Ok(Self { group: person.group(), person })
    }

    fn is_in(&self, letter: &DeadLetter) -> bool {
        let named = letter.envelope.as_ref().map(|envelope| &envelope.person);
        let has_email = |person: &Person| {
            self.person.email().is_some() && person.email() == self.person.email()
        };
        let has_id = |person: &Person| {
            self.person.contact_id().is_some() && person.contact_id() == self.person.contact_id()
        };
        letter.group == self.group
            || named.is_some_and(|person| has_email(person) || has_id(person))
    }
}

fn is_id_of(id: &str, letter: &DeadLetter) -> bool {
    let is_prefix = id.len() >= ID_CHARS_MIN && letter.id.starts_with(id);
    is_prefix || letter.envelope.as_ref().is_some_and(|envelope| envelope.id == id)
}
