//! Dead letters back to the events queue, and what became of each.
//!
//! A letter is sent in its contact's group and deleted once that is known to have succeeded. The
//! deduplication id is made from the letter: where a replay was killed between the two, the next
//! one sends the same and the queue stores it once, or, after its five minutes, the join makes the
//! double harmless.
//!
//! A letter that died again is known by its deduplication id: the worker keeps the one that it was
//! sent back under.
//!
//! **Invariant**: nothing is lost, whenever it ends; and what died again in a replay is not sent
//! again by that replay, or it would go round for ever.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::ports::{Outgoing, QueueFault};
use shared::resend::Resend;
use tokio::sync::watch;

use crate::Queues;
use crate::letter::{Letter, replay_id};
use crate::meant::Meant;
use crate::pace::Pace;
use crate::report::{Fate, Report};
use crate::walk::{AT_ONCE, Manner, Walk};

/// How often a send is tried that the queue did not answer, and the pause between.
const TRIES_MAX: u32 = 5;
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How often it is looked whether the events are through.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// SQS counts about right, and late: so many looks must find the events queue empty.
const EMPTY_LOOKS: u32 = 3;

/// What to replay, and how.
#[derive(Debug, Clone)]
pub struct Order {
    /// Which letters.
    pub meant: Meant,
    /// At most so many letters a second, from 1.
    pub rate: u32,
    /// Say what would be sent, and send nothing.
    pub is_dry_run: bool,
    /// How long to wait for the worker, to say how it ended; zero does not wait.
    pub follow_max: Duration,
}

/// How far a replay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many letters are to be seen.
    Begun {
        /// All that the queue has.
        total: u64,
    },
    /// Letters were seen.
    Walked {
        /// So many so far.
        seen: u64,
        /// Of these, sent.
        sent: u64,
        /// And left alone.
        skipped: u64,
    },
    /// All that is meant was sent; the events queue still has so many.
    Following {
        /// Events on the queue.
        depth: u64,
    },
}

/// How a replay ended.
#[derive(Debug)]
pub struct Replayed {
    /// What became of the letters.
    pub report: Report,
    /// The queue's fault that ended it early, if one did.
    pub fault: Option<QueueFault>,
}

/// A replay under way.
struct Replay<'a> {
    queues: &'a Queues,
    order: &'a Order,
    pace: Pace,
    seen: u64,
    sent: Sent,
    report: Report,
    tell: &'a mut (dyn FnMut(Step) + Send),
}

/// What was sent, so that it is known when it dies again. Both lead to the letter's message id.
#[derive(Default)]
struct Sent {
    by_deduplication_id: BTreeMap<String, String>,
    by_event_id: BTreeMap<String, String>,
}

/// Replays, until it is done or `stop` holds `true`.
pub async fn replay(
    queues: &Queues,
    order: &Order,
    stop: &watch::Receiver<bool>,
    tell: &mut (dyn FnMut(Step) + Send),
) -> Replayed {
    let clock = &*queues.clock;
    let began_at = clock.uptime();
    let manner = if order.is_dry_run { Manner::Looks } else { Manner::Insists };
    let mut walk = Walk::new(queues, stop, manner);
    let mut replay = Replay {
        queues,
        order,
        pace: Pace::new(Some(order.rate), began_at),
        seen: 0,
        sent: Sent::default(),
        report: Report::new(order.is_dry_run, order.rate),
        tell,
    };
    let mut ended = replay.walk(&mut walk).await;
    let unseen = walk.unseen;
    walk.hand_back().await;
    replay.report.sending_took = clock.uptime().saturating_sub(began_at);
    if !replay.sent.is_empty() && !order.follow_max.is_zero() && ended.is_ok() {
        ended = replay.follow(stop).await;
    }
    let mut report = replay.report;
    report.interrupted = *stop.borrow();
    report.behind = unseen.behind;
    report.in_other_hands = unseen.in_other_hands;
    Replayed { report, fault: ended.err() }
}

