//! What is read out of a stored state, and what is refused.

use shared::event::Event;
use shared::facts::{Enrolment, Facts, Happening, Progress, Reached};
use shared::state::{self, CorruptState, time_of};

fn read(text: &str) -> Progress {
    state::read(Some(text)).unwrap()
}

#[test]
fn a_state_is_read_at_every_level() {
    let text = r#"{"courses":{"s":{"enrolled":true,"enrolled_at":"2026-01-01T01:00:00+01:00","enrollment_source":"x","modules":{"m":{"completed":true}}}},"p":{"enrolled":true,"modules":{"f":{"started":true,"started_at":"2026-01-02T00:00:00.0009Z"}}},"q":{"courses":{"c":{"modules":{}}}},"x":5}"#;
    let progress = read(text);
    let at = time_of("2026-01-01T00:00:00Z");
    let standalone = progress.courses.get("s").unwrap();
    assert_eq!(standalone.enrolled, Some(Enrolment { at, source: Some("x".into()) }));
    assert_eq!(standalone.modules.get("m").unwrap().completed, Some(Reached { at: None }));
    assert_eq!(standalone.modules.get("m").unwrap().started, None);
    let flat = progress.pathways.get("p").unwrap();
    assert_eq!(flat.enrolled, Some(Enrolment { at: None, source: None }));
    let started = Some(Reached { at: time_of("2026-01-02T00:00:00Z") });
    assert_eq!(flat.modules.get("f").unwrap().started, started);
    assert!(progress.pathways.get("q").unwrap().courses.get("c").is_some());
    assert_eq!(progress.unknown["x"], 5);
    assert!(!progress.is_empty());
}

#[test]
fn a_pathway_has_courses_or_modules_and_a_course_has_modules() {
    for text in [
        r#"{"p":{"modules":{}}}"#,
        r#"{"p":{"courses":{"c":{"modules":{}}}}}"#,
        r#"{"p":{"courses":{"c":{"modules":{}}},"modules":{"m":{}}}}"#,
        r#"{"p":{"modules":{"m":{}}}}"#,
        r#"{"courses":{"c":{"modules":{}}}}"#,
        "{}",
    ] {
        assert_eq!(state::write(&read(text)), text);
    }
    assert_eq!(
        state::write(&read(r#"{"courses":{},"p":{"courses":{}}}"#)),
        r#"{"p":{"modules":{}}}"#
    );
}

#[test]
fn a_null_is_an_absent_key() {
    let text = r#"{"courses":null,"p":{"completed":null,"completed_at":null,"courses":null,"enrolled":null,"enrolled_at":null,"enrollment_source":null,"modules":null,"started":null,"started_at":null}}"#;
    assert_eq!(state::write(&read(text)), r#"{"p":{"modules":{}}}"#);
}

#[test]
fn an_empty_source_is_none_and_one_without_an_enrolment_stays_until_there_is_one() {
    let empty = r#"{"p":{"enrolled":true,"enrollment_source":"","modules":{}}}"#;
    assert_eq!(state::write(&read(empty)), r#"{"p":{"enrolled":true,"modules":{}}}"#);
    let alone = r#"{"p":{"enrollment_source":"x","modules":{}}}"#;
    let mut progress = read(alone);
    assert_eq!(progress.pathways.get("p").unwrap().enrolled, None);
    assert_eq!(state::write(&progress), alone);

    let enrolled = Facts::of(&Happening {
        at: time_of("2026-01-01T00:00:00Z").unwrap(),
        event: Event::PathwayEnrolled { pathway: "p".parse().unwrap(), source: None },
    });
    progress.join(&enrolled.progress);
    let written =
        r#"{"p":{"enrolled":true,"enrolled_at":"2026-01-01T00:00:00.000Z","modules":{}}}"#;
    assert_eq!(state::write(&progress), written);
}

#[test]
fn a_known_key_of_another_type_is_corrupt_and_is_told_without_slugs() {
    #[track_caller]
    fn check(text: &str, path: &'static str, found: &'static str, wanted: &'static str) {
        assert_eq!(state::read(Some(text)), Err(CorruptState::WrongType { path, found, wanted }));
    }
    check(r#"{"p":{"enrolled":"yes"}}"#, "enrolled", "string", "boolean");
    check(r#"{"p":{"started":1}}"#, "started", "number", "boolean");
    check(r#"{"p":{"completed":[]}}"#, "completed", "array", "boolean");
    check(r#"{"p":{"enrolled_at":5}}"#, "enrolled_at", "number", "string");
    check(
        r#"{"p":{"enrolled":true,"enrollment_source":{}}}"#,
        "enrollment_source",
        "object",
        "string",
    );
    check(r#"{"p":{"enrollment_source":5}}"#, "enrollment_source", "number", "string");
    check(r#"{"p":{"modules":{"m":{"started_at":true}}}}"#, "started_at", "boolean", "string");
    check(r#"{"p":{"modules":{"m":null}}}"#, "modules", "null", "object");
    check(r#"{"courses":{"c":{"modules":"m"}}}"#, "modules", "string", "object");
    check(r#"{"courses":[]}"#, "courses", "array", "object");
}

#[test]
fn a_time_is_one_that_can_be_written_again() {
    for text in ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", "2016-12-31T23:59:60Z"] {
        let time = time_of(text).unwrap();
        assert_eq!(time_of(&state::instant(time)), Some(time), "{text}");
    }
    assert_eq!(time_of("2026-01-01T01:00:00.0009+01:00"), time_of("2026-01-01T00:00:00Z"));
    for text in
        ["", "today", "2026-01-01", "9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00+01:00"]
    {
        assert_eq!(time_of(text), None, "{text}");
    }
}

#[test]
fn a_time_beyond_the_years_stays_where_it_is() {
    let text = r#"{"p":{"modules":{},"started":true,"started_at":"9999-12-31T23:59:59-01:00"}}"#;
    assert_eq!(state::write(&read(text)), text);
}
