//! The two queues of SQS: attribute by attribute, against what the worker relies on.
//!
//! What is right is what `template.yaml` deploys and the embedded queue does by itself; the reasons
//! stand in docs/queue.md. What SQS can't tell, who takes messages off the queue and which alarms
//! watch it, is asked of Lambda ([`feeding`]) and CloudWatch ([`alarms`]).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use command::aws::Aws;
use host::clock::SystemClock;
use host::environment;
use serde_json::Value;
use shared::ports::{Clock as _, Depth, QueueFault};
use shared::settings::{QueueUrls, Worker};
use sqlite::QueueSettings;
use sqs::client::ClientSettings;
use worker::PASS_WORST_CASE;

use super::feeding::{self, Feeding};
use super::{Area, Check, alarms, clocks};

const AREA: Area = Area::Queue;
const EVENTS: &str = "events queue";
const DEAD_LETTERS: &str = "dead-letter queue";

/// Attributes by AWS's names.
pub(super) type Attributes = BTreeMap<String, String>;

/// Asks SQS, Lambda and CloudWatch.
pub(super) async fn checks() -> Vec<Check> {
    let Ok(urls) = QueueUrls::from_lookup(&environment::lookup) else {
        return vec![
            AREA.unseen("queues", "the settings say not which; a `serve` is named by --data"),
        ];
    };
    let settings = match ClientSettings::from_lookup(&environment::lookup) {
        Ok(settings) => settings,
        Err(missing) => {
            let name = missing.0;
            let fix =
                "eval \"$(aws configure export-credentials --format env)\", and set AWS_REGION";
            return vec![AREA.bad(name, "is not set", fix)];
        }
    };
    let clock = Arc::new(SystemClock::start());
    let client = sqs::client(&settings);
    let aws = Aws::new(settings, clock.clone());
    let mut checks = vec![match aws.date_of(&urls.events).await {
        Ok(theirs) => clocks::check(AREA, "SQS", theirs, clock.now()),
        Err(fault) => AREA.silent("clock against SQS's", fault.to_string()),
    }];
    let events = match sqs::attributes::of(&client, &urls.events).await {
        Ok(attributes) => attributes,
        Err(fault) => {
            checks.push(of_fault(EVENTS, &fault));
            return checks;
        }
    };
    let dead_letters = match sqs::attributes::of(&client, &urls.dead_letters).await {
        Ok(attributes) => attributes,
        Err(fault) => {
            checks.push(of_fault(DEAD_LETTERS, &fault));
            Attributes::new()
        }
    };
    let feeding = feeding::ask(&aws, arn(&events)).await;
    checks.extend(of_either(EVENTS, &events));
    checks.push(visibility(&events, &feeding));
    checks.push(retention(&events));
    if !dead_letters.is_empty() {
        checks.push(redrive(&events, &dead_letters));
        checks.extend(of_either(DEAD_LETTERS, &dead_letters));
        checks.push(retention_of_dead(&events, &dead_letters));
        checks.push(redrive_allowed(&events, &dead_letters));
        checks.push(dead(Ok(depth(&dead_letters))));
    }
    checks.extend(feeding.checks(&urls.events));
    checks.extend(alarms::checks(&aws).await);
    checks
}

/// Whether there are dead letters.
pub(super) fn dead(depth: Result<Depth, QueueFault>) -> Check {
    let name = "dead letters";
    match depth.map(|depth| depth.total()) {
        Ok(0) => AREA.good(name, "none"),
        Ok(count) => {
            AREA.doubtful(name, format!("{count}"), "milepost dlq list says why, and how to fix it")
        }
        Err(fault) => of_fault(name, &fault),
    }
}

