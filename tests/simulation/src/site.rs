//! The learning site: who learns, and the events that its pages post.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use shared::catalog::{Catalog, CatalogFile, CatalogKind};
use shared::dead_letter::Reason;
use shared::envelope;
use shared::facts::Facts;
use shared::identity;
use shared::milestones::milestones;
use shared::ports::{Clock as _, Outgoing, Queue as _};
use shared::properties::PROGRESS_STATE;

use crate::audit::{CANARY, module_of};
use crate::fold;
use crate::people::{People, Person};
use crate::world::World;

/// The catalog that a history begins with.
pub fn catalog() -> Catalog {
    of_courses(&[("a", &["m1", "m2"]), ("b", &["m3"])], &["a", "b"])
}

/// The same catalog some time later: a course more, a module more.
pub fn grown_catalog() -> Catalog {
    of_courses(&[("a", &["m1", "m2", "m4"]), ("b", &["m3"]), ("c", &["m5"])], &["a", "b", "c"])
}

fn of_courses(courses: &[(&str, &[&str])], pathway: &[&str]) -> Catalog {
    let course = |(slug, modules): &(&str, &[&str])| CatalogFile {
        path: (*slug).into(),
        kind: CatalogKind::Course,
        text: json!({ "slug": slug, "modules": modules }).to_string(),
    };
    let pathway = CatalogFile {
        path: "p".into(),
        kind: CatalogKind::Pathway,
        text: json!({ "slug": "p", "courses": pathway }).to_string(),
    };
    let mut files: Vec<CatalogFile> = courses.iter().map(course).collect();
    files.push(pathway);
    Catalog::read(&files).0
}

/// What the site's people are like.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    /// How many at least, and how many more by chance.
    pub people: (u64, u64),
    /// Whether some of them can't succeed.
    pub has_doomed: bool,
    /// Whether each event has a module of its own, to be counted by.
    pub counts_events: bool,
    /// Whether some events stand on the queue as the first version of ingest put them there.
    pub has_older: bool,
}

/// Brings the people of a history, known to the portal or not.
pub fn gather(world: &World, people: &People, crowd: &Crowd) {
    let mut people = people.lock();
    for nth in 0..crowd.people.0 + world.below(crowd.people.1 + 1) {
        let doomed = crowd.has_doomed && world.below(3) == 0;
        let person = if doomed { doomed_person(world, nth) } else { person(world, nth) };
        people.persons.push(person);
    }
}

fn person(world: &World, nth: u64) -> Person {
    let email = format!("{CANARY}-{nth}@example.org");
    let addresses = BTreeSet::from([email.clone()]);
    let mut person = Person { addresses, email: Some(email.clone()), ..Person::default() };
    if world.below(2) == 0 {
        return person;
    }
    let mut properties = BTreeMap::from([("email".to_owned(), email)]);
    if world.below(3) == 0 {
        person.must = before(world);
        let held = milestones(None, &person.must, &world.catalog()).map(|found| found.changed);
        properties.extend(held.unwrap_or_default());
    }
    let Some(id) = add(world, &properties) else { return person };
    person.records.insert(id);
    match world.below(4) {
        0 => {
            person.contact_id = Some(id.to_string());
            person.email = None;
        }
        1 => person.contact_id = Some(id.to_string()),
        _ => {}
    }
    person
}

/// What somebody had done before the history begins.
fn before(world: &World) -> Facts {
    let at = world.clock.now() - Duration::from_secs(50_000 + world.below(50_000));
    let event = json!({
        "eventName": "learning_module_completed",
        "contactIdentifier": { "email": "before@example.org" },
        "pathway_slug": "p", "course_slug": "a",
        "payload": { "module_slug": "m1", "ts": shared::state::instant(at) },
    });
    fold::facts(&event, world.clock.now()).unwrap_or_default()
}

fn doomed_person(world: &World, nth: u64) -> Person {
    let email = format!("{CANARY}-{nth}@example.org");
    let known = |more: [(&str, &str); 1]| {
        let more = more.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut properties = BTreeMap::from(more);
        properties.insert("email".to_owned(), email.clone());
        add(world, &properties)
    };
    let (doom, email, contact_id, record) = match world.below(4) {
        0 => (Reason::InvalidEmail, Some(format!("{CANARY}-{nth}@example.con")), None, None),
        1 => (Reason::ContactNotFound, None, Some(format!("9{nth}0000009")), None),
        2 => {
            let record = known([(PROGRESS_STATE, "{\"courses\": 7")]);
            (Reason::CorruptState, Some(email.clone()), None, record)
        }
        _ => {
            let record = known([("city", "Nowhere")]);
            (Reason::Rejected, Some(email.clone()), None, record)
        }
    };
    let records = record.into_iter().collect();
    let addresses = email.iter().cloned().collect();
    Person { addresses, email, contact_id, doom: Some(doom), records, ..Person::default() }
}

fn add(world: &World, properties: &BTreeMap<String, String>) -> Option<u64> {
    world.portal.add_contact(world.clock.now(), properties).ok()
}

