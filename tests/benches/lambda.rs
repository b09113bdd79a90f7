//! The functions as they are deployed, under a Lambda Runtime API: what a start costs and what an
//! invocation costs, beside the smallest function that makes one signed HTTPS call (`smallest`).
//!
//! Runtime API, SQS and HubSpot answer at once and from this process, without TLS. So the figures are
//! those of our code: no network, no container to start. All are ratios and differences of what was
//! measured in turns.
//!
//! `cargo bench -p tests --bench lambda`, or with `-- starts`, `-- warm`; `-- --short` takes fewer
//! samples and fails on a ratio that is worse than its bound.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and one that can't go on panics"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use host::clock::SystemClock;
use serde_json::{Value, json};
use shared::ports::Clock;
use simulator::{LOCAL_TOKEN, Portal};
use simulator_server::http_door;
use tests::binaries::{self, SMALLEST};
use tests::emulator::Variables;
use tests::runtime_api::{RunningFunction, Start};
use tests::sqs_stub::SqsStub;
use tokio::net::TcpListener;

const INGEST: &str = "ingest";
const WORKER: &str = "worker";
const READER: &str = "reader";

/// Of the functions that call HubSpot.
const PACED_INVOCATIONS: usize = 400;
/// Between invocations that call HubSpot, so that the pace that a function keeps makes none wait.
const REST: Duration = Duration::from_millis(25);
/// Too little for a further pass: the worker takes no more than it is given.
const TIMEOUT_S: &str = "100";

/// How much is sampled.
struct Samples {
    starts: usize,
    invocations: usize,
}

const FULL: Samples = Samples { starts: 60, invocations: 4_000 };
const SHORT: Samples = Samples { starts: 20, invocations: 1_000 };

