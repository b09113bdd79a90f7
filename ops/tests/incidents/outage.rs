//! HubSpot is down for an hour, by chance refusing, cutting and answering 502 to 522: alarms, `doctor`
//! and console say so, nobody does anything, and within 90 s of its end all is applied.

use reqwest::Method;
use serde_json::json;

use crate::ledger::{Count, crowd};
use crate::shell::set;
use crate::site::Site;

#[tokio::test]
async fn an_hour_without_hubspot_is_seen_and_is_made_up_for_when_it_is_back() {
    let mut site = Site::since(90).await;
    site.track(crowd(0, 20, 10)).await;
    site.come_to_rest().await;
    site.minutes(1).await;

    site.in_portal(Method::POST, "faults", json!({ "kind": "away" })).await;
    for minute in 0..60 {
        site.track(crowd(20 + minute, 1, 10)).await;
        site.minutes(1).await;
    }
    assert_eq!(site.alarms_on(), set(&["event-old", "nothing-applied"]));
    let doctor = site.shell.doctor(3).await;
    assert_eq!((doctor.names("silent"), doctor.names("bad")), (set(&["token"]), set(&[])));
    site.console_shows(&["60 events are on their way.", BAD_AGE]).await;

    // Nothing is to be done; and within 90 s of its end all is applied.
    site.in_portal(Method::DELETE, "faults", json!({})).await;
    site.minutes(2).await;
    site.come_to_rest().await;
    assert_eq!(site.count().await, Count::all_applied(80));
    for minute in 0..16 {
        site.track(crowd(80 + minute, 1, 10)).await;
        site.minutes(1).await;
    }
    assert_eq!(site.alarms_on(), set(&[]));
    let doctor = site.shell.doctor(0).await;
    assert_eq!((doctor.names("silent"), doctor.names("bad")), (set(&[]), set(&[])));
    site.come_to_rest().await;
    assert_eq!(site.count().await, Count::all_applied(96));
}

/// The console's figure of an oldest event that is too old.
const BAD_AGE: &str = "<div class=\"bad\"><dt>Oldest event</dt>";
