//! Events that come one after another for a while: from accept to CRM, the calls, and what a day of
//! it would spend.
//!
//! Every event comes alone, as from a page; learners take turns, so that a contact's events are as
//! far apart as there are learners. Times are virtual: HubSpot takes as long as the site says, ingest
//! and queue take none.

use std::time::Duration;

use shared::journal::Figure;
use shared::ports::Clock as _;
use simulation::world::World;

use crate::people::{DAYS, Site, add_people, event, world};
use crate::table::Table;

const WINDOW: Duration = Duration::from_secs(5);
/// Each answer takes so long, to the millisecond, so that what is above can be told.
const ANSWER_MS: u64 = 60;
const DAY_S: f64 = 86_400.0;

/// What came of a while of events.
pub(crate) struct Steady {
    /// Seconds from accept to CRM, sorted.
    waits_s: Vec<f64>,
    calls: u64,
    passes: usize,
    /// How long it was, with the time until the last event was applied.
    took: Duration,
}

impl Steady {
    /// The wait that this share of the events is not above.
    fn wait_s(&self, share: f64) -> f64 {
        self.waits_s[((self.waits_s.len() - 1) as f64 * share).round() as usize]
    }

    fn calls_a_day(&self) -> f64 {
        self.calls as f64 / self.took.as_secs_f64() * DAY_S
    }

    fn row(&self, table: &Table, what: &str) {
        let found = format!("{:.1} / {:.1} s", self.wait_s(0.5), self.wait_s(0.95));
        table.row(&format!("{what}: accept to CRM, p50 / p95"), found, "");
        let contacts = self.waits_s.len() as f64 / self.passes as f64;
        table.row("… events a pass", format!("{contacts:.1}"), "");
        table.row("… calls a day", format!("{:.0}", self.calls_a_day()), "");
    }
}

/// Light load: the window, the two answers, and how much more.
pub(crate) fn light(table: &mut Table) {
    let seconds = if table.is_short { 120 } else { 1_800 };
    let steady = run(&site(100, ANSWER_MS), 1.0, seconds, 200);
    let least_s = WINDOW.as_secs_f64() + 2.0 * ANSWER_MS as f64 / 1_000.0;
    steady.row(table, "one event a second");
    let above_ms = (steady.wait_s(0.95) - least_s) * 1_000.0;
    table.at_most("… p95 above the window and two answers, ms", above_ms, 150.0);
}

/// More and more events a second, on each plan.
pub(crate) fn steady(table: &mut Table) {
    let seconds = if table.is_short { 30 } else { 600 };
    // The first is what a free account's day allows in ten seconds, if every ten seconds spend it.
    for burst_limit in [32, 100, 190] {
        for rate in [1.0, 3.0, 10.0, 30.0, 100.0] {
            let steady = run(&site(burst_limit, 250), rate, seconds, 5_000);
            steady.row(table, &format!("{rate} events/s, {burst_limit} in 10 s"));
        }
    }
}

/// The two loads of docs/scaling.md, each for two minutes. What the share can't carry is not steady
/// by then, unless few learners send it and their events meet on the queue.
pub(crate) fn goals(table: &mut Table) {
    let seconds = if table.is_short { 20 } else { 120 };
    for burst_limit in [100, 190, 250] {
        let hour = run(&site(burst_limit, 250), 100_000.0 / 3_600.0, seconds, 100_000);
        hour.row(table, &format!("100,000 contacts an hour, {burst_limit} in 10 s"));
        for people in [100_000, 10_000] {
            let day = run(&site(burst_limit, 250), 50e6 / DAY_S, seconds, people);
            let what = format!("50 M events a day of {people} contacts, {burst_limit} in 10 s");
            day.row(table, &what);
        }
    }
}

fn site(burst_limit: u32, answer_ms: u64) -> Site {
    let latency_ms = (answer_ms, answer_ms);
    Site { burst_limit, window: WINDOW, latency_ms, ..Site::default() }
}

/// So many events a second for so long, by turns from so many people.
pub(crate) fn run(site: &Site, rate: f64, seconds: u64, people: usize) -> Steady {
    let world = world(site);
    let events = (rate * seconds as f64) as usize;
    add_people(&world, 0..people.min(events));
    let before = world.portal.stats().calls;
    let took = world.run(post(&world, events, rate, people), DAYS);
    let waits = world.journal.figures_from(0).into_iter();
    let mut waits_s: Vec<f64> = waits
        .filter(|(figure, _)| *figure == Figure::TimeToCrm)
        .map(|(_, wait_s)| wait_s)
        .collect();
    waits_s.sort_by(f64::total_cmp);
    assert_eq!(waits_s.len(), events, "every event is applied");
    let passes = world.journal.lines_saying("Pass").len();
    Steady { waits_s, calls: world.portal.stats().calls - before, passes, took }
}

async fn post(world: &World, events: usize, rate: f64, people: usize) {
    let begun_at = world.clock.uptime();
    for nth in 0..events {
        let at = begun_at + Duration::from_secs_f64(nth as f64 / rate);
        world.clock.sleep(at.saturating_sub(world.clock.uptime())).await;
        let answer = world.track(&event(nth % people, nth / people)).await;
        assert!(answer.body.contains("persisted"), "{}", answer.body);
    }
}
