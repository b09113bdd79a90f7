//! What the worker costs in HubSpot calls and virtual time, against the simulator: a table to read
//! and to compare with. Everything in it but the last column's reach is measured in this run.
//!
//! `cargo bench -p tests --bench worker`; arguments choose the sections whose name holds them.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]
#![expect(clippy::unwrap_used, reason = "a benchmark that can't go on ends")]

use std::collections::BTreeMap;
use std::time::Duration;

use local::portal::LOCAL_TOKEN;
use local::portal::exchange::PortalRequest;
use local::portal::faults::{FaultKind, FaultRule};
use serde_json::{Value, json};
use shared::catalog::{Catalog, CatalogFile, CatalogKind};
use shared::journal::Figure;
use shared::ports::Clock as _;
use simulation::late_writes;
use simulation::world::{World, WorldSettings};

const HOUR: Duration = Duration::from_secs(3_600);
const DAYS: Duration = Duration::from_secs(3 * 24 * 3_600);
const HISTORIES: u64 = 10_000;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let sections: [(&str, fn()); 5] = [
        ("calls", calls),
        ("backlog", backlog),
        ("culprits", culprits),
        ("outages", outages),
        ("late writes", late_writes),
    ];
    for (name, section) in sections {
        if wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted.as_str())) {
            println!("\n{name}");
            section();
        }
    }
}

fn row(what: &str, found: impl std::fmt::Display, reach: &str) {
    println!("  {what:<64} {found:>22}   {reach}");
}

fn world(workers: u32, burst_limit: u32) -> World {
    world_of(workers, burst_limit, true)
}

fn world_of(workers: u32, burst_limit: u32, heeds_trace_ids: bool) -> World {
    let file = CatalogFile {
        path: "c".into(),
        kind: CatalogKind::Course,
        text: json!({ "slug": "c", "modules": ["m-0"] }).to_string(),
    };
    World::new(&WorldSettings {
        workers,
        burst_limit,
        window: Duration::ZERO,
        latency_ms: (35, 90),
        catalog: Catalog::read(&[file]).0,
        heeds_trace_ids,
        ..WorldSettings::of_seed(1)
    })
}

fn add_people(world: &World, people: std::ops::Range<usize>) {
    for n in people {
        let properties = BTreeMap::from([("email".to_owned(), address(n))]);
        world.portal.add_contact(world.clock.now(), &properties).unwrap();
    }
}

fn address(n: usize) -> String {
    format!("learner.{n}@example.org")
}

fn event(n: usize, nth: usize) -> Value {
    json!({
        "eventName": "learning_module_completed",
        "contactIdentifier": { "email": address(n) },
        "payload": { "module_slug": format!("m-{nth}"), "course_slug": "c",
            "ts": "2026-09-20T10:00:00Z" },
    })
}

/// Puts so many events of so many people on the queue.
async fn fill(world: &World, people: usize, each: usize) {
    let events: Vec<Value> =
        (0..each).flat_map(|nth| (0..people).map(move |n| event(n, nth))).collect();
    for batch in events.chunks(50) {
        let answer = world.track(&json!({ "events": batch })).await;
        assert!(answer.body.contains("persisted"), "{}", answer.body);
    }
}

/// Works off a backlog that is there before the workers begin; gives calls and virtual time.
fn drain(world: &World, people: usize, each: usize) -> (u64, Duration) {
    let before = world.portal.stats().calls;
    simulation::drive::drive(&world.clock, vec![Box::pin(fill(world, people, each))], HOUR)
        .unwrap();
    let took = world.run(async {}, DAYS);
    (world.portal.stats().calls - before, took)
}

fn calls() {
    let known = world(1, 100);
    add_people(&known, 0..100);
    row("1,000 events of 100 existing contacts, one worker", drain(&known, 100, 10).0, "2");
    let written = known.journal.sum(Figure::ContactsWritten);
    row("the same again under new ids", drain(&known, 100, 10).0, "1");
    let again = known.journal.sum(Figure::ContactsWritten) - written;
    row("… contacts written by it", again, "0");
    row("1,000 events of 100 new contacts", drain(&world(1, 100), 100, 10).0, "2");
    let mixed = world(1, 100);
    add_people(&mixed, 0..50);
    row("1,000 events of 50 existing and 50 new contacts", drain(&mixed, 100, 10).0, "3");
    for each in [1, 10] {
        let two = world(2, 190);
        add_people(&two, 0..1_000);
        let per_100 = drain(&two, 1_000, each).0 as f64 / 10.0;
        let what = format!("two workers, 1,000 contacts, {each} event(s) each: calls per 100");
        row(&what, format!("{per_100:.2}"), "≤ 2.2");
    }
}

