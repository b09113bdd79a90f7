//! How fast an event becomes the properties of its contact: facts, join, roll-ups, milestones, and
//! the state JSON read and written. Beside each stands what the JSON library alone takes to parse
//! the same bytes into its own `Value`.
//!
//! Ours and the library's run by turns, in slices of a few milliseconds, so that whoever else uses
//! the machine slows both. A ratio under its bound ends the run with an error; a time never does.
//!
//! `cargo bench -p shared --bench progress`; with `-- --short` in seconds.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark prints, one that can't go on panics, and criterion's macros are not needed"
)]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use criterion::Criterion;
use criterion::measurement::{Measurement as _, WallTime};
use serde_json::Value;
use shared::catalog::Catalog;
use shared::event::{CoursePlace, Event, ModulePlace};
use shared::facts::{Facts, Happening};
use shared::milestones::{Values, milestones};
use shared::properties::PROGRESS_STATE;

/// Whoever is measured runs so many times before it is the other's turn.
const SLICE: u64 = 64;

/// What is measured: a contact that has so many modules, and so many of its events at once.
struct Case {
    name: &'static str,
    modules: usize,
    marks: Marks,
    events: usize,
    /// The least share of the library's own speed.
    bound: f64,
}

/// What the state says of each module. A property holds 65,536 characters: about 450 modules with
/// both times, or 2,000 with a flag alone, as states have them that were not written by Milepost.
#[derive(Clone, Copy)]
enum Marks {
    Times,
    Flags,
}

/// The floors: half of the library's speed on large states. On small ones 100,000 events/s, which is
/// a share of 0.15 where the library parses 660,000 of these states a second.
const CASES: [Case; 5] = [
    Case { name: "1 module, 1 event", modules: 1, marks: Marks::Times, events: 1, bound: 0.15 },
    Case { name: "1 module, 10 events", modules: 1, marks: Marks::Times, events: 10, bound: 0.05 },
    Case { name: "100 modules, 1 event", modules: 100, marks: Marks::Times, events: 1, bound: 0.5 },
    Case { name: "450 modules, 1 event", modules: 450, marks: Marks::Times, events: 1, bound: 0.5 },
    Case {
        name: "2,000 modules, 1 event",
        modules: 2_000,
        marks: Marks::Flags,
        events: 1,
        bound: 0.5,
    },
];

fn main() -> ExitCode {
    let is_short = std::env::args().any(|arg| arg == "--short");
    let (samples, time) =
        if is_short { (10, Duration::from_secs(1)) } else { (50, Duration::from_secs(5)) };
    let mut criterion = Criterion::default()
        .sample_size(samples)
        .warm_up_time(time / 4)
        .measurement_time(time)
        .without_plots();
    let mut rows = Vec::new();
    let mut missed = Vec::new();
    for case in &CASES {
        let found = measure(&mut criterion, case);
        if found.ratio < case.bound {
            missed.push(case.name);
        }
        rows.push(found.row(case));
    }
    println!(
        "\n| case | state, bytes | events/s of one core | MB/s | the library's MB/s | share of it | bound |"
    );
    println!("|---|---|---|---|---|---|---|");
    rows.iter().for_each(|row| println!("{row}"));
    if missed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("\nunder its bound: {}", missed.join("; "));
    ExitCode::FAILURE
}

/// The medians over a case's samples.
struct Found {
    bytes: usize,
    ours: Duration,
    library: Duration,
    ratio: f64,
}

impl Found {
    fn row(&self, case: &Case) -> String {
        let speed = |took: Duration| self.bytes as f64 / took.as_secs_f64() / 1e6;
        format!(
            "| {} | {} | {:.0} | {:.0} | {:.0} | {:.2} | ≥ {} |",
            case.name,
            self.bytes,
            case.events as f64 / self.ours.as_secs_f64(),
            speed(self.ours),
            speed(self.library),
            self.ratio,
            case.bound,
        )
    }
}

