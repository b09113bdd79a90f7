//! The worker on the whole path: what becomes of events, of contacts, and of HubSpot's quota.

use std::time::Duration;

use serde_json::{Value, json};
use shared::journal::Figure;
use shared::ports::{Clock as _, Outgoing};
use simulation::entropy::SeededEntropy;
use simulator::LOCAL_TOKEN;
use simulator::exchange::PortalRequest;
use simulator::faults::{FaultKind, FaultRule};
use tests::path::Path;

use crate::golden;

pub(crate) fn started(email: &str, module: &str) -> Value {
    json!({
        "eventName": "learning_module_started",
        "contactIdentifier": { "email": email },
        "payload": { "module_slug": module, "course_slug": "bread-basics",
            "ts": "2026-09-20T10:00:00Z" },
    })
}

fn address(n: usize) -> String {
    format!("learner.{n}@example.org")
}

/// So many events of so many people, spread evenly.
pub(crate) fn crowd(people: usize, events_each: usize) -> Vec<Value> {
    (0..events_each)
        .flat_map(|nth| (0..people).map(move |n| started(&address(n), &format!("module-{nth}"))))
        .collect()
}

pub(crate) fn path() -> Path {
    Path::new(golden::catalog())
}

pub(crate) fn add(path: &Path, properties: &[(&str, &str)]) -> u64 {
    let properties =
        properties.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    path.portal.add_contact(path.clock.now(), &properties).unwrap()
}

/// Makes these the last viewed types that the portal knows.
fn set_view_options(path: &Path, values: &[&str]) {
    let option = |value: &&str| json!({ "label": value, "value": value, "hidden": false });
    let options: Vec<Value> = values.iter().map(option).collect();
    let reply = path.portal.handle(
        path.clock.now(),
        &PortalRequest {
            method: http::Method::PATCH,
            path: "/crm/properties/2026-09/contacts/hhl_last_viewed_type".into(),
            token: Some(LOCAL_TOKEN.into()),
            body: json!({ "options": options }).to_string().into(),
        },
    );
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn a_new_person_becomes_a_lead_with_all_milestones() {
    let path = path();
    path.track(&started("New.Learner@example.org", "hello-dough")).await;
    path.come_to_rest().await;
    let held = path.held("new.learner@example.org").unwrap();
    for (name, value) in [
        ("email", "new.learner@example.org"),
        ("lifecyclestage", "lead"),
        ("hhl_enrolled_courses", "bread-basics"),
        ("hhl_total_progress", "0"),
        ("hhl_last_activity", "2026-09-20"),
        ("hhl_progress_summary", "bread-basics: 0/1 modules"),
    ] {
        assert_eq!(held[name], value, "{name}");
    }
    let messages = path.journal.messages();
    for phrase in [
        "[CRM] Contact not found, creating new contact",
        "[CRM] Created new learning contact",
        "Track event (persisted via properties) learning_module_started",
    ] {
        assert!(messages.iter().any(|message| message == phrase), "{phrase}: {messages:?}");
    }
}

#[tokio::test]
async fn a_thousand_events_of_a_hundred_contacts_cost_two_calls() {
    let path = path();
    path.track_all(&crowd(100, 1)).await;
    path.come_to_rest().await;
    assert_eq!(path.calls(), 2, "a hundred new ones: read, create");

    path.track_all(&crowd(100, 10)).await;
    path.come_to_rest().await;
    assert_eq!(path.calls(), 4, "a hundred known ones: read, update");

    path.track_all(&crowd(100, 10)).await;
    path.come_to_rest().await;
    assert_eq!(path.calls(), 5, "the same again under new ids: read, nothing to write");
    assert_eq!(path.journal.sum(Figure::EventsApplied), 2_100.0);
    assert_eq!(path.dead_letters().await, []);
}

#[tokio::test]
async fn an_event_that_comes_twice_under_one_id_counts_once() {
    let path = path();
    let mut event = started("a@example.org", "hello-dough");
    event["eventId"] = "e-1".into();
    path.track_all(&[event.clone(), event]).await;
    assert_eq!(path.queues.events().depth().await.unwrap().total(), 1);
}

#[tokio::test]
async fn one_unreadable_message_is_its_own_fate_alone() {
    let path = path();
    path.track(&started("a@example.org", "hello-dough")).await;
    let foreign = Outgoing {
        body: "no envelope".into(),
        group: "g".into(),
        deduplication_id: "d".into(),
        attributes: Default::default(),
    };
    let sent = path.queues.events().send(vec![foreign]).await;
    assert!(sent[0].is_ok());
    path.come_to_rest().await;
    assert!(path.held("a@example.org").is_some());
    let dead = path.dead_letters().await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].attributes["reason"], "UNREADABLE");
    assert_eq!(dead[0].attributes["attempts"], "1");
    assert_eq!(dead[0].body, "no envelope");
}

