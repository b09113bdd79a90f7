//! Chance from a seed: the order of results, ids, and which calls a fault hits.
//!
//! **Invariant**: one seed and one sequence of calls give one sequence of numbers.

use chrono::{DateTime, Utc};

/// A small seeded generator (SplitMix64). It is no source of secrets.
#[derive(Debug, Clone)]
pub(crate) struct Chance {
    state: u64,
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        if high <= low {
            return low;
        }
        low + self.next() % (high - low).saturating_add(1)
    }

    /// True with this probability.
    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        // The upper 53 bits are what a float holds exactly.
        let share = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        share < probability
    }

    pub(crate) fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            let other = self.between(0, last as u64) as usize;
            things.swap(last, other);
        }
    }

    /// A UUID of version 7: the time in front, the rest by chance.
    pub(crate) fn uuid_v7(&mut self, now: DateTime<Utc>) -> String {
        let ms = now.timestamp_millis().max(0) as u64 & 0xFFFF_FFFF_FFFF;
        let (a, b) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-7{:03x}-{:04x}-{:012x}",
            ms >> 16,
            ms & 0xFFFF,
            a & 0xFFF,
            0x8000 | (b >> 48 & 0x3FFF),
            b & 0xFFFF_FFFF_FFFF,
        )
    }
}
