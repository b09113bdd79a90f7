//! A scan over the dead letters, through the `Queue` port alone: it receives each one, holds it so
//! that the next one comes, and at the end deletes it or hands it back.
//!
//! A FIFO queue hides a contact's later messages while an earlier one is in flight, and one receive
//! gives ten. So more can be hidden behind those. A scan that has to reach them *requeues*: it puts
//! copies of what it holds at the end of the queue and deletes the originals, which uncovers the
//! rest. A scan that only peeks does not, and reports how many it could not see.
//!
//! **Invariant**: a dead letter leaves the queue only after its copy is on the queue, or because the
//! caller removed it. If a scan is killed, everything is visible again within [`HOLD`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use shared::envelope::deduplication_id;
use shared::ports::{Delivery, Outgoing, QueueFault, Receipt, ReceiveRequest};
use tokio::sync::watch;

use crate::Queues;
use crate::dead_letter::DeadLetter;

/// How long dead letters are held, unless the hold is renewed.
pub const HOLD: Duration = Duration::from_secs(30);
/// The age at which a hold is renewed.
const RENEW_AFTER: Duration = Duration::from_secs(10);
/// How long a receive waits for a first message: without a wait SQS may miss messages that are there.
const RECEIVE_WAIT: Duration = Duration::from_secs(1);
/// The maximum that one receive gives.
const RECEIVED_MAX: u32 = 10;
/// How many dead letters to receive, send and delete together: a queue on disk syncs once a call.
pub const AT_ONCE: u32 = 50;
/// The maximum number of tries when the queue does not answer.
const TRIES_MAX: u32 = 5;

/// What a scan does about dead letters that it can't receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It counts them, and changes nothing.
    Peek,
    /// It reaches them: it requeues those in front, and waits for those that another command holds.
    Drain,
}

/// What a scan did not see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unseen {
    /// Dead letters hidden behind others of their contact.
    pub behind: u64,
    /// Dead letters that another command holds, or held when it was killed.
    pub in_other_hands: u64,
}

impl Unseen {
    /// Whether it saw everything.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// A dead letter that the scan holds.
struct Held {
    receipt: Receipt,
    group: String,
    /// What takes its place at the end of the queue. Only a scan that drains has one.
    copy: Option<Outgoing>,
}

/// A scan in progress.
pub struct Scan<'a> {
    queues: &'a Queues,
    /// Holds `true` once the scan has to stop.
    stop: &'a watch::Receiver<bool>,
    mode: Mode,
    /// What this scan holds, by the message id under which it was first received.
    held: BTreeMap<String, Held>,
    seen: BTreeSet<String>,
    /// Requeued copies: by deduplication id, the message id of the original.
    copies: BTreeMap<String, String>,
    /// Originals whose copy is on the queue and not held.
    requeued: BTreeSet<String>,
    /// Groups that a full receive may have cut off.
    cut: BTreeSet<String>,
    renewed_at: Duration,
    /// What it did not see; final when [`next`](Self::next) returns nothing.
    pub unseen: Unseen,
}

impl<'a> Scan<'a> {
    /// A scan from the beginning. It stops early once `stop` holds `true`.
    pub fn new(queues: &'a Queues, stop: &'a watch::Receiver<bool>, mode: Mode) -> Self {
        Self {
            queues,
            stop,
            mode,
            held: BTreeMap::new(),
            seen: BTreeSet::new(),
            copies: BTreeMap::new(),
            requeued: BTreeSet::new(),
            cut: BTreeSet::new(),
            renewed_at: queues.clock.uptime(),
            unseen: Unseen::default(),
        }
    }

    /// How many dead letters the queue has, held ones included.
    ///
    /// # Errors
    /// [`QueueFault`].
    pub async fn total(&self) -> Result<u64, QueueFault> {
        Ok(self.queues.dead_letters.depth().await?.total())
    }

    /// The next dead letters, at most `letters_max`; none at the end, or when it has to stop.
    ///
    /// # Errors
    /// [`QueueFault`]; what this scan holds is visible again after [`HOLD`].
    pub async fn next(&mut self, letters_max: u32) -> Result<Vec<DeadLetter>, QueueFault> {
        let mut quiet_since = None;
        while !*self.stop.borrow() {
            self.renew().await;
            let received = self.receive(letters_max).await?;
            let is_nothing = received.is_empty();
            let fresh = self.take(received);
            if !fresh.is_empty() {
                return Ok(fresh);
            }
            if !is_nothing {
                quiet_since = None;
                continue;
            }
            let depth = self.queues.dead_letters.depth().await?;
            let in_other_hands = depth.in_flight.saturating_sub(self.held.len() as u64);
            // Copies can be hidden too, but were seen as originals.
            let behind = depth.visible.saturating_sub(self.requeued.len() as u64);
            self.unseen = Unseen { behind, in_other_hands };
            if self.mode == Mode::Peek || self.unseen.is_none() {
                break;
            }
            let now = self.queues.clock.uptime();
            let quiet = now.saturating_sub(*quiet_since.get_or_insert(now));
            // SQS counts approximately, and late: this scan may hold already what SQS still counts.
            let all = quiet > HOLD / 2;
            if behind > 0 && self.requeue(all).await? {
                quiet_since = None;
                continue;
            }
            // The hold of a command that was killed has ended by now.
            if quiet > HOLD + 2 * RECEIVE_WAIT {
                break;
            }
        }
        Ok(Vec::new())
    }