#[tokio::test]
async fn a_message_of_a_newer_version_is_left_for_a_newer_worker() {
    let path = path();
    let newer = Outgoing {
        body: r#"{"v":9,"kind":"parcel"}"#.into(),
        group: "g".into(),
        deduplication_id: "d".into(),
        attributes: Default::default(),
    };
    assert!(path.queues.events().send(vec![newer]).await[0].is_ok());
    path.go_on_for(Duration::from_secs(3 * 3_600)).await;
    assert_eq!(path.queues.events().depth().await.unwrap().total(), 1);
    assert_eq!(path.dead_letters().await, []);
}

#[tokio::test]
async fn nothing_is_written_over_a_state_that_cannot_be_read() {
    let path = path();
    add(&path, &[("email", "c@example.org"), ("hhl_progress_state", "{\"oops")]);
    path.track(&started("c@example.org", "hello-dough")).await;
    path.come_to_rest().await;
    assert_eq!(path.held("c@example.org").unwrap()["hhl_progress_state"], "{\"oops");
    assert_eq!(path.dead_letters().await[0].attributes["reason"], "CORRUPT_STATE");
}

#[tokio::test]
async fn an_unknown_id_falls_back_to_the_email_and_alone_creates_nobody() {
    let path = path();
    let mut event = started("d@example.org", "hello-dough");
    event["contactIdentifier"]["contactId"] = "424242".into();
    path.track(&event).await;
    for id in ["434343", "no-number"] {
        event["contactIdentifier"] = json!({ "contactId": id });
        path.track(&event).await;
    }
    path.come_to_rest().await;
    assert!(path.held("d@example.org").is_some());
    assert_eq!(path.portal.stats().contacts, 1);
    let reasons: Vec<_> =
        path.dead_letters().await.iter().map(|dead| dead.attributes["reason"].clone()).collect();
    assert_eq!(reasons, ["CONTACT_NOT_FOUND", "CONTACT_NOT_FOUND"]);
}

#[tokio::test]
async fn events_under_an_id_a_secondary_and_a_merged_address_meet_on_one_contact() {
    let path = path();
    let kept = add(&path, &[("email", "kept@example.org")]);
    let gone = add(&path, &[("email", "gone@example.org")]);
    path.portal.merge_contacts(path.clock.now(), kept, gone).unwrap();
    let mut events = vec![
        started("kept@example.org", "m-kept"),
        started("gone@example.org", "m-gone"),
        started("x@example.org", "m-id"),
        started("x@example.org", "m-old-id"),
    ];
    let survivor = path.portal.contact_by_email("kept@example.org").unwrap().id;
    events[2]["contactIdentifier"] = json!({ "contactId": survivor.to_string() });
    events[3]["contactIdentifier"] =
        json!({ "contactId": gone.to_string(), "email": "gone@example.org" });
    path.track_all(&events).await;
    path.come_to_rest().await;
    assert_eq!(path.dead_letters().await, []);
    let state = path.held("kept@example.org").unwrap()["hhl_progress_state"].clone();
    for module in ["m-kept", "m-gone", "m-id", "m-old-id"] {
        assert!(state.contains(module), "{module}: {state}");
    }
    assert!(path.held("x@example.org").is_none());
}

