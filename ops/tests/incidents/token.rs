//! The token of a `serve` is revoked: everything is parked, `doctor` names the token, and a restart
//! with the new one is all. (A deployed worker reads its token anew, and needs no restart.)

use std::process::Stdio;

use reqwest::Method;
use serde_json::{Value, json};
use simulator::LOCAL_TOKEN;

use crate::contacts::in_simulator;
use crate::ledger::{Count, Ledger, crowd};
use crate::process::{Running, client, eventually};
use crate::shell::{Shell, is_in_the_handbook, set};
use crate::site::{console_shows, in_portal};

const NEW_TOKEN: &str = "pat-na1-11111111-1111-4111-8111-thenewtoken1";

#[tokio::test]
async fn a_revoked_token_parks_everything_until_the_server_has_the_new_one() {
    let hubspot = Running::local(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let client = client();
    let serve = async |token: &str| {
        let shell = Shell::new(folder.path(), hubspot.portal(), token);
        let mut command = shell.milepost("serve --json --listen 127.0.0.1:0 --window 0 --log info");
        command.env("QUARANTINE_S", "1");
        let log = std::fs::File::options().create(true).append(true).open(&log).unwrap();
        (Running::start_telling(&mut command, Stdio::from(log)).await, shell)
    };
    let figures = |name: &str| -> f64 {
        let log = std::fs::read_to_string(&log).unwrap();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter_map(|line| sum(&line[name])).sum()
    };
    let mut ledger = Ledger::default();
    let (serving, shell) = serve(LOCAL_TOKEN).await;
    ledger.track(&client, serving.api(), crowd(0, 20, 10)).await;
    eventually(async || match figures("EventsApplied") {
        20.0 => Ok(()),
        applied => Err(format!("{applied} applied")),
    })
    .await;

    let token = |token: &str| json!({ "token": token, "scopes": [] });
    in_portal(&client, hubspot.portal(), Method::DELETE, "tokens", token(LOCAL_TOKEN)).await;
    ledger.track(&client, serving.api(), crowd(20, 30, 15)).await;
    // All fifteen contacts' events were looked at, and are put off for a minute.
    eventually(
        async || if figures("Parked") >= 15.0 { Ok(()) } else { Err("none is parked".into()) },
    )
    .await;
    let doctor = shell.doctor(1).await;
    assert_eq!(doctor.names("bad"), set(&["token"]));
    assert!(doctor.fix("token").contains("put it into HUBSPOT_PRIVATE_APP_TOKEN"));
    let parked = "HubSpot takes no writes: 30 events wait, and none is lost.";
    console_shows(&client, serving.api(), &[parked]).await;
    let log_has = |text: &str| std::fs::read_to_string(&log).unwrap().contains(text);
    assert!(log_has("the portal refuses this app: the token is not accepted (401)"));
    assert!(!log_has(LOCAL_TOKEN));

    in_portal(&client, hubspot.portal(), Method::POST, "tokens", token(NEW_TOKEN)).await;
    is_in_the_handbook("start `serve` anew with it in `HUBSPOT_PRIVATE_APP_TOKEN`");
    serving.stop("TERM").await;
    let (serving, shell) = serve(NEW_TOKEN).await;
    eventually(async || match figures("EventsApplied") {
        50.0 => Ok(()),
        applied => Err(format!("{applied} applied")),
    })
    .await;
    assert_eq!(shell.doctor(0).await.names("bad"), set(&[]));
    let contacts = in_simulator(&client, hubspot.portal()).await;
    assert_eq!(ledger.count(&contacts, &shell.letters().await), Count::all_applied(50));
    serving.stop("TERM").await;
}

/// What a figure of a line comes to: one value, or several.
fn sum(figure: &Value) -> Option<f64> {
    match figure {
        Value::Array(values) => Some(values.iter().filter_map(Value::as_f64).sum()),
        value => value.as_f64(),
    }
}
