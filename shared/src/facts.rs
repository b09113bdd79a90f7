//! An event as facts, and the join of facts: what makes order and duplicates not matter.
//!
//! [`Facts`] come from one event or from many; [`Facts::join`] merges them, [`Progress::join`]
//! merges them into what a contact holds. Both are commutative, associative and idempotent, which
//! property tests hold them to. Roll-ups are no facts: `catalog` derives them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::event::{CoursePlace, Event, ModulePlace, Page};
use crate::properties::VIEWED_TYPES;
use crate::slug::Slug;
use crate::unknown::Unknown;

/// The source of an enrolment that only a module event implies.
pub const IMPLIED_SOURCE: &str = "module_event";

/// An event with the time that counts: the part that crosses the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// When.
    pub at: DateTime<Utc>,
    /// What happened.
    pub event: Event,
}

/// All that one event, or all events of one contact in a batch, have to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Enrolments, starts and completions, in the shape of the state.
    pub progress: Progress,
    /// The page viewed last.
    pub viewed: Option<Viewed>,
    /// The latest activity.
    pub activity: Option<DateTime<Utc>>,
    /// Completions that were claimed: no facts, but judged after the join.
    pub claims: BTreeSet<Claim>,
    /// Whether all that is derived is to be derived anew, and not only what the facts name.
    pub recompute: bool,
}

/// A page view. The order of the fields is the order of the join: later, then larger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Viewed {
    /// When.
    pub at: DateTime<Utc>,
    /// What kind of page.
    pub content_type: String,
    /// Which page. A portal may hold a text here that is no slug.
    pub slug: String,
}

/// A claim that a pathway or a course is complete.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// A whole pathway.
    Pathway(String),
    /// A course in a pathway, or a standalone one.
    Course {
        /// The pathway, if it names one.
        pathway: Option<String>,
        /// The course.
        course: String,
    },
}

/// The courses and pathways that facts and claims name: those whose roll-ups are recomputed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named<'a> {
    /// Courses, each with its pathway unless it is standalone.
    pub courses: BTreeSet<(Option<&'a str>, &'a str)>,
    /// Pathways.
    pub pathways: BTreeSet<&'a str>,
}

/// A tree of pathways, courses and modules with what is known of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// By slug.
    pub pathways: BTreeMap<String, Pathway>,
    /// The standalone courses, by slug.
    pub courses: BTreeMap<String, Course>,
    /// Keys of the stored state that Milepost does not know.
    pub unknown: Unknown,
}

/// One pathway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pathway {
    /// That and how the contact is enrolled.
    pub enrolled: Option<Enrolment>,
    /// Roll-up: any of its courses or flat modules started.
    pub started: Option<Reached>,
    /// Roll-up: all of its catalog's courses completed.
    pub completed: Option<Reached>,
    /// By slug.
    pub courses: BTreeMap<String, Course>,
    /// Modules of a flat pathway, by slug.
    pub modules: BTreeMap<String, Module>,
    /// Keys that Milepost does not know.
    pub unknown: Unknown,
}

/// One course, in a pathway or standalone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Course {
    /// That and how the contact is enrolled.
    pub enrolled: Option<Enrolment>,
    /// Roll-up: any module started.
    pub started: Option<Reached>,
    /// Roll-up: all of its catalog's modules completed.
    pub completed: Option<Reached>,
    /// By slug.
    pub modules: BTreeMap<String, Module>,
    /// Keys that Milepost does not know.
    pub unknown: Unknown,
}

/// One module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Module {
    /// That it was started.
    pub started: Option<Reached>,
    /// That it was completed.
    pub completed: Option<Reached>,
    /// Keys that Milepost does not know.
    pub unknown: Unknown,
}

/// A flag that is set, with its time if the state has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// `None` only where the stored state has the flag without a time.
    pub at: Option<DateTime<Utc>>,
}

/// An enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// `None` only where the stored state has the flag without a time.
    pub at: Option<DateTime<Utc>>,
    /// Where it came from; [`IMPLIED_SOURCE`] where only a module event says so.
    pub source: Option<String>,
}

