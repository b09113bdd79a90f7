//! The laws of the pure core, over arbitrary histories: the join, the state's text, the three
//! invariants that the deployment guide spot-checks every week, the envelope.

#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use shared::catalog::Catalog;
use shared::envelope::{Content, Envelope};
use shared::event::{Event, EventName, Fields, Page};
use shared::facts::{Facts, Happening, Progress};
use shared::identity::Person;
use shared::milestones::{Values, milestones};
use shared::slug::Slug;
use shared::state;

fn start() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// Few slugs and few times: histories must meet themselves.
fn slug() -> impl Strategy<Value = Option<Slug>> {
    prop_oneof![Just(None), "[a-c]".prop_map(|slug| slug.parse().ok())]
}

fn happening() -> impl Strategy<Value = Happening> {
    let name = proptest::sample::select(&EventName::ALL[..]);
    let source =
        prop_oneof![Just(None), Just(Some("module_event".to_owned())), "[x-z]".prop_map(Some)];
    let viewed = ("(course|module|pathway|page)", "[a-c]")
        .prop_map(|(content_type, slug)| Page { content_type, slug: slug.parse().unwrap() });
    (name, 0..50_i64, slug(), slug(), slug(), source, proptest::option::of(viewed)).prop_filter_map(
        "an event has all that it needs",
        |(name, hours, pathway, course, module, source, page)| {
            let fields = Fields { pathway, course, module, source, page };
            let event = Event::build(name, fields).ok()?;
            Some(Happening { at: start() + TimeDelta::hours(hours), event })
        },
    )
}

fn facts() -> impl Strategy<Value = Facts> {
    proptest::collection::vec(happening(), 0..12)
        .prop_map(|all| all.iter().map(Facts::of).fold(Facts::default(), Facts::join))
}

fn catalog() -> Catalog {
    let list = |slugs: &[&str]| slugs.iter().map(|slug| (*slug).to_owned()).collect::<Vec<_>>();
    Catalog {
        courses: [("a", list(&["a", "b"])), ("b", list(&["a"])), ("c", list(&[]))]
            .map(|(slug, modules)| (slug.to_owned(), modules))
            .into(),
        pathways: [("a", list(&["a", "b"])), ("b", list(&["b"]))]
            .map(|(slug, courses)| (slug.to_owned(), courses))
            .into(),
    }
}

/// A stored state as a portal may hold it: known keys with any legal value, flags without times,
/// times without flags, and keys that nobody knows.
fn stored_state() -> impl Strategy<Value = Value> {
    /// Few, and some that JSON has to escape.
    const SLUG: &str = "[a-c]|[a\"\\\\\u{1}\u{7f}é]{1,2}";
    fn unknown() -> impl Strategy<Value = Map<String, Value>> {
        let value = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,5}".prop_map(Value::from),
            Just(json!({"deep": [1, {"er": null}]})),
        ];
        proptest::collection::btree_map("_[a-z\"é]{1,3}", value, 0..3)
            .prop_map(|map| map.into_iter().collect())
    }
    fn with_marks(names: &'static [&'static str]) -> impl Strategy<Value = Map<String, Value>> {
        let mark = (0..4_u8, 0..50_i64);
        (unknown(), proptest::collection::vec(mark, names.len())).prop_map(|(mut fields, marks)| {
            for (name, (shape, hours)) in names.iter().zip(marks) {
                let time = state::instant(start() + TimeDelta::hours(hours));
                if shape & 1 == 1 {
                    fields.insert((*name).to_owned(), true.into());
                }
                if shape & 2 == 2 {
                    fields.insert(format!("{name}_at"), time.into());
                }
            }
            fields
        })
    }
    fn modules() -> impl Strategy<Value = Value> {
        let module = with_marks(&["started", "completed"]).prop_map(Value::Object);
        proptest::collection::btree_map(SLUG, module, 0..3)
            .prop_map(|map| map.into_iter().collect())
    }
    fn courses() -> impl Strategy<Value = Value> {
        let course = (with_marks(&["enrolled", "started", "completed"]), modules()).prop_map(
            |(mut fields, modules)| {
                fields.insert("modules".into(), modules);
                Value::Object(fields)
            },
        );
        proptest::collection::btree_map(SLUG, course, 0..3)
            .prop_map(|map| map.into_iter().collect())
    }
    let pathway = (with_marks(&["enrolled", "started", "completed"]), courses(), modules())
        .prop_map(|(mut fields, courses, modules)| {
            fields.insert("courses".into(), courses);
            fields.insert("modules".into(), modules);
            Value::Object(fields)
        });
    let pathways = proptest::collection::btree_map(SLUG, pathway, 0..3);
    (unknown(), pathways, courses()).prop_map(|(unknown, pathways, courses)| {
        let mut fields: Map<String, Value> =
            unknown.into_iter().filter(|(_, value)| !value.is_object()).collect();
        fields.extend(pathways);
        fields.insert("courses".into(), courses);
        Value::Object(fields)
    })
}

