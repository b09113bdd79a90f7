//! What ingest and the workers did in the last minutes, as the page shows it, and who knows it.
//!
//! In the stack's own process a [`StatsJournal`](journal::StatsJournal) knows it. A console that runs
//! elsewhere asks CloudWatch for the metrics. A source fills in what it knows and leaves out the
//! rest.

pub mod journal;

use std::time::Duration;

use async_trait::async_trait;
use shared::journal::ContactWritten;

/// Knows what happened recently.
#[async_trait]
pub trait StatsSource: Send + Sync {
    /// The recent figures; or why they are unknown, in a sentence that names no person.
    async fn recent_stats(&self) -> Result<RecentStats, String>;
}

/// What happened recently.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecentStats {
    /// The time that the counts cover.
    pub over: Duration,
    /// `EventsAccepted`.
    pub accepted: u64,
    /// `EventsApplied`.
    pub applied: u64,
    /// `Parked`.
    pub parked: u64,
    /// `Quarantined`.
    pub quarantined: u64,
    /// `HubSpotThrottled`: 429 answers.
    pub throttled: u64,
    /// `CoalescingRatio`: events per contact and pass, over five minutes.
    pub ratio: Option<f64>,
    /// How long the oldest event has been on the queue, if the queue itself does not say.
    pub oldest: Option<Duration>,
    /// Events applied, in equal parts of time.
    pub trend: Trend,
    /// Calls left in HubSpot's ten seconds as of its last answer, and how long ago that was.
    pub burst_left: Option<(u64, Duration)>,
    /// Calls left in the day as of HubSpot's last answer, and how long ago that was.
    pub day_left: Option<(u64, Duration)>,
    /// The last contacts written, newest first, each with how long ago; `None` if the source knows
    /// only metrics.
    pub written: Option<Vec<(ContactWritten, Duration)>>,
}

/// Counts in equal parts of time, the present one last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trend {
    /// The length of each part.
    pub every: Duration,
    /// The counts.
    pub counts: Vec<u64>,
}