fn measure(criterion: &mut Criterion, case: &Case) -> Found {
    let catalog = catalog();
    let contact = contact(case, &catalog);
    let state = contact[PROGRESS_STATE].clone();
    let events: Vec<Happening> =
        (0..case.events).map(|nth| completed(case.modules + nth)).collect();
    let ours = || {
        let facts = black_box(&events).iter().map(Facts::of);
        let facts = facts.reduce(Facts::join).unwrap_or_default();
        milestones(Some(black_box(&contact)), &facts, black_box(&catalog)).unwrap()
    };
    let library = || serde_json::from_str::<Value>(black_box(&state)).unwrap();
    assert!(ours().changed.contains_key(PROGRESS_STATE), "each event changes the state");

    let mut pairs: Vec<(f64, f64)> = Vec::new();
    criterion.bench_function(case.name, |bencher| {
        bencher.iter_custom(|iterations| {
            let mut took = (Duration::ZERO, Duration::ZERO);
            let mut left = iterations;
            while left > 0 {
                let slice = left.min(SLICE);
                took.0 += timed(slice, ours);
                took.1 += timed(slice, library);
                left -= slice;
            }
            let each = |whole: Duration| whole.as_secs_f64() / iterations as f64;
            pairs.push((each(took.0), each(took.1)));
            took.0
        });
    });
    Found {
        bytes: state.len(),
        ours: Duration::from_secs_f64(median(pairs.iter().map(|pair| pair.0))),
        library: Duration::from_secs_f64(median(pairs.iter().map(|pair| pair.1))),
        ratio: median(pairs.iter().map(|pair| pair.1 / pair.0)),
    }
}

/// How long so many runs take, what they make thrown away included.
fn timed<T>(runs: u64, run: impl Fn() -> T) -> Duration {
    let begun = WallTime.start();
    for _ in 0..runs {
        drop(black_box(run()));
    }
    WallTime.end(begun)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

const PATHWAY: &str = "network-like-a-hyperscaler";

/// Twenty modules a course, and all courses in one pathway.
fn course_of(module: usize) -> String {
    format!("course-{:03}", module / 20)
}

fn slug_of(module: usize) -> String {
    format!("m{module:04}")
}

fn completed(module: usize) -> Happening {
    let start: DateTime<Utc> = "2026-01-18T17:30:00Z".parse().unwrap();
    Happening {
        at: start + TimeDelta::minutes(module as i64),
        event: Event::ModuleCompleted(place_of(module)),
    }
}

fn place_of(module: usize) -> ModulePlace {
    ModulePlace::InCourse {
        course: CoursePlace {
            pathway: PATHWAY.parse().ok(),
            course: course_of(module).parse().unwrap(),
        },
        module: slug_of(module).parse().unwrap(),
    }
}

fn catalog() -> Catalog {
    let modules = 2_100;
    let mut catalog = Catalog::default();
    for module in 0..modules {
        let course = catalog.courses.entry(course_of(module)).or_default();
        course.push(slug_of(module));
    }
    catalog.pathways.insert(PATHWAY.into(), catalog.courses.keys().cloned().collect());
    catalog
}

/// What HubSpot holds of a contact that has started and completed so many modules.
fn contact(case: &Case, catalog: &Catalog) -> Values {
    let mut facts = Facts::default();
    for module in 0..case.modules {
        let done = completed(module);
        let started = Happening {
            at: done.at - TimeDelta::minutes(5),
            event: Event::ModuleStarted(place_of(module)),
        };
        let marks = match case.marks {
            Marks::Times => vec![started, done],
            Marks::Flags => vec![started],
        };
        facts = marks.iter().map(Facts::of).fold(facts, Facts::join);
    }
    if matches!(case.marks, Marks::Flags) {
        let pathway = facts.progress.pathways.get_mut(PATHWAY).unwrap();
        for module in 0..case.modules {
            let course = pathway.courses.get_mut(&course_of(module)).unwrap();
            let module = course.modules.get_mut(&slug_of(module)).unwrap();
            module.started.as_mut().unwrap().at = None;
        }
    }
    milestones(None, &facts, catalog).unwrap().changed
}
