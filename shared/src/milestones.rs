//! What a contact's properties should hold after a batch's facts: state, lists, total, summary,
//! dates and the last view; and which of them differ from what it holds.
//!
//! **Invariant**: dates never go back, the lists never lose a course, a state that can't be read
//! changes nothing, and no state is ever made from the other values.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, Utc};

use crate::catalog::Catalog;
use crate::facts::{Claim, Course, Facts, Module, Pathway, Progress, Viewed};
use crate::limits::units;
use crate::properties::{
    COMPLETED_COURSES, ENROLLED_COURSES, LAST_ACTIVITY, LAST_VIEWED_AT, LAST_VIEWED_SLUG,
    LAST_VIEWED_TYPE, PROGRESS_STATE, PROGRESS_SUMMARY, PROGRESS_UPDATED_AT, TEXT_CHARS_MAX,
    TOTAL_PROGRESS,
};
use crate::state::{self, CorruptState};

/// The capacity of a summary to start with: that of one pathway.
const SUMMARY_BYTES_AT_FIRST: usize = 64;

/// Property values by name, as a contact holds them or should.
pub type Values = BTreeMap<String, String>;

/// What the facts make of a contact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Milestones {
    /// The properties that must be written: those whose value changes, and no others.
    pub changed: Values,
    /// Claims of completion that the facts do not bear out.
    pub unsupported_claims: Vec<Claim>,
    /// The length of the state after the join, in characters.
    pub state_chars: usize,
}

/// Why nothing is written on a contact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateFault {
    /// The stored state can't be understood.
    #[error(transparent)]
    Corrupt(#[from] CorruptState),
    /// The joined state would not fit into the property.
    #[error("the state would have {chars} characters, and {TEXT_CHARS_MAX} fit")]
    TooLarge {
        /// Its length.
        chars: usize,
    },
}

/// Joins the facts into what the contact holds; `None` is a contact that does not exist yet.
///
/// Of a recompute it tells what the state, the lists, the total and the summary should be, from the
/// state alone: without one there is nothing to tell. Dates and the last view stand in no state, and
/// stay.
///
/// # Errors
/// [`StateFault`]: nothing may be written.
pub fn milestones(
    contact: Option<&Values>,
    facts: &Facts,
    catalog: &Catalog,
) -> Result<Milestones, StateFault> {
    let nothing = Values::new();
    let stored = contact.unwrap_or(&nothing);
    if facts.is_bare_recompute() && text(stored, PROGRESS_STATE).is_none() {
        return Ok(Milestones::default());
    }
    let mut progress = state::read(text(stored, PROGRESS_STATE))?;
    let before = progress.clone();
    if facts.progress.pathways.keys().any(|slug| progress.unknown.get(slug).is_some()) {
        return Err(CorruptState::SlugTaken.into());
    }
    let is_completed = |course: &Course| course.completed.is_some();
    let completed_before = list(text(stored, COMPLETED_COURSES), &progress, is_completed);
    progress.join(&facts.progress);
    if facts.recompute {
        let whole = progress.clone();
        catalog.roll_up(&mut progress, &whole.named());
    } else {
        catalog.roll_up(&mut progress, &facts.named());
    }

    let after = state::write(&progress);
    let state_chars = units(&after);
    // Another spelling of the same state is not a change.
    let is_changed = progress != before;
    if state_chars > TEXT_CHARS_MAX && is_changed {
        return Err(StateFault::TooLarge { chars: state_chars });
    }

    let mut changed = Values::new();
    let mut want = |name: &str, value: String| {
        if !holds(stored, name, &value) {
            changed.insert(name.to_owned(), value);
        }
    };
    if is_changed || text(stored, PROGRESS_STATE).is_none() {
        want(PROGRESS_STATE, after);
    }
    want(PROGRESS_SUMMARY, summary(&progress));
    if progress.is_empty() {
        if contact.is_none() {
            want(TOTAL_PROGRESS, "0".into());
        }
    } else {
        let is_enrolled = |course: &Course| course.enrolled.is_some();
        want(ENROLLED_COURSES, list(text(stored, ENROLLED_COURSES), &progress, is_enrolled));
        want(COMPLETED_COURSES, list(Some(&completed_before), &progress, is_completed));
        let total = progress.all_modules().filter(|module| module.completed.is_some()).count();
        want(TOTAL_PROGRESS, total.to_string());
    }
    if let Some(viewed) = &facts.viewed
        && last_viewed(stored).is_none_or(|last| last <= *viewed)
    {
        want(LAST_VIEWED_TYPE, viewed.content_type.clone());
        want(LAST_VIEWED_SLUG, viewed.slug.clone());
        want(LAST_VIEWED_AT, state::instant(viewed.at));
    }
    if let Some(activity) = facts.activity {
        let day = state::day(activity);
        let is_older = |held: NaiveDate| held < activity.date_naive();
        let is_behind = |held: &str| held != day && date(held).is_none_or(is_older);
        for name in [LAST_ACTIVITY, PROGRESS_UPDATED_AT] {
            if text(stored, name).is_none_or(is_behind) {
                changed.insert(name.to_owned(), day.clone());
            }
        }
    }

    let unsupported_claims = facts
        .claims
        .iter()
        .filter(|claim| !catalog.is_complete(&progress, claim))
        .cloned()
        .collect();
    Ok(Milestones { changed, unsupported_claims, state_chars })
}

