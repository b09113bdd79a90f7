//! The stack as the template deploys it, with HubSpot behind it, pages before it and an operator
//! beside it, who looks at logs, figures and `milepost doctor`.
//!
//! ministack plays AWS. What it leaves out of the template, `tests::deployment` says.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName as Attribute;
use host::clock::SystemClock;
use serde_json::{Value, json};
use shared::journal::Figure;
use shared::ports::Clock;
use simulator::{LOCAL_TOKEN, Portal};
use tests::binaries::{self, Function};
use tests::cloud::Cloud;
use tests::deployment::Deployment;
use tests::metrics::Metric;
use tests::metrics::recording::Recording;
use tests::ministack::{Ministack, QueueUrls};
use tokio::process::Command;

use super::{catalog, module_event, portal_behind_http, until};

/// The parameter that holds the token.
const TOKEN_PARAMETER: &str = "/milepost/dev/hubspot-token";
/// What `doctor` finds bad in a stack that is well: the two alarms over metric math, which ministack
/// can't hold, and the event source's bound, which it keeps as the parameter's text, where
/// CloudFormation makes it a number.
const UNLIKE_AWS: [&str; 3] =
    ["functions-throttled", "nothing-applied", "event source, workers at once"];

/// The stack of stage `dev`.
pub(super) struct Site {
    pub(super) cloud: Cloud,
    pub(super) deployment: Deployment,
    pub(super) portal: Arc<Portal>,
    pub(super) sqs: Client,
    pub(super) queues: QueueUrls,
    pub(super) clock: Arc<dyn Clock>,
    portal_url: String,
    api_path: String,
    ministack: Ministack,
}

impl Site {
    /// Deploys everything, without a coalescing window to wait for.
    pub(super) async fn open() -> Site {
        // Built before anything waits on a queue for whoever uses it.
        binaries::milepost().await.unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let (portal, portal_url) = portal_behind_http(&clock).await;
        let ministack = Ministack::start().await.unwrap();
        let cloud = Cloud::of(&ministack);
        cloud.put_parameter(TOKEN_PARAMETER, LOCAL_TOKEN).await.unwrap();
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
        let parameters = [
            ("Architecture", architecture),
            ("HubSpotTokenParameter", TOKEN_PARAMETER),
            ("HubSpotBaseUrl", &portal_url),
            ("CoalescingWindow", "0"),
        ];
        let deployment = Deployment::create(&ministack, &parameters).await.unwrap();
        let url = deployment.output("ApiUrl").await.unwrap();
        let host = url.strip_prefix("https://").expect("a URL");
        let (api, _) = host.split_once('.').expect("a host that begins with the API's id");
        let api_path = format!("/_aws/execute-api/{api}/$default");
        let queues = QueueUrls {
            events: deployment.output("EventsQueueUrl").await.unwrap(),
            dead_letters: deployment.output("DeadLetterQueueUrl").await.unwrap(),
        };
        let sqs = sqs::client(&ministack.client_settings());
        Site { cloud, deployment, portal, sqs, queues, clock, portal_url, api_path, ministack }
    }

    /// Posts a body to `/events/track`; gives the JSON answer.
    pub(super) async fn track(&self, body: &Value) -> Value {
        self.post("/events/track", body).await
    }

