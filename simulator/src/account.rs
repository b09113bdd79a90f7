//! What an account tells of itself: its time zone, and how much of the day is used.

use chrono::SecondsFormat;
use serde_json::json;
use simulator_portal::world::World;

use crate::call::Call;
use crate::errors::{self, Answer};

/// `GET /account-info/…/api-usage/daily/private-apps`: a snapshot, minutes behind.
pub(crate) fn usage(world: &mut World, call: &Call<'_>) -> Result<Answer, Answer> {
    let usage = call.usage.ok_or_else(errors::internal_error)?;
    Ok(Answer::json(
        200,
        json!({"results": [{
            "name": "private-apps-api-calls-daily",
            "usageLimit": world.settings.daily_max,
            "currentUsage": usage.used,
            "collectedAt": usage.collected_at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "fetchStatus": if usage.is_fresh { "SUCCESS" } else { "CACHED" },
            "resetsAt": usage.resets_at.to_rfc3339_opts(SecondsFormat::Secs, true),
        }]}),
    ))
}

/// `GET /account-info/…/details`.
pub(crate) fn details(world: &mut World) -> Result<Answer, Answer> {
    let settings = &world.settings;
    let minutes = settings.utc_offset_minutes;
    let sign = if minutes < 0 { '-' } else { '+' };
    let offset = format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60);
    Ok(Answer::json(
        200,
        json!({
            "portalId": settings.portal_id,
            "accountType": "STANDARD",
            "timeZone": settings.time_zone,
            "companyCurrency": "USD",
            "additionalCurrencies": [],
            "utcOffset": offset,
            "utcOffsetMilliseconds": i64::from(minutes) * 60_000,
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "na1",
        }),
    ))
}
