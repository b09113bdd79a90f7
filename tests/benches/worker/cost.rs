//! What a million events cost, in dollars: prices times what was counted.
//!
//! Counted in simulated runs, in which every event comes in a request of its own: requests to SQS as
//! it bills them, invocations, how long the worker waits for HubSpot, bytes of log. Assumed, because
//! nobody bills a simulation: what is in [`ASSUMED`]. Prices are in [`PRICES`]; change them there.

use std::time::Duration;

use host::log::{self, Origin};
use host::metrics;
use shared::journal::{Figure, LogLevel};
use shared::ports::Clock as _;
use simulation::world::World;

use crate::people::{DAYS, Site, add_people, event, world};
use crate::table::Table;

/// List prices of us-east-1 in dollars, as AWS publishes them, without free tiers: 2026-11-25.
struct Prices {
    http_api_request: f64,
    sqs_fifo_request: f64,
    lambda_request: f64,
    lambda_arm_gb_s: f64,
    log_gb: f64,
    trace: f64,
}

const PRICES: Prices = Prices {
    http_api_request: 1.00e-6,
    sqs_fifo_request: 0.50e-6,
    lambda_request: 0.20e-6,
    lambda_arm_gb_s: 13.3334e-6,
    log_gb: 0.50,
    trace: 5.00e-6,
};

/// What no simulation counts.
struct Assumed {
    /// template.yaml's memory of the two functions.
    ingest_gb: f64,
    worker_gb: f64,
    /// An ingest invocation: SQS's answer and ours.
    ingest_s: f64,
    /// What the worker waits for SQS, an invocation.
    worker_sqs_s: f64,
    /// Lambda's own lines of an invocation: START, END, REPORT.
    lambda_log_bytes: f64,
    /// X-Ray's default sampling beyond the first request of a second.
    traced_share: f64,
    /// HubSpot's answer to a batch call.
    answer_ms: u64,
}

const ASSUMED: Assumed = Assumed {
    ingest_gb: 0.25,
    worker_gb: 0.5,
    ingest_s: 0.015,
    worker_sqs_s: 0.04,
    lambda_log_bytes: 420.0,
    traced_share: 0.05,
    answer_ms: 250,
};

/// What the design that Milepost replaces calls HubSpot for each event, inside the request.
const REPLACED_CALLS: (u64, u64) = (3, 5);

/// A learner's events, where they come one a second.
const EACH: usize = 10;
/// The events of a load that comes at once.
const AT_ONCE: usize = 10_000;

/// How events come.
enum Load {
    /// So many a second; each learner sends ten, one a second.
    Steady(usize),
    /// All at once, as after an hour offline: so many of each learner.
    AtOnce(usize),
}

const LOADS: [Load; 6] = [
    Load::Steady(1),
    Load::Steady(10),
    Load::Steady(100),
    Load::AtOnce(1),
    Load::AtOnce(10),
    Load::AtOnce(100),
];

/// Prints the section.
pub(crate) fn cost(table: &mut Table) {
    println!(
        "  {:<34} {:>8} {:>8} {:>6} {:>8} {:>6} {:>7} {:>7} | of SQS's requests: {:>6} {:>9} {:>8} {:>8}",
        "$ per million events",
        "HTTP API",
        "ingest",
        "SQS",
        "worker",
        "logs",
        "traces",
        "sum",
        "send",
        "hand over",
        "top up",
        "settle"
    );
    for load in &LOADS {
        one(table, load);
    }
    let (least, most) = REPLACED_CALLS;
    let replaced = format!("{} to {}", least * 1_000_000, most * 1_000_000);
    table.row("HubSpot calls of a million events, called inside the request", replaced, "");
}

