//! Which letters are meant: conditions that must all hold; of the reasons and of the names that are
//! given, one is enough.

use chrono::{DateTime, Utc};
use shared::identity::Person;

use crate::letter::Letter;

/// The shortest beginning of a name that is taken for the name.
const ID_CHARS_MIN: usize = 6;

/// Letters that are meant; the default means all.
#[derive(Debug, Clone, Default)]
pub struct Meant {
    /// One of these reasons, by its word; empty is any.
    pub reasons: Vec<String>,
    /// Died at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Died before this time.
    pub until: Option<DateTime<Utc>>,
    /// About this contact.
    pub contact: Option<Contact>,
    /// One of these names, or of their beginnings, or of these event ids; empty is any.
    pub ids: Vec<String>,
    /// At most so many.
    pub limit: Option<u64>,
}

/// Somebody, by whatever a letter may name them by.
#[derive(Debug, Clone)]
pub struct Contact {
    person: Person,
    group: String,
}

impl Meant {
    /// The one letter of this name.
    pub fn named(id: String) -> Self {
        Self { ids: vec![id], ..Self::default() }
    }

    /// Of these, the letters that died before this time.
    #[must_use]
    pub fn that_died_before(self, time: DateTime<Utc>) -> Self {
        Self { until: Some(self.until.map_or(time, |until| until.min(time))), ..self }
    }

    /// Whether a letter is meant. The limit is the caller's to count.
    pub fn includes(&self, letter: &Letter) -> bool {
        (self.reasons.is_empty() || self.reasons.contains(&letter.reason))
            && self.since.is_none_or(|since| letter.failed_at >= since)
            && self.until.is_none_or(|until| letter.failed_at < until)
            && self.contact.as_ref().is_none_or(|contact| contact.is_in(letter))
            && (self.ids.is_empty() || self.ids.iter().any(|id| is_name_of(id, letter)))
    }

    /// Whether so many are all that are wanted.
    pub fn is_enough(&self, count: u64) -> bool {
        self.limit.is_some_and(|limit| count >= limit)
    }

    /// How many more are wanted, when there are so many, and at most so many at once.
    pub fn room(&self, count: u64, at_once: u32) -> u32 {
        let left = self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(count));
        u32::try_from(left).unwrap_or(u32::MAX).clamp(1, at_once)
    }
}

impl Contact {
    /// The contact of this e-mail or id.
    ///
    /// # Errors
    /// What is wrong with the name. A name that nobody can have must never mean everybody.
    pub fn named(name: &str) -> Result<Self, String> {
        let person = Person::typed(name)?;
        Ok(Self { group: person.group(), person })
    }

    fn is_in(&self, letter: &Letter) -> bool {
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

fn is_name_of(id: &str, letter: &Letter) -> bool {
    let is_beginning = id.len() >= ID_CHARS_MIN && letter.id.starts_with(id);
    is_beginning || letter.envelope.as_ref().is_some_and(|envelope| envelope.id == id)
}
