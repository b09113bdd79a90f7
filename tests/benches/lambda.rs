//! The functions under a Lambda Runtime API: how large they are, how long a cold start takes, and a
//! warm invocation.
//!
//! AWS's Runtime Interface Emulator runs each of them; SQS is played by ministack, HubSpot by the
//! simulator without delay, all on this machine. So the figures are those of our code and the
//! emulator: no network, no TLS, no container to start. A cold start is a process's first invocation;
//! in it worker and reader wait 20 ms for their first permit, because a new process has no burst.
//!
//! `cargo bench -p tests --bench lambda`
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and one that can't go on panics"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use host::clock::SystemClock;
use local::portal::{LOCAL_TOKEN, Portal, http_door};
use serde_json::{Value, json};
use shared::ports::Clock;
use tests::binaries::Function;
use tests::emulator::{Emulator, Variables};
use tests::ministack::{Ministack, QueueShape, QueueUrls};
use tokio::net::TcpListener;

const COLD_STARTS: usize = 20;
const WARM_INVOCATIONS: usize = 300;
/// Between invocations, so that the pace that a function keeps towards HubSpot makes none wait.
const REST: Duration = Duration::from_millis(25);
/// Too little for a further pass: the worker takes no more than it is given.
const TIMEOUT_S: &str = "100";

/// What the functions stand between.
struct Bench {
    clock: Arc<dyn Clock>,
    ministack: Ministack,
    queues: QueueUrls,
    portal_url: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let bench = Bench::start().await;
    println!("| function | invocation | size, MB | cold p50, ms | warm p50, ms | warm p99, ms |");
    println!("|---|---|---|---|---|---|");
    let batch = bench.batch().await;
    let event = |method: &str, path: &str, query: &str, body: Option<String>| {
        json!({
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": query,
            "headers": { "content-type": "application/json", "origin": "https://hedgehog.cloud" },
            "requestContext": { "requestId": "bench", "http": { "method": method } },
            "body": body,
            "isBase64Encoded": false,
        })
    };
    let track = |_| event("POST", "/events/track", "", Some(started(0).to_string()));
    let asked = "email=learner.0%40example.org";
    bench.measure(Function::Ingest, "one event", track).await;
    bench.measure(Function::Worker, "10 events of 10 contacts", |_| batch.clone()).await;
    let read = |_| event("GET", "/progress/read", asked, None);
    bench.measure(Function::Reader, "`/progress/read`", read).await;
}

impl Bench {
    async fn start() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let portal = Arc::new(Portal::in_memory(7));
        portal.define_milepost_properties();
        portal.set(|portal| {
            portal.burst_max = 1_000_000;
            portal.latency_ms = (0, 0);
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let portal_url = format!("http://{}", listener.local_addr().unwrap());
        let until = std::future::pending();
        tokio::spawn(http_door::serve(listener, portal, clock.clone(), until));
        let ministack = Ministack::start().await.unwrap();
        let shape = QueueShape { delay: Duration::ZERO, max_receive_count: 100 };
        let queues = ministack.create_queues("events", shape).await.unwrap();
        Self { clock, ministack, queues, portal_url }
    }

    async fn emulated(&self, function: Function) -> Emulator {
        let variables: Variables = BTreeMap::from([
            ("AWS_LAMBDA_FUNCTION_TIMEOUT", TIMEOUT_S.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_ENDPOINT_URL_SQS", self.ministack.endpoint()),
            ("QUEUE_URL", self.queues.events.clone()),
            ("DLQ_URL", self.queues.dead_letters.clone()),
            ("CATALOG_PATH", concat!(env!("CARGO_MANIFEST_DIR"), "/../catalog").to_owned()),
            ("ENABLE_CRM_PROGRESS", "true".to_owned()),
            ("HUBSPOT_BASE_URL", self.portal_url.clone()),
            ("HUBSPOT_PRIVATE_APP_TOKEN", LOCAL_TOKEN.to_owned()),
            ("HUBSPOT_BURST_LIMIT", "1000".to_owned()),
            ("HUBSPOT_HEADROOM", "0.5".to_owned()),
            ("WORKER_CONCURRENCY", "1".to_owned()),
        ]);
        Emulator::start(function.program().await.unwrap(), &variables).await.unwrap()
    }

    /// A batch as the event source would hand it over.
    async fn batch(&self) -> Value {
        let ingest = self.emulated(Function::Ingest).await;
        let events: Vec<Value> = (0..10).map(started).collect();
        let request = json!({
            "rawPath": "/events/track",
            "requestContext": { "http": { "method": "POST" } },
            "body": json!({ "events": events }).to_string(),
        });
        ingest.invoke(&request).await.unwrap();
        let sqs = sqs::client(&self.ministack.client_settings());
        let receive = sqs.receive_message().queue_url(&self.queues.events);
        let received = receive.max_number_of_messages(10).send().await.unwrap();
        let record = |(nth, message): (usize, &aws_sdk_sqs::types::Message)| {
            json!({
                "messageId": message.message_id(),
                "receiptHandle": message.receipt_handle(),
                "body": message.body(),
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "MessageDeduplicationId": nth.to_string(),
                    "MessageGroupId": nth.to_string(),
                    "SentTimestamp": "1795550400000",
                },
            })
        };
        let records: Vec<Value> = received.messages().iter().enumerate().map(record).collect();
        assert_eq!(records.len(), 10);
        json!({ "Records": records })
    }

    async fn measure(&self, function: Function, what: &str, event: impl Fn(usize) -> Value) {
        let mut cold = Vec::new();
        let mut warm = Vec::new();
        for nth in 0..COLD_STARTS {
            let emulator = self.emulated(function).await;
            cold.push(self.timed(&emulator, &event(nth)).await);
            if nth + 1 == COLD_STARTS {
                for nth in 0..WARM_INVOCATIONS {
                    self.clock.sleep(REST).await;
                    warm.push(self.timed(&emulator, &event(nth)).await);
                }
            }
        }
        let size = std::fs::metadata(function.program().await.unwrap()).unwrap().len();
        println!(
            "| `{}` | {what} | {:.1} | {:.1} | {:.1} | {:.1} |",
            function.name(),
            size as f64 / 1e6,
            at(&mut cold, 0.5),
            at(&mut warm, 0.5),
            at(&mut warm, 0.99),
        );
    }

    /// How long an invocation takes, in milliseconds.
    async fn timed(&self, emulator: &Emulator, event: &Value) -> f64 {
        let begun_at = self.clock.uptime();
        emulator.invoke(event).await.unwrap();
        (self.clock.uptime() - begun_at).as_secs_f64() * 1_000.0
    }
}

/// Somebody starts a module of the repository's own catalog.
fn started(n: usize) -> Value {
    json!({
        "eventName": "learning_module_started",
        "contactIdentifier": { "email": format!("learner.{n}@example.org") },
        "payload": {
            "pathway_slug": "hedgehog-fundamentals",
            "course_slug": "getting-started-101",
            "module_slug": "intro-to-hedgehog",
            "ts": "2026-01-18T17:30:00.000Z",
        },
    })
}

/// The value that this share of all is not above.
fn at(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}
