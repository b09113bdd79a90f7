//! How long a backlog takes, beside what HubSpot's quota takes for the same calls.
//!
//! The quota's own time is that of the limit which the settings leave to the workers, `limit × (1 −
//! headroom)` in ten seconds. The headroom is left to other integrations, and no worker's to spend;
//! the ratio to the whole limit stands beside it.

use crate::people::{Site, add_people, drain, world};
use crate::table::Table;

const HEADROOM: f64 = 0.1;
/// From here on the beginning and the end of a backlog weigh little.
const MANY: usize = 10_000;
const RATIO_MAX: f64 = 1.1;
/// HubSpot on a slow day.
const SLOW_MS: (u64, u64) = (300, 700);

/// Prints the section.
pub(crate) fn backlog(table: &mut Table) {
    let sizes: &[usize] = if table.is_short { &[1_000, 10_000] } else { &[1_000, 10_000, 100_000] };
    for people in sizes.iter().copied() {
        for burst_limit in [100, 190, 250] {
            for workers in [1, 2] {
                one(table, people, &Site { workers, burst_limit, ..Site::default() });
            }
        }
    }
    let slow = Site { burst_limit: 190, latency_ms: SLOW_MS, ..Site::default() };
    one(table, MANY, &slow);
}

fn one(table: &mut Table, people: usize, site: &Site) {
    let Site { workers, burst_limit, latency_ms, .. } = *site;
    let world = world(site);
    add_people(&world, 0..people);
    let (calls, took) = drain(&world, people, 1);
    let took_s = took.as_secs_f64();
    let whole_s = calls as f64 * 10.0 / f64::from(burst_limit);
    let quota_s = whole_s / (1.0 - HEADROOM);
    let what = format!(
        "{people} contacts, {burst_limit} in 10 s, {workers} worker(s), answers in {}–{} ms",
        latency_ms.0, latency_ms.1
    );
    table.row(&what, format!("{took_s:.1} s of {quota_s:.1}"), &format!("{calls} calls"));
    if people >= MANY {
        table.at_most("… ratio", took_s / quota_s, RATIO_MAX);
    } else {
        table.row("… ratio", format!("{:.2}", took_s / quota_s), "");
    }
    table.row("… ratio to the whole limit", format!("{:.2}", took_s / whole_s), "");
    let peak = world.portal.peak_in_ten_seconds() as f64;
    table.at_most("… most calls in any ten seconds", peak, f64::from(burst_limit));
    table.at_most("… 429 answers", world.portal.stats().throttled as f64, 0.0);
}
