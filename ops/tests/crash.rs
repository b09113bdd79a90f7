//! `kill -9` at any moment loses no event that was acknowledged.
//!
//! A stack under load is killed again and again, and started on the same folder. In the end each
//! acknowledged event's effect is in the simulator, and each contact is what the pure fold makes
//! of the events that are: nothing is half there, nothing is there that nobody sent. An event
//! that was sent and not acknowledged may be there or not.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on panics; clippy sees helpers of a test as no test"
)]

#[path = "support/contacts.rs"]
mod contacts;
#[path = "support/process.rs"]
mod process;

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use host::catalog_folder;
use host::clock::SystemClock;
use shared::ports::Clock as _;

use contacts::{Contacts, folded, in_simulator};
use process::{Running, client, eventually, milepost, post};

const KILLS: u32 = 20;
/// Of so many kills one is followed by another while the stack starts.
const KILL_AT_START_EVERY: u32 = 4;
const SENDERS: u32 = 4;
/// Each sender's rest between events: the load is steady, and the test has an end.
const SENDER_REST: Duration = Duration::from_millis(4);
const PEOPLE: u32 = 60;
const SEED: u64 = 0x6d69_6c65_706f_7374;

/// What was sent, and what was acknowledged, by number.
#[derive(Default)]
struct Ledger {
    sent: AtomicU32,
    acknowledged: Mutex<BTreeSet<u32>>,
}

#[tokio::test]
async fn no_acknowledged_event_is_lost_however_often_the_stack_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--window", "0", "--data", folder.path().to_str().unwrap()];
    let client = client();
    let clock = SystemClock::start();
    let ledger = Arc::new(Ledger::default());
    let mut chance = Chance(SEED);

    for kill in 1..=KILLS {
        let stack = Running::local(&arguments).await;
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| tokio::spawn(send(client.clone(), stack.api().to_owned(), ledger.clone())))
            .collect();
        clock.sleep(Duration::from_millis(chance.between(20, 600))).await;
        stack.stop("KILL").await;
        for sender in senders {
            sender.await.unwrap();
        }
        if kill % KILL_AT_START_EVERY == 0 {
            let mut command = milepost(&["local", "--json", "--port", "0"]);
            let mut starting = command.args(arguments).stdout(Stdio::null()).spawn().unwrap();
            clock.sleep(Duration::from_millis(chance.between(0, 60))).await;
            starting.kill().await.unwrap();
        }
    }

    let stack = Running::local(&arguments).await;
    let sent = ledger.sent.load(Ordering::Relaxed);
    let acknowledged = ledger.acknowledged.lock().unwrap().clone();
    assert!(acknowledged.len() > KILLS as usize, "the load was none: {}", acknowledged.len());
    let (contacts, _) = eventually(async || {
        let contacts = in_simulator(&client, stack.portal()).await;
        let is_missing = |number: &&u32| !is_there(**number, &contacts);
        match acknowledged.iter().filter(is_missing).count() {
            0 => Ok(contacts),
            missing => Err(format!("{missing} of {} events are missing", acknowledged.len())),
        }
    })
    .await;

    let there: Vec<String> =
        (0..sent).filter(|number| is_there(*number, &contacts)).map(event).collect();
    let (catalog, _) = catalog_folder::load("../catalog".as_ref()).unwrap();
    assert_eq!(contacts, folded(there.iter().map(String::as_str), &catalog));
    stack.stop("INT").await;
}

/// Sends events, one after the other, until the stack is gone.
async fn send(client: reqwest::Client, api: String, ledger: Arc<Ledger>) {
    let clock = SystemClock::start();
    let url = format!("{api}/events/track");
    loop {
        let number = ledger.sent.fetch_add(1, Ordering::Relaxed);
        let Ok((status, answer)) = post(&client, &url, event(number)).await else { return };
        assert_eq!(status, 200);
        if answer["status"] == "persisted" {
            ledger.acknowledged.lock().unwrap().insert(number);
        }
        clock.sleep(SENDER_REST).await;
    }
}

/// Each event has a module of its own, so that it can be told whether it is there.
fn event(number: u32) -> String {
    let at = instant(number);
    format!(
        r#"{{"eventName":"learning_module_completed","eventId":"crash-{number}",
            "contactIdentifier":{{"email":"{}"}},
            "payload":{{"module_slug":"{}","course_slug":"advanced-networking",
                        "pathway_slug":"network-automation","ts":"{at}"}}}}"#,
        email(number),
        module(number),
    )
}

fn email(number: u32) -> String {
    format!("learner-{}@example.org", number % PEOPLE)
}

fn module(number: u32) -> String {
    format!("module-{number}")
}

fn instant(number: u32) -> String {
    let (seconds, ms) = (number / 1_000, number % 1_000);
    format!("2026-01-20T09:{:02}:{:02}.{ms:03}Z", seconds / 60, seconds % 60)
}

fn is_there(number: u32, contacts: &Contacts) -> bool {
    let state = contacts.get(&email(number)).and_then(|values| values.get("hhl_progress_state"));
    state.is_some_and(|state| state.contains(&format!("\"{}\"", module(number))))
}

/// xorshift64: the moments of the kills are the same in every run.
struct Chance(u64);

impl Chance {
    fn between(&mut self, least: u64, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        least + self.0 % (most - least + 1)
    }
}
