//! `PROGRESS_BACKEND=events` on the whole path: each event is in the portal once, and no contact is
//! touched.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use hubspot::Client;
use hubspot::token::TokenSource;
use hubspot::version::ApiVersion;
use serde_json::{Value, json};
use shared::event_definitions::EVENT_PROPERTIES;
use shared::journal::Figure;
use shared::ports::Clock;
use shared::settings::Backend;
use simulation::world::{World, WorldSettings};
use simulator::exchange::PortalRequest;
use simulator::faults::{FaultKind, FaultRule};
use simulator::inner_door::InnerDoor;
use simulator::{EventView, LOCAL_TOKEN, Portal};
use tests::path::Path;

use crate::golden;

const WELL_AGAIN_WITHIN: Duration = Duration::from_secs(90);

fn started(email: &str, module: &str) -> Value {
    json!({
        "eventName": "learning_module_started",
        "contactIdentifier": { "email": email },
        "pathway_slug": "home-baker",
        "payload": { "module_slug": module, "course_slug": "bread-basics",
            "ts": "2026-09-20T10:00:00Z" },
    })
}

fn crowd(people: usize) -> Vec<Value> {
    (0..people).map(|n| started(&format!("learner.{n}@example.org"), "hello-dough")).collect()
}

/// A path to a portal that defines no event yet.
fn bare_path() -> Path {
    let mut path = Path::new(golden::catalog());
    path.worker.parts.settings.backend = Backend::Events;
    path
}

fn path() -> Path {
    let path = bare_path();
    path.portal.define_milepost_events();
    path
}

/// What an administrator of the portal does with definitions; gives the status.
fn definitions(path: &Path, method: Method, below: &str, body: Value) -> u16 {
    let request = PortalRequest {
        method,
        path: format!("/events/custom/2026-09/event-definitions{below}"),
        token: Some(LOCAL_TOKEN.into()),
        body: body.to_string().into(),
    };
    path.portal.handle(path.clock.now(), &request).status
}

/// The ids of what the portal accepted, each of which must be there once.
fn accepted_ids(portal: &Portal) -> BTreeSet<String> {
    let accepted = portal.accepted_events();
    let ids: BTreeSet<String> =
        accepted.iter().map(|event| event.uuid.clone().expect("every event has an id")).collect();
    assert_eq!(ids.len(), accepted.len());
    ids
}

#[tokio::test]
async fn an_event_is_sent_as_it_is_and_no_contact_is_read_or_written() {
    let path = path();
    let mut event = started("Learner@example.org", "hello-dough");
    event["eventId"] = "019ab7c2-9a40-7fff-bfff-0123456789ab".into();
    path.track(&event).await;
    path.come_to_rest().await;
    let portal_id = path.portal.settings().portal_id;
    let properties =
        [("course", "bread-basics"), ("module", "hello-dough"), ("pathway", "home-baker")];
    let sent = EventView {
        event: format!("pe{portal_id}_learning_module_started"),
        uuid: Some("019ab7c2-9a40-7fff-bfff-0123456789ab".into()),
        email: Some("learner@example.org".into()),
        object_id: None,
        occurred_at: Some("2026-09-20T10:00:00.000Z".into()),
        properties: properties.map(|(name, value)| (name.into(), value.into())).into(),
    };
    assert_eq!(path.portal.accepted_events(), [sent]);
    let calls = path.portal.calls_since(0);
    let calls: Vec<_> = calls.iter().map(|call| (&*call.method, &*call.path)).collect();
    let expected = [
        ("GET", "/events/custom/2026-09/event-definitions"),
        ("POST", "/events/custom/2026-09/send/batch"),
    ];
    assert_eq!(calls, expected);
    let said = format!("{:?}", path.journal.lines());
    assert!(!said.contains("learner@"), "{said}");
    let phrase = "Track event (persisted via events) learning_module_started";
    assert_eq!(path.journal.lines_saying(phrase).len(), 1);
    assert_eq!(path.journal.sum(Figure::EventsApplied), 1.0);
}

#[tokio::test]
async fn each_version_has_its_own_road() {
    for (version, root) in [
        (ApiVersion::V2026_09, "/events/custom/2026-09"),
        (ApiVersion::V2026_03, "/events/2026-03"),
        (ApiVersion::V3, "/events/v3"),
    ] {
        let mut path = path();
        let clock: Arc<dyn Clock> = Arc::new(path.clock.clone());
        path.worker.parts.client = Client::new(
            Arc::new(InnerDoor::new(path.portal.clone(), clock.clone())),
            Arc::new(TokenSource::fixed(LOCAL_TOKEN)),
            path.worker.parts.client.pace().clone(),
            clock,
            version,
        );
        path.track_all(&crowd(2)).await;
        path.come_to_rest().await;
        assert_eq!(accepted_ids(&path.portal).len(), 2, "{version}");
        let calls = path.portal.calls_since(0);
        assert!(calls.iter().all(|call| call.path.starts_with(root)), "{version}: {calls:?}");
    }
}

