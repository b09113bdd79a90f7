//! What a contact's properties should hold after a batch's facts: state, lists, total, summary,
//! dates and the last view; and which of them differ from what it holds.
//!
//! **Invariant**: dates never go back, the lists never lose a course, a state that can't be read
//! changes nothing, and no state is ever made from the other values.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use crate::catalog::Catalog;
use crate::event::Page;
use crate::facts::{Claim, Facts, Progress, Viewed};
use crate::limits::units;
use crate::properties::{
    COMPLETED_COURSES, ENROLLED_COURSES, LAST_ACTIVITY, LAST_VIEWED_AT, LAST_VIEWED_SLUG,
    LAST_VIEWED_TYPE, PROGRESS_STATE, PROGRESS_SUMMARY, PROGRESS_UPDATED_AT, TEXT_CHARS_MAX,
    TOTAL_PROGRESS,
};
use crate::state::{self, CorruptState};

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
    let before = state::read(text(stored, PROGRESS_STATE))?;
    if facts.progress.pathways.keys().any(|slug| before.unknown.contains_key(slug)) {
        return Err(CorruptState::SlugTaken.into());
    }
    let mut after = before.clone();
    after.join(&facts.progress);
    if facts.recompute {
        let whole = after.clone();
        catalog.roll_up(&mut after, &whole.named());
    } else {
        catalog.roll_up(&mut after, &facts.named());
    }

    let state = state::write(&after);
    let state_chars = units(&state);
    if state_chars > TEXT_CHARS_MAX && after != before {
        return Err(StateFault::TooLarge { chars: state_chars });
    }

    let mut changed = Values::new();
    let mut want = |name: &str, value: String| {
        if !holds(stored, name, &value) {
            changed.insert(name.to_owned(), value);
        }
    };
    if after != before || text(stored, PROGRESS_STATE).is_none() {
        want(PROGRESS_STATE, state);
    }
    want(PROGRESS_SUMMARY, summary(&after));
    if after.is_empty() {
        if contact.is_none() {
            want(TOTAL_PROGRESS, "0".into());
        }
    } else {
        let enrolled = after.all_courses().filter(|(_, course)| course.enrolled.is_some());
        want(
            ENROLLED_COURSES,
            list(text(stored, ENROLLED_COURSES), enrolled.map(|(slug, _)| slug)),
        );
        let completed = before
            .all_courses()
            .chain(after.all_courses())
            .filter(|(_, course)| course.completed.is_some());
        want(
            COMPLETED_COURSES,
            list(text(stored, COMPLETED_COURSES), completed.map(|(slug, _)| slug)),
        );
        let total = after.all_modules().filter(|module| module.completed.is_some()).count();
        want(TOTAL_PROGRESS, total.to_string());
    }
    if let Some(viewed) = &facts.viewed
        && last_viewed(stored).is_none_or(|last| last <= *viewed)
    {
        want(LAST_VIEWED_TYPE, viewed.page.content_type.clone());
        want(LAST_VIEWED_SLUG, viewed.page.slug.clone());
        want(LAST_VIEWED_AT, state::instant(viewed.at));
    }
    if let Some(activity) = facts.activity.map(|at| at.date_naive()) {
        for name in [LAST_ACTIVITY, PROGRESS_UPDATED_AT] {
            if text(stored, name).and_then(date).is_none_or(|held| held < activity) {
                changed.insert(name.to_owned(), activity.to_string());
            }
        }
    }

    let unsupported_claims =
        facts.claims.iter().filter(|claim| !catalog.is_complete(&after, claim)).cloned().collect();
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
    let of_modules = |slug: &str, modules: &BTreeMap<String, crate::facts::Module>| {
        let done = modules.values().filter(|module| module.completed.is_some()).count();
        (!modules.is_empty()).then(|| format!("{slug}: {done}/{} modules", modules.len()))
    };
    let of_pathways = progress.pathways.iter().filter_map(|(slug, pathway)| {
        if pathway.courses.is_empty() {
            return of_modules(slug, &pathway.modules);
        }
        let done = pathway.courses.values().filter(|course| course.completed.is_some()).count();
        Some(format!("{slug}: {done}/{} courses", pathway.courses.len()))
    });
    let of_courses =
        progress.courses.iter().filter_map(|(slug, course)| of_modules(slug, &course.modules));
    let parts: Vec<String> = of_pathways.chain(of_courses).collect();
    if parts.is_empty() { "In progress".into() } else { parts.join("; ") }
}

fn list<'a>(held: Option<&'a str>, more: impl Iterator<Item = &'a String>) -> String {
    let held = held.unwrap_or_default().split(';').map(str::trim).filter(|slug| !slug.is_empty());
    let mut slugs: Vec<&str> = held.chain(more.map(String::as_str)).collect();
    slugs.sort_unstable();
    slugs.dedup();
    slugs.join(";")
}

fn last_viewed(stored: &Values) -> Option<Viewed> {
    let at = text(stored, LAST_VIEWED_AT).and_then(time)?;
    let part = |name: &str| text(stored, name).unwrap_or_default().to_owned();
    let page = Page { content_type: part(LAST_VIEWED_TYPE), slug: part(LAST_VIEWED_SLUG) };
    Some(Viewed { at, page })
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
