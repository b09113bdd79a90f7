//! Property values: what text a value becomes in the record, or why it is refused.
//!
//! In goes a definition, the value as text, and the API version; out comes the text that is
//! stored. Every value is text; reads give back exactly what stands here.
//!
//! **Invariant**: an empty text is never seen here: it clears, whatever the type.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};

use crate::definitions::Property;
use crate::settings::Settings;
use crate::version::Version;

const DAY_MS: i64 = 86_400_000;
/// A whole number under this is taken for seconds where it can't be a midnight in milliseconds:
/// as milliseconds it would be before March 1973.
const SECONDS_BELOW: u64 = 100_000_000_000;

/// One value that isn't accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The property.
    pub name: String,
    /// The value, as it was sent.
    pub value: String,
    /// HubSpot's code for what is wrong.
    pub code: &'static str,
    /// HubSpot's words for it.
    pub message: String,
}

/// A value as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What the record holds.
    pub text: String,
    /// What the record's warning calls the normalized value, if it was changed to fit.
    pub normalized_to: Option<String>,
}

/// The stored form of a value that is not empty. `present` is what the record holds now: an
/// enumeration's leading `;` adds to it.
///
/// # Errors
/// What is wrong with the value.
pub fn store(
    property: &Property,
    raw: &str,
    present: Option<&str>,
    version: Version,
    settings: &Settings,
) -> Result<Stored, Invalid> {
    let refuse = |code: &'static str, message: String| Invalid {
        name: property.name.clone(),
        value: raw.to_owned(),
        code,
        message,
    };
    let plain = |text: String| Ok(Stored { text, normalized_to: None });
    match property.kind.as_str() {
        _ if property.name == "email" => match email(raw, settings) {
            Some(address) => plain(address),
            None => Err(refuse("INVALID_EMAIL", format!("Email address {raw} is invalid"))),
        },
        "number" => {
            let text = raw.trim();
            if text.parse::<f64>().is_ok_and(f64::is_finite) {
                return plain(text.to_owned());
            }
            Err(if settings.bad_number_is_invalid_integer {
                refuse("INVALID_INTEGER", format!("{raw} was not a valid number"))
            } else {
                refuse("INVALID_LONG", format!("{raw} was not a valid long."))
            })
        }
        "bool" | "enumeration" => match chosen(property, raw, present) {
            Some(text) => plain(text),
            None => Err(refuse("INVALID_OPTION", not_an_option(property, raw))),
        },
        "date" => date(raw, version).map_err(|message| refuse("INVALID_DATE", message)),
        "datetime" => match instant(raw) {
            Some(at) => plain(iso(at)),
            None => Err(refuse("INVALID_DATE", format!("{raw} was not a valid date."))),
        },
        _ if raw.chars().count() > settings.text_chars_max => Err(Invalid {
            value: String::new(),
            ..refuse(
                "PROPERTY_VALUE_TOO_LONG",
                format!("The value is longer than {} characters", settings.text_chars_max),
            )
        }),
        _ => plain(raw.to_owned()),
    }
}

/// An instant as HubSpot prints it: milliseconds, which are left out when they are zero.
pub fn iso(at: DateTime<Utc>) -> String {
    let format =
        if at.timestamp_subsec_millis() == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
    at.to_rfc3339_opts(format, true)
}

/// The form in which an address is stored and looked up.
pub fn folded(email: &str) -> String {
    email.trim().to_lowercase()
}

/// The stored form of an address, if it is one that the portal takes.
pub fn email(raw: &str, settings: &Settings) -> Option<String> {
    let address = folded(raw);
    let (local, domain) = address.split_once('@')?;
    let (_, tld) = domain.rsplit_once('.')?;
    let plain = |c: char| c.is_ascii_graphic() && !"@,;:<>()[]\"\\".contains(c);
    let right = !local.is_empty()
        && address.len() <= 255
        && local.chars().all(|c| plain(c) || (c.is_alphanumeric() && !c.is_ascii()))
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !address.contains("..")
        && domain.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        })
        && tld.chars().count() >= 2
        && tld.chars().all(|c| c.is_alphanumeric() || c == '-')
        && !tld.chars().all(|c| c.is_ascii_digit())
        && !settings.refused_tlds.iter().any(|refused| refused == tld);
    right.then_some(address)
}

fn chosen(property: &Property, raw: &str, present: Option<&str>) -> Option<String> {
    let known = |value: &str| property.options.iter().any(|option| option.value == value);
    if property.field_type != "checkbox" {
        return known(raw).then(|| raw.to_owned());
    }
    let mut values: Vec<&str> = Vec::new();
    let added = match raw.strip_prefix(';') {
        Some(added) => {
            values.extend(present.unwrap_or_default().split(';').filter(|v| !v.is_empty()));
            added
        }
        None => raw,
    };
    for value in added.split(';').filter(|value| !value.is_empty()) {
        if !known(value) {
            return None;
        }
        if !values.contains(&value) {
            values.push(value);
        }
    }
    Some(values.join(";"))
}

