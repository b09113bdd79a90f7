//! The machine's chance, behind the port: `rand`'s xoshiro256++, seeded once by the operating system.
//!
//! It names events and spreads retries. Nothing secret is made from it; [`secret`] is for that. The
//! generator costs a few nanoseconds a number, where asking the system each time costs a call into it.
//!
//! **Invariant**: two processes have different seeds, as surely as the system's chance is chance.

use std::sync::{Mutex, PoisonError};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng as _, SeedableRng as _};
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
pub struct SystemEntropy(Mutex<Xoshiro256PlusPlus>);

/// The operating system gave no seed.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the operating system gave no random bytes: {0}")]
pub struct NoEntropy(getrandom::Error);

impl SystemEntropy {
    /// A generator with a fresh seed.
    ///
    /// # Errors
    /// [`NoEntropy`], on a machine where nothing else would work either.
    pub fn seeded() -> Result<Self, NoEntropy> {
        Ok(Self(Mutex::new(Xoshiro256PlusPlus::from_seed(secret()?))))
    }
}

impl Entropy for SystemEntropy {
    fn next_u64(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next_u64()
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
    fn two_processes_draw_different_numbers() {
        let draw = || SystemEntropy::seeded().unwrap().next_u64();
        assert_ne!(draw(), draw());
    }
}
