//! What a deployment's ingest and workers did recently, from their metrics in CloudWatch: for a
//! console that runs elsewhere.
//!
//! In: nine metrics of the last half hour, minute by minute. Out: [`RecentStats`]. CloudWatch has a
//! minute's figures a minute or two late, so counts cover five minutes.
//!
//! **Invariant**: it asks CloudWatch once a minute at most, however often the page is opened, because
//! CloudWatch bills each metric of each answer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::DateTime;
use console::recent_stats::{RecentStats, StatsSource, Trend};
use serde_json::{Value, json};
use shared::journal::Figure;
use shared::ports::Clock;
use signed::{CallFault, Service};
use tokio::sync::Mutex;

use crate::aws::{Aws, Question};

/// The period of the metrics.
const MINUTE: Duration = Duration::from_secs(60);
/// How many minutes are counted, and how many the trend has.
const COUNTED: i64 = 5;
const TREND: i64 = 30;
/// How long an answer is reused.
const FRESH: Duration = MINUTE;
/// The id of the queue's age, beside the ids of the workers' figures.
const AGE: &str = "age";

/// The figures to ask for: the id in question and answer, the figure, the function that writes it,
/// and how CloudWatch reduces a minute's values to one.
const ASKED: [(&str, Figure, &str, &str); 8] = [
    ("accepted", Figure::EventsAccepted, "ingest", "Sum"),
    ("applied", Figure::EventsApplied, "worker", "Sum"),
    ("parked", Figure::Parked, "worker", "Sum"),
    ("quarantined", Figure::Quarantined, "worker", "Sum"),
    ("throttled", Figure::HubSpotThrottled, "worker", "Sum"),
    ("ratio", Figure::CoalescingRatio, "worker", "Average"),
    ("burst", Figure::HubSpotRemaining, "worker", "Minimum"),
    ("day", Figure::DailyRemaining, "worker", "Minimum"),
];

/// The metrics of a stage and its queue.
pub(super) struct Metrics {
    aws: Aws,
    clock: Arc<dyn Clock>,
    stage: String,
    queue: String,
    /// The last answer, and when it came, as uptime.
    kept: Mutex<Option<(Duration, Result<RecentStats, String>)>>,
}

impl Metrics {
    /// The metrics of this stage, and of the queue with this name.
    pub(super) fn new(aws: Aws, clock: Arc<dyn Clock>, stage: String, queue: String) -> Self {
        Self { aws, clock, stage, queue, kept: Mutex::default() }
    }

    async fn ask(&self) -> Result<RecentStats, String> {
        let now_s = self.clock.now().timestamp();
        let begins_s = begin_of_minute(now_s) - (TREND - 1) * MINUTE.as_secs() as i64;
        let question = Question {
            service: Service::CloudWatch,
            path: "/".to_owned(),
            posted: Some((
                "GraniteServiceVersion20100801.GetMetricData",
                json!({
                    "StartTime": begins_s,
                    // Exclusive, and the present minute's figures are wanted too.
                    "EndTime": begin_of_minute(now_s) + MINUTE.as_secs() as i64,
                    "MetricDataQueries": self.queries(),
                }),
            )),
        };
        match self.aws.ask(question).await {
            Ok(answer) => Ok(read(&answer, now_s)),
            Err(CallFault::Forbidden(why)) => {
                Err(format!("{why}; they need cloudwatch:GetMetricData"))
            }
            Err(CallFault::Refused(why) | CallFault::NoAnswer(why)) => Err(why),
        }
    }

    fn queries(&self) -> Vec<Value> {
        let query = |id: &str, metric: Value, stat: &str| {
            json!({
                "Id": id,
                "MetricStat": { "Metric": metric, "Period": MINUTE.as_secs(), "Stat": stat },
            })
        };
        let dimension = |name: &str, value: &str| json!({ "Name": name, "Value": value });
        let of_queue = json!({
            "Namespace": "AWS/SQS",
            "MetricName": "ApproximateAgeOfOldestMessage",
            "Dimensions": [dimension("QueueName", &self.queue)],
        });
        let ours = ASKED.map(|(id, figure, function, stat)| {
            let metric = json!({
                "Namespace": host::metrics::NAMESPACE,
                "MetricName": figure.name(),
                "Dimensions": [dimension("stage", &self.stage), dimension("function", function)],
            });
            query(id, metric, stat)
        });
        ours.into_iter().chain([query(AGE, of_queue, "Maximum")]).collect()
    }
}

