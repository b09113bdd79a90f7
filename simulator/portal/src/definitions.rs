//! The contact properties and groups that the portal knows: HubSpot's own, and what was added.
//!
//! A new definition can be seen only some hundred milliseconds after it was made; an archived one
//! keeps its name and can be brought back by creating it again.
//!
//! **Invariant**: a property that HubSpot defines is never archived, and its name never reused.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A contact property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Property {
    /// The internal name.
    pub name: String,
    /// What HubSpot shows.
    pub label: String,
    /// HubSpot's `type`.
    pub kind: String,
    /// HubSpot's `fieldType`.
    pub field_type: String,
    /// The group's internal name.
    pub group: String,
    /// What it is for.
    pub description: String,
    /// The choices of an enumeration.
    pub options: Vec<Choice>,
    /// Its place among others; -1 is last.
    pub display_order: i64,
    /// Whether forms and lists leave it out.
    pub hidden: bool,
    /// Whether forms may ask for it.
    pub form_field: bool,
    /// Whether a value belongs to one contact only.
    pub unique: bool,
    /// Whether HubSpot defines it.
    pub hubspot_defined: bool,
    /// Whether only the portal sets it.
    pub read_only: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
    /// From when on it can be seen.
    pub visible_at: DateTime<Utc>,
    /// When it was archived, if it is.
    pub archived_at: Option<DateTime<Utc>>,
}

/// One option of an enumeration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What a record holds.
    pub value: String,
    /// What HubSpot shows.
    pub label: String,
    /// Its place among others; -1 is last.
    pub display_order: i64,
    /// Whether forms and lists leave it out.
    pub hidden: bool,
}

/// A property group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The internal name.
    pub name: String,
    /// What HubSpot shows.
    pub label: String,
    /// Its place among others; -1 is last.
    pub display_order: i64,
    /// From when on it can be seen.
    pub visible_at: DateTime<Utc>,
    /// When it was archived, if it is.
    pub archived_at: Option<DateTime<Utc>>,
}

/// All definitions, archived ones too.
#[derive(Debug, Clone, Default)]
pub struct Definitions {
    /// All properties, by name.
    pub(crate) properties: BTreeMap<String, Property>,
    /// All groups, by name.
    pub(crate) groups: BTreeMap<String, Group>,
}

/// The lifecycle stages, first to last.
const LIFECYCLE_STAGES: [(&str, &str); 8] = [
    ("subscriber", "Subscriber"),
    ("lead", "Lead"),
    ("marketingqualifiedlead", "Marketing Qualified Lead"),
    ("salesqualifiedlead", "Sales Qualified Lead"),
    ("opportunity", "Opportunity"),
    ("customer", "Customer"),
    ("evangelist", "Evangelist"),
    ("other", "Other"),
];

/// HubSpot's own contact properties: name, label, type, field type, whether an app may set it.
const HUBSPOT_DEFINED: [(&str, &str, &str, &str, bool); 24] = [
    ("email", "Email", "string", "text", true),
    ("firstname", "First Name", "string", "text", true),
    ("lastname", "Last Name", "string", "text", true),
    ("phone", "Phone Number", "string", "phonenumber", true),
    ("mobilephone", "Mobile Phone Number", "string", "phonenumber", true),
    ("company", "Company Name", "string", "text", true),
    ("jobtitle", "Job Title", "string", "text", true),
    ("website", "Website URL", "string", "text", true),
    ("address", "Street Address", "string", "text", true),
    ("city", "City", "string", "text", true),
    ("country", "Country/Region", "string", "text", true),
    ("lifecyclestage", "Lifecycle Stage", "enumeration", "radio", true),
    ("createdate", "Create Date", "datetime", "date", false),
    ("lastmodifieddate", "Last Modified Date", "datetime", "date", false),
    ("hs_object_id", "Record ID", "number", "number", false),
    ("hs_additional_emails", "Additional email addresses", "enumeration", "checkbox", false),
    ("hs_merged_object_ids", "Merged Contact IDs", "enumeration", "checkbox", false),
    ("hs_calculated_merged_vids", "Merged vids with timestamps", "enumeration", "text", false),
    ("hs_all_contact_vids", "All vids for a contact", "enumeration", "checkbox", false),
    ("hs_email_domain", "Email Domain", "string", "text", false),
    ("hs_is_unworked", "Contact unworked", "bool", "booleancheckbox", false),
    ("hs_pipeline", "Pipeline", "enumeration", "select", false),
    ("hs_object_source", "Record source", "string", "text", false),
    ("hs_object_source_label", "Record source label", "enumeration", "select", false),
];

