//! The state JSON of a contact: text → [`Progress`] → text.
//!
//! Keys come out sorted, so equal states are equal texts. What Milepost does not know is kept at
//! every level, and so is a time that stands there without its flag.
//!
//! **Invariant**: a text that can't be understood is an error and never an empty state: nothing is
//! written over it.

mod canonical;
mod instants;
mod written;

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

pub use self::instants::{day, instant, time_of};
use crate::by_slug::BySlug;
use crate::facts::{Course, Enrolment, Module, Pathway, Progress, Reached};

/// The key of the standalone courses; every other key is a pathway.
const STANDALONE: &str = "courses";

/// A stored state that can't be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CorruptState {
    /// The text is no JSON object.
    #[error("the stored state is no JSON object")]
    NoObject,
    /// A known key holds what it can't hold. The path is made of known keys only.
    #[error("the stored state holds a {found} at {path}, which must be a {wanted}")]
    WrongType {
        /// Where: known keys, slugs left out.
        path: &'static str,
        /// What stands there.
        found: &'static str,
        /// What should.
        wanted: &'static str,
    },
    /// A key that holds no pathway stands where an event's pathway would go.
    #[error("the stored state holds something else under the slug of a pathway")]
    SlugTaken,
}

/// Reads the property's text; an absent or empty one is the empty state.
///
/// # Errors
/// [`CorruptState`].
pub fn read(text: Option<&str>) -> Result<Progress, CorruptState> {
    let text = text.unwrap_or_default();
    canonical::read(text).map_or_else(|| read_at_length(text), Ok)
}

/// Reads it, and gives what [`write()`] makes of it as well: nearly always the property's own text.
///
/// # Errors
/// [`CorruptState`].
pub fn read_canonical(text: Option<&str>) -> Result<(Progress, Cow<'_, str>), CorruptState> {
    let text = text.unwrap_or_default();
    if let Some(progress) = canonical::read(text) {
        return Ok((progress, text.into()));
    }
    let progress = read_at_length(text)?;
    let canonical = write(&progress).into();
    Ok((progress, canonical))
}

/// Reads a state however it is spelt, and says what is wrong with it.
fn read_at_length(text: &str) -> Result<Progress, CorruptState> {
    if text.trim().is_empty() {
        return Ok(Progress::default());
    }
    let Ok(Value::Object(mut fields)) = serde_json::from_str(text) else {
        return Err(CorruptState::NoObject);
    };
    let mut progress = Progress { courses: courses(&mut fields)?, ..Progress::default() };
    for (slug, value) in fields {
        match value {
            Value::Object(fields) => {
                progress.pathways.insert(slug, pathway(fields)?);
            }
            other => {
                progress.unknown.insert(slug, other);
            }
        }
    }
    Ok(progress)
}

fn pathway(mut fields: Map<String, Value>) -> Result<Pathway, CorruptState> {
    Ok(Pathway {
        enrolled: enrolment(&mut fields)?,
        started: reached(&mut fields, "started", "started_at")?,
        completed: reached(&mut fields, "completed", "completed_at")?,
        courses: courses(&mut fields)?,
        modules: modules(&mut fields)?,
        unknown: fields,
    })
}

fn courses(fields: &mut Map<String, Value>) -> Result<BySlug<Course>, CorruptState> {
    let each = |mut fields: Map<String, Value>| {
        Ok(Course {
            enrolled: enrolment(&mut fields)?,
            started: reached(&mut fields, "started", "started_at")?,
            completed: reached(&mut fields, "completed", "completed_at")?,
            modules: modules(&mut fields)?,
            unknown: fields,
        })
    };
    map_of(fields, STANDALONE, each)
}

fn modules(fields: &mut Map<String, Value>) -> Result<BySlug<Module>, CorruptState> {
    let each = |mut fields: Map<String, Value>| {
        Ok(Module {
            started: reached(&mut fields, "started", "started_at")?,
            completed: reached(&mut fields, "completed", "completed_at")?,
            unknown: fields,
        })
    };
    map_of(fields, "modules", each)
}

fn map_of<T>(
    fields: &mut Map<String, Value>,
    key: &'static str,
    each: impl Fn(Map<String, Value>) -> Result<T, CorruptState>,
) -> Result<BySlug<T>, CorruptState> {
    let object = |value: Value| match value {
        Value::Object(fields) => Ok(fields),
        other => Err(wrong(key, &other, "object")),
    };
    match fields.remove(key) {
        None | Some(Value::Null) => Ok(BySlug::default()),
        Some(value) => object(value)?
            .into_iter()
            .map(|(slug, value)| Ok((slug, each(object(value)?)?)))
            .collect(),
    }
}