/// Every key of a JSON tree that Milepost does not know, with its path and value.
fn unknown_keys(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    if let Value::Object(fields) = value {
        for (key, value) in fields {
            let path = format!("{path}/{key}");
            if key.starts_with('_') {
                found.insert(format!("{path}={value}"));
            } else {
                unknown_keys(value, &path, found);
            }
        }
    }
}

/// A state with other slugs.
fn padded(value: &Value, are_slugs: bool, pad: &impl Fn(&str) -> String) -> Value {
    let Value::Object(fields) = value else { return value.clone() };
    let field = |(key, value): (&String, &Value)| match key.as_str() {
        "courses" | "modules" => (key.clone(), padded(value, true, pad)),
        slug if are_slugs && value.is_object() => (pad(slug), padded(value, false, pad)),
        _ => (key.clone(), value.clone()),
    };
    fields.iter().map(field).collect()
}

/// What a state says: empty maps and false flags say nothing.
fn meaning(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, value)| {
                key.starts_with('_') || !(value.is_null() || **value == json!(false))
            })
            .map(|(key, value)| match key.starts_with('_') {
                true => (key.clone(), value.clone()),
                false => (key.clone(), meaning(value)),
            })
            .filter(|(_, value)| *value != json!({}))
            .collect(),
        other => other.clone(),
    }
}

fn read(value: &Value) -> Progress {
    state::read(Some(&value.to_string())).unwrap()
}

fn apply(contact: &mut Values, facts: &Facts) {
    let changed = milestones(Some(contact), facts, &catalog()).unwrap().changed;
    contact.extend(changed);
}

