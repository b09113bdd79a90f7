//! The custom events that Milepost sends under `PROGRESS_BACKEND=events`, as one table: names,
//! labels, and the properties that an occurrence may carry.
//!
//! `milepost properties create --events` makes what a portal lacks of it, `check --events` compares,
//! the worker sends these properties and no others, the simulator can be set up from it.
//!
//! **Invariant**: every event may carry every property of the table, as every event of a page may.

use crate::event::EventName;

/// A pathway's slug.
pub const PATHWAY: &str = "pathway";
/// A course's slug.
pub const COURSE: &str = "course";
/// A module's slug.
pub const MODULE: &str = "module";
/// Where an enrolment came from.
pub const SOURCE: &str = "source";
/// What kind of page was viewed.
pub const CONTENT_TYPE: &str = "content_type";
/// The slug of the page that was viewed.
pub const SLUG: &str = "slug";

/// HubSpot's type of each property.
pub const PROPERTY_KIND: &str = "string";

/// The longest value that HubSpot takes, in UTF-16 units: 50, by its note of 2021 on limits of
/// event properties. It fails a call for a longer one.
pub const VALUE_UNITS_MAX: usize = 50;

/// A property of an occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventProperty {
    /// Internal name.
    pub name: &'static str,
    /// What HubSpot's reports show.
    pub label: &'static str,
}

/// The properties that each of the events has, in the order in which they are made.
pub const EVENT_PROPERTIES: [EventProperty; 6] = [
    EventProperty { name: PATHWAY, label: "Pathway" },
    EventProperty { name: COURSE, label: "Course" },
    EventProperty { name: MODULE, label: "Module" },
    EventProperty { name: SOURCE, label: "Enrollment source" },
    EventProperty { name: CONTENT_TYPE, label: "Content type" },
    EventProperty { name: SLUG, label: "Slug" },
];

/// What HubSpot's reports call an event.
pub fn label(event: EventName) -> &'static str {
    match event {
        EventName::ModuleStarted => "Learning module started",
        EventName::ModuleCompleted => "Learning module completed",
        EventName::PathwayEnrolled => "Learning pathway enrolled",
        EventName::PathwayCompleted => "Learning pathway completed",
        EventName::CourseEnrolled => "Learning course enrolled",
        EventName::CourseCompleted => "Learning course completed",
        EventName::PageViewed => "Learning page viewed",
    }
}

/// Whether HubSpot takes a value of this length.
pub fn fits(value: &str) -> bool {
    crate::limits::units(value) <= VALUE_UNITS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_are_such_as_hubspot_takes() {
        let names = EventName::ALL.map(EventName::as_str);
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        for name in names.into_iter().chain(EVENT_PROPERTIES.map(|property| property.name)) {
            assert!(name.starts_with(|c: char| c.is_ascii_lowercase()), "{name}");
            assert!(name.chars().all(plain) && name.len() <= 50, "{name}");
        }
        let labels = EventName::ALL.map(label);
        for label in labels.into_iter().chain(EVENT_PROPERTIES.map(|property| property.label)) {
            assert!(label.len() <= 50, "{label}");
        }
    }

    #[test]
    fn a_value_is_measured_in_utf_16_units() {
        assert!(fits(&"x".repeat(50)));
        assert!(!fits(&"x".repeat(51)));
        assert!(!fits(&"\u{1F956}".repeat(26)));
    }
}
