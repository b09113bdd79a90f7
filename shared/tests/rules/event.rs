//! Which time counts, and what the events are called.

use chrono::{DateTime, TimeDelta, Utc};
use shared::event::{
    Event, EventName, Fields, Mentioned, ModulePlace, Page, TimeReplaced, Ts, When,
};
use shared::slug::Slug;

fn received_at() -> DateTime<Utc> {
    "2026-11-24T20:00:00.0009Z".parse().unwrap()
}

fn slug(text: &str) -> Option<Slug> {
    text.parse().ok()
}

/// Everything that can be said of an event.
fn all_fields() -> Fields {
    let page = Page { content_type: "course".into(), slug: "s".parse().unwrap() };
    Fields {
        pathway: slug("p"),
        course: slug("c"),
        module: slug("m"),
        source: Some("catalog".into()),
        page: Some(page),
    }
}

#[test]
fn an_event_gives_its_fields_back() {
    for name in EventName::ALL {
        let event = Event::build(name, all_fields()).unwrap();
        assert_eq!(event.name(), name);
        assert_eq!(Event::build(name, event.fields()), Ok(event));
    }
}

#[test]
fn an_event_has_no_field_that_it_does_not_need() {
    let kept = |name| Event::build(name, all_fields()).unwrap().fields();
    let enrolled =
        Fields { pathway: slug("p"), source: Some("catalog".into()), ..Fields::default() };
    assert_eq!(kept(EventName::PathwayEnrolled), enrolled);
    assert_eq!(kept(EventName::PathwayCompleted), Fields { source: None, ..enrolled });
    assert_eq!(kept(EventName::ModuleStarted), Fields { source: None, page: None, ..all_fields() });
    assert_eq!(kept(EventName::PageViewed), Fields { source: None, ..all_fields() });
}

#[test]
fn an_event_is_not_made_without_what_it_is_about() {
    for (name, what) in [
        (EventName::PathwayEnrolled, "pathway_slug"),
        (EventName::PathwayCompleted, "pathway_slug"),
        (EventName::CourseEnrolled, "course_slug"),
        (EventName::CourseCompleted, "course_slug"),
        (EventName::PageViewed, "payload.content_type and payload.slug"),
    ] {
        let missing = Event::build(name, Fields::default()).unwrap_err();
        assert_eq!(missing.to_string(), format!("{} needs {what}", name.as_str()));
    }
}

#[test]
fn a_module_event_without_module_or_place_is_activity_only() {
    let alone = Fields { module: slug("m"), ..Fields::default() };
    let course = Fields { pathway: slug("p"), course: slug("c"), ..Fields::default() };
    for fields in [alone, course, Fields::default()] {
        let Fields { pathway, course, module, .. } = fields.clone();
        let activity = ModulePlace::ActivityOnly(Mentioned { pathway, course, module });
        let event = Event::build(EventName::ModuleCompleted, fields).unwrap();
        assert_eq!(event, Event::ModuleCompleted(activity));
    }
}

#[test]
fn an_event_has_its_own_time_unless_that_is_missing_unreadable_or_absurd() {
    let check = |ts, replaced| {
        let at = match (ts, replaced) {
            (Ts::Read(at), None) => at,
            _ => "2026-11-24T20:00:00Z".parse().unwrap(),
        };
        assert_eq!(ts.when(received_at()), When { at, replaced }, "{ts:?}");
    };
    let ms = TimeDelta::milliseconds(1);
    let latest = received_at() + TimeDelta::minutes(5);
    let oldest: DateTime<Utc> = "2021-11-24T20:00:00.0009Z".parse().unwrap();
    check(Ts::Missing, Some(TimeReplaced::Missing));
    check(Ts::Unreadable, Some(TimeReplaced::Unreadable));
    check(Ts::Read(received_at()), None);
    check(Ts::Read(latest), None);
    check(Ts::Read(latest + ms), Some(TimeReplaced::Future));
    check(Ts::Read(oldest), None);
    check(Ts::Read(oldest - ms), Some(TimeReplaced::Past));
}

#[test]
fn every_name_is_read_by_its_word_and_no_other_word_is() {
    let words = EventName::ALL.map(EventName::as_str);
    assert_eq!(
        words,
        [
            "learning_module_started",
            "learning_module_completed",
            "learning_pathway_enrolled",
            "learning_pathway_completed",
            "learning_course_enrolled",
            "learning_course_completed",
            "learning_page_viewed",
        ]
    );
    assert_eq!(words.map(EventName::from_wire), EventName::ALL.map(Some));
    assert_eq!(EventName::from_wire("learning_nothing"), None);
}

#[test]
fn logs_have_a_word_for_each_time_that_was_replaced() {
    use TimeReplaced::{Future, Missing, Past, Unreadable};
    let words = [Missing, Unreadable, Future, Past].map(TimeReplaced::as_str);
    assert_eq!(words, ["missing", "unreadable", "future", "past"]);
}
