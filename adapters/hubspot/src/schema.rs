//! The portal's property definitions: read, made, completed, and compared with our table.
//!
//! [`compare`] is pure; what to do about a difference is the operator's, with `milepost properties
//! create` making what is missing. Types are never changed: HubSpot can't, and data would hang on it.
//!
//! **Invariant**: completing a list of options keeps every option that is there, as it is.

use std::fmt;

use http::Method;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use shared::properties::{Group, Property};

use crate::call::Call;
use crate::client::Client;
use crate::fault::CallFault;
use crate::wire;

/// A contact property as the portal defines it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PropertyDefinition {
    /// Internal name.
    pub name: String,
    /// What the portal's settings show.
    #[serde(default, deserialize_with = "null_is_default")]
    pub label: String,
    /// HubSpot's `type`.
    #[serde(rename = "type")]
    pub kind: String,
    /// HubSpot's `fieldType`.
    #[serde(rename = "fieldType", default, deserialize_with = "null_is_default")]
    pub field: String,
    /// The group it stands in.
    #[serde(rename = "groupName", default, deserialize_with = "null_is_default")]
    pub group: String,
    /// The options of an enumeration.
    #[serde(default, deserialize_with = "null_is_default")]
    pub options: Vec<OptionDefinition>,
    /// Whether HubSpot computes it, so that nobody can write it.
    #[serde(default, deserialize_with = "null_is_default")]
    pub calculated: bool,
    #[serde(rename = "modificationMetadata", default, deserialize_with = "null_is_default")]
    modification: Modification,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Modification {
    #[serde(default, deserialize_with = "null_is_default")]
    read_only_value: bool,
}

/// One option of an enumeration. What else the portal says of it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OptionDefinition {
    /// Internal value.
    pub value: String,
    /// What the portal shows.
    #[serde(default, deserialize_with = "null_is_default")]
    pub label: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Whether something was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// It is new.
    Created,
    /// It was there, and is as it was.
    Exists,
}

/// How a portal differs from our table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The property is not defined: every write would be refused.
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// It has a type that our values don't fit.
    Kind {
        /// Its name.
        name: &'static str,
        /// The type in our table.
        ours: &'static str,
        /// The type in the portal.
        theirs: String,
    },
    /// It has another field than ours; writes are not hindered by that.
    Field {
        /// Its name.
        name: &'static str,
        /// The field in our table.
        ours: &'static str,
        /// The field in the portal.
        theirs: String,
    },
    /// It lacks an option: writes of that value would be refused.
    Option {
        /// Its name.
        name: &'static str,
        /// The option's value.
        value: &'static str,
    },
    /// Its value can't be written.
    ReadOnly {
        /// Its name.
        name: &'static str,
    },
}

impl Difference {
    /// The property that it is about.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Missing { name }
            | Self::Kind { name, .. }
            | Self::Field { name, .. }
            | Self::Option { name, .. }
            | Self::ReadOnly { name } => name,
        }
    }

    /// Whether writes suffer from it.
    pub fn hinders(&self) -> bool {
        !matches!(self, Self::Field { .. })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let create = "hint: run `milepost properties create`";
        match self {
            Self::Missing { name } => write!(f, "{name} is not defined; {create}"),
            Self::Kind { name, ours, theirs } => write!(
                f,
                "{name} is of type {theirs}, not {ours}; hint: a type can't be changed: archive \
                 the property and create it anew"
            ),
            Self::Field { name, ours, theirs } => {
                write!(f, "{name} has the field type {theirs}, not {ours}; this hinders nothing")
            }
            Self::Option { name, value } => write!(f, "{name} lacks the option {value}; {create}"),
            Self::ReadOnly { name } => {
                write!(f, "{name} is read-only; hint: archive the property and create it anew")
            }
        }
    }
}

/// How the portal's definitions differ from our table, in the table's order.
pub fn compare(theirs: &[PropertyDefinition], ours: &[Property]) -> Vec<Difference> {
    let mut differences = Vec::new();
    for our in ours {
        let name = our.name;
        let Some(their) = theirs.iter().find(|their| their.name == name) else {
            differences.push(Difference::Missing { name });
            continue;
        };
        if their.calculated || their.modification.read_only_value {
            differences.push(Difference::ReadOnly { name });
        }
        let kind = their.kind.as_str();
        if kind != our.kind && !our.kinds_also_right.contains(&kind) {
            let theirs = their.kind.clone();
            differences.push(Difference::Kind { name, ours: our.kind, theirs });
            continue;
        }
        if their.field != our.field {
            let theirs = their.field.clone();
            differences.push(Difference::Field { name, ours: our.field, theirs });
        }
        for (value, _) in missing_options(their, our) {
            differences.push(Difference::Option { name, value });
        }
    }
    differences
}

