//! The recorded vectors: what the system that Milepost replaces made of the same requests, or,
//! where `tests/golden/README.md` says so, what Milepost makes of them on purpose.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::Value;
use shared::catalog::{Catalog, CatalogFile, CatalogKind};
use shared::facts::Facts;
use shared::milestones::{Values, milestones};
use shared::ports::Entropy as _;
use shared::submission;
use simulation::entropy::SeededEntropy;
use simulation::fold;

/// One history: a contact before, events, the contact after.
pub(crate) struct History {
    pub(crate) id: String,
    pub(crate) contact_id: String,
    pub(crate) initial: Option<Values>,
    pub(crate) events: Vec<Value>,
    pub(crate) expected: Values,
}

/// The catalog of all vectors, as a folder would hold it.
pub(crate) fn catalog_files() -> Vec<CatalogFile> {
    let catalog: Value = serde_json::from_str(include_str!("../golden/catalog.json")).unwrap();
    [("courses", CatalogKind::Course), ("pathways", CatalogKind::Pathway)]
        .into_iter()
        .flat_map(|(folder, kind)| {
            catalog[folder].as_array().unwrap().iter().map(move |entry| CatalogFile {
                path: format!("{folder}/{}.json", entry["slug"].as_str().unwrap()),
                kind,
                text: entry.to_string(),
            })
        })
        .collect()
}

pub(crate) fn catalog() -> Catalog {
    let (catalog, faults) = Catalog::read(&catalog_files());
    assert!(faults.iter().all(|fault| !fault.is_error), "{faults:?}");
    catalog
}

pub(crate) fn histories() -> Vec<History> {
    lines(include_str!("../golden/histories.jsonl"))
        .map(|line| History {
            id: line["id"].as_str().unwrap().to_owned(),
            contact_id: line["contactId"].as_str().unwrap().to_owned(),
            initial: (!line["initial"].is_null()).then(|| values(&line["initial"])),
            events: line["events"].as_array().unwrap().clone(),
            expected: values(&line["expected"]),
        })
        .collect()
}

pub(crate) fn lines(text: &str) -> impl Iterator<Item = Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap())
}

fn values(value: &Value) -> Values {
    value
        .as_object()
        .unwrap()
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// Compares as `tests/golden/README.md` says.
pub(crate) fn assert_same(id: &str, found: &Values, expected: &Values) {
    let comparable = |values: &Values| -> BTreeMap<String, Value> {
        values
            .iter()
            .filter(|(name, value)| name.starts_with("hhl_") && !value.is_empty())
            .map(|(name, value)| (name.clone(), comparable(name, value)))
            .filter(|(_, value)| !value.is_null())
            .collect()
    };
    assert_eq!(comparable(found), comparable(expected), "{id}");
}

fn comparable(name: &str, value: &str) -> Value {
    let set = |separator: &str| {
        let parts: Vec<&str> = value.split(separator).collect();
        let distinct: BTreeSet<&str> = parts.iter().copied().collect();
        assert_eq!(distinct.len(), parts.len(), "{name} repeats a part");
        serde_json::to_value(distinct).unwrap()
    };
    match name {
        "hhl_progress_state" => bare(serde_json::from_str(value).unwrap()),
        "hhl_enrolled_courses" | "hhl_completed_courses" => set(";"),
        "hhl_progress_summary" => set("; "),
        "hhl_total_progress" => value.parse::<u64>().unwrap().into(),
        "hhl_last_activity" | "hhl_progress_updated_at" => value[..10].into(),
        "hhl_last_viewed_at" => {
            DateTime::parse_from_rfc3339(value).unwrap().timestamp_millis().into()
        }
        _ => value.into(),
    }
}

/// Without what says nothing: an empty map, a false flag.
fn bare(value: Value) -> Value {
    match value {
        Value::Bool(false) => Value::Null,
        Value::Object(fields) => {
            let fields: serde_json::Map<_, _> = fields
                .into_iter()
                .map(|(key, value)| (key, bare(value)))
                .filter(|(_, value)| !value.is_null())
                .collect();
            if fields.is_empty() { Value::Null } else { Value::Object(fields) }
        }
        other => other,
    }
}

/// Puts the contacts of histories into a portal and gives all their events, under the ids that the
/// portal gave, in an order of chance and every fifth twice.
pub(crate) fn shuffled(
    histories: &[History],
    chance: &SeededEntropy,
    mut add_contact: impl FnMut(&Values) -> u64,
) -> Vec<Value> {
    let below = |bound: usize| (chance.next_u64() % bound as u64) as usize;
    let mut events = Vec::new();
    for history in histories {
        let id = history.initial.as_ref().map(|initial| add_contact(initial).to_string());
        for event in &history.events {
            let mut event = event.clone();
            if let Some(given) = event.pointer_mut("/contactIdentifier/contactId")
                && *given == history.contact_id.as_str()
                && let Some(id) = &id
            {
                *given = id.clone().into();
            }
            events.push(event);
        }
    }
    for _ in 0..events.len() / 5 {
        events.push(events[below(events.len())].clone());
    }
    for last in (1..events.len()).rev() {
        events.swap(last, below(last + 1));
    }
    events
}

fn received_at() -> DateTime<Utc> {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn facts(body: &Value) -> Option<Facts> {
    fold::facts(body, received_at())
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
    let entropy = SeededEntropy::new(3);
    let below = |bound: usize| (entropy.next_u64() % bound as u64) as usize;
    for history in histories() {
        for _ in 0..8 {
            let mut events: Vec<Facts> = history.events.iter().filter_map(facts).collect();
            for _ in 0..below(4) {
                if !events.is_empty() {
                    events.push(events[below(events.len())].clone());
                }
            }
            for last in (1..events.len()).rev() {
                events.swap(last, below(last + 1));
            }
            let mut batches: Vec<Facts> = Vec::new();
            for facts in events {
                match batches.last_mut() {
                    Some(batch) if below(3) > 0 => *batch = batch.clone().join(facts),
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

#[test]
fn every_recorded_body_is_accepted_or_refused_with_its_code() {
    for vector in lines(include_str!("../golden/validation.jsonl")) {
        let body = vector["body"].as_str().unwrap_or_default();
        let (status, code) = match submission::read(body.as_bytes()) {
            Ok(_) => (200, None),
            Err(rejection) => (400, Some(rejection.code.as_str())),
        };
        let rule = &vector["rule"];
        match &vector["status"] {
            Value::Number(expected) => {
                assert_eq!(Some(status), expected.as_u64(), "{rule}");
                assert_eq!(code, vector["code"].as_str(), "{rule}");
            }
            either => assert_eq!(either, "200 or 400", "{rule}"),
        }
    }
}
