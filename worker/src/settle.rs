//! The queue is told what became of every message.
//!
//! | settlement | what the queue is told |
//! |---|---|
//! | applied, forgotten | delete |
//! | handed on | send to the canonical group, then delete |
//! | dead-lettered | send to the dead-letter queue with the reason, then delete |
//! | retry | visible again after a while |
//!
//! Messages of the invocation are deleted by the event source unless their ids are named as
//! failed; messages that were topped up are deleted here.
//!
//! **Invariant**: nothing is deleted before what replaces it is known to stand on a queue.

use std::collections::BTreeSet;
use std::time::Duration;

use shared::dead_letter::dead_letter;
use shared::envelope::deduplication_id;
use shared::ports::{Clock, Delivery, Outgoing, Queue};

use crate::held::{Held, Origin};
use crate::settlement::{Cause, Settled, Settlement};

/// When a queue did not take what should replace a message, the message is tried again after this.
const SEND_RETRY: Duration = Duration::from_secs(5);
/// At this receive count a message that waits is sent anew and starts at one: the queue's own
/// `maxReceiveCount` of 100 must not bury what only waits for HubSpot.
const RENEW_AT_RECEIVES: u32 = 50;
/// … but one whose contact is in quarantine can't be: the new message would be there too soon. It
/// waits so long instead, which leaves it half a day of unknown outcomes.
const LONG_QUARANTINE: Duration = Duration::from_secs(900);

/// What became of the settling itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Ids of the invocation's messages that may be deleted. Whoever is not among them comes again:
    /// a message that nobody spoke of must not be taken for done.
    pub done: BTreeSet<String>,
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
            Settlement::Applied | Settlement::Forgotten => done.push(held),
            Settlement::HandedOn(outgoing) => moving.push((held, outgoing)),
            Settlement::DeadLettered(verdict) => {
                let outgoing = dead_letter(&held.delivery, &verdict, clock.now());
                dying.push((held, outgoing));
            }
            Settlement::Retry(after, cause) if held.delivery.receive_count >= RENEW_AT_RECEIVES => {
                match cause {
                    Cause::Quarantined => again.push((held, after.max(LONG_QUARANTINE))),
                    Cause::Moment | Cause::Parked => {
                        let outgoing = renewed(&held.delivery);
                        moving.push((held, outgoing));
                    }
                }
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

    let (deletable, invoked): (Vec<Held>, Vec<Held>) =
        done.into_iter().partition(|held| held.origin == Origin::ToppedUp);
    outcome.done = invoked.into_iter().map(|held| held.delivery.message_id).collect();
    let deletable: Vec<_> = deletable.into_iter().map(|held| held.delivery).collect();
    if !deletable.is_empty() {
        outcome.untold += events.delete(deletable).await.len();
    }
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
