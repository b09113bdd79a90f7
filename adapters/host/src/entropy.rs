//! The machine's chance, behind the port: xoshiro256++, seeded once by the operating system.
//!
//! It names events and spreads retries; nothing secret is made from it, which [`secret`] is for. A generator of our own
//! costs a few nanoseconds a number, where asking the system each time costs a call into it.
//!
//! **Invariant**: two processes have different seeds, as surely as the system's chance is chance.

use std::sync::{Mutex, PoisonError};

use shared::ports::Entropy;

/// Bytes that nobody can foresee, for what must stay secret: asked of the operating system each time.
///
/// # Errors
/// [`NoEntropy`].
#[expect(clippy::disallowed_methods, reason = "this is the home of chance")]
pub fn secret() -> Result<[u8; 32], NoEntropy> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(NoEntropy)?;
    Ok(bytes)
}

/// Chance from a seed that the operating system gave.
pub struct SystemEntropy(Mutex<[u64; 4]>);

/// The operating system gave no seed.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the operating system gave no random bytes: {0}")]
pub struct NoEntropy(getrandom::Error);

impl SystemEntropy {
    /// A generator with a fresh seed.
    ///
    /// # Errors
    /// [`NoEntropy`], on a machine where nothing else would work either.
    #[expect(clippy::disallowed_methods, reason = "this is the home of chance")]
    pub fn seeded() -> Result<Self, NoEntropy> {
        let mut state = [0; 4];
        for word in &mut state {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes).map_err(NoEntropy)?;
            *word = u64::from_le_bytes(bytes);
        }
        // All zeros is the one state that it never leaves.
        state[0] |= 1;
        Ok(Self(Mutex::new(state)))
    }
}

impl Entropy for SystemEntropy {
    fn next_u64(&self) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let [a, b, c, d] = &mut *state;
        let number = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        number
    }
}

impl std::fmt::Debug for SystemEntropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SystemEntropy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_generator() {
        let entropy = SystemEntropy(Mutex::new([1, 2, 3, 4]));
        let numbers: Vec<u64> = (0..4).map(|_| entropy.next_u64()).collect();
        assert_eq!(numbers, [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]);
    }

    #[test]
    fn two_processes_draw_different_numbers() {
        let draw = || SystemEntropy::seeded().unwrap().next_u64();
        assert_ne!(draw(), draw());
    }
}
