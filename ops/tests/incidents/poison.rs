//! One event of a hundred names a contact that is not there, and a message is no envelope: the other
//! 99 are applied; the one is corrected in an export and put back, the message is kept and deleted.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::ports::Outgoing;

use crate::ended::{run, stdout};
use crate::ledger::{Count, Event, crowd};
use crate::shell::{is_in_the_handbook, report, set};
use crate::site::Site;

/// A record id that the portal never gave away.
const NOBODY: &str = "990712345678";

#[tokio::test]
async fn poison_stops_nobody_else_and_is_kept_corrected_and_deleted() {
    let mut site = Site::since(10).await;
    let unreadable = Outgoing {
        body: "no envelope".into(),
        group: "whoever".into(),
        deduplication_id: "junk".into(),
        attributes: BTreeMap::new(),
    };
    assert_eq!(site.stack.queues().events().send(vec![unreadable]).await, [Ok(())]);
    let ghost = Event::of(99, "late@example.org").naming(json!({ "contactId": NOBODY }));
    let events = [crowd(0, 50, 33), vec![ghost], crowd(50, 49, 33)].concat();
    site.track(events).await;
    site.come_to_rest().await;
    site.minutes(2).await;

    // 99 of 100 are applied; the signs are of the two others.
    let all = || Count::all_applied(100);
    assert_eq!(site.count().await, all().but(1, "CONTACT_NOT_FOUND"));
    assert_eq!(site.alarms_on(), set(&["dead-letters"]));
    assert_eq!(site.shell.doctor(0).await.names("doubtful"), set(&["dead letters"]));
    site.console_shows(&["Nothing waits. 2 dead letters need attention.", "CONTACT_NOT_FOUND"])
        .await;
    let listed = report(site.shell.handbook("dlq list"), 0).await;
    let by_reason: BTreeMap<&str, &Value> = listed["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reason| (reason["reason"].as_str().unwrap(), &reason["count"]))
        .collect();
    let one = &json!(1);
    assert_eq!(by_reason, BTreeMap::from([("CONTACT_NOT_FOUND", one), ("UNREADABLE", one)]));

    site.catch_up();
    let mut letters = listed["letters"].as_array().unwrap().iter();
    let ghost = letters.find(|letter| letter["reason"] == "CONTACT_NOT_FOUND").unwrap();
    let shown = format!("dlq show {}", ghost["id"].as_str().unwrap());
    let shown = report(site.shell.milepost(&shown), 0).await;
    assert_eq!(shown["event"]["module"], "module-99");
    assert!(shown["fix"].as_str().unwrap().contains("send e-mails too"), "{shown}");
    // To replay what is not mended changes nothing.
    let mut replay = site.shell.handbook("dlq replay --reason CONTACT_NOT_FOUND");
    replay.args(["--follow", "0"]);
    assert_eq!(report(replay, 0).await["sent"], 1);
    let kept = run(&mut site.shell.handbook("dlq export --reason UNREADABLE")).await;
    assert!(stdout(&kept).contains("no envelope") && stdout(&kept).lines().count() == 1);
    let purge = "dlq purge --reason UNREADABLE --yes";
    assert_eq!(report(site.shell.handbook(purge), 0).await["purged"], 1);
    site.come_to_rest().await;
    assert_eq!(site.count().await, all().but(1, "CONTACT_NOT_FOUND"));

    let export = "dlq export --reason CONTACT_NOT_FOUND";
    let exported = run(&mut site.shell.handbook(export)).await;
    let mut letter: Value = serde_json::from_str(stdout(&exported)).unwrap();
    letter["envelope"]["contact"] = json!({ "email": "late@example.org" });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), letter.to_string()).unwrap();
    let track = format!("track --envelopes {}", file.path().to_str().unwrap());
    is_in_the_handbook("milepost track --envelopes letters.jsonl");
    assert_eq!(report(site.shell.milepost(&track), 0).await["queued"], 1);
    site.come_to_rest().await;
    let purge = "dlq purge --reason CONTACT_NOT_FOUND --yes";
    assert_eq!(report(site.shell.handbook(purge), 0).await["purged"], 1);
    assert_eq!(site.count().await, all());
    assert_eq!(site.shell.doctor(0).await.names("doubtful"), set(&[]));
    site.console_shows(&["Nothing waits."]).await;
}
