//! How many calls a token and an account have left: ten seconds, a second, a day.
//!
//! The burst is a sliding window of ten seconds per token; search has its own second, shared by
//! all; the day is the account's, in its own time zone. A call that is refused takes nothing.
//!
//! **Invariant**: `peak` counts every call that arrived, refused ones too: it is the judge of
//! whoever promises never to exceed the limit.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, FixedOffset, NaiveDate, Offset, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::settings::Settings;

const WINDOW: TimeDelta = TimeDelta::seconds(10);
const SECOND: TimeDelta = TimeDelta::seconds(1);

/// Which budget a call found spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// The ten-second window of a token.
    TenSecondly,
    /// The searches of a second.
    Secondly,
    /// The account's day.
    Daily,
}

/// What the usage endpoint tells: a snapshot, which may be old.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Calls of the day, others' included.
    pub used: u64,
    /// When it was collected.
    pub collected_at: DateTime<Utc>,
    /// When the day ends.
    pub resets_at: DateTime<Utc>,
    /// Whether it was collected for this very call.
    pub is_fresh: bool,
}

/// What is kept across a restart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct DayCount {
    day: NaiveDate,
    own: u64,
    others: f64,
}

/// What is left of every budget.
#[derive(Debug, Default)]
pub struct Limits {
    tokens: BTreeMap<String, Windows>,
    searches: VecDeque<DateTime<Utc>>,
    today: Option<DayCount>,
    last_seen: Option<DateTime<Utc>>,
    snapshot: Option<Usage>,
    peak: usize,
}

#[derive(Debug, Default)]
struct Windows {
    arrived: VecDeque<DateTime<Utc>>,
    admitted: VecDeque<DateTime<Utc>>,
}

impl Limits {
    /// Notes that a call arrived, whatever becomes of it. Searches have a limit of their own and
    /// are no part of the burst.
    pub fn arrive(&mut self, now: DateTime<Utc>, token: &str, is_search: bool) {
        if is_search {
            return;
        }
        let window = &mut self.tokens.entry(token.to_owned()).or_default().arrived;
        slide(window, now, WINDOW);
        window.push_back(now);
        self.peak = self.peak.max(window.len());
    }

    /// Takes one call from every budget it counts against, or says which is spent.
    pub(crate) fn admit(
        &mut self,
        now: DateTime<Utc>,
        token: &str,
        is_search: bool,
        settings: &Settings,
    ) -> Result<(), Policy> {
        self.turn_day(now, settings);
        if self.used_today() >= settings.daily_max {
            return Err(Policy::Daily);
        }
        if is_search {
            slide(&mut self.searches, now, SECOND);
            let others = settings.others.search_per_s.floor() as usize;
            if self.searches.len() + others >= settings.search_per_second as usize {
                return Err(Policy::Secondly);
            }
            self.searches.push_back(now);
        } else {
            let window = &mut self.tokens.entry(token.to_owned()).or_default().admitted;
            slide(window, now, WINDOW);
            if window.len() + others_in_window(settings) >= settings.burst_max as usize {
                return Err(Policy::TenSecondly);
            }
            window.push_back(now);
        }
        if let Some(today) = &mut self.today {
            today.own += 1;
        }
        Ok(())
    }

    /// The rate headers of an answer that is no search's.
    pub fn headers(
        &mut self,
        now: DateTime<Utc>,
        token: &str,
        settings: &Settings,
    ) -> Vec<(&'static str, String)> {
        let window = &mut self.tokens.entry(token.to_owned()).or_default().admitted;
        slide(window, now, WINDOW);
        let taken = window.len() + others_in_window(settings);
        let left = (settings.burst_max as usize).saturating_sub(taken);
        let in_second = window.iter().rev().take_while(|at| **at + SECOND > now).count();
        let per_second = settings.burst_max as usize / 10;
        let day_left = settings.daily_max.saturating_sub(self.used_today());
        vec![
            ("x-hubspot-ratelimit-daily", settings.daily_max.to_string()),
            ("x-hubspot-ratelimit-daily-remaining", day_left.to_string()),
            ("x-hubspot-ratelimit-interval-milliseconds", WINDOW.num_milliseconds().to_string()),
            ("x-hubspot-ratelimit-max", settings.burst_max.to_string()),
            ("x-hubspot-ratelimit-remaining", left.to_string()),
            ("x-hubspot-ratelimit-secondly", per_second.to_string()),
            (
                "x-hubspot-ratelimit-secondly-remaining",
                per_second.saturating_sub(in_second).to_string(),
            ),
        ]
    }

