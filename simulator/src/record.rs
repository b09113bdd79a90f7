//! A contact as HubSpot shows it: which properties, in which shape.
//!
//! **Invariant**: every property value is a text or null; an undefined name is left out.

use serde_json::{Map, Value, json};
use simulator_portal::store::Contact;
use simulator_portal::values;
use simulator_portal::world::World;

use crate::call::Call;

/// What is shown when nothing is asked for.
const DEFAULT: [&str; 6] =
    ["createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"];
/// What is shown whether asked for or not.
const ALWAYS: [&str; 3] = ["createdate", "hs_object_id", "lastmodifieddate"];
/// What a write brings back beside what was sent.
const COMPUTED: [&str; 10] = [
    "createdate",
    "hs_all_contact_vids",
    "hs_email_domain",
    "hs_is_unworked",
    "hs_object_id",
    "hs_object_source",
    "hs_object_source_label",
    "hs_pipeline",
    "lastmodifieddate",
    "lifecyclestage",
];

/// The record with what a read asks for; nothing asked for is HubSpot's default set.
pub(crate) fn as_read(
    world: &World,
    call: &Call<'_>,
    contact: &Contact,
    asked: &[String],
    with_history: &[String],
) -> Value {
    let mut properties = Map::new();
    let mut show = |name: &str| {
        if call.defined(world, name).is_some() {
            properties
                .insert(name.to_owned(), contact.value(name).map_or(Value::Null, Value::from));
        }
    };
    if asked.is_empty() && with_history.is_empty() {
        DEFAULT.iter().for_each(|name| show(name));
    }
    asked.iter().chain(with_history).for_each(|name| show(name));
    ALWAYS.iter().for_each(|name| show(name));
    let mut record = shell(world, contact, properties);
    if !with_history.is_empty() {
        record["propertiesWithHistory"] = history(contact, with_history);
    }
    record
}

/// The record as a write brings it back: what was sent, and what HubSpot computes.
pub(crate) fn as_written<'n>(
    world: &World,
    contact: &Contact,
    sent: impl Iterator<Item = &'n String>,
    warnings: &[Value],
) -> Value {
    let mut properties = Map::new();
    for name in sent {
        properties.insert(name.clone(), contact.value(name).map_or(Value::Null, Value::from));
    }
    for name in COMPUTED {
        if let Some(value) = contact.value(name) {
            properties.insert(name.to_owned(), value.into());
        }
    }
    let mut record = shell(world, contact, properties);
    if !warnings.is_empty() {
        record["warnings"] = json!(warnings);
    }
    record
}

fn shell(world: &World, contact: &Contact, properties: Map<String, Value>) -> Value {
    let id = contact.id.to_string();
    let url =
        format!("https://app.hubspot.com/contacts/{}/record/0-1/{id}", world.settings.portal_id);
    let mut record = json!({
        "id": id,
        "properties": properties,
        "createdAt": values::iso(contact.created_at),
        "updatedAt": values::iso(contact.updated_at),
        "archived": contact.archived_at.is_some(),
        "url": url,
    });
    if let Some(archived_at) = contact.archived_at {
        record["archivedAt"] = values::iso(archived_at).into();
    }
    record
}

/// Histories hold the present value only: the portal keeps no older ones.
fn history(contact: &Contact, names: &[String]) -> Value {
    let entries = names.iter().filter_map(|name| {
        let entry = json!([{"value": contact.value(name)?, "sourceType": "INTEGRATION",
                            "timestamp": values::iso(contact.updated_at)}]);
        Some((name.clone(), entry))
    });
    Value::Object(entries.collect())
}
