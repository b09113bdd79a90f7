//! Random histories of the embedded queue agree with a model of FIFO semantics: a vector of
//! messages and the rules, without index, file or thread.
//!
//! The model is the rules' second author: it looks at every message at every step, which the queue
//! must not.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use shared::ports::{Depth, Outgoing, QueueFault, Receipt, ReceiveRequest};
use simulation::clock::VirtualClock;
use simulation::entropy::SeededEntropy;
use sqlite::{QueueSettings, SqliteQueues};

const DELAY_S: u64 = 2;
const RECEIVES_MAX: u32 = 3;
const KNOWN_FOR_S: u64 = 300;

/// One step of a history. Times are in seconds; `held` chooses among all handles ever given.
#[derive(Debug, Clone)]
enum Step {
    Send { group: u8, id: u8 },
    Receive { messages_max: u32, visibility_s: u64 },
    Delete { held: prop::sample::Index },
    Hide { held: prop::sample::Index, visibility_s: u64 },
    Wait { time_s: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let held = any::<prop::sample::Index>;
    prop_oneof![
        6 => (0..4_u8, 0..12_u8).prop_map(|(group, id)| Step::Send { group, id }),
        5 => (1..=10_u32, 1..20_u64).prop_map(|(messages_max, visibility_s)| {
            Step::Receive { messages_max, visibility_s }
        }),
        3 => held().prop_map(|held| Step::Delete { held }),
        3 => (held(), 0..20_u64)
            .prop_map(|(held, visibility_s)| Step::Hide { held, visibility_s }),
        4 => prop_oneof![1..12_u64, 290..310_u64].prop_map(|time_s| Step::Wait { time_s }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn every_history_agrees_with_the_model(steps in prop::collection::vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(compare(steps))?;
    }
}

async fn compare(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let clock = VirtualClock::default();
    let settings = QueueSettings {
        delay: Duration::from_secs(DELAY_S),
        max_receive_count: RECEIVES_MAX,
        ..QueueSettings::default()
    };
    let entropy = Arc::new(SeededEntropy::new(3));
    let queues = SqliteQueues::in_memory(Arc::new(clock.clone()), entropy, settings)
        .map_err(|error| TestCaseError::fail(error.to_string()))?;
    let events = queues.events();
    let mut model = Model::default();
    let mut handles: Vec<(String, Handle)> = Vec::new();
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Send { group, id } => {
                prop_assert_eq!(events.send(vec![message(group, id)]).await, vec![Ok(())]);
                model.send(group, id);
            }
            Step::Receive { messages_max, visibility_s } => {
                let request = ReceiveRequest {
                    messages_max,
                    visibility: Duration::from_secs(visibility_s),
                    wait: Duration::ZERO,
                    attempt_id: number.to_string(),
                };
                let got = events.receive(request).await.expect("an answer");
                let expected = model.receive(messages_max as usize, visibility_s);
                let seen: Vec<_> = got.iter().map(|d| (d.body.clone(), d.receive_count)).collect();
                let told: Vec<_> =
                    expected.iter().map(|(body, handle)| (body.clone(), handle.receive)).collect();
                prop_assert_eq!(seen, told, "step {}", number);
                let taken = got.into_iter().zip(expected);
                handles
                    .extend(taken.map(|(d, (_, handle))| (d.receipt.handle().to_owned(), handle)));
            }
            Step::Delete { held } if !handles.is_empty() => {
                // Made anew from its handle, so that a history can settle one twice.
                let (receipt, handle) = held.get(&handles);
                let refused = events.delete(vec![Receipt::new(receipt)]).await;
                prop_assert_eq!(done(refused), model.delete(*handle), "step {}", number);
            }
            Step::Hide { held, visibility_s } if !handles.is_empty() => {
                let (receipt, handle) = held.get(&handles);
                let change = (Receipt::new(receipt), Duration::from_secs(visibility_s));
                let refused = events.change_visibility(vec![change]).await;
                prop_assert_eq!(
                    done(refused),
                    model.hide(*handle, visibility_s),
                    "step {}",
                    number
                );
            }
            Step::Delete { .. } | Step::Hide { .. } => {}
            Step::Wait { time_s } => {
                clock.advance(Duration::from_secs(time_s));
                model.now_s += time_s;
            }
        }
        let depth = events.depth().await.expect("a depth");
        prop_assert_eq!(depth, model.depth(), "after step {}", number);
    }
    let dead = queues.list_dead_letters(1_000).await.expect("a list");
    prop_assert_eq!(dead.into_iter().map(|letter| letter.body).collect::<Vec<_>>(), model.dead);
    Ok(())
}

/// One receive of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Handle {
    serial: usize,
    receive: u32,
}

