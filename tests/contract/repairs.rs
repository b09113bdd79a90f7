//! Repairs on the whole path: what a worker makes of `recompute` and `forget`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use shared::catalog::Catalog;
use shared::envelope::{Content, Envelope};
use shared::identity::Person;
use shared::journal::Figure;
use shared::ports::{Clock as _, Outgoing};
use shared::settings::Backend;
use simulator::faults::{FaultKind, FaultRule};
use tests::path::Path;

use crate::worker::{add, started};

const ADA: &str = "ada@example.org";
/// A course in a pathway with both modules completed, and a standalone one that is only begun.
const STATE: &str = r#"{"courses":{"solo":{"enrolled":true,"modules":{"m":{"started":true,"started_at":"2026-01-02T00:00:00.000Z"}},"started":true,"started_at":"2026-01-02T00:00:00.000Z"}},"p":{"courses":{"a":{"enrolled":true,"modules":{"m":{"completed":true,"completed_at":"2026-01-01T00:00:00.000Z"},"n":{"completed":true,"completed_at":"2026-01-03T00:00:00.000Z"}}}},"enrolled":true}}"#;

fn path() -> Path {
    let modules = |of: &[&str]| of.iter().map(|slug| (*slug).to_owned()).collect();
    Path::new(Catalog {
        courses: BTreeMap::from([
            ("a".to_owned(), modules(&["m", "n"])),
            ("solo".to_owned(), modules(&["m"])),
        ]),
        pathways: BTreeMap::from([("p".to_owned(), vec!["a".to_owned()])]),
    })
}

fn by_email(email: &str) -> Person {
    Person::new(Some(email), None).unwrap()
}

async fn send(path: &Path, content: Content, person: Person) {
    let envelope = Envelope {
        id: format!("repair-{:016x}", path.worker.parts.entropy.next_u64()),
        correlation_id: "repair-1".into(),
        accepted_at: path.clock.now(),
        person,
        content,
        hopped: false,
    };
    put(path, vec![envelope.seal()]).await;
}

async fn put(path: &Path, messages: Vec<Outgoing>) {
    for sent in path.queues.events().send(messages).await {
        sent.unwrap();
    }
}

async fn reasons(path: &Path) -> Vec<String> {
    path.dead_letters().await.iter().map(|dead| dead.attributes["reason"].clone()).collect()
}

#[tokio::test]
async fn a_recompute_derives_milestones_and_roll_ups_from_the_state_and_changes_nothing_twice() {
    let path = path();
    add(
        &path,
        &[
            ("email", ADA),
            ("hhl_progress_state", STATE),
            ("hhl_enrolled_courses", "older"),
            ("hhl_total_progress", "7"),
            ("hhl_last_activity", "2026-01-05"),
        ],
    );
    send(&path, Content::Recompute, by_email(ADA)).await;
    path.come_to_rest().await;
    let held = path.held(ADA).unwrap();
    for (name, value) in [
        ("hhl_enrolled_courses", "a;older;solo"),
        ("hhl_completed_courses", "a"),
        ("hhl_total_progress", "2"),
        ("hhl_progress_summary", "p: 1/1 courses; solo: 0/1 modules"),
        ("hhl_last_activity", "2026-01-05"),
    ] {
        assert_eq!(held[name], value, "{name}");
    }
    let state = &held["hhl_progress_state"];
    let completed = r#""completed":true,"completed_at":"2026-01-03T00:00:00.000Z","courses""#;
    assert!(state.contains(completed), "the pathway is rolled up: {state}");
    assert_eq!(held.get("hhl_progress_updated_at").map_or("", String::as_str), "");
    assert_eq!(path.calls(), 2);

    send(&path, Content::Recompute, by_email(ADA)).await;
    path.come_to_rest().await;
    assert_eq!(path.calls(), 3, "a read, and nothing to write");
    assert_eq!(path.journal.sum(Figure::EventsApplied), 0.0, "a repair is no event");
    assert_eq!(path.journal.lines_saying("Contact recomputed from its state").len(), 1);
}

#[tokio::test]
async fn a_recompute_makes_no_contact_and_no_state() {
    let path = path();
    let lists = [("email", ADA), ("hhl_enrolled_courses", "a"), ("hhl_total_progress", "3")];
    add(&path, &lists);
    let nobody = Person::new(None, Some("987654")).unwrap();
    for person in [by_email(ADA), by_email("nobody@example.org"), nobody] {
        send(&path, Content::Recompute, person).await;
    }
    path.come_to_rest().await;
    let held = path.held(ADA).unwrap();
    assert_eq!(held.get("hhl_progress_state").map_or("", String::as_str), "");
    assert_eq!(held["hhl_total_progress"], "3");
    assert_eq!(path.portal.stats().contacts, 1);
    assert_eq!(path.dead_letters().await, []);
}

#[tokio::test]
async fn a_recompute_beside_events_is_one_write_with_them() {
    let path = path();
    add(&path, &[("email", ADA), ("hhl_progress_state", STATE)]);
    path.track(&started(ADA, "hello-dough")).await;
    send(&path, Content::Recompute, by_email(ADA)).await;
    path.come_to_rest().await;
    let held = path.held(ADA).unwrap();
    assert_eq!(held["hhl_completed_courses"], "a");
    assert_eq!(held["hhl_enrolled_courses"], "a;bread-basics;solo");
    assert_eq!(path.calls(), 2);
    assert_eq!(path.journal.sum(Figure::EventsApplied), 1.0);
}

