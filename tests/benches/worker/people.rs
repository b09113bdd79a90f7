//! The world that the sections measure in: learners, their events, and a backlog of them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use shared::catalog::{Catalog, CatalogFile, CatalogKind};
use shared::ports::Clock as _;
use simulation::world::{World, WorldSettings};

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
pub(crate) const DAYS: Duration = Duration::from_secs(3 * 24 * 3_600);

/// What differs between the worlds that are measured.
pub(crate) struct Site {
    pub(crate) workers: u32,
    pub(crate) burst_limit: u32,
    pub(crate) window: Duration,
    pub(crate) latency_ms: (u64, u64),
    pub(crate) heeds_trace_ids: bool,
}

impl Default for Site {
    /// Two workers on a free account whose answers are quick.
    fn default() -> Self {
        Self {
            workers: 2,
            burst_limit: 100,
            window: Duration::ZERO,
            latency_ms: (35, 90),
            heeds_trace_ids: true,
        }
    }
}

pub(crate) fn world(site: &Site) -> World {
    let file = CatalogFile {
        path: "c".into(),
        kind: CatalogKind::Course,
        text: json!({ "slug": "c", "modules": ["m-0"] }).to_string(),
    };
    World::new(&WorldSettings {
        workers: site.workers,
        burst_limit: site.burst_limit,
        window: site.window,
        latency_ms: site.latency_ms,
        catalog: Catalog::read(&[file]).0,
        heeds_trace_ids: site.heeds_trace_ids,
        ..WorldSettings::of_seed(1)
    })
}

pub(crate) fn add_people(world: &World, people: std::ops::Range<usize>) {
    for n in people {
        let properties = BTreeMap::from([("email".to_owned(), address(n))]);
        world.portal.add_contact(world.clock.now(), &properties).unwrap();
    }
}

pub(crate) fn address(n: usize) -> String {
    format!("learner.{n}@example.org")
}

/// The nth event of a learner.
pub(crate) fn event(n: usize, nth: usize) -> Value {
    json!({
        "eventName": "learning_module_completed",
        "contactIdentifier": { "email": address(n) },
        "payload": { "module_slug": format!("m-{nth}"), "course_slug": "c",
            "ts": "2026-09-20T10:00:00Z" },
    })
}

/// Puts so many events of so many people on the queue.
pub(crate) async fn fill(world: &World, people: usize, each: usize) {
    let events: Vec<Value> =
        (0..each).flat_map(|nth| (0..people).map(move |n| event(n, nth))).collect();
    for batch in events.chunks(50) {
        let answer = world.track(&json!({ "events": batch })).await;
        assert!(answer.body.contains("persisted"), "{}", answer.body);
    }
}

/// Works off a backlog that is there before the workers begin; gives calls and virtual time.
pub(crate) fn drain(world: &World, people: usize, each: usize) -> (u64, Duration) {
    let before = world.portal.stats().calls;
    let filling = Box::pin(fill(world, people, each));
    simulation::drive::drive(&world.clock, vec![filling], HOUR).unwrap();
    let took = world.run(async {}, DAYS);
    (world.portal.stats().calls - before, took)
}