/// What both queues must be.
fn of_either(queue: &str, attributes: &Attributes) -> Vec<Check> {
    let is = |name: &str, value: &str| attributes.get(name).is_some_and(|set| set == value);
    let part = |part: &str| format!("{queue}, {part}");
    let fifo = if is("FifoQueue", "true") {
        AREA.good(part("FIFO"), "on")
    } else {
        AREA.bad(
            part("FIFO"),
            "off: nothing keeps a contact in one worker's hands",
            "it can't be switched on: make a queue whose name ends in .fifo",
        )
    };
    let deduplication = if is("ContentBasedDeduplication", "true") {
        AREA.doubtful(
            part("content-based deduplication"),
            "on: a message that somebody sends without an id is taken for an older one like it",
            set(queue, "ContentBasedDeduplication=false"),
        )
    } else {
        AREA.good(part("content-based deduplication"), "off")
    };
    let is_fast =
        is("DeduplicationScope", "messageGroup") && is("FifoThroughputLimit", "perMessageGroupId");
    let throughput = if is_fast {
        AREA.good(part("high throughput"), "on")
    } else {
        let both = "DeduplicationScope=messageGroup,FifoThroughputLimit=perMessageGroupId";
        AREA.bad(part("high throughput"), "off: 300 calls a second are all", set(queue, both))
    };
    let has_key = attributes.get("KmsMasterKeyId").is_some_and(|key| !key.is_empty());
    let encryption = if has_key || is("SqsManagedSseEnabled", "true") {
        AREA.good(part("encryption"), if has_key { "on, by KMS" } else { "on, by SQS" })
    } else {
        AREA.bad(part("encryption"), "off", set(queue, "SqsManagedSseEnabled=true"))
    };
    vec![fifo, deduplication, throughput, encryption]
}

/// The lock on a contact must outlive whoever holds it, and the longest quarantine after that.
fn visibility(events: &Attributes, feeding: &Feeding) -> Check {
    let name = format!("{EVENTS}, visibility time-out");
    let quarantine = feeding
        .quarantine()
        .or_else(|| Worker::from_lookup(&environment::lookup).ok().map(|worker| worker.quarantine));
    let (holder, whose) = match feeding.timeout() {
        Some(timeout) => (timeout, "the worker's time-out"),
        None => (PASS_WORST_CASE, "a worker's longest pass"),
    };
    let needed = holder + quarantine.unwrap_or_default();
    let Some(given) = seconds(events, "VisibilityTimeout") else { return unread(&name) };
    let what =
        format!("{} s; {whose} and the quarantine take {}", given.as_secs(), needed.as_secs());
    if given >= needed {
        return AREA.good(name, what);
    }
    let fix = set(EVENTS, &format!("VisibilityTimeout={}", needed.as_secs()));
    AREA.bad(name, format!("{what}: a second worker gets a contact that a first one writes"), fix)
}

fn retention(events: &Attributes) -> Check {
    let name = format!("{EVENTS}, retention");
    let longest = QueueSettings::default().retention;
    match seconds(events, "MessageRetentionPeriod") {
        None => unread(&name),
        Some(given) if given < longest => AREA.bad(
            name,
            format!("{}: what waits longer is lost", days(given)),
            set(EVENTS, &format!("MessageRetentionPeriod={}", longest.as_secs())),
        ),
        Some(given) => AREA.good(name, days(given)),
    }
}

/// A letter keeps for as long as its event would have.
fn retention_of_dead(events: &Attributes, dead_letters: &Attributes) -> Check {
    let name = format!("{DEAD_LETTERS}, retention");
    let kept = |attributes| seconds(attributes, "MessageRetentionPeriod");
    let (Some(event), Some(letter)) = (kept(events), kept(dead_letters)) else {
        return unread(&name);
    };
    if letter >= event {
        return AREA.good(name, days(letter));
    }
    let longest = QueueSettings::default().retention.as_secs();
    AREA.bad(
        name,
        format!("{}, and the events queue has {}", days(letter), days(event)),
        set(DEAD_LETTERS, &format!("MessageRetentionPeriod={longest}")),
    )
}

