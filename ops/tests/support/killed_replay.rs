//! A replay of many letters, killed on the way: the test and the benchmark differ in numbers only.
//!
//! The stack's log says how many messages were applied; the simulator, which contacts hold what.

use std::process::Stdio;
use std::time::Duration;

use host::clock::SystemClock;
use serde_json::Value;
use shared::ports::Clock as _;

use crate::ended::{document, run};
use crate::letters::{Place, letter};
use crate::process::{Running, client, get, milepost};

/// Letters of one contact: more than one receive gives, so that some stand behind others.
const LETTERS_EACH: u32 = 20;

/// What the last run said, and how long all took.
pub(crate) struct Replayed {
    pub(crate) last: Value,
    pub(crate) runs_s: f64,
}

/// Puts letters beside a running stack, replays and kills, and checks.
pub(crate) async fn replay(letters: u32, rate: u32, kills: u32) -> Replayed {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let log = folder.path().join("log");
    let mut command = milepost(&["local", "--json", "--port", "0", "--window", "0"]);
    command.args(["--log", "info", "--data", data]).env("HUBSPOT_BURST_LIMIT", "250");
    let told = Stdio::from(std::fs::File::create(&log).unwrap());
    let stack = Running::start_telling(&mut command, told).await;
    let place = Place::in_folder(folder.path());
    let at = "2026-01-18T12:00:00Z";
    let all = (0..letters).map(|number| letter(number, &email(number), "REJECTED", at));
    place.put(all.collect()).await;
    assert_eq!(place.dead().await, u64::from(letters));

    let clock = SystemClock::start();
    let arguments = format!("dlq replay --json --rate {rate}/s");
    for kill in 1..=kills {
        let mut replaying = place.milepost(&arguments).stdout(Stdio::null()).spawn().unwrap();
        let left_at_kill = u64::from(letters - kill * letters / (kills + 1));
        while place.dead().await > left_at_kill {
            assert!(replaying.try_wait().unwrap().is_none(), "it ended before it was killed");
            clock.sleep(Duration::from_millis(5)).await;
        }
        replaying.kill().await.unwrap();
    }
    let mut command = place.milepost(&arguments);
    let ended = tokio::time::timeout(Duration::from_secs(300), command.output());
    let ended = ended.await.unwrap().unwrap();
    let runs_s = clock.uptime().as_secs_f64();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let last = document(&ended);
    assert_eq!(last["applied"], last["matched"], "{last}");
    assert_eq!(place.dead().await, 0);
    assert_eq!(place.events.depth().await.unwrap().total(), 0);
    let listed = document(&run(&mut place.milepost("dlq list --json")).await);
    assert_eq!(listed["total"], 0);

    let client = client();
    let url = format!("{}/_portal/contacts?limit=1000", stack.portal());
    let contacts = get(&client, &url).await;
    let states = contacts["contacts"].to_string();
    let missing = (0..letters).filter(|number| !states.contains(&format!("module-{number}\\")));
    assert_eq!(missing.count(), 0, "of {letters} events");
    stack.stop("INT").await;
    let log = std::fs::read_to_string(&log).unwrap();
    let applied: u64 = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["message"] == "Pass")
        .filter_map(|line| line["applied"].as_u64())
        .sum();
    assert_eq!(applied, u64::from(letters), "each was applied once");
    Replayed { last, runs_s }
}

fn email(number: u32) -> String {
    format!("learner-{}@example.org", number / LETTERS_EACH)
}
