//! `milepost console`: the page over queues that other processes work on.

use std::time::Duration;

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
    assert!(page.contains("<strong>Mend:</strong> restore it from the property's history"));
    assert!(!page.contains("example.org"), "somebody is named: {page}");
    assert!(!page.contains("Faults of the simulator"));

    let (cookie, dry) = text(client.get(format!("{url}/console/replay?reason=REJECTED"))).await;
    assert!(dry.contains("<strong>2 letters</strong> would go back"), "{dry}");
    assert_eq!(place.dead().await, 3);
    let value = |field: &str| {
        let (_, rest) = dry.split_once(&format!("name=\"{field}\" value=\"")).unwrap();
        rest.split_once('"').unwrap().0.replace(':', "%3A")
    };
    let form = format!("word={}&until={}&reason=REJECTED", value("word"), value("until"));
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
