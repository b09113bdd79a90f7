//! The three invariants of the weekly spot check, judged on one contact's values.
//!
//! | invariant | what must hold |
//! |---|---|
//! | `enrolled_courses` | `hhl_enrolled_courses` names the courses that the state has as enrolled, each once |
//! | `completed_courses` | every course in `hhl_completed_courses` is in `hhl_enrolled_courses` |
//! | `total_progress` | `hhl_total_progress` is the number of completed modules in the state |
//!
//! A state that can't be read is a fault of its own, `progress_state`: what is compared with it can't
//! be judged then.

use std::collections::BTreeSet;

use serde::Serialize;
use shared::milestones::Values;
use shared::properties::{COMPLETED_COURSES, ENROLLED_COURSES, PROGRESS_STATE, TOTAL_PROGRESS};
use shared::state;

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Broken {
    /// Which.
    pub(crate) invariant: &'static str,
    /// In what.
    pub(crate) why: String,
}

/// What does not hold of these values.
pub(crate) fn broken(held: &Values) -> Vec<Broken> {
    let text = |name: &str| held.get(name).map(String::as_str).unwrap_or_default();
    let enrolled = List::read(text(ENROLLED_COURSES));
    let completed = List::read(text(COMPLETED_COURSES));
    let mut broken = Vec::new();
    let mut breaks = |invariant, why: String| broken.push(Broken { invariant, why });

    let beyond = named(completed.slugs.difference(&enrolled.slugs).copied());
    if let Some(beyond) = beyond {
        breaks("completed_courses", format!("{ENROLLED_COURSES} lacks {beyond}"));
    }
    let progress = match state::read(Some(text(PROGRESS_STATE))) {
        Ok(progress) => progress,
        Err(corrupt) => {
            breaks("progress_state", corrupt.to_string());
            return broken;
        }
    };
    let in_state: BTreeSet<&str> = progress
        .all_courses()
        .filter(|(_, course)| course.enrolled.is_some())
        .map(|(slug, _)| slug.as_str())
        .collect();
    if let Some(missing) = named(in_state.difference(&enrolled.slugs).copied()) {
        breaks("enrolled_courses", format!("the list lacks {missing}"));
    }
    if let Some(more) = named(enrolled.slugs.difference(&in_state).copied()) {
        breaks("enrolled_courses", format!("the state has no enrolment in {more}"));
    }
    if let Some(twice) = named(enrolled.twice.into_iter()) {
        breaks("enrolled_courses", format!("the list has {twice} more than once"));
    }
    let counted = progress.all_modules().filter(|module| module.completed.is_some()).count();
    let told = text(TOTAL_PROGRESS);
    let is_counted = match told {
        "" => counted == 0,
        told => told.parse::<f64>().is_ok_and(|told| told == counted as f64),
    };
    if !is_counted {
        let told = if told.is_empty() { "not set" } else { told };
        breaks("total_progress", format!("it is {told}, and the state has {counted} modules"));
    }
    broken
}

/// Slugs joined by `;`, as a property holds them.
struct List<'a> {
    slugs: BTreeSet<&'a str>,
    twice: BTreeSet<&'a str>,
}

impl<'a> List<'a> {
    fn read(text: &'a str) -> Self {
        let mut list = Self { slugs: BTreeSet::new(), twice: BTreeSet::new() };
        for slug in text.split(';').map(str::trim).filter(|slug| !slug.is_empty()) {
            if !list.slugs.insert(slug) {
                list.twice.insert(slug);
            }
        }
        list
    }
}

/// The slugs in words; `None` if there are none.
fn named<'a>(slugs: impl Iterator<Item = &'a str>) -> Option<String> {
    let slugs: Vec<&str> = slugs.collect();
    (!slugs.is_empty()).then(|| slugs.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &str = r#"{"p":{"enrolled":true,"courses":{"a":{"enrolled":true,"modules":{"m":{"completed":true},"n":{"started":true}}},"b":{"modules":{}}}},"courses":{"c":{"enrolled":true,"modules":{"m":{"completed":true}}}}}"#;

    #[track_caller]
    fn check(enrolled: &str, completed: &str, total: &str, state: &str, expected: &[&str]) {
        let held = [
            (ENROLLED_COURSES, enrolled),
            (COMPLETED_COURSES, completed),
            (TOTAL_PROGRESS, total),
            (PROGRESS_STATE, state),
        ];
        let held = held.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let found: Vec<String> = broken(&held.into())
            .into_iter()
            .map(|Broken { invariant, why }| format!("{invariant}: {why}"))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_milepost_writes_holds() {
        check("a;c", "c", "2", STATE, &[]);
        check("c; a", "", "2.0", STATE, &[]);
        check("", "", "0", "{}", &[]);
        check("", "", "", "", &[]);
    }

    #[test]
    fn enrolled_courses_match_the_state() {
        check("c", "", "2", STATE, &["enrolled_courses: the list lacks a"]);
        check("", "", "2", STATE, &["enrolled_courses: the list lacks a, c"]);
        check("a;b;c", "", "2", STATE, &["enrolled_courses: the state has no enrolment in b"]);
        check("a;c;a", "", "2", STATE, &["enrolled_courses: the list has a more than once"]);
        check("a", "", "0", "", &["enrolled_courses: the state has no enrolment in a"]);
    }

    #[test]
    fn completed_courses_are_enrolled_ones() {
        let lacks_d = "completed_courses: hhl_enrolled_courses lacks d";
        check("a;c", "c;d", "2", STATE, &[lacks_d]);
        let corrupt = "progress_state: the stored state is not a JSON object";
        check("a", "d", "7", "[]", &[lacks_d, corrupt]);
    }

    #[test]
    fn the_total_is_the_count_of_completed_modules() {
        check("a;c", "", "3", STATE, &["total_progress: it is 3, and the state has 2 modules"]);
        check(
            "a;c",
            "",
            "",
            STATE,
            &["total_progress: it is not set, and the state has 2 modules"],
        );
        check("a;c", "", "x", STATE, &["total_progress: it is x, and the state has 2 modules"]);
    }
}
