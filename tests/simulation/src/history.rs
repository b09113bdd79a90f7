//! One history: a seed of a family, lived through and judged.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use shared::ports::Clock as _;
use shared::settings::Backend;
use simulator::settings::RequiredRule;

use crate::audit::Audit;
use crate::drive::Task;
use crate::family::Family;
use crate::fate::Strikes;
use crate::marketer::meddle;
use crate::people::People;
use crate::site::{self, catalog, grown_catalog};
use crate::storm::{Spell, rage};
use crate::world::{World, WorldSettings};

/// Two hands, so that there can be a wrong one.
const WORKERS: u32 = 2;

/// What is asked of a run beside its family and seed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// A process is killed at this point.
    pub kill_at: Option<u64>,
    /// Whether the trace is kept.
    pub keeps_trace: bool,
    /// A smaller history, for runs that are repeated once for each point; no process is killed at any
    /// other.
    pub is_small: bool,
}

/// What came of a history.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The hash of all its steps.
    pub hash: u64,
    /// Events that were accepted.
    pub events: u64,
    /// Calls to HubSpot.
    pub calls: u64,
    /// Virtual time.
    pub time: Duration,
    /// Virtual time from the end of the storm to rest.
    pub rest: Duration,
    /// Points that processes passed.
    pub points: u64,
    /// How often each fault struck.
    pub fired: BTreeMap<&'static str, u64>,
    /// What is wrong.
    pub violations: Vec<String>,
    /// The trace, if it is kept.
    pub trace: Vec<String>,
}

/// Lives through a history.
pub fn run(family: &Family, seed: u64, options: Options) -> Outcome {
    let settings = WorldSettings {
        catalog: catalog(),
        backend: family.backend,
        burst_limit: family.burst_limit,
        room: family.room,
        workers: WORKERS,
        kill_at: options.kill_at,
        keeps_trace: options.keeps_trace,
        ..WorldSettings::of_seed(seed)
    };
    let heeds_trace_ids = !seed.is_multiple_of(4);
    let world = World::new(&WorldSettings { heeds_trace_ids, ..settings });
    let lived = catch_unwind(AssertUnwindSafe(|| live(&world, family, options)));
    world.events.watch(None);
    let mut outcome = lived.unwrap_or_else(|_panic| Outcome {
        violations: vec!["a panic".into()],
        ..Outcome::default()
    });
    outcome.hash = world.trace.hash();
    outcome.trace = world.trace.lines();
    outcome.points = world.fates.points();
    outcome.fired = world.fired.counts();
    outcome.calls = world.portal.stats().calls;
    outcome
}

fn live(world: &World, family: &Family, options: Options) -> Outcome {
    set_up(world);
    let counts_events = family.backend == Backend::Events;
    let people = Arc::new(People::default());
    site::gather(world, &people, &family.crowd);
    let dies_once = !family.storm.queue.is_any() && !family.storm.strikes.is_any();
    let grows = family.storm.spells.contains(&Spell::CatalogGrows);
    let catalogs = [catalog(), grown_catalog()];
    let catalogs = &catalogs[..1 + usize::from(grows)];
    let audit = Audit::of(world, people.clone(), catalogs, counts_events, dies_once);
    let audit = Arc::new(audit);
    world.events.watch(Some(audit.clone()));

    let begun_at = world.clock.uptime();
    let until = begun_at + family.storm.lasts;
    let mut storm = family.storm.clone();
    let mut events = family.events.0 + world.below(family.events.1 + 1);
    if options.is_small {
        events = (events / 4).max(4);
        storm.strikes = Strikes::default();
    }
    let scripts: Vec<Task<'_>> = vec![
        Box::pin(site::post(world, &people, &family.crowd, events, family.pause_max, until)),
        Box::pin(rage(world, &storm)),
        Box::pin(async {
            if !family.deeds.is_empty() {
                meddle(world, &people, family.deeds, until).await;
            }
        }),
    ];
    let lived = world.try_run(scripts, family.storm.lasts + family.rest_max);
    let mut violations = audit.verdict(world);
    if let Err(stuck) = &lived {
        violations.push(stuck.to_string());
    }
    let peak = world.wire.peak_in_ten_seconds();
    // A tenth is others', and each worker has a whole number of calls.
    let share = family.burst_limit * 9 / 10 / WORKERS;
    if peak > (share * WORKERS) as usize {
        violations.push(format!("{peak} calls in ten seconds"));
    }
    let time = world.clock.uptime() - begun_at;
    let people = people.lock();
    let accepted = people.persons.iter().flat_map(|person| person.accepted.values());
    Outcome {
        events: accepted.map(|(_, times)| u64::from(*times)).sum(),
        time,
        rest: time.saturating_sub(family.storm.lasts),
        violations,
        ..Outcome::default()
    }
}

/// Where portals differ, or where nobody knows, the seed decides.
fn set_up(world: &World) {
    let coin = || world.below(2) == 0;
    let (keeps, late) = (coin(), coin());
    world.portal.define_milepost_events();
    world.portal.set(|settings| {
        settings.merge_keeps_primary_id = keeps;
        settings.retry_after_on_429 = late;
        settings.conflict_with_identity_profile = late;
        let rule =
            json!({ "property": "company", "when": { "property": "city", "values": ["Nowhere"] } });
        settings.required = serde_json::from_value::<RequiredRule>(rule).into_iter().collect();
    });
}
