//! Rules for the deployment template: the relations between its figures that the code relies on, and
//! that it sets the variables that are read. Who may do what is in `access`.
//!
//! The variables are held to the real settings: every function reads what the template gives it,
//! for every value that a parameter allows.

mod access;
mod alarms;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use host::catalog_folder;
use ingest::enqueue::SEND_TIME_MAX;
use serde_json::Value;
use shared::settings::{
    Door, HubSpot, Lookup, Process, QueueUrls, Worker, WrongSetting, catalog_path,
};
use sqlite::QueueSettings;

use tests::template::{Template, all, named};

use crate::files::root;

const FUNCTIONS: [&str; 3] = ["IngestFunction", "WorkerFunction", "ReaderFunction"];
const QUEUES: [&str; 2] = ["EventsQueue", "DeadLetterQueue"];
/// Parameters that can hold any text.
const FREE: [&str; 1] = ["AllowedOrigins"];
/// What a worker's time-out has beside the longest pass: time for the passes before it.
const PASS_MARGIN: Duration = Duration::from_secs(60);

#[test]
fn every_parameter_says_what_it_is_and_bounds_what_it_takes() {
    let template = Template::read();
    for (name, parameter) in template.section("Parameters") {
        assert!(parameter["Description"].is_string(), "{name} has no description");
        let is_listed = parameter["AllowedValues"].is_array();
        let is_bounded = match parameter["Type"].as_str() {
            Some("Number") => {
                parameter["MinValue"].is_number() && parameter["MaxValue"].is_number()
            }
            _ => parameter["AllowedPattern"].is_string() || FREE.contains(&name.as_str()),
        };
        assert!(is_listed || is_bounded, "{name} takes anything");
    }
}

#[test]
fn the_lock_on_a_contact_outlives_the_worker_and_the_longest_quarantine() {
    let template = Template::read();
    let quarantine = template.variables("WorkerFunction")["QUARANTINE_S"];
    let quarantine_s_max = template.section("Parameters")[named(quarantine)]["MaxValue"].as_u64();
    let visibility_s = template.number("EventsQueue", "VisibilityTimeout");
    let timeout_s = template.number("WorkerFunction", "Timeout");
    assert!(visibility_s >= timeout_s + quarantine_s_max.unwrap());
}

#[test]
fn a_worker_has_time_for_more_than_the_longest_pass() {
    let timeout = Duration::from_secs(Template::read().number("WorkerFunction", "Timeout"));
    assert!(timeout >= worker::PASS_WORST_CASE + PASS_MARGIN, "else it would never top up");
}

#[test]
fn the_queues_are_the_ones_that_the_tests_run_on() {
    let template = Template::read();
    let expected = QueueSettings::default();
    let events = template.properties("EventsQueue");
    assert_eq!(events["RedrivePolicy"]["maxReceiveCount"], expected.max_receive_count);
    assert_eq!(named(&events["RedrivePolicy"]["deadLetterTargetArn"]), "DeadLetterQueue.Arn");
    let window = &template.section("Parameters")[named(&events["DelaySeconds"])];
    assert_eq!(window["Default"], expected.delay.as_secs());
    let kept = |queue| Duration::from_secs(template.number(queue, "MessageRetentionPeriod"));
    assert_eq!(kept("EventsQueue"), expected.retention);
    assert!(kept("DeadLetterQueue") >= kept("EventsQueue"));
    for queue in QUEUES {
        let queue = template.properties(queue);
        assert_eq!(queue["FifoQueue"], true);
        assert_eq!(queue["DeduplicationScope"], "messageGroup");
        assert_eq!(queue["FifoThroughputLimit"], "perMessageGroupId");
    }
}

#[test]
fn the_dead_letter_queue_takes_from_the_events_alone() {
    let template = Template::read();
    let allowed = &template.properties("DeadLetterQueue")["RedriveAllowPolicy"];
    assert_eq!(allowed["redrivePermission"], "byQueue");
    let name = named(&template.properties("EventsQueue")["QueueName"]);
    let sources: Vec<&str> = all(&allowed["sourceQueueArns"]).iter().map(named).collect();
    assert_eq!(sources.len(), 1);
    assert!(sources[0].ends_with(&format!(":{name}")), "{sources:?}");
}

