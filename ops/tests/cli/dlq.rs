//! Dead letters looked at, replayed, exported and purged: the same over each queue, and beside a
//! stack that runs.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use shared::ports::Outgoing;
use tests::ministack::{Ministack, QueueShape};
use tokio::process::Command;

use crate::ended::{document, run, stderr, stdout};
use crate::killed_replay;
use crate::letters::{Place, letter, silent};
use crate::process::{Running, client, eventually, get};

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";

/// Queues of SQS, with the emulator that has them.
pub(crate) async fn in_sqs() -> (Ministack, Place) {
    let ministack = Ministack::start().await.unwrap();
    let shape = QueueShape { delay: Duration::ZERO, max_receive_count: 100 };
    let urls = ministack.create_queues("events", shape).await.unwrap();
    let settings = ministack.client_settings();
    let queue = |url: &str| std::sync::Arc::new(sqs::SqsQueue::new(&settings, url));
    let variables = [
        ("QUEUE_URL", urls.events.as_str()),
        ("DLQ_URL", urls.dead_letters.as_str()),
        ("AWS_ENDPOINT_URL_SQS", ministack.endpoint().as_str()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let place = Place {
        events: queue(&urls.events),
        dead_letters: queue(&urls.dead_letters),
        arguments: Vec::new(),
        variables: variables.into(),
    };
    (ministack, place)
}

fn seven() -> Vec<Outgoing> {
    let unreadable = letter(6, ADA, "UNREADABLE", "2026-01-19T12:00:00Z");
    vec![
        letter(1, ADA, "REJECTED", "2026-01-18T12:00:00Z"),
        letter(2, ADA, "REJECTED", "2026-01-18T12:00:01Z"),
        letter(3, ADA, "REJECTED", "2026-01-19T12:00:00Z"),
        letter(4, BOB, "CORRUPT_STATE", "2026-01-19T12:00:00Z"),
        letter(5, BOB, "CORRUPT_STATE", "2026-01-20T12:00:00Z"),
        Outgoing { body: "no envelope of eve@example.org".to_owned(), ..unreadable },
        silent(letter(7, ADA, "", "")),
    ]
}

/// Runs a command that must end so; nobody is named on either output.
#[track_caller]
fn json(command: &mut Command, code: i32) -> impl Future<Output = Value> {
    command.arg("--json");
    async move {
        let output = run(command).await;
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(!stdout(&output).contains('@') && !stderr(&output).contains('@'), "{output:?}");
        document(&output)
    }
}

#[tokio::test]
async fn letters_of_the_embedded_queue_are_found_sent_kept_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    found_sent_kept_and_deleted(&Place::in_folder(folder.path())).await;
}

#[tokio::test]
async fn letters_of_sqs_are_found_sent_kept_and_deleted() {
    let (_ministack, place) = in_sqs().await;
    found_sent_kept_and_deleted(&place).await;
}

async fn found_sent_kept_and_deleted(place: &Place) {
    place.put(seven()).await;
    let matched = async |filters: &str| {
        let listed = json(&mut place.milepost(&format!("dlq list {filters}")), 0).await;
        assert_eq!(listed["total"], 7, "{filters}");
        listed["matched"].as_u64().unwrap()
    };
    for _ in 0..2 {
        assert_eq!(matched("").await, 7, "what is looked at is handed back");
    }
    assert_eq!(matched("--reason rejected").await, 3);
    assert_eq!(matched("--reason rejected --reason NO_REASON").await, 4);
    assert_eq!(matched("--reason CORRUPT_STATE --since 2026-01-20").await, 1);
    assert_eq!(matched("--until 2026-01-19").await, 2);
    assert_eq!(matched(&format!("--contact {}", ADA.to_uppercase())).await, 5);
    assert_eq!(matched("--limit 2").await, 2);
    assert_eq!(matched("--id e-4").await, 1);

    let listed = json(&mut place.milepost("dlq list"), 0).await;
    assert_eq!(listed["reasons"][0]["reason"], "REJECTED");
    assert_eq!(listed["reasons"][0]["count"], 3);
    assert_eq!(listed["reasons"][0]["oldest"], "2026-01-18T12:00:00.000Z");
    let text = run(&mut place.milepost("dlq list")).await;
    assert!(stdout(&text).contains("fix: change the rule or the contact"), "{text:?}");

    let corrupt = json(&mut place.milepost("dlq list --id e-4"), 0).await;
    let name = corrupt["letters"][0]["id"].as_str().unwrap();
    let shown = json(&mut place.milepost(&format!("dlq show {}", &name[..8])), 0).await;
    assert_eq!(shown["reason"], "CORRUPT_STATE");
    assert_eq!(shown["event"]["module"], "module-4");
    assert!(shown["fix"].as_str().unwrap().contains("replay"));
    let who = run(&mut place.milepost(&format!("dlq show {name} --who"))).await;
    assert!(stdout(&who).contains(BOB), "{who:?}");
    let nobody = run(&mut place.milepost("dlq show ffffffffffffffff")).await;
    assert_eq!(nobody.status.code(), Some(2));

    let replay = "dlq replay --reason CORRUPT_STATE --follow 0";
    let dry = json(&mut place.milepost(&format!("{replay} --dry-run")), 0).await;
    assert_eq!((&dry["wouldBeSent"], &dry["sent"]), (&2.into(), &0.into()));
    assert_eq!(place.dead().await, 7);
    let replayed = json(&mut place.milepost(replay), 0).await;
    assert_eq!((&replayed["sent"], &replayed["skipped"]), (&2.into(), &5.into()));
    assert_eq!(place.dead().await, 5);

    let exported = run(&mut place.milepost("dlq export")).await;
    assert_eq!(exported.status.code(), Some(0), "{exported:?}");
    let lines: Vec<Value> =
        stdout(&exported).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(place.dead().await, 5);

    let unasked = run(&mut place.milepost("dlq purge")).await;
    assert_eq!(unasked.status.code(), Some(2), "{unasked:?}");
    let some = "dlq purge --yes --reason UNREADABLE --reason NO_REASON";
    assert_eq!(json(&mut place.milepost(some), 0).await["purged"], 2);
    assert_eq!(json(&mut place.milepost("dlq purge --yes"), 0).await["purged"], 3);
    assert_eq!(stdout(&run(&mut place.milepost("dlq list")).await), "no dead letters\n");

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), stdout(&exported)).unwrap();
    let again = format!("track --envelopes {}", file.path().to_str().unwrap());
    for _ in 0..2 {
        let queued = json(&mut place.milepost(&again), 1).await;
        assert_eq!((&queued["queued"], &queued["unreadable"]), (&4.into(), &1.into()));
    }
    let events = place.take_events().await;
    let modules: BTreeSet<u64> = (1..=7)
        .filter(|number| {
            events.iter().any(|event| event.body.contains(&format!("\"module-{number}\"")))
        })
        .collect();
    assert_eq!(modules, BTreeSet::from([1, 2, 3, 4, 5, 7]));
    assert_eq!(events.len(), 6, "the second run was swallowed");
    assert!(events.iter().all(|event| !event.deduplication_id.starts_with("sent-")));
    assert!(events.iter().all(|event| event.attributes.is_empty()));
}

