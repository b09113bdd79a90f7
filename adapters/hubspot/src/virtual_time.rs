//! A clock that waiting turns, and chance that is none: what the tests of this crate run on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use shared::ports::{Clock, Entropy};

/// A clock that stands until it is turned, or somebody sleeps.
#[derive(Debug)]
pub(crate) struct TurnedClock {
    start: DateTime<Utc>,
    uptime: Mutex<Duration>,
}

impl TurnedClock {
    pub(crate) fn at(start: &str) -> Arc<Self> {
        Arc::new(Self { start: start.parse().unwrap(), uptime: Mutex::default() })
    }

    pub(crate) fn turn(&self, by: Duration) {
        *self.uptime.lock().unwrap() += by;
    }
}

#[async_trait]
impl Clock for TurnedClock {
    fn now(&self) -> DateTime<Utc> {
        self.start + TimeDelta::from_std(self.uptime()).unwrap()
    }

    fn uptime(&self) -> Duration {
        *self.uptime.lock().unwrap()
    }

    async fn sleep(&self, wait: Duration) {
        self.turn(wait);
    }
}

/// Always the same number.
pub(crate) struct Always(pub(crate) u64);

impl Entropy for Always {
    fn next_u64(&self) -> u64 {
        self.0
    }
}
