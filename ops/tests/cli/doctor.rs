//! A doctor that reports each fault with its fix until the fault is gone.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use simulator::LOCAL_TOKEN;
use tests::cloud::Cloud;
use tests::emulator::Variables;
use tests::ministack::{Ministack, QueueShape};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::ended::{document, run, stderr, stdout};
use crate::process::{Running, client, get, milepost};

/// The alarms of the template.
const ALARMS: usize = 13;

/// A doctor for a `local` with this folder.
fn doctor(folder: &Path, portal: &str) -> Command {
    let mut command = milepost(&["doctor", "--json", "--data"]);
    command
        .arg(folder)
        .env("ENABLE_CRM_PROGRESS", "true")
        .env("HUBSPOT_BASE_URL", portal)
        .env("HUBSPOT_PRIVATE_APP_TOKEN", LOCAL_TOKEN);
    command
}

/// Runs a doctor that must end so; the report. No secret is in it.
#[track_caller]
fn report(command: &mut Command, code: i32) -> impl Future<Output = Value> {
    let ended = run(command);
    async move {
        let output = ended.await;
        assert_eq!(output.status.code(), Some(code), "{}", stdout(&output));
        assert!(!stdout(&output).contains(LOCAL_TOKEN) && !stderr(&output).contains(LOCAL_TOKEN));
        document(&output)
    }
}

/// The names of the checks that stand so.
fn names(report: &Value, status: &str) -> BTreeSet<String> {
    let checks = report["checks"].as_array().unwrap().iter();
    let of_status = checks.filter(|check| check["status"] == status);
    of_status.map(|check| check["name"].as_str().unwrap().to_owned()).collect()
}

fn fix<'a>(report: &'a Value, name: &str) -> &'a str {
    let mut checks = report["checks"].as_array().unwrap().iter();
    checks.find(|check| check["name"] == name).unwrap()["fix"].as_str().unwrap()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn admin(portal: &str, method: &str, path: &str, body: Value) {
    let method = method.parse::<reqwest::Method>().unwrap();
    let request = client()
        .request(method, format!("{portal}/_portal/{path}"))
        .header("content-type", "application/json")
        .body(body.to_string());
    assert!(request.send().await.unwrap().status().is_success(), "{path}");
}

#[tokio::test]
async fn doctor_reports_each_fault_of_a_portal_until_it_is_fixed() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Running::local(&["--data", folder.path().to_str().unwrap()]).await;
    let portal = stack.portal();
    let token = |scopes: &[&str]| json!({"token": LOCAL_TOKEN, "scopes": scopes});
    let well = report(&mut doctor(folder.path(), portal), 0).await;
    assert_eq!((&well["ok"], &well["bad"]), (&json!(true), &json!(0)), "{well}");
    assert!(names(&well, "good").contains("server"), "{well}");

    admin(portal, "DELETE", "tokens", token(&[])).await;
    let revoked = report(&mut doctor(folder.path(), portal), 1).await;
    assert_eq!(names(&revoked, "bad"), set(&["token"]));
    assert!(fix(&revoked, "token").contains("HUBSPOT_PRIVATE_APP_TOKEN"));

    admin(portal, "POST", "tokens", token(&["crm.objects.contacts.read", "oauth"])).await;
    let narrow = report(&mut doctor(folder.path(), portal), 1).await;
    assert_eq!(names(&narrow, "bad"), set(&["scope crm.objects.contacts.write"]));
    admin(portal, "POST", "tokens", token(&[])).await;

    admin(portal, "DELETE", "properties/hhl_total_progress", json!({})).await;
    let archived = report(&mut doctor(folder.path(), portal), 1).await;
    assert_eq!(names(&archived, "bad"), set(&["property hhl_total_progress"]));
    let told = fix(&archived, "property hhl_total_progress");
    assert!(told.contains("milepost properties create"), "{told}");
    let mut create = milepost(&["properties", "create"]);
    create.env("HUBSPOT_BASE_URL", portal).env("HUBSPOT_PRIVATE_APP_TOKEN", LOCAL_TOKEN);
    assert!(run(&mut create).await.status.success());

    for (skew_ms, bad) in [(3_600_000, &["clock against HubSpot's"][..]), (0, &[])] {
        admin(portal, "PATCH", "settings", json!({"clock_skew_ms": skew_ms})).await;
        let code = i32::from(!bad.is_empty());
        let skewed = report(&mut doctor(folder.path(), portal), code).await;
        assert_eq!(names(&skewed, "bad"), set(bad));
    }

    admin(portal, "POST", "day", json!({"used": 250_000})).await;
    let spent = report(&mut doctor(folder.path(), portal), 1).await;
    assert_eq!(names(&spent, "bad"), set(&["token"]), "{spent}");
    assert!(fix(&spent, "token").contains("midnight"));
    stack.stop("INT").await;
}

