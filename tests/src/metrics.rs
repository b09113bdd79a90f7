//! CloudWatch, as far as the template uses it: figures by the minute, and its alarms over them.
//!
//! [`watch`] reads the figures off a journal and two queues; [`recording`] keeps them; [`alarm`]
//! reads the alarms from the template as it is deployed, with `expression` for their metric math.

pub mod alarm;
mod expression;
pub mod recording;
pub mod watch;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::template::named;

/// A metric as CloudWatch tells it from others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metric {
    /// Who has it: AWS's services, or `Milepost`.
    pub namespace: String,
    /// Its name there.
    pub name: String,
    /// Names and values; a value that the template refers to is what it refers to.
    pub dimensions: BTreeMap<String, String>,
}

impl Metric {
    /// A metric by its names.
    pub fn new(namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> Self {
        let dimensions = dimensions.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        Self { namespace: namespace.into(), name: name.into(), dimensions: dimensions.collect() }
    }

    /// The metric that an alarm, or an input of its expression, names.
    ///
    /// # Panics
    /// When it names none.
    #[expect(clippy::unwrap_used, reason = "a template that can't be read fails its test")]
    pub fn of(named_by: &Value) -> Self {
        let dimensions = named_by["Dimensions"].as_array().unwrap().iter();
        let dimension =
            |one: &Value| (named(&one["Name"]).to_owned(), named(&one["Value"]).to_owned());
        Self {
            namespace: named_by["Namespace"].as_str().unwrap().to_owned(),
            name: named_by["MetricName"].as_str().unwrap().to_owned(),
            dimensions: dimensions.map(dimension).collect(),
        }
    }
}