fn backlog() {
    for people in [1_000, 10_000] {
        let world = world(2, 190);
        add_people(&world, 0..people);
        let (calls, took) = drain(&world, people, 1);
        // The share that the settings leave to the workers: 190 × (1 − 0.1) in ten seconds.
        let physical_s = calls as f64 / 17.1;
        let what = format!("{people} contacts, two workers, 190 in 10 s: {calls} calls, seconds");
        row(&what, format!("{:.1} of {physical_s:.1}", took.as_secs_f64()), "");
        row("… ratio", format!("{:.2}", took.as_secs_f64() / physical_s), "≤ 1.15 at 10,000");
        let whole = took.as_secs_f64() / (calls as f64 / 19.0);
        row(
            "… ratio to the whole limit, without headroom",
            format!("{whole:.2}"),
            "≤ 1.15 at 10,000",
        );
        row("… most calls in any ten seconds", world.portal.peak_in_ten_seconds(), "≤ 190");
        row("… 429 answers", world.portal.stats().throttled, "0");
    }
}

fn culprits() {
    for heeds_trace_ids in [true, false] {
        for bad in [1, 10] {
            for (kind, spoil) in KINDS_OF_BAD {
                let world = world_of(1, 250, heeds_trace_ids);
                let events = (0..100).map(|n| event(n, 0)).collect();
                let events = spoil(&world, events, bad);
                let before = world.portal.stats().calls;
                let script = async {
                    for batch in events.chunks(50) {
                        world.track(&json!({ "events": batch })).await;
                    }
                };
                simulation::drive::drive(&world.clock, vec![Box::pin(script)], HOUR).unwrap();
                world.run(async {}, DAYS);
                let dead = world.dead_letters.messages();
                let mut reasons: Vec<_> =
                    dead.iter().map(|letter| letter.attributes["reason"].clone()).collect();
                reasons.dedup();
                let mode = if heeds_trace_ids { "207" } else { "whole batch refused" };
                let what = format!("{bad} of 100: {kind} ({mode}): written, dead, calls");
                let written = world.journal.sum(Figure::ContactsWritten);
                let calls = world.portal.stats().calls - before;
                let found = format!("{written}, {} {}, {calls}", dead.len(), reasons.join("/"));
                let reach = match (kind == LACKS_TYPE, bad) {
                    (true, _) => "100, 0, ≤ 3 + 16 for one",
                    (false, 1) => "99, 1, ≤ 2 + 16",
                    (false, _) => "90, 10",
                };
                row(&what, found, reach);
            }
        }
    }
}

/// Nothing is dead of these: the contact is written without the view.
const LACKS_TYPE: &str = "a view whose type the portal lacks";

type Spoil = fn(&World, Vec<Value>, usize) -> Vec<Value>;

/// Each makes so many of a hundred events bad in its way.
const KINDS_OF_BAD: [(&str, Spoil); 6] = [
    ("an address HubSpot refuses", |world, mut events, bad| {
        world.portal.set(|settings| settings.refused_tlds = vec!["con".into()]);
        for n in spread(bad) {
            events[n]["contactIdentifier"]["email"] = format!("typo.{n}@example.con").into();
        }
        events
    }),
    (LACKS_TYPE, views_of_an_unknown_type),
    ("a property that is read-only", views_into_a_calculated_property),
    ("an id that is not there", |_, mut events, bad| {
        for n in spread(bad) {
            events[n]["contactIdentifier"] = json!({ "contactId": format!("99{n}") });
        }
        events
    }),
    ("a state that can't be read", |world, events, bad| {
        add_people(world, 0..100);
        spread(bad).for_each(|n| edit(world, n, "hhl_progress_state", "{\"oops"));
        events
    }),
    ("a rule of the portal's admin", |world, events, bad| {
        add_people(world, 0..100);
        spread(bad).for_each(|n| edit(world, n, "company", "Acme"));
        let condition = json!({ "property": "company", "values": ["Acme"] });
        let rule = json!({ "required": [{ "property": "phone", "when": condition }] });
        let settings = world.portal.settings().patched(&rule).unwrap();
        world.portal.set(|now| *now = settings);
        events
    }),
];