#[test]
fn the_worker_is_fed_as_it_expects() {
    let template = Template::read();
    let source = template.properties("WorkerEvents");
    let variables = template.variables("WorkerFunction");
    assert_eq!(named(&source["EventSourceArn"]), "EventsQueue.Arn");
    assert_eq!(source["BatchSize"], 10);
    assert_eq!(source["FunctionResponseTypes"], serde_json::json!(["ReportBatchItemFailures"]));
    // Lambda would delete what a filter leaves out.
    assert!(source["FilterCriteria"].is_null());
    let concurrency = &source["ScalingConfig"]["MaximumConcurrency"];
    assert_eq!(concurrency, variables["WORKER_CONCURRENCY"], "more workers than shares");
    assert_eq!(&source["Enabled"], variables["ENABLE_CRM_PROGRESS"], "two switches");
}

#[test]
fn the_reader_runs_once_and_the_others_as_often_as_they_are_needed() {
    let template = Template::read();
    let reserved = |function| &template.properties(function)["ReservedConcurrentExecutions"];
    assert_eq!(reserved("ReaderFunction"), 1);
    assert!(reserved("IngestFunction").is_null() && reserved("WorkerFunction").is_null());
}

/// The SDK hands Lambda's trace on with every message that the worker sends.
#[test]
fn a_message_that_is_sent_anew_is_no_runaway_loop() {
    assert_eq!(Template::read().properties("WorkerFunction")["RecursiveLoop"], "Allow");
}

#[test]
fn a_function_reads_all_that_the_template_sets_and_finds_all_that_it_needs() {
    let template = Template::read();
    for parameters in variations(&template) {
        for function in FUNCTIONS {
            let variables = template.variables(function);
            let read = RefCell::new(BTreeSet::new());
            let lookup = |name: &str| {
                read.borrow_mut().insert(name.to_owned());
                Some(resolve(variables.get(name)?, &parameters))
            };
            let settings = settings_of(function, &lookup);
            assert_eq!(settings, Ok(()), "{function} with {parameters:?}");
            // The token itself stays out of the configuration.
            let mut read = read.into_inner();
            read.remove("HUBSPOT_PRIVATE_APP_TOKEN");
            let set: BTreeSet<String> = variables.keys().map(|&name| name.into()).collect();
            assert_eq!(set, read, "{function}: set, and read");
        }
    }
}

#[test]
fn a_time_out_leaves_the_one_behind_it_time_to_answer() {
    let template = Template::read();
    // API Gateway gives up after 30 s.
    for (function, longest) in
        [("IngestFunction", SEND_TIME_MAX), ("ReaderFunction", reader::ANSWER_TIME_MAX)]
    {
        let timeout = Duration::from_secs(template.number(function, "Timeout"));
        assert!(timeout >= 3 * longest && timeout < Duration::from_secs(30), "{function}");
    }
    // A worker that Lambda ends holds its messages until their time-out, and no longer.
    let visibility = Duration::from_secs(template.number("EventsQueue", "VisibilityTimeout"));
    assert!(visibility <= Duration::from_secs(900), "a contact that waits that long is forgotten");
}

#[test]
fn what_exists_nowhere_else_outlives_the_stack() {
    let template = Template::read();
    for name in ["EventsQueue", "DeadLetterQueue", "IngestLogs"] {
        let resource = template.resource(name);
        assert_eq!(resource["DeletionPolicy"], "Retain", "{name}");
        assert_eq!(resource["UpdateReplacePolicy"], "Retain", "{name}");
    }
}

#[test]
fn every_log_is_kept_for_a_time_that_is_told() {
    let template = Template::read();
    let groups = template.of_type("AWS::Logs::LogGroup");
    for group in &groups {
        let retention = &template.properties(group)["RetentionInDays"];
        assert_eq!(named(retention), "LogRetentionDays", "{group}");
    }
    for function in FUNCTIONS {
        let logging = &template.properties(function)["LoggingConfig"];
        assert!(groups.contains(named(&logging["LogGroup"])), "{function}");
        // In JSON format Lambda would wrap the metrics' lines, and CloudWatch would not see them.
        assert_eq!(logging["LogFormat"], "Text", "{function}");
    }
}