fn reached(
    fields: &mut Map<String, Value>,
    flag: &'static str,
    at: &'static str,
) -> Result<Option<Reached>, CorruptState> {
    let is_set = flag_of(fields, flag)?;
    let at = time(fields, at, is_set)?;
    Ok(is_set.then_some(Reached { at }))
}

fn enrolment(fields: &mut Map<String, Value>) -> Result<Option<Enrolment>, CorruptState> {
    let is_set = flag_of(fields, "enrolled")?;
    let at = time(fields, "enrolled_at", is_set)?;
    let source = match fields.get("enrollment_source") {
        None => None,
        Some(Value::Null) => {
            fields.remove("enrollment_source");
            None
        }
        Some(Value::String(source)) if is_set => {
            let source = Some(source.clone()).filter(|source| !source.is_empty());
            fields.remove("enrollment_source");
            source
        }
        Some(Value::String(_)) => None,
        Some(other) => return Err(wrong("enrollment_source", other, "string")),
    };
    Ok(is_set.then_some(Enrolment { at, source }))
}

fn flag_of(fields: &mut Map<String, Value>, flag: &'static str) -> Result<bool, CorruptState> {
    match fields.remove(flag) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(is_set)) => Ok(is_set),
        Some(other) => Err(wrong(flag, &other, "boolean")),
    }
}

/// The time of a flag that is set. A time without its flag, or one that can't be read, says
/// nothing that is acted on, and stays where it is.
fn time(
    fields: &mut Map<String, Value>,
    key: &'static str,
    is_set: bool,
) -> Result<Option<DateTime<Utc>>, CorruptState> {
    match fields.get(key) {
        None => Ok(None),
        Some(Value::Null) => {
            fields.remove(key);
            Ok(None)
        }
        Some(Value::String(text)) => {
            let read = time_of(text).filter(|_| is_set);
            if read.is_some() {
                fields.remove(key);
            }
            Ok(read)
        }
        Some(other) => Err(wrong(key, other, "string")),
    }
}

fn wrong(path: &'static str, found: &Value, wanted: &'static str) -> CorruptState {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    CorruptState::WrongType { path, found, wanted }
}

/// Writes a state in its one canonical form.
pub fn write(progress: &Progress) -> String {
    written::write(progress)
}

/// The state as JSON, for answers.
#[expect(clippy::expect_used, reason = "what is written is JSON; no default may stand for a state")]
pub fn to_value(progress: &Progress) -> Value {
    serde_json::from_str(&write(progress)).expect("a written state is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_state_has_sorted_keys_and_says_only_what_is_so() {
        let text = r#"{"p":{"started":false,"modules":{"b":{"started_at":"2025-01-02T00:00:00Z","started":true},
            "a":{"completed":true,"started":null}},"courses":{},"enrolled":true}}"#;
        assert_eq!(
            write(&read(Some(text)).unwrap()),
            r#"{"p":{"enrolled":true,"modules":{"a":{"completed":true},"b":{"started":true,"started_at":"2025-01-02T00:00:00.000Z"}}}}"#
        );
    }

    #[test]
    fn nothing_is_read_out_of_a_corrupt_state() {
        for text in [
            "{\"oops",
            "null",
            "[]",
            "5",
            r#"{"p":{"enrolled":"yes"}}"#,
            r#"{"p":{"enrolled_at":5}}"#,
            r#"{"p":{"enrolled":true,"enrollment_source":{}}}"#,
            r#"{"p":{"courses":[]}}"#,
            r#"{"p":{"courses":{"c":5}}}"#,
            r#"{"p":{"modules":{"m":{"started":1}}}}"#,
            r#"{"courses":"none"}"#,
        ] {
            assert!(read(Some(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn an_absent_or_empty_property_is_the_empty_state() {
        for text in [None, Some(""), Some("{}"), Some(r#"{"courses":{}}"#)] {
            assert_eq!(read(text), Ok(Progress::default()), "{text:?}");
        }
    }

    #[test]
    fn a_time_without_its_flag_and_an_unreadable_one_survive() {
        let text = r#"{"p":{"completed_at":"2025-01-01T00:00:00.000Z","modules":{},"started":true,"started_at":"in May"}}"#;
        assert_eq!(write(&read(Some(text)).unwrap()), text);
    }

    #[test]
    fn a_number_that_no_float_holds_survives() {
        let text = r#"{"p":{"modules":{},"x":123456789012345678901234567890.000100}}"#;
        assert_eq!(write(&read(Some(text)).unwrap()), text);
    }
}
