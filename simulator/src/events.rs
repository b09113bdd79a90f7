//! Custom behavioral events, in basic form: definitions, and sending.
//!
//! Sending answers 204 and tells nothing more; the first of two with one `uuid` counts. A batch that
//! holds one bad event is refused whole, and the answer does not say which one it was.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use shared::event::EventName;
use shared::event_definitions::{EVENT_PROPERTIES, PROPERTY_KIND, VALUE_UNITS_MAX, label};

use crate::errors::{self, Answer, Invalid};
use crate::values;
use crate::world::{Call, Row, World};

/// The most events of one batch.
const SEND_MAX: usize = 500;
/// The accepted events that can be looked at, the last ones.
const EVENTS_KEPT: usize = 10_000;

/// An accepted event, as tests see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventView {
    /// The fully qualified name.
    pub event: String,
    /// What tells it from others of its name.
    pub uuid: Option<String>,
    /// Whose it is, by e-mail.
    pub email: Option<String>,
    /// Whose it is, by record id.
    pub object_id: Option<String>,
    /// When it happened.
    pub occurred_at: Option<String>,
    /// What it carries.
    pub properties: BTreeMap<String, String>,
}

/// What the portal knows of events.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// By the fully qualified name.
    pub(crate) definitions: BTreeMap<String, EventDefinition>,
    /// Event names and ids that were accepted, joined by a space.
    pub(crate) seen: BTreeSet<String>,
    /// Events accepted and counted once.
    pub(crate) counted: u64,
    /// The last of them.
    pub(crate) kept: VecDeque<EventView>,
}

/// A kind of event. Its JSON is its row on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct EventDefinition {
    pub(crate) name: String,
    pub(crate) body: Value,
    /// From when on its events are taken.
    #[serde(default)]
    pub(crate) taken_from: Option<DateTime<Utc>>,
}

impl EventDefinition {
    fn has(&self, property: &str) -> bool {
        let properties = self.body["properties"].as_array();
        properties.is_some_and(|list| list.iter().any(|one| one["name"] == property))
    }
}

pub(crate) fn send(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    accept(world, call.now, &[Value::Object(call.object()?.clone())])
}

pub(crate) fn send_batch(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    let body = call.object()?;
    let inputs = body.get("inputs").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if inputs.len() > SEND_MAX {
        return Err(errors::too_many_inputs(SEND_MAX, false));
    }
    accept(world, call.now, inputs)
}

pub(crate) fn list(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    let limit = call.query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
    let after = call.query.get("after").unwrap_or_default();
    let definitions = &world.events.definitions;
    let mut rest = definitions.values().filter(|definition| definition.name.as_str() > after);
    let page: Vec<&EventDefinition> = rest.by_ref().take(limit).collect();
    let results: Vec<&Value> = page.iter().map(|definition| &definition.body).collect();
    let mut body = json!({"total": definitions.len(), "results": results});
    if let (Some(last), true) = (page.last(), rest.next().is_some()) {
        body["paging"] = json!({"next": {"after": last.name}});
    }
    Ok(Answer::json(200, body))
}

pub(crate) fn get(world: &mut World, name: &str) -> Result<Answer, Answer> {
    let full = qualified(world, name);
    let definition = world.events.definitions.get(&full).ok_or_else(|| unknown(name))?;
    Ok(Answer::json(200, definition.body.clone()))
}

pub(crate) fn define(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    let body = call.object()?;
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !starts_well || !name.chars().all(is_plain) {
        return Err(errors::refused("An event name must match [a-z][a-z0-9_]*"));
    }
    if world.events.definitions.contains_key(&qualified(world, name)) {
        return Err(Answer::json(
            409,
            json!({"status": "error", "category": "OBJECT_ALREADY_EXISTS",
                   "message": format!("An event definition named '{name}' already exists.")}),
        ));
    }
    let label = body.get("label").cloned().unwrap_or(name.into());
    let properties = body.get("propertyDefinitions").cloned().unwrap_or(json!([]));
    let lag = TimeDelta::milliseconds(world.settings.event_lag_ms as i64);
    Ok(Answer::json(201, put(world, name, &label, &properties, Some(call.now + lag))))
}

pub(crate) fn define_property(
    world: &mut World,
    call: &Call<'_>,
    name: &str,
) -> Result<Answer, Answer> {
    let property = Value::Object(call.object()?.clone());
    let full = qualified(world, name);
    let definition = world.events.definitions.get_mut(&full).ok_or_else(|| unknown(name))?;
    if definition.has(property["name"].as_str().unwrap_or_default()) {
        return Err(Answer::json(
            409,
            json!({"status": "error", "category": "OBJECT_ALREADY_EXISTS",
                   "message": "A property of that name already exists."}),
        ));
    }
    if let Some(properties) = definition.body["properties"].as_array_mut() {
        properties.push(property.clone());
    }
    world.touched.insert(Row::EventDefinition(full));
    Ok(Answer::json(201, property))
}

