//! What ingest and the workers did lately, as the page shows it, and who can tell.
//!
//! In one process the [`Tally`](crate::tally::Tally) tells; a console beside workers elsewhere asks
//! for their metrics. Whoever tells brings what it knows and leaves out the rest.

use std::time::Duration;

use async_trait::async_trait;

/// Somebody who knows what happened lately.
#[async_trait]
pub trait Lately: Send + Sync {
    /// What happened; or why it can't be known, in a sentence that names nobody.
    async fn seen(&self) -> Result<Seen, String>;
}

/// What happened lately.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// The time that the counts are of.
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
    /// How long the oldest event has been on the queue, where the queue itself does not tell.
    pub oldest: Option<Duration>,
    /// Events applied in equal parts of time.
    pub trend: Trend,
    /// What HubSpot last said is left of ten seconds, and how long ago.
    pub burst_left: Option<(u64, Duration)>,
    /// What HubSpot last said is left of the day, and how long ago.
    pub day_left: Option<(u64, Duration)>,
    /// The last contacts written, newest first, each with how long ago; `None` where metrics alone
    /// are known.
    pub written: Option<Vec<(Written, Duration)>>,
}

/// Counts in equal parts of time, the present one last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trend {
    /// The time of each.
    pub every: Duration,
    /// The counts.
    pub counts: Vec<u64>,
}

/// A contact that was written, as the log names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The message group.
    pub contact: String,
    /// HubSpot's record id.
    pub record: String,
    /// Events that went into the write.
    pub events: u64,
    /// Whether it was created.
    pub is_new: bool,
    /// The properties that were written.
    pub properties: String,
}
