//! A share of a rolling window as burst and rate, and the limiter that holds to it.
//!
//! The arithmetic is in [`crate::pace`]'s first lines. `governor` does the counting, on our clock.
//!
//! **Invariant**: in any closed window of [`WINDOW`] a limiter gives at most `share` permits.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use shared::ports::Clock;

/// The window in which HubSpot counts.
pub(crate) const WINDOW: Duration = Duration::from_secs(10);
/// The burst of a small share is at most this part of it.
const BURST_PART: u32 = 5;
/// What is burst is lost to the sustained rate, which is what the rest of the share becomes. Two are
/// the read and the write of a pass: an event that comes alone waits for neither.
const BURST_MAX: u32 = 2;

/// A burst and a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    burst: NonZeroU32,
    share: u32,
    /// Time for one permit to grow back.
    period: Duration,
}

impl Rate {
    /// The rate of one of `workers` processes; `None` when less than one call is left for it.
    pub(crate) fn of_share(limit: u32, headroom: f64, workers: u32) -> Option<Self> {
        let used = f64::from(limit) * (1.0 - headroom.clamp(0.0, 1.0));
        // The smallest addition undoes what binary fractions lack: 100 × (1 − 0.1) is 90.
        let share = ((used + 1e-6) / f64::from(workers.max(1))) as u32;
        let burst = NonZeroU32::new((share / BURST_PART).clamp(1, BURST_MAX))?;
        if share == 0 {
            return None;
        }
        let window_ns = WINDOW.as_nanos() as u64;
        let period_ns = match share - burst.get() {
            // A burst of one and nothing else in a closed window: the next comes just after it.
            0 => window_ns + 1,
            rest => window_ns.div_ceil(u64::from(rest)),
        };
        Some(Self { burst, share, period: Duration::from_nanos(period_ns) })
    }

    /// Calls in ten seconds.
    pub(crate) fn share(self) -> u32 {
        self.share
    }
}

/// `governor`'s view of our clock.
struct Uptime(Arc<dyn Clock>);

impl governor::clock::Clock for Uptime {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.uptime()
    }
}

/// Gives permits at a rate.
pub(crate) struct Limiter {
    rate: Rate,
    clock: Arc<dyn Clock>,
    cells: RateLimiter<NotKeyed, InMemoryState, Uptime, StateInformationMiddleware>,
    /// What was left at the last permit, and when that was: `governor` can't be asked without
    /// taking.
    left: (u32, Duration),
}

impl Limiter {
    /// A limiter that has just spent its burst, but for so many permits.
    pub(crate) fn spent_but(permits: u32, rate: Rate, clock: &Arc<dyn Clock>) -> Self {
        let clock = Arc::clone(clock);
        let quota = Quota::with_period(rate.period)
            .unwrap_or_else(|| Quota::per_hour(NonZeroU32::MIN))
            .allow_burst(rate.burst);
        let cells = RateLimiter::direct_with_clock(quota, Uptime(Arc::clone(&clock)))
            .with_middleware::<StateInformationMiddleware>();
        let permits = permits.min(rate.burst.get());
        if let Some(spent) = NonZeroU32::new(rate.burst.get() - permits) {
            let _all_of_it_fits = cells.check_n(spent);
        }
        let left = (permits, clock.uptime());
        Self { rate, clock, cells, left }
    }

    /// Takes a permit, or says how long until there is one.
    pub(crate) fn take(&mut self) -> Result<(), Duration> {
        let now = self.clock.uptime();
        match self.cells.check() {
            Ok(state) => {
                self.left = (state.remaining_burst_capacity(), now);
                Ok(())
            }
            // A wait of zero would turn the caller's loop without turning the clock.
            Err(not_until) => Err(not_until.wait_time_from(now).max(Duration::from_nanos(1))),
        }
    }

    /// How many permits could be taken now; one too few at times, never one too many.
    pub(crate) fn available(&self) -> u32 {
        let (left, at) = self.left;
        let since = self.clock.uptime().saturating_sub(at);
        let grown = since.as_nanos() / self.rate.period.as_nanos().max(1);
        left.saturating_add(u32::try_from(grown).unwrap_or(u32::MAX)).min(self.rate.burst.get())
    }

    /// Its rate.
    pub(crate) fn rate(&self) -> Rate {
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_what_headroom_leaves_over_the_workers() {
        #[track_caller]
        fn check(limit: u32, headroom: f64, workers: u32, share: Option<u32>) {
            assert_eq!(Rate::of_share(limit, headroom, workers).map(Rate::share), share);
        }
        check(100, 0.1, 2, Some(45));
        check(190, 0.1, 2, Some(85));
        check(250, 0.0, 1, Some(250));
        check(100, 0.1, 1, Some(90));
        check(100, 0.1, 7, Some(12));
        check(100, 0.9, 10, Some(1));
        check(100, 0.9, 11, None);
        check(100, 1.0, 1, None);
        check(100, 7.0, 1, None);
        check(0, 0.1, 1, None);
    }

    #[test]
    fn burst_and_regrowth_in_a_closed_window_never_exceed_the_share() {
        for share in 1..=1000 {
            let rate = Rate::of_share(share, 0.0, 1).unwrap();
            let regrown = WINDOW.as_nanos() / rate.period.as_nanos();
            assert!(u128::from(rate.burst.get()) + regrown <= u128::from(share), "{rate:?}");
        }
    }
}
