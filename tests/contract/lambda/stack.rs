//! The repository's own template, deployed over CloudFormation: what stands then, and an event's road
//! through it. No part is made by hand.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName as Attribute;
use serde_json::{Value, json};
use shared::envelope::{Content, Envelope};
use shared::event::{CoursePlace, Event, ModulePlace};
use shared::facts::Happening;
use shared::identity::Person;
use simulator::LOCAL_TOKEN;
use tests::binaries::Function;
use tests::template::Template;

use super::site::{Site, deployed};
use super::{module_event, until};

/// The parts of a queue's ARN before its name.
const QUEUE_ARN: &str = "arn:aws:sqs:us-east-1:000000000000:milepost-dev-";

#[tokio::test]
async fn the_template_makes_what_it_names() {
    let site = Site::open().await;
    queues_are_as_written(&site).await;
    functions_are_as_written(&site).await;

    let sources = site.cloud.get("/2015-03-31/event-source-mappings/").await.unwrap();
    let [source] = &sources["EventSourceMappings"].as_array().unwrap()[..] else {
        panic!("one event source, not {sources}")
    };
    for (name, value) in [
        ("EventSourceArn", json!(format!("{QUEUE_ARN}events.fifo"))),
        ("State", json!("Enabled")),
        ("BatchSize", json!(10)),
        ("FunctionResponseTypes", json!(["ReportBatchItemFailures"])),
        // A number on AWS; ministack keeps the parameter's text.
        ("ScalingConfig", json!({ "MaximumConcurrency": "2" })),
    ] {
        assert_eq!(source[name], value, "{name}");
    }
    assert!(source["FunctionArn"].as_str().unwrap().ends_with(":function:milepost-dev-worker"));

    let question = json!({ "AlarmNamePrefix": "milepost-dev-" });
    let target = "GraniteServiceVersion20100801.DescribeAlarms";
    let alarms = site.cloud.ask(target, &question).await.unwrap();
    let alarms = alarms["MetricAlarms"].as_array().unwrap();
    let template = Template::read();
    let math = |name: &&&str| template.properties(name)["Metrics"].is_array();
    let written = template.of_type("AWS::CloudWatch::Alarm");
    assert_eq!(alarms.len(), written.iter().filter(|name| !math(name)).count());
    let topic = "arn:aws:sns:us-east-1:000000000000:milepost-dev-alarms";
    for alarm in alarms {
        assert_eq!(alarm["AlarmActions"], json!([topic]), "{alarm}");
    }
    assert_eq!(site.doctor().await, BTreeSet::new(), "nothing must be fixed");
}

async fn queues_are_as_written(site: &Site) {
    use Attribute as A;
    let of_both = [
        (A::FifoQueue, "true"),
        (A::ContentBasedDeduplication, "false"),
        (A::DeduplicationScope, "messageGroup"),
        (A::FifoThroughputLimit, "perMessageGroupId"),
        (A::SqsManagedSseEnabled, "true"),
        (A::MessageRetentionPeriod, "1209600"),
    ];
    let events = site.attributes(&site.queues.events).await;
    let dead_letters = site.attributes(&site.queues.dead_letters).await;
    for (name, value) in of_both {
        assert_eq!(events[&name], value, "{name} of events");
        assert_eq!(dead_letters[&name], value, "{name} of dead letters");
    }
    assert_eq!((&*events[&A::VisibilityTimeout], &*events[&A::DelaySeconds]), ("300", "0"));
    let policy = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let redrive = json!({
        "deadLetterTargetArn": format!("{QUEUE_ARN}events-dlq.fifo"), "maxReceiveCount": 100,
    });
    assert_eq!(policy(&events[&A::RedrivePolicy]), redrive);
    let allowed = json!({
        "redrivePermission": "byQueue", "sourceQueueArns": [format!("{QUEUE_ARN}events.fifo")],
    });
    assert_eq!(policy(&dead_letters[&A::RedriveAllowPolicy]), allowed);
}

async fn functions_are_as_written(site: &Site) {
    let template = Template::read();
    for (function, resource) in [
        (Function::Ingest, "IngestFunction"),
        (Function::Worker, "WorkerFunction"),
        (Function::Reader, "ReaderFunction"),
    ] {
        let path = format!("/2015-03-31/functions/{}/configuration", deployed(function));
        let made = site.cloud.get(&path).await.unwrap();
        assert_eq!(made["Timeout"], template.properties(resource)["Timeout"], "{resource}");
        assert_eq!(made["MemorySize"], template.properties(resource)["MemorySize"], "{resource}");
        assert_eq!(made["TracingConfig"], json!({ "Mode": "Active" }), "{resource}");
        let group = format!("/aws/lambda/{}", deployed(function));
        assert_eq!(made["LoggingConfig"], json!({ "LogFormat": "Text", "LogGroup": group }));
        let variables = made["Environment"]["Variables"].as_object().unwrap();
        let names: BTreeSet<&str> = variables.keys().map(String::as_str).collect();
        let expected = template.variables(resource).into_keys().collect();
        assert_eq!(names, expected, "{resource}");
        assert!(!made.to_string().contains(LOCAL_TOKEN), "the token stands in {resource}");
    }
    let worker = site.variables(Function::Worker).await;
    for (name, value) in [
        ("QUEUE_URL", &*site.queues.events),
        ("DLQ_URL", &*site.queues.dead_letters),
        ("HUBSPOT_TOKEN_PARAMETER", "/milepost/dev/hubspot-token"),
        ("WORKER_CONCURRENCY", "2"),
        ("APP_STAGE", "dev"),
    ] {
        assert_eq!(worker[name], value, "{name}");
    }
}

