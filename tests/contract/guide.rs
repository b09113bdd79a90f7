//! The deployment guide's Tests 1 to 6, with its own request bodies, over HTTP against a running
//! stack. `persisted` means by now: durably queued; so Test 5's sender sees no failure at all.

use std::path::Path;

use serde_json::{Value, json};
use shared::catalog::Catalog;
use simulator::faults::{FaultKind, FaultRule};
use tests::running::Running;

const TEST_1: &str = r#"{
    "eventName": "learning_module_started",
    "contactIdentifier": {
      "email": "newuser@example.com"
    },
    "payload": {
      "module_slug": "intro-to-hedgehog",
      "course_slug": "getting-started-101",
      "pathway_slug": "hedgehog-fundamentals",
      "ts": "2026-01-18T17:30:00.000Z"
    }
  }"#;

const TEST_2: &str = r#"{
    "eventName": "learning_course_enrolled",
    "contactIdentifier": {
      "email": "existing@example.com"
    },
    "course_slug": "advanced-networking",
    "pathway_slug": "network-automation",
    "enrollment_source": "catalog_cta",
    "payload": {
      "ts": "2026-01-18T17:35:00.000Z"
    }
  }"#;

const TEST_3: &str = r#"{
    "eventName": "learning_module_completed",
    "contactIdentifier": {
      "email": "existing@example.com"
    },
    "payload": {
      "module_slug": "intro-to-networking",
      "course_slug": "advanced-networking",
      "pathway_slug": "network-automation",
      "ts": "2026-01-18T17:40:00.000Z"
    }
  }"#;

/// The catalog that stands in the repository.
fn catalog() -> Catalog {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog");
    let (catalog, warnings) = host::catalog_folder::load(&folder).unwrap();
    assert_eq!(warnings, []);
    catalog
}

/// A stack, with the contact that the guide takes for existing.
async fn stack() -> Running {
    let running = Running::start(catalog()).await;
    running.add(&json!({ "email": "existing@example.com", "lifecyclestage": "customer" }));
    running
}

async fn persisted(running: &Running, body: &str) -> Value {
    let (status, answer) = running.post(body.to_owned()).await;
    assert_eq!(status, 200);
    assert_eq!(answer["status"], "persisted");
    assert_eq!(answer["mode"], "authenticated");
    assert_eq!(answer["backend"], "properties");
    assert_eq!(answer["queued"], true);
    answer
}

/// Completes all other modules of a course.
async fn complete_the_rest(running: &Running, pathway: &str, course: &str) {
    for module in &catalog().courses[course] {
        let event = json!({
            "eventName": "learning_module_completed",
            "contactIdentifier": { "email": "existing@example.com" },
            "payload": { "module_slug": module, "course_slug": course, "pathway_slug": pathway,
                "ts": "2026-01-18T18:00:00.000Z" },
        });
        persisted(running, &event.to_string()).await;
    }
}

const EXISTING: &str = "existing@example.com";

#[tokio::test]
async fn test_1_a_new_contact_is_created_as_a_lead() {
    let running = stack().await;
    persisted(&running, TEST_1).await;
    running.until_held("newuser@example.com", "lifecyclestage", "lead").await;
    let contact = running.portal.contact_by_email("newuser@example.com").unwrap();
    let held = |name: &str| contact.properties.get(name).map_or("", String::as_str);
    assert_eq!(held("email"), "newuser@example.com");
    assert_eq!(held("hhl_enrolled_courses"), "getting-started-101");
    assert_eq!(held("hhl_completed_courses"), "");
    assert_eq!(held("hhl_total_progress"), "0");
    assert_eq!(held("hhl_last_activity"), "2026-01-18");
    let state: Value = serde_json::from_str(held("hhl_progress_state")).unwrap();
    let module = "/hedgehog-fundamentals/courses/getting-started-101/modules/intro-to-hedgehog";
    assert_eq!(state.pointer(module).unwrap()["started"], true);

    running
        .until(
            || running.journal.messages().iter().any(|m| m.starts_with("Track event")),
            || "no line tells of the write".into(),
        )
        .await;
    let messages = running.journal.messages();
    for phrase in [
        "[CRM] Contact not found, creating new contact",
        "[CRM] Created new learning contact",
        "Track event (persisted via properties) learning_module_started",
    ] {
        assert!(messages.iter().any(|message| message == phrase), "{phrase}");
    }
    running.stack.stop().await;
}