/// The portal lacks an option that a view needs: the contact is written without the view.
fn views_of_an_unknown_type(world: &World, mut events: Vec<Value>, bad: usize) -> Vec<Value> {
    add_people(world, 0..100);
    let options = ["course", "module"].map(|value| json!({ "label": value, "value": value }));
    let property = "/crm/properties/2026-09/contacts/hhl_last_viewed_type";
    assert_eq!(ask(world, http::Method::PATCH, property, &json!({ "options": options })), 200);
    for n in spread(bad) {
        events[n]["eventName"] = "learning_page_viewed".into();
        events[n]["payload"]["content_type"] = "pathway".into();
        events[n]["payload"]["slug"] = "p".into();
    }
    events
}

/// An admin made a property calculated that only a view is written to.
fn views_into_a_calculated_property(
    world: &World,
    mut events: Vec<Value>,
    bad: usize,
) -> Vec<Value> {
    add_people(world, 0..100);
    world.portal.archive_property(world.clock.now(), "hhl_last_viewed_slug");
    let definition = json!({ "name": "hhl_last_viewed_slug", "label": "Slug", "type": "string",
        "fieldType": "calculation_equation", "groupName": "learning_program_properties" });
    let properties = "/crm/properties/2026-09/contacts";
    assert_eq!(ask(world, http::Method::POST, properties, &definition), 201);
    for n in spread(bad) {
        events[n]["eventName"] = "learning_page_viewed".into();
        events[n]["payload"]["content_type"] = "course".into();
        events[n]["payload"]["slug"] = "c".into();
    }
    events
}

/// Asks the portal as an admin would, and gives its status.
fn ask(world: &World, method: http::Method, path: &str, body: &Value) -> u16 {
    let request = PortalRequest {
        method,
        path: path.into(),
        token: Some(LOCAL_TOKEN.into()),
        body: body.to_string().into(),
    };
    world.portal.handle(world.clock.now(), &request).status
}

fn spread(bad: usize) -> impl Iterator<Item = usize> {
    (0..bad).map(|nth| nth * 9 + 4)
}

fn edit(world: &World, n: usize, name: &str, value: &str) {
    let id = world.portal.contact_by_email(&address(n)).unwrap().id;
    let change = BTreeMap::from([(name.to_owned(), value.to_owned())]);
    world.portal.edit_contact(world.clock.now(), id, &change).unwrap();
}

fn outages() {
    type Break = fn(&World);
    type Mend = fn(&World);
    let kinds: [(&str, Duration, Break, Mend); 4] = [
        (
            "three hours of outage",
            HOUR * 3,
            |world| {
                world.portal.set_fault(FaultRule::every(FaultKind::Away));
            },
            |world| world.portal.clear_faults(),
        ),
        (
            "a revoked token for three hours",
            HOUR * 3,
            |world| world.portal.revoke(LOCAL_TOKEN),
            |world| world.portal.grant(LOCAL_TOKEN, &[]),
        ),
        (
            "a deleted property for three hours",
            HOUR * 3,
            |world| {
                world.portal.archive_property(world.clock.now(), "hhl_total_progress");
            },
            |world| world.portal.define_milepost_properties(),
        ),
        (
            "a spent day",
            HOUR,
            |world| {
                world.portal.set(|settings| settings.daily_max = 10_000);
                world.portal.spend_today(world.clock.now(), 10_000);
            },
            |_| {},
        ),
    ];
    for (what, time, break_it, mend) in kinds {
        let world = world(2, 100);
        break_it(&world);
        let calls_in_it = std::cell::Cell::new(0);
        let took = world.run(
            async {
                fill(&world, 200, 5).await;
                world.clock.sleep(time).await;
                calls_in_it.set(world.portal.stats().calls);
                mend(&world);
            },
            DAYS,
        );
        let dead = world.dead_letters.messages().len();
        row(&format!("{what}: calls meanwhile"), calls_in_it.get(), "");
        row("… dead letters", dead, "0");
        row("… contacts with all five modules", complete(&world), "200");
        row("… seconds until all is applied", (took - time).as_secs(), "≤ 90, the day excepted");
    }
}

fn complete(world: &World) -> usize {
    (0..200)
        .filter_map(|n| world.held(&address(n)))
        .filter(|held| held.get("hhl_total_progress").is_some_and(|total| total == "5"))
        .count()
}

fn late_writes() {
    let lost =
        (1..=HISTORIES).filter(|seed| late_writes::run(*seed, late_writes::QUARANTINE).is_err());
    row(&format!("{HISTORIES} seeded histories: not the join in the end"), lost.count(), "0");
    let without = (1..=500).filter(|seed| late_writes::run(*seed, Duration::ZERO).is_err());
    row("… of 500 by a worker without quarantine, to compare", without.count(), "");
}
