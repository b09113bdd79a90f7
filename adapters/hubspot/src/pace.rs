//! When the next call may go: the process's share of the portal's limits.
//!
//! HubSpot counts calls in a rolling window of ten seconds. The share of one process is
//! `floor(limit × (1 − headroom) ÷ workers)` calls per window, cut into a burst `b` and a rate of one
//! permit each `T = 10 s ÷ (share − b)`, rounded up. A limiter of that kind lets at most
//! `b + floor(10 s ÷ T) ≤ b + (share − b) = share` calls go in any closed window of ten seconds,
//! wherever it starts. A new process starts with its burst spent: its predecessor may have had one
//! a moment ago, and so a restart, too, keeps the sum. Its first call waits one `T` (0.23 s at a
//! share of 45).
//!
//! A permit is given when a call leaves. If the network brings a call late and the ones after it
//! early, those in between come closer together at HubSpot; the headroom is for that too.
//!
//! Answers only ever slow it down further: a 429, a low remainder, a lower limit than was set.
//!
//! **Invariant**: no call goes without a permit, and while the day's quota is spent none goes at all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http::HeaderMap;
use shared::jitter::full_jitter;
use shared::ports::{Clock, Entropy};
use shared::settings;

use crate::fault::LimitPolicy;
use crate::rate::{Limiter, Rate, WINDOW};
use crate::retry::{self, RetryBudget};

/// The longest that a call waits for its permit: a window, and what rounding adds to it. Who would
/// have to wait longer is told so at once.
pub const PERMIT_WAIT_MAX: Duration = Duration::from_secs(12);
/// The longest stay away that a burst limit's answer can ask for. Third parties report figures
/// in milliseconds where seconds are meant.
const BURST_WAIT_MAX: Duration = Duration::from_secs(60);
/// How long the day's quota is left alone when nobody knows the portal's midnight, and the time
/// after a supposed midnight in which it may come yet (summer time, skewed clocks).
const DAY_UNKNOWN: Duration = Duration::from_secs(3600);
/// How often a quota that should be new, and isn't, is tried.
const DAY_LATE: Duration = Duration::from_secs(600);
/// How long after the portal's midnight the first call goes, plus up to as much again by chance.
const DAY_MARGIN: Duration = Duration::from_secs(15);

/// What the pace is made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PaceSettings {
    /// `HUBSPOT_BURST_LIMIT`: calls in a rolling ten seconds that the portal's plan allows.
    pub burst_limit: u32,
    /// `HUBSPOT_HEADROOM`: the share of it left to others, from 0 to below 1.
    pub headroom: f64,
    /// `WORKER_CONCURRENCY`: the processes that share the rest.
    pub workers: u32,
    /// A moment when the portal's day begins, if it is known: any one, past or to come.
    pub day_begins_at: Option<DateTime<Utc>>,
}

impl PaceSettings {
    /// The share of one of `workers` processes, by the process's settings.
    pub fn of(hubspot: &settings::HubSpot, workers: u32) -> Self {
        let settings::HubSpot { burst_limit, headroom, .. } = *hubspot;
        Self { burst_limit, headroom, workers, day_begins_at: None }
    }
}

/// The settings leave this process no call at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{workers} workers can't share {limit} calls in ten seconds; hint: lower \
     WORKER_CONCURRENCY or HUBSPOT_HEADROOM"
)]
pub struct NoShare {
    /// The processes that would share.
    pub workers: u32,
    /// The portal's limit.
    pub limit: u32,
}

/// Why no call goes now, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// The limit that is reached.
    pub policy: LimitPolicy,
    /// How long from now.
    pub wait: Duration,
    /// Until when.
    pub until: DateTime<Utc>,
}

/// What the pace knows, for metrics and the console.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PaceSnapshot {
    /// Permits that could be had now.
    pub available: u32,
    /// This process's calls in ten seconds.
    pub share: u32,
    /// The limit of the window by HubSpot's last answer, which may be another than the setting.
    pub window_limit: Option<u32>,
    /// What HubSpot's last answer said of the window: `HubSpotRemaining`.
    pub window_remaining: Option<u32>,
    /// What HubSpot's last answer said of the day: `DailyRemaining`.
    pub daily_remaining: Option<u64>,
    /// 429 answers so far: `HubSpotThrottled`.
    pub throttled: u64,
    /// Permits given so far: `HubSpotCalls`.
    pub calls: u64,
}

/// What was spent since somebody asked last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Permits given: `HubSpotCalls`.
    pub calls: u64,
    /// 429 answers: `HubSpotThrottled`.
    pub throttled: u64,
}

