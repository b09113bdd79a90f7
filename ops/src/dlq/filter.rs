//! Which letters a command is about: what was typed, and whether a letter is meant.
//!
//! Filters of several kinds must all hold; of one kind that was given twice, one is enough.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use shared::identity::Person;

use super::letter::Letter;

/// The shortest beginning of a name that `--id` takes.
const ID_CHARS_MIN: usize = 6;

/// The filters, as typed.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Filters {
    /// Letters with this reason only; NO_REASON are those that the queue's backstop put there
    #[arg(long, value_name = "REASON")]
    reason: Vec<String>,

    /// Letters that died at this time or later: 2026-01-18, 2026-01-18T17:30:00Z, or 30m, 2h, 3d ago
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,

    /// Letters that died before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,

    /// Letters about this contact only
    #[arg(long, value_name = "EMAIL|ID")]
    contact: Option<String>,

    /// The letter of this name or its beginning, as `list` shows it, or of this event id
    #[arg(long, value_name = "ID")]
    id: Vec<String>,

    /// At most so many letters
    #[arg(long, value_name = "LETTERS", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

/// A time, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    At(DateTime<Utc>),
    Ago(TimeDelta),
}

/// The filters, with times that stand.
#[derive(Debug)]
pub(super) struct Meant {
    reasons: Vec<String>,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    contact: Option<Contact>,
    ids: Vec<String>,
    limit: Option<u64>,
}

/// Somebody, by whatever a letter may name them by.
#[derive(Debug)]
struct Contact {
    person: Person,
    group: String,
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(time.to_utc()));
        }
        if let Ok(day) = text.parse::<NaiveDate>() {
            return Ok(Self::At(day.and_time(chrono::NaiveTime::MIN).and_utc()));
        }
        let ago = |unit: char, of: fn(i64) -> Option<TimeDelta>| {
            text.strip_suffix(unit)
                .and_then(|count| count.parse::<u32>().ok())
                .and_then(|count| of(count.into()))
        };
        ago('m', TimeDelta::try_minutes)
            .or_else(|| ago('h', TimeDelta::try_hours))
            .or_else(|| ago('d', TimeDelta::try_days))
            .map(Self::Ago)
            .ok_or_else(|| {
                "write it like 2026-01-18, 2026-01-18T17:30:00Z, 30m, 2h or 3d".to_owned()
            })
    }
}

impl Moment {
    fn at(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(time) => time,
            Self::Ago(span) => now.checked_sub_signed(span).unwrap_or(DateTime::<Utc>::MIN_UTC),
        }
    }
}

impl Filters {
    /// What they mean at this time.
    pub(super) fn meant(self, now: DateTime<Utc>) -> Meant {
        let contact = self.contact.as_deref().and_then(|named| {
            let is_email = named.contains('@');
            let (email, id) = if is_email { (Some(named), None) } else { (None, Some(named)) };
            let person = Person::new(email, id)?;
            Some(Contact { group: person.group(), person })
        });
        Meant {
            reasons: self.reason.iter().map(|reason| reason.to_uppercase()).collect(),
            since: self.since.map(|moment| moment.at(now)),
            until: self.until.map(|moment| moment.at(now)),
            contact,
            ids: self.id,
            limit: self.limit,
        }
    }
}

impl Meant {
    /// The one letter of this name.
    pub(super) fn named(id: String) -> Self {
        Self {
            reasons: Vec::new(),
            since: None,
            until: None,
            contact: None,
            ids: vec![id],
            limit: None,
        }
    }

    /// Of these, the letters that died before this time.
    #[must_use]
    pub(super) fn that_died_before(self, time: DateTime<Utc>) -> Self {
        Self { until: Some(self.until.map_or(time, |until| until.min(time))), ..self }
    }

    /// Whether a letter is meant. The limit is the caller's to count.
    pub(super) fn includes(&self, letter: &Letter) -> bool {
        (self.reasons.is_empty() || self.reasons.contains(&letter.reason))
            && self.since.is_none_or(|since| letter.failed_at >= since)
            && self.until.is_none_or(|until| letter.failed_at < until)
            && self.contact.as_ref().is_none_or(|contact| contact.is_in(letter))
            && (self.ids.is_empty() || self.ids.iter().any(|id| is_name_of(id, letter)))
    }

    /// Whether so many are all that are wanted.
    pub(super) fn is_enough(&self, count: u64) -> bool {
        self.limit.is_some_and(|limit| count >= limit)
    }

    /// How many more are wanted, when there are so many, and at most so many at once.
    pub(super) fn room(&self, count: u64, at_once: u32) -> u32 {
        let left = self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(count));
        u32::try_from(left).unwrap_or(u32::MAX).clamp(1, at_once)
    }
}

impl Contact {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_day_an_instant_or_so_long_ago() {
        let now = "2026-01-18T12:00:00Z".parse::<DateTime<Utc>>().unwrap();
        let check = |text: &str, expected: &str| {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment.at(now), expected.parse::<DateTime<Utc>>().unwrap(), "{text}");
        };
        check("2026-01-17", "2026-01-17T00:00:00Z");
        check("2026-01-17T10:00:00+02:00", "2026-01-17T08:00:00Z");
        check("30m", "2026-01-18T11:30:00Z");
        check("2h", "2026-01-18T10:00:00Z");
        check("3d", "2026-01-15T12:00:00Z");
        for wrong in ["", "yesterday", "-1h", "1w", "2026-13-01"] {
            assert!(wrong.parse::<Moment>().is_err(), "{wrong}");
        }
    }
}
