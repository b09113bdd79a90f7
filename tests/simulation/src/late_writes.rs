//! Two workers, events that come twice and out of order, and writes that land up to 25 s late, are
//! cut, or are applied without saying so: in the end each contact holds the join of its events.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fold;
use crate::world::{World, WorldSettings};
use serde_json::{Value, json};
use shared::catalog::{Catalog, CatalogFile, CatalogKind};
use shared::facts::Facts;
use shared::milestones::{Values, milestones};
use shared::ports::Clock as _;
use simulator::faults::{FaultKind, FaultRule};

/// `QUARANTINE_S`, as it is by default.
pub const QUARANTINE: Duration = Duration::from_secs(30);
/// The longest that a history may take, in virtual time: faults end after two minutes.
const TIME_MAX: Duration = Duration::from_secs(3_600);

fn catalog() -> Catalog {
    let course = |slug: &str, modules: &[&str]| CatalogFile {
        path: slug.into(),
        kind: CatalogKind::Course,
        text: json!({ "slug": slug, "modules": modules }).to_string(),
    };
    let pathway = CatalogFile {
        path: "p".into(),
        kind: CatalogKind::Pathway,
        text: json!({ "slug": "p", "courses": ["a", "b"] }).to_string(),
    };
    Catalog::read(&[course("a", &["m1", "m2"]), course("b", &["m3"]), pathway]).0
}

/// Runs one seed with workers that wait this long after an unknown outcome; the error says what is
/// wrong in the end.
///
/// # Errors
/// What a contact lacks, what is dead, or how many calls a window saw.
///
/// # Panics
/// When the world can't be built or does not come to rest.
pub fn run(seed: u64, quarantine: Duration) -> Result<(), String> {
    let world = World::new(&WorldSettings {
        catalog: catalog(),
        quarantine: Some(quarantine),
        ..WorldSettings::of_seed(seed)
    });
    for (kind, probability) in [
        (FaultKind::LateLanding { after_ms: 25_000 }, 0.10),
        (FaultKind::LateLanding { after_ms: world.below(25_000) }, 0.10),
        (FaultKind::CutAfter, 0.05),
        (FaultKind::CutBefore, 0.05),
        (FaultKind::AppliedThen { status: 502 }, 0.05),
        (FaultKind::SilentNoOp { rows: 1 }, 0.03),
        (FaultKind::Edge { status: 503 }, 0.05),
        (FaultKind::TenSecondly, 0.02),
    ] {
        let rule = FaultRule::on("/batch/", kind);
        world.portal.set_fault(FaultRule { probability: Some(probability), ..rule });
    }
    let people: Vec<String> =
        (0..2 + world.below(4)).map(|n| format!("p{n}@example.org")).collect();
    for email in people.iter().filter(|_| world.below(2) == 0) {
        let properties = BTreeMap::from([("email".to_owned(), email.clone())]);
        world.portal.add_contact(world.clock.now(), &properties).map_err(|f| f.to_string())?;
    }
    let mut accepted: Vec<Value> = Vec::new();
    let script = async {
        for n in 0..6 + world.below(20) {
            let event = event(&world, &people, n);
            for _ in 0..1 + world.below(2) {
                let answer = world.track(&event).await;
                assert!(answer.body.contains("persisted"), "{}", answer.body);
            }
            accepted.push(event);
            world.clock.sleep(Duration::from_millis(world.below(6_000))).await;
        }
        world.clock.sleep(Duration::from_secs(60)).await;
        world.portal.clear_faults();
    };
    world.run(script, TIME_MAX);
    check(&world, &people, &accepted)
}

fn event(world: &World, people: &[String], n: u64) -> Value {
    let pick = |of: &[&'static str]| of[world.below(of.len() as u64) as usize];
    let email = &people[world.below(people.len() as u64) as usize];
    let name = pick(&["module_started", "module_completed", "module_completed", "course_enrolled"]);
    let at = world.clock.now() - Duration::from_secs(world.below(100_000));
    let (course, module) = pick(&["a m1", "a m2", "b m3"]).split_once(' ').unwrap_or_default();
    json!({
        "eventName": format!("learning_{name}"),
        "eventId": format!("e-{n}"),
        "contactIdentifier": { "email": email },
        "pathway_slug": if world.below(3) == 0 { Value::Null } else { json!("p") },
        "course_slug": course,
        "enrollment_source": pick(&["catalog", "email", ""]),
        "payload": { "module_slug": module, "ts": shared::state::instant(at) },
    })
}

/// Each contact is the join of its accepted events; nothing is dead; no window saw too many calls.
fn check(world: &World, people: &[String], accepted: &[Value]) -> Result<(), String> {
    let dead = world.dead_letters.messages();
    if !dead.is_empty() {
        return Err(format!("{} dead letters", dead.len()));
    }
    let peak = world.portal.peak_in_ten_seconds();
    if peak > 90 {
        return Err(format!("{peak} calls in ten seconds"));
    }
    for email in people {
        let of_person =
            accepted.iter().filter(|event| event["contactIdentifier"]["email"] == **email);
        let facts = of_person.filter_map(|event| fold::facts(event, world.clock.now()));
        let joined = facts.fold(Facts::default(), Facts::join);
        let held = world.held(email);
        if joined.activity.is_none() {
            continue;
        }
        let held: Values = held.ok_or_else(|| format!("{email} is not there"))?;
        let missing = milestones(Some(&held), &joined, &catalog()).map_err(|f| f.to_string())?;
        if !missing.changed.is_empty() {
            return Err(format!("{email} lacks {:?}", missing.changed));
        }
        let mut expected = Values::new();
        expected.extend(milestones(None, &joined, &catalog()).map_err(|f| f.to_string())?.changed);
        for (name, value) in expected {
            if held.get(&name).map_or("", String::as_str) != value {
                return Err(format!("{email}: {name} is {:?}, not {value}", held.get(&name)));
            }
        }
    }
    Ok(())
}
