//! The compiled functions write each metric that an alarm or the dashboard looks at, under that name
//! and those dimensions; and with all that they write comes no secret and no address.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use simulator::faults::{FaultKind, FaultRule};
use tests::binaries::Function;
use tests::emulator::Emulator;
use tests::metrics::Metric;
use tests::template::{Template, named};

use crate::lambda::{Bench, gateway_event, module_event, track};

/// The stage that the functions run in here.
const STAGE: &str = "prod";
/// Of the template's metrics those that functions write; AWS writes the others.
const OURS: &str = "Milepost";
const JWT_SECRET: &str = "canary-secret-of-32-characters-00";

/// The metrics of ours that the template's alarms and its dashboard look at.
fn looked_at() -> BTreeSet<Metric> {
    let template = Template::read();
    let mut metrics = BTreeSet::new();
    for name in template.of_type("AWS::CloudWatch::Alarm") {
        let alarm = template.properties(name);
        let of_math = alarm["Metrics"].as_array().into_iter().flatten();
        let of_math = of_math.map(|metric| &metric["MetricStat"]["Metric"]);
        let named_by = of_math.chain([alarm]).filter(|metric| metric["Namespace"] == OURS);
        metrics.extend(named_by.map(Metric::of));
    }
    let body = named(&template.properties("Dashboard")["DashboardBody"]);
    let body: Value = serde_json::from_str(body).unwrap();
    for widget in body["widgets"].as_array().unwrap() {
        for metric in widget["properties"]["metrics"].as_array().unwrap() {
            let texts: Vec<&str> =
                metric.as_array().unwrap().iter().map_while(Value::as_str).collect();
            if let [OURS, name, stage, _, function, of] = texts[..] {
                metrics.insert(Metric::new(OURS, name, &[(stage, "Stage"), (function, of)]));
            }
        }
    }
    metrics
}

/// The metrics that CloudWatch reads out of what a function wrote. A document that lacks a value or
/// a dimension that it announces is none.
fn written(said: &str) -> BTreeSet<Metric> {
    let mut metrics = BTreeSet::new();
    for line in said.lines() {
        let Ok(document) = serde_json::from_str::<Value>(line) else { continue };
        for set in document["_aws"]["CloudWatchMetrics"].as_array().into_iter().flatten() {
            assert!(document["_aws"]["Timestamp"].is_u64(), "{line}");
            let metric = |name: &str, dimensions: &Value| {
                let dimensions = dimensions.as_array().unwrap().iter().map(|dimension| {
                    let dimension = dimension.as_str().unwrap();
                    (dimension, document[dimension].as_str().expect(dimension))
                });
                let dimensions: Vec<_> = dimensions.collect();
                Metric::new(set["Namespace"].as_str().unwrap(), name, &dimensions)
            };
            for definition in set["Metrics"].as_array().unwrap() {
                let name = definition["Name"].as_str().unwrap();
                let value = &document[name];
                let is_value = |value: &Value| value.is_number();
                let values = value.as_array().is_some_and(|all| all.iter().all(is_value));
                assert!(is_value(value) || values, "{name} of {line}");
                let sets = set["Dimensions"].as_array().unwrap().iter();
                metrics.extend(sets.map(|dimensions| metric(name, dimensions)));
            }
        }
    }
    metrics
}

/// The functions, having met all that the metrics count.
async fn led_through_everything(bench: &Bench) -> String {
    let in_stage = async |function: Function, more: &[(&'static str, String)]| {
        let mut variables = bench.variables(function);
        variables.insert("APP_STAGE", STAGE.into());
        variables.extend(more.iter().cloned());
        Emulator::start(function.program().await.unwrap(), &variables).await.unwrap()
    };
    let ingest = in_stage(Function::Ingest, &[("JWT_SECRET", JWT_SECRET.into())]).await;
    let worker = in_stage(Function::Worker, &[]).await;
    let event = |n: usize, module: &str| {
        module_event("started", &format!("canary.{n}@example.org"), module)
    };
    let handed_over = async || {
        let messages = bench.receive(10).await;
        assert!(!messages.is_empty());
        bench.hand_over(&worker, &messages).await
    };

    // Accepted and rejected; created and written; then nothing to write.
    let batch = json!({ "events": [event(1, "a"), event(2, "a"), {}] });
    assert_eq!(track(&ingest, &batch).await["accepted"], 2);
    assert_eq!(handed_over().await, [""; 0]);
    track(&ingest, &event(1, "a")).await;
    assert_eq!(handed_over().await, [""; 0]);
    // A dead letter.
    let foreign = bench.sqs.send_message().queue_url(&bench.queues.events).message_body("{}");
    foreign.message_group_id("g").message_deduplication_id("d").send().await.unwrap();
    assert_eq!(handed_over().await, [""; 0]);
    // A write with an unknown outcome, and a portal that refuses.
    bench.portal.set_fault(FaultRule::on("batch/create", FaultKind::CutAfter));
    track(&ingest, &event(3, "a")).await;
    assert_eq!(handed_over().await.len(), 1);
    bench.portal.clear_faults();
    bench.portal.set_fault(FaultRule::every(FaultKind::Forbidden));
    track(&ingest, &event(4, "a")).await;
    assert_eq!(handed_over().await.len(), 1);

    // A queue that is away.
    let nowhere = [("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9".to_owned())];
    let stranded = in_stage(Function::Ingest, &nowhere).await;
    assert_eq!(track(&stranded, &event(5, "a")).await["mode"], "fallback");

    let reader = in_stage(Function::Reader, &[]).await;
    let query = "email=canary.1%40example.org";
    let question = gateway_event("GET", "/progress/read", query);
    reader.invoke(&question).await.unwrap();

    let mut said = String::new();
    for function in [&ingest, &worker, &reader] {
        said.push_str(&function.said().unwrap());
    }
    let lower = said.to_lowercase();
    let token = simulator::LOCAL_TOKEN.to_lowercase();
    for secret in ["canary", "example.org", JWT_SECRET, &token, "aws_secret"] {
        assert!(!lower.contains(secret), "{secret} in {said}");
    }
    said + &stranded.said().unwrap()
}

#[tokio::test]
async fn what_alarms_and_the_dashboard_look_at_is_what_the_functions_write() {
    let bench = Bench::start().await;
    let mut written = written(&led_through_everything(&bench).await);
    // `TimesReplaced` and the like are for whoever searches, and are on no board.
    let looked_at: BTreeSet<Metric> = looked_at()
        .into_iter()
        .map(|mut metric| {
            metric.dimensions.insert("stage".into(), STAGE.into());
            metric
        })
        .collect();
    assert!(looked_at.len() > 15, "only {looked_at:?}");
    written.retain(|metric| looked_at.contains(metric) || metric.namespace != OURS);
    assert_eq!(written, looked_at);
}
