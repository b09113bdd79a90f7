//! The recorded vectors as work for a whole stack: the same histories, disordered and doubled.
//! `shared/tests/golden.rs` holds the pure core against them.

use serde_json::Value;
use shared::milestones::Values;
use shared::ports::Entropy as _;
use simulation::entropy::SeededEntropy;

pub(crate) use vectors::{History, assert_same, catalog, histories, lines};

#[path = "../golden/vectors.rs"]
mod vectors;

/// Puts the contacts of histories into a portal and gives all their events, under the ids that the
/// portal gave, in an order of chance and every fifth twice.
pub(crate) fn shuffled(
    histories: &[History],
    chance: &SeededEntropy,
    mut add_contact: impl FnMut(&Values) -> u64,
) -> Vec<Value> {
    let below = |bound: usize| (chance.next_u64() % bound as u64) as usize;
    let mut events = Vec::new();
    for history in histories {
        let id = history.initial.as_ref().map(|initial| add_contact(initial).to_string());
        for event in &history.events {
            let mut event = event.clone();
            if let Some(given) = event.pointer_mut("/contactIdentifier/contactId")
                && *given == history.contact_id.as_str()
                && let Some(id) = &id
            {
                *given = id.clone().into();
            }
            events.push(event);
        }
    }
    for _ in 0..events.len() / 5 {
        events.push(events[below(events.len())].clone());
    }
    for last in (1..events.len()).rev() {
        events.swap(last, below(last + 1));
    }
    events
}