#[async_trait]
impl StatsSource for Metrics {
    async fn recent_stats(&self) -> Result<RecentStats, String> {
        // Other callers wait here for the same answer.
        let mut kept = self.kept.lock().await;
        let now = self.clock.uptime();
        if let Some((at, recent)) = &*kept
            && now.saturating_sub(*at) < FRESH
        {
            return recent.clone();
        }
        let recent = self.ask().await;
        *kept = Some((now, recent.clone()));
        recent
    }
}

/// Reads an answer of `GetMetricData` that came at this time, in seconds.
fn read(answer: &Value, now_s: i64) -> RecentStats {
    let minutes = |id: &str| minutes(answer, id);
    let minute_s = MINUTE.as_secs() as i64;
    let counted_from = begin_of_minute(now_s) - COUNTED * minute_s;
    let recent = |id: &str| {
        minutes(id).into_iter().filter(move |(at_s, _)| *at_s >= counted_from).collect::<Vec<_>>()
    };
    let sum = |id: &str| recent(id).iter().map(|(_, value)| value).sum::<f64>() as u64;
    let ratios = recent("ratio");
    let newest = |id: &str| {
        let (at_s, value) = minutes(id).into_iter().max_by_key(|(at_s, _)| *at_s)?;
        Some((value, Duration::from_secs(u64::try_from(now_s - at_s).unwrap_or_default())))
    };
    let left = |id: &str| newest(id).map(|(value, ago)| (value as u64, ago));
    let mut counts = vec![0; TREND as usize];
    for (at_s, applied) in minutes("applied") {
        let minutes_ago = (begin_of_minute(now_s) - begin_of_minute(at_s)) / minute_s;
        let bar =
            usize::try_from(minutes_ago).ok().and_then(|ago| counts.iter_mut().rev().nth(ago));
        if let Some(bar) = bar {
            *bar += applied as u64;
        }
    }
    RecentStats {
        over: MINUTE * COUNTED as u32,
        accepted: sum("accepted"),
        applied: sum("applied"),
        parked: sum("parked"),
        quarantined: sum("quarantined"),
        throttled: sum("throttled"),
        ratio: (!ratios.is_empty())
            .then(|| ratios.iter().map(|(_, ratio)| ratio).sum::<f64>() / ratios.len() as f64),
        oldest: newest(AGE).map(|(age_s, _)| Duration::from_secs_f64(age_s.clamp(0.0, 1e9))),
        trend: Trend { every: MINUTE, counts },
        burst_left: left("burst"),
        day_left: left("day"),
        written: None,
    }
}

/// Each minute that has a value: its begin in seconds, and the value.
fn minutes(answer: &Value, id: &str) -> Vec<(i64, f64)> {
    let results = answer["MetricDataResults"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(result) = results.iter().find(|result| result["Id"] == id) else { return Vec::new() };
    let list = |name: &str| result[name].as_array().map(Vec::as_slice).unwrap_or_default();
    let pairs = list("Timestamps").iter().zip(list("Values"));
    pairs.filter_map(|(at, value)| Some((seconds(at)?, value.as_f64()?))).collect()
}

/// AWS's JSON has numbers for times; its other protocols, and emulators, text.
fn seconds(at: &Value) -> Option<i64> {
    let read = |text: &str| DateTime::parse_from_rfc3339(text).ok();
    at.as_f64().map(|at_s| at_s as i64).or_else(|| Some(read(at.as_str()?)?.timestamp()))
}

fn begin_of_minute(at_s: i64) -> i64 {
    at_s - at_s.rem_euclid(MINUTE.as_secs() as i64)
}
