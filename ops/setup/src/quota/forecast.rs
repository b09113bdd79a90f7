//! How long a backlog takes, between two bounds.
//!
//! Nobody knows from a depth how many contacts it is of. So it is reckoned twice, each event as
//! another contact: as if every pass were full, and as if each came alone. Where several events are
//! of one contact it goes faster than either. In: events, calls in 10 s, what is left of the day.

use hubspot::client::BATCH_MAX;
use hubspot::events::OCCURRENCES_MAX;
use serde::Serialize;
use shared::settings::Backend;

/// A pass reads its contacts, and writes them.
const CALLS_A_PASS: u64 = 2;
const DAY_S: u64 = 86_400;

/// What is left of the portal's day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day {
    /// Calls that this day has yet.
    pub(super) remaining: u64,
    /// Calls that a whole day has, at least 1.
    pub(super) limit: u64,
    pub(super) resets_in_s: u64,
}

/// The two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Forecast {
    pub(super) contacts_per_call_at_most: f64,
    pub(super) contacts_per_call_at_least: f64,
    pub(super) calls_at_least: u64,
    pub(super) calls_at_most: u64,
    pub(super) seconds_at_least: u64,
    pub(super) seconds_at_most: u64,
}

impl Forecast {
    /// For so many events, at so many calls in 10 s.
    pub(super) fn of(events: u64, backend: Backend, calls_in_10_s: f64, day: Option<Day>) -> Self {
        let (a_pass, calls) = match backend {
            Backend::Properties => (BATCH_MAX as u64, CALLS_A_PASS),
            // A custom event is sent without a read.
            Backend::Events => (OCCURRENCES_MAX as u64, 1),
        };
        let (calls_at_least, calls_at_most) = (events.div_ceil(a_pass) * calls, events * calls);
        let seconds = |calls| seconds(calls, calls_in_10_s / 10.0, day);
        Self {
            contacts_per_call_at_most: a_pass as f64 / calls as f64,
            contacts_per_call_at_least: 1.0 / calls as f64,
            calls_at_least,
            calls_at_most,
            seconds_at_least: seconds(calls_at_least),
            seconds_at_most: seconds(calls_at_most),
        }
    }
}

/// How long so many calls take: at the rate while the day lasts, then on from its end.
fn seconds(calls: u64, a_second: f64, day: Option<Day>) -> u64 {
    let at_the_rate = |calls: u64| (calls as f64 / a_second).ceil() as u64;
    let Some(Day { remaining, limit, resets_in_s }) = day else { return at_the_rate(calls) };
    if calls <= remaining {
        return at_the_rate(calls);
    }
    let left = calls - remaining;
    let (whole_days, rest) = ((left - 1) / limit, (left - 1) % limit + 1);
    resets_in_s.max(at_the_rate(remaining)) + whole_days * DAY_S + at_the_rate(rest)
}

/// A time for people.
pub(super) fn lasting(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds.div_ceil(60)),
        7_200..=172_799 => format!("{} h", seconds.div_ceil(3_600)),
        _ => format!("{} days", seconds.div_ceil(DAY_S)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_takes_between_full_passes_and_lone_events() {
        let forecast = Forecast::of(10_000, Backend::Properties, 90.0, None);
        assert_eq!((forecast.calls_at_least, forecast.calls_at_most), (200, 20_000));
        assert_eq!((forecast.seconds_at_least, forecast.seconds_at_most), (23, 2_223));
        let events = Forecast::of(501, Backend::Events, 10.0, None);
        assert_eq!((events.calls_at_least, events.calls_at_most), (2, 501));
        let none = Forecast::of(0, Backend::Properties, 90.0, None);
        assert_eq!((none.seconds_at_least, none.seconds_at_most), (0, 0));
    }

    #[test]
    fn a_day_that_is_spent_is_waited_out() {
        let day = |remaining| Some(Day { remaining, limit: 1_000, resets_in_s: 3_600 });
        assert_eq!(seconds(1_000, 10.0, day(1_000)), 100);
        assert_eq!(seconds(1_000, 10.0, day(500)), 3_600 + 50);
        assert_eq!(seconds(1_000, 10.0, day(0)), 3_600 + 100);
        assert_eq!(seconds(2_500, 10.0, day(0)), 3_600 + 2 * 86_400 + 50);
    }

    #[test]
    fn a_time_is_told_in_one_unit() {
        let told = [0, 119, 120, 7_200, 200_000].map(lasting);
        assert_eq!(told, ["0 s", "119 s", "2 min", "2 h", "3 days"]);
    }
}
