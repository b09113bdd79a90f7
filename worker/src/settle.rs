//! Tells the queues what became of every message.
//!
//! | settlement | what the queue is told |
//! |---|---|
//! | applied, forgotten | delete |
//! | handed on | send to the canonical group, then delete |
//! | dead-lettered | send to the dead-letter queue with the reason, then delete |
//! | retry | visible again after a while |
//!
//! The event source deletes the messages of the invocation, except those that the worker names as
//! failed; so their receipts go back to it. Messages that were topped up are deleted here.
//!
//! **Invariant**: nothing is deleted before a queue is known to hold what replaces it.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::dead_letter::dead_letter;
use shared::envelope::deduplication_id;
use shared::ports::{Clock, Delivery, Outgoing, Queue, Receipt};

use crate::message::{Origin, Received};
use crate::settlement::{Cause, Settled, Settlement};

/// A message whose replacement no queue took is tried again after this.
const SEND_RETRY: Duration = Duration::from_secs(5);
/// A waiting message that was received this often is sent anew, and its count starts at one: the
/// queue's own `maxReceiveCount` of 100 must not bury what only waits for HubSpot.
const RENEW_AT_RECEIVES: u32 = 50;
/// A message whose contact is in quarantine can't be sent anew: the new one would come too soon. It
/// waits this long instead, which leaves it half a day of unknown outcomes.
const LONG_QUARANTINE: Duration = Duration::from_secs(900);

/// The queues of a worker.
pub(crate) struct Queues<'a> {
    /// `events.fifo`
    pub(crate) events: &'a dyn Queue,
    /// `events-dlq.fifo`
    pub(crate) dead_letters: &'a dyn Queue,
}

/// What became of the settling.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Messages of the invocation that may be deleted, by id, with the receipts for that. Every other
    /// message comes again: a message that nobody mentions must not be taken for done.
    pub(crate) done: BTreeMap<String, Receipt>,
    /// How many messages have a replacement that no queue took. They come again.
    pub(crate) unsent: usize,
    /// How many messages could not be deleted or made to wait. They come again, and then change
    /// nothing.
    pub(crate) untold: usize,
}

/// Tells the queues.
pub(crate) async fn settle(
    queues: Queues<'_>,
    clock: &dyn Clock,
    settled: Vec<Settled>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut done = Vec::new();
    let mut again = Vec::new();
    let mut moving = Vec::new();
    let mut dying = Vec::new();
    for Settled { received, settlement, .. } in settled {
        match settlement {
            Settlement::Applied | Settlement::Forgotten => done.push(received),
            Settlement::HandedOn(outgoing) => moving.push((received, outgoing)),
            Settlement::DeadLettered(failure) => {
                let outgoing = dead_letter(&received.delivery, &failure, clock.now());
                dying.push((received, outgoing));
            }
            Settlement::Retry(after, cause)
                if received.delivery.receive_count >= RENEW_AT_RECEIVES =>
            {
                match cause {
                    Cause::Quarantined => again.push((received, after.max(LONG_QUARANTINE))),
                    Cause::Transient | Cause::Parked => {
                        let outgoing = renewed(&received.delivery);
                        moving.push((received, outgoing));
                    }
                }
            }
            Settlement::Retry(after, _) => again.push((received, after)),
        }
    }
    for (queue, replaced) in [(queues.events, moving), (queues.dead_letters, dying)] {
        let (received, outgoing): (Vec<Received>, Vec<Outgoing>) = replaced.into_iter().unzip();
        if outgoing.is_empty() {
            continue;
        }
        let mut sent = queue.send(outgoing).await.into_iter();
        for received in received {
            match sent.next() {
                Some(Ok(())) => done.push(received),
                _ => {
                    outcome.unsent += 1;
                    again.push((received, SEND_RETRY));
                }
            }
        }
    }

    let mut deletable = Vec::new();
    for Received { delivery, origin } in done {
        match origin {
            Origin::ToppedUp => deletable.push(delivery.receipt),
            Origin::Invocation => {
                outcome.done.insert(delivery.message_id, delivery.receipt);
            }
        }
    }
    if !deletable.is_empty() {
        outcome.untold += queues.events.delete(deletable).await.len();
    }
    let waits: Vec<_> =
        again.into_iter().map(|(received, after)| (received.delivery.receipt, after)).collect();
    if !waits.is_empty() {
        outcome.untold += queues.events.change_visibility(waits).await.len();
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

#[cfg(test)]
mod tests;