/// The pace of one process. Share it behind `Arc`: two of them are two shares.
pub struct Pace {
    settings: PaceSettings,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    state: Mutex<State>,
}

struct State {
    limiter: Limiter,
    /// The limit that `limiter` was made for: the setting, or less if HubSpot's headers say so.
    limit: u32,
    /// No call before this uptime, and by which limit.
    paused: Option<(LimitPolicy, Duration)>,
    /// No call before this uptime: the window is nearly spent, whoever spent it.
    slowed_until: Duration,
    day_begins_at: Option<DateTime<Utc>>,
    retry_budget: RetryBudget,
    window_limit: Option<u32>,
    window_remaining: Option<u32>,
    daily_remaining: Option<u64>,
    throttled: u64,
    calls: u64,
    /// What of the last two was told already.
    told: Spent,
}

impl Pace {
    /// A pace by these settings, with its burst spent.
    ///
    /// # Errors
    /// [`NoShare`] when the share is less than one call in ten seconds.
    pub fn new(
        settings: PaceSettings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, NoShare> {
        Self::holding(0, settings, clock, entropy)
    }

    /// A pace whose first call may go at once: for a process whose caller waits, and of which there
    /// is one at a time. When it begins anew within ten seconds, its share is exceeded by one.
    ///
    /// # Errors
    /// [`NoShare`] when the share is less than one call in ten seconds.
    pub fn with_a_first_call(
        settings: PaceSettings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, NoShare> {
        Self::holding(1, settings, clock, entropy)
    }

    fn holding(
        permits: u32,
        settings: PaceSettings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, NoShare> {
        let PaceSettings { burst_limit: limit, headroom, workers, day_begins_at } = settings;
        let rate = Rate::of_share(limit, headroom, workers).ok_or(NoShare { workers, limit })?;
        let state = State {
            limiter: Limiter::spent_but(permits, rate, &clock),
            limit,
            paused: None,
            slowed_until: Duration::ZERO,
            day_begins_at,
            retry_budget: RetryBudget::full(),
            window_limit: None,
            window_remaining: None,
            daily_remaining: None,
            throttled: 0,
            calls: 0,
            told: Spent::default(),
        };
        Ok(Self { settings, clock, entropy, state: Mutex::new(state) })
    }

    /// Waits for a permit to make one call, at most `wait_max`.
    ///
    /// # Errors
    /// The [`Pause`] that stands in the way when the wait would be longer. It is told at once.
    pub async fn permit(&self, wait_max: Duration) -> Result<(), Pause> {
        let deadline = self.clock.uptime() + wait_max;
        // Each round ends with a permit or comes nearer to the deadline.
        loop {
            let Err(pause) = self.try_permit() else { return Ok(()) };
            if self.clock.uptime() + pause.wait > deadline {
                return Err(pause);
            }
            self.clock.sleep(pause.wait).await;
        }
    }

    /// How many permits could be had now.
    pub fn available(&self) -> u32 {
        let state = self.state();
        match state.pause(self.clock.uptime()) {
            Some(_) => 0,
            None => state.limiter.available(),
        }
    }

    /// The limit that keeps every call back just now, if one does.
    pub fn paused_until(&self) -> Option<Pause> {
        let (policy, wait) = self.state().pause(self.clock.uptime())?;
        Some(self.pause(policy, wait))
    }

    /// Tells a moment when the portal's day begins; any one serves, past or to come.
    pub fn learn_day(&self, begins_at: DateTime<Utc>) {
        self.state().day_begins_at = Some(begins_at);
    }

    /// The present figures.
    pub fn snapshot(&self) -> PaceSnapshot {
        let available = self.available();
        let state = self.state();
        PaceSnapshot {
            available,
            share: state.limiter.rate().share(),
            window_limit: state.window_limit,
            window_remaining: state.window_remaining,
            daily_remaining: state.daily_remaining,
            throttled: state.throttled,
            calls: state.calls,
        }
    }

    /// What was spent since this was asked last: passes go on beside each other, and each call is to
    /// be counted by one of them.
    pub fn spent(&self) -> Spent {
        let mut state = self.state();
        let now = Spent { calls: state.calls, throttled: state.throttled };
        let told = std::mem::replace(&mut state.told, now);
        Spent { calls: now.calls - told.calls, throttled: now.throttled - told.throttled }
    }

    /// Takes note of an answer's rate headers, whatever its status.
    pub(crate) fn observe(&self, headers: &HeaderMap) {
        let window_ms: Option<u64> = number(headers, "x-hubspot-ratelimit-interval-milliseconds");
        let mut state = self.state();
        if let Some(daily) = number(headers, "x-hubspot-ratelimit-daily-remaining") {
            state.daily_remaining = Some(daily);
        }
        // Figures for another window than the one that we pace by would be misread.
        if window_ms.is_some_and(|ms| u128::from(ms) != WINDOW.as_millis()) {
            return;
        }
        if let Some(max) = number::<u32>(headers, "x-hubspot-ratelimit-max") {
            state.window_limit = Some(max);
            self.adopt_limit(&mut state, max);
        }
        if let Some(remaining) = number::<u32>(headers, "x-hubspot-ratelimit-remaining") {
            state.window_remaining = Some(remaining);
            // While all keep to their shares, the headroom stays unused.
            let reserve = ((f64::from(state.limit) * self.settings.headroom) as u32).max(1);
            if remaining < reserve {
                let wait = WINDOW * (reserve - remaining) / reserve;
                state.slowed_until = state.slowed_until.max(self.clock.uptime() + wait);
            }
        }
    }

    /// Takes note of a 429 that asks for `asked`; says how long to stay away.
    pub(crate) fn throttled(&self, policy: LimitPolicy, asked: Duration) -> Duration {
        let wait = match policy {
            LimitPolicy::TenSecondly => asked.clamp(WINDOW, BURST_WAIT_MAX),
            LimitPolicy::Secondly => asked.clamp(Duration::from_secs(1), BURST_WAIT_MAX),
            LimitPolicy::Daily => self.rest_of_day(),
        };
        let mut state = self.state();
        let now = self.clock.uptime();
        state.throttled += 1;
        // A late answer about the window does not end the wait for the day.
        if state.paused.is_none_or(|(_, until)| until < now + wait) {
            state.paused = Some((policy, now + wait));
        }
        wait
    }

    /// A success pays into the retry budget.
    pub(crate) fn succeeded(&self) {
        self.state().retry_budget.pay_in();
    }

    /// Takes one retry from the budget, if it holds one.
    pub(crate) fn take_retry(&self) -> bool {
        self.state().retry_budget.take()
    }

    /// How long retry number `retry` (from 0) waits.
    pub(crate) fn jitter(&self, retry: u32) -> Duration {
        retry::jitter(retry, self.entropy.as_ref())
    }

    fn try_permit(&self) -> Result<(), Pause> {
        let mut state = self.state();
        let now = self.clock.uptime();
        let paused = state.pause(now);
        let (policy, wait) = match paused {
            Some(pause) => pause,
            None => match state.limiter.take() {
                Ok(()) => {
                    state.calls += 1;
                    return Ok(());
                }
                Err(wait) => (LimitPolicy::TenSecondly, wait),
            },
        };
        Err(self.pause(policy, wait))
    }

    /// Another limit than the one paced by: the portal's plan is smaller than the setting says, or
    /// was and no longer is. The setting is never exceeded.
    fn adopt_limit(&self, state: &mut State, max: u32) {
        let limit = max.min(self.settings.burst_limit);
        if limit == state.limit {
            return;
        }
        // A limit that leaves no share keeps the present pace: 429s will slow it.
        let PaceSettings { headroom, workers, .. } = self.settings;
        if let Some(rate) = Rate::of_share(limit, headroom, workers) {
            state.limiter = Limiter::spent_but(0, rate, &self.clock);
            state.limit = limit;
        }
    }

    fn rest_of_day(&self) -> Duration {
        let Some(begins_at) = self.state().day_begins_at else { return DAY_UNKNOWN };
        let into_day_ms = (self.clock.now() - begins_at)
            .num_milliseconds()
            .rem_euclid(TimeDelta::days(1).num_milliseconds());
        let into_day = Duration::from_millis(into_day_ms.unsigned_abs());
        if into_day < DAY_UNKNOWN {
            return DAY_LATE;
        }
        Duration::from_secs(24 * 3600) - into_day
            + DAY_MARGIN
            + full_jitter(self.entropy.next_u64(), DAY_MARGIN)
    }

    fn pause(&self, policy: LimitPolicy, wait: Duration) -> Pause {
        let until = self.clock.now() + TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
        Pause { policy, wait, until }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held; and were it so, the figures would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What keeps all calls back at this uptime, and for how long yet.
    fn pause(&self, now: Duration) -> Option<(LimitPolicy, Duration)> {
        let slowed = (LimitPolicy::TenSecondly, self.slowed_until);
        let (policy, until) = match self.paused {
            Some(paused) if paused.1 >= slowed.1 => paused,
            _ => slowed,
        };
        (until > now).then(|| (policy, until - now))
    }
}

impl std::fmt::Debug for Pace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pace({:?})", self.snapshot())
    }
}

fn number<N: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Option<N> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests;
