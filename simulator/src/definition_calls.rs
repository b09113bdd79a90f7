//! The calls on properties: list, get, create, change, archive.
//!
//! **Invariant**: creating what exists changes nothing; creating what was archived brings it back.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use simulator_portal::definitions::{Choice, Property};
use simulator_portal::world::World;

use crate::call::Call;
use crate::errors::{self, Answer};

/// The most properties with unique values.
const UNIQUE_MAX: usize = 10;

/// The field type of a property that the portal calculates.
const CALCULATED: &str = "calculation_equation";

/// Which field types go with a type.
const FIELD_TYPES: [(&str, &[&str]); 6] = [
    ("string", &["text", "textarea", "html", "phonenumber", "file", "calculation_equation"]),
    ("number", &["number", "calculation_equation"]),
    ("date", &["date"]),
    ("datetime", &["date"]),
    ("bool", &["booleancheckbox", "calculation_equation"]),
    ("enumeration", &["booleancheckbox", "checkbox", "radio", "select", "calculation_equation"]),
];

pub(crate) fn list(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    let archived = call.query.is_true("archived");
    let results: Vec<Value> = world
        .definitions
        .properties()
        .filter(|p| p.archived_at.is_some() == archived && is_visible(call, p))
        .map(property_json)
        .collect();
    Ok(Answer::json(200, json!({"results": results})))
}

pub(crate) fn get(world: &mut World, call: &Call<'_>, name: &str) -> Result<Answer, Answer> {
    let archived = call.query.is_true("archived");
    let property = world
        .definitions
        .any(name)
        .filter(|p| p.archived_at.is_some() == archived && is_visible(call, p))
        .ok_or_else(|| no_property(name))?;
    Ok(Answer::json(200, property_json(property)))
}

pub(crate) fn create(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    let property = create_one(world, call, call.object()?)?;
    let location = format!("https://api.hubapi.com/crm/v3/properties/contacts/{}", property.name);
    Ok(Answer::json(201, property_json(&property)).with("location", location))
}

pub(crate) fn update(world: &mut World, call: &Call<'_>, name: &str) -> Result<Answer, Answer> {
    let body = call.object()?;
    let mut property =
        world.definitions.property(name, call.now).cloned().ok_or_else(|| no_property(name))?;
    if let Some(field_type) = text(body, "fieldType") {
        check_types(&property.kind, &field_type)?;
        property.field_type = field_type;
    }
    if let Some(group) = text(body, "groupName") {
        check_group(world, call, &group)?;
        property.group = group;
    }
    fill(&mut property, body)?;
    property.updated_at = call.now;
    world.keep_property(property.clone());
    Ok(Answer::json(200, property_json(&property)))
}

pub(crate) fn archive(world: &mut World, call: &Call<'_>, name: &str) -> Result<Answer, Answer> {
    let property =
        world.definitions.property(name, call.now).cloned().ok_or_else(|| no_property(name))?;
    if property.hubspot_defined {
        return Err(errors::refused(format!("Property {name} is defined by HubSpot")));
    }
    archive_one(world, call.now, property);
    Ok(Answer::empty(204))
}

pub(crate) fn batch_read(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    let body = call.object()?;
    let archived = body.get("archived").and_then(Value::as_bool).unwrap_or(false);
    let (mut results, mut missing) = (Vec::new(), Vec::new());
    for name in input_names(body)? {
        let found = world.definitions.any(&name);
        match found.filter(|p| p.archived_at.is_some() == archived && is_visible(call, p)) {
            Some(property) => results.push(property_json(property)),
            None => missing.push(name),
        }
    }
    let errors: Vec<Value> = missing
        .iter()
        .map(|name| {
            json!({"status": "error", "category": "OBJECT_NOT_FOUND",
                   "message": format!("Property {name} does not exist"),
                   "context": {"name": [name]}})
        })
        .collect();
    Ok(complete(200, results, errors))
}