    /// The usage endpoint's snapshot, renewed when it is older than it may be.
    pub fn usage(&mut self, now: DateTime<Utc>, settings: &Settings) -> Usage {
        self.turn_day(now, settings);
        let lag = TimeDelta::milliseconds(settings.usage_lag_ms as i64);
        match self.snapshot {
            Some(snapshot) if snapshot.collected_at + lag > now => {
                Usage { is_fresh: false, ..snapshot }
            }
            _ => {
                let fresh = Usage {
                    used: self.used_today(),
                    collected_at: now,
                    resets_at: next_midnight(now, settings),
                    is_fresh: true,
                };
                *self.snapshot.insert(fresh)
            }
        }
    }

    /// Calls of the day so far, others' included.
    pub fn used_today(&self) -> u64 {
        self.today.map_or(0, |today| today.own + today.others as u64)
    }

    /// The most calls of one token in any ten seconds so far.
    pub fn peak(&self) -> usize {
        self.peak
    }

    /// What must survive a restart.
    pub(crate) fn day_count(&self) -> Option<DayCount> {
        self.today
    }

    pub(crate) fn restore(&mut self, today: DayCount) {
        self.today = Some(today);
    }

    /// Sets how many calls the day has seen.
    pub fn spend(&mut self, now: DateTime<Utc>, used: u64, settings: &Settings) {
        self.turn_day(now, settings);
        if let Some(today) = &mut self.today {
            today.own = used;
            today.others = 0.0;
        }
    }

    /// Starts a new day at the account's midnight, and adds what others took since the last call.
    fn turn_day(&mut self, now: DateTime<Utc>, settings: &Settings) {
        let day = now.with_timezone(&zone(settings)).date_naive();
        let since = self.last_seen.replace(now).unwrap_or(now);
        let elapsed_s = (now - since).num_milliseconds().max(0) as f64 / 1_000.0;
        match &mut self.today {
            Some(today) if today.day == day => {
                today.others += settings.others.daily_per_s * elapsed_s;
            }
            today => *today = Some(DayCount { day, own: 0, others: 0.0 }),
        }
    }
}

/// Drops what has left a window that ends now. A clock that was set back leaves nothing ahead.
fn slide(window: &mut VecDeque<DateTime<Utc>>, now: DateTime<Utc>, length: TimeDelta) {
    while window.front().is_some_and(|at| *at + length <= now) {
        window.pop_front();
    }
    while window.back().is_some_and(|at| *at > now) {
        window.pop_back();
    }
}

fn others_in_window(settings: &Settings) -> usize {
    (settings.others.burst_per_s * 10.0).floor() as usize
}

fn zone(settings: &Settings) -> FixedOffset {
    FixedOffset::east_opt(settings.utc_offset_minutes.saturating_mul(60))
        .unwrap_or_else(|| Utc.fix())
}

fn next_midnight(now: DateTime<Utc>, settings: &Settings) -> DateTime<Utc> {
    let zone = zone(settings);
    let today = now.with_timezone(&zone).date_naive();
    let midnight = today.succ_opt().and_then(|day| day.and_hms_opt(0, 0, 0));
    midnight
        .and_then(|midnight| midnight.and_local_timezone(zone).single())
        .map_or(now + TimeDelta::days(1), |midnight| midnight.to_utc())
}
