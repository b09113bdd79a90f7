//! From the first curl to the contact, and the lives of a stack: start, stop, restart.

use std::process::Stdio;
use std::time::Duration;

use shared::milestones::Values;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::contacts::in_simulator;
use crate::ended::{run, stderr};
use crate::process::{Running, client, eventually, get, milepost, post};

/// What is promised is 3 s from the answer to the contact, and 5 s from the signal to the end; a
/// busy machine that builds other things meanwhile gets twice that.
const IN_CRM_MAX: Duration = Duration::from_secs(6);
const STOP_MAX: Duration = Duration::from_secs(10);

#[tokio::test]
async fn the_curl_that_it_prints_makes_a_contact_within_seconds() {
    let mut command = milepost(&["local", "--port", "0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut curls = Vec::new();
    while curls.len() < 2 {
        let line = lines.next_line().await.unwrap().expect("it prints two curls");
        curls.extend(line.strip_prefix("curl -sS ").map(str::to_owned));
    }
    let (url, rest) = curls[0].split_once(' ').unwrap();
    let body = rest.split('\'').nth(3).unwrap();
    let portal = curls[1].strip_suffix("/_portal/contacts").unwrap();

    let client = client();
    let (status, answer) = post(&client, url, body.to_owned()).await.unwrap();
    assert_eq!(status, 200);
    assert_eq!(answer["status"], "persisted");
    assert_eq!(answer["mode"], "authenticated");
    assert_eq!(answer["queued"], true);
    let (contact, took) = arrives(&client, portal, "newuser@example.com").await;
    assert!(took < IN_CRM_MAX, "{took:?}");
    assert_eq!(contact["hhl_enrolled_courses"], "getting-started-101");
    assert_eq!(contact["hhl_total_progress"], "0");
    child.kill().await.unwrap();
}

#[tokio::test]
async fn both_signals_stop_it_within_seconds_and_end_with_0() {
    for signal in ["INT", "TERM"] {
        let stack = Running::local(&[]).await;
        let client = client();
        let health = get(&client, &format!("{}/api/health", stack.api())).await;
        assert_eq!(health["status"], "healthy");
        assert_eq!(stack.ready["console"], format!("{}/", stack.api()));
        assert_eq!(stack.ready["data"], serde_json::Value::Null);
        let (status, took) = stack.stop(signal).await;
        assert_eq!(status.code(), Some(0), "SIG{signal}");
        assert!(took < STOP_MAX, "SIG{signal}: {took:?}");
    }
}

#[tokio::test]
async fn data_is_kept_across_restarts_and_held_by_one_stack_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let client = client();
    let stack = Running::local(&["--data", data, "--window", "0"]).await;
    assert_eq!(stack.ready["data"], data);
    let event = r#"{"eventName":"learning_pathway_enrolled","pathway_slug":"network-automation",
        "contactIdentifier":{"email":"kept@example.org"}}"#;
    post(&client, &format!("{}/events/track", stack.api()), event.into()).await.unwrap();
    arrives(&client, stack.portal(), "kept@example.org").await;

    let second = run(&mut milepost(&["local", "--port", "0", "--data", data])).await;
    assert_eq!(second.status.code(), Some(2));
    assert!(stderr(&second).contains("in use by another milepost"), "{second:?}");
    let mut serve = milepost(&["serve", "--listen", "127.0.0.1:0", "--data", data]);
    let second = run(serve.env("HUBSPOT_PRIVATE_APP_TOKEN", "unused")).await;
    assert_eq!(second.status.code(), Some(2));
    assert!(stderr(&second).contains("in use by another milepost"), "{second:?}");

    stack.stop("INT").await;
    let again = Running::local(&["--data", data]).await;
    assert!(in_simulator(&client, again.portal()).await.contains_key("kept@example.org"));
}

#[tokio::test]
async fn serve_brings_events_to_the_hubspot_that_the_environment_names() {
    let hubspot = Running::local(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let mut serve = milepost(&["serve", "--json", "--listen", "127.0.0.1:0", "--window", "0"]);
    serve
        .arg("--data")
        .arg(folder.path())
        .env("ENABLE_CRM_PROGRESS", "true")
        .env("HUBSPOT_BASE_URL", hubspot.portal())
        .env("HUBSPOT_PRIVATE_APP_TOKEN", ::simulator::LOCAL_TOKEN);
    let stack = Running::start(&mut serve).await;
    assert_eq!(stack.ready["portal"], serde_json::Value::Null);
    let client = client();
    let event = r#"{"eventName":"learning_course_enrolled","course_slug":"linux-networking-refresher",
        "contactIdentifier":{"email":"served@example.org"}}"#;
    post(&client, &format!("{}/events/track", stack.api()), event.into()).await.unwrap();
    let (contact, _) = arrives(&client, hubspot.portal(), "served@example.org").await;
    assert_eq!(contact["hhl_enrolled_courses"], "linux-networking-refresher");
    let (status, took) = stack.stop("TERM").await;
    assert_eq!(status.code(), Some(0));
    assert!(took < STOP_MAX, "{took:?}");
}

/// The contact with this e-mail, once it is in the simulator; how long that took.
async fn arrives(client: &reqwest::Client, portal: &str, email: &str) -> (Values, Duration) {
    eventually(async || {
        let contact = in_simulator(client, portal).await.remove(email);
        contact.ok_or_else(|| format!("{email} is not there"))
    })
    .await
}