    /// Posts a body to a path of the API; gives the JSON answer.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{}{path}", self.endpoint(), self.api_path);
        self.cloud.post(&url, body).await.unwrap()
    }

    /// Posts an event each of so many people, in batches of ten.
    pub(super) async fn crowd(&self, people: usize) {
        let events: Vec<Value> =
            (0..people).map(|n| module_event("completed", &address(n), "first-vpc")).collect();
        for batch in events.chunks(10) {
            let answer = self.track(&json!({ "events": batch })).await;
            assert_eq!((&answer["accepted"], &answer["status"]), (&10.into(), &"persisted".into()));
        }
    }

    /// How many of the crowd have exactly what they did.
    pub(super) fn of_crowd_applied(&self, people: usize) -> usize {
        let has_it = |n: &usize| {
            let held = self.portal.contact_by_email(&address(*n));
            held.is_some_and(|held| held.properties["hhl_total_progress"] == "1")
        };
        (0..people).filter(has_it).count()
    }

    /// Gets a path of the API, and its JSON answer.
    pub(super) async fn get(&self, path_and_query: &str) -> Value {
        self.cloud.get(&format!("{}{path_and_query}", self.api_path)).await.unwrap()
    }

    /// How many messages a queue holds, in hand or not.
    pub(super) async fn left(&self, queue: &str) -> u32 {
        let attributes = self.attributes(queue).await;
        let count = |name| attributes[&name].parse::<u32>().unwrap();
        count(Attribute::ApproximateNumberOfMessages)
            + count(Attribute::ApproximateNumberOfMessagesNotVisible)
            + count(Attribute::ApproximateNumberOfMessagesDelayed)
    }

    /// Waits until nothing is on the events queue.
    pub(super) async fn until_at_rest(&self) {
        let is_empty = async || (self.left(&self.queues.events).await == 0).then_some(());
        until(&*self.clock, "empty queue", is_empty).await;
    }

    /// A queue's attributes.
    pub(super) async fn attributes(&self, queue: &str) -> HashMap<Attribute, String> {
        let asked = self.sqs.get_queue_attributes().queue_url(queue);
        let answer = asked.attribute_names(Attribute::All).send().await.unwrap();
        answer.attributes.unwrap()
    }

    /// How long it takes from now on until a message that failed comes again; 300 s as it is deployed.
    pub(super) async fn come_again_after(&self, time: Duration) {
        let set = self.sqs.set_queue_attributes().queue_url(&self.queues.events);
        let seconds = time.as_secs().to_string();
        set.attributes(Attribute::VisibilityTimeout, seconds).send().await.unwrap();
    }

    /// What `aws logs filter-log-events` prints of a function's log.
    pub(super) async fn log(&self, function: Function) -> Value {
        let group = format!("/aws/lambda/{}", deployed(function));
        let question = json!({ "logGroupName": group });
        self.cloud.ask("Logs_20140328.FilterLogEvents", &question).await.unwrap()
    }

    /// The sum of a figure over all that a function wrote.
    pub(super) async fn counted(&self, function: Function, figure: Figure) -> f64 {
        let log = self.log(function).await;
        let documents = lines(&log).filter_map(|(_, line)| figures(line));
        let sum = |value: &Value| match value {
            Value::Array(values) => values.iter().filter_map(Value::as_f64).sum(),
            value => value.as_f64().unwrap_or_default(),
        };
        documents.map(|document| sum(&document[figure.name()])).sum()
    }

    /// The worker's errors by the minute, as Lambda counts them. ministack counts none for an event
    /// source, so they are read off the log: an invocation that ends well has written its figures.
    pub(super) async fn worker_errors(&self) -> Recording {
        let log = self.log(Function::Worker).await;
        let mut by_minute = BTreeMap::new();
        for (at_ms, line) in lines(&log) {
            let begun = i32::from(line.starts_with("START RequestId: "));
            let ended_well = i32::from(figures(line).is_some());
            *by_minute.entry(at_ms / 60_000).or_insert(0) += begun - ended_well;
        }
        let first = by_minute.keys().next().copied().unwrap_or_default();
        let metric = Metric::new("AWS/Lambda", "Errors", &[("FunctionName", "WorkerFunction")]);
        let mut recording = Recording::default();
        for (minute, errors) in by_minute {
            let minute = usize::try_from(minute - first).unwrap();
            recording.add(&metric, minute, f64::from(errors));
        }
        recording
    }

    /// What `milepost doctor` says must be fixed, as `name: fix`.
    pub(super) async fn doctor(&self) -> BTreeSet<String> {
        let ended = self.milepost(&["doctor", "--json"]).await;
        let report: Value = serde_json::from_slice(&ended.stdout).unwrap();
        let checks = report["checks"].as_array().unwrap().iter();
        let bad = checks.filter(|check| check["status"] == "bad");
        let bad = bad.map(|check| (check["name"].as_str().unwrap(), check["fix"].as_str()));
        let to_fix = bad.filter(|(name, _)| !UNLIKE_AWS.contains(name));
        to_fix.map(|(name, fix)| format!("{name}: {}", fix.unwrap_or_default())).collect()
    }

    /// Runs the command line as the stack's operator does.
    pub(super) async fn milepost(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(binaries::milepost().await.unwrap());
        command.args(arguments).env_clear().kill_on_drop(true).envs([
            ("APP_STAGE", "dev"),
            ("ENABLE_CRM_PROGRESS", "true"),
            ("QUEUE_URL", &self.queues.events),
            ("DLQ_URL", &self.queues.dead_letters),
            ("CATALOG_PATH", &catalog()),
            ("HUBSPOT_BASE_URL", &self.portal_url),
            ("HUBSPOT_TOKEN_PARAMETER", TOKEN_PARAMETER),
            ("AWS_ENDPOINT_URL", &self.endpoint()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ]);
        command.output().await.unwrap()
    }

    /// A function's variables.
    pub(super) async fn variables(&self, function: Function) -> Value {
        let path = format!("/2015-03-31/functions/{}/configuration", deployed(function));
        self.cloud.get(&path).await.unwrap()["Environment"]["Variables"].take()
    }

    /// `http://127.0.0.1:PORT`, where AWS is.
    pub(super) fn endpoint(&self) -> String {
        self.ministack.endpoint()
    }
}

/// The name of a deployed function.
pub(super) fn deployed(function: Function) -> String {
    format!("milepost-dev-{}", function.name())
}

/// The lines of a log, with when they were written in milliseconds.
fn lines(log: &Value) -> impl Iterator<Item = (i64, &str)> {
    let events = log["events"].as_array().unwrap().iter();
    events.map(|event| (event["timestamp"].as_i64().unwrap(), event["message"].as_str().unwrap()))
}

/// The document of figures that a line is, if it is one.
fn figures(line: &str) -> Option<Value> {
    let document: Value = serde_json::from_str(line).ok()?;
    document["_aws"].is_object().then_some(document)
}

fn address(n: usize) -> String {
    format!("learner.{n}@example.org")
}
