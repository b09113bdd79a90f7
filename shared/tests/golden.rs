//! The recorded vectors through the pure core: what the system that Milepost replaces made of the
//! same requests, or, where `tests/golden/README.md` says so, what Milepost makes of them on
//! purpose.

#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::Value;
use shared::facts::{Facts, Happening};
use shared::milestones::{Values, milestones};
use shared::submission::{self, Submitted};

use vectors::{assert_same, catalog, histories, lines};

#[path = "../../tests/golden/vectors.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod vectors;

fn received_at() -> DateTime<Utc> {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

/// The facts of one event's body, if it is valid.
fn facts(body: &Value) -> Option<Facts> {
    let submission = submission::read(body.to_string().as_bytes()).ok()?;
    let Submitted::Single(event) = submission.events else { return None };
    let at = event.ts.when(received_at()).at;
    Some(Facts::of(&Happening { at, event: event.event }))
}

/// Folds batches into a contact, one after the other.
fn apply(initial: Option<&Values>, batches: Vec<Facts>) -> Values {
    let catalog = catalog();
    let mut contact = initial.cloned();
    for facts in batches {
        let changed = milestones(contact.as_ref(), &facts, &catalog).unwrap().changed;
        contact.get_or_insert_default().extend(changed);
    }
    contact.unwrap_or_default()
}

#[test]
fn every_history_ends_as_recorded_event_by_event() {
    for history in histories() {
        let batches: Vec<Facts> = history.events.iter().filter_map(facts).collect();
        let found = apply(history.initial.as_ref(), batches);
        assert_same(&history.id, &found, &history.expected);
    }
}

#[test]
fn every_history_ends_as_recorded_in_one_batch() {
    for history in histories() {
        let batch = history.events.iter().filter_map(facts).reduce(Facts::join);
        let found = apply(history.initial.as_ref(), batch.into_iter().collect());
        assert_same(&history.id, &found, &history.expected);
    }
}

#[test]
fn no_order_no_duplicate_and_no_splitting_changes_how_a_history_ends() {
    let mut chance = TestRunner::deterministic();
    for history in histories() {
        let events: Vec<Facts> = history.events.iter().filter_map(facts).collect();
        let all: Vec<usize> = (0..events.len()).collect();
        let repeated = proptest::sample::subsequence(all.clone(), 0..=events.len().min(3));
        let sent = repeated.prop_map(move |more| [all.clone(), more].concat()).prop_shuffle();
        let cuts = proptest::collection::vec(proptest::bool::weighted(0.3), events.len() + 3);
        let histories = (sent, cuts);
        for _ in 0..8 {
            let (sent, cuts) = histories.new_tree(&mut chance).unwrap().current();
            let mut batches: Vec<Facts> = Vec::new();
            for (event, is_cut) in sent.into_iter().zip(cuts) {
                let facts = events[event].clone();
                match batches.last_mut() {
                    Some(batch) if !is_cut => *batch = batch.clone().join(facts),
                    _ => batches.push(facts),
                }
            }
            let found = apply(history.initial.as_ref(), batches);
            assert_same(&history.id, &found, &history.expected);
        }
    }
}

#[test]
fn a_history_that_was_applied_changes_nothing_a_second_time() {
    let catalog = catalog();
    for history in histories() {
        let Some(all) = history.events.iter().filter_map(facts).reduce(Facts::join) else {
            continue;
        };
        let contact = apply(history.initial.as_ref(), vec![all.clone()]);
        let again = milestones(Some(&contact), &all, &catalog).unwrap();
        assert_eq!(again.changed, Values::new(), "{}", history.id);
    }
}

/// Bodies that the contract's input rules treat otherwise than the recording, with the reason.
const OTHER_BY_RULE: [(&str, bool, &str); 8] = [
    (r#"truthy/module_slug/" ""#, false, "white space at the edges goes, and nothing is left"),
    ("limit/email/255", false, "its local part has more than 64 characters"),
    (r#"email/"a@exämple.com""#, true, "international domains are accepted"),
    (r#"email/"a@example.xn--p1ai""#, true, "xn-- labels are accepted"),
    (r#"email/"obrien'@example.com""#, true, OF_RFC_5322),
    (r#"email/"a@example.com ""#, true, "white space at the edges goes"),
    (r#"email/"a!b@example.com""#, true, OF_RFC_5322),
    (r#"email/"a/b@example.com""#, true, OF_RFC_5322),
];
const OF_RFC_5322: &str = "any unquoted local part of RFC 5322 is accepted";

#[test]
fn every_recorded_body_is_accepted_or_refused_with_its_code() {
    let mut departed = 0;
    for vector in lines(include_str!("../../tests/golden/validation.jsonl")) {
        let body = vector["body"].as_str().unwrap_or_default();
        let (status, code) = match submission::read(body.as_bytes()) {
            Ok(_) => (200, None),
            Err(rejection) => (400, Some(rejection.code.as_str())),
        };
        let rule = &vector["rule"];
        let other = OTHER_BY_RULE.iter().find(|(other, ..)| rule == other);
        if let Some((_, is_accepted, reason)) = other {
            departed += 1;
            assert_eq!(status == 200, *is_accepted, "{rule}: {reason}");
            assert_ne!(Some(status), vector["status"].as_u64(), "{rule} is as recorded");
            continue;
        }
        match &vector["status"] {
            Value::Number(expected) => {
                assert_eq!(Some(status), expected.as_u64(), "{rule}");
                assert_eq!(code, vector["code"].as_str(), "{rule}");
            }
            either => assert_eq!(either, "200 or 400", "{rule}"),
        }
    }
    assert_eq!(departed, OTHER_BY_RULE.len(), "no vector has one of these rules");
}
