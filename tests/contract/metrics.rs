//! Metrics: what the alarms and the dashboard of the template look at is really written by the
//! compiled functions, and each alarm goes off in its incident and not on a calm day.
//!
//! The template is read as it is deployed. CloudWatch is played by `alarm` and `expression`, which
//! know of it what these alarms use.

/// An alarm of the template, over recorded figures.
mod alarm;
/// What the compiled functions write.
mod emitted;
/// CloudWatch's metric math, as far as the template uses it.
mod expression;
/// Which alarms go off in which incident.
mod incidents;
/// Figures by the minute.
mod recording;

use std::collections::BTreeMap;

use serde_json::Value;
use tests::template::named;

/// A metric as CloudWatch tells it from others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Metric {
    namespace: String,
    name: String,
    /// Names and values; a value that the template refers to is what it refers to.
    dimensions: BTreeMap<String, String>,
}

impl Metric {
    fn new(namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> Self {
        let dimensions = dimensions.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        Self { namespace: namespace.into(), name: name.into(), dimensions: dimensions.collect() }
    }

    /// The metric that an alarm, or an input of its expression, names.
    fn of(named_by: &Value) -> Self {
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
