//! Times as the state and the properties hold them: `YYYY-MM-DDTHH:MM:SS.sssZ`.
//!
//! That form is read and written digit by digit, since a state is made of little else; whatever
//! else RFC 3339 allows is left to the library.
//!
//! **Invariant**: what is written reads as the same time, to the millisecond.

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, SubsecRound, Timelike, Utc};

/// The length of the canonical form.
pub(super) const TIME_BYTES: usize = 24;

/// `0000-00-00T00:00:00.000Z`, to be filled with digits.
const FORM: [u8; TIME_BYTES] = *b"0000-00-00T00:00:00.000Z";

/// A time as the state and the properties hold it: `YYYY-MM-DDTHH:MM:SS.sssZ`.
pub fn instant(time: DateTime<Utc>) -> String {
    InstantText::of(time).as_str().to_owned()
}

/// The UTC date of a time, as date properties hold it: `YYYY-MM-DD`.
pub fn day(time: DateTime<Utc>) -> String {
    let text = InstantText::of(time);
    text.as_str().split('T').next().unwrap_or_default().to_owned()
}

/// The time that a text in RFC 3339 gives, cut to milliseconds, if [`instant`] can write it: an
/// offset can carry a text beyond the years of four digits.
pub fn time_of(text: &str) -> Option<DateTime<Utc>> {
    canonical_time(text).or_else(|| {
        let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc().trunc_subsecs(3);
        (0..=9999).contains(&time.year()).then_some(time)
    })
}

/// The time of a text in the canonical form; `None` is any other form, or no time.
pub(super) fn canonical_time(text: &str) -> Option<DateTime<Utc>> {
    let text: &[u8; TIME_BYTES] = text.as_bytes().try_into().ok()?;
    let is_as_the_form = |(byte, form): (&u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        mark => byte == mark,
    };
    if !text.iter().zip(&FORM).all(is_as_the_form) {
        return None;
    }
    let number = |from: usize, to: usize| {
        text[from..to].iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
    };
    let day = NaiveDate::from_ymd_opt(number(0, 4).cast_signed(), number(5, 7), number(8, 10))?;
    let time =
        day.and_hms_milli_opt(number(11, 13), number(14, 16), number(17, 19), number(20, 23));
    Some(time?.and_utc())
}

/// A time as it is written. Nearly none is allocated: a state has two of them for each module.
pub(super) enum InstantText {
    Canonical([u8; TIME_BYTES]),
    /// What has no place in that form: a year of more digits, a leap second.
    Other(String),
}

impl InstantText {
    pub(super) fn of(time: DateTime<Utc>) -> Self {
        let (year, milli) = (time.year(), time.nanosecond() / 1_000_000);
        // A leap second counts beyond its thousand milliseconds.
        if !(0..=9999).contains(&year) || milli > 999 {
            return Self::Other(time.to_rfc3339_opts(SecondsFormat::Millis, true));
        }
        let mut text = FORM;
        let mut put = |number: u32, from: usize, to: usize| {
            let mut rest = number;
            for digit in text[from..to].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        };
        put(year.unsigned_abs(), 0, 4);
        put(time.month(), 5, 7);
        put(time.day(), 8, 10);
        put(time.hour(), 11, 13);
        put(time.minute(), 14, 16);
        put(time.second(), 17, 19);
        put(milli, 20, 23);
        Self::Canonical(text)
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Canonical(text) => str::from_utf8(text).unwrap_or_default(),
            Self::Other(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_and_read_as_the_library_does_it() {
        #[track_caller]
        fn check(text: &str) {
            let by_library = DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
            assert_eq!(time_of(text), by_library, "{text}");
            if let Some(time) = by_library {
                assert_eq!(instant(time), time.to_rfc3339_opts(SecondsFormat::Millis, true));
                assert_eq!(day(time), time.date_naive().to_string());
            }
        }
        check("2026-01-18T17:30:00.000Z");
        check("0000-01-01T00:00:00.001Z");
        check("9999-12-31T23:59:59.999Z");
        check("2024-02-29T12:00:00.120Z");
        check("2023-02-29T12:00:00.120Z");
        check("2026-13-01T00:00:00.000Z");
        check("2026-01-18T24:00:00.000Z");
        check("2016-12-31T23:59:60.500Z");
        check("2026-01-18T17:30:00.000z");
        check("2026-01-18 17:30:00.000Z");
        check("2026-01-18T17:30:00.0 0Z");
        check("+026-01-18T17:30:00.000Z");
    }

    #[test]
    fn other_forms_are_cut_to_milliseconds_of_the_years_that_can_be_written() {
        let time = |text: &str| time_of(text).map(instant);
        let cut = Some("2026-01-18T17:30:00.123Z".to_owned());
        assert_eq!(time("2026-01-18T18:30:00.123999+01:00"), cut);
        assert_eq!(time("9999-12-31T23:59:59-01:00"), None);
        let beyond = DateTime::from_timestamp(253_402_300_800, 0).unwrap();
        assert_eq!(instant(beyond), "+10000-01-01T00:00:00.000Z");
        assert_eq!(day(beyond), "+10000-01-01");
    }
}
