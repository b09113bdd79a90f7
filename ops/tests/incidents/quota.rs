//! The portal's day is nearly spent, then spent, and begins anew: three hours in which nobody does
//! anything, and nothing is lost.

use chrono::{TimeDelta, Timelike as _};
use reqwest::Method;
use serde_json::json;

use crate::ledger::{Count, crowd};
use crate::shell::{is_in_the_handbook, report, set};
use crate::site::Site;

/// Minutes from the start until the portal's midnight.
const MIDNIGHT_IN: i64 = 60;

#[tokio::test]
async fn a_spent_day_is_waited_out_and_all_is_applied_within_the_hour_after_its_reset() {
    let mut site = Site::since(150).await;
    let midnight = (site.now() + TimeDelta::minutes(MIDNIGHT_IN)).time();
    let minutes = i64::from(midnight.hour() * 60 + midnight.minute());
    let offset = if minutes <= 720 { -minutes } else { 1_440 - minutes };
    site.in_portal(Method::PATCH, "settings", json!({ "utc_offset_minutes": offset })).await;
    site.track(crowd(0, 20, 10)).await;
    site.come_to_rest().await;

    site.in_portal(Method::POST, "day", json!({ "used": 230_000 })).await;
    for minute in 0..10 {
        site.track(crowd(20 + minute, 1, 10)).await;
        site.minutes(1).await;
    }
    assert_eq!(site.alarms_on(), set(&["quota-low"]));
    assert_eq!(report(site.shell.handbook("quota"), 0).await["daily"]["limit"], 250_000);

    site.come_to_rest().await;
    site.in_portal(Method::POST, "day", json!({ "used": 250_000 })).await;
    for minute in 0..40 {
        // Of others each time: whose event is parked takes no further one until then.
        site.track(crowd(30 + minute, 1, 70)).await;
        site.minutes(1).await;
    }
    let alarms = site.alarms_on();
    assert!(
        alarms.is_superset(&set(&["work-parked", "event-old", "nothing-applied"])),
        "{alarms:?}"
    );
    let quota = report(site.shell.handbook("quota"), 1).await;
    assert_eq!(
        (&quota["daily"]["remaining"], &quota["backlog"]["events"]),
        (&json!(0), &json!(40))
    );
    assert_eq!(quota["backlog"]["fitsInDay"], false);
    let doctor = site.shell.doctor(1).await;
    assert_eq!(doctor.names("bad"), set(&["token"]));
    assert!(doctor.fix("token").contains("`milepost quota` says when"));
    site.console_shows(&["HubSpot takes no writes: 40 events wait, and none is lost."]).await;

    is_in_the_handbook("applied within the hour after its reset");
    site.minutes(20 + 60).await;
    site.come_to_rest().await;
    assert_eq!(report(site.shell.handbook("quota"), 0).await["backlog"]["events"], 0);
    assert_eq!(site.shell.doctor(0).await.names("bad"), set(&[]));
    assert_eq!(site.count().await, Count::all_applied(70));
}