pub(crate) fn batch_create(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    let body = call.object()?;
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for input in inputs(body)? {
        match input.as_object().map(|input| create_one(world, call, input)) {
            Some(Ok(property)) => results.push(property_json(&property)),
            Some(Err(refusal)) => {
                if let crate::errors::Body::Json(body) = refusal.body {
                    errors.push(body);
                }
            }
            None => return Err(errors::wrong_shape("Cannot deserialize an input as an object")),
        }
    }
    Ok(complete(201, results, errors))
}

pub(crate) fn batch_archive(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    for name in input_names(call.object()?)? {
        if let Some(property) = world.definitions.property(&name, call.now).cloned()
            && !property.hubspot_defined
        {
            archive_one(world, call.now, property);
        }
    }
    Ok(Answer::empty(204))
}

/// Archives a property, whoever asks for it.
pub(crate) fn archive_one(world: &mut World, now: DateTime<Utc>, property: Property) {
    world.keep_property(Property { archived_at: Some(now), ..property });
}

fn create_one(
    world: &mut World,
    call: &Call<'_>,
    body: &Map<String, Value>,
) -> Result<Property, Answer> {
    let name = required(body, "name")?;
    let kind = required(body, "type")?;
    let field_type = required(body, "fieldType")?;
    check_name(&name)?;
    check_types(&kind, &field_type)?;
    let old = world.definitions.any(&name).cloned();
    if old.as_ref().is_some_and(|old| old.archived_at.is_none()) {
        return Err(Answer::json(
            409,
            json!({"status": "error", "category": "OBJECT_ALREADY_EXISTS",
                   "subCategory": "Properties.PROPERTY_WITH_NAME_EXISTS",
                   "message": format!("A property named '{name}' already exists.")}),
        ));
    }
    let group = required(body, "groupName")?;
    check_group(world, call, &group)?;
    let unique = body.get("hasUniqueValue").and_then(Value::as_bool).unwrap_or(false);
    let own_unique = |p: &&Property| p.unique && !p.hubspot_defined && p.archived_at.is_none();
    if unique && world.definitions.properties().filter(own_unique).count() >= UNIQUE_MAX {
        return Err(errors::refused("The limit of 10 properties with unique values is reached"));
    }
    let mut property = Property {
        label: required(body, "label")?,
        name,
        kind,
        // A calculated value is the portal's own.
        read_only: field_type == CALCULATED,
        field_type,
        group,
        description: String::new(),
        options: Vec::new(),
        display_order: -1,
        hidden: false,
        form_field: false,
        unique,
        hubspot_defined: false,
        created_at: old.map_or(call.now, |old| old.created_at),
        updated_at: call.now,
        visible_at: world.visible_at(call.now),
        archived_at: None,
    };
    fill(&mut property, body)?;
    world.keep_property(property.clone());
    Ok(property)
}

/// Takes over what may be changed at any time. Options replace the whole list.
fn fill(property: &mut Property, body: &Map<String, Value>) -> Result<(), Answer> {
    if let Some(label) = text(body, "label") {
        property.label = label;
    }
    if let Some(description) = text(body, "description") {
        property.description = description;
    }
    let flag =
        |name: &str, present: bool| body.get(name).and_then(Value::as_bool).unwrap_or(present);
    property.hidden = flag("hidden", property.hidden);
    property.form_field = flag("formField", property.form_field);
    property.display_order =
        body.get("displayOrder").and_then(Value::as_i64).unwrap_or(property.display_order);
    if let Some(options) = body.get("options").and_then(Value::as_array) {
        let choice = |(order, option): (i64, &Value)| {
            let option = option.as_object().cloned().unwrap_or_default();
            Ok(Choice {
                value: required(&option, "value")?,
                label: required(&option, "label")?,
                display_order: option.get("displayOrder").and_then(Value::as_i64).unwrap_or(order),
                hidden: option.get("hidden").and_then(Value::as_bool).unwrap_or(false),
            })
        };
        property.options = (0..).zip(options).map(choice).collect::<Result<_, Answer>>()?;
    }
    if property.kind == "enumeration" && property.options.is_empty() {
        return Err(errors::refused("An enumeration property needs at least one option"));
    }
    Ok(())
}

