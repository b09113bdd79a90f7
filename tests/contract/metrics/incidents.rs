//! Which alarms go off in which incident, and that a calm day is silent.
//!
//! Recorded: ingest and worker run on virtual time against the simulated HubSpot, and their figures
//! and their queue are read off each minute. What only AWS can measure (latency, errors and
//! throttles of functions, a queue of 10,000) is written by hand, at the size that it would have.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use shared::journal::Figure;
use shared::ports::Clock;
use simulator::LOCAL_TOKEN;
use simulator::faults::{FaultKind, FaultRule};
use tests::metrics::Metric;
use tests::metrics::alarm::{Alarm, gone_off};
use tests::metrics::recording::Recording;
use tests::metrics::watch::{Watch, ours, visible_in};
use tests::path::Path;

use crate::doors::{Doors, QueueMood};
use crate::worker::{path, started};

/// Of two hours, three quarters of one are the incident.
const BEGINS: usize = 30;
const ENDS: usize = 75;
const MINUTES: usize = 120;

/// The site with its two functions, minute by minute.
struct Site {
    path: Path,
    watch: Watch,
}

impl Site {
    fn open() -> Self {
        Self { path: path(), watch: Watch::default() }
    }

    /// Lets minutes go by until this one, in each of which come the usual events and these.
    async fn until(&mut self, minute: usize, more: impl Fn(usize) -> Vec<Value>) {
        while self.watch.minute < minute {
            let mut events = usual(self.watch.minute);
            events.extend(more(self.watch.minute));
            self.pass(&events).await;
        }
    }

    async fn pass(&mut self, events: &[Value]) {
        self.path.track_all(events).await;
        self.path.go_on_for(Duration::from_secs(60)).await;
        for milliseconds in [9.0, 11.0, 14.0, 38.0] {
            self.watch.note(&latency(), milliseconds);
        }
        for function in ["IngestFunction", "WorkerFunction", "ReaderFunction"] {
            self.watch.note(&of_function(function, "Errors"), 0.0);
            self.watch.note(&of_function(function, "Throttles"), 0.0);
        }
        let Path { journal, queues, clock, .. } = &self.path;
        self.watch.minute_passed(journal, queues, clock).await;
    }
}

/// What comes in a minute of a calm day: three modules, of forty people.
fn usual(minute: usize) -> Vec<Value> {
    let event = |nth: usize| {
        let email = format!("learner.{}@example.org", (minute * 3 + nth) % 40);
        started(&email, &format!("module-{minute}"))
    };
    (0..3).map(event).collect()
}

fn nothing_more(_minute: usize) -> Vec<Value> {
    Vec::new()
}

fn of_function(function: &str, name: &str) -> Metric {
    Metric::new("AWS/Lambda", name, &[("FunctionName", function)])
}

fn latency() -> Metric {
    let route = [("ApiId", "HttpApi"), ("Stage", "$default"), ("Method", "POST")];
    let route = [&route[..], &[("Resource", "/events/track")]].concat();
    Metric::new("AWS/ApiGateway", "Latency", &route)
}

async fn calm() -> Recording {
    let mut site = Site::open();
    site.until(MINUTES, nothing_more).await;
    site.watch.recording
}

/// A day on which this happens to HubSpot, and is mended.
async fn with_hubspot<T>(breaks: impl Fn(&Path) -> T, mended: impl Fn(&Path)) -> Recording {
    let mut site = Site::open();
    site.until(BEGINS, nothing_more).await;
    breaks(&site.path);
    site.until(ENDS, nothing_more).await;
    mended(&site.path);
    site.until(MINUTES, nothing_more).await;
    site.watch.recording
}

/// A day on which more comes than usual.
async fn with_events(more: impl Fn(usize) -> Vec<Value>) -> Recording {
    let mut site = Site::open();
    site.until(BEGINS, nothing_more).await;
    site.until(ENDS, more).await;
    site.until(MINUTES, nothing_more).await;
    site.watch.recording
}

/// How many events stood in the log when the queue was away for a moment.
async fn fallen_back() -> f64 {
    let doors = Doors::with(&[]);
    doors.queue.becomes(QueueMood::Away);
    doors.track(started("ada@example.org", "m").to_string()).await;
    doors.journal.sum(Figure::EventsFallback)
}

