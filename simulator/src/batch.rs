//! The five batch calls.
//!
//! A write judges all its rows first. With a unique trace id on every row the good ones are
//! written and the others named in a 207; else the first bad row fails the call and nothing is
//! written. Some rows vanish without a word, as they do in HubSpot: see [`update`].
//!
//! **Invariant**: a call that answers 4xx has written nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use simulator_portal::values::{self, Invalid};
use simulator_portal::world::World;

use crate::call::Call;
use crate::errors::{self, Answer};
use crate::record;
use crate::write::{self, Claimed, Judged, RowFault};

/// The most inputs of a batch.
const INPUTS_MAX: usize = 100;
/// The most inputs of a read with histories.
const HISTORIES_MAX: usize = 50;

/// One input of a batch.
struct Input {
    id: Option<String>,
    id_property: Option<String>,
    trace_id: Option<String>,
    properties: Map<String, Value>,
}

/// `batch/read`: what is found, and one error that lists all that is not.
pub(crate) fn read(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    let body = call.object()?;
    let with_history = names(body, "propertiesWithHistory");
    let Some(inputs) = inputs(body)? else { return Ok(nothing_done(call)) };
    if !with_history.is_empty() && inputs.len() > HISTORIES_MAX {
        return Err(errors::too_many_inputs(HISTORIES_MAX, true));
    }
    let asked = names(body, "properties");
    let id_property = body.get("idProperty").and_then(Value::as_str);
    if let Some(name) = id_property
        && !is_unique(world, name)
    {
        return Err(errors::not_a_unique_property(name, &world.settings));
    }
    let archived = call.query.is_true("archived");
    let mut found = BTreeSet::new();
    let mut missing = Vec::new();
    for id in inputs.iter().filter_map(|input| input.id.as_ref()) {
        match locate(world, id, id_property, archived) {
            Some(record) => {
                found.insert(record);
            }
            None if missing.contains(id) => {}
            None => missing.push(id.clone()),
        }
    }
    let mut results: Vec<Value> = found
        .iter()
        .filter_map(|id| world.store.any(*id))
        .map(|contact| record::as_read(world, call, contact, &asked, &with_history))
        .collect();
    world.chance.shuffle(&mut results);
    let errors = if missing.is_empty() {
        Vec::new()
    } else {
        vec![json!({"status": "error", "category": "OBJECT_NOT_FOUND", "message": write::MISSING,
                    "context": {"ids": missing}})]
    };
    Ok(complete(call, 200, results, errors))
}

/// `batch/create`.
pub(crate) fn create(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    let Some(inputs) = inputs(call.object()?)? else { return Ok(nothing_done(call)) };
    let mut claimed = Claimed::new();
    let rows = inputs
        .iter()
        .map(|input| write::judge(world, call, None, &input.properties, &mut claimed).map(Some))
        .collect();
    finish(world, call, 201, &inputs, rows, false)
}

/// `batch/update`. A merged-away id and an id that is no number are passed over in silence; an
/// unknown one is named in a 207 while the others are written, trace ids or not.
pub(crate) fn update(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    let Some(inputs) = inputs(call.object()?)? else { return Ok(nothing_done(call)) };
    refuse_duplicates(&inputs)?;
    for name in inputs.iter().filter_map(|input| input.id_property.as_deref()) {
        if !(name == "email" && world.settings.update_by_email) {
            return Err(errors::not_a_unique_property(name, &world.settings));
        }
    }
    let mut claimed = Claimed::new();
    let mut rows = Vec::with_capacity(inputs.len());
    for input in &inputs {
        let id = input.id.clone().unwrap_or_default();
        let target = match (input.id_property.as_deref(), id.parse::<u64>()) {
            (Some(property), _) => world.store.holder(property, &id),
            (None, Err(_)) => {
                rows.push(Ok(None));
                continue;
            }
            (None, Ok(number)) if world.store.survivor(number).is_some() => {
                rows.push(Ok(None));
                continue;
            }
            (None, Ok(number)) => world.store.live(number).map(|contact| contact.id),
        };
        rows.push(match target {
            Some(_) => write::judge(world, call, target, &input.properties, &mut claimed).map(Some),
            None => Err(RowFault::Missing { id }),
        });
    }
    finish(world, call, 200, &inputs, rows, false)
}

