//! How much is used, and how long the backlog takes.

use std::sync::Arc;

use host::clock::SystemClock;
use serde_json::{Value, json};
use shared::ports::Clock as _;
use simulator::{LOCAL_TOKEN, Portal};
use simulator_server::http_door;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::ended::{document, run, stderr, stdout};
use crate::letters::{Place, letter, silent};
use crate::process::{Running, eventually, milepost};

/// A portal five hours west of Greenwich, and its URL.
async fn portal() -> (Arc<Portal>, String) {
    let portal = Arc::new(Portal::in_memory(7));
    portal.set(|settings| {
        settings.daily_max = 1_000;
        settings.usage_lag_ms = 0;
        settings.utc_offset_minutes = -300;
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let clock = Arc::new(SystemClock::start());
    tokio::spawn(http_door::serve(listener, portal.clone(), clock, std::future::pending()));
    (portal, url)
}

async fn quota(command: &mut Command, url: &str, code: i32) -> Value {
    command
        .env("HUBSPOT_BASE_URL", url)
        .env("HUBSPOT_PRIVATE_APP_TOKEN", LOCAL_TOKEN)
        .arg("--json");
    let output = run(command).await;
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(!stdout(&output).contains('@') && stderr(&output).is_empty(), "{output:?}");
    document(&output)
}

#[tokio::test]
async fn a_backlog_is_forecast_by_the_pace_of_the_settings_and_by_what_is_left_of_the_day() {
    let (portal, url) = portal().await;
    let folder = tempfile::tempdir().unwrap();
    let place = Place::in_folder(folder.path());
    let events =
        (0..450).map(|number| silent(letter(number, &format!("l{number}@example.org"), "", "")));
    for sent in place.events.send(events.collect()).await {
        sent.unwrap();
    }
    let seen = quota(&mut place.milepost("quota"), &url, 0).await;
    assert_eq!(seen["burst"]["limit"], 100);
    assert_eq!(seen["burst"]["portalLimit"], 100);
    assert_eq!(seen["burst"]["share"], 90, "one process has the whole share");
    assert_eq!(seen["daily"]["limit"], 1_000);
    let resets_at = seen["daily"]["resetsAt"].as_str().unwrap();
    assert!(resets_at.ends_with("T05:00:00.000Z"), "{resets_at}");
    let backlog = &seen["backlog"];
    assert_eq!(backlog["events"], 450);
    assert_eq!(backlog["callsAtLeast"], 10);
    assert_eq!(backlog["callsAtMost"], 900);
    assert_eq!(backlog["secondsAtLeast"], 2);
    assert_eq!(backlog["secondsAtMost"], 100);
    assert_eq!(backlog["fitsInDay"], true);

    let slower = quota(place.milepost("quota").env("HUBSPOT_HEADROOM", "0.5"), &url, 0).await;
    assert_eq!(slower["backlog"]["secondsAtMost"], 180);

    portal.spend_today(SystemClock::start().now(), 995);
    let low = quota(&mut place.milepost("quota"), &url, 1).await;
    assert_eq!(low["backlog"]["fitsInDay"], false, "{low}");
    let resets_in_s = low["daily"]["resetsInS"].as_u64().unwrap();
    assert!(low["backlog"]["secondsAtLeast"].as_u64().unwrap() >= resets_in_s, "{low}");

    portal.spend_today(SystemClock::start().now(), 1_000);
    let spent = quota(&mut place.milepost("quota"), &url, 1).await;
    assert_eq!(spent["daily"]["remaining"], 0);
}

#[tokio::test]
async fn without_a_queue_the_limits_are_told_and_a_refusal_ends_it_with_3() {
    let (_portal, url) = portal().await;
    let seen = quota(&mut milepost(&["quota"]), &url, 0).await;
    assert_eq!(seen["backlog"], json!(null));
    let mut refused = milepost(&["quota"]);
    refused.env("HUBSPOT_BASE_URL", url).env("HUBSPOT_PRIVATE_APP_TOKEN", "pat-na1-wrong");
    let output = run(&mut refused).await;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(stderr(&output).contains("401") && stdout(&output).is_empty(), "{output:?}");
}

#[tokio::test]
async fn a_server_learns_when_the_portals_day_begins() {
    let (portal, url) = portal().await;
    let folder = tempfile::tempdir().unwrap();
    let mut serve = milepost(&["serve", "--json", "--listen", "127.0.0.1:0", "--data"]);
    serve
        .arg(folder.path())
        .env("HUBSPOT_BASE_URL", url)
        .env("HUBSPOT_PRIVATE_APP_TOKEN", LOCAL_TOKEN)
        .env("ENABLE_CRM_PROGRESS", "true");
    let serving = Running::start(&mut serve).await;
    eventually(async || {
        let calls = portal.calls_since(0);
        let has_asked = calls.iter().any(|call| call.path == "/account-info/2026-09/details");
        has_asked.then_some(()).ok_or_else(|| format!("{} calls", calls.len()))
    })
    .await;
    serving.stop("TERM").await;
}