#[tokio::test]
async fn five_hundred_events_cost_one_call_and_the_definitions_are_asked_for_once() {
    let path = path();
    path.track_all(&crowd(500)).await;
    path.come_to_rest().await;
    assert_eq!(path.calls(), 2);
    path.track_all(&crowd(500)).await;
    path.come_to_rest().await;
    assert_eq!(path.calls(), 3);
    assert_eq!(accepted_ids(&path.portal).len(), 1_000);
    assert_eq!(path.dead_letters().await, []);
}

#[tokio::test]
async fn one_event_that_hubspot_refuses_costs_the_others_nothing() {
    let path = path();
    path.portal.set(|settings| settings.refused_tlds = vec!["con".into()]);
    let mut events = crowd(499);
    events.insert(123, started("typo@example.con", "hello-dough"));
    path.track_all(&events).await;
    path.come_to_rest().await;
    assert_eq!(accepted_ids(&path.portal).len(), 499);
    let dead = path.dead_letters().await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].attributes["reason"], "INVALID_EMAIL");
    assert!(!dead[0].attributes["detail"].contains("typo"));
    // The definitions, twice; the batch; and both halves of what holds the culprit, nine times.
    assert!(path.calls() <= 3 + 18, "{} calls", path.calls());
}

#[tokio::test]
async fn whoever_cannot_be_named_to_hubspot_is_not_found_and_ids_of_two_people_do_not_meet() {
    let path = path();
    let mut events = vec![
        started("a@example.org", "hello-dough"),
        started("b@example.org", "hello-dough"),
        started("", "hello-dough"),
        started("", "hello-dough"),
    ];
    for event in &mut events {
        event["eventId"] = "click-1".into();
    }
    events[2]["contactIdentifier"] = json!({ "contactId": "51" });
    events[3]["contactIdentifier"] = json!({ "contactId": "no-number" });
    path.track_all(&events).await;
    path.come_to_rest().await;
    let mut whom: Vec<_> = path
        .portal
        .accepted_events()
        .into_iter()
        .map(|event| event.email.or(event.object_id).unwrap())
        .collect();
    whom.sort();
    assert_eq!(whom, ["51", "a@example.org", "b@example.org"]);
    let dead = path.dead_letters().await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].attributes["reason"], "CONTACT_NOT_FOUND");
}

#[tokio::test]
async fn an_outage_or_a_refusal_of_the_app_loses_nothing_and_is_over_within_ninety_seconds() {
    for (place, kind) in [
        ("", FaultKind::Away),
        ("", FaultKind::Unauthorized),
        ("event-definitions", FaultKind::Forbidden),
        ("send/batch", FaultKind::Forbidden),
        ("send/batch", FaultKind::TenSecondly),
        ("send/batch", FaultKind::Locked),
    ] {
        let path = path();
        path.portal.set_fault(FaultRule::on(place, kind.clone()));
        path.track_all(&crowd(30)).await;
        path.go_on_for(Duration::from_secs(3_600)).await;
        assert_eq!(path.portal.accepted_events(), [], "{kind:?}");
        assert_eq!(path.dead_letters().await, [], "{kind:?}");
        path.portal.clear_faults();
        let took = path.come_to_rest().await;
        assert!(took <= WELL_AGAIN_WITHIN, "{kind:?}: {took:?}");
        assert_eq!(accepted_ids(&path.portal).len(), 30, "{kind:?}");
        assert_eq!(path.dead_letters().await, [], "{kind:?}");
    }
}

#[tokio::test]
async fn a_definition_that_is_missing_parks_everything_until_it_is_made() {
    let path = bare_path();
    path.track_all(&crowd(3)).await;
    path.go_on_for(Duration::from_secs(3_600)).await;
    assert!(path.calls() <= 61, "{} calls in an hour", path.calls());
    path.portal.define_milepost_events();
    let took = path.come_to_rest().await;
    assert!(took <= WELL_AGAIN_WITHIN, "{took:?}");
    assert_eq!(accepted_ids(&path.portal).len(), 3);

    // One that was there and is gone: the refusal of the batch is no event's fault.
    let gone = definitions(&path, Method::DELETE, "/learning_module_started", Value::Null);
    assert_eq!(gone, 204);
    let before = path.calls();
    path.track_all(&crowd(3)).await;
    path.go_on_for(Duration::from_secs(3_600)).await;
    assert!(path.calls() - before <= 63, "{} calls in an hour", path.calls() - before);
    assert_eq!(path.dead_letters().await, []);
    let faults = path.journal.lines_saying("HubSpot call failed");
    let last = format!("{:?}", faults.last());
    assert!(last.contains("learning_module_started"), "{last}");
    assert!(last.contains("hint: run `milepost properties create --events`"), "{last}");
    path.portal.define_milepost_events();
    let took = path.come_to_rest().await;
    assert!(took <= WELL_AGAIN_WITHIN, "{took:?}");
    assert_eq!(accepted_ids(&path.portal).len(), 6);
}

