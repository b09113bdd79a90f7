//! The alarms of CloudWatch: whether each is there, tells somebody, and is quiet.

use command::aws::{Aws, Question};
use host::environment;
use serde_json::{Value, json};
use shared::settings::Process;
use signed::Service;

use super::feeding::unasked;
use super::{Area, Check};

const AREA: Area = Area::Alarms;

/// The alarms of `template.yaml`, without the `milepost-STAGE-` before them. Each is a section of
/// docs/operate.md.
const ALARMS: [&str; 13] = [
    "queue-deep",
    "event-old",
    "dead-letters",
    "worker-errors",
    "ingest-slow",
    "ingest-slow-p95",
    "functions-throttled",
    "reader-busy",
    "quota-low",
    "work-parked",
    "events-in-fallback",
    "contacts-created",
    "nothing-applied",
];

/// Asks CloudWatch for the alarms of `APP_STAGE`.
pub(super) async fn checks(aws: &Aws) -> Vec<Check> {
    // A wrong setting has its own line.
    let Ok(Process { stage, .. }) = Process::from_lookup(&environment::lookup) else {
        return Vec::new();
    };
    let names = ALARMS.map(|name| format!("milepost-{stage}-{name}"));
    let question = Question {
        service: Service::CloudWatch,
        path: "/".to_owned(),
        posted: Some((
            "GraniteServiceVersion20100801.DescribeAlarms",
            json!({ "AlarmNames": names, "MaxRecords": 100 }),
        )),
    };
    match aws.ask(question).await {
        Ok(answer) => {
            let there = answer["MetricAlarms"].as_array().map(Vec::as_slice).unwrap_or_default();
            judged(&stage, there)
        }
        Err(fault) => {
            let look =
                format!("aws cloudwatch describe-alarms --alarm-name-prefix milepost-{stage}-");
            vec![unasked(AREA, "alarms", &fault, &look)]
        }
    }
}

fn judged(stage: &str, there: &[Value]) -> Vec<Check> {
    if there.is_empty() {
        return vec![AREA.bad(
            "alarms",
            format!("none of the {} of stage {stage} is there", ALARMS.len()),
            "set APP_STAGE to the deployed stage, or deploy template.yaml",
        )];
    }
    ALARMS
        .iter()
        .map(|name| {
            let full = format!("milepost-{stage}-{name}");
            let found = there.iter().find(|alarm| alarm["AlarmName"] == full.as_str());
            found.map_or_else(
                || AREA.bad(*name, "is not there", "deploy template.yaml"),
                |alarm| judge(name, alarm),
            )
        })
        .collect()
}

fn judge(name: &str, alarm: &Value) -> Check {
    // An answer that says nothing of it means that they are on.
    let is_told = alarm["ActionsEnabled"].as_bool().unwrap_or(true)
        && alarm["AlarmActions"].as_array().is_some_and(|actions| !actions.is_empty());
    match alarm["StateValue"].as_str().unwrap_or_default() {
        "ALARM" => AREA.bad(name, "rings", format!("docs/operate.md#{name}")),
        _ if !is_told => AREA.bad(
            name,
            "tells nobody",
            format!("aws cloudwatch enable-alarm-actions, or deploy template.yaml ({name})"),
        ),
        "INSUFFICIENT_DATA" => AREA.good(name, "quiet, without data yet"),
        _ => AREA.good(name, "quiet"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn the_alarms_are_those_of_the_template_each_with_its_page() {
        let template = include_str!("../../../../template.yaml");
        let named = template.lines().filter_map(|line| {
            line.trim().strip_prefix("AlarmName: !Sub milepost-${Stage}-").map(str::to_owned)
        });
        assert_eq!(named.collect::<Vec<_>>(), ALARMS);
        let pages = include_str!("../../../../docs/operate.md").to_lowercase().replace(' ', "-");
        for name in ALARMS {
            assert!(pages.contains(&format!("##-{name}")), "docs/operate.md lacks {name}");
        }
    }

    #[test]
    fn an_alarm_that_rings_is_missing_or_tells_nobody_is_bad() {
        let alarm = |name: &str, state: &str, actions: Value| {
            let name = format!("milepost-dev-{name}");
            json!({"AlarmName": name, "StateValue": state, "AlarmActions": actions})
        };
        let there = [
            alarm("queue-deep", "OK", json!(["arn:topic"])),
            alarm("event-old", "ALARM", json!(["arn:topic"])),
            alarm("dead-letters", "OK", json!([])),
        ];
        let checks = judged("dev", &there);
        assert_eq!(checks.len(), ALARMS.len());
        let said: Vec<&str> = checks[..4].iter().map(|check| check.what.as_str()).collect();
        assert_eq!(said, ["quiet", "rings", "tells nobody", "is not there"]);
        assert!(checks[1..].iter().all(|check| check.status == Status::Bad));
        assert_eq!(judged("dev", &[]).len(), 1, "one line for all that are not there");
    }
}
