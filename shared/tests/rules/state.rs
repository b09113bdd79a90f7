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
    assert!(progress.pathways.get("q").unwrap().courses.contains_key("c"));
    assert_eq!(progress.unknown.get("x"), Some("5"));
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
    check(r#"{"courses":[{}]}"#, "courses", "array", "object");
    check(r#"{"p":{"courses":{"c":[0]}}}"#, "courses", "array", "object");
    check(r#"{"courses":{"\ud800":{}}}"#, "courses", "text of invalid Unicode", "slug");
    check(
        r#"{"p":{"enrolled":true,"enrollment_source":"\ud800"}}"#,
        "enrollment_source",
        "text of invalid Unicode",
        "string",
    );
}

#[test]
fn a_text_that_is_not_an_object_is_corrupt() {
    for text in ["{\"oops", "null", "[]", "5", "{}{}", r#"{"p":{}"#, r#"{"p":{"x":01}}"#] {
        assert_eq!(state::read(Some(text)), Err(CorruptState::NoObject), "{text}");
    }
}

#[test]
fn an_absent_or_empty_property_is_the_empty_state() {
    for text in [None, Some(""), Some(" \n"), Some("{}"), Some(r#"{"courses":{}}"#)] {
        assert_eq!(state::read(text), Ok(Progress::default()), "{text:?}");
    }
}

#[test]
fn a_written_state_has_sorted_keys_and_says_only_what_is_so() {
    let text = r#"{"p":{"started":false,"modules":{"b":{"started_at":"2025-01-02T00:00:00Z","started":true},
        "a":{"completed":true,"started":null}},"courses":{},"enrolled":true}}"#;
    assert_eq!(
        state::write(&read(text)),
        r#"{"p":{"enrolled":true,"modules":{"a":{"completed":true},"b":{"started":true,"started_at":"2025-01-02T00:00:00.000Z"}}}}"#
    );
    let around =
        r#"{"a":{"modules":{}},"b":0,"courses":{"c":{"modules":{}}},"d":{"modules":{}},"e":0}"#;
    assert_eq!(state::write(&read(around)), around);
}

#[test]
fn an_empty_list_where_an_object_is_expected_is_an_empty_object() {
    #[track_caller]
    fn check(text: &str, as_object: &str) {
        assert_eq!(state::read(Some(text)), Ok(read(as_object)));
    }
    check(r#"{"p":{"courses":{"c":{"modules":[]}}}}"#, r#"{"p":{"courses":{"c":{}}}}"#);
    check(r#"{"p":{"modules":[ ]},"courses":[]}"#, r#"{"p":{}}"#);
    check(r#"{"p":{"courses":[],"modules":{"m":[]}}}"#, r#"{"p":{"modules":{"m":{}}}}"#);
    check("{\"courses\":{\"c\":[\n]},\"p\":[]}", r#"{"courses":{"c":{}},"p":{}}"#);
}

#[test]
fn slugs_that_differ_in_white_space_at_their_edges_are_joined() {
    let text = r#"{
        " p":{"enrolled":true,"enrolled_at":"2026-01-02T00:00:00.000Z","enrollment_source":"late","x":1,"y":2},
        "p":{"enrolled":true,"enrolled_at":"2026-01-01T00:00:00.000Z","modules":{"m\u00a0":{"started":true},"m":{"completed":true}},"x":3,"z":4},
        "courses":{"\u3000c\t":{"modules":{"a":{}}},"c":{"modules":{"b":[]}}}}"#;
    assert_eq!(
        state::write(&read(text)),
        r#"{"courses":{"c":{"modules":{"a":{},"b":{}}}},"p":{"enrolled":true,"enrolled_at":"2026-01-01T00:00:00.000Z","modules":{"m":{"completed":true,"started":true}},"x":3,"y":2,"z":4}}"#
    );
    assert_eq!(state::write(&read(r#"{"p ":{"x":1}}"#)), r#"{"p":{"modules":{},"x":1}}"#);
}

#[test]
fn a_joined_time_takes_the_place_of_an_unreadable_one() {
    let text = r#"{" p":{"started":true,"started_at":"in May"},"p":{"started":true,"started_at":"2026-01-01T00:00:00.000Z"}}"#;
    let joined = read(text);
    assert!(joined.pathways["p"].unknown.is_empty());
    assert_eq!(Ok(joined.clone()), state::read(Some(&state::write(&joined))));
}

#[test]
fn white_space_makes_no_pathway_of_the_key_of_standalone_courses() {
    let text = r#"{"courses ":{"c":5},"p":{"modules":{}}}"#;
    assert_eq!(state::write(&read(text)), text);
}

#[test]
fn of_a_key_that_comes_twice_the_last_one_counts() {
    let text = r#"{"p":{"enrolled":5,"enrolled":true,"x":1,"x":2,"modules":"m","modules":{}},"p":{"started":true}}"#;
    assert_eq!(state::write(&read(text)), r#"{"p":{"modules":{},"started":true}}"#);
    let text = r#"{"p":{"enrolled":5,"enrolled":true,"x":1,"x":2,"\u0078":3}}"#;
    assert_eq!(state::write(&read(text)), r#"{"p":{"enrolled":true,"modules":{},"x":3}}"#);
}

#[test]
fn what_milepost_does_not_know_is_kept_byte_for_byte() {
    let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for value in [
        "1.50",
        "1e999",
        "123456789012345678901234567890.000100",
        r#"{"b" : "\u0041\/",  "a":[]}"#,
        r#""\udead""#,
        r#"{"\ud800":1,"$serde_json::private::RawValue":2,"b":1,"b":2}"#,
        &nested,
    ] {
        for text in [
            format!(r#"{{"p":{{"modules":{{"m":{{"x":{value}}}}},"x":{value}}}}}"#),
            format!(r#"{{"courses":{{"c":{{"modules":{{}},"x":{value}}}}}}}"#),
        ] {
            assert_eq!(state::write(&read(&text)), text);
        }
    }
}

#[test]
fn a_key_with_a_lone_surrogate_is_kept_behind_the_others() {
    let text = r#"{"p":{"x":1,"\ud800":{"a":1}},"\uDC00 ":{"modules":1},"a":{}}"#;
    let kept =
        r#"{"a":{"modules":{}},"p":{"modules":{},"x":1,"\ud800":{"a":1}},"\uDC00 ":{"modules":1}}"#;
    let progress = read(text);
    assert_eq!(state::write(&progress), kept);
    assert_eq!(read(kept), progress);
}

#[test]
fn a_slug_may_be_any_text() {
    for slug in ["", "$serde_json::private::Number", "$serde_json::private::RawValue", "\"\\é\u{1}"]
    {
        let slug = serde_json::to_string(slug).unwrap();
        let text = format!(r#"{{{slug}:{{"modules":{{{slug}:{{}}}}}}}}"#);
        assert_eq!(state::write(&read(&text)), text);
    }
}

#[test]
fn a_time_without_its_flag_and_an_unreadable_one_survive() {
    let text = r#"{"p":{"completed_at":"2025-01-01T00:00:00.000Z","modules":{"m":{"started":true,"started_at":"\ud800"}},"started":true,"started_at":"in May"}}"#;
    assert_eq!(state::write(&read(text)), text);
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
