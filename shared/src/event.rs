//! What an event is: the seven names, what each carries, and which time counts.
//!
//! `submission` makes events out of bytes; this is the only form in which one exists from there on.

use chrono::{DateTime, Months, SubsecRound, TimeDelta, Utc};

use crate::identity::Person;

/// The pathway slug that would collide with the state's key for standalone courses.
pub const RESERVED_PATHWAY: &str = "courses";
/// How far in the future an event's own time may lie, for clocks that run ahead.
pub const FUTURE_MAX: TimeDelta = TimeDelta::minutes(5);
/// How far in the past an event's own time may lie, in months.
pub const PAST_MONTHS_MAX: u32 = 60;

/// A valid event, as the page sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub name: EventName,
    /// The id that the client made, if it made one.
    pub id: Option<String>,
    /// Whom the body names, if anybody.
    pub contact: Option<Person>,
    /// The pathway it happened in.
    pub pathway: Option<String>,
    /// The course it happened in.
    pub course: Option<String>,
    /// The module it is about.
    pub module: Option<String>,
    /// Where an enrolment came from.
    pub source: Option<String>,
    /// The page of a page view.
    pub viewed: Option<Page>,
    /// `payload.ts` as it came; [`Event::when`] decides whether it counts.
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

/// A page that was viewed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Page {
    /// `payload.content_type`: `course`, `module`, `pathway` or anything else.
    pub content_type: String,
    /// `payload.slug`.
    pub slug: String,
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

impl Event {
    /// When it happened: its own time, however late it comes; the receive time where its own is
    /// missing, unreadable or absurd.
    pub fn when(&self, received_at: DateTime<Utc>) -> When {
        let replaced = match self.ts {
            Ts::Missing => TimeReplaced::Missing,
            Ts::Unreadable => TimeReplaced::Unreadable,
            Ts::Read(at) if at > received_at + FUTURE_MAX => TimeReplaced::Future,
            Ts::Read(at)
                if received_at
                    .checked_sub_months(Months::new(PAST_MONTHS_MAX))
                    .is_some_and(|oldest| at < oldest) =>
            {
                TimeReplaced::Past
            }
            Ts::Read(at) => return When { at, replaced: None },
        };
        When { at: received_at.trunc_subsecs(3), replaced: Some(replaced) }
    }
}