#[tokio::test]
async fn letters_behind_others_of_their_contact_are_told_exported_and_replayed_embedded() {
    let folder = tempfile::tempdir().unwrap();
    behind_others(&Place::in_folder(folder.path())).await;
}

#[tokio::test]
async fn letters_behind_others_of_their_contact_are_told_exported_and_replayed_in_sqs() {
    let (_ministack, place) = in_sqs().await;
    behind_others(&place).await;
}

async fn behind_others(place: &Place) {
    let at = "2026-01-18T12:00:00Z";
    let in_front = (1..=12).map(|number| letter(number, ADA, "REJECTED", at));
    let behind = (13..=25).map(|number| letter(number, ADA, "CORRUPT_STATE", at));
    place.put(in_front.chain(behind).collect()).await;

    let listed = json(&mut place.milepost("dlq list"), 0).await;
    let number = |name: &str| listed[name].as_u64().unwrap();
    assert_eq!((number("total"), number("matched") + number("behind")), (25, 25), "{listed}");
    let exported = run(&mut place.milepost("dlq export")).await;
    assert_eq!(exported.status.code(), Some(0), "{exported:?}");
    let names: BTreeSet<String> = stdout(&exported)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].to_string())
        .collect();
    assert_eq!((names.len(), stdout(&exported).lines().count()), (25, 25));
    assert_eq!(place.dead().await, 25);

    let replay = "dlq replay --reason CORRUPT_STATE --rate 1000/s --follow 0";
    let replayed = json(&mut place.milepost(replay), 0).await;
    assert_eq!((&replayed["sent"], &replayed["skipped"]), (&13.into(), &12.into()));
    assert_eq!(place.dead().await, 12);
    assert_eq!(place.take_events().await.len(), 13);
}