#[derive(Debug)]
struct Stored {
    serial: usize,
    group: u8,
    body: String,
    receives: u32,
    hidden_until_s: u64,
}

impl Stored {
    fn is_in_flight(&self, now_s: u64) -> bool {
        self.receives > 0 && self.hidden_until_s > now_s
    }
}

#[derive(Debug, Default)]
struct Model {
    now_s: u64,
    sent: usize,
    messages: Vec<Stored>,
    known_until_s: HashMap<(u8, u8), u64>,
    dead: Vec<String>,
}

impl Model {
    fn send(&mut self, group: u8, id: u8) {
        let known_until_s = self.known_until_s.entry((group, id)).or_default();
        if *known_until_s > self.now_s {
            return;
        }
        *known_until_s = self.now_s + KNOWN_FOR_S;
        self.sent += 1;
        self.messages.push(Stored {
            serial: self.sent,
            group,
            body: format!("{group}/{id}"),
            receives: 0,
            hidden_until_s: self.now_s + DELAY_S,
        });
    }

    fn receive(&mut self, messages_max: usize, visibility_s: u64) -> Vec<(String, Handle)> {
        let now_s = self.now_s;
        let mut groups: Vec<u8> = Vec::new();
        for message in &self.messages {
            if !groups.contains(&message.group) {
                groups.push(message.group);
            }
        }
        let is_closed =
            |group| self.messages.iter().any(|m| m.group == group && m.is_in_flight(now_s));
        groups.retain(|group| !is_closed(*group));
        let mut given = Vec::new();
        let mut dead = Vec::new();
        for group in groups {
            for message in self.messages.iter_mut().filter(|message| message.group == group) {
                if message.hidden_until_s > now_s || given.len() == messages_max {
                    break;
                }
                if message.receives == RECEIVES_MAX {
                    dead.push((message.serial, message.body.clone()));
                    continue;
                }
                message.receives += 1;
                message.hidden_until_s = now_s + visibility_s;
                let handle = Handle { serial: message.serial, receive: message.receives };
                given.push((message.body.clone(), handle));
            }
        }
        self.messages.retain(|message| dead.iter().all(|(serial, _)| *serial != message.serial));
        self.dead.extend(dead.into_iter().map(|(_, body)| body));
        given
    }

    fn delete(&mut self, handle: Handle) -> Result<(), QueueFault> {
        let place = self.in_hand(handle)?;
        self.messages.remove(place);
        Ok(())
    }

    fn hide(&mut self, handle: Handle, visibility_s: u64) -> Result<(), QueueFault> {
        let place = self.in_hand(handle)?;
        self.messages[place].hidden_until_s = self.now_s + visibility_s;
        Ok(())
    }

    fn in_hand(&self, handle: Handle) -> Result<usize, QueueFault> {
        let holds = |message: &Stored| {
            message.serial == handle.serial
                && message.receives == handle.receive
                && message.is_in_flight(self.now_s)
        };
        self.messages.iter().position(holds).ok_or(QueueFault::Stale)
    }

    fn depth(&self) -> Depth {
        let count = |holds: &dyn Fn(&Stored) -> bool| {
            self.messages.iter().filter(|message| holds(message)).count() as u64
        };
        Depth {
            visible: count(&|message| message.hidden_until_s <= self.now_s),
            in_flight: count(&|message| message.is_in_flight(self.now_s)),
            delayed: count(&|message| message.receives == 0 && message.hidden_until_s > self.now_s),
        }
    }
}

fn message(group: u8, id: u8) -> Outgoing {
    Outgoing {
        body: format!("{group}/{id}"),
        group: group.to_string(),
        deduplication_id: id.to_string(),
        attributes: BTreeMap::new(),
    }
}

fn done(refused: Vec<(Receipt, QueueFault)>) -> Result<(), QueueFault> {
    refused.into_iter().next().map_or(Ok(()), |(_, fault)| Err(fault))
}