#[tokio::test]
async fn each_alarm_goes_off_in_its_incident_and_none_on_a_calm_day() {
    let quiet = calm().await;
    assert_eq!(gone_off(&quiet), Default::default(), "a calm day");

    let mut seen = BTreeSet::new();
    let mut check = |what: &str, recording: &Recording, expected: &[&str], lasts: &[&str]| {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let found = gone_off(recording);
        assert_eq!(found, (set(expected), set(lasts)), "{what}");
        seen.extend(found.0);
    };

    let away = |path: &Path| path.portal.set_fault(FaultRule::every(FaultKind::Away));
    let back = |path: &Path| path.portal.clear_faults();
    let outage = with_hubspot(away, back).await;
    check("HubSpot is away", &outage, &["event-old", "nothing-applied"], &[]);

    let revoked = |path: &Path| path.portal.revoke(LOCAL_TOKEN);
    let granted = |path: &Path| path.portal.grant(LOCAL_TOKEN, &[]);
    let refused = with_hubspot(revoked, granted).await;
    let refusal = ["event-old", "nothing-applied", "work-parked"];
    check("the token is revoked", &refused, &refusal, &[]);

    let deleted =
        |path: &Path| path.portal.archive_property(path.clock.now(), "hhl_total_progress");
    let made = |path: &Path| path.portal.define_milepost_properties();
    check("a property is deleted", &with_hubspot(deleted, made).await, &refusal, &[]);

    let nearly_spent = |path: &Path| path.portal.set(|portal| portal.daily_max = 24_000);
    let renewed = |path: &Path| path.portal.set(|portal| portal.daily_max = 250_000);
    let low = with_hubspot(nearly_spent, renewed).await;
    check("the day is nearly spent", &low, &["quota-low"], &[]);

    let ghost = |minute: usize| match minute {
        BEGINS => {
            let mut event = started("", "m");
            event["contactIdentifier"] = json!({ "contactId": "990712345678" });
            vec![event]
        }
        _ => Vec::new(),
    };
    let dead = with_events(ghost).await;
    // Until somebody replays or purges it.
    check("an event of nobody", &dead, &["dead-letters"], &["dead-letters"]);

    let invented = |minute: usize| {
        let event = |nth: usize| started(&format!("x{minute}.{nth}@example.org"), "m");
        (0..7).map(event).collect()
    };
    check("invented addresses", &with_events(invented).await, &["contacts-created"], &[]);

    let by_hand = |metric: Metric, minutes: std::ops::Range<usize>, values: &[f64]| {
        let mut recording = quiet.clone();
        recording.fill(&metric, minutes, values);
        recording
    };
    let fallback =
        by_hand(ours(Figure::EventsFallback, "ingest"), BEGINS..BEGINS + 1, &[fallen_back().await]);
    check("the queue takes nothing", &fallback, &["events-in-fallback"], &[]);

    let visible = visible_in("EventsQueue");
    let deep = by_hand(visible.clone(), BEGINS..BEGINS + 20, &[10_001.0]);
    check("a campaign of 100,000", &deep, &["queue-deep"], &[]);
    let short = by_hand(visible, BEGINS..BEGINS + 12, &[40_000.0]);
    check("a campaign that is over in 12 minutes", &short, &[], &[]);

    let errors = of_function("WorkerFunction", "Errors");
    let broken = by_hand(errors.clone(), BEGINS..BEGINS + 3, &[6.0]);
    check("a worker that does not start", &broken, &["worker-errors"], &[]);
    check("five errors", &by_hand(errors, BEGINS..BEGINS + 3, &[5.0]), &[], &[]);

    let slow = by_hand(latency(), BEGINS..BEGINS + 5, &[400.0, 900.0, 1_500.0, 2_000.0]);
    check("SQS is slow", &slow, &["ingest-slow", "ingest-slow-p95"], &[]);
    let mut cold = vec![12.0; 18];
    cold.extend([800.0, 900.0]);
    let cold = by_hand(latency(), BEGINS..BEGINS + 5, &cold);
    check("cold starts", &cold, &["ingest-slow-p95"], &[]);

    for function in ["IngestFunction", "WorkerFunction"] {
        let throttled = by_hand(of_function(function, "Throttles"), BEGINS..BEGINS + 1, &[1.0]);
        check("the account's concurrency is spent", &throttled, &["functions-throttled"], &[]);
    }
    let looping = by_hand(of_function("ReaderFunction", "Throttles"), BEGINS..ENDS, &[4.0]);
    check("a page that asks in a loop", &looping, &["reader-busy"], &[]);

    let all: BTreeSet<String> = Alarm::all().into_iter().map(|alarm| alarm.section).collect();
    assert_eq!(seen, all, "an alarm without an incident");
}
