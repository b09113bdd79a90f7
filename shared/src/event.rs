//! What an event is: the seven events with exactly the fields that each needs, and which time counts.
//!
//! [`submission`](crate::submission) reads [`Fields`] out of a body, [`envelope`](crate::envelope)
//! out of a message; [`Event::build`] is the one place where fields become an [`Event`].
//!
//! **Invariant**: an [`Event`] has all that its facts need. What is missing is an answer of
//! [`Event::build`], never a field that a later step finds empty.

use chrono::{DateTime, Months, SubsecRound, TimeDelta, Utc};

use crate::identity::Person;
use crate::slug::Slug;
use crate::state::time_of;

/// How far in the future an event's own time may lie, for clocks that run ahead.
pub const FUTURE_MAX: TimeDelta = TimeDelta::minutes(5);
/// How far in the past an event's own time may lie, in months.
pub const PAST_MONTHS_MAX: u32 = 60;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A contact starts a module.
    ModuleStarted(ModulePlace),
    /// A contact completes a module.
    ModuleCompleted(ModulePlace),
    /// A contact enrolls in a pathway.
    PathwayEnrolled {
        /// The pathway.
        pathway: Slug,
        /// Where the enrollment came from.
        source: Option<String>,
    },
    /// Somebody claims that a pathway is complete.
    PathwayCompleted {
        /// The pathway.
        pathway: Slug,
    },
    /// A contact enrolls in a course.
    CourseEnrolled {
        /// The course.
        course: CoursePlace,
        /// Where the enrollment came from.
        source: Option<String>,
    },
    /// Somebody claims that a course is complete.
    CourseCompleted {
        /// The course.
        course: CoursePlace,
    },
    /// A contact views a page.
    PageViewed {
        /// The page.
        page: Page,
        /// Where the page belongs, as far as the event says so.
        within: Mentioned,
    },
}

/// A course, and the pathway that it's taken in unless it's standalone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoursePlace {
    /// The pathway; `None` for a standalone course.
    pub pathway: Option<Slug>,
    /// The course.
    pub course: Slug,
}

/// Which module an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModulePlace {
    /// A module of a course.
    InCourse {
        /// The course.
        course: CoursePlace,
        /// The module.
        module: Slug,
    },
    /// A module of a flat pathway.
    Flat {
        /// The pathway.
        pathway: Slug,
        /// The module.
        module: Slug,
    },
    /// No module, or a module of neither a pathway nor a course: activity only.
    ActivityOnly(Mentioned),
}

/// Slugs that an event mentions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mentioned {
    /// A pathway.
    pub pathway: Option<Slug>,
    /// A course.
    pub course: Option<Slug>,
    /// A module.
    pub module: Option<Slug>,
}

/// A page that was viewed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Page {
    /// `payload.content_type`: `course`, `module`, `pathway` or anything else.
    pub content_type: String,
    /// `payload.slug`.
    pub slug: Slug,
}

/// All that a body or a message may say of an event; which of it an event needs, its name decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// The pathway.
    pub pathway: Option<Slug>,
    /// The course.
    pub course: Option<Slug>,
    /// The module.
    pub module: Option<Slug>,
    /// Where an enrollment came from.
    pub source: Option<String>,
    /// The page.
    pub page: Option<Page>,
}

/// A field that an event of this name can't be without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} needs {what}", name.as_str())]
pub struct Missing {
    /// The event.
    pub name: EventName,
    /// The field, by its name in a body.
    pub what: &'static str,
}

/// A valid event as a page sent it: what happened, and what the sender says beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentEvent {
    /// What happened.
    pub event: Event,
    /// The id that the client made, if it made one.
    pub id: Option<String>,
    /// The person that the body names, if it names one.
    pub contact: Option<Person>,
    /// `payload.ts` as it came; [`Ts::when`] decides whether it counts.
    pub ts: Ts,
}