#[test]
fn the_functions_answer_for_themselves_preflights_included() {
    let template = Template::read();
    assert!(template.properties("HttpApi")["CorsConfiguration"].is_null());
    let mut routes = BTreeMap::new();
    for route in template.of_type("AWS::ApiGatewayV2::Route") {
        let route = template.properties(route);
        routes.insert(named(&route["RouteKey"]), named(&route["Target"]));
    }
    let (ingest, reader) =
        ("integrations/${IngestIntegration}", "integrations/${ReaderIntegration}");
    let expected = [
        ("$default", ingest),
        ("GET /api/health", ingest),
        ("GET /{path+}", reader),
        ("POST /events/track", ingest),
    ];
    assert_eq!(routes, expected.into());
    for function in ["Ingest", "Reader"] {
        let integration = template.properties(&format!("{function}Integration"));
        assert_eq!(named(&integration["IntegrationUri"]), format!("{function}Function.Arn"));
    }
}

#[test]
fn everything_that_can_be_tagged_bears_project_and_stage() {
    let template = Template::read();
    let untaggable = [
        "AWS::ApiGatewayV2::Integration",
        "AWS::ApiGatewayV2::Route",
        "AWS::CloudWatch::Dashboard",
        "AWS::Lambda::Permission",
        "AWS::SNS::Subscription",
        "AWS::Serverless::LayerVersion",
        // Theirs stand in the globals.
        "AWS::Serverless::Function",
    ];
    for (name, resource) in template.section("Resources") {
        if !untaggable.contains(&resource["Type"].as_str().unwrap()) {
            let tags = resource["Properties"]["Tags"].to_string();
            assert!(tags.contains("project") && tags.contains("stage"), "{name}: {tags}");
        }
    }
    let tags = template.section("Globals")["Function"]["Tags"].to_string();
    assert!(tags.contains("project") && tags.contains("stage"), "{tags}");
}

#[test]
fn the_layer_holds_the_catalog_where_the_worker_looks() {
    let template = Template::read();
    let folder = template.variables("WorkerFunction")["CATALOG_PATH"].as_str().unwrap();
    let below = folder.strip_prefix("/opt/").unwrap();
    let layer = named(&template.properties("CatalogLayer")["ContentUri"]);
    let (catalog, _) = catalog_folder::load(&root().join(layer).join(below)).unwrap();
    let (expected, _) = catalog_folder::load(&root().join("catalog")).unwrap();
    assert_eq!(catalog, expected);
}

/// What a function reads at its start.
fn settings_of(function: &str, lookup: Lookup<'_>) -> Result<(), WrongSetting> {
    Process::from_lookup(lookup)?;
    match function {
        "IngestFunction" => {
            Door::from_lookup(lookup)?;
            QueueUrls::events_from_lookup(lookup)?;
        }
        "WorkerFunction" => {
            QueueUrls::from_lookup(lookup)?;
            HubSpot::from_lookup(lookup)?;
            Worker::from_lookup(lookup)?;
            catalog_path(lookup, "");
        }
        _ => {
            Door::from_lookup(lookup)?;
            HubSpot::from_lookup(lookup)?;
        }
    }
    Ok(())
}

/// The parameters as they are given at least, and then with each value that one of them allows, or
/// with its bounds.
fn variations(template: &Template) -> Vec<BTreeMap<&str, String>> {
    let parameters = template.section("Parameters");
    let mut given: BTreeMap<&str, String> =
        parameters.iter().map(|(name, p)| (name.as_str(), plain(&p["Default"]))).collect();
    given.insert("HubSpotTokenParameter", "/milepost/dev/hubspot-token".into());
    given.insert("JwtSecret", "a secret that is long enough for HS256".into());
    let mut variations = vec![given.clone()];
    for (name, parameter) in parameters {
        let listed = parameter["AllowedValues"].as_array().into_iter().flatten();
        let bounds = [&parameter["MinValue"], &parameter["MaxValue"]];
        for value in listed.chain(bounds).filter(|value| !value.is_null()) {
            let mut given = given.clone();
            given.insert(name, plain(value));
            variations.push(given);
        }
    }
    variations
}

/// A variable's value, with these parameters.
fn resolve(value: &Value, parameters: &BTreeMap<&str, String>) -> String {
    match value.get("Ref").and_then(Value::as_str) {
        None => plain(value),
        Some(queue) if QUEUES.contains(&queue) => format!("https://sqs.example.com/{queue}"),
        Some(parameter) => parameters[parameter].clone(),
    }
}

/// A value as CloudFormation hands it on.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
