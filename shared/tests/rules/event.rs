//! Which time counts, and what the events are called.

use chrono::{DateTime, TimeDelta, Utc};
use shared::event::{Event, EventName, TimeReplaced, Ts, When};

fn received_at() -> DateTime<Utc> {
    "2026-11-24T20:00:00.0009Z".parse().unwrap()
}

fn when(ts: Ts) -> When {
    let event = Event {
        name: EventName::PageViewed,
        id: None,
        contact: None,
        pathway: None,
        course: None,
        module: None,
        source: None,
        viewed: None,
        ts,
    };
    event.when(received_at())
}

#[test]
fn an_event_has_its_own_time_unless_that_is_missing_unreadable_or_absurd() {
    let check = |ts, replaced| {
        let at = match (ts, replaced) {
            (Ts::Read(at), None) => at,
            _ => "2026-11-24T20:00:00Z".parse().unwrap(),
        };
        assert_eq!(when(ts), When { at, replaced }, "{ts:?}");
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
