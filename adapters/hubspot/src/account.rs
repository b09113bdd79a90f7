//! The portal itself: its time zone, which decides when the day's quota begins anew, and its use.
//!
//! Both calls are for set-up and inspection; the worker lives without them.

use chrono::{DateTime, Utc};
use http::Method;
use serde::Deserialize;

use crate::call::Call;
use crate::client::Client;
use crate::fault::CallFault;
use crate::wire;

/// The portal, as far as Milepost cares.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountDetails {
    /// The portal's number.
    pub portal_id: u64,
    /// `STANDARD`, `SANDBOX`, `DEVELOPER_TEST` or `APP_DEVELOPER`.
    #[serde(default)]
    pub account_type: String,
    /// The time zone's name, as `US/Eastern`.
    #[serde(default)]
    pub time_zone: String,
    /// The zone's present distance from UTC, in milliseconds: negative in the west.
    #[serde(default)]
    pub utc_offset_milliseconds: i64,
}

impl AccountDetails {
    /// The portal's next midnight, when its daily quota begins anew. It may be an hour off on the
    /// day that the zone changes to or from summer time.
    pub fn next_midnight(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let offset = chrono::TimeDelta::milliseconds(self.utc_offset_milliseconds);
        let local = now + offset;
        let midnight = local.date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
        midnight + chrono::TimeDelta::days(1) - offset
    }
}

/// How much of a daily quota is used. HubSpot refreshes it with some delay.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DailyUsage {
    /// The quota's name.
    pub name: String,
    /// Calls that a day may have, if HubSpot could say.
    pub usage_limit: Option<u64>,
    /// Calls that this day had when it was looked at, if HubSpot could say.
    pub current_usage: Option<u64>,
    /// When the quota begins anew.
    pub resets_at: Option<DateTime<Utc>>,
}

impl Client {
    /// The portal's number, kind and time zone.
    ///
    /// # Errors
    /// As every read: see [`CallFault`].
    pub async fn account_details(&self) -> Result<AccountDetails, CallFault> {
        let path = format!("{}/details", self.version().account_info());
        wire::read(&self.call(Call::read(Method::GET, path)).await?)
    }

    /// Asks when the portal's day begins, and tells the pace: a spent day is then waited out to its
    /// end, and not tried every hour.
    ///
    /// # Errors
    /// As every read: see [`CallFault`].
    pub async fn learn_day(&self) -> Result<(), CallFault> {
        let details = self.account_details().await?;
        self.pace.learn_day(details.next_midnight(self.clock.now()));
        Ok(())
    }

    /// The portal's daily quotas and their use.
    ///
    /// # Errors
    /// As every read: see [`CallFault`].
    pub async fn daily_usage(&self) -> Result<Vec<DailyUsage>, CallFault> {
        let path = format!("{}/api-usage/daily/private-apps", self.version().account_info());
        let list: wire::List<DailyUsage> =
            wire::read(&self.call(Call::read(Method::GET, path)).await?)?;
        Ok(list.results)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quota_begins_anew_at_the_portals_midnight() {
        #[track_caller]
        fn check(offset_h: i64, now: &str, midnight: &str) {
            let details = AccountDetails {
                portal_id: 1,
                account_type: String::new(),
                time_zone: String::new(),
                utc_offset_milliseconds: offset_h * 3_600_000,
            };
            let next = details.next_midnight(now.parse().unwrap());
            assert_eq!(next, midnight.parse::<DateTime<Utc>>().unwrap());
        }
        check(0, "2026-11-24T20:00:00Z", "2026-11-25T00:00:00Z");
        check(-5, "2026-11-24T20:00:00Z", "2026-11-25T05:00:00Z");
        check(-5, "2026-11-25T04:59:59Z", "2026-11-25T05:00:00Z");
        check(9, "2026-11-24T20:00:00Z", "2026-11-25T15:00:00Z");
        check(9, "2026-11-24T15:00:00Z", "2026-11-25T15:00:00Z");
    }
}
