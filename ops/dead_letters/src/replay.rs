//! Sends dead letters back to the events queue, and reports what became of each.
//!
//! A dead letter is sent in its contact's group, and deleted once the send succeeded. Its
//! deduplication id is made from the dead letter. If a replay is killed between the two, the next
//! replay sends it under the same id: the queue stores it once, or, after five minutes, the join
//! makes the duplicate harmless.
//!
//! A dead letter that died again is recognized by its deduplication id, which the worker keeps.
//!
//! **Invariant**: nothing is lost, whenever it ends. A replay sends no dead letter twice, even if it
//! dies again; otherwise the replay would never end.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::ports::{Outgoing, QueueFault};
use shared::resend::Resend;
use tokio::sync::watch;

use crate::Queues;
use crate::dead_letter::{DeadLetter, replay_id};
use crate::filter::Filter;
use crate::pace::Pace;
use crate::report::{Fate, Report};
use crate::scan::{AT_ONCE, Mode, Scan};

/// The maximum number of tries for a send that the queue does not answer, and the pause between.
const TRIES_MAX: u32 = 5;
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How often to check whether the events queue is empty.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// SQS counts approximately, and late: this many checks in a row must find the events queue empty.
const EMPTY_CHECKS: u32 = 3;

/// What to replay, and how.
#[derive(Debug, Clone)]
pub struct Order {
    /// Which dead letters.
    pub filter: Filter,
    /// Maximum dead letters per second, from 1.
    pub rate: u32,
    /// Report what would be sent, and send nothing.
    pub is_dry_run: bool,
    /// How long to wait for the worker, so that the report says how each ended; zero does not wait.
    pub follow_max: Duration,
}

/// The progress of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It begins.
    Begun {
        /// Dead letters on the queue.
        total: u64,
    },
    /// It received dead letters. The counts are totals so far.
    Scanned {
        /// Received.
        seen: u64,
        /// Sent.
        sent: u64,
        /// Left alone, because the filter does not match them.
        skipped: u64,
    },
    /// Everything is sent; it waits for the worker.
    Following {
        /// Events on the queue.
        depth: u64,
    },
}

/// How a replay ended.
#[derive(Debug)]
pub struct Replayed {
    /// What became of the dead letters.
    pub report: Report,
    /// The fault of the queue that ended it early, if one did.
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

/// What was sent, to recognize it when it dies again. Both maps lead to the dead letter's message id.
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
    let mode = if order.is_dry_run { Mode::Peek } else { Mode::Drain };
    let mut scan = Scan::new(queues, stop, mode);
    let mut replay = Replay {
        queues,
        order,
        pace: Pace::new(Some(order.rate), began_at),
        seen: 0,
        sent: Sent::default(),
        report: Report::new(order.is_dry_run, order.rate),
        tell,
    };
    let mut ended = replay.scan(&mut scan).await;
    let unseen = scan.unseen;
    scan.hand_back().await;
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
    async fn scan(&mut self, scan: &mut Scan<'_>) -> Result<(), QueueFault> {
        (self.tell)(Step::Begun { total: scan.total().await? });
        // A batch is sent within about a second, long before its hold ends.
        let at_once = self.order.rate.min(AT_ONCE);
        let filter = &self.order.filter;
        while !filter.is_enough(self.report.matched()) {
            let letters = scan.next(filter.room(self.report.matched(), at_once)).await?;
            if letters.is_empty() {
                break;
            }
            self.seen += letters.len() as u64;
            let mut matching = Vec::new();
            for letter in letters {
                if let Some(first) = self.sent.by_deduplication_id.get(&letter.deduplication_id) {
                    self.report.dead_again(first, letter.reason);
                } else if !filter.matches(&letter) {
                    self.report.skipped += 1;
                } else if self.order.is_dry_run {
                    self.report.fate(&letter, Fate::WouldBeSent);
                } else {
                    matching.push(letter);
                }
            }
            if !matching.is_empty() {
                self.send(scan, matching).await?;
            }
            let sent = self.sent.by_deduplication_id.len() as u64;
            (self.tell)(Step::Scanned { seen: self.seen, sent, skipped: self.report.skipped });
        }
        Ok(())
    }

    /// Sends dead letters, then deletes those whose send succeeded.
    async fn send(
        &mut self,
        scan: &mut Scan<'_>,
        letters: Vec<DeadLetter>,
    ) -> Result<(), QueueFault> {
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
        self.report.undeleted += scan.remove(sent).await;
        match away {
            None => Ok(()),
            Some(fault) => Err(fault),
        }
    }

    /// Waits until the events queue is empty, then checks which events are dead letters again. The
    /// others are applied, or still under way if the queue is not empty in time.
    async fn follow(&mut self, stop: &watch::Receiver<bool>) -> Result<(), QueueFault> {
        let clock = &*self.queues.clock;
        let deadline = clock.uptime() + self.order.follow_max;
        let mut empty_checks = 0;
        while empty_checks < EMPTY_CHECKS && clock.uptime() < deadline && !*stop.borrow() {
            let depth = self.queues.events.depth().await?.total();
            (self.tell)(Step::Following { depth });
            empty_checks = if depth == 0 { empty_checks + 1 } else { 0 };
            clock.sleep(CHECK_EVERY).await;
        }
        let mut scan = Scan::new(self.queues, stop, Mode::Peek);
        loop {
            let letters = scan.next(AT_ONCE).await?;
            if letters.is_empty() {
                break;
            }
            for letter in letters {
                if let Some(first) = self.sent.first_of(&letter) {
                    self.report.dead_again(first, letter.reason);
                }
            }
        }
        scan.hand_back().await;
        self.report.settle_sent(empty_checks == EMPTY_CHECKS);
        Ok(())
    }
}

impl Sent {
    fn is_empty(&self) -> bool {
        self.by_deduplication_id.is_empty()
    }

    fn note(&mut self, letter: &DeadLetter) {
        let id = || letter.message_id.clone();
        self.by_deduplication_id.insert(replay_id(&letter.group, &letter.message_id), id());
        if let Some(envelope) = &letter.envelope {
            self.by_event_id.insert(envelope.id.clone(), id());
        }
    }

    /// The message id of the dead letter that was sent, if this is what became of it. When the worker
    /// hands an event on to another group, it becomes a new message, and only the event's id connects
    /// it to the dead letter.
    fn first_of(&self, letter: &DeadLetter) -> Option<&String> {
        let hopped = || letter.envelope.as_ref().filter(|envelope| envelope.hopped);
        self.by_deduplication_id
            .get(&letter.deduplication_id)
            .or_else(|| self.by_event_id.get(&hopped()?.id))
    }
}

/// Sends to the events queue, and repeats what the queue does not answer. One result for each
/// message.
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

/// The message for the events queue.
fn outgoing(letter: &DeadLetter) -> Outgoing {
    Outgoing {
        body: letter.body.clone(),
        group: letter.group.clone(),
        deduplication_id: replay_id(&letter.group, &letter.message_id),
        attributes: BTreeMap::new(),
    }
}
