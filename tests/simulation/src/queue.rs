//! A FIFO queue for simulations: the rules of SQS in a vector, on virtual time, without a thread.
//!
//! In: the `Queue` port. Out: deliveries in an order that a seed chooses among open groups. Without
//! [`Troubles`] it holds `queue_laws` like the real ones; with them it does what SQS may do on a bad
//! day. A [`Watch`] is told what came and what went.
//!
//! **Invariant**: everything it does follows from its calls, its clock and its seed.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use shared::ports::{Clock, Delivery, Depth, Outgoing, Queue, QueueFault, Receipt, ReceiveRequest};
use tokio::sync::Notify;

use crate::clock::VirtualClock;
use crate::entropy::SeededEntropy;
use crate::fired::Fired;

mod asked;
mod stored;
mod troubles;

pub use asked::Asked;
use stored::{Stored, delivery, read};
pub use troubles::Troubles;

/// SQS: how long a deduplication id is remembered.
const KNOWN_FOR: Duration = Duration::from_secs(300);

/// SQS: the longest body.
const BODY_BYTES_MAX: usize = 1_048_576;

/// Is told what comes to a queue and what leaves it.
pub trait Watch: Send + Sync {
    /// A message was deleted, at this receive count.
    fn deleted(&self, message: &Outgoing, receive_count: u32);

    /// A message was received so often that the queue itself moved it away.
    fn moved_away(&self, message: &Outgoing);
}

/// A queue. Clones are the same queue.
#[derive(Clone)]
pub struct SimQueue {
    clock: VirtualClock,
    chance: Arc<SeededEntropy>,
    delay: Duration,
    redrive: Option<(u32, Arc<SimQueue>)>,
    fired: Arc<Fired>,
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
    troubles: Troubles,
    watch: Option<Arc<dyn Watch>>,
    asked: Asked,
}

impl SimQueue {
    /// An empty queue whose new messages stay hidden for `delay`.
    pub fn new(clock: VirtualClock, chance: Arc<SeededEntropy>, delay: Duration) -> Self {
        let (fired, changed, state) = Default::default();
        Self { clock, chance, delay, redrive: None, fired, changed, state }
    }

    /// The same queue, counting its troubles here.
    #[must_use]
    pub fn counting(self, fired: Arc<Fired>) -> Self {
        Self { fired, ..self }
    }

    /// Sets the troubles from now on.
    pub fn trouble(&self, troubles: Troubles) {
        self.state().troubles = troubles;
        self.changed.notify_waiters();
    }

    /// Whom to tell from now on; nobody, when it is over: a watch that knows its queue keeps it alive.
    pub fn watch(&self, watch: Option<Arc<dyn Watch>>) {
        self.state().watch = watch;
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

    /// How many messages are such.
    pub fn count(&self, is_such: impl Fn(&Outgoing) -> bool) -> usize {
        let state = self.state();
        let stored = state.groups.values().flat_map(BTreeMap::values);
        stored.filter(|stored| is_such(&stored.message)).count()
    }

    /// The messages that are in somebody's hands.
    pub fn in_hand(&self) -> Vec<Outgoing> {
        let now = self.clock.uptime();
        let state = self.state();
        let stored = state.groups.values().flat_map(BTreeMap::values);
        let in_hand = stored.filter(|stored| stored.is_in_hand && stored.is_hidden(now));
        in_hand.map(|stored| stored.message.clone()).collect()
    }

    /// Takes messages off, as a person with the console does.
    pub fn take_off(&self, is_such: impl Fn(&Outgoing) -> bool) {
        let mut state = self.state();
        for group in state.groups.values_mut() {
            group.retain(|_, stored| !is_such(&stored.message));
        }
        state.groups.retain(|_, group| !group.is_empty());
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Asked {
        self.state().asked
    }

    /// Whether nothing stands in the queue.
    pub fn is_empty(&self) -> bool {
        self.state().groups.is_empty()
    }

    fn take(&self, request: &ReceiveRequest) -> Vec<Delivery> {
        let now = self.clock.uptime();
        let mut state = self.state();
        let State { receipts, groups, troubles, .. } = &mut *state;
        let is_open = |group: &BTreeMap<u64, Stored>| {
            group.values().next().is_some_and(|head| !head.is_hidden(now))
                // Messages are given out in order: after one that never was, none is in flight.
                && !group.values().take_while(|s| s.receive_count > 0).any(|s| s.is_in_flight(now))
        };
        let mut open: Vec<&mut BTreeMap<u64, Stored>> =
            groups.values_mut().filter(|group| is_open(group)).collect();
        if troubles.held_back > 0.0 {
            open.retain(|_| !self.meets("group held back", troubles.held_back));
        }
        let mut taken = Vec::new();
        let mut dead = Vec::new();
        // SQS promises order within a group and none among groups.
        while !open.is_empty() && taken.len() < request.messages_max as usize {
            let group = open.swap_remove(self.chance.below(open.len() as u64) as usize);
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
                stored.is_in_hand = true;
                stored.hidden_until = now + request.visibility;
                taken.push(delivery(*number, *receipts, stored));
            }
        }
        let watch = state.watch.clone();
        let dead: Vec<Stored> =
            dead.into_iter().filter_map(|(group, number)| state.remove(&group, number)).collect();
        drop(state);
        for Stored { message, .. } in dead {
            if let Some(watch) = &watch {
                watch.moved_away(&message);
            }
            if let Some((_, dead_letters)) = &self.redrive {
                dead_letters.put(message);
            }
        }
        taken
    }

    /// Whether a trouble of this probability strikes now.
    fn meets(&self, name: &'static str, probability: f64) -> bool {
        let meets = probability > 0.0 && self.chance.happens(probability);
        if meets {
            self.fired.strike(name);
        }
        meets
    }

    /// What a call meets before it does anything.
    async fn approach(&self) -> Result<Troubles, QueueFault> {
        let troubles = self.state().troubles;
        if self.meets("queue slow", troubles.slow) {
            self.clock.sleep(Duration::from_millis(self.chance.below(2_000))).await;
        }
        if troubles.away {
            self.fired.strike("queue away");
            return Err(QueueFault::Unavailable("nobody answers".into()));
        }
        Ok(troubles)
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
            is_in_hand: false,
            hidden_until: now + self.delay,
            message,
        };
        state.groups.entry(stored.message.group.clone()).or_default().insert(number, stored);
    }

