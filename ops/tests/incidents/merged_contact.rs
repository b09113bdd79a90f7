//! Two contacts are merged in the portal while events of both wait for HubSpot to come back: all are
//! on the survivor in the end, which is found under each name.

use reqwest::Method;
use serde_json::json;

use crate::ledger::{Count, Event, crowd};
use crate::shell::{is_in_the_handbook, report, set};
use crate::site::Site;

const ADA: &str = "ada@example.org";
const AT_WORK: &str = "ada@work.example";

#[tokio::test]
async fn events_of_two_contacts_that_are_merged_while_they_wait_end_on_the_survivor() {
    let mut site = Site::since(40).await;
    let mut ids = Vec::new();
    for email in [ADA, AT_WORK] {
        let made = site.in_portal(Method::POST, "contacts", json!({ "email": email })).await;
        ids.push(made["id"].clone());
    }
    let before = || vec![Event::of(30, AT_WORK).held_by(ADA)];
    site.track([vec![Event::of(0, ADA)], before()].concat()).await;
    site.come_to_rest().await;

    site.in_portal(Method::POST, "faults", json!({ "kind": "away" })).await;
    let of_ada = (1..4).map(|number| Event::of(number, ADA));
    let at_work = (4..8).map(|number| Event::of(number, AT_WORK).held_by(ADA));
    let by_old_id = Event::of(8, ADA).naming(json!({ "contactId": ids[1].to_string() }));
    let events = of_ada.chain(at_work).chain([by_old_id]).collect();
    site.track([events, crowd(9, 20, 10)].concat()).await;
    site.minutes(20).await;
    assert!(site.alarms_on().contains("event-old"), "{:?}", site.alarms_on());
    site.console_shows(&["28 events are on their way."]).await;
    let merge = json!({ "primary": ids[0], "loser": ids[1] });
    site.in_portal(Method::POST, "merge", merge).await;

    site.in_portal(Method::DELETE, "faults", json!({})).await;
    site.minutes(3).await;
    site.come_to_rest().await;
    let handed_on: u64 = site
        .journal
        .lines_saying("Pass")
        .iter()
        .map(|pass| pass.fields["handed_on"].as_u64().unwrap())
        .sum();
    assert!(handed_on >= 5, "{handed_on} events found their contact under another name");
    // Under either name it is the same contact, with all of it.
    let show = |name: &str| report(site.shell.milepost(&format!("contact show {name}")), 0);
    is_in_the_handbook("milepost contact show ada@example.org");
    let shown = show(ADA).await;
    assert_eq!(shown["milestones"]["hhl_total_progress"], "9");
    for name in [AT_WORK.to_owned(), ids[0].to_string(), ids[1].to_string()] {
        assert_eq!(show(&name).await, shown, "{name}");
    }
    report(site.shell.handbook("audit --all"), 0).await;
    assert_eq!(site.shell.doctor(0).await.names("bad"), set(&[]));

    // The merge left the other's earlier state behind.
    is_in_the_handbook("send those events again");
    site.track(before()).await;
    site.come_to_rest().await;
    let shown = report(site.shell.milepost(&format!("contact show {ADA}")), 0).await;
    assert_eq!(shown["milestones"]["hhl_total_progress"], "10");
    assert_eq!(site.count().await, Count::all_applied(30));
}
