//! Times as the state and the properties hold them: `YYYY-MM-DDTHH:MM:SS.sssZ`.
//!
//! **Invariant**: what is written reads as the same time, to the millisecond.

use chrono::{DateTime, Datelike, SecondsFormat, SubsecRound, Timelike, Utc};

/// The last millisecond of a second, in nanoseconds.
const LAST_MILLISECOND_NS: u32 = 999_000_000;

/// A time as the state and the properties hold it: `YYYY-MM-DDTHH:MM:SS.sssZ`.
pub fn instant(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The UTC date of a time, as date properties hold it: `YYYY-MM-DD`.
pub fn day(time: DateTime<Utc>) -> String {
    time.date_naive().to_string()
}

/// The time that a text in RFC 3339 gives, cut to milliseconds; `None` beyond the years of four
/// digits, where an offset can lead. Second 60 is the last millisecond of second 59.
pub fn time_of(text: &str) -> Option<DateTime<Utc>> {
    let mut time = DateTime::parse_from_rfc3339(text).ok()?.to_utc().trunc_subsecs(3);
    // A leap second counts on beyond the nanoseconds of second 59.
    if time.nanosecond() > LAST_MILLISECOND_NS {
        time = time.with_nanosecond(LAST_MILLISECOND_NS)?;
    }
    (0..=9999).contains(&time.year()).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_cut_to_milliseconds_of_a_year_that_can_be_written() {
        let time = |text: &str| time_of(text).map(instant);
        let cut = Some("2026-01-18T17:30:00.123Z".to_owned());
        assert_eq!(time("2026-01-18T18:30:00.123999+01:00"), cut);
        assert_eq!(time("2023-02-29T12:00:00.120Z"), None);
        assert_eq!(time("9999-12-31T23:59:59-01:00"), None);
        let beyond = DateTime::from_timestamp(253_402_300_800, 0).unwrap();
        assert_eq!(instant(beyond), "+10000-01-01T00:00:00.000Z");
        assert_eq!(day(beyond), "+10000-01-01");
    }

    #[test]
    fn second_60_is_the_last_millisecond_of_second_59() {
        for text in
            ["2016-12-31T23:59:60Z", "2016-12-31T23:59:60.500Z", "2017-01-01T00:59:60+01:00"]
        {
            let read = time_of(text).map(instant);
            assert_eq!(read.as_deref(), Some("2016-12-31T23:59:59.999Z"), "{text}");
        }
    }
}
