//! The calls on property groups: list, get, create, change, archive.
//!
//! **Invariant**: a group is archived only when it holds no active property.

use serde_json::{Value, json};
use simulator_portal::definitions::{Group, Property};
use simulator_portal::world::World;

use crate::call::Call;
use crate::definition_calls::{check_name, required, text};
use crate::errors::{self, Answer};

pub(crate) fn list(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    let groups = world.definitions.groups();
    let results: Vec<Value> = groups
        .filter(|g| g.archived_at.is_none() && g.visible_at <= call.now)
        .map(json_of)
        .collect();
    Ok(Answer::json(200, json!({"results": results})))
}

pub(crate) fn get(world: &mut World, call: &Call<'_>, name: &str) -> Result<Answer, Answer> {
    let group = world.definitions.group(name, call.now).ok_or_else(|| unknown(name))?;
    Ok(Answer::json(200, json_of(group)))
}

pub(crate) fn create(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    let body = call.object()?;
    let name = required(body, "name")?;
    let label = required(body, "label")?;
    check_name(&name)?;
    if world.definitions.groups().any(|group| group.name == name && group.archived_at.is_none()) {
        return Err(Answer::json(
            409,
            json!({"status": "error", "category": "OBJECT_ALREADY_EXISTS",
                   "message": format!("A property group named '{name}' already exists.")}),
        ));
    }
    let group = Group {
        name,
        label,
        display_order: body.get("displayOrder").and_then(Value::as_i64).unwrap_or(-1),
        visible_at: world.visible_at(call.now),
        archived_at: None,
    };
    let location =
        format!("https://api.hubapi.com/crm/v3/properties/contacts/groups/{}", group.name);
    let answer = Answer::json(201, json_of(&group)).with("location", location);
    world.keep_group(group);
    Ok(answer)
}

pub(crate) fn update(world: &mut World, call: &Call<'_>, name: &str) -> Result<Answer, Answer> {
    let body = call.object()?;
    let mut group =
        world.definitions.group(name, call.now).cloned().ok_or_else(|| unknown(name))?;
    group.label = text(body, "label").unwrap_or(group.label);
    group.display_order =
        body.get("displayOrder").and_then(Value::as_i64).unwrap_or(group.display_order);
    let answer = Answer::json(200, json_of(&group));
    world.keep_group(group);
    Ok(answer)
}

pub(crate) fn archive(world: &mut World, call: &Call<'_>, name: &str) -> Result<Answer, Answer> {
    let mut group =
        world.definitions.group(name, call.now).cloned().ok_or_else(|| unknown(name))?;
    let in_use = |p: &Property| p.group == name && p.archived_at.is_none();
    if world.definitions.properties().any(in_use) {
        let inner = json!({"status": "error", "category": "VALIDATION_ERROR",
                           "subCategory": "PropertyGroupError.GROUP_WITH_ACTIVE_PROPERTIES",
                           "message": format!("Group {name} has active properties")});
        return Err(errors::refused(format!("Unable to archive the group: {inner}")));
    }
    group.archived_at = Some(call.now);
    world.keep_group(group);
    Ok(Answer::empty(204))
}

fn unknown(name: &str) -> Answer {
    errors::not_found(format!("Property group {name} does not exist"))
}

fn json_of(group: &Group) -> Value {
    json!({"name": group.name, "label": group.label, "displayOrder": group.display_order,
           "archived": group.archived_at.is_some()})
}
