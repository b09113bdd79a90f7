//! Chance from a seed: the same seed, the same run.
//!
//! The numbers are those of `rand`'s xoshiro256++, which it promises to keep on every platform: a
//! seed of a regression list means the same run after an update.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use shared::ports::Entropy;

/// A seeded generator that several parts of a world draw from.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<Xoshiro256PlusPlus>);

impl SeededEntropy {
    /// Starts a sequence.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(Xoshiro256PlusPlus::seed_from_u64(seed)))
    }

    /// A number below `bound`; 0 where that is 0.
    pub fn below(&self, bound: u64) -> u64 {
        self.generator().random_range(0..bound.max(1))
    }

    /// True with this probability: never from 0 down, always from 1 up.
    pub fn happens(&self, probability: f64) -> bool {
        self.generator().random::<f64>() < probability
    }

    /// One of these.
    pub fn pick<T: Copy>(&self, of: &[T]) -> Option<T> {
        of.choose(&mut *self.generator()).copied()
    }

    fn generator(&self) -> MutexGuard<'_, Xoshiro256PlusPlus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entropy for SeededEntropy {
    fn next_u64(&self) -> u64 {
        self.generator().next_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_numbers_as_ever() {
        let entropy = SeededEntropy::new(1);
        let drawn = (entropy.next_u64(), entropy.below(1_000), entropy.pick(&[1, 2, 3, 4]));
        assert_eq!(drawn, (14_971_601_782_005_023_387, 747, Some(1)));
    }
}
