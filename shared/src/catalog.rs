//! The catalog of courses and pathways, and what follows from it: the roll-ups.
//!
//! A roll-up is derived from facts and catalog every time, for the courses and pathways that the
//! events name; it is never taken from an event's word.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;

use crate::facts::{Claim, Course, Module, Named, Pathway, Progress, Reached, earliest};
use crate::json;
use crate::limits::invisible_edge;
use crate::slug::{Slug, SlugFault};

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

impl Catalog {
    /// Reads a catalog and says all that is wrong with it. What is wrong is left out, so that the
    /// rest can be checked.
    pub fn read(files: &[CatalogFile]) -> (Self, Vec<CatalogFault>) {
        let mut catalog = Self::default();
        let mut faults = Vec::new();
        for file in files {
            let (slug, members) = match entry(file, &mut faults) {
                Ok(entry) => entry,
                Err(what) => {
                    faults.push(CatalogFault::error(&file.path, what));
                    continue;
                }
            };
            for slug in std::iter::once(&slug).chain(&members) {
                if let Some(character) = invisible_edge(slug) {
                    let what = format!(
                        "the slug {:?} has the invisible character U+{:04X} at its edge, so it \
                         isn't the slug that it looks like; hint: remove the character",
                        slug.as_str(),
                        u32::from(character)
                    );
                    faults.push(CatalogFault::warning(&file.path, what));
                }
            }
            if members.iter().collect::<BTreeSet<_>>().len() < members.len() {
                let what = "lists the same slug twice";
                faults.push(CatalogFault::warning(&file.path, what.into()));
            }
            let known = match file.kind {
                CatalogKind::Course => &mut catalog.courses,
                CatalogKind::Pathway => &mut catalog.pathways,
            };
            let members = members.into_iter().map(String::from).collect();
            if known.insert(slug.to_string(), members).is_some() {
                let what = format!("{slug} is defined by another file too");
                faults.push(CatalogFault::error(&file.path, what));
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
                    "the pathway names the course {course:?}, which no file defines, so it is never \
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
                Some(pathway) => progress.pathways.get_mut(*pathway).map(|p| &mut p.courses),
            };
            if let Some(course) = courses.and_then(|courses| courses.get_mut(*slug)) {
                self.roll_up_course(slug, course);
            }
        }
        for slug in &named.pathways {
            if let Some(pathway) = progress.pathways.get_mut(*slug) {
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

/// The slug of a file, and the slugs that it lists. A listed slug that is wrong is left out, and
/// told.
///
/// # Errors
/// What is wrong with the file as a whole.
fn entry(file: &CatalogFile, faults: &mut Vec<CatalogFault>) -> Result<(Slug, Vec<Slug>), String> {
    let list = match file.kind {
        CatalogKind::Course => "modules",
        CatalogKind::Pathway => "courses",
    };
    let document = json::document(file.text.as_bytes()).map_err(|error| error.to_string())?;
    let file_members = json::members(document, ["slug", list]).ok_or("is not a JSON object")?;
    let text = |value: &RawValue| json::text(value).ok_or("holds a slug that is not a text");
    let slug = text(file_members.get("slug").ok_or("has no slug")?)?;
    let slug = match file.kind {
        CatalogKind::Course => Slug::parse(&slug),
        CatalogKind::Pathway => Slug::parse_pathway(&slug),
    }
    .map_err(|fault| told(&slug, fault))?;
    let listed = file_members
        .get(list)
        .and_then(json::elements)
        .ok_or_else(|| format!("has no list of {list}"))?;
    let mut members = Vec::with_capacity(listed.len());
    for listed in listed {
        let listed = text(listed)?;
        match Slug::parse(&listed) {
            Ok(slug) => members.push(slug),
            Err(fault) => faults.push(CatalogFault::error(&file.path, told(&listed, fault))),
        }
    }
    Ok((slug, members))
}

fn told(slug: &str, fault: SlugFault) -> String {
    match fault {
        SlugFault::Empty => "holds an empty slug".into(),
        SlugFault::TooLong => "holds a slug of more than 200 characters".into(),
        SlugFault::Character => format!("the slug {slug:?} {fault}"),
        SlugFault::Reserved => format!("{fault}; hint: give the pathway another slug"),
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