/// Posts events until there are enough of them or the time is over.
pub async fn post(
    world: &World,
    people: &People,
    crowd: &Crowd,
    events: u64,
    pause_max: Duration,
    until: Duration,
) {
    let mut posted = 0;
    while posted < events && world.clock.uptime() < until {
        let nth = world.below(people.lock().persons.len() as u64) as usize;
        let id = format!("e-{posted}");
        let event = event(world, &people.lock().persons[nth], &id, crowd.counts_events);
        posted += 1;
        // Without a time of its own an event is as old as its first arrival: only that one is sure.
        let has_time = !event["payload"]["ts"].is_null();
        if crowd.has_older && has_time && world.below(4) == 0 {
            put_older(world, people, nth, &id, &event).await;
            continue;
        }
        for _ in 0..1 + u64::from(has_time) * world.below(2) {
            post_one(world, people, nth, &id, &event).await;
        }
        let pause = world.below(pause_max.as_millis() as u64 + 1);
        world.clock.sleep(Duration::from_millis(pause)).await;
    }
}

/// Puts an event on the queue in the words of the first version: no more than it must say.
async fn put_older(world: &World, people: &People, nth: usize, id: &str, event: &Value) {
    let named = &event["contactIdentifier"];
    let person = identity::Person::new(named["email"].as_str(), named["contactId"].as_str());
    let (Some(person), Some(facts)) = (person, fold::facts(event, world.clock.now())) else {
        return;
    };
    let payload = &event["payload"];
    let mut body = json!({
        "v": 1, "kind": "event", "id": id,
        "acceptedAt": shared::state::instant(world.clock.now()),
        "contact": {}, "event": { "name": event["eventName"], "at": payload["ts"] },
    });
    let of_event = &mut body["event"];
    for (name, value) in [("pathway", &event["pathway_slug"]), ("course", &event["course_slug"])] {
        if !value.is_null() {
            of_event[name] = value.clone();
        }
    }
    if event["eventName"] == "learning_page_viewed" {
        of_event["viewed"] = json!({ "type": payload["content_type"], "slug": payload["slug"] });
    } else {
        of_event["module"] = payload["module_slug"].clone();
        if event["enrollment_source"] != "" {
            of_event["source"] = event["enrollment_source"].clone();
        }
    }
    if let Some(email) = person.email() {
        body["contact"]["email"] = email.into();
    }
    if let Some(contact_id) = person.contact_id() {
        body["contact"]["contactId"] = contact_id.into();
    }
    let group = person.group();
    let message = Outgoing {
        body: body.to_string(),
        deduplication_id: envelope::deduplication_id(&group, id),
        group,
        attributes: BTreeMap::new(),
    };
    people.lock().by_event.insert(id.to_owned(), nth);
    if world.events.send(vec![message]).await.iter().all(Result::is_ok) {
        world.fired.strike("older envelope");
        world.trace.note(world.clock.uptime(), format_args!("{id} put as of old"));
        people.lock().persons[nth].accept(id, facts);
    }
}

async fn post_one(world: &World, people: &People, nth: usize, id: &str, event: &Value) {
    let Some(facts) = fold::facts(event, world.clock.now()) else { return };
    people.lock().by_event.insert(id.to_owned(), nth);
    let answer = world.track(event).await;
    let is_accepted = answer.body.contains("\"persisted\"");
    world.trace.note(world.clock.uptime(), format_args!("{id} posted: {is_accepted}"));
    let mut people = people.lock();
    let person = &mut people.persons[nth];
    if is_accepted {
        person.accept(id, facts);
    } else {
        // It may stand on the queue all the same: a send whose answer was lost.
        person.may = std::mem::take(&mut person.may).join(facts);
        person.has_may = true;
    }
}

fn event(world: &World, person: &Person, id: &str, counts_events: bool) -> Value {
    let pick = |of: &[&'static str]| world.chance.pick(of).unwrap_or_default();
    let name = pick(&[
        "module_started",
        "module_completed",
        "module_completed",
        "module_completed",
        "course_enrolled",
        "course_completed",
        "pathway_enrolled",
        "page_viewed",
    ]);
    let name = if counts_events { "module_started" } else { name };
    let at = world.clock.now() - Duration::from_millis(world.below(100_000_000));
    let (course, module) = pick(&["a m1", "a m1", "a m2", "a m4", "b m3", "c m5", "z m9"])
        .split_once(' ')
        .unwrap_or_default();
    let in_pathway = name == "pathway_enrolled" || world.below(3) > 0;
    let (mut email, mut contact_id) = (person.email.clone(), person.contact_id.clone());
    // Pages differ in what they know of who is reading.
    match world.below(6) {
        0 => email = email.map(|email| email.to_uppercase()),
        1 if contact_id.is_some() => email = None,
        2 if email.is_some() => contact_id = None,
        _ => {}
    }
    let module = if counts_events { module_of(id) } else { module.to_owned() };
    let mut event = json!({
        "eventName": format!("learning_{name}"),
        "eventId": id,
        "contactIdentifier": { "email": email, "contactId": contact_id },
        "course_slug": course,
        "enrollment_source": pick(&["catalog", "email", ""]),
        "payload": { "module_slug": module, "content_type": "course", "slug": course, "note": CANARY },
    });
    if in_pathway {
        event["pathway_slug"] = "p".into();
    }
    if world.below(10) > 0 {
        event["payload"]["ts"] = shared::state::instant(at).into();
    }
    event
}
