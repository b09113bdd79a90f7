//! A clock that lags behind the machine's, goes at its pace, and can be moved on towards it: so an
//! hour passes in a second, and commands, which have the machine's time, see nothing from a later one.
//!
//! **Invariant**: it never goes back, and is never ahead of the machine's.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use host::clock::SystemClock;
use shared::ports::Clock;
use tokio::sync::watch;

/// The machine's time, late.
pub struct LateClock {
    real: SystemClock,
    late_by: Duration,
    moved: watch::Sender<Duration>,
}

impl LateClock {
    /// A clock that begins so late.
    pub fn by(late_by: Duration) -> Self {
        Self { real: SystemClock::start(), late_by, moved: watch::Sender::new(Duration::ZERO) }
    }

    /// How late it is now.
    pub fn late_by(&self) -> Duration {
        self.late_by - *self.moved.borrow()
    }

    /// Moves it on. Who sleeps until then wakes.
    ///
    /// # Panics
    /// When it would get ahead of the machine's.
    pub fn move_on(&self, by: Duration) {
        assert!(by <= self.late_by(), "that would be later than it is");
        self.moved.send_modify(|moved| *moved += by);
    }

    /// Lets the stack work for a moment of the machine's time.
    pub async fn rest(&self, wait: Duration) {
        self.real.sleep(wait).await;
    }
}

#[async_trait]
impl Clock for LateClock {
    fn now(&self) -> DateTime<Utc> {
        self.real.now() - self.late_by()
    }

    fn uptime(&self) -> Duration {
        self.real.uptime() + *self.moved.borrow()
    }

    async fn sleep(&self, wait: Duration) {
        let mut moves = self.moved.subscribe();
        let until = self.uptime() + wait;
        while self.uptime() < until {
            let left = until.saturating_sub(self.uptime());
            tokio::select! {
                () = self.real.sleep(left) => {}
                _moved = moves.changed() => {}
            }
        }
    }
}
