//! Contacts by chance, among those who hold progress.
//!
//! Up to 10,000 of them, every set of contacts is as likely as another. HubSpot shows no more
//! results of one search; beyond that, a point between the smallest and the largest record id is
//! drawn, and the next contact from there on is taken: each can be met, and one after a gap in the
//! ids more often than its neighbors.

use std::collections::BTreeSet;
use std::time::Duration;

use hubspot::roster::{Hits, SEARCH_RESULTS_MAX, Search};
use shared::ports::Entropy;

use super::HOLDING;
use crate::crm::Crm;
use crate::ending::Stopped;

/// HubSpot's most hits of one call.
const HITS_MAX: u32 = 200;
/// Four searches a second, where HubSpot takes five from all that use the portal.
const SEARCH_EVERY: Duration = Duration::from_millis(250);
/// How often a draw may meet a contact that was drawn before, for each that is wanted.
const DRAWS_EACH_MAX: usize = 20;

/// The record ids of up to `size` contacts; all of them, if there are no more.
///
/// # Errors
/// [`Stopped::OtherSide`].
pub(super) async fn sample(crm: &Crm, size: usize) -> Result<Vec<String>, Stopped> {
    let first = search(crm, 0, 0, false).await?;
    if first.total > SEARCH_RESULTS_MAX {
        return from_points(crm, size, first).await;
    }
    let page = u64::from(HITS_MAX);
    let places = places(first.total, size, &*crm.entropy);
    let pages: BTreeSet<u64> = places.iter().map(|place| place / page).collect();
    let mut ids = Vec::new();
    for number in pages {
        let hits = match number {
            0 => first.ids.clone(),
            _ => search(crm, 0, number * page, false).await?.ids,
        };
        let mine = places.range(number * page..(number + 1) * page);
        // The index moves: what is gone from it meanwhile is not missed.
        ids.extend(mine.filter_map(|place| hits.get((place % page) as usize).cloned()));
    }
    Ok(ids)
}

async fn from_points(crm: &Crm, size: usize, first: Hits) -> Result<Vec<String>, Stopped> {
    let last = search(crm, 0, 0, true).await?;
    let number = |hits: &Hits| hits.ids.first().and_then(|id| id.parse::<u64>().ok());
    let (Some(least), Some(greatest)) = (number(&first), number(&last)) else {
        return Err(Stopped::OtherSide("HubSpot's search shows no record ids".into()));
    };
    let mut ids = BTreeSet::new();
    for _ in 0..size.saturating_mul(DRAWS_EACH_MAX) {
        if ids.len() >= size {
            break;
        }
        let span = greatest.saturating_sub(least).saturating_add(1);
        let point = least + below(span, &*crm.entropy);
        ids.extend(search(crm, point, 0, false).await?.ids.into_iter().next());
    }
    Ok(ids.into_iter().collect())
}

async fn search(crm: &Crm, least_id: u64, skip: u64, is_backwards: bool) -> Result<Hits, Stopped> {
    let search = Search { holding: &HOLDING, least_id, skip, hits_max: HITS_MAX, is_backwards };
    let hits = crm.patiently(async || crm.client.search(search).await).await?;
    crm.clock.sleep(SEARCH_EVERY).await;
    Ok(hits)
}

/// So many different places below `total`, or all of them.
fn places(total: u64, size: usize, entropy: &dyn Entropy) -> BTreeSet<u64> {
    if total <= size as u64 {
        return (0..total).collect();
    }
    // Each step adds one: a place below its bound, or else the bound itself. That makes every set
    // equally likely (Floyd's way).
    let mut places = BTreeSet::new();
    for bound in total - size as u64..total {
        let place = below(bound + 1, entropy);
        if !places.insert(place) {
            places.insert(bound);
        }
    }
    places
}

/// A number below `bound`, each as likely as the others but for one part in 2⁶⁴.
fn below(bound: u64, entropy: &dyn Entropy) -> u64 {
    ((u128::from(entropy.next_u64()) * u128::from(bound)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use host::entropy::SystemEntropy;

    use super::*;

    #[test]
    fn places_differ_are_as_many_as_asked_for_and_leave_none_out_for_ever() {
        let entropy = SystemEntropy::seeded().unwrap();
        let mut met = BTreeSet::new();
        for _ in 0..200 {
            let places = places(12, 5, &entropy);
            assert_eq!(places.len(), 5);
            met.extend(places);
        }
        assert_eq!(met, (0..12).collect());
        assert_eq!(places(3, 5, &entropy), (0..3).collect());
        assert_eq!(places(0, 5, &entropy), BTreeSet::new());
    }
}