impl Facts {
    /// What one event says.
    pub fn of(happening: &Happening) -> Self {
        let Happening { at, event } = happening;
        let mut facts = Self { activity: Some(*at), ..Self::default() };
        match event {
            Event::PathwayEnrolled { pathway, source } => {
                let enrolment = Enrolment { at: Some(*at), source: source.clone() };
                facts.progress.enrol(Some(pathway), None, enrolment);
            }
            Event::CourseEnrolled { course: CoursePlace { pathway, course }, source } => {
                let enrolment = Enrolment { at: Some(*at), source: source.clone() };
                facts.progress.enrol(pathway.as_deref(), Some(course), enrolment);
            }
            Event::ModuleStarted(place) => {
                if let Some(module) = facts.progress.reach(place, *at) {
                    module.started = Some(Reached { at: Some(*at) });
                }
            }
            Event::ModuleCompleted(place) => {
                if let Some(module) = facts.progress.reach(place, *at) {
                    module.completed = Some(Reached { at: Some(*at) });
                }
            }
            Event::PageViewed { page, within: _ } => {
                // Another type is activity only: HubSpot's enumeration lacks it.
                if VIEWED_TYPES.contains(&page.content_type.as_str()) {
                    let Page { content_type, slug } = page.clone();
                    facts.viewed = Some(Viewed { at: *at, content_type, slug: slug.into() });
                }
            }
            Event::PathwayCompleted { pathway } => {
                facts.claims.insert(Claim::Pathway(pathway.to_string()));
            }
            Event::CourseCompleted { course: CoursePlace { pathway, course } } => {
                let pathway = pathway.as_ref().map(Slug::to_string);
                facts.claims.insert(Claim::Course { pathway, course: course.to_string() });
            }
        }
        facts
    }

    /// What a recompute says: nothing of the contact, but that all is to be derived anew.
    pub fn recompute() -> Self {
        Self { recompute: true, ..Self::default() }
    }

    /// Whether a recompute is all there is: it makes no contact and no state.
    pub fn is_bare_recompute(&self) -> bool {
        self.recompute && self.activity.is_none()
    }

    /// What they name.
    pub fn named(&self) -> Named<'_> {
        let mut named = self.progress.named();
        for claim in &self.claims {
            match claim {
                Claim::Pathway(slug) => {
                    named.pathways.insert(slug);
                }
                Claim::Course { pathway, course } => {
                    named.pathways.extend(pathway.as_deref());
                    named.courses.insert((pathway.as_deref(), course));
                }
            }
        }
        named
    }

    /// Both together.
    #[must_use]
    pub fn join(mut self, other: Self) -> Self {
        self.progress.join(&other.progress);
        self.viewed = self.viewed.max(other.viewed);
        self.activity = self.activity.max(other.activity);
        self.claims.extend(other.claims);
        self.recompute |= other.recompute;
        self
    }
}

impl Progress {
    /// Takes in what the other holds. Of a key that Milepost does not know, ours stays.
    pub fn join(&mut self, other: &Self) {
        join_by_slug(&mut self.pathways, &other.pathways);
        join_by_slug(&mut self.courses, &other.courses);
        self.unknown.join(&other.unknown);
    }

    /// Every course and pathway that stands in it.
    pub fn named(&self) -> Named<'_> {
        let mut named = Named::default();
        named.courses.extend(self.courses.keys().map(|course| (None, course.as_str())));
        for (slug, pathway) in self.pathways.iter() {
            named.pathways.insert(slug);
            let courses = pathway.courses.keys();
            named.courses.extend(courses.map(|course| (Some(slug.as_str()), course.as_str())));
        }
        named
    }

    /// Whether the state has no keys at all.
    pub fn is_empty(&self) -> bool {
        let Self { pathways, courses, unknown } = self;
        pathways.is_empty() && courses.is_empty() && unknown.is_empty()
    }

    /// Every course, standalone ones and those in pathways.
    pub fn all_courses(&self) -> impl Iterator<Item = (&String, &Course)> {
        self.courses.iter().chain(self.pathways.values().flat_map(|pathway| pathway.courses.iter()))
    }

    /// Every module, wherever it stands.
    pub fn all_modules(&self) -> impl Iterator<Item = &Module> {
        self.all_courses()
            .flat_map(|(_, course)| course.modules.values())
            .chain(self.pathways.values().flat_map(|pathway| pathway.modules.values()))
    }

    fn course(&mut self, pathway: Option<&str>, course: &str) -> &mut Course {
        let courses = match pathway {
            Some(pathway) => &mut self.pathways.entry(pathway.to_owned()).or_default().courses,
            None => &mut self.courses,
        };
        courses.entry(course.to_owned()).or_default()
    }

    /// Enrolls in whatever a module event implies. The module's own place; `None` where the event
    /// is activity only.
    fn reach(&mut self, place: &ModulePlace, at: DateTime<Utc>) -> Option<&mut Module> {
        let enrolment = Enrolment { at: Some(at), source: Some(IMPLIED_SOURCE.to_owned()) };
        match place {
            ModulePlace::InCourse { course: CoursePlace { pathway, course }, module } => {
                self.enrol(pathway.as_deref(), Some(course), enrolment);
                Some(
                    self.course(pathway.as_deref(), course)
                        .modules
                        .entry(module.to_string())
                        .or_default(),
                )
            }
            ModulePlace::Flat { pathway, module } => {
                self.enrol(Some(pathway), None, enrolment);
                let pathway = self.pathways.entry(pathway.to_string()).or_default();
                Some(pathway.modules.entry(module.to_string()).or_default())
            }
            ModulePlace::ActivityOnly(_) => None,
        }
    }

    fn enrol(&mut self, pathway: Option<&str>, course: Option<&str>, enrolment: Enrolment) {
        if let Some(pathway) = pathway {
            self.pathways.entry(pathway.to_owned()).or_default().enrolled = Some(enrolment.clone());
        }
        if let Some(course) = course {
            self.course(pathway, course).enrolled = Some(enrolment);
        }
    }
}

