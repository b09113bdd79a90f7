//! A walk over the dead letters, through the `Queue` port alone: each is received, held so that the
//! next come, and at the end taken away or handed back.
//!
//! A FIFO queue shows no letter while an earlier one of its contact is in hand, so that behind the
//! ten which one receive gives, others may stand unseen. A walk that must see them *turns over*:
//! it puts copies of what it holds at the end of the queue and deletes the originals, which opens
//! the way. One that only looks does not, and says how many it could not see.
//!
//! **Invariant**: a letter leaves the queue after its copy stands there, or because the caller said
//! so. A walk that is killed gives all back within [`HOLD`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use shared::envelope::deduplication_id;
use shared::ports::{Delivery, Outgoing, QueueFault, Receipt, ReceiveRequest};
use tokio::sync::watch;

use crate::Queues;
use crate::letter::Letter;

/// How long letters are held, unless the hold is renewed.
pub const HOLD: Duration = Duration::from_secs(30);
/// How old a hold gets before it is renewed.
const RENEW_AFTER: Duration = Duration::from_secs(10);
/// How long a receive waits for a letter: without a wait SQS may say that there is none.
const LOOK: Duration = Duration::from_secs(1);
/// What one receive gives at most.
const RECEIVED_MAX: u32 = 10;
/// So many letters are seen, sent and deleted together: a queue on a disk pays for each call with a
/// sync.
pub const AT_ONCE: u32 = 50;
/// How often a fault of the queue is met with another try.
const TRIES_MAX: u32 = 5;

/// What a walk does when it can't see letters at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It tells how many, and changes nothing.
    Looks,
    /// It turns over those in front, and waits for those in other hands.
    Insists,
}

/// What a walk did not see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unseen {
    /// Letters behind others of their contact.
    pub behind: u64,
    /// Letters in the hands of somebody else: another command, or one that was killed.
    pub in_other_hands: u64,
}

impl Unseen {
    /// Whether nothing was left unseen.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// A letter in hand.
struct InHand {
    receipt: Receipt,
    group: String,
    /// What goes to the end of the queue in its place, where the walk turns letters over.
    copy: Option<Outgoing>,
}

/// A walk under way.
pub struct Walk<'a> {
    queues: &'a Queues,
    /// Whether the walk is to stop.
    stop: &'a watch::Receiver<bool>,
    manner: Manner,
    /// What is in hand, by the name that the letter had when it was first seen.
    held: BTreeMap<String, InHand>,
    seen: BTreeSet<String>,
    /// Copies that were put at the end: their deduplication ids, and whose copies they are.
    copies: BTreeMap<String, String>,
    /// Those whose copy is on the queue and not in hand.
    afloat: BTreeSet<String>,
    /// Groups of which a receive may have left something.
    cut: BTreeSet<String>,
    renewed_at: Duration,
    /// What was not seen, once the walk is at its end.
    pub unseen: Unseen,
}

impl<'a> Walk<'a> {
    /// A walk from the beginning. It stops early once `stop` holds `true`.
    pub fn new(queues: &'a Queues, stop: &'a watch::Receiver<bool>, manner: Manner) -> Self {
        Self {
            queues,
            stop,
            manner,
            held: BTreeMap::new(),
            seen: BTreeSet::new(),
            copies: BTreeMap::new(),
            afloat: BTreeSet::new(),
            cut: BTreeSet::new(),
            renewed_at: queues.clock.uptime(),
            unseen: Unseen::default(),
        }
    }

    /// How many letters the queue has, in whoever's hands.
    ///
    /// # Errors
    /// [`QueueFault`].
    pub async fn total(&self) -> Result<u64, QueueFault> {
        Ok(self.queues.dead_letters.depth().await?.total())
    }