#[tokio::test]
async fn under_the_events_backend_the_definitions_and_their_scopes_are_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Running::local(&["--data", folder.path().to_str().unwrap()]).await;
    let portal = stack.portal();
    let doctor = || {
        let mut doctor = doctor(folder.path(), portal);
        doctor.env("PROGRESS_BACKEND", "events");
        doctor
    };
    let well = report(&mut doctor(), 0).await;
    assert!(names(&well, "good").contains("custom events"), "{well}");

    let one = "events/custom/2026-09/event-definitions/learning_module_started";
    let undefine = client().delete(format!("{portal}/{one}")).bearer_auth(LOCAL_TOKEN);
    assert!(undefine.send().await.unwrap().status().is_success());
    let undefined = report(&mut doctor(), 1).await;
    assert_eq!(names(&undefined, "bad"), set(&["event learning_module_started"]));
    let told = fix(&undefined, "event learning_module_started");
    assert!(told.contains("milepost properties create --events"), "{told}");
    let mut create = milepost(&["properties", "create", "--events"]);
    create.env("HUBSPOT_BASE_URL", portal).env("HUBSPOT_PRIVATE_APP_TOKEN", LOCAL_TOKEN);
    assert!(run(&mut create).await.status.success());
    report(&mut doctor(), 0).await;

    let narrow = ["crm.objects.contacts.read", "crm.objects.contacts.write", "oauth"];
    let narrow = json!({"token": LOCAL_TOKEN, "scopes": narrow});
    admin(portal, "POST", "tokens", narrow).await;
    let narrow = report(&mut doctor(), 1).await;
    let missing = [
        "scope analytics.behavioral_events.send",
        "scope behavioral_events.event_definitions.read_write",
    ];
    assert_eq!(names(&narrow, "bad"), set(&missing));
    stack.stop("INT").await;
}

#[tokio::test]
async fn who_does_not_answer_is_no_fault_of_ours_and_ends_it_with_3() {
    let folder = tempfile::tempdir().unwrap();
    let stack = Running::local(&["--data", folder.path().to_str().unwrap()]).await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let away = report(&mut doctor(folder.path(), &format!("http://{nobody}")), 3).await;
    assert_eq!(names(&away, "silent"), set(&["token"]));
    assert_eq!(away["ok"], false);
    stack.stop("INT").await;

    let stopped = report(&mut doctor(folder.path(), &format!("http://{nobody}")), 1).await;
    assert_eq!(names(&stopped, "bad"), set(&["server"]), "a finding comes first");
}

#[tokio::test]
async fn every_setting_is_judged_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = milepost(&["doctor", "--data"]);
    command
        .arg(folder.path())
        .env("HUBSPOT_HEADROOM", "7")
        .env("IDENTITY_POLICY", "signed")
        .env("LOG_LEVEL", "loud")
        .env("QUARANTINE_S", "60")
        .env("HUBSPOT_TOKEN_PARAMETER", "/milepost/token");
    let output = run(&mut command).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = stdout(&output);
    for line in [
        "✗ HUBSPOT_HEADROOM: is out of range or no number\n    fix: set it to a share from 0 to",
        "✗ JWT_SECRET: is missing, and IDENTITY_POLICY is signed\n    fix: ",
        "✗ LOG_LEVEL: is no level\n    fix: set it to error, warn, info or debug\n",
        "✗ HUBSPOT_TOKEN_PARAMETER: `serve` does not read it\n    fix: ",
        "✓ QUARANTINE_S: 60\n",
        "✓ WORKER_CONCURRENCY: 2 (default)\n",
        "✓ IDENTITY_POLICY: signed\n",
        "✗ queue: there is no queue at ",
        "✓ catalog: 6 courses, 3 pathways\n",
    ] {
        assert!(told.contains(line), "{line} is not in {told}");
    }
    assert!(!told.contains("QUEUE_URL"), "a `serve` has none: {told}");
}

/// A deployment on an emulator of AWS.
struct Deployment {
    ministack: Ministack,
    variables: Vec<(&'static str, String)>,
}

impl Deployment {
    fn doctor(&self) -> Command {
        let mut command = milepost(&["doctor", "--json"]);
        command.envs(self.variables.iter().cloned());
        command
    }

    /// Calls a service as its SDK would.
    async fn call(&self, target: &str, body: Value) -> Value {
        let request = client()
            .post(self.ministack.endpoint())
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", target)
            .body(body.to_string());
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{target}");
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default()
    }

    async fn set(&self, queue: &str, attributes: Value) {
        let url = &self.variables.iter().find(|(name, _)| *name == queue).unwrap().1;
        let body = json!({"QueueUrl": url, "Attributes": attributes});
        self.call("AmazonSQS.SetQueueAttributes", body).await;
    }

    async fn put(&self, path: &str, body: Value) {
        let url = format!("{}/2015-03-31/{path}", self.ministack.endpoint());
        let request = client().put(url).header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}");
    }
}