/// `batch/upsert`: by a unique property, or by record id when none is named.
pub(crate) fn upsert(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    let Some(inputs) = inputs(call.object()?)? else { return Ok(nothing_done(call)) };
    for name in inputs.iter().filter_map(|input| input.id_property.as_deref()) {
        if !is_unique(world, name) {
            return Err(errors::not_a_unique_property(name, &world.settings));
        }
    }
    refuse_duplicates(&inputs)?;
    let mut targets = BTreeMap::new();
    let mut claimed = Claimed::new();
    let mut rows = Vec::with_capacity(inputs.len());
    for input in &inputs {
        let id = input.id.clone().unwrap_or_default();
        let Some(property) = input.id_property.as_deref() else {
            let target = id.parse().ok().and_then(|id| world.store.live(id)).map(|c| c.id);
            rows.push(match target {
                Some(_) => {
                    write::judge(world, call, target, &input.properties, &mut claimed).map(Some)
                }
                None => Err(RowFault::Missing { id }),
            });
            continue;
        };
        let target = world.store.holder(property, &id);
        if let Some(target) = target
            && let Some(other) = targets.insert(target, id.clone())
        {
            return Err(errors::duplicate_ids(&[other, id]));
        }
        let mut properties = input.properties.clone();
        if target.is_none() && !properties.contains_key(property) {
            properties.insert(property.to_owned(), id.into());
        }
        rows.push(write::judge(world, call, target, &properties, &mut claimed).map(Some));
    }
    finish(world, call, 200, &inputs, rows, true)
}

/// `batch/archive`: 204, whatever the ids are.
pub(crate) fn archive(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    let Some(inputs) = inputs(call.object()?)? else { return Ok(Answer::empty(204)) };
    for id in inputs.iter().filter_map(|input| input.id.as_ref()) {
        if let Ok(id) = id.parse() {
            world.store.archive(call.now, id);
        }
    }
    Ok(Answer::empty(204))
}

/// Whether a property can name a record.
fn is_unique(world: &World, name: &str) -> bool {
    name == "hs_object_id" || world.store.is_unique(name)
}

/// The record that an input of a read means.
fn locate(world: &World, id: &str, property: Option<&str>, archived: bool) -> Option<u64> {
    match property {
        Some(property) if property != "hs_object_id" => {
            world.store.holder(property, id).filter(|_| !archived)
        }
        _ => {
            let id = id.trim().parse().ok()?;
            let id = match world.store.survivor(id) {
                Some(survivor) if world.settings.batch_read_follows_merges => survivor,
                _ => id,
            };
            world.store.any(id).filter(|c| c.archived_at.is_some() == archived).map(|c| c.id)
        }
    }
}

/// The inputs, or `None` for a body without any: HubSpot answers that with an empty success.
fn inputs(body: &Map<String, Value>) -> Result<Option<Vec<Input>>, Answer> {
    let Some(inputs) = body.get("inputs") else { return Ok(None) };
    let Some(inputs) = inputs.as_array() else {
        return Err(errors::wrong_shape("Cannot deserialize the value of inputs as a list"));
    };
    if inputs.len() > INPUTS_MAX {
        return Err(errors::too_many_inputs(INPUTS_MAX, false));
    }
    inputs.iter().map(input).collect::<Result<_, _>>().map(Some)
}

fn input(input: &Value) -> Result<Input, Answer> {
    let Some(input) = input.as_object() else {
        return Err(errors::wrong_shape("Cannot deserialize an input as an object"));
    };
    let text = |name: &str| match input.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let properties = properties_of(input)?;
    Ok(Input {
        id: text("id"),
        id_property: text("idProperty").filter(|name| !name.is_empty()),
        trace_id: text("objectWriteTraceId"),
        properties,
    })
}

/// The `properties` of a write: an object of plain values.
pub(crate) fn properties_of(record: &Map<String, Value>) -> Result<Map<String, Value>, Answer> {
    match record.get("properties") {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(properties)) => {
            if properties.values().any(|value| value.is_object() || value.is_array()) {
                return Err(errors::wrong_shape("Cannot deserialize a property value as a text"));
            }
            Ok(properties.clone())
        }
        Some(_) => Err(errors::wrong_shape("Cannot deserialize properties as an object")),
    }
}

