//! The catalog of courses and pathways, and what follows from it: the roll-ups.
//!
//! A roll-up is derived from facts and catalog every time, for the courses and pathways that the
//! events name; it is never taken from an event's word.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::event::RESERVED_PATHWAY;
use crate::facts::{Claim, Course, Module, Named, Pathway, Progress, Reached, earliest};
use crate::limits::{SLUG_UNITS_MAX, is_key, is_listable, units};

/// Which modules a course has, and which courses a pathway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Modules by course slug.
    pub courses: BTreeMap<String, Vec<String>>,
    /// Courses by pathway slug.
    pub pathways: BTreeMap<String, Vec<String>>,
}

/// One file of the catalog's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogFile {
    /// Its path below the folder, for messages.
    pub path: String,
    /// Whether it stands in `courses` or in `pathways`.
    pub kind: CatalogKind,
    /// What it holds.
    pub text: String,
}

/// The two folders of a catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatalogKind {
    /// `courses/*.json`
    Course,
    /// `pathways/*.json`
    Pathway,
}

/// Something wrong in a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogFault {
    /// The file, or the slug it speaks of.
    pub place: String,
    /// What is wrong and what to do.
    pub what: String,
    /// An error makes the catalog unusable; the rest is worth a look.
    pub is_error: bool,
}

#[derive(Deserialize)]
struct CourseFile {
    slug: String,
    modules: Vec<String>,
}

#[derive(Deserialize)]
struct PathwayFile {
    slug: String,
    courses: Vec<String>,
}

impl Catalog {
    /// Reads a catalog and says all that is wrong with it.
    pub fn read(files: &[CatalogFile]) -> (Self, Vec<CatalogFault>) {
        let mut catalog = Self::default();
        let mut faults = Vec::new();
        for file in files {
            let read = match file.kind {
                CatalogKind::Course => serde_json::from_str::<CourseFile>(&file.text)
                    .map(|course| (course.slug, course.modules, &mut catalog.courses)),
                CatalogKind::Pathway => serde_json::from_str::<PathwayFile>(&file.text)
                    .map(|pathway| (pathway.slug, pathway.courses, &mut catalog.pathways)),
            };
            match read {
                Err(error) => faults.push(CatalogFault::error(&file.path, error.to_string())),
                Ok((slug, members, known)) => {
                    for slug in std::iter::once(&slug).chain(&members) {
                        if let Some(what) = slug_fault(slug) {
                            faults.push(CatalogFault::error(&file.path, what));
                        }
                    }
                    if file.kind == CatalogKind::Pathway && slug == RESERVED_PATHWAY {
                        let what = "'courses' is reserved; hint: give the pathway another slug";
                        faults.push(CatalogFault::error(&file.path, what.into()));
                    }
                    if members.iter().collect::<BTreeSet<_>>().len() < members.len() {
                        let what = "lists the same slug twice";
                        faults.push(CatalogFault::warning(&file.path, what.into()));
                    }
                    if known.insert(slug.clone(), members).is_some() {
                        let what = format!("{slug} is defined by another file too");
                        faults.push(CatalogFault::error(&file.path, what));
                    }
                }
            }
        }
        faults.extend(catalog.gaps());
        (catalog, faults)
    }

    /// What can never be completed as the catalog stands.
    fn gaps(&self) -> Vec<CatalogFault> {
        let mut gaps = Vec::new();
        for (slug, modules) in &self.courses {
            if modules.is_empty() {
                let what = "the course has no modules, so it is never completed";
                gaps.push(CatalogFault::warning(slug, what.into()));
            }
        }
        for (slug, courses) in &self.pathways {
            if courses.is_empty() {
                let what = "the pathway has no courses, so it is never completed";
                gaps.push(CatalogFault::warning(slug, what.into()));
            }
            for course in courses.iter().filter(|course| !self.courses.contains_key(*course)) {
                let what = format!(
                    "the pathway names the course {course}, which no file defines, so it is never \
                     completed"
                );
                gaps.push(CatalogFault::warning(slug, what));
            }
        }
        gaps
    }