/// Whether a contact holds this value of a property already, however HubSpot spells it.
fn holds(stored: &Values, name: &str, value: &str) -> bool {
    let Some(held) = text(stored, name) else { return value.is_empty() };
    match name {
        LAST_VIEWED_AT => time(held).is_some() && time(held) == time(value),
        TOTAL_PROGRESS => match (held.parse::<f64>(), value.parse::<f64>()) {
            (Ok(held), Ok(value)) => held == value,
            _ => false,
        },
        _ => held == value,
    }
}

/// The state in words.
pub fn summary(progress: &Progress) -> String {
    if progress.is_empty() {
        return "No progress yet".into();
    }
    let mut words = String::with_capacity(SUMMARY_BYTES_AT_FIRST);
    let mut tell = |slug: &str, done: usize, all: usize, of: &str| {
        let separator = if words.is_empty() { "" } else { "; " };
        let _never_fails = write!(words, "{separator}{slug}: {done}/{all} {of}");
    };
    let done = |modules: &BTreeMap<String, Module>| {
        modules.values().filter(|module| module.completed.is_some()).count()
    };
    for (slug, Pathway { courses, modules, .. }) in progress.pathways.iter() {
        if !courses.is_empty() {
            let done = courses.values().filter(|course| course.completed.is_some()).count();
            tell(slug, done, courses.len(), "courses");
        } else if !modules.is_empty() {
            tell(slug, done(modules), modules.len(), "modules");
        }
    }
    for (slug, Course { modules, .. }) in progress.courses.iter() {
        if !modules.is_empty() {
            tell(slug, done(modules), modules.len(), "modules");
        }
    }
    if words.is_empty() { "In progress".into() } else { words }
}

/// The slugs that a list holds, and those of the state's courses that belong on it.
fn list(held: Option<&str>, progress: &Progress, belongs: impl Fn(&Course) -> bool) -> String {
    let held = held.unwrap_or_default().split(';').map(str::trim).filter(|slug| !slug.is_empty());
    let courses = progress.all_courses().filter(|(_, course)| belongs(course));
    let mut slugs: Vec<&str> = held.chain(courses.map(|(slug, _)| slug.as_str())).collect();
    slugs.sort_unstable();
    slugs.dedup();
    slugs.join(";")
}

fn last_viewed(stored: &Values) -> Option<Viewed> {
    let at = text(stored, LAST_VIEWED_AT).and_then(time)?;
    let part = |name: &str| text(stored, name).unwrap_or_default().to_owned();
    Some(Viewed { at, content_type: part(LAST_VIEWED_TYPE), slug: part(LAST_VIEWED_SLUG) })
}

/// A value that says something: HubSpot gives an unset property as null or as an empty text.
fn text<'a>(stored: &'a Values, name: &str) -> Option<&'a str> {
    stored.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

/// A date property, in any of the forms that portals give: a date, an instant, epoch milliseconds.
fn date(value: &str) -> Option<NaiveDate> {
    value.parse().ok().or_else(|| time(value).map(|at| at.date_naive()))
}

fn time(value: &str) -> Option<DateTime<Utc>> {
    let from_text = || DateTime::parse_from_rfc3339(value).ok().map(|at| at.to_utc());
    value.parse().ok().and_then(DateTime::from_timestamp_millis).or_else(from_text)
}
