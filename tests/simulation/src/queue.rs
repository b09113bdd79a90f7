//! A FIFO queue for simulations: the rules of SQS in a vector, on virtual time, without a thread.
//!
//! In: the `Queue` port. Out: deliveries in an order that a seed chooses among open groups, now and
//! then one that was delivered before. It holds `queue_laws` like the real ones.
//!
//! **Invariant**: everything it does follows from its calls, its clock and its seed.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use shared::ports::{Clock, Delivery, Depth, Entropy, Outgoing, Queue, QueueFault, ReceiveRequest};
use tokio::sync::Notify;

use crate::clock::VirtualClock;

/// SQS: how long a deduplication id is remembered.
const KNOWN_FOR: Duration = Duration::from_secs(300);

/// SQS: the longest body.
const BODY_BYTES_MAX: usize = 1_048_576;

/// A queue. Clones are the same queue.
#[derive(Clone)]
pub struct SimQueue {
    clock: VirtualClock,
    chance: Arc<dyn Entropy>,
    delay: Duration,
    redrive: Option<(u32, Arc<SimQueue>)>,
    changed: Arc<Notify>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    sent: u64,
    receipts: u64,
    /// By group, then by the order of sending. A group that holds nothing is not there.
    groups: BTreeMap<String, BTreeMap<u64, Stored>>,
    known: BTreeMap<(String, String), Duration>,
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
        let changed = Arc::default();
        Self { clock, chance, delay, redrive: None, changed, state: Arc::default() }
    }

    /// The same queue, but a message that was received `max_receive_count` times goes to the other
    /// one instead of being given out once more.
    #[must_use]
    pub fn with_redrive(self, max_receive_count: u32, dead_letters: &SimQueue) -> Self {
        Self { redrive: Some((max_receive_count, Arc::new(dead_letters.clone()))), ..self }
    }

    /// The messages that stand in the queue, in whatever state.
    pub fn messages(&self) -> Vec<Outgoing> {
        let state = self.state();
        state.groups.values().flat_map(|g| g.values()).map(|s| s.message.clone()).collect()
    }

    /// Whether nothing stands in the queue.
    pub fn is_empty(&self) -> bool {
        self.state().groups.is_empty()
    }

    fn take(&self, request: &ReceiveRequest) -> Vec<Delivery> {
        let now = self.clock.uptime();
        let mut state = self.state();
        let State { receipts, groups, .. } = &mut *state;
        let is_open = |group: &BTreeMap<u64, Stored>| {
            group.values().next().is_some_and(|head| !head.is_hidden(now))
                && !group.values().any(|stored| stored.is_in_flight(now))
        };
        let mut open: Vec<&mut BTreeMap<u64, Stored>> =
            groups.values_mut().filter(|group| is_open(group)).collect();
        let mut taken = Vec::new();
        let mut dead = Vec::new();
        // SQS promises order within a group and none among groups.
        while !open.is_empty() && taken.len() < request.messages_max as usize {
            let group = open.swap_remove((self.chance.next_u64() % open.len() as u64) as usize);
            for (number, stored) in group.iter_mut() {
                if stored.is_hidden(now) || taken.len() >= request.messages_max as usize {
                    break;
                }
                if let Some((max_receive_count, _)) = &self.redrive
                    && stored.receive_count >= *max_receive_count
                {
                    dead.push((stored.message.group.clone(), *number));
                    continue;
                }
                *receipts += 1;
                stored.receive_count += 1;
                stored.receipt = Some(*receipts);
                stored.hidden_until = now + request.visibility;
                taken.push(delivery(*number, *receipts, stored));
            }
        }
        for (group, number) in dead {
            if let Some(stored) = state.remove(&group, number)
                && let Some((_, dead_letters)) = &self.redrive
            {
                dead_letters.put(stored.message);
            }
        }
        taken
    }

    /// When the next message shows that is hidden now.
    fn opens_in(&self) -> Option<Duration> {
        let now = self.clock.uptime();
        let state = self.state();
        let hidden = state.groups.values().flat_map(|group| group.values());
        hidden.filter(|s| s.is_hidden(now)).map(|s| s.hidden_until - now).min()
    }

    fn put(&self, message: Outgoing) {
        let now = self.clock.uptime();
        let mut state = self.state();
        let key = (message.group.clone(), message.deduplication_id.clone());
        if state.known.get(&key).is_some_and(|until| *until > now) {
            return;
        }
        state.known.insert(key, now + KNOWN_FOR);
        state.sent += 1;
        let number = state.sent;
        let stored = Stored {
            sent_at: self.clock.now(),
            receive_count: 0,
            receipt: None,
            hidden_until: now + self.delay,
            message,
        };
        state.groups.entry(stored.message.group.clone()).or_default().insert(number, stored);
    }

    fn settle(&self, delivery: &Delivery, visibility: Option<Duration>) -> Result<(), QueueFault> {
        let now = self.clock.uptime();
        let mut state = self.state();
        let receipt: Option<u64> = delivery.receipt_handle.parse().ok();
        let number: u64 = delivery.message_id.parse().map_err(|_| QueueFault::Stale)?;
        let group = state.groups.get_mut(&delivery.group).ok_or(QueueFault::Stale)?;
        let stored = group.get_mut(&number).ok_or(QueueFault::Stale)?;
        if stored.receipt != receipt || !stored.is_hidden(now) {
            return Err(QueueFault::Stale);
        }
        match visibility {
            Some(visibility) => stored.hidden_until = now + visibility,
            None => {
                let _deleted = state.remove(&delivery.group, number);
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

impl State {
    fn remove(&mut self, group: &str, number: u64) -> Option<Stored> {
        let messages = self.groups.get_mut(group)?;
        let removed = messages.remove(&number);
        if messages.is_empty() {
            self.groups.remove(group);
        }
        removed
    }
}

#[async_trait]
impl Queue for SimQueue {
    async fn send(&self, messages: Vec<Outgoing>) -> Vec<Result<(), QueueFault>> {
        let put = |message: Outgoing| {
            if message.body.is_empty() || message.body.len() > BODY_BYTES_MAX {
                return Err(QueueFault::Refused("the body is empty or over 1 MiB".into()));
            }
            self.put(message);
            Ok(())
        };
        let answers = messages.into_iter().map(put).collect();
        self.changed.notify_waiters();
        answers
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<Delivery>, QueueFault> {
        let until = self.clock.uptime() + request.wait;
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            let taken = self.take(&request);
            let left = until.saturating_sub(self.clock.uptime());
            if !taken.is_empty() || left.is_zero() {
                return Ok(taken);
            }
            let pause = self.opens_in().unwrap_or(left).min(left);
            tokio::select! {
                biased;
                () = changed => {}
                () = self.clock.sleep(pause) => {}
            }
        }
    }

    async fn delete(&self, deliveries: Vec<Delivery>) -> Vec<(Delivery, QueueFault)> {
        let settle = |delivery: Delivery| {
            let fault = self.settle(&delivery, None).err()?;
            Some((delivery, fault))
        };
        let refused = deliveries.into_iter().filter_map(settle).collect();
        self.changed.notify_waiters();
        refused
    }

    async fn change_visibility(
        &self,
        deliveries: Vec<(Delivery, Duration)>,
    ) -> Vec<(Delivery, QueueFault)> {
        let settle = |(delivery, visibility): (Delivery, Duration)| {
            let fault = self.settle(&delivery, Some(visibility)).err()?;
            Some((delivery, fault))
        };
        let refused = deliveries.into_iter().filter_map(settle).collect();
        self.changed.notify_waiters();
        refused
    }

    async fn depth(&self) -> Result<Depth, QueueFault> {
        let now = self.clock.uptime();
        let state = self.state();
        let mut depth = Depth::default();
        for stored in state.groups.values().flat_map(|group| group.values()) {
            match (stored.is_hidden(now), stored.receive_count) {
                (false, _) => depth.visible += 1,
                (true, 0) => depth.delayed += 1,
                (true, _) => depth.in_flight += 1,
            }
        }
        Ok(depth)
    }
}
