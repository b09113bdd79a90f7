//! Rules for alarms and the dashboard: they use metrics that exist, tell somebody, and lead to a
//! page that says what to do.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use shared::journal::Figure;
use tests::template::{Template, named};

use crate::documents::sections;
use crate::files::text;

/// The template's own namespace in CloudWatch.
const OURS: &str = "Milepost";

#[test]
fn an_alarm_leads_to_its_section_and_every_section_has_one() {
    let template = Template::read();
    let handbook = text("docs/operate.md");
    let mut named_sections = BTreeSet::new();
    for name in template.of_type("AWS::CloudWatch::Alarm") {
        let alarm = template.properties(name);
        let description = alarm["AlarmDescription"].as_str().unwrap();
        let section = description.split_once("docs/operate.md#").expect(name).1;
        assert!(sections(&handbook).contains(section), "{name} leads to {section}");
        assert_eq!(named(&alarm["AlarmName"]), format!("milepost-${{Stage}}-{section}"));
        named_sections.insert(section.to_owned());
    }
    let (of_alarms, _of_incidents) = handbook.split_once("\n## Incidents\n").unwrap();
    let mut written = sections(of_alarms);
    written.remove("operate");
    assert_eq!(named_sections, written);
}

#[test]
fn an_alarm_tells_somebody_and_is_silent_where_nothing_happens() {
    let template = Template::read();
    for name in template.of_type("AWS::CloudWatch::Alarm") {
        let alarm = template.properties(name);
        for action in ["AlarmActions", "OKActions"] {
            assert_eq!(alarm[action], serde_json::json!([{ "Ref": "AlarmTopic" }]), "{name}");
        }
        assert_eq!(alarm["TreatMissingData"], "notBreaching", "{name}");
    }
}

#[test]
fn an_alarm_looks_at_a_metric_of_the_function_that_writes_it() {
    let template = Template::read();
    let writers = writers();
    let mut seen = 0;
    for name in template.of_type("AWS::CloudWatch::Alarm") {
        let alarm = template.properties(name);
        let of_math = alarm["Metrics"].as_array().into_iter().flatten();
        let metrics = of_math.map(|metric| &metric["MetricStat"]["Metric"]).chain([alarm]);
        for metric in metrics.filter(|metric| metric["Namespace"] == OURS) {
            let figure = metric["MetricName"].as_str().unwrap();
            let expected = serde_json::json!([
                { "Name": "stage", "Value": { "Ref": "Stage" } },
                { "Name": "function", "Value": writers.get(figure).expect(figure) },
            ]);
            assert_eq!(metric["Dimensions"], expected, "{name}");
            seen += 1;
        }
    }
    assert!(seen > 0, "no alarm has a metric of ours: this rule sees nothing");
}

#[test]
fn the_dashboard_shows_metrics_of_the_functions_that_write_them() {
    let template = Template::read();
    let body = named(&template.properties("Dashboard")["DashboardBody"]);
    let body: Value = serde_json::from_str(body).unwrap();
    let writers = writers();
    let mut shown = BTreeSet::new();
    for widget in body["widgets"].as_array().unwrap() {
        for metric in widget["properties"]["metrics"].as_array().unwrap() {
            if metric[0] == OURS {
                let figure = metric[1].as_str().unwrap();
                let dimensions: Vec<&str> = (2..6).map(|at| metric[at].as_str().unwrap()).collect();
                assert_eq!(dimensions, ["stage", "${Stage}", "function", &writers[figure]]);
                shown.insert(figure.to_owned());
            }
        }
    }
    // What says how well the data is, and not how well the machine runs.
    for left_out in [
        "TimesReplaced",
        "EventIdsReused",
        "ContactIdsIgnored",
        "UnsupportedClaims",
        "StatesNearLimit",
        "EventsForgotten",
    ] {
        shown.insert(left_out.into());
    }
    assert_eq!(shown, Figure::ALL.map(|figure| figure.name().to_owned()).into());
}

