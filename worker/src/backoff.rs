//! How long a message waits after a failed call, and why.
//!
//! In: the fault, and how often the message was received. Out: a wait with its cause. Messages that
//! waited together must not come back together, so chance spreads the waits.
//!
//! **Invariant**: the wait is at most [`LOOK_AGAIN_MAX`]; after a transient fault that names no time
//! itself it is at most [`BACKOFF_MAX`].

use std::time::Duration;

use hubspot::fault::{CallFault, LimitPolicy};
use shared::jitter::full_jitter;
use shared::ports::Entropy;

use crate::circuit::PROBE_EVERY;
use crate::settlement::Cause;

/// The longest wait before a message that met a transient fault is tried again. With it, everything
/// that waited is applied within 90 s once HubSpot is well again.
pub(crate) const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// The longest wait of a message, whatever HubSpot asks for: one receive an hour.
pub(crate) const LOOK_AGAIN_MAX: Duration = Duration::from_secs(3_600);
/// How far the end of a burst's wait is spread.
const BURST_SPREAD: Duration = Duration::from_secs(2);
/// How far the end of a spent day is spread.
const DAY_SPREAD: Duration = Duration::from_secs(10);
/// The shortest wait after a transient fault.
const BACKOFF_MIN: Duration = Duration::from_secs(1);

/// What waits depend on, besides the fault and the message.
pub(crate) struct Backoff<'a> {
    /// Chance.
    pub(crate) entropy: &'a dyn Entropy,
    /// How long a contact with an unknown write is left alone.
    pub(crate) quarantine: Duration,
}

impl Backoff<'_> {
    /// How long a message waits that was received `receives` times.
    pub(crate) fn wait(&self, fault: &CallFault, receives: u32) -> (Duration, Cause) {
        match fault {
            CallFault::Portal(_) => (PROBE_EVERY, Cause::Parked),
            CallFault::Throttled { policy: LimitPolicy::Daily, wait } => {
                ((*wait + self.up_to(DAY_SPREAD)).min(LOOK_AGAIN_MAX), Cause::Parked)
            }
            CallFault::Throttled { wait, .. } => {
                (*wait + self.up_to(BURST_SPREAD), Cause::Transient)
            }
            CallFault::Transient { wait, .. } => {
                let spread = Duration::from_secs(1 << receives.min(6)).min(BACKOFF_MAX);
                let backoff = (BACKOFF_MIN + self.up_to(spread)).min(BACKOFF_MAX);
                // A portal that moves asks for up to a day, and SQS hides no message that long.
                (backoff.max(*wait).min(LOOK_AGAIN_MAX), Cause::Transient)
            }
            CallFault::Unknown(_) => (self.quarantine, Cause::Quarantined),
            // Isolation has found every culprit that can be found. What is left is not one record's.
            CallFault::Request(_) => (BACKOFF_MAX, Cause::Transient),
        }
    }

    fn up_to(&self, most: Duration) -> Duration {
        full_jitter(self.entropy.next_u64(), most)
    }
}

#[cfg(test)]
mod tests {
    use hubspot::fault::{PortalFault, Refusal};

    use super::*;

    struct Always(u64);

    impl Entropy for Always {
        fn next_u64(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn each_fault_has_its_wait_and_its_cause() {
        #[track_caller]
        fn check(fault: CallFault, receives: u32, least_s: u64, most_s: u64, cause: Cause) {
            for (bits, wait_s) in [(0, least_s), (u64::MAX, most_s)] {
                let backoff =
                    Backoff { entropy: &Always(bits), quarantine: Duration::from_secs(45) };
                let (wait, found) = backoff.wait(&fault, receives);
                assert_eq!((wait.as_millis().div_ceil(1_000), found), (wait_s.into(), cause));
            }
        }
        let wait = Duration::from_secs;
        let throttled = |policy, wait_s| CallFault::Throttled { policy, wait: wait(wait_s) };
        let transient = |wait_s| CallFault::Transient { detail: String::new(), wait: wait(wait_s) };
        check(CallFault::Portal(PortalFault::Unauthorized), 1, 60, 60, Cause::Parked);
        check(throttled(LimitPolicy::Daily, 600), 1, 600, 610, Cause::Parked);
        check(throttled(LimitPolicy::Daily, 80_000), 1, 3_600, 3_600, Cause::Parked);
        check(throttled(LimitPolicy::TenSecondly, 10), 1, 10, 12, Cause::Transient);
        check(transient(0), 1, 1, 3, Cause::Transient);
        check(transient(0), 3, 1, 9, Cause::Transient);
        check(transient(0), 99, 1, 30, Cause::Transient);
        check(transient(60), 1, 60, 60, Cause::Transient);
        check(transient(80_000), 1, 3_600, 3_600, Cause::Transient);
        check(CallFault::Unknown(String::new()), 1, 45, 45, Cause::Quarantined);
        let refusal = Box::new(Refusal::default());
        check(CallFault::Request(refusal), 1, 30, 30, Cause::Transient);
    }
}
