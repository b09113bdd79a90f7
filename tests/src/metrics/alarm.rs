//! An alarm of the template, evaluated over recorded figures as CloudWatch does: one value a period,
//! held against the threshold; so many breaching periods in a row, and it goes off.
//!
//! What is missing counts as the template says, which must be `notBreaching`. An alarm that can't be
//! read fails the test that asks.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "an alarm that can't be read fails its test"
)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Metric;
use super::expression::evaluate;
use super::recording::{Recording, Statistic};
use crate::template::{Template, named};

/// One alarm.
#[derive(Debug)]
pub struct Alarm {
    /// The name of its section in docs/operate.md, which its own name ends with.
    pub section: String,
    period_min: usize,
    periods: usize,
    breaches: fn(f64, f64) -> bool,
    threshold: f64,
    /// Ids to metrics; an alarm on a plain metric is the expression `value`.
    inputs: BTreeMap<String, (Metric, Statistic)>,
    expression: String,
}

impl Alarm {
    /// All alarms of the template.
    pub fn all() -> Vec<Self> {
        let template = Template::read();
        let names = template.of_type("AWS::CloudWatch::Alarm");
        names.iter().map(|name| Self::read(&template, template.properties(name))).collect()
    }

    fn read(template: &Template, alarm: &Value) -> Self {
        assert_eq!(alarm["TreatMissingData"], "notBreaching");
        assert!(alarm["DatapointsToAlarm"].is_null(), "m of n is not known here");
        let threshold = match alarm["Threshold"].as_f64() {
            Some(threshold) => threshold,
            None => {
                let parameter = &template.section("Parameters")[named(&alarm["Threshold"])];
                parameter["Default"].as_f64().unwrap()
            }
        };
        let breaches: fn(f64, f64) -> bool = match alarm["ComparisonOperator"].as_str().unwrap() {
            "GreaterThanThreshold" => |value, threshold| value > threshold,
            "GreaterThanOrEqualToThreshold" => |value, threshold| value >= threshold,
            "LessThanThreshold" => |value, threshold| value < threshold,
            other => panic!("{other} is not known here"),
        };
        let mut periods_s = Vec::new();
        let mut inputs = BTreeMap::new();
        let mut expression = "value".to_owned();
        let mut input = |id: &str, metric: &Value, statistic: &Value, period: &Value| {
            let statistic = Statistic::named(statistic.as_str().unwrap());
            inputs.insert(id.to_owned(), (Metric::of(metric), statistic));
            periods_s.push(period.as_u64().unwrap());
        };
        match alarm["Metrics"].as_array() {
            None => {
                let [plain, percentile] = [&alarm["Statistic"], &alarm["ExtendedStatistic"]];
                let statistic = if plain.is_null() { percentile } else { plain };
                input("value", alarm, statistic, &alarm["Period"]);
            }
            Some(metrics) => {
                for metric in metrics {
                    let stat = &metric["MetricStat"];
                    if metric["ReturnData"] == true {
                        expression = metric["Expression"].as_str().unwrap().to_owned();
                    } else {
                        let id = metric["Id"].as_str().unwrap();
                        input(id, &stat["Metric"], &stat["Stat"], &stat["Period"]);
                    }
                }
            }
        }
        assert!(periods_s.windows(2).all(|two| two[0] == two[1]), "periods of several lengths");
        let name = named(&alarm["AlarmName"]);
        Self {
            section: name.strip_prefix("milepost-${Stage}-").unwrap().to_owned(),
            period_min: usize::try_from(periods_s[0] / 60).unwrap(),
            periods: usize::try_from(alarm["EvaluationPeriods"].as_u64().unwrap()).unwrap(),
            breaches,
            threshold,
            inputs,
            expression,
        }
    }

    /// Whether it is in alarm at the end of each of its periods.
    pub fn states(&self, recording: &Recording) -> Vec<bool> {
        let is_breaching = |nth: usize| {
            let input = |id: &str| {
                let (metric, statistic) = &self.inputs[id];
                recording.value(metric, *statistic, self.period_min, nth)
            };
            let value = evaluate(&self.expression, &input).unwrap();
            value.is_some_and(|value| (self.breaches)(value, self.threshold))
        };
        let last = recording.minutes / self.period_min;
        let breaching: Vec<bool> = (0..last).map(is_breaching).collect();
        (1..=last)
            .map(|end| end >= self.periods && breaching[end - self.periods..end].iter().all(|b| *b))
            .collect()
    }
}

/// The alarms that went off over these figures, and those that still are on at their end; by section.
pub fn gone_off(recording: &Recording) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut fired, mut last) = (BTreeSet::new(), BTreeSet::new());
    for alarm in Alarm::all() {
        let states = alarm.states(recording);
        if states.contains(&true) {
            fired.insert(alarm.section.clone());
        }
        if states.last() == Some(&true) {
            last.insert(alarm.section);
        }
    }
    (fired, last)
}