    /// Recomputes the roll-ups of the courses and pathways that are named; what `progress` does
    /// not hold is not made.
    pub fn roll_up(&self, progress: &mut Progress, named: &Named<'_>) {
        for (pathway, slug) in &named.courses {
            let courses = match pathway {
                None => Some(&mut progress.courses),
                Some(pathway) => progress.pathways.get_mut(pathway).map(|p| &mut p.courses),
            };
            if let Some(course) = courses.and_then(|courses| courses.get_mut(slug)) {
                self.roll_up_course(slug, course);
            }
        }
        for slug in &named.pathways {
            if let Some(pathway) = progress.pathways.get_mut(slug) {
                self.roll_up_pathway(slug, pathway);
            }
        }
    }

    fn roll_up_course(&self, slug: &str, course: &mut Course) {
        roll_up_started(&mut course.started, course.modules.values().map(|module| module.started));
        if let Some(modules) = self.courses.get(slug) {
            let completed = modules.iter().map(|module| {
                course.modules.get(module).and_then(|module: &Module| module.completed)
            });
            let all = all_reached(completed);
            if all.is_none() {
                course.unknown.remove("completed_at");
            }
            course.completed = all.map(|all| keep_time(all, course.completed));
        }
    }

    fn roll_up_pathway(&self, slug: &str, pathway: &mut Pathway) {
        let of_courses = pathway.courses.values().map(|course| course.started);
        let of_modules = pathway.modules.values().map(|module| module.started);
        roll_up_started(&mut pathway.started, of_courses.chain(of_modules));
        if let Some(courses) = self.pathways.get(slug)
            && !pathway.courses.is_empty()
        {
            let completed = courses.iter().map(|course| {
                pathway.courses.get(course).and_then(|course: &Course| course.completed)
            });
            let all = all_reached(completed);
            if all.is_none() {
                pathway.unknown.remove("completed_at");
            }
            pathway.completed = all.map(|all| keep_time(all, pathway.completed));
        }
    }

    /// Whether every course of this pathway, or every module of this course, is completed.
    pub fn is_complete(&self, progress: &Progress, claim: &Claim) -> bool {
        match claim {
            Claim::Pathway(slug) => {
                progress.pathways.get(slug).is_some_and(|pathway| pathway.completed.is_some())
            }
            Claim::Course { pathway: Some(pathway), course } => progress
                .pathways
                .get(pathway)
                .and_then(|pathway| pathway.courses.get(course))
                .is_some_and(|course| course.completed.is_some()),
            Claim::Course { pathway: None, course } => {
                progress.courses.get(course).is_some_and(|course| course.completed.is_some())
            }
        }
    }
}

/// Started as soon as any part is, at the earliest time that a part has.
fn roll_up_started(whole: &mut Option<Reached>, parts: impl Iterator<Item = Option<Reached>>) {
    let started = parts.flatten().reduce(|a, b| Reached { at: earliest(a.at, b.at) });
    if let Some(started) = started {
        *whole = Some(keep_time(started, *whole));
    }
}

/// Reached when there is a part and every part is, at the latest time that a part has.
fn all_reached(mut parts: impl Iterator<Item = Option<Reached>>) -> Option<Reached> {
    let first = parts.next()??;
    parts.try_fold(first, |a, b| Some(Reached { at: a.at.max(b?.at) }))
}

/// A roll-up whose parts have no times keeps the one that it has.
fn keep_time(derived: Reached, stored: Option<Reached>) -> Reached {
    Reached { at: derived.at.or(stored.and_then(|stored| stored.at)) }
}

fn slug_fault(slug: &str) -> Option<String> {
    if slug.is_empty() {
        Some("holds an empty slug".into())
    } else if units(slug) > SLUG_UNITS_MAX {
        Some("holds a slug of more than 200 characters".into())
    } else if !is_listable(slug) {
        Some(format!("the slug {slug:?} holds ';' or a control character"))
    } else if !is_key(slug) {
        Some(format!("the slug {slug:?} is reserved; hint: give it another one"))
    } else {
        None
    }
}

impl CatalogFault {
    fn error(place: &str, what: String) -> Self {
        Self { place: place.to_owned(), what, is_error: true }
    }

    fn warning(place: &str, what: String) -> Self {
        Self { place: place.to_owned(), what, is_error: false }
    }
}