fn not_an_option(property: &Property, raw: &str) -> String {
    let options: Vec<String> = property
        .options
        .iter()
        .map(|option| {
            format!(
                "label: \"{}\"\nvalue: \"{}\"\ndisplay_order: {}\nhidden: {}\nread_only: false\n",
                option.label, option.value, option.display_order, option.hidden
            )
        })
        .collect();
    format!("{raw} was not one of the allowed options: [{}]", options.join(", "))
}

/// A date as `YYYY-MM-DD`. Before 2026-09 only a date or a midnight is one; from then on what is
/// near enough is cut down to its day, and the record carries a warning.
fn date(raw: &str, version: Version) -> Result<Stored, String> {
    let text = raw.trim();
    let day =
        |ms: i64| DateTime::from_timestamp_millis(ms).map(|at| at.format("%Y-%m-%d").to_string());
    if text.len() == 10
        && let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d")
    {
        return Ok(Stored { text: date.to_string(), normalized_to: None });
    }
    let number = text.parse::<i64>().ok();
    if let Some(ms) = number
        && ms % DAY_MS == 0
        && let Some(text) = day(ms)
    {
        return Ok(Stored { text, normalized_to: None });
    }
    if version.is_lenient() {
        let ms = match number {
            Some(seconds) if seconds.unsigned_abs() < SECONDS_BELOW => Some(seconds * 1_000),
            Some(ms) => Some(ms),
            None => instant(text).map(|at| at.timestamp_millis()),
        };
        if let Some(midnight) = ms.and_then(|ms| ms.checked_sub(ms.rem_euclid(DAY_MS)))
            && let Some(text) = day(midnight)
        {
            return Ok(Stored { text, normalized_to: Some(midnight.to_string()) });
        }
    }
    Err(match number.and_then(DateTime::from_timestamp_millis) {
        Some(at) => {
            let hour = at.format("%H").to_string();
            let hour = hour.strip_prefix('0').unwrap_or(&hour);
            format!("{raw} is at {hour}{} UTC, not midnight!", at.format(":%M:%S%.3f"))
        }
        None => format!("{raw} was not a valid date."),
    })
}

fn instant(raw: &str) -> Option<DateTime<Utc>> {
    let text = raw.trim();
    if let Ok(ms) = text.parse::<i64>() {
        return DateTime::from_timestamp_millis(ms);
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return DateTime::from_timestamp_millis(at.timestamp_millis());
    }
    let midnight = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0)?;
    Some(midnight.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::Definitions;

    fn check(property: &str, version: Version, raw: &str, expected: Result<&str, &str>) {
        let mut definitions = Definitions::of_a_fresh_portal();
        definitions.define_milepost_properties();
        let property = definitions.any(property).unwrap();
        let stored = store(property, raw, None, version, &Settings::default());
        let got = stored.as_ref().map(|s| s.text.as_str()).map_err(|i| i.code);
        assert_eq!(got, expected, "{} {raw}", property.name);
    }

    #[test]
    fn a_value_is_stored_in_its_types_form_or_refused_with_its_code() {
        use Version::{D2026_09, V3};
        for (property, version, raw, expected) in [
            ("email", V3, " A@B.Co ", Ok("a@b.co")),
            ("email", V3, "a@b.con", Err("INVALID_EMAIL")),
            ("email", V3, "a b@c.co", Err("INVALID_EMAIL")),
            ("email", V3, "a@b", Err("INVALID_EMAIL")),
            ("hhl_total_progress", V3, "3.5", Ok("3.5")),
            ("hhl_total_progress", V3, "many", Err("INVALID_LONG")),
            ("hhl_last_viewed_type", V3, "course", Ok("course")),
            ("hhl_last_viewed_type", V3, "Course", Err("INVALID_OPTION")),
            ("hhl_last_activity", V3, "2026-11-24", Ok("2026-11-24")),
            ("hhl_last_activity", V3, "1570233600", Err("INVALID_DATE")),
            ("hhl_last_activity", V3, "631152000000", Ok("1990-01-01")),
            ("hhl_last_activity", V3, "1990-01-01T00:00:00Z", Err("INVALID_DATE")),
            ("hhl_last_activity", D2026_09, "1990-01-01T05:00:00Z", Ok("1990-01-01")),
            ("hhl_last_activity", D2026_09, "1570233600", Ok("2019-10-05")),
            ("hhl_last_activity", D2026_09, "soon", Err("INVALID_DATE")),
            (
                "hhl_last_viewed_at",
                V3,
                "2026-01-18T18:30:00.120+01:00",
                Ok("2026-01-18T17:30:00.120Z"),
            ),
            ("hhl_last_viewed_at", V3, "1768757400000", Ok("2026-01-18T17:30:00Z")),
        ] {
            check(property, version, raw, expected);
        }
    }

    #[test]
    fn a_date_between_midnights_is_named_by_its_time_of_day() {
        let told = date("1570233600", Version::V3).unwrap_err();
        assert_eq!(told, "1570233600 is at 4:10:33.600 UTC, not midnight!");
    }
}
