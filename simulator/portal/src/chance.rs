//! Chance from a seed: the order of results, ids, and which calls a fault hits.
//!
//! The numbers are those of `rand`'s xoshiro256++, which it promises to keep on every platform.
//!
//! **Invariant**: one seed and one sequence of calls give one sequence of numbers.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use shared::ids;
use shared::ports::Entropy;

/// A portal's seeded generator. It makes no secrets.
#[derive(Debug)]
pub struct Chance(Xoshiro256PlusPlus);

impl Chance {
    /// Starts the sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number from `low` to `high`, both included; `low` where `high` is smaller.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0.random_range(low..=high.max(low))
    }

    /// True with this probability: never from 0 down, always from 1 up.
    pub fn happens(&mut self, probability: f64) -> bool {
        self.0.random::<f64>() < probability
    }

    /// Puts things in another order; each order is as likely as the next.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        things.shuffle(&mut self.0);
    }

    /// A UUID of version 7: the time in front, the rest by chance.
    pub fn uuid_v7(&mut self, now: DateTime<Utc>) -> String {
        ids::uuid_v7(now, &Borrowed(Mutex::new(&mut self.0)))
    }
}

/// The generator as the port that `shared` draws from.
struct Borrowed<'a>(Mutex<&'a mut Xoshiro256PlusPlus>);

impl Entropy for Borrowed<'_> {
    fn next_u64(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_numbers_as_ever() {
        let mut chance = Chance::new(1);
        let mut order = [1, 2, 3, 4, 5, 6];
        chance.shuffle(&mut order);
        let drawn = (chance.next_u64(), chance.between(1, 1_000), chance.happens(0.5), order);
        assert_eq!(drawn, (13_781_649_495_232_077_965, 101, false, [5, 3, 6, 2, 4, 1]));
    }
}
