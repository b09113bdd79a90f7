//! How a step's time grows with what it is given: ten times as much must take ten times as long, and
//! not more. The times are the machine's; what is judged is their ratio in one run.
//!
//! The full run draws `docs/plots/growth.svg`.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use dead_letters::Queues;
use dead_letters::scan::{Mode, Scan};
use host::clock::SystemClock;
use serde_json::json;
use shared::catalog::Catalog;
use shared::dead_letter::{FailureReason, Reason, dead_letter};
use shared::envelope::{Content, Envelope};
use shared::event::{CoursePlace, Event, ModulePlace};
use shared::facts::{Facts, Happening};
use shared::identity::Person;
use shared::milestones::{Values, milestones};
use shared::ports::{Clock, Delivery, Outgoing, Receipt};
use simulation::clock::VirtualClock;
use simulation::entropy::SeededEntropy;
use sqlite::{QueueSettings, SqliteQueues};
use tests::plot::{Axis, Plot, Series};
use worker::{Lookup, Origin, Received, coalesce, open, plan};

use crate::people::address;
use crate::table::Table;

/// How much more than ten times as long ten times as much may take: maps grow by a logarithm, and
/// what no longer fits into a cache is slower. A step of the second order would take a hundred times.
const SLACK: f64 = 2.5;
/// Each size is measured so often, by turns, and the quickest counts.
const ROUNDS: usize = 5;

/// A step that can be given any amount: it prepares, and what it gives back is measured.
type Step = fn(usize) -> Box<dyn FnOnce()>;

/// A step, with the three amounts that are compared and what they count.
const STEPS: [(&str, [usize; 3], Step); 4] = [
    ("events of 100 contacts: open, coalesce, plan", [400, 4_000, 40_000], events),
    ("contacts with one event: open, coalesce, plan", [100, 1_000, 10_000], contacts),
    ("modules in a state: read, join, write", [4, 40, 400], state),
    ("dead letters: scan of all", [100, 1_000, 10_000], letters),
];

/// Prints the section.
pub(crate) fn growth(table: &mut Table) {
    let clock = SystemClock::start();
    let mut series = Vec::new();
    for (name, sizes, step) in STEPS {
        let sizes = if table.is_short { &sizes[..2] } else { &sizes[..] };
        let mut best = vec![Duration::MAX; sizes.len()];
        for _ in 0..ROUNDS {
            for (size, best) in sizes.iter().zip(&mut best) {
                // Little is done often, so that the clock can tell.
                let times = (sizes[sizes.len() - 1] / size / 10).clamp(1, 100);
                let prepared: Vec<_> = (0..times).map(|_| step(*size)).collect();
                let begun_at = clock.uptime();
                prepared.into_iter().for_each(|step| step());
                *best = (*best).min((clock.uptime() - begun_at) / times as u32);
            }
        }
        let mut points = Vec::new();
        for (nth, (size, took)) in sizes.iter().zip(&best).enumerate() {
            let took_ms = took.as_secs_f64() * 1e3;
            table.row(&format!("{size} {name}"), format!("{took_ms:.3} ms"), "");
            if nth > 0 {
                let ratio = took.as_secs_f64() / best[nth - 1].as_secs_f64() / 10.0;
                table.at_most("… ten times as much, to ten times as long", ratio, SLACK);
            }
            points.push((*size as f64, took_ms));
        }
        series.push(Series::new(name.split(':').next().unwrap_or(name), points));
    }
    if !table.is_short {
        let plot = Plot {
            title: "How long a step takes with what it is given".into(),
            x: Axis::log("so many", 10.0),
            y: Axis::log("milliseconds", 10.0),
            series,
        };
        println!("  drawn: {}", plot.write("growth").unwrap().display());
    }
}

fn events(amount: usize) -> Box<dyn FnOnce()> {
    worked_off(amount, 100)
}

fn contacts(amount: usize) -> Box<dyn FnOnce()> {
    worked_off(amount, amount)
}

