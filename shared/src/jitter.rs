//! Full jitter: how chance spreads out what would otherwise come back all at once.
//!
//! In: 64 random bits, and the longest wait. Out: a wait. Every retry and every wait of Milepost that
//! depends on chance uses this function.
//!
//! **Invariant**: the wait is shorter than the longest one, or both are zero.

use std::time::Duration;

/// A wait from zero up to `most`, any length as likely as any other. `most` counts up to 584 years.
#[must_use]
pub fn full_jitter(bits: u64, most: Duration) -> Duration {
    let most_ns = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
    let wait_ns = (u128::from(most_ns) * u128::from(bits)) >> 64;
    Duration::from_nanos(u64::try_from(wait_ns).unwrap_or(most_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_spread_from_nothing_to_the_bound() {
        #[track_caller]
        fn check(bits: u64, most: Duration, wait: Duration) {
            assert_eq!(full_jitter(bits, most), wait);
        }
        let (second, half) = (Duration::from_secs(1), u64::MAX / 2 + 1);
        check(0, second, Duration::ZERO);
        check(half, second, second / 2);
        check(u64::MAX, second, second - Duration::from_nanos(1));
        check(u64::MAX, Duration::ZERO, Duration::ZERO);
        check(half, Duration::MAX, Duration::from_nanos(half - 1));
    }
}
