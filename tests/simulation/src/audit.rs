//! The judge: while a history runs, whether anything is deleted whose effect is nowhere; and in the
//! end, whether everything is where it belongs.
//!
//! **Judges**: the join of the accepted events is what HubSpot holds, but for what others changed;
//! each accepted event is in exactly one place, and a dead letter has the right reason; no message
//! is received so often that the queue gives up on it; no line of the journal holds anything personal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::DateTime;
use ingest::story::FALLBACK_FIELD;
use shared::catalog::Catalog;
use shared::dead_letter::Reason;
use shared::envelope::{Envelope, OpenFault};
use shared::facts::{Facts, Progress};
use shared::milestones::milestones;
use shared::ports::{Clock as _, Outgoing};
use shared::properties::TOTAL_PROGRESS;
use simulator::{ContactView, Portal};

use crate::people::{People, Person, is_within, progress_of};
use crate::queue::{SimQueue, Watch};
use crate::world::World;

/// What stands in every address, body and token of a history, and in no line.
pub const CANARY: &str = "canary";

/// The judge of a world.
pub struct Audit {
    portal: Arc<Portal>,
    events: SimQueue,
    dead_letters: SimQueue,
    people: Arc<People>,
    catalogs: Vec<Catalog>,
    counts_events: bool,
    dies_once: bool,
    violations: Mutex<Vec<String>>,
}

impl Audit {
    /// A judge over this world, who knows its people. With `counts_events` an effect is an event
    /// that the portal counted, and not a fact on a contact. With `dies_once` no event may be dead
    /// twice: true unless deletes fail or processes are killed, for a dead letter that was sent may
    /// then be sent again when the queue has forgotten the first.
    pub fn of(
        world: &World,
        people: Arc<People>,
        catalogs: &[Catalog],
        counts_events: bool,
        dies_once: bool,
    ) -> Self {
        Self {
            portal: world.portal.clone(),
            events: world.events.clone(),
            dead_letters: world.dead_letters.clone(),
            people,
            catalogs: Vec::from(catalogs),
            counts_events,
            dies_once,
            violations: Mutex::default(),
        }
    }

    fn object(&self, what: String) {
        self.violations().push(what);
    }

    fn violations(&self) -> MutexGuard<'_, Vec<String>> {
        self.violations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether HubSpot holds these facts of the person, or held them when others took them away.
    fn is_held(&self, nth: usize, event_id: &str, facts: &Facts) -> bool {
        if self.counts_events {
            return self.counted(event_id) > 0;
        }
        let mut people = self.people.lock();
        let records = people.records(nth, &self.portal);
        let lacks_nothing = |record: &ContactView| {
            self.catalogs.iter().any(|catalog| {
                milestones(Some(&record.properties), facts, catalog)
                    .is_ok_and(|found| found.changed.is_empty())
            })
        };
        if records.iter().any(lacks_nothing) {
            return true;
        }
        let person = &people.persons[nth];
        let mut all = person.gone.clone();
        records.iter().filter_map(progress_of).for_each(|progress| all.join(&progress));
        is_within(&facts.progress, &all)
            && (facts.progress != Progress::default()
                || person.is_touched
                || self.catalogs.len() > 1)
    }

    /// How often the portal counted an event, by what its pages made up as its id.
    fn counted(&self, event_id: &str) -> usize {
        let module = module_of(event_id);
        let events = self.portal.accepted_events();
        events
            .iter()
            .filter(|event| event.properties.values().any(|value| *value == module))
            .count()
    }

    /// Everything that is wrong in the end.
    pub fn verdict(&self, world: &World) -> Vec<String> {
        planted::without(|| self.judge(world))
    }

    fn judge(&self, world: &World) -> Vec<String> {
        self.portal.settle(world.clock.now() + Duration::from_secs(60));
        self.dead_are_rightly_dead();
        self.accepted_is_somewhere();
        if !self.counts_events {
            self.records_are_the_join();
        }
        self.notes_are_kept();
        self.nothing_personal_is_logged(world);
        let mut violations = std::mem::take(&mut *self.violations());
        violations.extend(world.wire.violations());
        violations
    }