/// The seven events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventName {
    /// `learning_module_started`
    ModuleStarted,
    /// `learning_module_completed`
    ModuleCompleted,
    /// `learning_pathway_enrolled`
    PathwayEnrolled,
    /// `learning_pathway_completed`: a claim
    PathwayCompleted,
    /// `learning_course_enrolled`
    CourseEnrolled,
    /// `learning_course_completed`: a claim
    CourseCompleted,
    /// `learning_page_viewed`
    PageViewed,
}

/// `payload.ts` before it is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ts {
    /// Not there.
    Missing,
    /// There, but no RFC 3339 text.
    Unreadable,
    /// An instant, cut to milliseconds.
    Read(DateTime<Utc>),
}

/// When an event happened, and why it isn't its own time if it isn't.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    /// The time that counts, in whole milliseconds.
    pub at: DateTime<Utc>,
    /// `None`: the event's own time. Else why the receive time stands in for it.
    pub replaced: Option<TimeReplaced>,
}

/// Why the receive time stands in for an event's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeReplaced {
    /// It has none.
    Missing,
    /// It is no RFC 3339 time.
    Unreadable,
    /// It lies more than five minutes in the future.
    Future,
    /// It lies more than five years in the past.
    Past,
}

impl Event {
    /// The event that these fields make.
    ///
    /// # Errors
    /// [`Missing`].
    pub fn build(name: EventName, fields: Fields) -> Result<Self, Missing> {
        let Fields { pathway, course, module, source, page } = fields;
        let needs = |what| Missing { name, what };
        Ok(match name {
            EventName::ModuleStarted => {
                Self::ModuleStarted(ModulePlace::of(Mentioned { pathway, course, module }))
            }
            EventName::ModuleCompleted => {
                Self::ModuleCompleted(ModulePlace::of(Mentioned { pathway, course, module }))
            }
            EventName::PathwayEnrolled => {
                Self::PathwayEnrolled { pathway: pathway.ok_or(needs("pathway_slug"))?, source }
            }
            EventName::PathwayCompleted => {
                Self::PathwayCompleted { pathway: pathway.ok_or(needs("pathway_slug"))? }
            }
            EventName::CourseEnrolled => {
                let course = course.ok_or(needs("course_slug"))?;
                Self::CourseEnrolled { course: CoursePlace { pathway, course }, source }
            }
            EventName::CourseCompleted => {
                let course = course.ok_or(needs("course_slug"))?;
                Self::CourseCompleted { course: CoursePlace { pathway, course } }
            }
            EventName::PageViewed => Self::PageViewed {
                page: page.ok_or(needs("payload.content_type and payload.slug"))?,
                within: Mentioned { pathway, course, module },
            },
        })
    }

    /// Its name.
    pub fn name(&self) -> EventName {
        match self {
            Self::ModuleStarted(_) => EventName::ModuleStarted,
            Self::ModuleCompleted(_) => EventName::ModuleCompleted,
            Self::PathwayEnrolled { .. } => EventName::PathwayEnrolled,
            Self::PathwayCompleted { .. } => EventName::PathwayCompleted,
            Self::CourseEnrolled { .. } => EventName::CourseEnrolled,
            Self::CourseCompleted { .. } => EventName::CourseCompleted,
            Self::PageViewed { .. } => EventName::PageViewed,
        }
    }

    /// The pathway that it mentions.
    pub fn pathway(&self) -> Option<&Slug> {
        let [pathway, ..] = self.slugs();
        pathway
    }

    /// The course that it mentions.
    pub fn course(&self) -> Option<&Slug> {
        let [_, course, _] = self.slugs();
        course
    }

    /// The module that it mentions.
    pub fn module(&self) -> Option<&Slug> {
        let [.., module] = self.slugs();
        module
    }