    /// Deletes dead letters that it holds, by message id. Returns how many it could not delete; those
    /// come again.
    pub async fn remove<'l>(&mut self, message_ids: impl IntoIterator<Item = &'l str>) -> u64 {
        let mut missing = 0;
        let mut receipts = Vec::new();
        for message_id in message_ids {
            match self.held.remove(message_id) {
                Some(letter) => receipts.push(letter.receipt),
                None => missing += 1,
            }
        }
        for _ in 0..TRIES_MAX {
            if receipts.is_empty() {
                break;
            }
            let left = self.queues.dead_letters.delete(receipts).await;
            let (again, gone): (Vec<_>, Vec<_>) = left
                .into_iter()
                .partition(|(_, fault)| matches!(fault, QueueFault::Unavailable(_)));
            missing += gone.len() as u64;
            receipts = again.into_iter().map(|(receipt, _)| receipt).collect();
        }
        missing + receipts.len() as u64
    }

    /// Renews the hold when it is old enough.
    async fn renew(&mut self) {
        let now = self.queues.clock.uptime();
        if now.saturating_sub(self.renewed_at) < RENEW_AFTER {
            return;
        }
        self.renewed_at = now;
        // A dead letter whose hold is not renewed comes again, and is recognized by its id.
        let held: Vec<&Receipt> = self.held.values().map(|held| &held.receipt).collect();
        self.queues.dead_letters.hold(&held, HOLD).await;
    }

    /// Hands back everything that it holds, so that the next command receives it at once.
    pub async fn hand_back(self) {
        let held: Vec<_> =
            self.held.into_values().map(|letter| (letter.receipt, Duration::ZERO)).collect();
        if !held.is_empty() {
            // What is not handed back is visible again when its hold ends.
            let _late = self.queues.dead_letters.change_visibility(held).await;
        }
    }

    /// Receives at most `letters_max`; waits for the first one only.
    async fn receive(&mut self, letters_max: u32) -> Result<Vec<Delivery>, QueueFault> {
        let mut received = Vec::new();
        let mut wait = RECEIVE_WAIT;
        loop {
            let asked = RECEIVED_MAX.min(letters_max - received.len() as u32);
            if asked == 0 {
                return Ok(received);
            }
            let more = match self.receive_once(asked, wait).await {
                // Return what was received, so that it does not wait for its hold to end.
                Err(_) if !received.is_empty() => return Ok(received),
                more => more?,
            };
            let is_all = more.len() < asked as usize;
            if let Some(last) = more.last().filter(|_| !is_all) {
                self.cut.insert(last.group.clone());
            }
            received.extend(more);
            if is_all {
                return Ok(received);
            }
            wait = Duration::ZERO;
        }
    }

    async fn receive_once(
        &self,
        messages_max: u32,
        wait: Duration,
    ) -> Result<Vec<Delivery>, QueueFault> {
        let request = ReceiveRequest {
            messages_max,
            visibility: HOLD,
            wait,
            attempt_id: format!("{:016x}", self.queues.entropy.next_u64()),
        };
        let mut tries = 0;
        loop {
            match self.queues.dead_letters.receive(request.clone()).await {
                Err(QueueFault::Unavailable(_)) if tries < TRIES_MAX => {
                    tries += 1;
                    self.queues.clock.sleep(RECEIVE_WAIT).await;
                }
                received => return received,
            }
        }
    }

    /// Holds what was received; returns what was not seen before.
    fn take(&mut self, received: Vec<Delivery>) -> Vec<DeadLetter> {
        let mut fresh = Vec::new();
        for delivery in received {
            let (group, copy) = (delivery.group.clone(), None);
            if let Some(original) = self.copies.get(&delivery.deduplication_id) {
                self.requeued.remove(original);
                let held = Held { receipt: delivery.receipt, group, copy };
                self.held.insert(original.clone(), held);
                continue;
            }
            let copy = (self.mode == Mode::Drain).then(|| copy_of(&delivery));
            let (letter, receipt) = DeadLetter::of(delivery);
            self.held.insert(letter.message_id.clone(), Held { receipt, group, copy });
            if self.seen.insert(letter.message_id.clone()) {
                fresh.push(letter);
            }
        }
        fresh
    }

    /// Puts copies of what it holds at the end of the queue and deletes the originals. Returns whether
    /// there were any: each dead letter is requeued once. Without `all` it requeues only the groups
    /// that a full receive may have cut off.
    async fn requeue(&mut self, all: bool) -> Result<bool, QueueFault> {
        let cut = std::mem::take(&mut self.cut);
        let copied: BTreeSet<&String> = self.copies.values().collect();
        let (ids, copies): (Vec<String>, Vec<Outgoing>) = self
            .held
            .iter()
            .filter(|(id, held)| !copied.contains(id) && (all || cut.contains(&held.group)))
            .filter_map(|(id, held)| Some((id.clone(), held.copy.clone()?)))
            .unzip();
        let sent = self.queues.dead_letters.send(copies.clone()).await;
        let mut originals = Vec::new();
        for ((id, copy), sent) in ids.into_iter().zip(copies).zip(sent) {
            sent?;
            self.copies.insert(copy.deduplication_id, id.clone());
            self.requeued.insert(id.clone());
            originals.push(id);
        }
        // If an original stays, the next scan finds it twice, which is harmless.
        let _kept = self.remove(originals.iter().map(String::as_str)).await;
        Ok(!originals.is_empty())
    }
}

/// The copy that takes a dead letter's place: the same message under a deduplication id that is made
/// from the original's message id, so that sending it twice stores it once.
fn copy_of(delivery: &Delivery) -> Outgoing {
    let Delivery { message_id, body, group, attributes, .. } = delivery;
    Outgoing {
        deduplication_id: deduplication_id(group, &format!("turned over {message_id}")),
        body: body.clone(),
        group: group.clone(),
        attributes: attributes.clone(),
    }
}