/// AWS's metrics by their documented names and dimensions; one that is misspelled has no value, and
/// its alarm is silent for ever.
#[test]
fn a_metric_of_aws_is_one_that_it_has() {
    let known = [
        ("AWS/SQS ApproximateNumberOfMessagesVisible", vec!["QueueName"]),
        ("AWS/SQS ApproximateNumberOfMessagesNotVisible", vec!["QueueName"]),
        ("AWS/SQS ApproximateNumberOfMessagesDelayed", vec!["QueueName"]),
        ("AWS/SQS ApproximateAgeOfOldestMessage", vec!["QueueName"]),
        ("AWS/Lambda Errors", vec!["FunctionName"]),
        ("AWS/Lambda Throttles", vec!["FunctionName"]),
        // Of a route only with `DetailedMetricsEnabled`.
        ("AWS/ApiGateway Latency", vec!["ApiId", "Stage", "Method", "Resource"]),
    ];
    let known: BTreeMap<&str, Vec<&str>> = known.into();
    let template = Template::read();
    let stage = template.properties("HttpApiStage");
    assert_eq!(stage["DefaultRouteSettings"]["DetailedMetricsEnabled"], true);
    let check = |of: &str, namespace: &str, name: &str, dimensions: Vec<&str>| {
        if namespace != OURS {
            let metric = format!("{namespace} {name}");
            assert_eq!(known.get(metric.as_str()), Some(&dimensions), "{metric} of {of}");
        }
    };
    for name in template.of_type("AWS::CloudWatch::Alarm") {
        let alarm = template.properties(name);
        let of_math = alarm["Metrics"].as_array().into_iter().flatten();
        let of_math = of_math.map(|metric| &metric["MetricStat"]["Metric"]);
        let plain = Some(alarm).filter(|alarm| alarm["MetricName"].is_string());
        for metric in of_math.filter(|metric| !metric.is_null()).chain(plain) {
            let dimensions = metric["Dimensions"].as_array().unwrap().iter();
            let dimensions = dimensions.map(|dimension| named(&dimension["Name"])).collect();
            check(name, named(&metric["Namespace"]), named(&metric["MetricName"]), dimensions);
        }
    }
    let body = named(&template.properties("Dashboard")["DashboardBody"]);
    let body: Value = serde_json::from_str(body).unwrap();
    for widget in body["widgets"].as_array().unwrap() {
        for metric in widget["properties"]["metrics"].as_array().unwrap() {
            let texts: Vec<&str> =
                metric.as_array().unwrap().iter().map_while(Value::as_str).collect();
            if let [namespace, name, dimensions @ ..] = &texts[..] {
                let dimensions = dimensions.iter().step_by(2).copied().collect();
                check("the dashboard", namespace, name, dimensions);
            }
        }
    }
}

#[test]
fn the_limits_of_errors_and_latency_are_the_promised_ones() {
    #[track_caller]
    fn check(alarm: &str, metric: &str, statistic: &str, period_s: u64, threshold: u64) {
        let template = Template::read();
        let alarm = template.properties(alarm);
        let found = [&alarm["Statistic"], &alarm["ExtendedStatistic"]];
        let found = found.into_iter().find_map(Value::as_str);
        assert_eq!((&alarm["MetricName"], found), (&metric.into(), Some(statistic)));
        assert_eq!((&alarm["Period"], &alarm["Threshold"]), (&period_s.into(), &threshold.into()));
        assert_eq!(alarm["ComparisonOperator"], "GreaterThanThreshold");
    }
    check("WorkerErrorsAlarm", "Errors", "Sum", 60, 5);
    check("IngestSlowAlarm", "Latency", "Average", 300, 1_000);
    check("IngestTailAlarm", "Latency", "p95", 300, 500);
}

/// Which function writes a metric, by the table of metrics.
fn writers() -> BTreeMap<String, String> {
    let document = text("docs/logs.md");
    let (_, table) = document.split_once("\n## Metrics\n").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        (cells[0].trim_end_matches('`').to_owned(), cells[2].to_owned())
    })
    .collect()
}
