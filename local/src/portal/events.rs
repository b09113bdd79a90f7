//! Custom behavioral events, in basic form: definitions, and sending.
//!
//! Sending answers 204 and tells nothing more; the first of two with one `uuid` counts.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::errors::{self, Answer};
use super::world::{Call, Row, World};

/// The most events of one batch.
const SEND_MAX: usize = 500;

/// What the portal knows of events.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// By the fully qualified name.
    pub(super) definitions: BTreeMap<String, EventDefinition>,
    /// Event names and ids that were accepted, joined by a space.
    pub(super) seen: BTreeSet<String>,
    /// Events accepted and counted once.
    pub(super) counted: u64,
}

/// A kind of event. Its JSON is its row on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct EventDefinition {
    pub(super) name: String,
    pub(super) body: Value,
}

pub(super) fn send(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    accept(world, &[Value::Object(call.object()?.clone())])
}

pub(super) fn send_batch(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    let body = call.object()?;
    let inputs = body.get("inputs").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if inputs.len() > SEND_MAX {
        return Err(errors::too_many_inputs(SEND_MAX, false));
    }
    accept(world, inputs)
}

pub(super) fn list(world: &mut World) -> Result<Answer, Answer> {
    let results: Vec<&Value> = world.events.definitions.values().map(|d| &d.body).collect();
    Ok(Answer::json(200, json!({"total": results.len(), "results": results})))
}

pub(super) fn get(world: &mut World, name: &str) -> Result<Answer, Answer> {
    let full = qualified(world, name);
    let definition = world.events.definitions.get(&full).ok_or_else(|| unknown(name))?;
    Ok(Answer::json(200, definition.body.clone()))
}

pub(super) fn define(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    let body = call.object()?;
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !starts_well || !name.chars().all(is_plain) {
        return Err(errors::refused("An event name must match [a-z][a-z0-9_]*"));
    }
    let full = qualified(world, name);
    if world.events.definitions.contains_key(&full) {
        return Err(Answer::json(
            409,
            json!({"status": "error", "category": "OBJECT_ALREADY_EXISTS",
                   "message": format!("An event definition named '{name}' already exists.")}),
        ));
    }
    let shown = json!({
        "id": full, "name": name, "fullyQualifiedName": full, "archived": false,
        "labels": {"singular": body.get("label").cloned().unwrap_or(name.into())},
        "primaryObject": "CONTACT", "trackingType": "MANUAL",
        "properties": body.get("propertyDefinitions").cloned().unwrap_or(json!([])),
        "associations": [],
    });
    let definition = EventDefinition { name: full.clone(), body: shown.clone() };
    world.touched.insert(Row::EventDefinition(full.clone()));
    world.events.definitions.insert(full, definition);
    Ok(Answer::json(201, shown))
}

pub(super) fn undefine(world: &mut World, name: &str) -> Result<Answer, Answer> {
    let full = qualified(world, name);
    world.events.definitions.remove(&full).ok_or_else(|| unknown(name))?;
    world.touched.insert(Row::EventDefinition(full));
    Ok(Answer::empty(204))
}

fn accept(world: &mut World, events: &[Value]) -> Result<Answer, Answer> {
    let mut accepted: Vec<Option<String>> = Vec::new();
    for event in events {
        let event = event.as_object().cloned().unwrap_or_default();
        let name = event.get("eventName").and_then(Value::as_str).unwrap_or_default();
        if !world.events.definitions.contains_key(name) {
            return Err(unknown(name));
        }
        if !names_somebody(&event) {
            return Err(errors::refused("One of objectId, email and utk is required"));
        }
        let uuid = event.get("uuid").and_then(Value::as_str);
        accepted.push(uuid.map(|uuid| format!("{name} {uuid}")));
    }
    for id in accepted {
        let is_new = id.as_ref().is_none_or(|id| world.events.seen.insert(id.clone()));
        world.events.counted += u64::from(is_new);
        world.touched.extend(id.map(Row::EventId));
    }
    Ok(Answer::empty(204))
}

fn names_somebody(event: &Map<String, Value>) -> bool {
    ["objectId", "email", "utk"].iter().any(|key| {
        event.get(*key).is_some_and(|value| value.as_str().is_some_and(|text| !text.is_empty()))
    })
}

fn qualified(world: &World, name: &str) -> String {
    let prefix = format!("pe{}_", world.settings.portal_id);
    if name.starts_with(&prefix) { name.to_owned() } else { format!("{prefix}{name}") }
}

fn unknown(name: &str) -> Answer {
    errors::not_found(format!("No event definition found for {name}"))
}