fn is_visible(call: &Call<'_>, property: &Property) -> bool {
    property.visible_at <= call.now && !call.undefined.contains(&property.name)
}

pub(crate) fn check_name(name: &str) -> Result<(), Answer> {
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if starts_well && name.chars().all(is_plain) {
        return Ok(());
    }
    let told = "Names start with a letter and hold lower-case letters, digits and underscores only";
    Err(errors::refused(told))
}

fn check_types(kind: &str, field_type: &str) -> Result<(), Answer> {
    match FIELD_TYPES.iter().find(|(name, _)| *name == kind) {
        None => Err(errors::refused(format!("{kind} is not a property type"))),
        Some((_, field_types)) if field_types.contains(&field_type) => Ok(()),
        Some(_) => {
            Err(errors::refused(format!("fieldType {field_type} does not go with type {kind}")))
        }
    }
}

fn check_group(world: &World, call: &Call<'_>, name: &str) -> Result<(), Answer> {
    match world.definitions.group(name, call.now) {
        Some(_) => Ok(()),
        None => Err(errors::refused(format!("Property group {name} does not exist"))),
    }
}

fn no_property(name: &str) -> Answer {
    errors::not_found(format!("Property {name} does not exist"))
}

pub(crate) fn text(body: &Map<String, Value>, name: &str) -> Option<String> {
    body.get(name).and_then(Value::as_str).map(str::to_owned)
}

pub(crate) fn required(body: &Map<String, Value>, name: &str) -> Result<String, Answer> {
    text(body, name)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| errors::refused(format!("Some required fields were not set: [{name}]")))
}

fn inputs(body: &Map<String, Value>) -> Result<&[Value], Answer> {
    let inputs = body.get("inputs").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if inputs.len() > 100 {
        return Err(errors::too_many_inputs(100, false));
    }
    Ok(inputs)
}

fn input_names(body: &Map<String, Value>) -> Result<Vec<String>, Answer> {
    let name = |input: &Value| input.get("name").and_then(Value::as_str).map(str::to_owned);
    Ok(inputs(body)?.iter().filter_map(name).collect())
}

fn complete(status: u16, results: Vec<Value>, errors: Vec<Value>) -> Answer {
    let mut body = json!({"status": "COMPLETE", "results": results});
    if errors.is_empty() {
        return Answer::json(status, body);
    }
    body["numErrors"] = errors.len().into();
    body["errors"] = errors.into();
    Answer::json(207, body)
}

fn property_json(property: &Property) -> Value {
    let at = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let options: Vec<Value> = property
        .options
        .iter()
        .map(|option| {
            json!({"label": option.label, "value": option.value,
                   "displayOrder": option.display_order, "hidden": option.hidden})
        })
        .collect();
    let mut body = json!({
        "name": property.name, "label": property.label, "type": property.kind,
        "fieldType": property.field_type, "groupName": property.group,
        "description": property.description, "options": options,
        "displayOrder": property.display_order, "hidden": property.hidden,
        "formField": property.form_field, "hasUniqueValue": property.unique,
        "calculated": property.field_type == CALCULATED, "externalOptions": false,
        "archived": property.archived_at.is_some(),
        "createdAt": at(property.created_at), "updatedAt": at(property.updated_at),
        "dataSensitivity": "non_sensitive",
        "modificationMetadata": {
            "archivable": !property.hubspot_defined,
            "readOnlyDefinition": property.hubspot_defined,
            "readOnlyOptions": property.hubspot_defined,
            "readOnlyValue": property.read_only,
        },
    });
    if property.hubspot_defined {
        body["hubspotDefined"] = true.into();
    }
    body
}
