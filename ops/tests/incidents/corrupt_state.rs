//! A contact's state that can't be read: its events become dead letters, nothing is written over it,
//! and once it is restored they are applied.

use reqwest::Method;
use serde_json::{Value, json};

use crate::ledger::{Count, Event, crowd};
use crate::shell::{report, set};
use crate::site::Site;

const ADA: &str = "ada@example.org";
/// What somebody left of a state that they edited by hand.
const BROKEN: &str = "{\"network-automation\":{\"courses\":";

#[tokio::test]
async fn a_state_that_is_spoiled_is_never_written_over_and_its_events_are_applied_once_it_is_restored()
 {
    let mut site = Site::since(10).await;
    site.track(vec![Event::of(0, ADA), Event::of(1, ADA)]).await;
    site.come_to_rest().await;
    let ada = site.contact(ADA).await;
    let path = format!("contacts/{}", ada["id"]);
    let history = &ada["properties"]["hhl_progress_state"];
    site.in_portal(Method::PATCH, &path, json!({ "hhl_progress_state": BROKEN })).await;

    let of_ada = (2..5).map(|number| Event::of(number, ADA)).collect();
    site.track([of_ada, crowd(5, 20, 10)].concat()).await;
    site.come_to_rest().await;
    site.minutes(2).await;
    assert_eq!(site.alarms_on(), set(&["dead-letters"]));
    assert_eq!(site.contact(ADA).await["properties"]["hhl_progress_state"], BROKEN);
    assert_eq!(site.shell.doctor(0).await.names("doubtful"), set(&["dead letters"]));
    site.console_shows(&["3 dead letters need attention.", "CORRUPT_STATE"]).await;
    site.catch_up();
    let listed = report(site.shell.handbook("dlq list"), 0).await;
    assert_eq!(
        (&listed["reasons"][0]["reason"], &listed["total"]),
        (&json!("CORRUPT_STATE"), &json!(3))
    );
    let audit = report(site.shell.handbook("audit --all"), 1).await;
    assert_eq!(
        (&audit["failing"][0]["id"], audit["failing"].as_array().unwrap().len()),
        (&json!(ada["id"].to_string()), 1)
    );
    assert!(audit["failing"][0]["broken"].to_string().contains("progress_state"), "{audit}");

    // To replay before it is mended changes nothing.
    let replay = || site.shell.handbook("dlq replay --reason CORRUPT_STATE");
    let mut too_early = replay();
    too_early.args(["--follow", "0"]);
    assert_eq!(report(too_early, 0).await["sent"], 3);
    site.come_to_rest().await;
    let letters = site.shell.letters().await;
    let reasons: Vec<&Value> = letters.iter().map(|letter| &letter["reason"]).collect();
    assert_eq!(reasons, ["CORRUPT_STATE"; 3]);
    assert_eq!(site.contact(ADA).await["properties"]["hhl_progress_state"], BROKEN);

    site.in_portal(Method::PATCH, &path, json!({ "hhl_progress_state": history })).await;
    assert_eq!(report(replay(), 0).await["applied"], 3);
    report(site.shell.handbook("audit --all"), 0).await;
    assert_eq!(site.shell.doctor(0).await.names("doubtful"), set(&[]));
    assert_eq!(site.count().await, Count::all_applied(25));
}