    fn dead_are_rightly_dead(&self) {
        let people = self.people.lock();
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for letter in self.dead_letters.messages() {
            let reason = letter.attributes.get("reason").and_then(|text| Reason::from_wire(text));
            let id = match Envelope::open(&letter.body) {
                Ok(envelope) => envelope.id,
                Err(OpenFault::Newer(_)) => {
                    self.object("a message of a newer version is dead".into());
                    continue;
                }
                Err(OpenFault::Unreadable(_)) if reason == Some(Reason::Unreadable) => continue,
                Err(OpenFault::Invalid(_)) if reason == Some(Reason::InvalidEvent) => continue,
                Err(fault) => {
                    self.object(format!("{fault}, and it is dead for {reason:?}"));
                    continue;
                }
            };
            let Some(person) = people.by_event.get(&id).map(|nth| &people.persons[*nth]) else {
                self.object(format!("{id} is dead and was nobody's"));
                continue;
            };
            let is_right = reason.is_some_and(|reason| {
                person.doom == Some(reason) || person.allowed.contains(&reason)
            });
            if !is_right {
                let detail = letter.attributes.get("detail");
                self.object(format!("{id} is dead for {reason:?}: {detail:?}"));
            }
            *counts.entry(id).or_default() += 1;
        }
        for (id, count) in counts {
            let Some(person) = people.by_event.get(&id).map(|nth| &people.persons[*nth]) else {
                continue;
            };
            let times = person.accepted.get(&id).map_or(0, |(_, times)| *times);
            if self.dies_once && count > times {
                self.object(format!("{id} was accepted {times} times and is dead {count} times"));
            }
        }
    }

    fn dead_ids(&self) -> BTreeSet<String> {
        let letters = self.dead_letters.messages();
        letters.iter().filter_map(|l| Some(Envelope::open(&l.body).ok()?.id)).collect()
    }

    fn accepted_is_somewhere(&self) {
        let dead = self.dead_ids();
        let count = self.people.lock().persons.len();
        for nth in 0..count {
            let (accepted, doom) = {
                let people = self.people.lock();
                (people.persons[nth].accepted.clone(), people.persons[nth].doom)
            };
            for (id, (facts, _)) in &accepted {
                let is_dead = dead.contains(id);
                if doom.is_some() && !is_dead {
                    self.object(format!("{id} can't succeed and is not dead"));
                } else if !is_dead && !self.is_held(nth, id, facts) {
                    self.object(format!("{id} of person {nth} is nowhere"));
                } else if is_dead && self.counts_events && self.counted(id) > 0 {
                    self.object(format!("{id} is dead and counted"));
                }
                if self.counts_events && self.counted(id) > 1 {
                    self.object(format!("{id} is counted {} times", self.counted(id)));
                }
            }
        }
    }

    fn records_are_the_join(&self) {
        let mut people = self.people.lock();
        let mut owners: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for nth in 0..people.persons.len() {
            for record in people.records(nth, &self.portal) {
                owners.entry(record.id).or_default().push(nth);
            }
        }
        let stats = self.portal.stats();
        for record in self.portal.contacts(stats.contacts, 0) {
            let Some(owners) = owners.get(&record.id) else {
                self.object(format!("nobody asked for contact {}", record.id));
                continue;
            };
            let owners: Vec<&Person> = owners.iter().map(|nth| &people.persons[*nth]).collect();
            if owners.iter().any(|person| person.doom.is_some() || person.has_corrupt_state()) {
                continue;
            }
            self.record_is_the_join(&record, &owners);
        }
    }