/// What is joined with another of its kind: facts by their rules, keys that Milepost does not know
/// side by side.
pub(crate) trait Join: Clone {
    /// Takes in what the other holds.
    fn join(&mut self, other: &Self);
}

impl Join for Pathway {
    fn join(&mut self, other: &Self) {
        join_enrolment(&mut self.enrolled, other.enrolled.as_ref());
        join_reached(&mut self.started, other.started);
        join_reached(&mut self.completed, other.completed);
        join_by_slug(&mut self.courses, &other.courses);
        join_by_slug(&mut self.modules, &other.modules);
        join_unknown(
            &mut self.unknown,
            &other.unknown,
            self.enrolled.as_ref(),
            [self.started, self.completed],
        );
    }
}

impl Join for Course {
    fn join(&mut self, other: &Self) {
        join_enrolment(&mut self.enrolled, other.enrolled.as_ref());
        join_reached(&mut self.started, other.started);
        join_reached(&mut self.completed, other.completed);
        join_by_slug(&mut self.modules, &other.modules);
        join_unknown(
            &mut self.unknown,
            &other.unknown,
            self.enrolled.as_ref(),
            [self.started, self.completed],
        );
    }
}

impl Join for Module {
    fn join(&mut self, other: &Self) {
        join_reached(&mut self.started, other.started);
        join_reached(&mut self.completed, other.completed);
        join_unknown(&mut self.unknown, &other.unknown, None, [self.started, self.completed]);
    }
}

fn join_by_slug<T: Join>(ours: &mut BTreeMap<String, T>, theirs: &BTreeMap<String, T>) {
    for (slug, theirs) in theirs {
        match ours.get_mut(slug) {
            Some(ours) => ours.join(theirs),
            None => {
                ours.insert(slug.clone(), theirs.clone());
            }
        }
    }
}

/// Both sides' keys, but not those that a known key now hides: an unreadable time, or a source
/// without an enrolment.
fn join_unknown(
    ours: &mut Unknown,
    theirs: &Unknown,
    enrolled: Option<&Enrolment>,
    [started, completed]: [Option<Reached>; 2],
) {
    ours.join(theirs);
    if ours.is_empty() {
        return;
    }
    let hidden = [
        ("enrollment_source", enrolled.is_some()),
        ("enrolled_at", enrolled.is_some_and(|enrolled| enrolled.at.is_some())),
        ("started_at", started.is_some_and(|started| started.at.is_some())),
        ("completed_at", completed.is_some_and(|completed| completed.at.is_some())),
    ];
    for (key, _) in hidden.into_iter().filter(|(_, is_hidden)| *is_hidden) {
        ours.remove(key);
    }
}

/// The earliest; a flag without its time takes the first time that comes.
fn join_reached(ours: &mut Option<Reached>, theirs: Option<Reached>) {
    let Some(theirs) = theirs else { return };
    match ours {
        Some(ours) => ours.at = earliest(ours.at, theirs.at),
        None => *ours = Some(theirs),
    }
}

pub(crate) fn earliest(
    a: Option<DateTime<Utc>>,
    b: Option<DateTime<Utc>>,
) -> Option<DateTime<Utc>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn join_enrolment(ours: &mut Option<Enrolment>, theirs: Option<&Enrolment>) {
    let Some(theirs) = theirs else { return };
    if ours.as_ref().is_none_or(|ours| rank(theirs) < rank(ours)) {
        *ours = Some(theirs.clone());
    }
}

/// The order of enrolments; the smallest wins. A bare flag gives way to anything that knows more,
/// then: explicit before implied; earlier; with a source; the smaller source. It is total, which
/// is what makes the join commute.
fn rank(enrolment: &Enrolment) -> (bool, bool, bool, Option<DateTime<Utc>>, bool, Option<&str>) {
    let source = enrolment.source.as_deref();
    let is_bare = enrolment.at.is_none() && source.is_none();
    let is_implied = source == Some(IMPLIED_SOURCE);
    (is_bare, is_implied, enrolment.at.is_none(), enrolment.at, source.is_none(), source)
}