    fn settle(
        &self,
        receipt: &Receipt,
        visibility: Option<Duration>,
        troubles: Troubles,
    ) -> Result<(), QueueFault> {
        if self.meets("settling throttled", troubles.throttled) {
            return Err(QueueFault::Unavailable("throttled".into()));
        }
        let now = self.clock.uptime();
        let mut state = self.state();
        let (number, receipt, name) = read(receipt).ok_or(QueueFault::Stale)?;
        let group = state.groups.get_mut(name).ok_or(QueueFault::Stale)?;
        let stored = group.get_mut(&number).ok_or(QueueFault::Stale)?;
        if stored.receipt != Some(receipt) || !stored.is_hidden(now) {
            return Err(QueueFault::Stale);
        }
        if visibility.is_none() && self.meets("visibility ended too soon", troubles.stale) {
            stored.hidden_until = now;
            return Err(QueueFault::Stale);
        }
        match visibility {
            Some(visibility) => {
                stored.hidden_until = now + visibility;
                stored.is_in_hand = false;
            }
            None => {
                let deleted = state.remove(name, number);
                let watch = state.watch.clone();
                drop(state);
                if let (Some(watch), Some(deleted)) = (watch, &deleted) {
                    watch.deleted(&deleted.message, deleted.receive_count);
                }
                if let Some(mut again) = deleted
                    && self.meets("delivered twice", troubles.twice)
                {
                    again.hidden_until = now;
                    let group = again.message.group.clone();
                    self.state().groups.entry(group).or_default().insert(number, again);
                }
            }
        }
        if self.meets("settling's answer lost", troubles.lost) {
            return Err(QueueFault::Unavailable("the answer is lost".into()));
        }
        Ok(())
    }

    async fn settle_all(
        &self,
        receipts: impl Iterator<Item = (Receipt, Option<Duration>)> + Send,
    ) -> Vec<(Receipt, QueueFault)> {
        let receipts: Vec<_> = receipts.collect();
        self.state().asked.settles += asked::requests(receipts.len());
        let troubles = match self.approach().await {
            Ok(troubles) => troubles,
            Err(fault) => {
                return receipts.into_iter().map(|(one, _)| (one, fault.clone())).collect();
            }
        };
        let settle = |(receipt, visibility): (Receipt, Option<Duration>)| {
            let fault = self.settle(&receipt, visibility, troubles).err()?;
            Some((receipt, fault))
        };
        let refused = receipts.into_iter().filter_map(settle).collect();
        self.changed.notify_waiters();
        refused
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.state().asked.sends += asked::requests(messages.len());
        let troubles = match self.approach().await {
            Ok(troubles) => troubles,
            Err(fault) => return messages.iter().map(|_| Err(fault.clone())).collect(),
        };
        let put = |message: Outgoing| {
            if message.body.is_empty() || message.body.len() > BODY_BYTES_MAX {
                return Err(QueueFault::Refused("the body is empty or over 1 MiB".into()));
            }
            if self.meets("send throttled", troubles.throttled) {
                return Err(QueueFault::Unavailable("throttled".into()));
            }
            self.put(message);
            if self.meets("send's answer lost", troubles.lost) {
                return Err(QueueFault::Unavailable("the answer is lost".into()));
            }
            Ok(())
        };
        let answers = messages.into_iter().map(put).collect();
        self.changed.notify_waiters();
        answers
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<Delivery>, QueueFault> {
        let until = self.clock.uptime() + request.wait;
        let is_poll = !request.wait.is_zero();
        match &mut self.state().asked {
            asked if is_poll => asked.polls += 1,
            asked => asked.receives += 1,
        }
        loop {
            let troubles = self.approach().await?;
            if self.meets("receive throttled", troubles.throttled) {
                return Err(QueueFault::Unavailable("throttled".into()));
            }
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            let taken = self.take(&request);
            let left = until.saturating_sub(self.clock.uptime());
            if !taken.is_empty() && self.meets("receive's answer lost", troubles.lost) {
                return Err(QueueFault::Unavailable("the answer is lost".into()));
            }
            if !taken.is_empty() || left.is_zero() {
                self.state().asked.invocations += u64::from(is_poll && !taken.is_empty());
                return Ok(taken);
            }
            let mut pause = self.opens_in().unwrap_or(left).min(left);
            if troubles.held_back > 0.0 {
                pause = pause.min(Duration::from_secs(1));
            }
            tokio::select! {
                biased;
                () = changed => {}
                () = self.clock.sleep(pause) => {}
            }
        }
    }

    async fn delete(&self, receipts: Vec<Receipt>) -> Vec<(Receipt, QueueFault)> {
        let settle = |receipt: Receipt| (receipt, None);
        self.settle_all(receipts.into_iter().map(settle)).await
    }

    async fn change_visibility(
        &self,
        receipts: Vec<(Receipt, Duration)>,
    ) -> Vec<(Receipt, QueueFault)> {
        let settle = |(receipt, visibility): (Receipt, Duration)| (receipt, Some(visibility));
        self.settle_all(receipts.into_iter().map(settle)).await
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
