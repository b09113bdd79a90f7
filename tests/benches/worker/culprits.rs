//! One bad record, or ten, among a hundred: what is written all the same, and what it costs.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::journal::Figure;
use shared::ports::Clock as _;
use simulation::world::World;
use simulator::LOCAL_TOKEN;
use simulator::exchange::PortalRequest;

use crate::people::{DAYS, HOUR, Site, add_people, address, event, world};
use crate::table::Table;

/// Prints the section.
pub(crate) fn culprits(table: &mut Table) {
    for heeds_trace_ids in [true, false] {
        for bad in [1, 10] {
            for (kind, spoil) in KINDS_OF_BAD {
                let world = world(&Site {
                    workers: 1,
                    burst_limit: 250,
                    heeds_trace_ids,
                    ..Site::default()
                });
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
                table.row(&what, found, reach);
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