#[tokio::test]
async fn a_property_that_an_event_lacks_is_no_events_fault() {
    let path = bare_path();
    let bare = json!({ "label": "Started", "name": "learning_module_started" });
    assert_eq!(definitions(&path, Method::POST, "", bare), 201);
    path.portal.define_milepost_events();
    path.track_all(&crowd(3)).await;
    path.go_on_for(Duration::from_secs(600)).await;
    assert_eq!(path.portal.accepted_events(), []);
    assert_eq!(path.dead_letters().await, []);
    for property in EVENT_PROPERTIES {
        let (place, kind) = ("/learning_module_started/property", "string");
        let body = json!({ "name": property.name, "label": property.label, "type": kind });
        assert_eq!(definitions(&path, Method::POST, place, body), 201);
    }
    let took = path.come_to_rest().await;
    assert!(took <= WELL_AGAIN_WITHIN, "{took:?}");
    assert_eq!(accepted_ids(&path.portal).len(), 3);
}

#[tokio::test]
async fn a_definition_that_is_listed_and_not_taken_yet_is_waited_for() {
    let path = path();
    path.portal.set(|settings| settings.event_lag_ms = 300_000);
    let gone = definitions(&path, Method::DELETE, "/learning_module_started", Value::Null);
    assert_eq!(gone, 204);
    let properties = EVENT_PROPERTIES.map(|p| json!({ "name": p.name, "type": "string" }));
    let body = json!({ "name": "learning_module_started", "propertyDefinitions": properties });
    assert_eq!(definitions(&path, Method::POST, "", body), 201);
    path.track_all(&crowd(30)).await;
    let took = path.come_to_rest().await;
    assert!(took <= Duration::from_secs(300) + WELL_AGAIN_WITHIN, "{took:?}");
    assert_eq!(accepted_ids(&path.portal).len(), 30);
    assert_eq!(path.dead_letters().await, []);
}

#[tokio::test]
async fn our_definitions_are_found_behind_those_of_others() {
    let path = path();
    for n in 0..150 {
        let body = json!({ "label": "Other", "name": format!("another_{n}") });
        assert_eq!(definitions(&path, Method::POST, "", body), 201);
        path.clock.advance(Duration::from_millis(200));
    }
    let before = path.calls();
    path.track_all(&crowd(1)).await;
    path.come_to_rest().await;
    assert_eq!(path.calls() - before, 3, "two pages, and the send");
    assert_eq!(accepted_ids(&path.portal).len(), 1);
}

#[tokio::test]
async fn a_send_with_an_unknown_outcome_is_left_alone_and_repeated_without_doubling() {
    for kind in [
        FaultKind::CutBefore,
        FaultKind::CutAfter,
        FaultKind::AppliedThen { status: 502 },
        FaultKind::LateLanding { after_ms: 25_000 },
    ] {
        let path = path();
        path.portal.set_fault(FaultRule::on("send/batch", kind.clone()).times(1));
        path.track_all(&crowd(20)).await;
        path.pump_once().await;
        path.go_on_for(Duration::from_secs(29)).await;
        assert_eq!(path.calls(), 2, "{kind:?}");
        assert_eq!(path.journal.sum(Figure::Quarantined), 20.0, "{kind:?}");
        assert_eq!(path.journal.sum(Figure::EventsApplied), 0.0, "{kind:?}");
        path.come_to_rest().await;
        assert_eq!(accepted_ids(&path.portal).len(), 20, "{kind:?}");
        assert_eq!(path.portal.stats().events, 20, "{kind:?}");
        assert_eq!(path.journal.sum(Figure::EventsApplied), 20.0, "{kind:?}");
    }
}

#[test]
fn every_accepted_event_is_there_once_shuffled_duplicated_and_over_a_bad_line() {
    for seed in 0..30 {
        let world = World::new(&WorldSettings {
            catalog: golden::catalog(),
            backend: Backend::Events,
            ..WorldSettings::of_seed(seed)
        });
        world.portal.define_milepost_events();
        for (kind, probability) in [
            (FaultKind::LateLanding { after_ms: 20_000 }, 0.10),
            (FaultKind::CutAfter, 0.10),
            (FaultKind::CutBefore, 0.10),
            (FaultKind::Edge { status: 503 }, 0.10),
            (FaultKind::TenSecondly, 0.02),
        ] {
            let rule = FaultRule::on("/send/batch", kind);
            world.portal.set_fault(FaultRule { probability: Some(probability), ..rule });
        }
        let mut ids = BTreeSet::new();
        let script = async {
            for _ in 0..60 {
                // Some of the numbers come again, within the queue's memory and after it.
                let (person, number) = (world.below(8), world.below(12));
                let mut event = started(&format!("p{person}@example.org"), "hello-dough");
                event["eventId"] = format!("click-{number}").into();
                let answer = world.track(&event).await;
                assert!(answer.body.contains("persisted"), "{}", answer.body);
                ids.insert((person, number));
                world.clock.sleep(Duration::from_millis(world.below(15_000))).await;
            }
            world.clock.sleep(Duration::from_secs(60)).await;
            world.portal.clear_faults();
        };
        world.run(script, Duration::from_secs(7_200));
        world.portal.settle(world.clock.now() + Duration::from_secs(60));
        assert_eq!(accepted_ids(&world.portal).len(), ids.len(), "seed {seed}");
        assert_eq!(world.dead_letters.messages(), [], "seed {seed}");
    }
}
