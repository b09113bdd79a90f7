//! Every message gets exactly one fate, and the queue is told.
//!
//! | settlement | what the queue is told |
//! |---|---|
//! | applied | delete |
//! | handed on | send to the canonical group, then delete |
//! | dead-lettered | send to the dead-letter queue with the reason, then delete |
//! | retry | visible again after a while |
//!
//! Messages of the invocation are deleted by the event source unless their ids are named as
//! failed; messages that were topped up are deleted here.
//!
//! **Invariant**: nothing is deleted before what replaces it is known to stand on a queue.

use std::time::Duration;

use shared::dead_letter::{Verdict, dead_letter};
use shared::envelope::{Envelope, deduplication_id};
use shared::ports::{Clock, Delivery, Outgoing, Queue};

use crate::batch::{Held, Opened, Origin};

/// When a queue did not take what should replace a message, the message is tried again after this.
const SEND_RETRY: Duration = Duration::from_secs(5);
/// At this receive count a parked message is sent anew and starts at one: the queue's own
/// `maxReceiveCount` of 100 must not bury what only waits for a portal.
const RENEW_AT_RECEIVES: u32 = 50;

/// The fate of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Settlement {
    /// HubSpot is known to hold its effect.
    Applied,
    /// It belongs to another group: this message, there.
    HandedOn(Outgoing),
    /// It can never succeed.
    DeadLettered(Verdict),
    /// It comes again after this long.
    Retry(Duration, Cause),
}

/// Why a message comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Of the moment: a limit, an outage, a conflict that a new read resolves.
    Moment,
    /// Of the portal or the day, or a newer version: it waits, however long it takes.
    Parked,
    /// A write's outcome is unknown: the contact is left alone for the quarantine.
    Quarantined,
}

/// A message with its fate.
#[derive(Debug)]
pub struct Settled {
    /// The message.
    pub held: Held,
    /// What was in it, if it could be opened.
    pub envelope: Option<Envelope>,
    /// Its fate.
    pub settlement: Settlement,
}

impl Settled {
    /// Settles an opened message.
    pub fn of(opened: Opened, fate: impl Fn(&Opened) -> Settlement) -> Self {
        let settlement = fate(&opened);
        Self { held: opened.held, envelope: Some(opened.envelope), settlement }
    }
}

/// What became of the settling itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Ids of the invocation's messages that must come again: its `batchItemFailures`.
    pub failed: Vec<String>,
    /// Messages whose replacement no queue took; they come again.
    pub unsent: usize,
    /// Messages that could not be deleted or made to wait; they come again by themselves, and
    /// then change nothing.
    pub untold: usize,
}

/// Tells the queues.
pub async fn settle(
    events: &dyn Queue,
    dead_letters: &dyn Queue,
    clock: &dyn Clock,
    settled: Vec<Settled>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut done = Vec::new();
    let mut again = Vec::new();
    let mut moving = Vec::new();
    let mut dying = Vec::new();
    for Settled { held, settlement, .. } in settled {
        match settlement {
            Settlement::Applied => done.push(held),
            Settlement::HandedOn(outgoing) => moving.push((held, outgoing)),
            Settlement::DeadLettered(verdict) => {
                let outgoing = dead_letter(&held.delivery, &verdict, clock.now());
                dying.push((held, outgoing));
            }
            Settlement::Retry(_, Cause::Parked)
                if held.delivery.receive_count >= RENEW_AT_RECEIVES =>
            {
                let outgoing = renewed(&held.delivery);
                moving.push((held, outgoing));
            }
            Settlement::Retry(after, _) => again.push((held, after)),
        }
    }
    for (queue, replaced) in [(events, moving), (dead_letters, dying)] {
        let (held, outgoing): (Vec<Held>, Vec<Outgoing>) = replaced.into_iter().unzip();
        if outgoing.is_empty() {
            continue;
        }
        let mut sent = queue.send(outgoing).await.into_iter();
        for held in held {
            match sent.next() {
                Some(Ok(())) => done.push(held),
                _ => {
                    outcome.unsent += 1;
                    again.push((held, SEND_RETRY));
                }
            }
        }
    }

    let is_ours = |held: &Held| held.origin == Origin::ToppedUp;
    let deletable = done.into_iter().filter(is_ours).map(|held| held.delivery).collect::<Vec<_>>();
    if !deletable.is_empty() {
        outcome.untold += events.delete(deletable).await.len();
    }
    let invoked = again.iter().filter(|(held, _)| !is_ours(held));
    outcome.failed = invoked.map(|(held, _)| held.delivery.message_id.clone()).collect();
    let waits: Vec<_> = again.into_iter().map(|(held, after)| (held.delivery, after)).collect();
    if !waits.is_empty() {
        outcome.untold += events.change_visibility(waits).await.len();
    }
    outcome
}

/// The same message under a new deduplication id, so that the queue takes it again. The join does
/// not mind if both are applied.
fn renewed(delivery: &Delivery) -> Outgoing {
    Outgoing {
        body: delivery.body.clone(),
        group: delivery.group.clone(),
        deduplication_id: deduplication_id(&delivery.group, &delivery.message_id),
        attributes: delivery.attributes.clone(),
    }
}