impl Replay<'_> {
    async fn walk(&mut self, walk: &mut Walk<'_>) -> Result<(), QueueFault> {
        (self.tell)(Step::Begun { total: walk.total().await? });
        // A batch is through within a second or so, and its hold far from its end.
        let at_once = self.order.rate.min(AT_ONCE);
        let meant = &self.order.meant;
        while !meant.is_enough(self.report.matched()) {
            let letters = walk.next(meant.room(self.report.matched(), at_once)).await?;
            if letters.is_empty() {
                break;
            }
            self.seen += letters.len() as u64;
            let mut mine = Vec::new();
            for letter in letters {
                if let Some(first) = self.sent.by_deduplication_id.get(&letter.deduplication_id) {
                    self.report.dead_again(first, letter.reason);
                } else if !meant.includes(&letter) {
                    self.report.skipped += 1;
                } else if self.order.is_dry_run {
                    self.report.fate(&letter, Fate::WouldBeSent);
                } else {
                    mine.push(letter);
                }
            }
            if !mine.is_empty() {
                self.send(walk, mine).await?;
            }
            let sent = self.sent.by_deduplication_id.len() as u64;
            (self.tell)(Step::Walked { seen: self.seen, sent, skipped: self.report.skipped });
        }
        Ok(())
    }

    /// Sends letters, and then deletes those that are known to be sent.
    async fn send(&mut self, walk: &mut Walk<'_>, letters: Vec<Letter>) -> Result<(), QueueFault> {
        let clock = &*self.queues.clock;
        let start_at = self.pace.start_of(letters.len(), clock.uptime());
        clock.sleep(start_at.saturating_sub(clock.uptime())).await;
        let outgoing: Vec<Outgoing> = letters.iter().map(outgoing).collect();
        let results = send(self.queues, outgoing).await;
        let mut sent = Vec::new();
        let mut away = None;
        for (letter, result) in letters.iter().zip(results) {
            match result {
                Ok(()) => {
                    self.sent.note(letter);
                    self.report.fate(letter, Fate::Sent);
                    sent.push(letter.message_id.as_str());
                }
                Err(fault) => {
                    self.report.fate(letter, Fate::Left(fault.to_string()));
                    if matches!(fault, QueueFault::Unavailable(_)) {
                        away = Some(fault);
                    }
                }
            }
        }
        self.report.undeleted += walk.remove(sent).await;
        match away {
            None => Ok(()),
            Some(fault) => Err(fault),
        }
    }

    /// Waits until the events queue is empty, and then looks which events are dead again: the
    /// others are applied. If it does not get empty in time, those are still under way.
    async fn follow(&mut self, stop: &watch::Receiver<bool>) -> Result<(), QueueFault> {
        let clock = &*self.queues.clock;
        let deadline = clock.uptime() + self.order.follow_max;
        let mut empty_looks = 0;
        while empty_looks < EMPTY_LOOKS && clock.uptime() < deadline && !*stop.borrow() {
            let depth = self.queues.events.depth().await?.total();
            (self.tell)(Step::Following { depth });
            empty_looks = if depth == 0 { empty_looks + 1 } else { 0 };
            clock.sleep(LOOK_EVERY).await;
        }
        let mut walk = Walk::new(self.queues, stop, Manner::Looks);
        loop {
            let letters = walk.next(AT_ONCE).await?;
            if letters.is_empty() {
                break;
            }
            for letter in letters {
                if let Some(first) = self.sent.first_of(&letter) {
                    self.report.dead_again(first, letter.reason);
                }
            }
        }
        walk.hand_back().await;
        self.report.settle_sent(empty_looks == EMPTY_LOOKS);
        Ok(())
    }
}

impl Sent {
    fn is_empty(&self) -> bool {
        self.by_deduplication_id.is_empty()
    }

    fn note(&mut self, letter: &Letter) {
        let name = || letter.message_id.clone();
        self.by_deduplication_id.insert(replay_id(&letter.group, &letter.message_id), name());
        if let Some(envelope) = &letter.envelope {
            self.by_event_id.insert(envelope.id.clone(), name());
        }
    }

    /// The letter that was sent, if this is what became of it. A hop makes a new message of the
    /// event, which only its id still ties to the letter.
    fn first_of(&self, letter: &Letter) -> Option<&String> {
        let hopped = || letter.envelope.as_ref().filter(|envelope| envelope.hopped);
        self.by_deduplication_id
            .get(&letter.deduplication_id)
            .or_else(|| self.by_event_id.get(&hopped()?.id))
    }
}

/// Sends to the events queue, and again what it did not answer. One result for each message.
pub async fn send(queues: &Queues, outgoing: Vec<Outgoing>) -> Vec<Result<(), QueueFault>> {
    let mut resend = Resend::new(outgoing, TRIES_MAX);
    let mut is_first = true;
    while let Some(batch) = resend.due() {
        if !std::mem::take(&mut is_first) {
            queues.clock.sleep(TRY_AGAIN).await;
        }
        resend.answered(queues.events.send(batch).await);
    }
    resend.into_results()
}

/// What goes to the events queue for a letter.
fn outgoing(letter: &Letter) -> Outgoing {
    Outgoing {
        body: letter.body.clone(),
        group: letter.group.clone(),
        deduplication_id: replay_id(&letter.group, &letter.message_id),
        attributes: BTreeMap::new(),
    }
}
