//! How often and how late a call is made again: a budget, and full jitter.
//!
//! Retries are paid for by successes, so that an outage is probed and not hammered: when nothing
//! succeeds any more, the savings are soon spent, and each call is made once.
//!
//! **Invariant**: over any time, retries ≤ [`SAVINGS_MAX`] + successes ÷ [`SUCCESSES_PER_RETRY`].

use std::time::Duration;

use shared::jitter::full_jitter;
use shared::ports::Entropy;

/// Successes that pay for one retry: in an outage, retries add a tenth to the load, not a multiple.
const SUCCESSES_PER_RETRY: u32 = 10;
/// Retries that can be saved up, and that a new process has.
const SAVINGS_MAX: u32 = 10;
/// The first retry waits up to this by chance, each further one up to twice as long…
const JITTER_FIRST: Duration = Duration::from_millis(200);
/// … but never longer than this.
const JITTER_MAX: Duration = Duration::from_secs(3);

/// What is left for retries.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    successes: u32,
}

impl RetryBudget {
    /// The savings of a new process.
    pub(crate) fn full() -> Self {
        Self { successes: SAVINGS_MAX * SUCCESSES_PER_RETRY }
    }

    /// A success pays in.
    pub(crate) fn pay_in(&mut self) {
        self.successes = (self.successes + 1).min(SAVINGS_MAX * SUCCESSES_PER_RETRY);
    }

    /// Takes one retry out, if there is one.
    pub(crate) fn take(&mut self) -> bool {
        let left = self.successes.checked_sub(SUCCESSES_PER_RETRY);
        self.successes = left.unwrap_or(self.successes);
        left.is_some()
    }
}

/// How long retry number `retry` (from 0) waits: anything up to a bound that doubles.
pub(crate) fn jitter(retry: u32, entropy: &dyn Entropy) -> Duration {
    let wait_max = JITTER_FIRST.saturating_mul(1 << retry.min(16)).min(JITTER_MAX);
    full_jitter(entropy.next_u64(), wait_max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::virtual_time::Always;

    #[test]
    fn a_retry_costs_ten_successes() {
        let mut budget = RetryBudget::full();
        assert_eq!((0..100).take_while(|_| budget.take()).count(), 10);
        for _ in 0..9 {
            budget.pay_in();
        }
        assert!(!budget.take());
        budget.pay_in();
        assert!(budget.take());
        assert!(!budget.take());
    }

    #[test]
    fn jitter_is_full_and_bounded() {
        #[track_caller]
        fn check(retry: u32, bits: u64, wait_ms: u128) {
            assert_eq!(jitter(retry, &Always(bits)).as_millis(), wait_ms);
        }
        const HALF: u64 = 1 << 63;
        check(0, 0, 0);
        check(0, HALF, 100);
        check(0, u64::MAX, 199);
        check(1, HALF, 200);
        check(2, HALF, 400);
        check(4, HALF, 1_500);
        check(u32::MAX, HALF, 1_500);
    }
}
