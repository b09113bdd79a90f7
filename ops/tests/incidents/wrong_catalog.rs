//! A catalog in which one course has a module too many, and one too few: courses are completed never,
//! or too early. The right catalog, a restart and a backfill mend what is derived from the state; a
//! list that names a course too much is corrected by hand.

use std::path::Path;
use std::process::Stdio;

use host::catalog_folder;
use reqwest::Method;
use serde_json::{Value, json};
use simulator::LOCAL_TOKEN;
use tokio::process::Command;

use crate::contacts::{folded, in_simulator};
use crate::ended::{document, run};
use crate::process::{Running, client, eventually, get, post};
use crate::shell::{Shell, is_in_the_handbook, report};
use crate::site::{console_shows, in_portal};

/// Has a module that nobody can complete, for its slug is misspelt.
const TOO_LATE: (&str, &str) = (
    "courses/advanced-networking.json",
    r#"{"slug": "advanced-networking", "modules": ["intro-to-networking", "routing-betwen-vpcs", "peering-and-gateways"]}"#,
);
/// Lacks all modules but the first.
const TOO_EARLY: (&str, &str) = (
    "courses/getting-started-101.json",
    r#"{"slug": "getting-started-101", "modules": ["intro-to-hedgehog"]}"#,
);
const DONE: [&str; 3] = ["intro-to-networking", "routing-between-vpcs", "peering-and-gateways"];

