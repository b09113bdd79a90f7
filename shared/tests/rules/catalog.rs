//! What is wrong with a catalog, and what follows from one.

use chrono::{DateTime, Utc};
use shared::catalog::{Catalog, CatalogFault, CatalogFile, CatalogKind};
use shared::facts::{Claim, Progress};
use shared::state;

fn course(path: &str, text: &str) -> CatalogFile {
    CatalogFile { path: path.into(), kind: CatalogKind::Course, text: text.into() }
}

fn pathway(path: &str, text: &str) -> CatalogFile {
    CatalogFile { path: path.into(), kind: CatalogKind::Pathway, text: text.into() }
}

/// The faults of files, as place, what is wrong, and whether the catalog is unusable.
fn faults(files: &[CatalogFile]) -> Vec<(String, String, bool)> {
    let (_, faults) = Catalog::read(files);
    faults
        .into_iter()
        .map(|CatalogFault { place, what, is_error }| (place, what, is_error))
        .collect()
}

fn fault(place: &str, what: &str, is_error: bool) -> (String, String, bool) {
    (place.into(), what.into(), is_error)
}

#[test]
fn a_catalog_is_what_its_files_say() {
    let files = [
        course("courses/c.json", r#"{"slug":"c","modules":["m","n"],"title":"C"}"#),
        pathway("pathways/p.json", r#"{"slug":"p","courses":["c"]}"#),
    ];
    let (catalog, faults) = Catalog::read(&files);
    assert_eq!(faults, []);
    assert_eq!(catalog.courses, [("c".into(), vec!["m".into(), "n".into()])].into());
    assert_eq!(catalog.pathways, [("p".into(), vec!["c".into()])].into());
}

#[test]
fn what_makes_a_catalog_unusable_is_an_error_of_its_file() {
    #[track_caller]
    fn check(file: CatalogFile, what: &str) {
        let place = file.path.clone();
        assert_eq!(faults(&[file]), [fault(&place, what, true)]);
    }
    let check_text = |text: &str, what: &str| check(course("courses/a.json", text), what);
    check_text(r#"{"modules":[]}"#, "has no slug");
    check_text(r#"{"slug":"a"}"#, "has no list of modules");
    check_text(r#"{"slug":"a","modules":{}}"#, "has no list of modules");
    check_text(r#"{"slug":5,"modules":[]}"#, "holds a slug that is not a text");
    check_text("[]", "is not a JSON object");
    check_text("{", "EOF while parsing an object at line 1 column 1");
    let named =
        |slug: &str| course("courses/a.json", &format!(r#"{{"slug":"{slug}","modules":["m"]}}"#));
    check(named(""), "holds an empty slug");
    check(named(&"x".repeat(201)), "holds a slug of more than 200 characters");
    check(
        named("a;b"),
        "the slug \"a;b\" may hold neither ';' nor control or bidirectional formatting characters",
    );
    check(course("courses/a.json", r#"{"slug":"a","modules":["m",""]}"#), "holds an empty slug");
    assert_eq!(faults(&[named(&"x".repeat(200))]), []);
    assert_eq!(faults(&[named("$serde_json::private::Number")]), []);
}

#[test]
fn a_catalog_is_read_by_the_rules_of_every_other_door() {
    let files = [
        course("courses/c.json", "\u{FEFF}{\"slug\":\"c\u{A0}\",\"modules\":[\" m\"]}"),
        course("courses/d.json", r#"{"slug":"d","modules":["n"],"title":"\ud83d","\udc00":1e999}"#),
        pathway("pathways/p.json", r#"{"slug":"p ","courses":["c","d\u3000"]}"#),
    ];
    let (catalog, faults) = Catalog::read(&files);
    assert_eq!(faults, []);
    let courses = [("c".into(), vec!["m".into()]), ("d".into(), vec!["n".into()])];
    assert_eq!(catalog.courses, courses.into());
    assert_eq!(catalog.pathways, [("p".into(), vec!["c".into(), "d".into()])].into());
}

#[test]
fn an_invisible_character_at_the_edge_of_a_slug_is_named() {
    let files = [
        course("courses/c.json", "{\"slug\":\"c\u{200B}\",\"modules\":[\"m\"]}"),
        pathway("pathways/p.json", "{\"slug\":\"p\",\"courses\":[\"\u{FEFF}d\"]}"),
    ];
    let named = |slug: &str, character: &str| {
        format!(
            "the slug {slug} has the invisible character {character} at its edge, so it isn't the \
             slug that it looks like; hint: remove the character"
        )
    };
    let undefined = "the pathway names the course \"\\u{feff}d\", which no file defines, so it is \
                     never completed";
    let expected = [
        fault("courses/c.json", &named("\"c\\u{200b}\"", "U+200B"), false),
        fault("pathways/p.json", &named("\"\\u{feff}d\"", "U+FEFF"), false),
        fault("p", undefined, false),
    ];
    assert_eq!(faults(&files), expected);
}

#[test]
fn only_a_pathway_may_not_be_called_courses() {
    let c = course("courses/c.json", r#"{"slug":"courses","modules":["m"]}"#);
    assert_eq!(faults(std::slice::from_ref(&c)), []);
    let p = pathway("pathways/p.json", r#"{"slug":"courses","courses":["courses"]}"#);
    let what = "'courses' is reserved; hint: give the pathway another slug";
    assert_eq!(faults(&[c, p]), [fault("pathways/p.json", what, true)]);
}

#[test]
fn a_slug_has_one_file() {
    let one = course("courses/a.json", r#"{"slug":"a","modules":["m"]}"#);
    let two = course("courses/b.json", r#"{"slug":"a","modules":["n"]}"#);
    let what = "a is defined by another file too";
    assert_eq!(faults(&[one, two]), [fault("courses/b.json", what, true)]);
}

#[test]
fn what_can_never_be_completed_is_worth_a_look() {
    let files = [
        course("courses/a.json", r#"{"slug":"a","modules":[]}"#),
        course("courses/b.json", r#"{"slug":"b","modules":["m","m"]}"#),
        pathway("pathways/p.json", r#"{"slug":"p","courses":[]}"#),
        pathway("pathways/q.json", r#"{"slug":"q","courses":["b","c"]}"#),
    ];
    let never = "so it is never completed";
    let expected = [
        fault("courses/b.json", "lists the same slug twice", false),
        fault("a", &format!("the course has no modules, {never}"), false),
        fault("p", &format!("the pathway has no courses, {never}"), false),
        fault(
            "q",
            &format!("the pathway names the course \"c\", which no file defines, {never}"),
            false,
        ),
    ];
    assert_eq!(faults(&files), expected);
}

fn catalog() -> Catalog {
    let list = |slugs: &[&str]| slugs.iter().map(|slug| (*slug).to_owned()).collect::<Vec<_>>();
    Catalog {
        courses: [("a", list(&["m", "n"])), ("empty", list(&[]))]
            .map(|(slug, modules)| (slug.to_owned(), modules))
            .into(),
        pathways: [("p".to_owned(), list(&["a"]))].into(),
    }
}

/// A state after the roll-ups of all that it names, as its text.
#[track_caller]
fn rolls_up(stored: &str, expected: &str) {
    let progress = rolled_up(stored);
    assert_eq!(state::write(&progress), expected);
}

fn rolled_up(stored: &str) -> Progress {
    let progress = state::read(Some(stored)).unwrap();
    let mut rolled_up = progress.clone();
    catalog().roll_up(&mut rolled_up, &progress.named());
    rolled_up
}

#[test]
fn a_course_is_completed_at_the_latest_time_of_all_its_modules() {
    rolls_up(
        r#"{"courses":{"a":{"modules":{"m":{"completed":true,"completed_at":"2026-01-01T00:00:00Z"},"n":{"completed":true,"completed_at":"2026-01-02T00:00:00Z"}}}}}"#,
        r#"{"courses":{"a":{"completed":true,"completed_at":"2026-01-02T00:00:00.000Z","modules":{"m":{"completed":true,"completed_at":"2026-01-01T00:00:00.000Z"},"n":{"completed":true,"completed_at":"2026-01-02T00:00:00.000Z"}}}}}"#,
    );
}

#[test]
fn a_course_whose_catalog_grew_is_completed_no_more_and_one_that_left_it_stays_so() {
    rolls_up(
        r#"{"courses":{"a":{"completed":true,"completed_at":"2026-01-02T00:00:00.000Z","modules":{"m":{"completed":true}}}}}"#,
        r#"{"courses":{"a":{"modules":{"m":{"completed":true}}}}}"#,
    );
    // The time may stand there without its flag.
    rolls_up(
        r#"{"courses":{"a":{"completed_at":"2026-01-02T00:00:00.000Z","modules":{}}}}"#,
        r#"{"courses":{"a":{"modules":{}}}}"#,
    );
    let gone = r#"{"courses":{"gone":{"completed":true,"completed_at":"2026-01-02T00:00:00.000Z","modules":{}}}}"#;
    rolls_up(gone, gone);
    let empty = r#"{"courses":{"empty":{"completed":true,"modules":{}}}}"#;
    rolls_up(empty, r#"{"courses":{"empty":{"modules":{}}}}"#);
}

#[test]
fn a_pathway_is_started_by_its_earliest_part_and_completed_with_its_courses() {
    rolls_up(
        r#"{"p":{"courses":{"a":{"modules":{"m":{"completed":true,"completed_at":"2026-01-03T00:00:00.000Z","started":true,"started_at":"2026-01-02T00:00:00.000Z"},"n":{"completed":true}}}},"modules":{"f":{"started":true,"started_at":"2026-01-01T00:00:00.000Z"}}}}"#,
        r#"{"p":{"completed":true,"completed_at":"2026-01-03T00:00:00.000Z","courses":{"a":{"completed":true,"completed_at":"2026-01-03T00:00:00.000Z","modules":{"m":{"completed":true,"completed_at":"2026-01-03T00:00:00.000Z","started":true,"started_at":"2026-01-02T00:00:00.000Z"},"n":{"completed":true}},"started":true,"started_at":"2026-01-02T00:00:00.000Z"}},"modules":{"f":{"started":true,"started_at":"2026-01-01T00:00:00.000Z"}},"started":true,"started_at":"2026-01-01T00:00:00.000Z"}}"#,
    );
}

#[test]
fn a_pathway_without_courses_keeps_what_it_says_of_itself() {
    let flat = r#"{"p":{"completed":true,"completed_at":"2026-01-02T00:00:00.000Z","modules":{}}}"#;
    rolls_up(flat, flat);
    rolls_up(
        r#"{"p":{"completed":true,"completed_at":"2026-01-02T00:00:00.000Z","courses":{"b":{"modules":{}}}}}"#,
        r#"{"p":{"courses":{"b":{"modules":{}}}}}"#,
    );
}

#[test]
fn a_roll_up_keeps_its_time_where_its_parts_have_none() {
    let stored = r#"{"courses":{"a":{"completed":true,"completed_at":"2026-01-02T00:00:00.000Z","modules":{"m":{"completed":true,"started":true},"n":{"completed":true}},"started":true,"started_at":"2026-01-01T00:00:00.000Z"}}}"#;
    rolls_up(stored, stored);
}

#[test]
fn only_what_is_named_is_rolled_up() {
    let stored = r#"{"p":{"courses":{"a":{"modules":{"m":{"started":true}}}}}}"#;
    let mut progress = state::read(Some(stored)).unwrap();
    let before = progress.clone();
    catalog().roll_up(&mut progress, &Progress::default().named());
    assert_eq!(progress, before);
}

#[test]
fn a_claim_is_borne_out_by_a_completion_in_its_own_place() {
    let all = r#"{"courses":{"a":{"modules":{"m":{"completed":true},"n":{"completed":true}}}},"p":{"courses":{"a":{"modules":{"m":{"completed":true}}}}},"q":{"completed":true}}"#;
    let progress = rolled_up(all);
    let course = |pathway: Option<&str>, course: &str| Claim::Course {
        pathway: pathway.map(str::to_owned),
        course: course.into(),
    };
    for (claim, is_complete) in [
        (course(None, "a"), true),
        (course(None, "b"), false),
        (course(Some("p"), "a"), false),
        (course(Some("q"), "a"), false),
        (Claim::Pathway("q".into()), true),
        (Claim::Pathway("p".into()), false),
        (Claim::Pathway("r".into()), false),
    ] {
        assert_eq!(catalog().is_complete(&progress, &claim), is_complete, "{claim:?}");
    }
    let pathway =
        r#"{"p":{"courses":{"a":{"modules":{"m":{"completed":true},"n":{"completed":true}}}}}}"#;
    let progress = rolled_up(pathway);
    assert!(catalog().is_complete(&progress, &course(Some("p"), "a")));
    assert!(catalog().is_complete(&progress, &Claim::Pathway("p".into())));
    assert!(!catalog().is_complete(&progress, &course(None, "a")));
    let reached = progress.pathways.get("p").unwrap().completed.unwrap();
    assert_eq!(reached.at, None::<DateTime<Utc>>);
}