    /// The next letters, at most so many; none at the end, or when it is to stop.
    ///
    /// # Errors
    /// [`QueueFault`]; what is held comes back by itself.
    pub async fn next(&mut self, letters_max: u32) -> Result<Vec<Letter>, QueueFault> {
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
            // Copies may stand behind others, too, and were seen when they were originals.
            let behind = depth.visible.saturating_sub(self.afloat.len() as u64);
            self.unseen = Unseen { behind, in_other_hands };
            if self.manner == Manner::Looks || self.unseen.is_none() {
                break;
            }
            let now = self.queues.clock.uptime();
            let quiet = now.saturating_sub(*quiet_since.get_or_insert(now));
            // SQS counts about right, and late: what it still counts may be in our hands already.
            let all = quiet > HOLD / 2;
            if behind > 0 && self.turn_over(all).await? {
                quiet_since = None;
                continue;
            }
            // A hold of somebody who was killed ends by itself.
            if quiet > HOLD + 2 * LOOK {
                break;
            }
        }
        Ok(Vec::new())
    }

    /// Deletes letters that are in hand; how many it could not delete. They come again.
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

    /// Keeps the hold on what is in hand, if it is time to.
    async fn renew(&mut self) {
        let now = self.queues.clock.uptime();
        if now.saturating_sub(self.renewed_at) < RENEW_AFTER {
            return;
        }
        self.renewed_at = now;
        // A letter that can't be held longer comes again, and is known by its name.
        let held: Vec<&Receipt> = self.held.values().map(|letter| &letter.receipt).collect();
        self.queues.dead_letters.hold(&held, HOLD).await;
    }

    /// Hands back all that is in hand, so that the next one finds it at once.
    pub async fn hand_back(self) {
        let held: Vec<_> =
            self.held.into_values().map(|letter| (letter.receipt, Duration::ZERO)).collect();
        if !held.is_empty() {
            // What could not be handed back comes by itself.
            let _late = self.queues.dead_letters.change_visibility(held).await;
        }
    }

    /// What there is, at most so many; the first is waited for.
    async fn receive(&mut self, letters_max: u32) -> Result<Vec<Delivery>, QueueFault> {
        let mut received = Vec::new();
        let mut wait = LOOK;
        loop {
            let asked = RECEIVED_MAX.min(letters_max - received.len() as u32);
            if asked == 0 {
                return Ok(received);
            }
            let more = match self.receive_once(asked, wait).await {
                // What came before it is not to wait for its hold to end.
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
                    self.queues.clock.sleep(LOOK).await;
                }
                received => return received,
            }
        }
    }

    /// Keeps what was received; gives what was not seen before.
    fn take(&mut self, received: Vec<Delivery>) -> Vec<Letter> {
        let mut fresh = Vec::new();
        for delivery in received {
            let (group, copy) = (delivery.group.clone(), None);
            if let Some(original) = self.copies.get(&delivery.deduplication_id) {
                self.afloat.remove(original);
                self.held
                    .insert(original.clone(), InHand { receipt: delivery.receipt, group, copy });
                continue;
            }
            let copy = (self.manner == Manner::Insists).then(|| copy_of(&delivery));
            let (letter, receipt) = Letter::of(delivery);
            self.held.insert(letter.message_id.clone(), InHand { receipt, group, copy });
            if self.seen.insert(letter.message_id.clone()) {
                fresh.push(letter);
            }
        }
        fresh
    }

    /// Puts copies of letters in hand at the end of the queue and deletes the originals; whether
    /// there were any. Each letter is turned over once. `all`: not only where a receive may have
    /// left something behind.
    async fn turn_over(&mut self, all: bool) -> Result<bool, QueueFault> {
        let cut = std::mem::take(&mut self.cut);
        let copied: BTreeSet<&String> = self.copies.values().collect();
        let (names, copies): (Vec<String>, Vec<Outgoing>) = self
            .held
            .iter()
            .filter(|(name, letter)| !copied.contains(name) && (all || cut.contains(&letter.group)))
            .filter_map(|(name, letter)| Some((name.clone(), letter.copy.clone()?)))
            .unzip();
        let sent = self.queues.dead_letters.send(copies.clone()).await;
        let mut turned = Vec::new();
        for ((name, copy), sent) in names.into_iter().zip(copies).zip(sent) {
            sent?;
            self.copies.insert(copy.deduplication_id, name.clone());
            self.afloat.insert(name.clone());
            turned.push(name);
        }
        // An original that stays is found twice by the next walk, and harms nothing.
        let _kept = self.remove(turned.iter().map(String::as_str)).await;
        Ok(!turned.is_empty())
    }
}

/// What goes to the end of the queue in a letter's place: the same under another deduplication id,
/// which is the same again if it must be sent twice.
fn copy_of(delivery: &Delivery) -> Outgoing {
    let Delivery { message_id, body, group, attributes, .. } = delivery;
    Outgoing {
        deduplication_id: deduplication_id(group, &format!("turned over {message_id}")),
        body: body.clone(),
        group: group.clone(),
        attributes: attributes.clone(),
    }
}