const CONTACT_INFORMATION: &str = "contactinformation";

/// When the portal's own definitions were made, as they say.
const FOUNDED: DateTime<Utc> = DateTime::UNIX_EPOCH;

impl Definitions {
    pub(crate) fn of_a_fresh_portal() -> Self {
        let mut definitions = Self::default();
        definitions.found_group(CONTACT_INFORMATION, "Contact information");
        for (name, label, kind, field_type, writable) in HUBSPOT_DEFINED {
            let options: &[(&str, &str)] = match name {
                "lifecyclestage" => &LIFECYCLE_STAGES,
                "hs_is_unworked" => &[("true", "True"), ("false", "False")],
                _ => &[],
            };
            definitions.put(Property {
                hubspot_defined: true,
                read_only: !writable,
                unique: matches!(name, "email" | "hs_object_id"),
                options: choices(options),
                ..plain(name, label, kind, field_type, CONTACT_INFORMATION)
            });
        }
        definitions
    }

    /// Adds the groups and properties of `shared::properties`, visible at once, and tells the
    /// names of those it added. What is there stays as it is; what was archived comes back.
    pub(crate) fn define_milepost_properties(&mut self) -> Vec<String> {
        for group in shared::properties::GROUPS {
            self.found_group(group.name, group.label);
        }
        let mut added = Vec::new();
        for property in shared::properties::PROPERTIES {
            if self.any(property.name).is_some_and(|there| there.archived_at.is_none()) {
                continue;
            }
            added.push(property.name.to_owned());
            self.put(Property {
                description: property.description.into(),
                options: choices(property.options),
                ..plain(
                    property.name,
                    property.label,
                    property.kind,
                    property.field,
                    property.group,
                )
            });
        }
        added
    }

    /// The property of this name that can be seen now.
    pub fn property(&self, name: &str, now: DateTime<Utc>) -> Option<&Property> {
        self.any(name).filter(|p| p.archived_at.is_none() && p.visible_at <= now)
    }

    /// The property of this name, archived or not yet visible included.
    pub fn any(&self, name: &str) -> Option<&Property> {
        self.properties.get(name)
    }

    /// The group of this name that can be seen now.
    pub fn group(&self, name: &str, now: DateTime<Utc>) -> Option<&Group> {
        self.groups.get(name).filter(|g| g.archived_at.is_none() && g.visible_at <= now)
    }

    /// All properties by name, archived ones too.
    pub fn properties(&self) -> impl Iterator<Item = &Property> {
        self.properties.values()
    }

    /// All groups by name, archived ones too.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    pub(crate) fn put(&mut self, property: Property) {
        self.properties.insert(property.name.clone(), property);
    }

    pub(crate) fn put_group(&mut self, group: Group) {
        self.groups.insert(group.name.clone(), group);
    }

    fn found_group(&mut self, name: &str, label: &str) {
        self.put_group(Group {
            name: name.into(),
            label: label.into(),
            display_order: -1,
            visible_at: FOUNDED,
            archived_at: None,
        });
    }
}

fn choices(options: &[(&str, &str)]) -> Vec<Choice> {
    (0..)
        .zip(options)
        .map(|(display_order, (value, label))| Choice {
            value: (*value).into(),
            label: (*label).into(),
            display_order,
            hidden: false,
        })
        .collect()
}

fn plain(name: &str, label: &str, kind: &str, field_type: &str, group: &str) -> Property {
    Property {
        name: name.into(),
        label: label.into(),
        kind: kind.into(),
        field_type: field_type.into(),
        group: group.into(),
        description: String::new(),
        options: Vec::new(),
        display_order: -1,
        hidden: false,
        form_field: false,
        unique: false,
        hubspot_defined: false,
        read_only: false,
        created_at: FOUNDED,
        updated_at: FOUNDED,
        visible_at: FOUNDED,
        archived_at: None,
    }
}
