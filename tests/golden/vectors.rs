//! The recorded vectors as values, and how two contacts are compared: included by each test that
//! holds something against them. `README.md` beside it says what they are.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use serde_json::Value;
use shared::catalog::{Catalog, CatalogFile, CatalogKind};
use shared::milestones::Values;

/// One history: a contact before, events, the contact after.
pub(crate) struct History {
    pub(crate) id: String,
    pub(crate) contact_id: String,
    pub(crate) initial: Option<Values>,
    pub(crate) events: Vec<Value>,
    pub(crate) expected: Values,
}

pub(crate) fn histories() -> Vec<History> {
    lines(include_str!("histories.jsonl"))
        .map(|line| History {
            id: line["id"].as_str().unwrap().to_owned(),
            contact_id: line["contactId"].as_str().unwrap().to_owned(),
            initial: (!line["initial"].is_null()).then(|| values(&line["initial"])),
            events: line["events"].as_array().unwrap().clone(),
            expected: values(&line["expected"]),
        })
        .collect()
}

/// The catalog of all vectors, as a folder would hold it.
fn catalog_files() -> Vec<CatalogFile> {
    let catalog: Value = serde_json::from_str(include_str!("catalog.json")).unwrap();
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

/// Compares as `README.md` says.
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
