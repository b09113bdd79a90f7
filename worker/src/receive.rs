//! Topping up: from the invocation's ten messages to the hundred contacts, or five hundred events,
//! that HubSpot takes in one call.
//!
//! An event source hands over at most ten messages, and all ten may be of one contact. While there is
//! room, several receives run at once. Each takes whole groups as far as the queue gives them, and
//! none takes more than there is room for. If the source handed over fewer than ten, one receive
//! checks for more: each receive costs money, and most would find nothing.
//!
//! **Invariant**: what the invocation brought is never handed back.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use hubspot::events::OCCURRENCES_MAX;
use shared::ports::{Entropy, Queue, Receipt, ReceiveRequest};
use shared::settings::Backend;

use crate::message::{Origin, Received};

/// How much a pass may hold, besides what the invocation brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Contacts, as message groups.
    pub contacts: usize,
    /// Messages.
    pub messages: usize,
}

impl Room {
    /// For contacts to be written: what one batch read and one batch write take, and ten events of
    /// each. More of one contact wait for the next pass.
    pub const FOR_CONTACTS: Self = Self { contacts: 100, messages: 1_000 };
    /// For events to be sent: what one batch takes, whoever they are about.
    pub const FOR_EVENTS: Self = Self { contacts: OCCURRENCES_MAX, messages: OCCURRENCES_MAX };

    /// The room of a pass over this backend.
    pub const fn of(backend: Backend) -> Self {
        match backend {
            Backend::Properties => Self::FOR_CONTACTS,
            Backend::Events => Self::FOR_EVENTS,
        }
    }

    /// Whether these messages fill it. Then the queue may hold more.
    pub fn is_full(self, held: &[Received]) -> bool {
        wanted(held, self) == 0
    }
}

/// SQS gives at most this many at once.
const RECEIVE_MAX: usize = 10;
/// Receives at once.
const PARALLEL_MAX: usize = 10;
/// The most bytes of a pass, so that memory has a bound: bodies have at most 10 KB each.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// Receives more until a pass is full or the queue gives nothing more. A receive that fails ends it:
/// the worker goes on with the messages that it holds.
pub(crate) async fn top_up(
    queue: &dyn Queue,
    entropy: &dyn Entropy,
    held: &mut Vec<Received>,
    room: Room,
    visibility: Duration,
) {
    let mut is_deep = held.is_empty() || held.len() >= RECEIVE_MAX;
    // Each round adds at least one message, so the bounds on messages end it.
    loop {
        let wanted = wanted(held, room);
        if wanted == 0 {
            break;
        }
        let at_once = if is_deep { wanted.div_ceil(RECEIVE_MAX) } else { 1 };
        let receives = (0..at_once).map(|nth| {
            let messages_max = RECEIVE_MAX.min(wanted - nth * RECEIVE_MAX) as u32;
            let attempt_id = format!("{:016x}", entropy.next_u64());
            let wait = Duration::ZERO;
            queue.receive(ReceiveRequest { messages_max, visibility, wait, attempt_id })
        });
        let received = join_all(receives).await;
        let failed = received.iter().any(Result::is_err);
        is_deep |= received.iter().flatten().any(|taken| taken.len() >= RECEIVE_MAX);
        let before = held.len();
        let taken = received.into_iter().flatten().flatten();
        held.extend(taken.map(|delivery| Received { delivery, origin: Origin::ToppedUp }));
        if failed || held.len() == before {
            break;
        }
    }
    let surplus = take_surplus(held, room);
    if !surplus.is_empty() {
        // What can't be handed back comes again when its visibility ends.
        let _kept = queue.change_visibility(surplus).await;
    }
}

/// How many messages to ask for next: enough for the contacts that there is room for, if each has as
/// many messages as the contacts in hand.
fn wanted(held: &[Received], room: Room) -> usize {
    let contacts = groups(held).len();
    let bytes: usize = held.iter().map(|held| held.delivery.body.len()).sum();
    if contacts >= room.contacts || bytes >= BYTES_MAX {
        return 0;
    }
    let each = held.len().div_ceil(contacts.max(1)).max(1);
    ((room.contacts - contacts) * each)
        .min(room.messages.saturating_sub(held.len()))
        .min(PARALLEL_MAX * RECEIVE_MAX)
}

/// Takes out the contacts that are too many, whole, to be handed back at once. What the invocation
/// brought stays: its event source deletes what the worker does not name as failed.
fn take_surplus(held: &mut Vec<Received>, room: Room) -> Vec<(Receipt, Duration)> {
    let mut kept = BTreeSet::new();
    let (within, beyond) = std::mem::take(held).into_iter().partition(|held: &Received| {
        let group = &held.delivery.group;
        let is_ours = held.origin == Origin::Invocation;
        kept.contains(group)
            || ((is_ours || kept.len() < room.contacts) && kept.insert(group.clone()))
    });
    *held = within;
    let beyond: Vec<Received> = beyond;
    beyond.into_iter().map(|held| (held.delivery.receipt, Duration::ZERO)).collect()
}

fn groups(held: &[Received]) -> BTreeSet<&str> {
    held.iter().map(|held| held.delivery.group.as_str()).collect()
}
