//! A property is deleted in the portal: everything is parked until `properties create` made it anew.
//! Values that went with it come back from the state, by a backfill.

use reqwest::Method;
use serde_json::json;

use crate::ledger::{Count, crowd};
use crate::shell::{report, set};
use crate::site::Site;

#[tokio::test]
async fn a_deleted_property_parks_everything_until_it_is_made_anew_and_its_values_come_back() {
    let mut site = Site::since(40).await;
    site.track(crowd(0, 20, 10)).await;
    site.come_to_rest().await;

    site.in_portal(Method::DELETE, "properties/hhl_total_progress", json!({})).await;
    for minute in 0..15 {
        site.track(crowd(20 + minute, 1, 5)).await;
        site.minutes(1).await;
    }
    assert!(site.alarms_on().contains("work-parked"), "{:?}", site.alarms_on());
    let doctor = site.shell.doctor(1).await;
    assert_eq!(doctor.names("bad"), set(&["property hhl_total_progress"]));
    assert!(doctor.fix("property hhl_total_progress").contains("milepost properties create"));
    site.console_shows(&["HubSpot takes no writes: 15 events wait, and none is lost."]).await;

    let made = report(site.shell.handbook("properties create"), 0).await;
    let mut properties = made["properties"].as_array().unwrap().iter();
    let made = properties.find(|one| one["name"] == "hhl_total_progress").unwrap();
    assert_eq!(made["outcome"], "created");
    site.minutes(2).await;
    site.come_to_rest().await;
    assert_eq!(site.shell.doctor(0).await.names("bad"), set(&[]));

    site.catch_up();
    // Of those whose events did not come meanwhile, the values went with the property.
    for learner in 5..10 {
        let id = &site.contact(&format!("learner-{learner}@example.org")).await["id"];
        let emptied = json!({ "hhl_total_progress": "" });
        site.in_portal(Method::PATCH, &format!("contacts/{id}"), emptied).await;
    }
    let audit = report(site.shell.handbook("audit --all"), 1).await;
    assert_eq!(audit["failing"].as_array().unwrap().len(), 5, "{audit}");
    let backfill = report(site.shell.handbook("backfill --changed-only"), 0).await;
    assert_eq!((&backfill["sent"], &backfill["faulty"]), (&json!(5), &json!(0)));
    site.come_to_rest().await;
    report(site.shell.handbook("audit --all"), 0).await;
    assert_eq!(site.count().await, Count::all_applied(35));
}
