//! The custom events that the portal knows: their definitions, and which it has accepted.
//!
//! **Invariant**: the first of two events with one name and one `uuid` counts, the second doesn't.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::event::EventName;
use shared::event_definitions::{EVENT_PROPERTIES, EventProperty, PROPERTY_KIND, label};

use crate::world::{Row, World};

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
pub struct Events {
    /// By the fully qualified name.
    pub(crate) definitions: BTreeMap<String, EventDefinition>,
    /// Event names and ids that were accepted, joined by a space.
    pub(crate) seen: BTreeSet<String>,
    counted: u64,
    kept: VecDeque<EventView>,
}

/// A kind of event. Its JSON is its row on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventDefinition {
    /// The fully qualified name.
    pub name: String,
    /// The definition as the portal shows it.
    pub body: Value,
    /// From when on its events are taken; at once where it is `None`.
    #[serde(default)]
    pub taken_from: Option<DateTime<Utc>>,
}

impl EventDefinition {
    /// Whether its events may carry this property.
    pub fn has(&self, property: &str) -> bool {
        let properties = self.body["properties"].as_array();
        properties.is_some_and(|list| list.iter().any(|one| one["name"] == property))
    }
}

impl Events {
    /// All definitions, by their fully qualified names.
    pub fn definitions(&self) -> &BTreeMap<String, EventDefinition> {
        &self.definitions
    }

    /// How many events were accepted, each counted once.
    pub fn counted(&self) -> u64 {
        self.counted
    }

    /// The last accepted events, oldest first.
    pub fn kept(&self) -> impl Iterator<Item = &EventView> {
        self.kept.iter()
    }
}

impl World {
    /// An event's name with the portal's prefix, which it may have already.
    pub fn qualified(&self, name: &str) -> String {
        let prefix = format!("pe{}_", self.settings.portal_id);
        if name.starts_with(&prefix) { name.to_owned() } else { format!("{prefix}{name}") }
    }

    /// Puts a kind of event in, and gives it as the portal shows it.
    pub fn define_event(
        &mut self,
        name: &str,
        label: &Value,
        properties: &Value,
        taken_from: Option<DateTime<Utc>>,
    ) -> Value {
        let full = self.qualified(name);
        let body = json!({
            "id": full, "name": name, "fullyQualifiedName": full, "archived": false,
            "labels": {"singular": label},
            "primaryObject": "CONTACT", "trackingType": "MANUAL",
            "properties": properties, "associations": [],
        });
        let definition = EventDefinition { name: full.clone(), body: body.clone(), taken_from };
        self.touched.insert(Row::EventDefinition(full.clone()));
        self.events.definitions.insert(full, definition);
        body
    }

    /// Adds a property to a kind of event that is there.
    pub fn add_event_property(&mut self, name: &str, property: Value) {
        let full = self.qualified(name);
        let Some(definition) = self.events.definitions.get_mut(&full) else { return };
        if let Some(properties) = definition.body["properties"].as_array_mut() {
            properties.push(property);
        }
        self.touched.insert(Row::EventDefinition(full));
    }

    /// Removes a kind of event; whether there was one.
    pub fn undefine_event(&mut self, name: &str) -> bool {
        let full = self.qualified(name);
        let was_there = self.events.definitions.remove(&full).is_some();
        self.touched.insert(Row::EventDefinition(full));
        was_there
    }

    /// Takes an event in, unless one of its name and `uuid` was taken before.
    pub fn accept_event(&mut self, event: EventView) {
        let id = event.uuid.as_ref().map(|uuid| format!("{} {uuid}", event.event));
        if id.as_ref().is_none_or(|id| self.events.seen.insert(id.clone())) {
            self.events.counted += 1;
            self.events.kept.push_back(event);
            if self.events.kept.len() > EVENTS_KEPT {
                self.events.kept.pop_front();
            }
        }
        self.touched.extend(id.map(Row::EventId));
    }

    /// Adds what is missing of Milepost's events.
    pub fn define_milepost_events(&mut self) {
        let property =
            |p: EventProperty| json!({"name": p.name, "label": p.label, "type": PROPERTY_KIND});
        let properties = json!(EVENT_PROPERTIES.map(property));
        for event in EventName::ALL {
            if !self.events.definitions.contains_key(&self.qualified(event.as_str())) {
                self.define_event(event.as_str(), &label(event).into(), &properties, None);
            }
        }
    }
}
