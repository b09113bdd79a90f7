//! How far another clock is from ours.

use chrono::{DateTime, Utc};

use super::{Area, Check};

/// A clock that is further off decides wrongly when a day begins and which event is the later one;
/// from five minutes on, events count as coming from the future, and AWS refuses what is signed.
const OFF_S_MAX: i64 = 30;

/// Judges another's clock. It is told to the second, and an answer takes its time: a few seconds
/// are nothing.
pub(super) fn check(
    area: Area,
    whose: &str,
    theirs: Option<DateTime<Utc>>,
    ours: DateTime<Utc>,
) -> Check {
    let name = format!("clock against {whose}'s");
    let Some(theirs) = theirs else {
        return area.unseen(name, "the answer carries no date");
    };
    let off_s = (ours - theirs).num_seconds();
    if off_s.abs() <= OFF_S_MAX {
        return area.good(name, format!("less than {} s apart", off_s.abs() + 1));
    }
    let side = if off_s > 0 { "ahead" } else { "behind" };
    area.bad(
        name,
        format!("ours is {} s {side}", off_s.abs()),
        "set this machine's clock by NTP (`timedatectl set-ntp true`)",
    )
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn half_a_minute_is_near_enough_and_more_is_said_with_its_side() {
        #[track_caller]
        fn expect(off_s: i64, status: Status, what: &str) {
            let ours = DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(off_s);
            let check = check(Area::Hubspot, "HubSpot", Some(DateTime::UNIX_EPOCH), ours);
            assert_eq!((check.status, check.what.as_str()), (status, what));
        }
        expect(0, Status::Good, "less than 1 s apart");
        expect(-30, Status::Good, "less than 31 s apart");
        expect(31, Status::Bad, "ours is 31 s ahead");
        expect(-3600, Status::Bad, "ours is 3600 s behind");
        let none = check(Area::Queue, "SQS", None, DateTime::UNIX_EPOCH);
        assert_eq!(none.status, Status::Unseen);
    }
}