#[tokio::test]
async fn one_address_that_hubspot_refuses_costs_the_other_ninety_nine_nothing() {
    let path = path();
    path.portal.set(|settings| settings.refused_tlds = vec!["con".into()]);
    let mut events = crowd(99, 1);
    events.insert(40, started("typo@example.con", "hello-dough"));
    path.track_all(&events).await;
    path.come_to_rest().await;
    assert_eq!(path.portal.stats().contacts, 99);
    let dead = path.dead_letters().await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].attributes["reason"], "INVALID_EMAIL");
    assert!(!dead[0].attributes["detail"].contains("typo"));
    assert!(path.calls() <= 2 + 16, "{} calls", path.calls());
}

#[tokio::test]
async fn a_contact_that_appeared_meanwhile_is_updated_and_not_created_again() {
    let path = path();
    // The read says that nobody is there, and by the time of the write somebody is.
    path.portal.set_fault(FaultRule::on("batch/create", FaultKind::InternalError).times(1));
    path.track(&started("e@example.org", "hello-dough")).await;
    path.pump_once().await;
    add(&path, &[("email", "e@example.org"), ("firstname", "Eve")]);
    path.come_to_rest().await;
    let held = path.held("e@example.org").unwrap();
    assert_eq!(held["firstname"], "Eve");
    assert_eq!(held["hhl_enrolled_courses"], "bread-basics");
    assert_eq!(path.portal.stats().contacts, 1);
}

#[tokio::test]
async fn a_row_that_a_success_passed_over_is_not_taken_for_written() {
    let path = path();
    add(&path, &[("email", "g@example.org")]);
    path.portal
        .set_fault(FaultRule::on("batch/update", FaultKind::SilentNoOp { rows: 1 }).times(1));
    path.track(&started("g@example.org", "hello-dough")).await;
    path.pump_once().await;
    assert_eq!(path.calls(), 4, "read, update, and both once more");
    assert_eq!(path.queues.events().depth().await.unwrap().total(), 0);
    assert_eq!(path.held("g@example.org").unwrap()["hhl_enrolled_courses"], "bread-basics");
}

#[tokio::test]
async fn no_ten_seconds_see_more_calls_than_the_share() {
    let path = path();
    path.track_all(&crowd(3_000, 1)).await;
    path.come_to_rest().await;
    assert_eq!(path.portal.stats().contacts, 3_000);
    assert!(path.portal.peak_in_ten_seconds() <= 90, "{}", path.portal.peak_in_ten_seconds());
    assert_eq!(path.portal.stats().throttled, 0);
    assert!(path.calls() <= 2 * 30 + 4, "{} calls for 3,000 new contacts", path.calls());
}

#[tokio::test]
async fn a_viewed_type_that_the_portal_does_not_know_costs_the_view_alone() {
    let path = path();
    set_view_options(&path, &["course", "module"]);
    let view = json!({
        "eventName": "learning_page_viewed",
        "contactIdentifier": { "email": "h@example.org" },
        "payload": { "content_type": "pathway", "slug": "home-baker" },
    });
    path.track_all(&[view, started("h@example.org", "hello-dough")]).await;
    path.come_to_rest().await;
    let held = path.held("h@example.org").unwrap();
    assert_eq!(held["hhl_enrolled_courses"], "bread-basics");
    assert!(!held.contains_key("hhl_last_viewed_slug"));
    assert_eq!(path.dead_letters().await, []);
}

#[tokio::test]
async fn a_claim_that_the_progress_does_not_bear_out_changes_nothing_and_is_counted() {
    let path = path();
    path.track(&started("k@example.org", "hello-dough")).await;
    path.come_to_rest().await;
    let before = path.held("k@example.org").unwrap();
    let claim = json!({
        "eventName": "learning_course_completed",
        "contactIdentifier": { "email": "k@example.org" },
        "course_slug": "bread-basics",
        "payload": { "ts": "2026-09-20T10:00:00Z" },
    });
    path.track(&claim).await;
    path.come_to_rest().await;
    assert_eq!(path.held("k@example.org").unwrap(), before);
    assert_eq!(path.journal.sum(Figure::UnsupportedClaims), 1.0);
    assert_eq!(path.dead_letters().await, []);
}

