//! Topping up: from the invocation's ten messages to the hundred contacts, or five hundred events,
//! that HubSpot takes in one call.
//!
//! An event source hands over at most ten messages and may hand over ten of one contact. While
//! there is room, several receives go at once; each takes whole groups as far as the queue gives
//! them, and none takes more than there is room for. Where the source had less to hand over than it
//! may, one receive looks whether there is more: each costs money, and most would find nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use hubspot::events::OCCURRENCES_MAX;
use shared::ports::{Delivery, Entropy, Queue, ReceiveRequest};
use shared::settings::Backend;

use crate::held::{Held, Origin};

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
    /// For events to be sent: what one batch takes, whosoever they are.
    pub const FOR_EVENTS: Self = Self { contacts: OCCURRENCES_MAX, messages: OCCURRENCES_MAX };

    /// For what is written there.
    pub const fn of(backend: Backend) -> Self {
        match backend {
            Backend::Properties => Self::FOR_CONTACTS,
            Backend::Events => Self::FOR_EVENTS,
        }
    }

    /// Whether what is held leaves none of it: then there is a backlog.
    pub fn is_full(self, held: &[Held]) -> bool {
        wanted(held, self) == 0
    }
}

/// SQS gives at most this many at once.
const RECEIVE_MAX: usize = 10;
/// Receives at once.
const PARALLEL_MAX: usize = 10;
/// The most bytes of a pass, so that memory has a bound: bodies have at most 10 KB each.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// Adds to what is held until a pass is full or the queue gives nothing more. A receive that fails
/// ends it: what is held is enough to go on with.
pub async fn top_up(
    queue: &dyn Queue,
    entropy: &dyn Entropy,
    held: &mut Vec<Held>,
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
        held.extend(taken.map(|delivery| Held { delivery, origin: Origin::ToppedUp }));
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

/// How many messages to ask for next: as many as bring the contacts that there is room for, if the
/// next ones have as many messages each as those in hand.
fn wanted(held: &[Held], room: Room) -> usize {
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
/// brought stays: its event source deletes what is not said to have failed.
fn take_surplus(held: &mut Vec<Held>, room: Room) -> Vec<(Delivery, Duration)> {
    let mut kept = BTreeSet::new();
    let (within, beyond) = std::mem::take(held).into_iter().partition(|held: &Held| {
        let group = &held.delivery.group;
        let is_ours = held.origin == Origin::Invocation;
        kept.contains(group)
            || ((is_ours || kept.len() < room.contacts) && kept.insert(group.clone()))
    });
    *held = within;
    let beyond: Vec<Held> = beyond;
    beyond.into_iter().map(|held| (held.delivery, Duration::ZERO)).collect()
}

fn groups(held: &[Held]) -> BTreeSet<&str> {
    held.iter().map(|held| held.delivery.group.as_str()).collect()
}
