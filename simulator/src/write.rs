//! One record's write, judged before anything is changed: what would be stored, or why not.
//!
//! Single calls and batches both come through here, so a value is right or wrong in all of them
//! alike.
//!
//! **Invariant**: judging changes nothing; only [`Judged::apply`] writes.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use simulator_portal::settings::RequiredRule;
use simulator_portal::store::{Changes, Contact};
use simulator_portal::values::{self, Invalid};
use simulator_portal::world::World;

use crate::call::Call;
use crate::errors::{self, Answer};

/// What is wrong with one record of a write.
#[derive(Debug, Clone)]
pub(crate) enum RowFault {
    Invalid(Vec<Invalid>),
    Conflict { existing: u64, email: String },
    Missing { id: String },
    Refused(String),
}

/// A write that may go ahead.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    /// The contact to change; `None` makes a new one.
    pub(crate) target: Option<u64>,
    pub(crate) changes: Changes,
    pub(crate) warnings: Vec<Value>,
}

/// Addresses and unique values that earlier rows of the same batch take.
pub(crate) type Claimed = BTreeSet<(String, String)>;

/// Judges the properties that one record is sent.
pub(crate) fn judge(
    world: &World,
    call: &Call<'_>,
    target: Option<u64>,
    properties: &Map<String, Value>,
    claimed: &mut Claimed,
) -> Result<Judged, RowFault> {
    let present = target.and_then(|id| world.store.live(id));
    let mut judged = Judged { target, changes: Changes::new(), warnings: Vec::new() };
    let mut invalid = Vec::new();
    for (name, value) in properties {
        match judge_value(world, call, present, name, value) {
            Ok(Some(Set { text, warning })) => {
                judged.changes.insert(name.clone(), text);
                judged.warnings.extend(warning);
            }
            Ok(None) => {}
            Err(wrong) => invalid.push(wrong),
        }
    }
    if call.version.binds_rules() {
        invalid.extend(
            world
                .settings
                .required
                .iter()
                .filter_map(|rule| missing(rule, present, &judged.changes)),
        );
    }
    if !invalid.is_empty() {
        return Err(RowFault::Invalid(invalid));
    }
    if target.is_none() {
        complete_new(&mut judged.changes)?;
    }
    claim(world, target, &judged.changes, claimed)?;
    Ok(judged)
}

impl Judged {
    /// Writes, and tells the record's id.
    pub(crate) fn apply(&self, world: &mut World, call: &Call<'_>) -> u64 {
        match self.target {
            Some(id) => {
                world.store.update(call.now, id, &self.changes);
                id
            }
            None => world.store.create(call.now, &self.changes),
        }
    }
}

impl RowFault {
    /// The answer when this one fault fails the whole call.
    pub(crate) fn whole(&self, world: &World) -> Answer {
        match self {
            RowFault::Invalid(invalid) => errors::invalid_values(invalid, &world.settings),
            RowFault::Conflict { existing, .. } => errors::conflict(*existing),
            RowFault::Missing { .. } => errors::resource_not_found(),
            RowFault::Refused(message) => errors::refused(message),
        }
    }

    /// The entry for this fault in a multi-status answer.
    pub(crate) fn entry(&self, world: &World, trace_id: Option<&str>) -> Value {
        let (category, message) = match self {
            RowFault::Invalid(invalid) => {
                ("VALIDATION_ERROR", errors::invalid_message(invalid, &world.settings))
            }
            RowFault::Conflict { existing, .. } => {
                ("CONFLICT", errors::conflict_message(*existing))
            }
            RowFault::Missing { .. } => ("OBJECT_NOT_FOUND", MISSING.to_owned()),
            RowFault::Refused(message) => ("VALIDATION_ERROR", message.clone()),
        };
        let mut context = Map::new();
        match self {
            RowFault::Conflict { existing, .. } => {
                context.insert("existingId".into(), json!([existing.to_string()]));
            }
            RowFault::Missing { id } => {
                context.insert("ids".into(), json!([id]));
            }
            RowFault::Invalid(_) | RowFault::Refused(_) => {}
        }
        if let Some(trace_id) = trace_id {
            context.insert("objectWriteTraceId".into(), json!([trace_id]));
        }
        json!({"status": "error", "category": category, "message": message, "context": context})
    }
}

/// HubSpot's words for ids that it does not find.
pub(crate) const MISSING: &str = "Could not get some CONTACT objects, they may be deleted or not \
                                  exist. Check that ids are valid.";