#[tokio::test]
async fn a_click_goes_through_the_deployed_stack_and_comes_back_to_the_page() {
    let site = Site::open().await;
    assert_eq!(site.get("/api/health").await["status"], "healthy");
    let email = "ann@example.org";

    let answer = site.track(&module_event("completed", email, "first-vpc")).await;
    let expected = (&"persisted".into(), &"authenticated".into(), &true.into());
    assert_eq!((&answer["status"], &answer["mode"], &answer["queued"]), expected);
    site.until_at_rest().await;
    let held = site.portal.contact_by_email(email).expect("a contact").properties;
    for (name, value) in [
        ("lifecyclestage", "lead"),
        ("hhl_enrolled_courses", "getting-started-101"),
        ("hhl_total_progress", "1"),
        // Only whoever has the layer's catalog knows how many courses there are.
        ("hhl_progress_summary", "hedgehog-fundamentals: 0/1 courses"),
    ] {
        assert_eq!(held[name], value, "{name}");
    }

    // API Gateway minds the case of paths: this one takes the default route.
    let again = site.post("/Events/Track", &module_event("completed", email, "first-vpc")).await;
    assert_eq!(again["status"], "persisted");
    let read = site.get("/progress/read?email=ann%40example.org").await;
    let course = &read["progress"]["hedgehog-fundamentals"]["courses"]["getting-started-101"];
    let at = &course["modules"]["first-vpc"]["completed_at"];
    assert_eq!(at, "2026-01-18T17:30:00.000Z", "{read}");
    for function in Function::ALL {
        let log = site.log(function).await.to_string();
        assert!(log.contains("correlation_id") && !log.contains("example.org"), "{log}");
        assert!(!log.contains(LOCAL_TOKEN), "{log}");
    }
}

#[tokio::test]
async fn with_the_switch_off_what_is_on_the_queue_stays_there_until_it_is_on_again() {
    let mut site = Site::open().await;
    site.deployment.set(&[("CrmProgress", "false")]).await.unwrap();
    let state = async |site: &Site| {
        let sources = site.cloud.get("/2015-03-31/event-source-mappings/").await.unwrap();
        sources["EventSourceMappings"][0]["State"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(&site).await, "Disabled");
    let answer = site.track(&module_event("started", "ann@example.org", "first-vpc")).await;
    assert_eq!((&answer["mode"], &answer["status"]), (&"anonymous".into(), &"logged".into()));

    // What was accepted the moment before.
    let message = accepted(&site, "bob@example.org").seal();
    let send = site.sqs.send_message().queue_url(&site.queues.events).message_body(message.body);
    let send = send.message_group_id(message.group);
    send.message_deduplication_id(message.deduplication_id).send().await.unwrap();
    // Far longer than ministack's event source waits between two looks.
    site.clock.sleep(Duration::from_secs(3)).await;
    let attributes = site.attributes(&site.queues.events).await;
    assert_eq!(attributes[&Attribute::ApproximateNumberOfMessages], "1");
    assert_eq!(site.portal.stats().contacts, 0);

    site.deployment.set(&[("CrmProgress", "true")]).await.unwrap();
    assert_eq!(state(&site).await, "Enabled");
    let bob = async || site.portal.contact_by_email("bob@example.org");
    let bob = until(&*site.clock, "contact", bob).await;
    assert_eq!(bob.properties["hhl_enrolled_courses"], "getting-started-101");
    site.until_at_rest().await;
    // The parameters that were not named are what they were.
    let worker = site.variables(Function::Worker).await;
    assert_eq!(worker["HUBSPOT_TOKEN_PARAMETER"], "/milepost/dev/hubspot-token");
    assert_eq!(site.portal.stats().contacts, 1);
}

/// An event that ingest has accepted.
fn accepted(site: &Site, email: &str) -> Envelope {
    let now = site.clock.now();
    Envelope {
        id: "click-1".into(),
        correlation_id: "request-1".into(),
        accepted_at: now,
        person: Person::new(Some(email), None).expect("somebody"),
        content: Content::Event(Happening {
            at: now,
            event: Event::ModuleStarted(ModulePlace::InCourse {
                course: CoursePlace {
                    pathway: Some("hedgehog-fundamentals".parse().expect("a slug")),
                    course: "getting-started-101".parse().expect("a slug"),
                },
                module: "first-vpc".parse().expect("a slug"),
            }),
        }),
        hopped: false,
    }
}