/// So many messages of so many people, on the worker's way from the queue to HubSpot.
fn worked_off(messages: usize, people: usize) -> Box<dyn FnOnce()> {
    let received: Vec<Received> = (0..messages)
        .map(|nth| Received {
            delivery: delivery(nth, nth % people, nth / people),
            origin: Origin::ToppedUp,
        })
        .collect();
    Box::new(move || {
        let (messages, unreadable) = open(received);
        assert!(unreadable.is_empty());
        let work = coalesce(messages);
        assert_eq!(work.len(), people);
        let lookups = work.iter().map(|_| Lookup::Missing).collect();
        let plan = plan(work, lookups, &Catalog::default());
        assert_eq!(plan.writes.len(), people);
        drop(black_box(plan));
    })
}

/// A contact whose state has so many modules completes one more.
fn state(amount: usize) -> Box<dyn FnOnce()> {
    let catalog = Catalog::default();
    let done = |modules: std::ops::Range<usize>| {
        modules.map(|n| Facts::of(&completed(n))).fold(Facts::default(), Facts::join)
    };
    let held: Values = milestones(None, &done(0..amount), &catalog).unwrap().changed;
    let more = done(amount..amount + 1);
    Box::new(move || {
        drop(black_box(milestones(Some(&held), &more, &catalog).unwrap()));
    })
}

/// A scan as `milepost dlq list` makes it, over the embedded queue.
fn letters(amount: usize) -> Box<dyn FnOnce()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let clock = VirtualClock::default();
    let port: Arc<dyn Clock> = Arc::new(clock.clone());
    let entropy = Arc::new(SeededEntropy::new(3));
    let queues =
        SqliteQueues::in_memory(port.clone(), entropy.clone(), QueueSettings::default()).unwrap();
    let failure = FailureReason {
        reason: Reason::Rejected,
        detail: "HubSpot refuses the contact".into(),
        correlation_id: "c-1".into(),
    };
    let dead: Vec<Outgoing> =
        (0..amount).map(|n| dead_letter(&delivery(n, n, 0), &failure, clock.now())).collect();
    runtime.block_on(async {
        for sent in dead.chunks(1_000) {
            let answers = queues.dead_letters().send(sent.to_vec()).await;
            assert!(answers.iter().all(Result::is_ok));
        }
    });
    Box::new(move || {
        let queues = Queues {
            events: queues.events(),
            dead_letters: queues.dead_letters(),
            clock: port,
            entropy,
        };
        let (_never, stop) = tokio::sync::watch::channel(false);
        let scan = async {
            let mut scan = Scan::new(&queues, &stop, Mode::Peek);
            let mut seen = 0;
            loop {
                let letters = scan.next(dead_letters::scan::AT_ONCE).await.unwrap();
                if letters.is_empty() {
                    break;
                }
                seen += letters.len();
            }
            scan.hand_back().await;
            seen
        };
        assert_eq!(runtime.block_on(clock.run(scan)), amount);
    })
}

fn completed(module: usize) -> Happening {
    let slug = |text: String| text.parse().unwrap();
    Happening {
        at: moment(),
        event: Event::ModuleCompleted(ModulePlace::InCourse {
            course: CoursePlace {
                pathway: Some(slug("p".into())),
                course: slug(format!("c-{:02}", module / 20)),
            },
            module: slug(format!("m-{module:05}")),
        }),
    }
}

fn moment() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

/// The message of a learner's event about a module.
fn delivery(nth: usize, learner: usize, module: usize) -> Delivery {
    let envelope = Envelope {
        id: json!(nth).to_string(),
        correlation_id: "r-1".into(),
        accepted_at: moment(),
        person: Person::new(Some(&address(learner)), None).unwrap(),
        content: Content::Event(completed(module)),
        hopped: false,
    };
    let Outgoing { body, group, deduplication_id, .. } = envelope.seal();
    Delivery {
        message_id: nth.to_string(),
        receipt: Receipt::new(nth.to_string()),
        body,
        group,
        deduplication_id,
        receive_count: 1,
        sent_at: moment(),
        attributes: BTreeMap::new(),
    }
}
