//! Which dead letters a command is about: the filters as typed, and the [`Filter`] that they make.
//!
//! Filters of different kinds must all match; of several of one kind, one is enough.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use dead_letters::filter::{Contact, Filter};

/// The filters, as typed.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Filters {
    /// Only dead letters with this reason; NO_REASON are those that SQS moved there itself
    #[arg(long, value_name = "REASON")]
    reason: Vec<String>,

    /// Only what died at this time or later: 2026-01-18, 2026-01-18T17:30:00Z, or 30m, 2h, 3d ago
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,

    /// Only what died before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,

    /// Only dead letters about this contact
    #[arg(long, value_name = "EMAIL|ID", value_parser = Contact::named)]
    contact: Option<Contact>,

    /// Only the dead letter with this id or prefix, as `list` shows it, or with this event id
    #[arg(long, value_name = "ID")]
    id: Vec<String>,

    /// Maximum number of dead letters
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

/// A time, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    At(DateTime<Utc>),
    Ago(TimeDelta),
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
    /// The filter at this time.
    pub(super) fn at(self, now: DateTime<Utc>) -> Filter {
        Filter {
            reasons: self.reason.iter().map(|reason| reason.to_uppercase()).collect(),
            since: self.since.map(|moment| moment.at(now)),
            until: self.until.map(|moment| moment.at(now)),
            contact: self.contact,
            ids: self.id,
            limit: self.limit,
        }
    }
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