#[tokio::test]
async fn test_2_an_existing_contact_is_enrolled_and_keeps_its_stage() {
    let running = stack().await;
    persisted(&running, TEST_2).await;
    running.until_held(EXISTING, "hhl_enrolled_courses", "advanced-networking").await;
    running.until_held(EXISTING, "hhl_last_activity", "2026-01-18").await;
    running.until_held(EXISTING, "lifecyclestage", "customer").await;
    running.stack.stop().await;
}

#[tokio::test]
async fn test_3_a_completed_module_increments_the_total() {
    let running = stack().await;
    persisted(&running, TEST_2).await;
    running.until_held(EXISTING, "hhl_total_progress", "0").await;
    persisted(&running, TEST_3).await;
    running.until_held(EXISTING, "hhl_total_progress", "1").await;
    running.until_held(EXISTING, "hhl_last_activity", "2026-01-18").await;
    running.stack.stop().await;
}

#[tokio::test]
async fn test_4_completed_courses_are_listed_sorted() {
    let running = stack().await;
    complete_the_rest(&running, "hedgehog-fundamentals", "getting-started-101").await;
    complete_the_rest(&running, "network-automation", "advanced-networking").await;
    let list = "advanced-networking;getting-started-101";
    running.until_held(EXISTING, "hhl_completed_courses", list).await;
    running.until_held(EXISTING, "hhl_total_progress", "7").await;
    running.stack.stop().await;
}

#[tokio::test]
async fn test_5_hubspot_away_is_not_the_senders_trouble_and_loses_nothing() {
    let running = stack().await;
    running.portal.set_fault(FaultRule::every(FaultKind::Edge { status: 503 }));
    persisted(&running, TEST_3).await;
    running.until(|| running.portal.stats().faults > 1, || "nobody called HubSpot".into()).await;
    let (status, answer) = running.get("/progress/read?email=existing@example.com").await;
    assert_eq!(status, 200);
    assert_eq!(answer, json!({ "mode": "fallback", "error": "Unable to read progress" }));
    running.portal.clear_faults();
    running.until_held(EXISTING, "hhl_total_progress", "1").await;
    running.stack.stop().await;
}

#[tokio::test]
async fn test_6_progress_is_read_back() {
    let running = stack().await;
    persisted(&running, TEST_2).await;
    complete_the_rest(&running, "network-automation", "advanced-networking").await;
    running.until_held(EXISTING, "hhl_total_progress", "3").await;
    let (status, answer) = running.get("/progress/read?email=existing@example.com").await;
    assert_eq!(status, 200);
    assert_eq!(answer["mode"], "authenticated");
    let pathway = &answer["progress"]["network-automation"];
    assert_eq!(pathway["enrolled"], true);
    assert_eq!(pathway["enrolled_at"], "2026-01-18T17:35:00.000Z");
    let course = &pathway["courses"]["advanced-networking"];
    assert_eq!(course["enrolled"], true);
    assert_eq!(course["completed"], true);
    assert!(course["modules"].is_object());
    assert_eq!(answer["updated_at"], "2026-01-18");
    assert_eq!(answer["summary"], "network-automation: 1/1 courses");
    running.stack.stop().await;
}

#[tokio::test]
async fn a_panic_in_a_pass_does_not_stop_the_ones_after_it() {
    // Both pumps of the stack meet it once.
    let journal = std::sync::Arc::new(simulation::journal::KeptJournal::panicking_at("Pass", 2));
    let running = Running::start_with(catalog(), journal).await;
    for n in 0..3 {
        let email = format!("learner.{n}@example.com");
        persisted(&running, &TEST_1.replace("newuser@example.com", &email)).await;
        running.until_held(&email, "lifecyclestage", "lead").await;
    }
    running.stack.stop().await;
}
