//! How much memory a worker needs for a pass: the most bytes that were allocated at once while a
//! thousand messages were worked off, and while a backlog of slow answers kept several passes busy.
//!
//! The simulated HubSpot and queue run in the same process, and what they allocate meanwhile is
//! counted too: the figures are upper bounds. One that is missed ends the run with an error.
//!
//! `cargo bench -p tests --bench memory`, in any profile.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    reason = "a benchmark prints, one that can't go on panics, and it needs a part of `people`"
)]

#[path = "worker/people.rs"]
mod people;

use std::collections::BTreeMap;
use std::process::ExitCode;

use shared::event::{CoursePlace, Event, ModulePlace};
use shared::facts::{Facts, Happening};
use shared::milestones::milestones;
use shared::ports::Clock as _;
use shared::properties::PROGRESS_STATE;
use simulation::drive::drive;
use simulation::world::World;

use crate::people::{DAYS, HOUR, Site, add_people, address, fill, world};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// template.yaml gives the worker 512 MB.
const BOUND_MB: f64 = 256.0;
/// Modules with a time each that nearly fill the property.
const FULL: usize = 800;

/// A backlog: so many contacts with ten events each, whose states have so many modules.
struct Case {
    what: &'static str,
    people: usize,
    modules: usize,
    latency_ms: (u64, u64),
}

const CASES: [Case; 4] = [
    Case {
        what: "1,000 messages of 100 contacts, small states",
        people: 100,
        modules: 1,
        latency_ms: (35, 90),
    },
    Case {
        what: "1,000 messages of 100 contacts, full states",
        people: 100,
        modules: FULL,
        latency_ms: (35, 90),
    },
    Case {
        what: "10,000 messages of 1,000 contacts, small states, slow answers",
        people: 1_000,
        modules: 1,
        latency_ms: (2_000, 2_000),
    },
    Case {
        what: "10,000 messages of 1,000 contacts, full states, slow answers",
        people: 1_000,
        modules: FULL,
        latency_ms: (2_000, 2_000),
    },
];

fn main() -> ExitCode {
    let mut worst_mb: f64 = 0.0;
    for case in &CASES {
        let peak_mb = peak_mb(case);
        println!("  {:<64} {peak_mb:>8.1} MB", case.what);
        worst_mb = worst_mb.max(peak_mb);
    }
    if worst_mb > BOUND_MB {
        println!("\nmissed: {worst_mb:.1} MB, and it must be at most {BOUND_MB}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// What is allocated at most while the backlog is worked off, beside what was there before.
fn peak_mb(case: &Case) -> f64 {
    let Case { people, modules, latency_ms, .. } = *case;
    let world = world(&Site { workers: 1, burst_limit: 190, latency_ms, ..Site::default() });
    if modules == FULL {
        add_full(&world, people, modules);
    } else {
        add_people(&world, 0..people);
    }
    drive(&world.clock, vec![Box::pin(fill(&world, people, 10))], HOUR).unwrap();
    let _profiler = dhat::Profiler::builder().testing().build();
    world.run(async {}, DAYS);
    assert!(world.dead_letters.is_empty(), "every state has room for its events");
    dhat::HeapStats::get().max_bytes as f64 / 1e6
}

/// People who have completed so many modules.
fn add_full(world: &World, people: usize, modules: usize) {
    let completed = |n: usize| {
        Facts::of(&Happening {
            at: world.clock.now(),
            event: Event::ModuleCompleted(ModulePlace::InCourse {
                course: CoursePlace { pathway: None, course: "c".parse().unwrap() },
                module: format!("n-{n:03}").parse().unwrap(),
            }),
        })
    };
    let facts = (0..modules).map(completed).fold(Facts::default(), Facts::join);
    let held = milestones(None, &facts, &world.catalog()).unwrap().changed;
    assert!(held[PROGRESS_STATE].len() > 50_000, "the state is nearly as large as may be");
    for n in 0..people {
        let mut properties: BTreeMap<String, String> = held.clone();
        properties.insert("email".into(), address(n));
        world.portal.add_contact(world.clock.now(), &properties).unwrap();
    }
}