fn redrive(events: &Attributes, dead_letters: &Attributes) -> Check {
    let name = format!("{EVENTS}, redrive");
    let expected = QueueSettings::default().max_receive_count;
    let fix = set(
        EVENTS,
        &format!(
            "'{{\"RedrivePolicy\":\"{{\\\"deadLetterTargetArn\\\":\\\"{}\\\",\
             \\\"maxReceiveCount\\\":{expected}}}\"}}'",
            arn(dead_letters)
        ),
    );
    let Some(policy) = json(events, "RedrivePolicy") else {
        return AREA.bad(name, "none: what ends a worker comes back for ever", fix);
    };
    if policy["deadLetterTargetArn"].as_str() != Some(arn(dead_letters)) {
        return AREA.bad(name, "leads to another queue than DLQ_URL", fix);
    }
    // SQS writes the number as a number or as a text, as it was given.
    let count = policy["maxReceiveCount"].to_string();
    let count = count.trim_matches('"');
    if count != expected.to_string() {
        let what = format!("after {count} receives, not {expected}: what waits is received too");
        return AREA.bad(name, what, fix);
    }
    AREA.good(name, format!("to the dead-letter queue, after {count} receives"))
}

fn redrive_allowed(events: &Attributes, dead_letters: &Attributes) -> Check {
    let name = format!("{DEAD_LETTERS}, who may send letters");
    let policy = json(dead_letters, "RedriveAllowPolicy").unwrap_or_default();
    let names_events = || {
        let sources = policy["sourceQueueArns"].as_array().map(Vec::as_slice).unwrap_or_default();
        sources.iter().any(|source| source.as_str() == Some(arn(events)))
    };
    match policy["redrivePermission"].as_str() {
        None | Some("allowAll") => AREA.good(name, "every queue"),
        Some("byQueue") if names_events() => AREA.good(name, "the events queue is among them"),
        Some(other) => AREA.bad(
            name,
            format!("not the events queue ({other})"),
            set(DEAD_LETTERS, "RedriveAllowPolicy='{\"redrivePermission\":\"allowAll\"}'"),
        ),
    }
}

fn depth(attributes: &Attributes) -> Depth {
    let count = |name: &str| {
        let text = attributes.get(&format!("ApproximateNumberOfMessages{name}"));
        text.and_then(|text| text.parse().ok()).unwrap_or_default()
    };
    Depth { visible: count(""), in_flight: count("NotVisible"), delayed: count("Delayed") }
}

fn of_fault(name: &str, fault: &QueueFault) -> Check {
    match fault {
        QueueFault::Refused(_) => AREA.bad(
            name,
            fault.to_string(),
            "check the queue's URL, the region, and sqs:GetQueueAttributes for who asks",
        ),
        QueueFault::Unavailable(_) | QueueFault::Stale => AREA.silent(name, fault.to_string()),
    }
}

fn unread(name: &str) -> Check {
    AREA.unseen(name, "SQS's answer does not say")
}

/// The command that sets an attribute of a queue.
fn set(queue: &str, attributes: &str) -> String {
    let variable = if queue == EVENTS { "QUEUE_URL" } else { "DLQ_URL" };
    format!("aws sqs set-queue-attributes --queue-url \"${variable}\" --attributes {attributes}")
}

fn arn(attributes: &Attributes) -> &str {
    attributes.get("QueueArn").map(String::as_str).unwrap_or_default()
}

fn json(attributes: &Attributes, name: &str) -> Option<Value> {
    serde_json::from_str(attributes.get(name)?).ok()
}

fn seconds(attributes: &Attributes, name: &str) -> Option<Duration> {
    Some(Duration::from_secs(attributes.get(name)?.parse().ok()?))
}

fn days(time: Duration) -> String {
    format!("{:.1} days", time.as_secs_f64() / 86_400.0).replace(".0 ", " ")
}