struct Set {
    text: Option<String>,
    warning: Option<Value>,
}

fn judge_value(
    world: &World,
    call: &Call<'_>,
    present: Option<&Contact>,
    name: &str,
    value: &Value,
) -> Result<Option<Set>, Invalid> {
    let raw = match value {
        // What null does is not documented; here it does nothing.
        Value::Null => return Ok(None),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let refuse =
        |code, message| Err(Invalid { name: name.to_owned(), value: raw.clone(), code, message });
    let Some(property) = call.defined(world, name) else {
        return refuse("PROPERTY_DOESNT_EXIST", format!("Property \"{name}\" does not exist"));
    };
    if property.read_only {
        let told = format!("\"{name}\" is a calculated property; its value cannot be set.");
        return refuse("READ_ONLY_VALUE", told);
    }
    if raw.is_empty() {
        return Ok(Some(Set { text: None, warning: None }));
    }
    let held = present.and_then(|contact| contact.properties.get(name)).map(String::as_str);
    let stored = values::store(property, &raw, held, call.version, &world.settings)?;
    if name == "lifecyclestage" && is_backward(world, held, &stored.text) {
        return Ok(None);
    }
    let warning = stored.normalized_to.map(|normalized| {
        json!({"category": "PROPERTY_VALUE_NORMALIZED", "message": format!("{name} was normalized"),
               "context": {"propertyName": name, "rawValue": raw, "normalizedValue": normalized}})
    });
    Ok(Some(Set { text: Some(stored.text), warning }))
}

/// Whether this would take a contact back to an earlier lifecycle stage.
fn is_backward(world: &World, held: Option<&str>, wanted: &str) -> bool {
    let place = |stage: &str| {
        let property = world.definitions.any("lifecyclestage")?;
        property.options.iter().find(|o| o.value == stage).map(|o| o.display_order)
    };
    held.is_some_and(|held| place(wanted) < place(held))
}

/// What an administrator's rule misses in the record as it would be.
fn missing(rule: &RequiredRule, present: Option<&Contact>, changes: &Changes) -> Option<Invalid> {
    let after = |name: &str| match changes.get(name) {
        Some(value) => value.clone(),
        None => present.and_then(|contact| contact.value(name)),
    };
    let name = &rule.property;
    let (code, message) = match &rule.when {
        None if present.is_none() => {
            ("MISSING_REQUIRED_PROPERTY", format!("A value for {name} must be provided"))
        }
        None => return None,
        Some(condition) => {
            let holds = after(&condition.property).is_some_and(|v| condition.values.contains(&v));
            if !holds {
                return None;
            }
            let told = format!(
                "{name} is required because of a conditional property rule based on [{}]",
                condition.property
            );
            ("MISSING_CONDITIONAL_REQUIRED_PROPERTY", told)
        }
    };
    let invalid = Invalid { name: name.clone(), value: String::new(), code, message };
    after(name).is_none().then_some(invalid)
}

fn complete_new(changes: &mut Changes) -> Result<(), RowFault> {
    changes.retain(|_, value| value.is_some());
    if !["email", "firstname", "lastname"].iter().any(|name| changes.contains_key(*name)) {
        let told = "At least one of email, firstname, or lastname must be provided";
        return Err(RowFault::Refused(told.into()));
    }
    changes.entry("lifecyclestage".into()).or_insert_with(|| Some("lead".into()));
    Ok(())
}

/// Takes the unique values that this row sets, if they are free.
fn claim(
    world: &World,
    target: Option<u64>,
    changes: &Changes,
    claimed: &mut Claimed,
) -> Result<(), RowFault> {
    let taken: Vec<(String, String)> = changes
        .iter()
        .filter(|(name, _)| world.store.is_unique(name))
        .filter_map(|(name, value)| Some((name.clone(), value.clone()?)))
        .collect();
    for (name, value) in &taken {
        let holder = world.store.holder(name, value).filter(|id| Some(*id) != target);
        if let Some(existing) = holder {
            return Err(RowFault::Conflict { existing, email: value.clone() });
        }
        if claimed.contains(&(name.clone(), value.clone())) {
            return Err(RowFault::Refused(format!("Duplicate {name} found in batch input")));
        }
        let blocked = world.settings.gdpr_blocks_create && world.store.is_forgotten(value);
        if name == "email" && target.is_none() && blocked {
            let told = "This email address was permanently deleted and cannot be used again";
            return Err(RowFault::Refused(told.into()));
        }
    }
    claimed.extend(taken);
    Ok(())
}