#[tokio::test]
async fn what_a_wrong_catalog_did_is_undone_by_the_right_one_and_a_backfill() {
    let folder = tempfile::tempdir().unwrap();
    let (data, wrong) = (folder.path().join("data"), folder.path().join("catalog"));
    copy("../catalog".as_ref(), &wrong);
    let right: Vec<String> = [TOO_LATE, TOO_EARLY]
        .map(|(file, text)| {
            let right = std::fs::read_to_string(wrong.join(file)).unwrap();
            std::fs::write(wrong.join(file), text).unwrap();
            right
        })
        .into();
    let log = folder.path().join("log");
    let start = async || {
        let mut command = crate::process::milepost(&["local", "--json", "--port", "0"]);
        command.args(["--window", "0", "--log", "info", "--data"]).arg(&data);
        command.arg("--catalog").arg(&wrong).env("QUARANTINE_S", "1");
        let log = std::fs::File::options().create(true).append(true).open(&log).unwrap();
        Running::start_telling(&mut command, Stdio::from(log)).await
    };
    let client = client();
    let stack = start().await;
    let bodies: Vec<String> = (0..20).flat_map(events_of).collect();
    for body in &bodies {
        let (_, answer) =
            post(&client, &format!("{}/events/track", stack.api()), body.clone()).await.unwrap();
        assert_eq!(answer["status"], "persisted", "{answer}");
    }
    let figures = |name: &str| -> u64 {
        let log = std::fs::read_to_string(&log).unwrap();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.map(|line| of_line(&line[name])).sum()
    };
    eventually(async || match figures("EventsApplied") {
        applied if applied == bodies.len() as u64 => Ok(()),
        applied => Err(format!("{applied} of {}", bodies.len())),
    })
    .await;

    // Learners say that they are done, and their progress does not bear it out; and with the right
    // catalog milestones would change.
    assert!(figures("UnsupportedClaims") >= 20);
    let shell = Shell::new(&data, stack.portal(), LOCAL_TOKEN);
    let dry_run = |catalog: &Path| {
        let mut command: Command = shell.handbook("backfill --dry-run");
        command.arg("--catalog").arg(catalog);
        command
    };
    assert_eq!(report(dry_run(&wrong), 0).await["changed"], 0);
    assert_eq!(report(dry_run("catalog".as_ref()), 0).await["changed"], 20);
    console_shows(&client, stack.api(), &["network-automation: 0/1 courses"]).await;

    for ((file, _), right) in [TOO_LATE, TOO_EARLY].into_iter().zip(right) {
        std::fs::write(wrong.join(file), right).unwrap();
    }
    let mut check = shell.handbook("catalog check");
    let checked = run(check.arg("--catalog").arg(&wrong).arg("--json")).await;
    assert_eq!(document(&checked)["errors"], 0);
    is_in_the_handbook("start `serve` anew");
    stack.stop("TERM").await;
    let stack = start().await;
    let shell = Shell::new(&data, stack.portal(), LOCAL_TOKEN);
    let mut backfill = shell.handbook("backfill --changed-only");
    backfill.arg("--catalog").arg(&wrong);
    assert_eq!(report(backfill, 0).await["sent"], 20);
    let (catalog, _) = catalog_folder::load("../catalog".as_ref()).unwrap();
    let mut expected = folded(bodies.iter().map(String::as_str), &catalog);
    let listed = "hhl_completed_courses";
    for values in expected.values_mut() {
        values.insert(listed.into(), "advanced-networking;getting-started-101".into());
    }
    eventually(async || {
        let found = in_simulator(&client, stack.portal()).await;
        if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;

    // No list loses a course by itself: what was listed too early is taken out by hand.
    is_in_the_handbook("A course that was listed too early stays in `hhl_completed_courses`");
    let contacts = get(&client, &format!("{}/_portal/contacts", stack.portal())).await;
    for contact in contacts["contacts"].as_array().unwrap() {
        let path = format!("contacts/{}", contact["id"]);
        let corrected = json!({ "hhl_completed_courses": "advanced-networking" });
        in_portal(&client, stack.portal(), Method::PATCH, &path, corrected).await;
    }
    let mut again = shell.handbook("backfill --changed-only");
    again.arg("--catalog").arg(&wrong);
    assert_eq!(report(again, 0).await["sent"], 0);
    report(shell.handbook("audit --all"), 0).await;
    let expected = folded(bodies.iter().map(String::as_str), &catalog);
    assert_eq!(in_simulator(&client, stack.portal()).await, expected);
    assert_eq!(shell.letters().await, [Value::Null; 0]);
    stack.stop("TERM").await;
}

/// One learner completes a course and says so, and begins another.
fn events_of(learner: u32) -> Vec<String> {
    let event = |name: &str, pathway: &str, course: &str, module: &str, minute: usize| {
        let mut event = json!({
            "eventName": name, "eventId": format!("{learner}-{course}-{module}"),
            "contactIdentifier": { "email": format!("learner-{learner}@example.org") },
            "pathway_slug": pathway, "course_slug": course,
            "payload": { "ts": format!("2026-01-20T09:{minute:02}:{learner:02}.000Z") },
        });
        if !module.is_empty() {
            event["payload"]["module_slug"] = module.into();
        }
        event.to_string()
    };
    let (pathway, course) = ("network-automation", "advanced-networking");
    let mut events: Vec<String> = DONE
        .iter()
        .enumerate()
        .map(|(nth, module)| event("learning_module_completed", pathway, course, module, nth))
        .collect();
    events.push(event("learning_course_completed", pathway, course, "", 10));
    let (pathway, course) = ("hedgehog-fundamentals", "getting-started-101");
    let first = "intro-to-hedgehog";
    events.push(event("learning_module_completed", pathway, course, first, 20));
    events
}

/// What a figure of a line comes to: one value, or several.
fn of_line(figure: &Value) -> u64 {
    let number = |value: &Value| value.as_f64().unwrap_or_default() as u64;
    match figure {
        Value::Array(values) => values.iter().map(number).sum(),
        value => number(value),
    }
}

/// Copies a catalog.
fn copy(from: &Path, to: &Path) {
    for kind in ["courses", "pathways"] {
        std::fs::create_dir_all(to.join(kind)).unwrap();
        for file in std::fs::read_dir(from.join(kind)).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), to.join(kind).join(file.file_name())).unwrap();
        }
    }
}