fn one(table: &mut Table, load: &Load) {
    let site = Site {
        window: Duration::from_secs(5),
        latency_ms: (ASSUMED.answer_ms, ASSUMED.answer_ms),
        ..Site::default()
    };
    let world = world(&site);
    let seconds = if table.is_short { 60 } else { 600 };
    let (what, moments) = load.moments(seconds);
    let learners = moments.iter().map(|moment| moment.learner + 1).max().unwrap_or_default();
    add_people(&world, 0..learners);
    let calls_before = world.portal.stats().calls;
    world.run(post(&world, &moments), DAYS);
    let events = moments.len() as f64;
    let million = |count: f64| count / events * 1e6;

    let asked = world.events.asked();
    let dead = world.dead_letters.asked();
    // A poll that finds nothing belongs to no event: an idle queue is asked all the same.
    let requests =
        asked.sends + asked.invocations + asked.receives + asked.settles + dead.requests();
    let invocations = asked.invocations as f64;
    let passes = world.journal.lines_saying("Pass");
    let waited_ms: u64 =
        passes.iter().filter_map(|pass| pass.fields.get("duration_ms")?.as_u64()).sum();
    let worker_s = waited_ms as f64 / 1_000.0 + invocations * ASSUMED.worker_sqs_s;
    let log_bytes = log_bytes(&world) + ASSUMED.lambda_log_bytes * (events + invocations);

    let http_api = million(events * PRICES.http_api_request);
    let ingest = million(
        events
            * (PRICES.lambda_request
                + ASSUMED.ingest_s * ASSUMED.ingest_gb * PRICES.lambda_arm_gb_s),
    );
    let sqs = million(requests as f64 * PRICES.sqs_fifo_request);
    let worker = million(
        invocations * PRICES.lambda_request + worker_s * ASSUMED.worker_gb * PRICES.lambda_arm_gb_s,
    );
    let logs = million(log_bytes / 1e9 * PRICES.log_gb);
    let traces = million((events + invocations) * ASSUMED.traced_share * PRICES.trace);
    let sum = http_api + ingest + sqs + worker + logs + traces;
    let each = |count: u64| count as f64 / events;
    println!(
        "  {:<34} {http_api:>8.2} {ingest:>8.2} {sqs:>6.2} {worker:>8.2} {logs:>6.2} {traces:>7.2} {sum:>7.2} | per event:         {:>6.2} {:>9.2} {:>8.2} {:>8.2}",
        what,
        each(asked.sends),
        each(asked.invocations),
        each(asked.receives),
        each(asked.settles),
    );
    let calls = world.portal.stats().calls - calls_before;
    table.row("  … HubSpot calls of a million events", format!("{:.0}", million(calls as f64)), "");
    table.row("  … bytes of log an event", format!("{:.0}", log_bytes / events), "");
}

/// When an event comes, and whose it is.
struct Moment {
    at: Duration,
    learner: usize,
    nth: usize,
}

impl Load {
    /// What it is called, and its events in the order in which they come.
    fn moments(&self, seconds: usize) -> (String, Vec<Moment>) {
        match *self {
            // Learners send side by side; whoever has sent all makes way for the next.
            Load::Steady(rate) => {
                let moment = |event: usize| Moment {
                    at: Duration::from_secs_f64(event as f64 / rate as f64),
                    learner: event / rate / EACH * rate + event % rate,
                    nth: event / rate % EACH,
                };
                (format!("{rate} a second"), (0..rate * seconds).map(moment).collect())
            }
            Load::AtOnce(each) => {
                let learners = AT_ONCE / each;
                let moment = |event: usize| Moment {
                    at: Duration::ZERO,
                    learner: event % learners,
                    nth: event / learners,
                };
                (
                    format!("{AT_ONCE} at once, {each} of each contact"),
                    (0..AT_ONCE).map(moment).collect(),
                )
            }
        }
    }
}

async fn post(world: &World, moments: &[Moment]) {
    let begun_at = world.clock.uptime();
    for Moment { at, learner, nth } in moments {
        let at = begun_at + *at;
        world.clock.sleep(at.saturating_sub(world.clock.uptime())).await;
        let answer = world.track(&event(*learner, *nth)).await;
        assert!(answer.body.contains("persisted"), "{}", answer.body);
    }
}

/// What the lines and the figures of a run are in CloudWatch.
fn log_bytes(world: &World) -> f64 {
    let origin = Origin { stage: "prod".into(), function: "worker" };
    let now = world.clock.now();
    let lines = world.journal.lines();
    let lines = lines.iter().filter(|line| line.level <= LogLevel::Info);
    let of_lines: usize = lines.map(|line| log::text(line, &origin, now).len() + 1).sum();
    // Each request and each pass gives a document of its own, which ends so.
    let figures = world.journal.figures_from(0);
    let is_last = |(figure, _): &(Figure, f64)| {
        matches!(figure, Figure::DailyRemaining | Figure::EventsAccepted)
    };
    let documents = figures.split_inclusive(is_last);
    let documents = documents.flat_map(|figures| metrics::documents(figures, &origin, now));
    let of_figures: usize = documents.map(|document| document.len() + 1).sum();
    (of_lines + of_figures) as f64
}
