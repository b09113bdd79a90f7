//! The portal's switches: its plan and limits, and how it decides where HubSpot's own behavior is
//! unknown or differs between accounts.
//!
//! They are read and changed as JSON over the admin API; the names there are the field names here.
//!
//! **Invariant**: the default is what the best evidence says HubSpot does on a free account.

use serde::{Deserialize, Serialize};

/// Every switch. A partial JSON object changes only what it names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The account's number, in record links and validation texts.
    pub portal_id: u64,
    /// The account's time zone by name, as `account-info` shows it.
    pub time_zone: String,
    /// That zone's offset in minutes; the daily budget is renewed at its midnight.
    pub utc_offset_minutes: i32,
    /// Calls per token in any ten seconds: 100, 190 or 250 by plan.
    pub burst_max: u32,
    /// Calls per day of all tokens together: 250,000 on a free account.
    pub daily_max: u64,
    /// Searches per second of all tokens together.
    pub search_per_second: u32,
    /// Whether a 429 carries `Retry-After`, in seconds.
    pub retry_after_on_429: bool,
    /// Whether a conflict on a single create has the long body with `identityProfile`.
    pub conflict_with_identity_profile: bool,
    /// Whether one conflict in an upsert is a 409 for the whole batch, trace ids or not.
    pub upsert_conflict_fails_batch: bool,
    /// Whether `batch/update` takes `idProperty: email`.
    pub update_by_email: bool,
    /// Whether a merge keeps the primary's record id, instead of making a new one.
    pub merge_keeps_primary_id: bool,
    /// Whether a merged-away id in `batch/read` brings the survivor, instead of counting as missing.
    pub batch_read_follows_merges: bool,
    /// Whether creating a person who was deleted for good is refused.
    pub gdpr_blocks_create: bool,
    /// How far the search index is behind, in milliseconds.
    pub search_lag_ms: u64,
    /// How long a new property or group stays invisible, in milliseconds, from and to.
    pub definition_lag_ms: (u64, u64),
    /// How long events of a new definition are not taken yet, in milliseconds.
    #[serde(default)]
    pub event_lag_ms: u64,
    /// How long an ordinary answer takes, in milliseconds, from and to.
    pub latency_ms: (u64, u64),
    /// How old the figures of the usage endpoint may be, in milliseconds.
    pub usage_lag_ms: u64,
    /// What the portal's clock is off, in milliseconds. It moves the times of records, and the
    /// `Date` of answers over HTTP.
    pub clock_skew_ms: i64,
    /// Traffic of others.
    pub others: Others,
    /// Rules of the account's administrator, which bind writes from version 2026-09 on.
    pub required: Vec<RequiredRule>,
    /// Top-level domains that make an e-mail address invalid.
    pub refused_tlds: Vec<String>,
    /// The longest text value, in characters.
    pub text_chars_max: usize,
    /// Whether a bad number is `INVALID_INTEGER`, instead of `INVALID_LONG`.
    pub bad_number_is_invalid_integer: bool,
}

/// Calls that are not the client's own, per second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Others {
    /// Taken from each token's burst, as a second user of the token would.
    pub burst_per_s: f64,
    /// Taken from the day's budget.
    pub daily_per_s: f64,
    /// Taken from the searches of each second.
    pub search_per_s: f64,
}

/// One rule: this property must have a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequiredRule {
    /// The property that must be set.
    pub property: String,
    /// The condition. Without one the rule binds creation only.
    #[serde(default)]
    pub when: Option<Condition>,
}

/// A record has one of these values in a property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The property that is looked at.
    pub property: String,
    /// The values that make the rule bind.
    pub values: Vec<String>,
}

const DAY_MS: u64 = 86_400_000;

impl Default for Settings {
    fn default() -> Self {
        Self {
            portal_id: 48_000_001,
            time_zone: "UTC".into(),
            utc_offset_minutes: 0,
            burst_max: 100,
            daily_max: 250_000,
            search_per_second: 5,
            retry_after_on_429: false,
            conflict_with_identity_profile: false,
            upsert_conflict_fails_batch: false,
            update_by_email: false,
            merge_keeps_primary_id: false,
            batch_read_follows_merges: true,
            gdpr_blocks_create: false,
            search_lag_ms: 5_000,
            definition_lag_ms: (250, 700),
            event_lag_ms: 0,
            latency_ms: (0, 0),
            usage_lag_ms: 300_000,
            clock_skew_ms: 0,
            others: Others::default(),
            required: Vec::new(),
            refused_tlds: vec!["con".into()],
            text_chars_max: 65_536,
            bad_number_is_invalid_integer: false,
        }
    }
}

impl Settings {
    /// These settings with what a JSON object names changed.
    ///
    /// # Errors
    /// What is wrong with it: an unknown name or a value of another type.
    pub fn patched(&self, patch: &serde_json::Value) -> Result<Self, String> {
        let serde_json::Value::Object(patch) = patch else {
            return Err("settings are a JSON object".into());
        };
        let mut whole = serde_json::to_value(self).map_err(|error| error.to_string())?;
        if let Some(whole) = whole.as_object_mut() {
            whole.extend(patch.clone());
        }
        let patched: Self = serde_json::from_value(whole).map_err(|error| error.to_string())?;
        patched.check()?;
        Ok(patched)
    }

    /// Times that are meant in seconds or hours are bounded, so that sums of them are times, too.
    fn check(&self) -> Result<(), String> {
        let lags = [
            ("search_lag_ms", self.search_lag_ms),
            ("definition_lag_ms", self.definition_lag_ms.0.max(self.definition_lag_ms.1)),
            ("event_lag_ms", self.event_lag_ms),
            ("latency_ms", self.latency_ms.0.max(self.latency_ms.1)),
            ("usage_lag_ms", self.usage_lag_ms),
            ("clock_skew_ms", self.clock_skew_ms.unsigned_abs()),
        ];
        if let Some((name, _)) = lags.iter().find(|(_, ms)| *ms > DAY_MS) {
            return Err(format!("{name} is at most a day, {DAY_MS}"));
        }
        if self.utc_offset_minutes.abs() > 14 * 60 {
            return Err("utc_offset_minutes is from -840 to 840".into());
        }
        let others = [self.others.burst_per_s, self.others.daily_per_s, self.others.search_per_s];
        if others.iter().any(|rate| !(0.0..=1e6).contains(rate)) {
            return Err("the rates of others are from 0 to 1,000,000".into());
        }
        Ok(())
    }
}
