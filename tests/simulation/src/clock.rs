//! Time that a test turns by hand.
//!
//! In: [`VirtualClock::advance`]. Out: `now`, `uptime` and sleepers that wake. Nothing here looks
//! at the real time, so a test of twelve hours takes as long as one of a second.
//!
//! **Invariant**: sleepers wake in the order of their moments, and of their going to sleep where
//! the moments are the same.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use shared::ports::Clock;
use tokio::sync::oneshot;

/// A clock that stands still until it is turned. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct VirtualClock {
    start: DateTime<Utc>,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    uptime: Duration,
    slept: u64,
    /// By the moment to wake at, then by the order of going to sleep.
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
}

impl Default for VirtualClock {
    /// Starts at a fixed moment: 2026-09-21, 14:13:20 UTC.
    fn default() -> Self {
        VirtualClock::starting_at(DateTime::UNIX_EPOCH + TimeDelta::seconds(1_790_000_000))
    }
}

impl VirtualClock {
    /// A clock that stands at this moment.
    pub fn starting_at(start: DateTime<Utc>) -> VirtualClock {
        VirtualClock { start, inner: Arc::default() }
    }

    /// Turns the clock and wakes everybody whose moment has come. They run when the caller next
    /// awaits something.
    pub fn advance(&self, by: Duration) {
        let mut inner = self.inner();
        inner.uptime += by;
        let reached = inner.uptime;
        while let Some(sleeper) = inner.sleepers.first_entry()
            && sleeper.key().0 <= reached
        {
            // A sleeper that is gone needs no waking.
            let _ = sleeper.remove().send(());
        }
    }

    /// How long until the next sleeper wakes; none if nobody sleeps.
    pub fn next_wake(&self) -> Option<Duration> {
        let mut inner = self.inner();
        inner.sleepers.retain(|_, sleeper| !sleeper.is_closed());
        let (until, _) = inner.sleepers.keys().next()?;
        Some(until.saturating_sub(inner.uptime))
    }

    /// Runs the work; whenever it sleeps, the clock is turned to when it wakes.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = tokio::task::yield_now() => {}
            }
            if let Some(wait) = self.next_wake() {
                self.advance(wait);
            }
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> DateTime<Utc> {
        let uptime = TimeDelta::from_std(self.uptime()).unwrap_or(TimeDelta::MAX);
        self.start + uptime
    }

    fn uptime(&self) -> Duration {
        self.inner().uptime
    }

    async fn sleep(&self, wait: Duration) {
        if wait.is_zero() {
            return;
        }
        let woken = {
            let mut inner = self.inner();
            let (wake, woken) = oneshot::channel();
            inner.slept += 1;
            let key = (inner.uptime + wait, inner.slept);
            inner.sleepers.insert(key, wake);
            woken
        };
        // The clock itself is gone with an error: then nobody turns it any more.
        let _ = woken.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sleepers_wake_when_the_clock_was_turned_far_enough() {
        let clock = VirtualClock::default();
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_secs(10)).await }
        });
        while clock.next_wake().is_none() {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(9));
        assert_eq!(clock.next_wake(), Some(Duration::from_secs(1)));
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(1));
        sleeper.await.expect("it wakes");
        assert_eq!(clock.next_wake(), None);
    }
}