    fn record_is_the_join(&self, record: &ContactView, owners: &[&Person]) {
        let catalogs = &self.catalogs;
        let Some(held) = progress_of(record) else {
            self.object(format!("the state of {} can't be read", record.id));
            return;
        };
        let must = owners.iter().fold(Facts::default(), |all, one| all.join(one.must.clone()));
        let most = owners.iter().fold(must.clone(), |all, one| all.join(one.may.clone()));
        let mut ceiling = most.progress.clone();
        for catalog in catalogs {
            let mut rolled_up = most.progress.clone();
            catalog.roll_up(&mut rolled_up, &most.named());
            ceiling.join(&rolled_up);
        }
        if !is_within(&held, &ceiling) {
            self.object(format!("contact {} holds more than was accepted", record.id));
        }
        if owners.iter().any(|person| person.is_touched) {
            return;
        }
        if !is_within(&must.progress, &held) {
            self.object(format!("contact {} holds less than was accepted", record.id));
        }
        if must.activity.is_none() && held.is_empty() {
            return;
        }
        let is_exact = catalogs.len() == 1 && !owners.iter().any(|person| person.has_may);
        let facts = if is_exact { must } else { Facts::default() };
        let lacks = |catalog: &Catalog| match milestones(Some(&record.properties), &facts, catalog)
        {
            Ok(found) => found.changed,
            Err(fault) => BTreeMap::from([("state".to_owned(), fault.to_string())]),
        };
        if !catalogs.iter().any(|catalog| lacks(catalog).is_empty()) {
            self.object(format!("contact {} lacks {:?}", record.id, lacks(&catalogs[0])));
        }
        if !is_exact || facts.activity.is_none() {
            return;
        }
        let expected = milestones(None, &facts, &catalogs[0]).map(|found| found.changed);
        for (name, value) in expected.unwrap_or_default() {
            // A contact that was there before, and has no progress, is not given a total of none.
            if name == TOTAL_PROGRESS && value == "0" {
                continue;
            }
            let held = record.properties.get(&name).map_or("", String::as_str);
            if held != value && !is_same_time(held, &value) {
                self.object(format!("contact {}: {name} is {held:?}, not {value:?}", record.id));
            }
        }
    }

    fn notes_are_kept(&self) {
        for ((id, property), value) in &self.people.lock().notes {
            let Some(record) = self.portal.contact(*id) else { continue };
            if record.id == *id && record.properties.get(property) != Some(value) {
                self.object(format!("{property} of contact {id} is another's, and changed"));
            }
        }
    }

    fn nothing_personal_is_logged(&self, world: &World) {
        for line in world.journal.lines() {
            // Ingest's fallback line carries the event for `milepost recover`, and nothing else may.
            if line.fields.contains_key(FALLBACK_FIELD) {
                continue;
            }
            let text = format!("{} {:?}", line.message, line.fields);
            if text.contains(CANARY) || text.contains("pat-na1") {
                self.object(format!("a line holds what is personal: {}", line.message));
            }
        }
    }
}

impl Watch for Audit {
    fn deleted(&self, message: &Outgoing, receive_count: u32) {
        planted::without(|| self.was_deleted(message, receive_count));
    }

    fn moved_away(&self, _message: &Outgoing) {
        self.object("a message was received until the queue gave up on it".into());
    }
}

impl Audit {
    fn was_deleted(&self, message: &Outgoing, receive_count: u32) {
        if receive_count > 100 {
            self.object(format!("a message was received {receive_count} times"));
        }
        if self.dead_letters.count(|letter| letter.body == message.body) > 0 {
            return;
        }
        let Ok(envelope) = Envelope::open(&message.body) else {
            self.object("what can't be read was deleted and is not dead".into());
            return;
        };
        let Some(nth) = self.people.lock().by_event.get(&envelope.id).copied() else { return };
        let Some(happening) = envelope.happening() else { return };
        let id = format!("\"id\":\"{}\"", envelope.id);
        let stands = self.events.count(|other| other.body.contains(&id)) > 0
            || self.dead_letters.count(|letter| letter.body.contains(&id)) > 0;
        if !stands && !self.is_held(nth, &envelope.id, &Facts::of(happening)) {
            self.object(format!("{} was deleted and has no effect", envelope.id));
        }
    }
}

/// HubSpot spells a time without the milliseconds that are none.
fn is_same_time(a: &str, b: &str) -> bool {
    let read = |text| DateTime::parse_from_rfc3339(text).ok();
    read(a).is_some() && read(a) == read(b)
}

impl Person {
    fn has_corrupt_state(&self) -> bool {
        self.allowed.contains(&Reason::CorruptState)
    }
}

/// The module of an event under the events backend: each event has its own, to be counted by.
pub fn module_of(event_id: &str) -> String {
    format!("m-{event_id}")
}