    /// Its fields: [`Event::build`] makes the event of them again.
    pub fn fields(&self) -> Fields {
        let [pathway, course, module] = self.slugs().map(|slug| slug.cloned());
        let (source, page) = match self {
            Self::PathwayEnrolled { source, .. } | Self::CourseEnrolled { source, .. } => {
                (source.clone(), None)
            }
            Self::PageViewed { page, .. } => (None, Some(page.clone())),
            Self::ModuleStarted(_)
            | Self::ModuleCompleted(_)
            | Self::PathwayCompleted { .. }
            | Self::CourseCompleted { .. } => (None, None),
        };
        Fields { pathway, course, module, source, page }
    }

    /// Pathway, course and module.
    fn slugs(&self) -> [Option<&Slug>; 3] {
        match self {
            Self::ModuleStarted(place) | Self::ModuleCompleted(place) => match place {
                ModulePlace::InCourse { course: CoursePlace { pathway, course }, module } => {
                    [pathway.as_ref(), Some(course), Some(module)]
                }
                ModulePlace::Flat { pathway, module } => [Some(pathway), None, Some(module)],
                ModulePlace::ActivityOnly(mentioned) => mentioned.slugs(),
            },
            Self::PathwayEnrolled { pathway, .. } | Self::PathwayCompleted { pathway } => {
                [Some(pathway), None, None]
            }
            Self::CourseEnrolled { course: CoursePlace { pathway, course }, .. }
            | Self::CourseCompleted { course: CoursePlace { pathway, course } } => {
                [pathway.as_ref(), Some(course), None]
            }
            Self::PageViewed { within, .. } => within.slugs(),
        }
    }
}

impl Mentioned {
    fn slugs(&self) -> [Option<&Slug>; 3] {
        [self.pathway.as_ref(), self.course.as_ref(), self.module.as_ref()]
    }
}

impl ModulePlace {
    fn of(mentioned: Mentioned) -> Self {
        match mentioned {
            Mentioned { pathway, course: Some(course), module: Some(module) } => {
                Self::InCourse { course: CoursePlace { pathway, course }, module }
            }
            Mentioned { pathway: Some(pathway), course: None, module: Some(module) } => {
                Self::Flat { pathway, module }
            }
            activity => Self::ActivityOnly(activity),
        }
    }
}

impl EventName {
    /// All of them, in the order of semantics.md.
    pub const ALL: [Self; 7] = [
        Self::ModuleStarted,
        Self::ModuleCompleted,
        Self::PathwayEnrolled,
        Self::PathwayCompleted,
        Self::CourseEnrolled,
        Self::CourseCompleted,
        Self::PageViewed,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ModuleStarted => "learning_module_started",
            Self::ModuleCompleted => "learning_module_completed",
            Self::PathwayEnrolled => "learning_pathway_enrolled",
            Self::PathwayCompleted => "learning_pathway_completed",
            Self::CourseEnrolled => "learning_course_enrolled",
            Self::CourseCompleted => "learning_course_completed",
            Self::PageViewed => "learning_page_viewed",
        }
    }

    /// The event of this name, if there is one.
    pub fn from_wire(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == text)
    }
}

impl TimeReplaced {
    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
            Self::Future => "future",
            Self::Past => "past",
        }
    }
}

impl Ts {
    /// The time that a text gives.
    pub fn read(text: &str) -> Self {
        time_of(text).map_or(Self::Unreadable, Self::Read)
    }

    /// When an event with this time happened: at its own time, however late it comes; at the
    /// receive time where its own is missing, unreadable or absurd.
    pub fn when(self, received_at: DateTime<Utc>) -> When {
        let replaced = match self {
            Self::Missing => TimeReplaced::Missing,
            Self::Unreadable => TimeReplaced::Unreadable,
            Self::Read(at) if at > received_at + FUTURE_MAX => TimeReplaced::Future,
            Self::Read(at)
                if received_at
                    .checked_sub_months(Months::new(PAST_MONTHS_MAX))
                    .is_some_and(|oldest| at < oldest) =>
            {
                TimeReplaced::Past
            }
            Self::Read(at) => return When { at, replaced: None },
        };
        When { at: received_at.trunc_subsecs(3), replaced: Some(replaced) }
    }
}
