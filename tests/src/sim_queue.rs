//! A FIFO queue for simulations: the rules of SQS in a vector, on virtual time, without a thread.
//!
//! In: the `Queue` port. Out: deliveries in an order that a seed chooses among open groups, now and
//! then one that was delivered before. It holds `queue_laws` like the real ones.
//!
//! **Invariant**: everything it does follows from its calls, its clock and its seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use shared::ports::{Clock, Delivery, Depth, Entropy, Outgoing, Queue, QueueFault, ReceiveRequest};

use crate::clock::VirtualClock;

/// SQS: how long a deduplication id is remembered.
const KNOWN_FOR: Duration = Duration::from_secs(300);
/// How often a waiting receiver looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A queue. Clones are the same queue.
#[derive(Clone)]
pub struct SimQueue {
    clock: VirtualClock,
    chance: Arc<dyn Entropy>,
    delay: Duration,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    sent: u64,
    receipts: u64,
    stored: BTreeMap<u64, Stored>,
    known: BTreeMap<(String, String), Duration>,
    /// Every message that was ever deleted, by deduplication id: for checkers.
    deleted: BTreeSet<String>,
}

struct Stored {
    message: Outgoing,
    sent_at: DateTime<Utc>,
    receive_count: u32,
    receipt: Option<u64>,
    hidden_until: Duration,
}

impl Stored {
    fn is_hidden(&self, now: Duration) -> bool {
        self.hidden_until > now
    }

    fn is_in_flight(&self, now: Duration) -> bool {
        self.receive_count > 0 && self.is_hidden(now)
    }
}

impl SimQueue {
    /// An empty queue whose new messages stay hidden for `delay`.
    pub fn new(clock: VirtualClock, chance: Arc<dyn Entropy>, delay: Duration) -> Self {
        Self { clock, chance, delay, state: Arc::default() }
    }

    /// The messages that stand in the queue, in whatever state.
    pub fn messages(&self) -> Vec<Outgoing> {
        self.state().stored.values().map(|stored| stored.message.clone()).collect()
    }

    /// The highest receive count of a message that stands in the queue.
    pub fn receive_count_max(&self) -> u32 {
        self.state().stored.values().map(|stored| stored.receive_count).max().unwrap_or(0)
    }

    fn take(&self, request: &ReceiveRequest) -> Vec<Delivery> {
        let now = self.clock.uptime();
        let mut state = self.state();
        let closed: BTreeSet<String> = state
            .stored
            .values()
            .filter(|stored| stored.is_in_flight(now))
            .map(|stored| stored.message.group.clone())
            .collect();
        let mut open: Vec<String> = Vec::new();
        for stored in state.stored.values() {
            let group = &stored.message.group;
            if !closed.contains(group) && !open.contains(group) {
                open.push(group.clone());
            }
        }
        // SQS promises order within a group and none among groups.
        for last in (1..open.len()).rev() {
            open.swap(last, (self.chance.next_u64() % (last as u64 + 1)) as usize);
        }
        let mut taken = Vec::new();
        for group in open {
            let of_group: Vec<u64> = state
                .stored
                .iter()
                .filter(|(_, stored)| stored.message.group == group)
                .map(|(number, _)| *number)
                .collect();
            for number in of_group {
                if taken.len() >= request.messages_max as usize {
                    return taken;
                }
                state.receipts += 1;
                let receipt = state.receipts;
                let Some(stored) = state.stored.get_mut(&number) else { break };
                if stored.is_hidden(now) {
                    break;
                }
                stored.receive_count += 1;
                stored.receipt = Some(receipt);
                stored.hidden_until = now + request.visibility;
                taken.push(delivery(number, receipt, stored));
            }
        }
        taken
    }

    fn settle(&self, delivery: &Delivery, visibility: Option<Duration>) -> Result<(), QueueFault> {
        let now = self.clock.uptime();
        let mut state = self.state();
        let receipt: Option<u64> = delivery.receipt_handle.parse().ok();
        let number: Option<u64> = delivery.message_id.parse().ok();
        let number = number.ok_or(QueueFault::Stale)?;
        let stored = state.stored.get_mut(&number).ok_or(QueueFault::Stale)?;
        if stored.receipt != receipt || !stored.is_hidden(now) {
            return Err(QueueFault::Stale);
        }
        match visibility {
            Some(visibility) => stored.hidden_until = now + visibility,
            None => {
                let id = stored.message.deduplication_id.clone();
                state.stored.remove(&number);
                state.deleted.insert(id);
            }
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn delivery(number: u64, receipt: u64, stored: &Stored) -> Delivery {
    Delivery {
        message_id: number.to_string(),
        receipt_handle: receipt.to_string(),
        body: stored.message.body.clone(),
        group: stored.message.group.clone(),
        deduplication_id: stored.message.deduplication_id.clone(),
        receive_count: stored.receive_count,
        sent_at: stored.sent_at,
        attributes: stored.message.attributes.clone(),
    }
}

#[async_trait]
impl Queue for SimQueue {
    async fn send(&self, messages: Vec<Outgoing>) -> Vec<Result<(), QueueFault>> {
        let now = self.clock.uptime();
        let mut state = self.state();
        let mut answers = Vec::with_capacity(messages.len());
        for message in messages {
            let key = (message.group.clone(), message.deduplication_id.clone());
            if state.known.get(&key).is_none_or(|until| *until <= now) {
                state.known.insert(key, now + KNOWN_FOR);
                state.sent += 1;
                let number = state.sent;
                let stored = Stored {
                    message,
                    sent_at: self.clock.now(),
                    receive_count: 0,
                    receipt: None,
                    hidden_until: now + self.delay,
                };
                state.stored.insert(number, stored);
            }
            answers.push(Ok(()));
        }
        answers
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<Delivery>, QueueFault> {
        let until = self.clock.uptime() + request.wait;
        loop {
            let taken = self.take(&request);
            let left = until.saturating_sub(self.clock.uptime());
            if !taken.is_empty() || left.is_zero() {
                return Ok(taken);
            }
            self.clock.sleep(LOOK_EVERY.min(left)).await;
        }
    }

    async fn delete(&self, deliveries: Vec<Delivery>) -> Vec<(Delivery, QueueFault)> {
        let settle = |delivery: Delivery| {
            let fault = self.settle(&delivery, None).err()?;
            Some((delivery, fault))
        };
        deliveries.into_iter().filter_map(settle).collect()
    }

    async fn change_visibility(
        &self,
        deliveries: Vec<(Delivery, Duration)>,
    ) -> Vec<(Delivery, QueueFault)> {
        let settle = |(delivery, visibility): (Delivery, Duration)| {
            let fault = self.settle(&delivery, Some(visibility)).err()?;
            Some((delivery, fault))
        };
        deliveries.into_iter().filter_map(settle).collect()
    }

    async fn depth(&self) -> Result<Depth, QueueFault> {
        let now = self.clock.uptime();
        let state = self.state();
        let count = |fits: &dyn Fn(&Stored) -> bool| {
            state.stored.values().filter(|stored| fits(stored)).count() as u64
        };
        let in_flight = count(&|stored| stored.is_in_flight(now));
        let delayed = count(&|stored| stored.receive_count == 0 && stored.is_hidden(now));
        let visible = state.stored.len() as u64 - in_flight - delayed;
        Ok(Depth { visible, in_flight, delayed })
    }
}