#[tokio::test]
async fn a_replay_beside_a_running_stack_says_how_each_letter_ended() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let stack = Running::local(&["--window", "0", "--data", data]).await;
    let place = Place::in_folder(folder.path());
    let lost = letter(1, "x@example.org", "CONTACT_NOT_FOUND", "2026-01-18T12:00:00Z");
    let lost = Outgoing {
        body: lost.body.replace(r#""email":"x@example.org""#, r#""contactId":"987654321""#),
        group: shared::identity::Person::new(None, Some("987654321")).unwrap().group(),
        ..lost
    };
    let mended = letter(2, ADA, "REJECTED", "2026-01-18T12:00:00Z");
    place.put(vec![lost, mended]).await;

    let ended = json(&mut place.milepost("dlq replay"), 1).await;
    assert_eq!(
        (&ended["applied"], &ended["deadAgain"]["CONTACT_NOT_FOUND"]),
        (&1.into(), &1.into())
    );
    assert_eq!(place.dead().await, 1);
    let client = client();
    let url = format!("{}/progress/read?email={ADA}", stack.api());
    let progress = get(&client, &url).await.to_string();
    assert!(progress.contains("module-2"), "{progress}");
    stack.stop("INT").await;
}

#[tokio::test]
async fn a_replay_that_is_interrupted_hands_back_what_it_holds_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::in_folder(folder.path());
    let at = "2026-01-18T12:00:00Z";
    let letters = (1..=40).map(|number| {
        let reason = if number % 2 == 0 { "REJECTED" } else { "CORRUPT_STATE" };
        letter(number, &format!("{number}@example.org"), reason, at)
    });
    place.put(letters.collect()).await;
    let mut command = place.milepost("dlq replay --reason REJECTED --rate 4/s --follow 0 --json");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let replaying = command.spawn().unwrap();
    eventually(async || match place.dead().await {
        40 => Err("nothing was sent".to_owned()),
        _ => Ok(()),
    })
    .await;
    let interrupt = format!("kill -INT {}", replaying.id().unwrap());
    assert!(Command::new("sh").args(["-c", &interrupt]).status().await.unwrap().success());
    let ended = replaying.wait_with_output().await.unwrap();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let report = document(&ended);
    assert_eq!(report["interrupted"], true);
    let left = 40 - report["sent"].as_u64().unwrap();
    let listed = json(&mut place.milepost("dlq list"), 0).await;
    assert_eq!((&listed["matched"], &listed["inOtherHands"]), (&left.into(), &0.into()));
}

#[tokio::test]
async fn letters_of_a_replay_that_is_killed_five_times_are_applied_once_and_none_is_left() {
    let replayed = killed_replay::replay(1_000, 500, 5).await;
    let in_time = replayed.runs_s > 1_000.0 / 500.0;
    assert!(in_time, "no faster than asked: {} s, {}", replayed.runs_s, replayed.last);
}

#[tokio::test]
async fn what_ingest_logged_is_put_on_the_queue_once_and_applied() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let stack = Running::local(&["--window", "0", "--data", data]).await;
    let place = Place::in_folder(folder.path());
    let line = serde_json::json!({"timestamp": "x", "message": "Failed to persist event to CRM",
        "cause": "away", "fallback": crate::letters::body(3, BOB)});
    let log = folder.path().join("ingest.log");
    std::fs::write(&log, format!("START\n{line}\n2026-01-18T12:00:00Z {line}\n")).unwrap();
    let recover = format!("recover {}", log.to_str().unwrap());
    for _ in 0..2 {
        let recovered = json(&mut place.milepost(&recover), 0).await;
        assert_eq!((&recovered["found"], &recovered["queued"]), (&2.into(), &2.into()));
    }
    let client = client();
    let url = format!("{}/progress/read?email={BOB}", stack.api());
    eventually(async || match get(&client, &url).await.to_string() {
        progress if progress.contains("module-3") => Ok(()),
        progress => Err(progress),
    })
    .await;
    stack.stop("INT").await;
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::in_folder(folder.path());
    drop(place);
    let check = async |command: &mut Command, said: &str| {
        let output = run(command).await;
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(stderr(&output).contains(said), "{output:?}");
    };
    let milepost = crate::process::milepost;
    check(&mut milepost(&["dlq", "list"]), "QUEUE_URL is missing").await;
    check(&mut milepost(&["dlq", "list", "--data", "docs"]), "there is no queue at").await;
    check(&mut milepost(&["recover", "no-such-file", "--data", "docs"]), "hint: ").await;
    check(&mut milepost(&["track", "-", "--data", "docs"]), "--data is for --envelopes").await;
}