impl Client {
    /// All contact properties that the portal defines.
    ///
    /// # Errors
    /// As every read: see [`CallFault`].
    pub async fn list_properties(&self) -> Result<Vec<PropertyDefinition>, CallFault> {
        let call = Call::read(Method::GET, self.version().properties());
        let list: wire::List<PropertyDefinition> = wire::read(&self.call(call).await?)?;
        Ok(list.results)
    }

    /// The internal names of the portal's contact property groups.
    ///
    /// # Errors
    /// As every read: see [`CallFault`].
    pub async fn list_groups(&self) -> Result<Vec<String>, CallFault> {
        #[derive(Deserialize)]
        struct Named {
            name: String,
        }
        let call = Call::read(Method::GET, self.version().groups());
        let list: wire::List<Named> = wire::read(&self.call(call).await?)?;
        Ok(list.results.into_iter().map(|group| group.name).collect())
    }

    /// Makes a property group. The portal may show it a moment later.
    ///
    /// # Errors
    /// As every write: see [`CallFault`].
    pub async fn create_group(&self, group: &Group) -> Result<Made, CallFault> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct GroupCreate {
            name: &'static str,
            label: &'static str,
            display_order: i32,
        }
        let create = GroupCreate { name: group.name, label: group.label, display_order: -1 };
        self.make(self.version().groups(), &create).await
    }

    /// Makes a property. Its group must be there; an archived property of that name comes back
    /// with this definition. The portal may show it a moment later.
    ///
    /// # Errors
    /// As every write: see [`CallFault`].
    pub async fn create_property(&self, property: &Property) -> Result<Made, CallFault> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct PropertyCreate {
            name: &'static str,
            label: &'static str,
            #[serde(rename = "type")]
            kind: &'static str,
            field_type: &'static str,
            group_name: &'static str,
            description: &'static str,
            form_field: bool,
            options: Vec<OptionDefinition>,
        }
        let create = PropertyCreate {
            name: property.name,
            label: property.label,
            kind: property.kind,
            field_type: property.field,
            group_name: property.group,
            description: property.description,
            form_field: false,
            options: options_with(&[], property.options),
        };
        self.make(self.version().properties(), &create).await
    }

    /// Adds the options that our table has and the portal's definition lacks. HubSpot replaces the
    /// whole list, so what is there is sent along, unchanged.
    ///
    /// # Errors
    /// As every write: see [`CallFault`].
    pub async fn add_options(
        &self,
        theirs: &PropertyDefinition,
        ours: &Property,
    ) -> Result<Made, CallFault> {
        #[derive(Serialize)]
        struct Options {
            options: Vec<OptionDefinition>,
        }
        let missing = missing_options(theirs, ours);
        if missing.is_empty() {
            return Ok(Made::Exists);
        }
        let body = wire::body(&Options { options: options_with(&theirs.options, &missing) })?;
        let path = format!("{}/{}", self.version().properties(), ours.name);
        self.call(Call::write(Method::PATCH, path).with_body(body)).await?;
        Ok(Made::Created)
    }

    pub(crate) async fn make<T: Serialize>(
        &self,
        path: String,
        create: &T,
    ) -> Result<Made, CallFault> {
        let call = Call::write(Method::POST, path).with_body(wire::body(create)?);
        let answer = self.call(call.expecting(&[409])).await?;
        Ok(if answer.status == 409 { Made::Exists } else { Made::Created })
    }
}

/// HubSpot's own properties come with a null here and there; one of them must not hide ours.
pub(crate) fn null_is_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

fn missing_options(
    theirs: &PropertyDefinition,
    ours: &Property,
) -> Vec<(&'static str, &'static str)> {
    let there = |value: &str| theirs.options.iter().any(|option| option.value == value);
    ours.options.iter().copied().filter(|(value, _)| !there(value)).collect()
}

fn options_with(there: &[OptionDefinition], new: &[(&str, &str)]) -> Vec<OptionDefinition> {
    let mut options = there.to_vec();
    for (value, label) in new {
        let mut rest = Map::new();
        rest.insert("displayOrder".to_owned(), options.len().into());
        rest.insert("hidden".to_owned(), false.into());
        options.push(OptionDefinition {
            value: (*value).to_owned(),
            label: (*label).to_owned(),
            rest,
        });
    }
    options
}

#[cfg(test)]
mod tests;
