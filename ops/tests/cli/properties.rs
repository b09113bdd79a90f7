//! Portals that lack what Milepost writes, or refuse to be asked.

use std::process::Output;
use std::sync::Arc;

use host::clock::SystemClock;
use serde_json::{Value, json};
use simulator::{LOCAL_TOKEN, Portal};
use simulator_server::http_door;
use tokio::net::TcpListener;

use crate::ended::{document, run, stderr, stdout};
use crate::process::{client, milepost};

/// A portal that knows nothing of Milepost, and its URL.
async fn bare_portal() -> (Arc<Portal>, String) {
    let portal = Arc::new(Portal::in_memory(7));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let clock = Arc::new(SystemClock::start());
    let never = std::future::pending();
    tokio::spawn(http_door::serve(listener, portal.clone(), clock, never));
    (portal, url)
}

async fn properties(arguments: &[&str], url: &str, token: &str) -> Output {
    let mut command = milepost(&["properties"]);
    command
        .args(arguments)
        .env("HUBSPOT_BASE_URL", url)
        .env("HUBSPOT_PRIVATE_APP_TOKEN", token)
        .env("HUBSPOT_BURST_LIMIT", "250");
    run(&mut command).await
}

fn outcomes(report: &Value, of: &str) -> Vec<String> {
    let list = report[of].as_array().unwrap();
    list.iter().map(|one| one["outcome"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn create_makes_what_is_missing_and_then_leaves_what_exists() {
    let (_portal, url) = bare_portal().await;
    let before = properties(&["check", "--json"], &url, LOCAL_TOKEN).await;
    assert_eq!(before.status.code(), Some(1));
    assert_eq!(document(&before)["ok"], false);

    let created = properties(&["create"], &url, LOCAL_TOKEN).await;
    assert_eq!(created.status.code(), Some(0), "{created:?}");
    let told = stdout(&created);
    assert!(told.contains("✓ Property group learning_milestones created successfully\n"), "{told}");
    assert!(told.contains("✓ Property hhl_total_progress created successfully\n"), "{told}");
    assert!(told.ends_with("✓ All properties created successfully!\n"), "{told}");

    let again = properties(&["create", "--json"], &url, LOCAL_TOKEN).await;
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    let report = document(&again);
    assert_eq!(outcomes(&report, "groups"), ["exists"; 2]);
    assert_eq!(outcomes(&report, "properties"), ["exists"; 10]);

    let after = properties(&["check"], &url, LOCAL_TOKEN).await;
    assert_eq!(after.status.code(), Some(0), "{after:?}");
    assert_eq!(stdout(&after).matches('✓').count(), 10);
}

#[tokio::test]
async fn a_property_that_an_event_lacks_is_added_and_another_type_is_left_and_told() {
    let (_portal, url) = bare_portal().await;
    let event = json!({
        "name": "learning_page_viewed", "label": "Viewed", "primaryObject": "CONTACT",
        "propertyDefinitions": [
            {"name": "pathway", "label": "Pathway", "type": "string"},
            {"name": "course", "label": "Course", "type": "enumeration"},
            {"name": "module", "label": "Module", "type": "string"},
            {"name": "source", "label": "Source", "type": "string"},
        ],
    });
    let request = client()
        .post(format!("{url}/events/custom/2026-09/event-definitions"))
        .bearer_auth(LOCAL_TOKEN)
        .header("content-type", "application/json")
        .body(event.to_string());
    assert_eq!(request.send().await.unwrap().status().as_u16(), 201);

    let created = properties(&["create", "--events", "--json"], &url, LOCAL_TOKEN).await;
    let viewed = document(&created)["events"][6].clone();
    assert_eq!(viewed["outcome"], "properties_added", "{created:?}");
    assert_eq!(viewed["properties"], json!(["content_type", "slug"]));

    let checked = properties(&["check", "--events"], &url, LOCAL_TOKEN).await;
    assert_eq!(checked.status.code(), Some(1));
    let bad: Vec<&str> = stdout(&checked).lines().filter(|line| line.starts_with('✗')).collect();
    assert_eq!(bad.len(), 1, "{bad:?}");
    let told = "learning_page_viewed has course of type enumeration, not string";
    assert!(bad[0].contains(told), "{bad:?}");
}

#[tokio::test]
async fn events_are_made_and_checked_apart_from_properties() {
    let (_portal, url) = bare_portal().await;
    let before = properties(&["check", "--events", "--json"], &url, LOCAL_TOKEN).await;
    assert_eq!(before.status.code(), Some(1), "{before:?}");
    let missing = &document(&before)["events"][0]["differences"][0];
    let told =
        "learning_module_started is not defined; hint: run `milepost properties create --events`";
    assert_eq!(missing, told);

    let created = properties(&["create", "--events"], &url, LOCAL_TOKEN).await;
    assert_eq!(created.status.code(), Some(0), "{created:?}");
    let told = stdout(&created);
    assert!(told.contains("✓ Event learning_page_viewed created successfully\n"), "{told}");
    assert!(told.ends_with("✓ All events created successfully!\n"), "{told}");

    let again = properties(&["create", "--events", "--json"], &url, LOCAL_TOKEN).await;
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    assert_eq!(outcomes(&document(&again), "events"), ["exists"; 7]);

    let after = properties(&["check", "--events"], &url, LOCAL_TOKEN).await;
    assert_eq!(after.status.code(), Some(0), "{after:?}");
    assert_eq!(stdout(&after).matches('✓').count(), 7);

    let others = properties(&["check"], &url, LOCAL_TOKEN).await;
    assert_eq!(others.status.code(), Some(1), "{others:?}");
}

#[tokio::test]
async fn an_option_that_is_missing_is_added_and_another_type_is_left_and_told() {
    let (_portal, url) = bare_portal().await;
    let made = [
        json!({
            "name": "hhl_last_viewed_type", "label": "HHL Last Viewed Type",
            "type": "enumeration", "fieldType": "select", "groupName": "contactinformation",
            "options": [
                {"value": "course", "label": "Course", "displayOrder": 0, "hidden": false},
                {"value": "module", "label": "Lesson", "displayOrder": 1, "hidden": false},
            ],
        }),
        json!({
            "name": "hhl_total_progress", "label": "Progress",
            "type": "string", "fieldType": "text", "groupName": "contactinformation",
        }),
    ];
    for property in made {
        let request = client()
            .post(format!("{url}/crm/properties/2026-09/contacts"))
            .bearer_auth(LOCAL_TOKEN)
            .header("content-type", "application/json")
            .body(property.to_string());
        assert_eq!(request.send().await.unwrap().status().as_u16(), 201);
    }
    let created = properties(&["create", "--json"], &url, LOCAL_TOKEN).await;
    let report = document(&created);
    let of = |name: &str| {
        let list = report["properties"].as_array().unwrap();
        list.iter().find(|property| property["name"] == name).unwrap().clone()
    };
    assert_eq!(of("hhl_last_viewed_type")["outcome"], "options_added");
    assert_eq!(of("hhl_last_viewed_type")["options"], json!(["pathway"]));
    assert_eq!(of("hhl_total_progress")["outcome"], "exists");

    let checked = properties(&["check"], &url, LOCAL_TOKEN).await;
    assert_eq!(checked.status.code(), Some(1));
    let bad: Vec<&str> = stdout(&checked).lines().filter(|line| line.starts_with('✗')).collect();
    assert_eq!(bad.len(), 1, "{bad:?}");
    assert!(bad[0].contains("hhl_total_progress is of type string, not number"), "{bad:?}");
}

#[tokio::test]
async fn what_the_token_may_not_do_is_said_of_each_property() {
    let (portal, url) = bare_portal().await;
    portal.grant("reads-only", &["crm.objects.contacts.read"]);
    let created = properties(&["create"], &url, "reads-only").await;
    assert_eq!(created.status.code(), Some(1), "{created:?}");
    assert_eq!(stdout(&created).matches("\n✗ Property ").count(), 12, "{created:?}");
    let told = "✗ Property hhl_total_progress: the portal refuses this app";
    assert!(stdout(&created).contains(told), "{created:?}");
    assert!(stdout(&created).contains("crm.schemas.contacts.write"), "{created:?}");
    assert!(stdout(&created).ends_with("✗ 12 could not be created\n"), "{created:?}");
}

#[tokio::test]
async fn a_portal_that_refuses_or_is_away_ends_it_with_3() {
    let (_portal, url) = bare_portal().await;
    for action in ["create", "check"] {
        let refused = properties(&[action, "--json"], &url, "pat-na1-wrong").await;
        assert_eq!(refused.status.code(), Some(3), "{refused:?}");
        assert!(stdout(&refused).is_empty());
        let told = stderr(&refused);
        assert!(told.contains("401") && told.contains("HUBSPOT_PRIVATE_APP_TOKEN"), "{told}");
        assert!(!told.contains("pat-na1-wrong"), "{told}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let away = properties(&["check"], &format!("http://{nobody}"), LOCAL_TOKEN).await;
    assert_eq!(away.status.code(), Some(3), "{away:?}");
}