#[tokio::test]
async fn a_state_that_would_not_fit_is_not_written_and_one_that_nearly_fills_is_counted() {
    let path = path();
    let state =
        |bytes: usize| json!({ "p": { "modules": {}, "note": "x".repeat(bytes) } }).to_string();
    add(&path, &[("email", "full@example.org"), ("hhl_progress_state", &state(65_480))]);
    add(&path, &[("email", "near@example.org"), ("hhl_progress_state", &state(55_000))]);
    path.track_all(&[started("full@example.org", "m"), started("near@example.org", "m")]).await;
    path.come_to_rest().await;
    let dead = path.dead_letters().await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].attributes["reason"], "STATE_TOO_LARGE");
    assert_eq!(path.held("full@example.org").unwrap()["hhl_progress_state"], state(65_480));
    assert!(path.held("near@example.org").unwrap()["hhl_progress_state"].contains("bread-basics"));
    assert_eq!(path.journal.sum(Figure::StatesNearLimit), 1.0);
}

#[tokio::test]
async fn recorded_histories_end_as_recorded_shuffled_and_with_duplicates() {
    let path = path();
    // Some histories begin with a view of a type that only the original wrote.
    set_view_options(&path, &["course", "module", "pathway", "page"]);
    let histories: Vec<_> = golden::histories().into_iter().step_by(2).collect();
    let now = path.clock.now();
    let events = golden::shuffled(&histories, &SeededEntropy::new(5), |initial| {
        path.portal.add_contact(now, initial).unwrap()
    });
    for batch in events.chunks(37) {
        let answer = path.track(&json!({ "events": batch })).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        path.pump_once().await;
    }
    path.come_to_rest().await;
    assert_eq!(path.dead_letters().await, []);
    for history in &histories {
        let email = history.expected.get("email").unwrap();
        golden::assert_same(&history.id, &path.held(email).unwrap(), &history.expected);
    }
}

#[tokio::test]
async fn no_line_of_the_worker_holds_an_address_a_token_or_a_body() {
    let path = path();
    path.portal.set(|settings| settings.refused_tlds = vec!["con".into()]);
    add(&path, &[("email", "canary.c@example.org"), ("hhl_progress_state", "{\"canary")]);
    let secondary = add(&path, &[("email", "canary.s@example.org")]);
    let primary = add(&path, &[("email", "canary.p@example.org")]);
    path.portal.merge_contacts(path.clock.now(), primary, secondary).unwrap();
    for kind in [
        FaultKind::Unauthorized,
        FaultKind::Edge { status: 503 },
        FaultKind::TenSecondly,
        FaultKind::CutAfter,
        FaultKind::SilentNoOp { rows: 1 },
    ] {
        path.portal.set_fault(FaultRule::on("/batch/", kind).times(1));
        let people = ["canary.a@example.org", "canary.s@example.org", "canary.c@example.org"];
        let mut events = people.map(|email| started(email, "canary-module")).to_vec();
        events.push(started("canary@example.con", "canary-module"));
        path.track_all(&events).await;
        path.come_to_rest().await;
    }
    let foreign = Outgoing {
        body: "canary, no envelope".into(),
        group: "g".into(),
        deduplication_id: "d".into(),
        attributes: Default::default(),
    };
    assert!(path.queues.events().send(vec![foreign]).await[0].is_ok());
    path.come_to_rest().await;
    let lines = path.journal.lines();
    assert!(lines.len() > 20, "{} lines", lines.len());
    for line in lines {
        let text = format!("{line:?}");
        assert!(!text.contains("canary") && !text.contains(LOCAL_TOKEN), "{text}");
    }
}
