//! What changes of a contact, and what does not.

use chrono::{DateTime, Utc};
use shared::catalog::Catalog;
use shared::event::{Event, EventName, Fields, Page};
use shared::facts::{Claim, Facts, Happening};
use shared::milestones::{StateFault, Values, milestones, summary};
use shared::properties::TEXT_CHARS_MAX;
use shared::state::{self, CorruptState};

fn at() -> DateTime<Utc> {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

fn facts(name: EventName, fields: Fields) -> Facts {
    Facts::of(&Happening { at: at(), event: Event::build(name, fields).unwrap() })
}

fn view(content_type: &str, slug: &str) -> Facts {
    let page = Page { content_type: content_type.into(), slug: slug.parse().unwrap() };
    facts(EventName::PageViewed, Fields { page: Some(page), ..Fields::default() })
}

/// Activity, and nothing else.
fn activity() -> Facts {
    facts(EventName::ModuleStarted, Fields::default())
}

fn completed(pathway: Option<&str>, course: &str, module: &str) -> Facts {
    let fields = Fields {
        pathway: pathway.map(|slug| slug.parse().unwrap()),
        course: course.parse().ok(),
        module: module.parse().ok(),
        ..Fields::default()
    };
    facts(EventName::ModuleCompleted, fields)
}

fn values(pairs: &[(&str, &str)]) -> Values {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn changed(contact: Option<&[(&str, &str)]>, facts: &Facts) -> Values {
    let contact = contact.map(values);
    milestones(contact.as_ref(), facts, &Catalog::default()).unwrap().changed
}

#[test]
fn a_new_contact_has_everything_and_what_is_empty_is_left_out() {
    let nothing_yet = [
        ("hhl_last_activity", "2026-03-02"),
        ("hhl_progress_state", "{}"),
        ("hhl_progress_summary", "No progress yet"),
        ("hhl_progress_updated_at", "2026-03-02"),
        ("hhl_total_progress", "0"),
    ];
    assert_eq!(changed(None, &activity()), values(&nothing_yet));
    let state = r#"{"courses":{"c":{"enrolled":true,"enrolled_at":"2026-03-02T12:00:00.000Z","enrollment_source":"module_event","modules":{"m":{"completed":true,"completed_at":"2026-03-02T12:00:00.000Z"}}}}}"#;
    let a_module = [
        ("hhl_enrolled_courses", "c"),
        ("hhl_last_activity", "2026-03-02"),
        ("hhl_progress_state", state),
        ("hhl_progress_summary", "c: 1/1 modules"),
        ("hhl_progress_updated_at", "2026-03-02"),
        ("hhl_total_progress", "1"),
    ];
    assert_eq!(changed(None, &completed(None, "c", "m")), values(&a_module));
}

#[test]
fn a_contact_without_progress_keeps_its_lists_and_its_total() {
    let contact = [
        ("hhl_completed_courses", "a"),
        ("hhl_enrolled_courses", "a;b"),
        ("hhl_last_activity", "2026-03-02"),
        ("hhl_progress_updated_at", "2026-03-02"),
        ("hhl_total_progress", "7"),
    ];
    let found = changed(Some(&contact), &activity());
    let expected = [("hhl_progress_state", "{}"), ("hhl_progress_summary", "No progress yet")];
    assert_eq!(found, values(&expected));
}

#[test]
fn lists_keep_what_they_hold_and_are_sorted_without_doubles() {
    let contact = [
        ("hhl_completed_courses", " z; ;a;z "),
        ("hhl_enrolled_courses", "z;a"),
        (
            "hhl_progress_state",
            r#"{"courses":{"c":{"completed":true,"modules":{"m":{}}},"b":{"modules":{}}}}"#,
        ),
    ];
    let found = changed(Some(&contact), &completed(None, "c", "m"));
    assert_eq!(found["hhl_enrolled_courses"], "a;c;z");
    assert_eq!(found["hhl_completed_courses"], "a;c;z");
    assert_eq!(found["hhl_total_progress"], "1");
}

#[test]
fn a_course_whose_catalog_grew_stays_in_the_list_of_completed_ones() {
    let state = r#"{"courses":{"c":{"completed":true,"modules":{"m":{"completed":true}}}}}"#;
    let contact = values(&[("hhl_progress_state", state)]);
    let catalog = Catalog {
        courses: [("c".to_owned(), vec!["m".to_owned(), "n".to_owned()])].into(),
        ..Catalog::default()
    };
    let found = milestones(Some(&contact), &completed(None, "c", "m"), &catalog).unwrap();
    assert_eq!(found.changed["hhl_completed_courses"], "c");
    assert!(!found.changed["hhl_progress_state"].contains(r#""completed":true,"modules""#));
}

#[test]
fn dates_never_go_back_in_whatever_form_they_are_held() {
    // 1 March 2026, 2 March 2026 and 3 March 2026, as portals give dates.
    let forms = |day: &str, ms: &str| [day.to_owned(), format!("{day}T23:00:00Z"), ms.to_owned()];
    let earlier = forms("2026-03-01", "1772323200000");
    let same = forms("2026-03-02", "1772409600000");
    let later = forms("2026-03-03", "1772496000000");
    for name in ["hhl_last_activity", "hhl_progress_updated_at"] {
        let found = |held: &str| changed(Some(&[(name, held)]), &activity()).get(name).cloned();
        for held in &earlier {
            assert_eq!(found(held).as_deref(), Some("2026-03-02"), "{held}");
        }
        for held in same.iter().chain(&later) {
            assert_eq!(found(held), None, "{held}");
        }
        assert_eq!(found("yesterday").as_deref(), Some("2026-03-02"));
        assert_eq!(found("").as_deref(), Some("2026-03-02"));
    }
}

#[test]
fn a_value_that_is_held_in_another_spelling_does_not_change() {
    let state = r#"{"courses":{"c":{"modules":{"m":{"completed":true},"n":{"completed":true}}}}}"#;
    let total = |held: &str| {
        let contact = [("hhl_progress_state", state), ("hhl_total_progress", held)];
        changed(Some(&contact), &activity()).get("hhl_total_progress").cloned()
    };
    assert_eq!(total("2"), None);
    assert_eq!(total("2.0"), None);
    assert_eq!(total("1").as_deref(), Some("2"));
    assert_eq!(total("").as_deref(), Some("2"));
    assert_eq!(total("two").as_deref(), Some("2"));
}

#[test]
fn the_last_view_is_the_later_one_then_the_larger_page() {
    #[track_caller]
    fn check(held_at: &str, held: (&str, &str), seen: (&str, &str), expected: &[(&str, &str)]) {
        let contact = [
            ("hhl_last_viewed_at", held_at),
            ("hhl_last_viewed_slug", held.1),
            ("hhl_last_viewed_type", held.0),
        ];
        let mut found = changed(Some(&contact), &view(seen.0, seen.1));
        found.retain(|name, _| name.starts_with("hhl_last_viewed"));
        assert_eq!(found, values(expected), "{held_at} {held:?} {seen:?}");
    }
    let now = ("hhl_last_viewed_at", "2026-03-02T12:00:00.000Z");
    let (course, module) = (("course", "c"), ("module", "m"));
    let (slug, kind) = (("hhl_last_viewed_slug", "m"), ("hhl_last_viewed_type", "module"));
    check("", course, module, &[now, slug, kind]);
    check("2026-03-02T11:59:59.999Z", course, module, &[now, slug, kind]);
    check("2026-03-02T11:59:59.999Z", module, module, &[now]);
    check("no time", module, module, &[now]);
    check("2026-03-02T12:00:00.001Z", course, module, &[]);
    // At the same time, in either spelling, the larger page stays.
    for same in ["2026-03-02T12:00:00Z", "2026-03-02T13:00:00.000+01:00", "1772452800000"] {
        check(same, course, module, &[slug, kind]);
        check(same, module, module, &[]);
        check(same, module, course, &[]);
    }
}

#[test]
fn a_page_of_another_type_is_activity_only() {
    let found = changed(Some(&[]), &view("video", "v"));
    assert_eq!(found.keys().filter(|name| name.contains("viewed")).count(), 0);
    assert_eq!(found["hhl_last_activity"], "2026-03-02");
}

#[test]
fn a_state_that_can_not_be_understood_or_would_not_fit_changes_nothing() {
    let refused = |state: &str, facts: &Facts| {
        let contact = values(&[("hhl_progress_state", state)]);
        milestones(Some(&contact), facts, &Catalog::default())
    };
    let corrupt = Err(StateFault::Corrupt(CorruptState::NoObject));
    assert_eq!(refused("[]", &activity()), corrupt);
    let in_p = Fields { pathway: "p".parse().ok(), ..Fields::default() };
    let enrolled = facts(EventName::PathwayEnrolled, in_p);
    let taken = Err(StateFault::Corrupt(CorruptState::SlugTaken));
    assert_eq!(refused(r#"{"p":5}"#, &enrolled), taken);
    assert!(refused(r#"{"q":5}"#, &enrolled).is_ok());

    // The state is written with `n` characters of filling, and one module more.
    let filled =
        |n: usize| format!(r#"{{"courses":{{"c":{{"_":"{}","modules":{{}}}}}}}}"#, "ü".repeat(n));
    let facts = completed(None, "c", "m");
    let chars = refused(&filled(0), &facts).unwrap().state_chars;
    let found = refused(&filled(TEXT_CHARS_MAX - chars), &facts).unwrap();
    assert_eq!(found.state_chars, TEXT_CHARS_MAX);
    let too_large = Err(StateFault::TooLarge { chars: TEXT_CHARS_MAX + 1 });
    assert_eq!(refused(&filled(TEXT_CHARS_MAX - chars + 1), &facts), too_large);
    // One that is too large already may be left as it is.
    let found = refused(&filled(TEXT_CHARS_MAX), &activity()).unwrap();
    assert!(!found.changed.contains_key("hhl_progress_state"));
}

#[test]
fn a_claim_that_the_progress_does_not_bear_out_is_told() {
    let claim = |name, course: Option<&str>| {
        let course = course.map(|slug| slug.parse().unwrap());
        facts(name, Fields { pathway: "p".parse().ok(), course, ..Fields::default() })
    };
    let course = claim(EventName::CourseCompleted, Some("c"));
    let pathway = claim(EventName::PathwayCompleted, None);
    let claims = |state: &str, facts: &Facts| {
        let contact = values(&[("hhl_progress_state", state)]);
        milestones(Some(&contact), facts, &Catalog::default()).unwrap().unsupported_claims
    };
    let both = course.join(pathway);
    let unsupported = [
        Claim::Pathway("p".into()),
        Claim::Course { pathway: Some("p".into()), course: "c".into() },
    ];
    assert_eq!(claims("{}", &both), unsupported);
    let course_only = r#"{"p":{"courses":{"c":{"completed":true,"modules":{}}}}}"#;
    assert_eq!(claims(course_only, &both), unsupported[..1]);
    let all = r#"{"p":{"completed":true,"courses":{"c":{"completed":true,"modules":{}}}}}"#;
    assert_eq!(claims(all, &both), []);
}

#[test]
fn a_claim_names_what_is_rolled_up() {
    let catalog = Catalog {
        courses: [("c".to_owned(), vec!["m".to_owned()])].into(),
        pathways: [("p".to_owned(), vec!["c".to_owned()])].into(),
    };
    let state = r#"{"courses":{"c":{"modules":{"m":{"completed":true}}}},"p":{"courses":{"c":{"modules":{"m":{"completed":true}}}}}}"#;
    let contact = values(&[("hhl_progress_state", state)]);
    let after = |name: EventName, fields: Fields| {
        let found = milestones(Some(&contact), &facts(name, fields), &catalog).unwrap();
        (found.changed.get("hhl_progress_state").cloned(), found.unsupported_claims)
    };
    let course = || "c".parse().ok();
    let pathway = || "p".parse().ok();
    let name = EventName::CourseCompleted;
    let standalone = Fields { course: course(), ..Fields::default() };
    let expected = r#"{"courses":{"c":{"completed":true,"modules":{"m":{"completed":true}}}},"p":{"courses":{"c":{"modules":{"m":{"completed":true}}}}}}"#;
    assert_eq!(after(name, standalone), (Some(expected.to_owned()), vec![]));
    let within = Fields { course: course(), pathway: pathway(), ..Fields::default() };
    let expected = r#"{"courses":{"c":{"modules":{"m":{"completed":true}}}},"p":{"completed":true,"courses":{"c":{"completed":true,"modules":{"m":{"completed":true}}}}}}"#;
    assert_eq!(after(name, within), (Some(expected.to_owned()), vec![]));
    let whole = Fields { pathway: pathway(), ..Fields::default() };
    let (state, unsupported) = after(EventName::PathwayCompleted, whole);
    assert_eq!((state, unsupported.len()), (None, 1), "its course was not named");
}

#[test]
fn a_recompute_rolls_up_all_and_makes_no_state() {
    let catalog = Catalog {
        courses: [("c".to_owned(), vec!["m".to_owned(), "new".to_owned()])].into(),
        pathways: [("p".to_owned(), vec!["d".to_owned()])].into(),
    };
    let changed = |facts: &Facts, contact: &[(&str, &str)]| {
        milestones(Some(&values(contact)), facts, &catalog).unwrap().changed
    };
    let state = r#"{"courses":{"c":{"completed":true,"enrolled":true,"modules":{"m":{"completed":true}}}},"p":{"courses":{"d":{"completed":true,"modules":{}}}}}"#;
    let found = changed(&Facts::recompute(), &[("hhl_progress_state", state)]);
    let expected = [
        ("hhl_completed_courses", "c;d"),
        ("hhl_enrolled_courses", "c"),
        (
            "hhl_progress_state",
            r#"{"courses":{"c":{"enrolled":true,"modules":{"m":{"completed":true}}}},"p":{"completed":true,"courses":{"d":{"completed":true,"modules":{}}}}}"#,
        ),
        ("hhl_progress_summary", "p: 1/1 courses; c: 1/1 modules"),
        ("hhl_total_progress", "1"),
    ];
    assert_eq!(found, values(&expected));
    assert_eq!(changed(&Facts::recompute(), &expected), values(&[]));
    let beside = changed(&Facts::recompute().join(activity()), &[("hhl_progress_state", state)]);
    assert!(beside["hhl_progress_state"].contains(r#""p":{"completed":true"#), "{beside:?}");
    let is_bare = |facts: Facts| facts.is_bare_recompute();
    assert!(is_bare(Facts::recompute()));
    assert!(!is_bare(Facts::recompute().join(activity())) && !is_bare(Facts::default()));
    let lists = [("hhl_enrolled_courses", "c"), ("hhl_total_progress", "9")];
    assert_eq!(changed(&Facts::recompute(), &lists), values(&[]));
    let without = milestones(None, &Facts::recompute(), &catalog).unwrap();
    assert!(without.changed.is_empty());
}

#[test]
fn the_summary_counts_the_parts_that_are_known() {
    #[track_caller]
    fn check(stored: &str, expected: &str) {
        assert_eq!(summary(&state::read(Some(stored)).unwrap()), expected, "{stored}");
    }
    check("{}", "No progress yet");
    check(r#"{"x":5}"#, "In progress");
    check(r#"{"p":{"enrolled":true}}"#, "In progress");
    check(r#"{"courses":{"c":{"enrolled":true}}}"#, "In progress");
    check(
        r#"{"courses":{"b":{"modules":{"m":{"completed":true},"n":{}}},"a":{"modules":{"m":{}}},"e":{}},"q":{"courses":{"c":{"completed":true},"d":{}},"modules":{"m":{"completed":true}}},"p":{"modules":{"m":{"completed":true}}}}"#,
        "p: 1/1 modules; q: 1/2 courses; a: 0/1 modules; b: 1/2 modules",
    );
}
