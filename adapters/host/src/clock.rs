//! The machine's clock, behind the port.
//!
//! The time of day is the system's; uptime and waiting are tokio's, so that a test of this
//! process can pause them.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use shared::ports::Clock;
use tokio::time::Instant;

/// The machine's time.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose uptime begins now.
    #[expect(clippy::disallowed_methods, reason = "this is the home of the clock")]
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }
}

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the home of the clock")]
    fn now(&self) -> DateTime<Utc> {
        std::time::SystemTime::now().into()
    }

    fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the home of the clock")]
    async fn sleep(&self, wait: Duration) {
        tokio::time::sleep(wait).await;
    }
}