#[tokio::test]
async fn a_recompute_of_a_state_that_cannot_be_read_writes_nothing_and_is_a_dead_letter() {
    let path = path();
    let broken = [("email", ADA), ("hhl_progress_state", "{\"oops"), ("hhl_total_progress", "3")];
    add(&path, &broken);
    send(&path, Content::Recompute, by_email(ADA)).await;
    path.come_to_rest().await;
    assert_eq!(path.held(ADA).unwrap()["hhl_progress_state"], "{\"oops");
    assert_eq!(reasons(&path).await, ["CORRUPT_STATE"]);
}

#[tokio::test]
async fn whoever_is_forgotten_is_deleted_and_the_events_in_hand_are_dropped_and_counted() {
    let path = path();
    add(&path, &[("email", ADA), ("hhl_progress_state", STATE)]);
    path.track(&started(ADA, "before")).await;
    path.track(&started("bob@example.org", "his-own")).await;
    send(&path, Content::Forget, by_email(ADA)).await;
    path.track(&started(ADA, "after")).await;
    path.come_to_rest().await;
    assert_eq!(path.held(ADA), None);
    assert!(path.held("bob@example.org").is_some());
    assert_eq!(path.journal.sum(Figure::EventsForgotten), 2.0);
    assert_eq!(path.journal.sum(Figure::EventsApplied), 1.0);
    assert_eq!(path.journal.lines_saying("Contact forgotten")[0].fields["events_dropped"], 2);
    assert_eq!(path.dead_letters().await, []);
    let told = format!("{:?}", path.journal.lines());
    assert!(!told.contains("@example"), "{told}");
}

#[tokio::test]
async fn a_contact_is_forgotten_in_its_own_group_under_whatever_name_it_was_asked_for() {
    let path = path();
    let kept = add(&path, &[("email", ADA)]);
    let gone = add(&path, &[("email", "old@example.org")]);
    path.portal.merge_contacts(path.clock.now(), kept, gone).unwrap();
    send(&path, Content::Forget, by_email("old@example.org")).await;
    path.come_to_rest().await;
    assert_eq!(path.held(ADA), None);
    assert_eq!(path.portal.stats().contacts, 0);
    let id = add(&path, &[("email", "eve@example.org")]).to_string();
    send(&path, Content::Forget, Person::new(None, Some(&id)).unwrap()).await;
    path.come_to_rest().await;
    assert_eq!(path.held("eve@example.org"), None);
}

#[tokio::test]
async fn nobody_is_forgotten_twice_and_an_id_of_nobody_is_done() {
    let path = path();
    add(&path, &[("email", ADA)]);
    for person in [by_email(ADA), by_email(ADA), Person::new(None, Some("987654")).unwrap()] {
        send(&path, Content::Forget, person).await;
        path.come_to_rest().await;
    }
    let event = json!({
        "eventName": "learning_pathway_enrolled", "pathway_slug": "p",
        "contactIdentifier": { "contactId": "987654" },
    });
    path.track(&event).await;
    send(&path, Content::Forget, Person::new(None, Some("987654")).unwrap()).await;
    path.come_to_rest().await;
    assert_eq!(path.portal.stats().contacts, 0);
    assert_eq!(path.journal.sum(Figure::EventsForgotten), 1.0);
    assert_eq!(path.dead_letters().await, []);
}

#[tokio::test]
async fn what_comes_after_a_person_was_forgotten_is_hubspots_to_refuse() {
    for refuses in [false, true] {
        let path = path();
        path.portal.set(|settings| settings.gdpr_blocks_create = refuses);
        add(&path, &[("email", ADA)]);
        send(&path, Content::Forget, by_email(ADA)).await;
        path.come_to_rest().await;
        path.track(&started(ADA, "much-later")).await;
        path.come_to_rest().await;
        assert_eq!(path.held(ADA).is_some(), !refuses);
        let expected: &[&str] = if refuses { &["REJECTED"] } else { &[] };
        assert_eq!(reasons(&path).await, expected);
    }
}

#[tokio::test]
async fn a_delete_that_fails_is_made_again_and_drops_nothing_before() {
    for kind in [
        FaultKind::CutAfter,
        FaultKind::Edge { status: 503 },
        FaultKind::TenSecondly,
        FaultKind::Unauthorized,
    ] {
        let path = path();
        add(&path, &[("email", ADA)]);
        path.portal.set_fault(FaultRule::on("/gdpr-delete", kind.clone()).times(1));
        path.track(&started(ADA, "before")).await;
        send(&path, Content::Forget, by_email(ADA)).await;
        path.pump_once().await;
        assert_eq!(path.journal.sum(Figure::EventsForgotten), 0.0, "{kind:?}");
        path.go_on_for(Duration::from_secs(120)).await;
        path.come_to_rest().await;
        assert_eq!(path.held(ADA), None, "{kind:?}");
        assert_eq!(path.journal.sum(Figure::EventsForgotten), 1.0, "{kind:?}");
        assert_eq!(path.dead_letters().await, [], "{kind:?}");
    }
}

#[tokio::test]
async fn the_events_backend_forgets_too_and_has_nothing_to_recompute() {
    let mut path = path();
    path.worker.parts.settings.backend = Backend::Events;
    path.portal.define_milepost_events();
    add(&path, &[("email", ADA), ("hhl_progress_state", STATE)]);
    path.track(&started(ADA, "before")).await;
    path.track(&started("bob@example.org", "his-own")).await;
    send(&path, Content::Forget, by_email(ADA)).await;
    send(&path, Content::Recompute, by_email("bob@example.org")).await;
    path.come_to_rest().await;
    assert_eq!(path.held(ADA), None);
    assert_eq!(path.portal.accepted_events().len(), 1);
    assert_eq!(path.journal.sum(Figure::EventsForgotten), 1.0);
    assert_eq!(path.dead_letters().await, []);
}