#[tokio::test]
async fn doctor_reports_each_fault_of_a_deployment_until_it_is_fixed() {
    let ministack = Ministack::start().await.unwrap();
    let shape = QueueShape { delay: Duration::from_secs(5), max_receive_count: 5 };
    let urls = ministack.create_queues("events", shape).await.unwrap();
    let variables = vec![
        ("QUEUE_URL", urls.events.clone()),
        ("DLQ_URL", urls.dead_letters.clone()),
        ("AWS_ENDPOINT_URL", ministack.endpoint()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
    ];
    let folder = tempfile::tempdir().unwrap();
    let stack = Running::local(&["--data", folder.path().to_str().unwrap()]).await;
    let mut deployed = Deployment { ministack, variables };
    deployed.variables.extend([
        ("HUBSPOT_BASE_URL", stack.portal().to_owned()),
        ("HUBSPOT_PRIVATE_APP_TOKEN", LOCAL_TOKEN.to_owned()),
    ]);
    let bare = report(&mut deployed.doctor(), 1).await;
    let expected = set(&[
        "events queue, encryption",
        "events queue, visibility time-out",
        "events queue, retention",
        "events queue, redrive",
        "dead-letter queue, encryption",
        "event source",
        "alarms",
    ]);
    assert_eq!(names(&bare, "bad"), expected, "{bare:#}");

    let cloud = Cloud::of(&deployed.ministack);
    // Nothing is on the queue, so it is never started.
    let none = Variables::new();
    let function = cloud.create_function("worker", Path::new("/bin/sh"), &none).await.unwrap();
    let arn = "arn:aws:sqs:us-east-1:000000000000:events.fifo";
    cloud.map_queue(arn, &function).await.unwrap();
    let mapped = report(&mut deployed.doctor(), 1).await;
    let found = names(&mapped, "bad");
    for name in [
        "event source, workers at once",
        "worker, time-out",
        "worker, HUBSPOT_PRIVATE_APP_TOKEN",
        "worker, switch",
    ] {
        assert!(found.contains(name), "{name} in {mapped:#}");
    }

    for queue in ["QUEUE_URL", "DLQ_URL"] {
        deployed
            .set(
                queue,
                json!({"SqsManagedSseEnabled": "true", "MessageRetentionPeriod": "1209600"}),
            )
            .await;
    }
    let redrive = json!({
        "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:events-dlq.fifo",
        "maxReceiveCount": 100,
    });
    let fixed = json!({"VisibilityTimeout": "300", "RedrivePolicy": redrive.to_string()});
    deployed.set("QUEUE_URL", fixed).await;
    let settings = json!({
        "HUBSPOT_TOKEN_PARAMETER": "/milepost/token", "ENABLE_CRM_PROGRESS": "true",
        "QUEUE_URL": urls.events, "QUARANTINE_S": "60",
    });
    let configuration = json!({"Timeout": 240, "Environment": {"Variables": settings}});
    deployed.put("functions/worker/configuration", configuration).await;
    let url = format!("{}/2015-03-31/event-source-mappings/", deployed.ministack.endpoint());
    let sources = get(&client(), &url).await;
    let id = sources["EventSourceMappings"][0]["UUID"].as_str().unwrap();
    let bound = json!({"ScalingConfig": {"MaximumConcurrency": 2}});
    deployed.put(&format!("event-source-mappings/{id}"), bound).await;
    let template = include_str!("../../../template.yaml");
    let alarms = template.lines().filter_map(|line| line.trim().strip_prefix("AlarmName: !Sub "));
    let alarms: Vec<String> = alarms.map(|name| name.replace("${Stage}", "dev")).collect();
    assert_eq!(alarms.len(), ALARMS);
    for name in &alarms {
        let alarm = json!({
            "AlarmName": name, "Namespace": "Milepost", "MetricName": "Parked",
            "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.0,
            "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
            "AlarmActions": ["arn:aws:sns:us-east-1:000000000000:milepost-dev-alarms"],
        });
        deployed.call("GraniteServiceVersion20100801.PutMetricAlarm", alarm).await;
    }
    let well = report(&mut deployed.doctor(), 0).await;
    assert_eq!(names(&well, "bad"), set(&[]), "{well:#}");
    assert_eq!(names(&well, "silent"), set(&[]), "{well:#}");
    for name in ["event source, state", "worker, settings", "nothing-applied"] {
        assert!(names(&well, "good").contains(name), "{name} in {well:#}");
    }

    let ringing = json!({"AlarmName": alarms[0], "StateValue": "ALARM", "StateReason": "a test"});
    deployed.call("GraniteServiceVersion20100801.SetAlarmState", ringing).await;
    let rings = report(&mut deployed.doctor(), 1).await;
    assert_eq!(names(&rings, "bad"), set(&["queue-deep"]));
    assert_eq!(fix(&rings, "queue-deep"), "docs/operate.md#queue-deep");

    // Nobody asks AWS about an emulator's queue.
    let alone: Vec<_> = deployed
        .variables
        .iter()
        .map(|(name, value)| match *name {
            "AWS_ENDPOINT_URL" => ("AWS_ENDPOINT_URL_SQS", value.clone()),
            name => (name, value.clone()),
        })
        .collect();
    let mut command = milepost(&["doctor", "--json"]);
    let elsewhere = report(command.envs(alone), 0).await;
    let unseen = names(&elsewhere, "unseen");
    assert!(unseen.contains("event source") && unseen.contains("alarms"), "{elsewhere:#}");
    stack.stop("INT").await;
}
