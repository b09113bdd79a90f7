//! `milepost properties create --events` and `check --events`: the custom events that
//! `PROGRESS_BACKEND=events` sends.
//!
//! The table is `shared::event_definitions`, the calls are `hubspot::events`'s.
//!
//! **Invariant**: no definition is ever changed, save that an event gets the properties it lacks.

use command::crm::{self, Crm};
use command::ending::{Ending, Stopped};
use command::output::{Mark, Output};
use hubspot::events::{EventDefinition, compare};
use serde::Serialize;
use shared::event::EventName;
use shared::event_definitions::{EVENT_PROPERTIES, label};

use super::{Definition, Kind, LOOK_EVERY, LOOKS_MAX, Outcome, failures, made};

/// What `create --events --json` prints.
#[derive(Serialize)]
struct Created {
    ok: bool,
    events: Vec<Definition>,
}

/// What `check --events --json` prints.
#[derive(Serialize)]
struct Checked {
    ok: bool,
    events: Vec<CheckedEvent>,
}

#[derive(Serialize)]
struct CheckedEvent {
    name: &'static str,
    differences: Vec<String>,
}

/// Makes the definitions that the portal lacks, and completes the others.
///
/// # Errors
/// [`Stopped`], when HubSpot can't be asked at all.
pub(super) async fn create(crm: &Crm, output: &Output) -> Result<Ending, Stopped> {
    let there = listed(crm).await?;
    let mut events = Vec::new();
    for event in EventName::ALL {
        let outcome = match there.iter().find(|there| there.event() == Some(event)) {
            None => crm.client.create_event_definition(event).await.into(),
            Some(there) => complete(crm, there).await,
        };
        let (name, label) = (event.as_str(), label(event));
        let made = Definition { kind: Kind::Event, name, label, outcome };
        output.line(&made.line(output))?;
        events.push(made);
    }
    wait_for_events(crm, &made(&events)).await;

    let failed = failures(&events);
    let report = Created { ok: failed == 0, events };
    output.result(&report, || match failed {
        0 if made(&report.events).is_empty() => {
            format!("\n{} All events exist", output.mark(Mark::Good))
        }
        0 => format!("\n{} All events created successfully!", output.mark(Mark::Good)),
        failed => format!("\n{} {failed} could not be created", output.mark(Mark::Bad)),
    })?;
    Ok(if failed == 0 { Ending::Done } else { Ending::Found })
}

/// Adds the properties that an existing event lacks.
async fn complete(crm: &Crm, theirs: &EventDefinition) -> Outcome {
    let has = |name: &str| theirs.properties.iter().any(|property| property.name == name);
    let mut properties = Vec::new();
    for property in EVENT_PROPERTIES.into_iter().filter(|property| !has(property.name)) {
        if let Err(fault) = crm.client.create_event_property(theirs, property).await {
            return Outcome::Failed { reason: crm::told(&fault) };
        }
        properties.push(property.name);
    }
    if properties.is_empty() { Outcome::Exists } else { Outcome::PropertiesAdded { properties } }
}

/// Compares the portal's definitions with our table.
///
/// # Errors
/// [`Stopped`], when HubSpot can't be asked at all.
pub(super) async fn check(crm: &Crm, output: &Output) -> Result<Ending, Stopped> {
    let differences = compare(&listed(crm).await?);
    let of = |event: EventName| CheckedEvent {
        name: event.as_str(),
        differences: differences
            .iter()
            .filter(|difference| difference.event() == event)
            .map(ToString::to_string)
            .collect(),
    };
    let report = Checked { ok: differences.is_empty(), events: EventName::ALL.map(of).into() };
    output.result(&report, || {
        let lines = report.events.iter().flat_map(|event| event.lines(output));
        lines.collect::<Vec<_>>().join("\n")
    })?;
    Ok(if report.ok { Ending::Done } else { Ending::Found })
}

impl CheckedEvent {
    fn lines(&self, output: &Output) -> Vec<String> {
        if self.differences.is_empty() {
            return vec![format!("{} Event {} is right", output.mark(Mark::Good), self.name)];
        }
        let bad = output.mark(Mark::Bad);
        self.differences.iter().map(|difference| format!("{bad} Event {difference}")).collect()
    }
}

async fn listed(crm: &Crm) -> Result<Vec<EventDefinition>, Stopped> {
    crm.client.list_event_definitions().await.map_err(|fault| crm::stopped(&fault))
}

fn is_there(definitions: &[EventDefinition], event: EventName) -> bool {
    definitions.iter().any(|definition| definition.event() == Some(event))
}

/// Whoever sends next must not meet an event that is not there yet.
async fn wait_for_events(crm: &Crm, made: &[&str]) {
    for _ in 0..LOOKS_MAX {
        let Ok(there) = crm.client.list_event_definitions().await else { return };
        let events = EventName::ALL.into_iter().filter(|event| made.contains(&event.as_str()));
        if events.into_iter().all(|event| is_there(&there, event)) {
            return;
        }
        crm.clock.sleep(LOOK_EVERY).await;
    }
}