proptest! {
    #[test]
    fn joining_facts_commutes(a in facts(), b in facts()) {
        prop_assert_eq!(a.clone().join(b.clone()), b.join(a));
    }

    #[test]
    fn joining_facts_associates(a in facts(), b in facts(), c in facts()) {
        let left = a.clone().join(b.clone()).join(c.clone());
        prop_assert_eq!(left, a.join(b.join(c)));
    }

    #[test]
    fn joining_facts_twice_changes_nothing(a in facts(), b in facts()) {
        let once = a.join(b.clone());
        prop_assert_eq!(once.clone().join(b), once.clone());
        prop_assert_eq!(once.clone().join(once.clone()), once);
    }

    #[test]
    fn joining_into_a_stored_state_ends_the_same_in_any_order(
        stored in stored_state(), a in facts(), b in facts(),
    ) {
        let join = |first: &Facts, second: &Facts| {
            let mut progress = read(&stored);
            progress.join(&first.progress);
            progress.join(&second.progress);
            progress
        };
        prop_assert_eq!(join(&a, &b), join(&b, &a));
        prop_assert_eq!(join(&a, &a.clone().join(b.clone())), join(&b, &a));
    }

    #[test]
    fn writing_what_was_read_keeps_its_meaning(stored in stored_state()) {
        let progress = read(&stored);
        let written = state::write(&progress);
        let again: Value = serde_json::from_str(&written).unwrap();
        prop_assert_eq!(meaning(&again), meaning(&stored));
        prop_assert_eq!(again.to_string(), &*written, "keys are sorted, and escaped as JSON is");
        prop_assert_eq!(read(&again), progress, "what is written reads as the same");
    }

    #[test]
    fn white_space_around_slugs_changes_nothing(stored in stored_state(), one in any::<bool>()) {
        let pad = |slug: &str| if one { format!(" {slug}") } else { format!("{slug}\u{a0}\n") };
        let padded = padded(&stored, true, &pad);
        prop_assert_eq!(read(&padded), read(&stored));
        let mut both = padded.as_object().cloned().unwrap();
        both.extend(stored.as_object().cloned().unwrap());
        let pathways = read(&Value::Object(both)).pathways;
        prop_assert_eq!(pathways, read(&stored).pathways, "joined with themselves they are the same");
    }

    #[test]
    fn keys_that_nobody_knows_survive_at_every_level(stored in stored_state(), facts in facts()) {
        let mut before = BTreeSet::new();
        unknown_keys(&stored, "", &mut before);
        let mut progress = read(&stored);
        progress.join(&facts.progress);
        catalog().roll_up(&mut progress, &facts.named());
        let mut after = BTreeSet::new();
        let after_text = state::write(&progress);
        unknown_keys(&serde_json::from_str(&after_text).unwrap(), "", &mut after);
        prop_assert_eq!(before, after);
    }

    #[test]
    fn no_text_makes_the_state_panic(text in ".{0,200}") {
        let _read_or_refused = state::read(Some(&text));
    }

    #[test]
    fn the_three_weekly_invariants_hold_after_any_history(
        batches in proptest::collection::vec(facts(), 1..5),
    ) {
        let mut contact = Values::new();
        for facts in &batches {
            apply(&mut contact, facts);
        }
        let list = |name: &str| -> BTreeSet<String> {
            let held = contact.get(name).map(String::as_str).unwrap_or_default();
            held.split(';').filter(|slug| !slug.is_empty()).map(str::to_owned).collect()
        };
        let progress = state::read(contact.get("hhl_progress_state").map(String::as_str)).unwrap();
        let enrolled: BTreeSet<String> = progress
            .all_courses()
            .filter(|(_, course)| course.enrolled.is_some())
            .map(|(slug, _)| slug.clone())
            .collect();
        prop_assert_eq!(list("hhl_enrolled_courses"), enrolled, "enrolled = state");
        prop_assert!(
            list("hhl_completed_courses").is_subset(&list("hhl_enrolled_courses")),
            "completed is part of enrolled"
        );
        let completed = progress.all_modules().filter(|module| module.completed.is_some()).count();
        let total = contact.get("hhl_total_progress").map_or("0", String::as_str);
        prop_assert_eq!(total, completed.to_string(), "total = completed modules");
    }

    #[test]
    fn a_history_ends_the_same_in_any_splitting(
        history in proptest::collection::vec(happening(), 1..12), cut in 0..12_usize,
    ) {
        let facts: Vec<Facts> = history.iter().map(Facts::of).collect();
        let cut = cut.min(facts.len());
        let joined = |facts: &[Facts]| facts.iter().cloned().fold(Facts::default(), Facts::join);
        let end = |batches: &[Facts]| {
            let mut contact = Values::new();
            for batch in batches.iter().filter(|batch| batch.activity.is_some()) {
                apply(&mut contact, batch);
            }
            contact
        };
        let whole = end(&[joined(&facts)]);
        prop_assert_eq!(&end(&facts), &whole);
        prop_assert_eq!(&end(&[joined(&facts[cut..]), joined(&facts[..cut])]), &whole);
    }

    #[test]
    fn what_was_applied_changes_nothing_again(
        first in facts(), second in facts(),
    ) {
        let mut contact = Values::new();
        apply(&mut contact, &first);
        apply(&mut contact, &second);
        prop_assert_eq!(milestones(Some(&contact), &first, &catalog()).unwrap().changed, Values::new());
    }

    #[test]
    fn a_sealed_envelope_opens_to_itself(
        happening in happening(), id in ".{1,20}", email in "[a-z]{1,8}", hopped in any::<bool>(),
    ) {
        let envelope = Envelope {
            id,
            correlation_id: "r-1".into(),
            accepted_at: start(),
            person: Person::new(Some(&format!("{email}@example.org")), Some("7")).unwrap(),
            content: Content::Event(happening),
            hopped,
        };
        let sealed = envelope.seal();
        let refused_by_sqs = |c: char| {
            !matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}'
                | '\u{10000}'..)
        };
        prop_assert!(!sealed.body.contains(refused_by_sqs));
        prop_assert_eq!(Envelope::open(&sealed.body), Ok(envelope));
    }
}
