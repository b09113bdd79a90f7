//! A campaign on a small plan: over 10,000 events wait for a quarter of an hour, `quota` says for how
//! long at least, and they go by themselves, at no time with more calls than are ours.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::ledger::{Count, crowd};
use crate::shell::{report, set};
use crate::site::Site;

/// A portal with a small plan, most of which is others': one call in ten seconds is the worker's, and
/// so a hundred contacts in twenty. A command has as much.
const SMALL_PLAN: [(&str, &str); 2] = [("HUBSPOT_BURST_LIMIT", "10"), ("HUBSPOT_HEADROOM", "0.85")];
const OURS: usize = 2;
/// A campaign: more than the alarm's 10,000 wait even after a quarter of an hour.
const EVENTS: u32 = 15_500;
const PEOPLE: u32 = 15_000;

#[tokio::test]
async fn a_deep_queue_is_forecast_and_drains_within_the_limit_with_nobody_doing_anything() {
    let mut site = Site::with(90, &SMALL_PLAN).await;
    // From one call to the next.
    site.step = Duration::from_secs(10);
    site.track(crowd(0, EVENTS, PEOPLE)).await;
    site.minutes(15).await;

    assert!(site.alarms_on().is_superset(&set(&["queue-deep"])), "{:?}", site.alarms_on());
    let quota = report(site.shell.handbook("quota"), 0).await;
    let backlog = &quota["backlog"];
    let waiting = backlog["events"].as_u64().unwrap();
    assert!(waiting > 10_000 && waiting < u64::from(EVENTS), "{quota}");
    assert_eq!(quota["burst"]["share"], 1);
    // Full passes: two calls, ten seconds each, for a hundred contacts.
    let least_s = backlog["secondsAtLeast"].as_u64().unwrap();
    assert_eq!(least_s, waiting.div_ceil(100) * 20);
    site.console_shows(&["events are on their way.", "<dt>Waiting</dt><dd>1"]).await;

    site.minutes(usize::try_from(least_s / 60).unwrap() + 2).await;
    site.come_to_rest().await;
    assert_eq!(site.count().await, Count::all_applied(EVENTS as usize));
    assert!(!site.alarms_on().contains("queue-deep"));
    let calls = site.stack.portal().unwrap().calls_since(0);
    let at: Vec<DateTime<Utc>> = calls.iter().map(|call| call.at).collect();
    let window = TimeDelta::from_std(Duration::from_secs(10)).unwrap();
    let most = at
        .iter()
        .enumerate()
        .map(|(nth, from)| at[nth..].iter().take_while(|at| **at < *from + window).count());
    let most = most.max().unwrap();
    assert!(most <= OURS, "{most} calls in ten seconds");
    assert!(calls.iter().all(|call| call.status != Some(429)));
}
