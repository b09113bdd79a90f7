//! `milepost console`: the page over queues that other processes work on.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::dlq::in_sqs;
use crate::ended::{run, stderr};
use crate::letters::{Place, letter};
use crate::process::{Running, client, eventually, milepost};

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";

#[tokio::test]
async fn dead_letters_of_a_data_folder_are_replayed_from_the_page() {
    let folder = tempfile::tempdir().unwrap();
    replayed_from_the_page(&Place::in_folder(folder.path())).await;
}

#[tokio::test]
async fn dead_letters_of_sqs_are_replayed_from_the_page() {
    let (_ministack, place) = in_sqs().await;
    replayed_from_the_page(&place).await;
}

#[tokio::test]
async fn the_metrics_of_a_deployment_say_what_its_workers_did() {
    let (ministack, mut place) = in_sqs().await;
    let clouds = ("AWS_ENDPOINT_URL_CLOUDWATCH".to_owned(), ministack.endpoint());
    place.variables.extend([clouds, ("APP_STAGE".to_owned(), "prod".to_owned())]);
    let of_queue = ("AWS/SQS", [("QueueName", "events.fifo"), ("QueueName", "events.fifo")]);
    let of = |function| ("Milepost", [("stage", "prod"), ("function", function)]);
    let metric = |(namespace, dimensions): (&str, [(&str, &str); 2]), name: &str, value: f64| {
        let dimensions: Vec<Value> = dimensions
            .iter()
            .map(|(name, value)| json!({ "Name": name, "Value": value }))
            .collect();
        let data = json!({ "MetricName": name, "Dimensions": dimensions, "Value": value });
        json!({ "Namespace": namespace, "MetricData": [data] })
    };
    for datum in [
        metric(of("ingest"), "EventsAccepted", 1_234.0),
        metric(of("worker"), "EventsApplied", 1_200.0),
        metric(of("worker"), "EventsApplied", 11.0),
        metric(of("worker"), "CoalescingRatio", 4.0),
        metric(of("worker"), "CoalescingRatio", 5.0),
        metric(of("worker"), "DailyRemaining", 249_000.0),
        metric(of_queue, "ApproximateAgeOfOldestMessage", 42.0),
        metric(("Milepost", [("stage", "dev"), ("function", "worker")]), "Parked", 9.0),
    ] {
        let request = client()
            .post(ministack.endpoint())
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", "GraniteServiceVersion20100801.PutMetricData")
            .body(datum.to_string());
        assert!(request.send().await.unwrap().status().is_success());
    }
    let page = page_of(&place).await;
    for figure in [
        "<h2>Worker, last 5 min</h2>",
        "<dt>Oldest event</dt><dd>42 s</dd>",
        "<dt>Accepted</dt><dd>1,234</dd>",
        "<dt>Applied</dt><dd>1,211</dd>",
        "<dt>Parked</dt><dd>0</dd>",
        "<dt>Per contact</dt><dd>4.5</dd>",
        "<dt>Burst left</dt><dd>–</dd>",
        "<dt>Day left</dt><dd>249,000</dd>",
        "Applied in the last 30 min: 1,211",
    ] {
        assert!(page.contains(figure), "{figure} is not in {page}");
    }

    place.variables.push(("AWS_ENDPOINT_URL_CLOUDWATCH".to_owned(), nobody().await));
    let page = page_of(&place).await;
    assert!(page.contains("<dt>Not empty for</dt>"), "{page}");
    assert!(page.contains("metrics (CloudWatch, namespace Milepost) can't be read: "), "{page}");
}

async fn page_of(place: &Place) -> String {
    let console = Running::start(&mut place.milepost("console --json --listen 127.0.0.1:0")).await;
    let page = text(client().get(console.ready["console"].as_str().unwrap())).await.1;
    console.stop("INT").await;
    page
}

/// An address where nobody listens any more.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

async fn replayed_from_the_page(place: &Place) {
    place
        .put(vec![
            letter(1, ADA, "REJECTED", "2026-01-18T12:00:00Z"),
            letter(2, BOB, "REJECTED", "2026-01-18T12:00:01Z"),
            letter(3, BOB, "CORRUPT_STATE", "2026-01-18T12:00:02Z"),
        ])
        .await;
    let console = Running::start(&mut place.milepost("console --json --listen 127.0.0.1:0")).await;
    let url = console.ready["console"].as_str().unwrap().trim_end_matches('/').to_owned();
    let client = client();

    let page = text(client.get(&url)).await.1;
    assert!(page.contains("<dt>Dead letters</dt><dd>3</dd>"), "{page}");
    assert!(page.contains("REJECTED <span class=\"count\">2</span>"), "{page}");
    assert!(page.contains("<strong>Fix:</strong> restore it from the property's history"));
    assert!(!page.contains("example.org"), "somebody is named: {page}");
    assert!(!page.contains("Faults of the simulator"));

    let (cookie, dry) = text(client.get(format!("{url}/console/replay?reason=REJECTED"))).await;
    assert!(dry.contains("<strong>2 dead letters</strong> would go back"), "{dry}");
    assert_eq!(place.dead().await, 3);
    let value = |field: &str| {
        let (_, rest) = dry.split_once(&format!("name=\"{field}\" value=\"")).unwrap();
        rest.split_once('"').unwrap().0.replace(':', "%3A")
    };
    let form =
        format!("csrf_token={}&until={}&reason=REJECTED", value("csrf_token"), value("until"));
    let act = client.post(format!("{url}/console/replay")).body(form);
    let act = act.header("cookie", cookie).header("origin", &url);
    assert_eq!(act.send().await.unwrap().status(), 200, "the page after the form");

    eventually(async || match place.dead().await {
        1 => Ok(()),
        dead => Err(format!("{dead} letters")),
    })
    .await;
    let mut taken: Vec<String> =
        place.take_events().await.into_iter().map(|event| event.body).collect();
    taken.sort();
    assert_eq!(taken, [crate::letters::body(1, ADA), crate::letters::body(2, BOB)]);
    let (status, took) = console.stop("INT").await;
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// The cookie that is set, if one is, and the body.
async fn text(request: reqwest::RequestBuilder) -> (String, String) {
    let answer = request.send().await.unwrap();
    let cookie = answer.headers().get("set-cookie");
    let cookie = cookie.and_then(|set| set.to_str().ok()?.split(';').next()).unwrap_or_default();
    let cookie = cookie.to_owned();
    (cookie, String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned())
}

#[tokio::test]
async fn off_loopback_it_does_not_start_without_a_token_that_keeps_somebody_out() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::in_folder(folder.path());
    let ended = run(&mut place.milepost("console --listen 0.0.0.0:0")).await;
    assert_eq!(ended.status.code(), Some(2));
    assert!(stderr(&ended).contains("hint: set MILEPOST_CONSOLE_TOKEN"), "{ended:?}");

    let mut short = milepost(&["local", "--port", "0"]);
    let ended = run(short.env("MILEPOST_CONSOLE_TOKEN", "short")).await;
    assert_eq!(ended.status.code(), Some(2));
    assert!(stderr(&ended).contains("set it to 16 characters or more"), "{ended:?}");
    assert!(!stderr(&ended).contains("short\n"), "{ended:?}");
}
