//! Figures in CloudWatch's embedded metric format: CloudWatch reads metrics out of such log lines.
//!
//! One document holds the figures of one request or one pass, under the dimensions `stage` and
//! `function`. The format: docs.aws.amazon.com, "CloudWatch embedded metric format specification".
//!
//! **Invariant**: no document has more than [`VALUES_MAX`] values of one figure, which is where
//! CloudWatch stops reading.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::journal::Figure;

use crate::log::Origin;

/// The namespace of all metrics.
pub const NAMESPACE: &str = "Milepost";
/// The most values of one metric in one document.
pub const VALUES_MAX: usize = 100;

/// The documents for these figures: one, or several if a figure has very many values. A value that
/// is no finite number is left out, since JSON has none.
pub fn documents(figures: &[(Figure, f64)], origin: &Origin, now: DateTime<Utc>) -> Vec<String> {
    let mut values: BTreeMap<Figure, Vec<f64>> = BTreeMap::new();
    for (figure, value) in figures.iter().filter(|(_, value)| value.is_finite()) {
        values.entry(*figure).or_default().push(*value);
    }
    let most = values.values().map(Vec::len).max().unwrap_or_default();
    (0..most.div_ceil(VALUES_MAX))
        .map(|part| {
            let of_part = values.iter().filter_map(|(figure, values)| {
                Some((*figure, values.chunks(VALUES_MAX).nth(part)?))
            });
            document(&of_part.collect(), origin, now)
        })
        .collect()
}

fn document(values: &BTreeMap<Figure, &[f64]>, origin: &Origin, now: DateTime<Utc>) -> String {
    let definition =
        |figure: &Figure| MetricDefinition { name: figure.name(), unit: figure.unit() };
    let document = Document {
        metadata: Metadata {
            timestamp: now.timestamp_millis(),
            cloud_watch_metrics: [MetricDirective {
                namespace: NAMESPACE,
                dimensions: [["stage", "function"]],
                metrics: values.keys().map(definition).collect(),
            }],
        },
        stage: &origin.stage,
        function: origin.function,
        values: values
            .iter()
            .map(|(figure, values)| match values {
                [one] => (figure.name(), Values::One(*one)),
                many => (figure.name(), Values::Many(many)),
            })
            .collect(),
    };
    // Texts, numbers and maps with text keys always serialize.
    serde_json::to_string(&document).unwrap_or_default()
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "_aws")]
    metadata: Metadata,
    stage: &'a str,
    function: &'static str,
    #[serde(flatten)]
    values: BTreeMap<&'static str, Values<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    timestamp: i64,
    cloud_watch_metrics: [MetricDirective; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MetricDirective {
    namespace: &'static str,
    dimensions: [[&'static str; 2]; 1],
    metrics: Vec<MetricDefinition>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MetricDefinition {
    name: &'static str,
    unit: &'static str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Values<'a> {
    One(f64),
    Many(&'a [f64]),
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(figures: &[(Figure, f64)]) -> Vec<Value> {
        let origin = Origin { stage: "prod".into(), function: "worker" };
        let documents = documents(figures, &origin, "2026-11-24T20:00:00Z".parse().unwrap());
        documents.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }

    #[test]
    fn a_pass_is_one_document_with_names_units_and_dimensions() {
        let found = read(&[
            (Figure::EventsApplied, 3.0),
            (Figure::TimeToCrm, 1.5),
            (Figure::TimeToCrm, 2.0),
            (Figure::CoalescingRatio, f64::NAN),
        ]);
        let expected = json!({
            "_aws": {
                "Timestamp": 1_795_550_400_000_u64,
                "CloudWatchMetrics": [{
                    "Namespace": "Milepost",
                    "Dimensions": [["stage", "function"]],
                    "Metrics": [
                        { "Name": "EventsApplied", "Unit": "Count" },
                        { "Name": "TimeToCrm", "Unit": "Seconds" },
                    ],
                }],
            },
            "stage": "prod",
            "function": "worker",
            "EventsApplied": 3.0,
            "TimeToCrm": [1.5, 2.0],
        });
        assert_eq!(found, [expected]);
    }

    #[test]
    fn very_many_values_are_spread_over_documents_and_none_is_lost() {
        let figures: Vec<_> = (0..250).map(|n| (Figure::TimeToCrm, f64::from(n))).collect();
        let lengths: Vec<usize> =
            read(&figures).iter().map(|d| d["TimeToCrm"].as_array().unwrap().len()).collect();
        assert_eq!(lengths, [100, 100, 50]);
        assert!(read(&[]).is_empty());
    }
}