/// The most that ingest may be, times the smallest function. What is measured is in
/// docs/performance.md; the rest is what a busy machine may add.
const SIZE_MAX: f64 = 2.0;
const START_CPU_MAX: f64 = 2.0;
/// An invocation with a queue without the queue's own time, times one without a queue.
const WARM_MAX: f64 = 9.0;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let samples = if has("--short") { SHORT } else { FULL };
    let is_all = !has("starts") && !has("warm");
    let mut packages: Vec<&str> = vec![SMALLEST, INGEST];
    if !has("--short") {
        packages.extend([WORKER, READER]);
    }
    // Each by itself, as it is deployed: built together, each would have what another needs.
    let built = packages.into_iter().map(|package| binaries::build(&[package]).unwrap());
    let programs = built.flatten().collect();
    let bench = Bench::start(samples, programs).await;
    let mut is_good = true;
    if is_all || has("starts") {
        is_good &= bench.starts().await;
    }
    if is_all || has("warm") {
        is_good &= bench.warm().await;
        if !has("--short") {
            bench.paced().await;
        }
    }
    if is_good || !has("--short") { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the functions stand between.
struct Bench {
    programs: BTreeMap<String, PathBuf>,
    samples: Samples,
    clock: Arc<dyn Clock>,
    sqs: SqsStub,
    variables: Variables,
}

impl Bench {
    async fn start(samples: Samples, programs: BTreeMap<String, PathBuf>) -> Self {
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
        let sqs = SqsStub::start(clock.clone()).await.unwrap();
        let variables = BTreeMap::from([
            ("AWS_LAMBDA_FUNCTION_TIMEOUT", TIMEOUT_S.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_ENDPOINT_URL_SQS", sqs.endpoint()),
            ("QUEUE_URL", format!("{}/000000000000/events.fifo", sqs.endpoint())),
            ("DLQ_URL", format!("{}/000000000000/dead.fifo", sqs.endpoint())),
            ("CATALOG_PATH", concat!(env!("CARGO_MANIFEST_DIR"), "/../catalog").to_owned()),
            ("ENABLE_CRM_PROGRESS", "true".to_owned()),
            ("HUBSPOT_BASE_URL", portal_url),
            ("HUBSPOT_PRIVATE_APP_TOKEN", LOCAL_TOKEN.to_owned()),
            ("HUBSPOT_BURST_LIMIT", "1000".to_owned()),
            ("HUBSPOT_HEADROOM", "0.5".to_owned()),
            ("WORKER_CONCURRENCY", "1".to_owned()),
        ]);
        Self { programs, samples, clock, sqs, variables }
    }

    async fn run(&self, name: &str) -> RunningFunction {
        RunningFunction::start(&self.programs[name], &self.variables, self.clock.clone())
            .await
            .unwrap()
    }

    /// Size, and what it costs from the start of the process to its first request for work; whether
    /// ingest keeps its bounds.
    async fn starts(&self) -> bool {
        let names = [SMALLEST, INGEST, WORKER, READER];
        let names: Vec<&str> =
            names.into_iter().filter(|name| self.programs.contains_key(*name)).collect();
        let mut starts: BTreeMap<&str, Vec<Start>> = BTreeMap::new();
        for _ in 0..self.samples.starts {
            for name in &names {
                starts.entry(name).or_default().push(self.run(name).await.start);
            }
        }
        println!(
            "| function | size, MB | × | start p50, ms | × | processor, ms | × | memory, MB | × |"
        );
        println!("|---|---|---|---|---|---|---|---|---|");
        let median = |name: &str, of: fn(&Start) -> f64| {
            at(&mut starts[name].iter().map(of).collect::<Vec<_>>(), 0.5)
        };
        let mut is_good = true;
        let mut smallest = None;
        for name in names {
            let size = std::fs::metadata(&self.programs[name]).unwrap().len();
            let found = [
                size as f64 / 1e6,
                median(name, |start| ms(start.time)),
                median(name, |start| ms(start.cpu)),
                median(name, |start| start.memory as f64 / 1e6),
            ];
            let least = *smallest.get_or_insert(found);
            let times = |nth: usize| found[nth] / least[nth];
            let cells: Vec<String> = (0..found.len())
                .map(|nth| format!("{:.2} | {:.2}", found[nth], times(nth)))
                .collect();
            println!("| `{name}` | {} |", cells.join(" | "));
            if name == INGEST {
                is_good &= holds("ingest's size, times the smallest", times(0), SIZE_MAX);
                is_good &= holds("processor to its first poll", times(2), START_CPU_MAX);
            }
        }
        is_good
    }

    /// Ingest with and without a queue, in turns and in one process; whether it keeps its bound.
    async fn warm(&self) -> bool {
        let mut ingest = self.run(INGEST).await;
        let mut smallest = self.run(SMALLEST).await;
        let [mut queued, mut unqueued, mut compared] = <[Warm; 3]>::default();
        for nth in 0..self.samples.invocations {
            let event = track(&started(nth));
            queued.invoke(&mut ingest, event.clone(), "persisted", Some(&self.sqs)).await;
            // The same event about nobody is answered without a queue.
            let mut nobodys = started(nth);
            nobodys.as_object_mut().unwrap().remove("contactIdentifier");
            unqueued.invoke(&mut ingest, track(&nobodys), "anonymous", None).await;
            compared.invoke(&mut smallest, event, "200", Some(&self.sqs)).await;
        }
        println!();
        println!("| one event, without the queue's own time | p50, ms | p99, ms | processor, ms |");
        println!("|---|---|---|---|");
        let queued = queued.row("`ingest`, answered `persisted`");
        let unqueued = unqueued.row("`ingest`, answered without a queue");
        compared.row("`smallest`, the same call");
        println!("memory of ingest after all: {:.1} MB", ingest.memory().unwrap() as f64 / 1e6);
        holds("with a queue, times without", queued / unqueued, WARM_MAX)
    }

    /// The functions that call HubSpot, with the time that the simulator takes.
    async fn paced(&self) {
        println!();
        println!("| function | invocation | p50, ms | p99, ms |");
        println!("|---|---|---|---|");
        let asked = json!({
            "rawPath": "/progress/read",
            "rawQueryString": "email=learner.0%40example.org",
            "requestContext": { "http": { "method": "GET" } },
        });
        self.measure(WORKER, "10 events of 10 contacts", &batch()).await;
        self.measure(READER, "`/progress/read`", &asked).await;
    }

    async fn measure(&self, name: &str, what: &str, event: &Value) {
        let mut function = self.run(name).await;
        let mut times = Vec::new();
        for _ in 0..PACED_INVOCATIONS {
            self.clock.sleep(REST).await;
            times.push(ms(function.invoke(event.to_string()).await.unwrap().1));
        }
        let (p50, p99) = (at(&mut times, 0.5), at(&mut times, 0.99));
        println!("| `{name}` | {what} | {p50:.2} | {p99:.2} |");
    }
}

/// What invocations of one kind took: the time, and of a processor, each in milliseconds.
#[derive(Default)]
struct Warm {
    times: Vec<f64>,
    processor: Vec<f64>,
}

impl Warm {
    /// Invokes once more. What the queue took is left out.
    async fn invoke(
        &mut self,
        function: &mut RunningFunction,
        event: String,
        word: &str,
        queue: Option<&SqsStub>,
    ) {
        let spent = function.cpu().unwrap();
        let (answer, time) = function.invoke(event).await.unwrap();
        self.processor.push(ms(function.cpu().unwrap() - spent));
        expect(&answer, word);
        self.times.push(ms(time.saturating_sub(queue.map(SqsStub::take_time).unwrap_or_default())));
    }

    /// Prints its row; the median of the times.
    fn row(mut self, name: &str) -> f64 {
        let [p50, p99] = [0.5, 0.99].map(|share| at(&mut self.times, share));
        println!("| {name} | {p50:.3} | {p99:.3} | {:.3} |", at(&mut self.processor, 0.5));
        p50
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

/// An HTTP API's event with this body.
fn track(body: &Value) -> String {
    let event = json!({
        "version": "2.0",
        "rawPath": "/events/track",
        "headers": { "content-type": "application/json", "origin": "https://hedgehog.cloud" },
        "requestContext": { "requestId": "bench", "http": { "method": "POST" } },
        "body": body.to_string(),
        "isBase64Encoded": false,
    });
    event.to_string()
}

/// Ten messages as the event source hands them over.
fn batch() -> Value {
    let record = |nth: usize| {
        let envelope = json!({
            "v": 1,
            "kind": "event",
            "id": format!("event-{nth}"),
            "correlationId": "bench",
            "acceptedAt": "2026-01-18T17:30:01.000Z",
            "contact": { "email": format!("learner.{nth}@example.org") },
            "event": {
                "name": "learning_module_started",
                "at": "2026-01-18T17:30:00.000Z",
                "pathway": "hedgehog-fundamentals",
                "course": "getting-started-101",
                "module": "intro-to-hedgehog",
            },
        });
        json!({
            "messageId": nth.to_string(),
            "receiptHandle": nth.to_string(),
            "body": envelope.to_string(),
            "attributes": {
                "ApproximateReceiveCount": "1",
                "MessageDeduplicationId": nth.to_string(),
                "MessageGroupId": nth.to_string(),
                "SentTimestamp": "1795550400000",
            },
        })
    };
    json!({ "Records": (0..10).map(record).collect::<Vec<Value>>() })
}

fn expect(answer: &[u8], word: &str) {
    let answer = String::from_utf8_lossy(answer);
    assert!(answer.contains(word), "the answer says no {word}: {answer}");
}

/// Says whether a ratio keeps its bound.
fn holds(what: &str, ratio: f64, most: f64) -> bool {
    let is_good = ratio <= most;
    println!("{what}: {ratio:.2} (bound {most}{})", if is_good { "" } else { ", BROKEN" });
    is_good
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// The value that this share of all is not above.
fn at(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}