fn names(body: &Map<String, Value>, key: &str) -> Vec<String> {
    let names = body.get(key).and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The same id twice fails a whole write. Addresses are compared folded.
fn refuse_duplicates(inputs: &[Input]) -> Result<(), Answer> {
    let mut seen = BTreeSet::new();
    let mut twice = BTreeSet::new();
    for id in inputs.iter().filter_map(|input| input.id.as_deref()) {
        let id = values::folded(id);
        if !seen.insert(id.clone()) {
            twice.insert(id);
        }
    }
    if twice.is_empty() {
        return Ok(());
    }
    Err(errors::duplicate_ids(&twice.into_iter().collect::<Vec<_>>()))
}

/// Writes what may be written and tells the rest, or refuses the whole.
fn finish(
    world: &mut World,
    call: &Call<'_>,
    status: u16,
    inputs: &[Input],
    rows: Vec<Result<Option<Judged>, RowFault>>,
    is_upsert: bool,
) -> Result<Answer, Answer> {
    let traces: BTreeSet<&str> = inputs.iter().filter_map(|i| i.trace_id.as_deref()).collect();
    let traced = traces.len() == inputs.len();
    if let Some(whole) = whole_refusal(world, &rows, traced, is_upsert) {
        return Err(whole);
    }
    let dropped = dropped_rows(world, call, rows.len());
    let mut results = Vec::new();
    let mut errors = Vec::new();
    for (place, (input, row)) in inputs.iter().zip(rows).enumerate() {
        match row {
            Ok(Some(judged)) if !dropped.contains(&place) => {
                let id = judged.apply(world, call);
                if let Some(contact) = world.store.any(id) {
                    let sent = judged.changes.keys();
                    let mut record = record::as_written(world, contact, sent, &judged.warnings);
                    if is_upsert {
                        record["new"] = judged.target.is_none().into();
                    }
                    results.push(record);
                }
            }
            Ok(_) => {}
            Err(fault) => errors.push(fault.entry(world, input.trace_id.as_deref())),
        }
    }
    world.chance.shuffle(&mut results);
    Ok(complete(call, status, results, errors))
}

/// The answer when a fault of one row fails all. A missing record never does.
fn whole_refusal(
    world: &World,
    rows: &[Result<Option<Judged>, RowFault>],
    traced: bool,
    is_upsert: bool,
) -> Option<Answer> {
    let conflicts_fail_all = is_upsert && world.settings.upsert_conflict_fails_batch;
    let faults = || {
        rows.iter().filter_map(|row| row.as_ref().err()).filter(|fault| match fault {
            RowFault::Missing { .. } => false,
            RowFault::Conflict { .. } => !traced || conflicts_fail_all,
            RowFault::Invalid(_) | RowFault::Refused(_) => !traced,
        })
    };
    let first = faults().next()?;
    if !matches!(first, RowFault::Invalid(_)) {
        return Some(first.whole(world));
    }
    // A refusal for values names those of all rows, and does not say which row is which.
    let all: Vec<Invalid> = faults()
        .filter_map(|fault| match fault {
            RowFault::Invalid(invalid) => Some(invalid.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    Some(errors::invalid_values(&all, &world.settings))
}

/// Which rows a fault makes vanish.
fn dropped_rows(world: &mut World, call: &Call<'_>, rows: usize) -> BTreeSet<usize> {
    if call.silent_rows == 0 {
        return BTreeSet::new();
    }
    let mut places: Vec<usize> = (0..rows).collect();
    world.chance.shuffle(&mut places);
    places.into_iter().take(call.silent_rows).collect()
}

fn nothing_done(call: &Call<'_>) -> Answer {
    complete(call, 200, Vec::new(), Vec::new())
}

fn complete(call: &Call<'_>, status: u16, results: Vec<Value>, errors: Vec<Value>) -> Answer {
    let at = values::iso(call.now);
    let mut body = json!({"status": "COMPLETE", "results": results, "startedAt": at,
                          "completedAt": at});
    if errors.is_empty() {
        return Answer::json(status, body);
    }
    body["numErrors"] = errors.len().into();
    body["errors"] = errors.into();
    Answer::json(207, body)
}