/// Adds what is missing of Milepost's events.
pub(crate) fn define_milepost_events(world: &mut World) {
    let property = |p: shared::event_definitions::EventProperty| json!({"name": p.name, "label": p.label, "type": PROPERTY_KIND});
    let properties = json!(EVENT_PROPERTIES.map(property));
    for event in EventName::ALL {
        if !world.events.definitions.contains_key(&qualified(world, event.as_str())) {
            put(world, event.as_str(), &label(event).into(), &properties, None);
        }
    }
}

/// Puts a definition in, and gives it as the portal shows it.
fn put(
    world: &mut World,
    name: &str,
    label: &Value,
    properties: &Value,
    taken_from: Option<DateTime<Utc>>,
) -> Value {
    let full = qualified(world, name);
    let shown = json!({
        "id": full, "name": name, "fullyQualifiedName": full, "archived": false,
        "labels": {"singular": label},
        "primaryObject": "CONTACT", "trackingType": "MANUAL",
        "properties": properties, "associations": [],
    });
    let definition = EventDefinition { name: full.clone(), body: shown.clone(), taken_from };
    world.touched.insert(Row::EventDefinition(full.clone()));
    world.events.definitions.insert(full, definition);
    shown
}

pub(crate) fn undefine(world: &mut World, name: &str) -> Result<Answer, Answer> {
    let full = qualified(world, name);
    world.events.definitions.remove(&full).ok_or_else(|| unknown(name))?;
    world.touched.insert(Row::EventDefinition(full));
    Ok(Answer::empty(204))
}

fn accept(world: &mut World, now: DateTime<Utc>, events: &[Value]) -> Result<Answer, Answer> {
    let mut accepted: Vec<EventView> = Vec::new();
    for event in events {
        let event = event.as_object().cloned().unwrap_or_default();
        let name = event.get("eventName").and_then(Value::as_str).unwrap_or_default();
        let definition = world.events.definitions.get(name);
        let is_taken = |d: &&EventDefinition| d.taken_from.is_none_or(|from| from <= now);
        let definition = definition.filter(is_taken).ok_or_else(|| unknown(name))?;
        if !names_somebody(&event) {
            return Err(errors::refused("One of objectId, email and utk is required"));
        }
        let view = view(name, &event);
        let email = view.email.as_deref().filter(|email| !email.is_empty());
        if let Some(email) = email.filter(|email| values::email(email, &world.settings).is_none()) {
            let invalid = Invalid {
                name: "email".into(),
                value: email.into(),
                code: "INVALID_EMAIL",
                message: format!("Email address {email} is invalid"),
            };
            return Err(errors::invalid_values(&[invalid], &world.settings));
        }
        if let Some(name) = view.properties.keys().find(|name| !definition.has(name)) {
            return Err(errors::refused(format!("The property {name} is not defined")));
        }
        let is_too_long = |value: &String| value.encode_utf16().count() > VALUE_UNITS_MAX;
        if let Some((name, _)) = view.properties.iter().find(|(_, value)| is_too_long(value)) {
            return Err(errors::refused(format!(
                "The value of the property {name} is longer than {VALUE_UNITS_MAX} characters"
            )));
        }
        accepted.push(view);
    }
    for view in accepted {
        let id = view.uuid.as_ref().map(|uuid| format!("{} {uuid}", view.event));
        if id.as_ref().is_none_or(|id| world.events.seen.insert(id.clone())) {
            world.events.counted += 1;
            world.events.kept.push_back(view);
            if world.events.kept.len() > EVENTS_KEPT {
                world.events.kept.pop_front();
            }
        }
        world.touched.extend(id.map(Row::EventId));
    }
    Ok(Answer::empty(204))
}

fn view(name: &str, event: &Map<String, Value>) -> EventView {
    let text = |key: &str| event.get(key).and_then(Value::as_str).map(str::to_owned);
    let properties = event.get("properties").and_then(Value::as_object).cloned();
    let shown = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    EventView {
        event: name.to_owned(),
        uuid: text("uuid"),
        email: text("email"),
        object_id: text("objectId"),
        occurred_at: text("occurredAt"),
        properties: properties
            .unwrap_or_default()
            .into_iter()
            .map(|(name, value)| (name, shown(value)))
            .collect(),
    }
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
