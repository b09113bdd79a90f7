//! Custom behavioral events, in basic form: definitions, and sending.
//!
//! Sending answers 204 and tells nothing more; the first of two with one `uuid` counts. A batch that
//! holds one bad event is refused whole, and the answer does not say which one it was.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};
use shared::event_definitions::VALUE_UNITS_MAX;
use simulator_portal::events::{EventDefinition, EventView};
use simulator_portal::values::{self, Invalid};
use simulator_portal::world::World;

use crate::call::Call;
use crate::errors::{self, Answer};

/// The most events of one batch.
const SEND_MAX: usize = 500;

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
    let definitions = world.events.definitions();
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
    let full = world.qualified(name);
    let definition = world.events.definitions().get(&full).ok_or_else(|| unknown(name))?;
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
    if world.events.definitions().contains_key(&world.qualified(name)) {
        return Err(Answer::json(
            409,
            json!({"status": "error", "category": "OBJECT_ALREADY_EXISTS",
                   "message": format!("An event definition named '{name}' already exists.")}),
        ));
    }
    let label = body.get("label").cloned().unwrap_or(name.into());
    let properties = body.get("propertyDefinitions").cloned().unwrap_or(json!([]));
    let lag = TimeDelta::milliseconds(world.settings.event_lag_ms as i64);
    Ok(Answer::json(201, world.define_event(name, &label, &properties, Some(call.now + lag))))
}

pub(crate) fn define_property(
    world: &mut World,
    call: &Call<'_>,
    name: &str,
) -> Result<Answer, Answer> {
    let property = Value::Object(call.object()?.clone());
    let full = world.qualified(name);
    let definition = world.events.definitions().get(&full).ok_or_else(|| unknown(name))?;
    if definition.has(property["name"].as_str().unwrap_or_default()) {
        return Err(Answer::json(
            409,
            json!({"status": "error", "category": "OBJECT_ALREADY_EXISTS",
                   "message": "A property of that name already exists."}),
        ));
    }
    world.add_event_property(name, property.clone());
    Ok(Answer::json(201, property))
}

pub(crate) fn undefine(world: &mut World, name: &str) -> Result<Answer, Answer> {
    if world.undefine_event(name) { Ok(Answer::empty(204)) } else { Err(unknown(name)) }
}

fn accept(world: &mut World, now: DateTime<Utc>, events: &[Value]) -> Result<Answer, Answer> {
    let mut accepted: Vec<EventView> = Vec::new();
    for event in events {
        let event = event.as_object().cloned().unwrap_or_default();
        let name = event.get("eventName").and_then(Value::as_str).unwrap_or_default();
        let definition = world.events.definitions().get(name);
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
    for event in accepted {
        world.accept_event(event);
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

fn unknown(name: &str) -> Answer {
    errors::not_found(format!("No event definition found for {name}"))
}
