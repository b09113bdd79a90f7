//! What was sent and accepted, event by event, and where each stands in the end.
//!
//! **Invariant**: a count is given only where each accepted event is in exactly one place, and the
//! contacts are what the events on them make of contacts, no less and no more.

use std::collections::{BTreeMap, BTreeSet};

use host::catalog_folder;
use serde_json::{Value, json};
use shared::milestones::Values;

use crate::contacts::{Contacts, folded};
use crate::process::post;

/// The most events of a batch.
const BATCH_MAX: usize = 50;

/// A completed module, of its own name and time.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    number: u32,
    /// Whom it names.
    contact: Value,
    /// Under which address its effect is to be found.
    holder: String,
}

/// The events that were accepted.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// By number.
    accepted: BTreeMap<u32, Event>,
}

/// Where the accepted events stand.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) accepted: usize,
    pub(crate) applied: usize,
    /// By reason.
    pub(crate) dead: BTreeMap<String, usize>,
}

impl Event {
    /// An event of whom this address belongs to.
    pub(crate) fn of(number: u32, email: &str) -> Self {
        Self { number, contact: json!({ "email": email }), holder: email.to_owned() }
    }

    /// The same, but it names its contact in this way.
    pub(crate) fn naming(self, contact: Value) -> Self {
        Self { contact, ..self }
    }

    /// The same, but its effect is to be found under this address.
    pub(crate) fn held_by(self, email: &str) -> Self {
        Self { holder: email.to_owned(), ..self }
    }

    /// Its id.
    pub(crate) fn id(&self) -> String {
        format!("event-{}", self.number)
    }

    fn body(&self, contact: &Value) -> Value {
        let (seconds, minutes) = (self.number % 60, self.number / 60);
        let at = format!("2026-01-{:02}T{:02}", 2 + minutes / 1_440, minutes / 60 % 24);
        json!({
            "eventName": "learning_module_completed", "eventId": self.id(),
            "contactIdentifier": contact,
            "pathway_slug": "network-automation", "course_slug": "advanced-networking",
            "payload": {
                "module_slug": format!("module-{}", self.number),
                "ts": format!("{at}:{:02}:{seconds:02}.000Z", minutes % 60),
            },
        })
    }
}

/// So many events, numbered from there on, of so many people in turn.
pub(crate) fn crowd(from: u32, events: u32, people: u32) -> Vec<Event> {
    let one = |number: u32| Event::of(number, &format!("learner-{}@example.org", number % people));
    (from..from + events).map(one).collect()
}

impl Ledger {
    /// Sends events, each of which must be accepted. One that is sent again counts once.
    pub(crate) async fn track(&mut self, client: &reqwest::Client, api: &str, events: Vec<Event>) {
        for batch in events.chunks(BATCH_MAX) {
            let bodies: Vec<Value> = batch.iter().map(|event| event.body(&event.contact)).collect();
            let url = format!("{api}/events/track");
            let sent = post(client, &url, json!({ "events": bodies }).to_string()).await;
            let (status, answer) = sent.unwrap();
            assert_eq!((status, &answer["status"]), (200, &json!("persisted")), "{answer}");
            let ids: Vec<String> = batch.iter().map(Event::id).collect();
            assert_eq!(answer["eventIds"], json!(ids));
        }
        self.accepted.extend(events.into_iter().map(|event| (event.number, event)));
    }

    /// Counts the accepted events: on their contacts, or among the letters as `dlq export` has them.
    pub(crate) fn count(&self, contacts: &Contacts, letters: &[Value]) -> Count {
        let mut reasons = BTreeMap::new();
        for letter in letters.iter().filter(|letter| letter["envelope"]["id"].is_string()) {
            let id = letter["envelope"]["id"].as_str().unwrap();
            let twice = reasons.insert(id, letter["reason"].as_str().unwrap());
            assert_eq!(twice, None, "{id} died twice");
        }
        let is_dead = |event: &&Event| reasons.contains_key(event.id().as_str());
        let (dead, applied): (Vec<&Event>, Vec<&Event>) = self.accepted.values().partition(is_dead);
        let bodies: Vec<String> = applied
            .iter()
            .map(|event| event.body(&json!({ "email": event.holder })).to_string())
            .collect();
        let (catalog, _) = catalog_folder::load("../catalog".as_ref()).unwrap();
        let expected = folded(bodies.iter().map(String::as_str), &catalog);
        for email in contacts.keys().chain(expected.keys()).collect::<BTreeSet<_>>() {
            let of = |contacts: &Contacts| contacts.get(email).cloned().unwrap_or_default();
            let (found, expected): (Values, Values) = (of(contacts), of(&expected));
            assert_eq!(found, expected, "{email} holds its events, each once");
        }
        let mut by_reason = BTreeMap::new();
        for event in &dead {
            let reason = reasons[event.id().as_str()].to_owned();
            *by_reason.entry(reason).or_default() += 1;
        }
        let (accepted, applied) = (self.accepted.len(), applied.len());
        assert_eq!(accepted, applied + dead.len());
        Count { accepted, applied, dead: by_reason }
    }
}

impl Count {
    /// All of so many events applied.
    pub(crate) fn all_applied(events: usize) -> Self {
        Self { accepted: events, applied: events, dead: BTreeMap::new() }
    }

    /// The same, but for so many that died for this reason.
    pub(crate) fn but(self, events: usize, reason: &str) -> Self {
        let mut dead = self.dead;
        dead.insert(reason.to_owned(), events);
        Self { accepted: self.accepted, applied: self.applied - events, dead }
    }
}

#[test]
fn a_count_is_given_only_where_each_event_is_in_one_place_and_counts_once() {
    let (ada, bob) = ("ada@example.org", "bob@example.org");
    let event = Event::of;
    let sent = [event(0, ada), event(1, ada), event(2, bob)];
    let holding = |events: &[Event]| {
        let bodies: Vec<String> =
            events.iter().map(|event| event.body(&event.contact).to_string()).collect();
        folded(bodies.iter().map(String::as_str), &Default::default())
    };
    let letter = |event: &Event| json!({ "envelope": { "id": event.id() }, "reason": "REJECTED" });
    let count = |contacts: Contacts, letters: &[Value]| {
        let accepted = sent.iter().map(|event| (event.number, event.clone())).collect();
        let counted = || Ledger { accepted }.count(&contacts, letters);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(counted)).ok()
    };
    let [first, second, third] = sent.clone();
    assert_eq!(count(holding(&sent), &[]), Some(Count::all_applied(3)));
    let one_died = Count::all_applied(3).but(1, "REJECTED");
    assert_eq!(count(holding(&sent[..2]), &[letter(&third)]), Some(one_died));

    assert_eq!(count(holding(&sent[..2]), &[]), None, "one is nowhere");
    assert_eq!(count(holding(&[first.clone(), third.clone()]), &[]), None, "one is nowhere");
    assert_eq!(count(holding(&sent), &[letter(&second)]), None, "one is in two places");
    let twice = [letter(&third), letter(&third)];
    assert_eq!(count(holding(&sent[..2]), &twice), None, "one died twice");
    let more = [first, second, third, event(3, bob)];
    assert_eq!(count(holding(&more), &[]), None, "one was never sent");
    let mut two_modules = holding(&sent);
    two_modules.get_mut(bob).unwrap().insert("hhl_total_progress".into(), "2".into());
    assert_eq!(count(two_modules, &[]), None, "one counts twice");
}
