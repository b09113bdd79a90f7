//! The deployment template as one JSON value, with CloudFormation's short tags written out: `!Ref A`
//! is `{"Ref": "A"}`, `!GetAtt A.B` is `{"Fn::GetAtt": "A.B"}`. What the tests ask of it is read here.
//!
//! A template that can't be read, or lacks what is asked for, fails the test that asks.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a template that can't be read fails its test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value};

/// The deployment template.
pub struct Template(Value);

impl Template {
    /// Reads the template of the tree.
    pub fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
        Self(parse(&fs::read_to_string(path).unwrap()))
    }

    /// The template as JSON, for CloudFormation.
    pub fn json(&self) -> Value {
        self.0.clone()
    }

    /// A section's entries, by name.
    pub fn section(&self, name: &str) -> &Map<String, Value> {
        self.0[name].as_object().unwrap_or_else(|| panic!("the template has no {name}"))
    }

    /// A resource, whole.
    pub fn resource(&self, name: &str) -> &Value {
        &self.section("Resources")[name]
    }

    /// A resource's properties.
    pub fn properties(&self, name: &str) -> &Value {
        &self.resource(name)["Properties"]
    }

    /// The names of all resources of a type.
    pub fn of_type(&self, of: &str) -> BTreeSet<&str> {
        let resources = self.section("Resources").iter();
        let names: BTreeSet<&str> = resources
            .filter(|(_, resource)| resource["Type"] == of)
            .map(|(name, _)| name.as_str())
            .collect();
        assert!(!names.is_empty(), "the template has no {of}: this rule sees nothing");
        names
    }

    /// A number among a resource's properties.
    pub fn number(&self, resource: &str, property: &str) -> u64 {
        let number = &self.properties(resource)[property];
        number.as_u64().unwrap_or_else(|| panic!("{resource}.{property} is {number}"))
    }

    /// A function's variables, those that all functions have among them.
    pub fn variables(&self, function: &str) -> BTreeMap<&str, &Value> {
        let of_all = &self.0["Globals"]["Function"]["Environment"]["Variables"];
        let own = &self.properties(function)["Environment"]["Variables"];
        let both = [of_all, own].into_iter().flat_map(|variables| variables.as_object().unwrap());
        both.map(|(name, value)| (name.as_str(), value)).collect()
    }

    /// What a role may do, as `action resource`, by its policies.
    pub fn granted(&self, role: &str) -> BTreeSet<String> {
        let mut granted = BTreeSet::new();
        for policy in all(&self.properties(role)["Policies"]) {
            for statement in all(&policy["PolicyDocument"]["Statement"]) {
                assert_eq!(statement["Effect"], "Allow", "{role}");
                for action in all(&statement["Action"]) {
                    for resource in all(&statement["Resource"]) {
                        granted.insert(format!("{} {}", action.as_str().unwrap(), named(resource)));
                    }
                }
            }
        }
        granted
    }
}

/// The entries of a list; a single value is a list of one, as in a policy.
pub fn all(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        value => std::slice::from_ref(value),
    }
}

/// What a value refers to: a text itself, or the text behind its one function.
pub fn named(value: &Value) -> &str {
    let inner = value.as_object().and_then(|object| object.values().next());
    value.as_str().or_else(|| inner?.as_str()).unwrap_or_else(|| panic!("no name: {value}"))
}

fn parse(yaml: &str) -> Value {
    let documents = Yaml::load_from_str(yaml).unwrap();
    assert_eq!(documents.len(), 1);
    json(&documents[0])
}

fn json(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => (*value).into(),
        Yaml::Value(Scalar::Integer(value)) => (*value).into(),
        Yaml::Value(Scalar::FloatingPoint(value)) => value.into_inner().into(),
        Yaml::Value(Scalar::String(value)) => value.as_ref().into(),
        Yaml::Sequence(values) => values.iter().map(json).collect(),
        Yaml::Mapping(entries) => {
            let entry = |(key, value)| (named(&json(key)).to_owned(), json(value));
            Value::Object(entries.iter().map(entry).collect())
        }
        Yaml::Tagged(tag, value) => {
            let function = match tag.suffix.as_str() {
                "Ref" => "Ref".to_owned(),
                function => format!("Fn::{function}"),
            };
            Value::Object(Map::from_iter([(function, json(value))]))
        }
        Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue => {
            panic!("not what CloudFormation reads: {yaml:?}")
        }
    }
}

#[cfg(test)]
#[test]
fn short_tags_are_written_out() {
    let template = parse("a: !Ref B\nc: !GetAtt D.E\nf: !Sub 'g-${H}'\ni: [!Not [x], 300, 0.1]");
    let expected = serde_json::json!({
        "a": { "Ref": "B" },
        "c": { "Fn::GetAtt": "D.E" },
        "f": { "Fn::Sub": "g-${H}" },
        "i": [{ "Fn::Not": ["x"] }, 300, 0.1],
    });
    assert_eq!(template, expected);
    assert_eq!(named(&template["c"]), "D.E");
    assert_eq!(all(&template["a"]).len(), 1);
}
