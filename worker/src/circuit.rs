//! HubSpot away: while it refuses us altogether or can't be reached, it is probed and not hammered.
//!
//! A refusal (401, 403, a missing property) waits for a person: one probe a minute. An outage ends
//! by itself: probes at growing distances, up to half a minute. One pass is the probe; what comes
//! meanwhile is put off until the next.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::settlement::Cause;

/// How long a portal that refuses us is left alone before it is probed.
pub const PROBE_EVERY: Duration = Duration::from_secs(60);
/// The first distance between probes in an outage; each further one is twice as long…
const OUTAGE_FIRST: Duration = Duration::from_secs(2);
/// … up to this: with it, all is applied within 90 s once HubSpot is well again.
const OUTAGE_MAX: Duration = Duration::from_secs(30);

/// What keeps us away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The portal refuses us.
    Refusal,
    /// HubSpot can't be reached.
    Outage,
}

/// Whether HubSpot may be called. Times are uptimes.
#[derive(Debug, Default)]
pub struct Circuit(Mutex<Option<Open>>);

#[derive(Debug, Clone, Copy)]
struct Open {
    trouble: Trouble,
    failures: u32,
    until: Duration,
}

impl Open {
    fn distance(self) -> Duration {
        match self.trouble {
            Trouble::Refusal => PROBE_EVERY,
            Trouble::Outage => {
                OUTAGE_FIRST.saturating_mul(1 << self.failures.min(5)).min(OUTAGE_MAX)
            }
        }
    }
}

impl Circuit {
    /// Whether nothing is held against calling. Asking makes nobody the probe.
    pub fn is_closed(&self, now: Duration) -> bool {
        self.open().is_none_or(|open| open.until <= now)
    }

    /// How long HubSpot is still to be left alone, and as what the wait counts; `None`: call it.
    /// Whoever is told so first after a failure is the probe, and the next one waits for what it
    /// finds.
    pub fn wait(&self, now: Duration) -> Option<(Duration, Cause)> {
        let mut state = self.open();
        let open = state.as_mut()?;
        if open.until <= now {
            open.until = now + open.distance();
            return None;
        }
        let cause = match open.trouble {
            Trouble::Refusal => Cause::Parked,
            Trouble::Outage => Cause::Moment,
        };
        Some((open.until - now, cause))
    }

    /// A call failed in this way.
    pub fn failed(&self, now: Duration, trouble: Trouble) {
        let mut state = self.open();
        let failures = state.map_or(0, |open| open.failures + 1);
        let open = Open { trouble, failures, until: now };
        *state = Some(Open { until: now + open.distance(), ..open });
    }

    /// HubSpot answered.
    pub fn answered(&self) {
        *self.open() = None;
    }

    fn open(&self) -> MutexGuard<'_, Option<Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn a_portal_that_refuses_is_probed_once_a_minute_until_it_answers() {
        let circuit = Circuit::default();
        assert_eq!(circuit.wait(at(0)), None);
        circuit.failed(at(0), Trouble::Refusal);
        assert_eq!(circuit.wait(at(1)), Some((at(59), Cause::Parked)));
        assert_eq!(circuit.wait(at(60)), None, "the probe");
        assert_eq!(circuit.wait(at(61)), Some((at(59), Cause::Parked)), "nobody else meanwhile");
        circuit.answered();
        assert_eq!(circuit.wait(at(62)), None);
    }

    #[test]
    fn an_outage_is_probed_at_growing_distances() {
        let circuit = Circuit::default();
        let mut now = at(0);
        let mut distances = Vec::new();
        for _ in 0..7 {
            circuit.failed(now, Trouble::Outage);
            let (wait, cause) = circuit.wait(now).unwrap();
            assert_eq!(cause, Cause::Moment);
            distances.push(wait.as_secs());
            now += wait;
            assert_eq!(circuit.wait(now), None, "the probe");
        }
        assert_eq!(distances, [2, 4, 8, 16, 30, 30, 30]);
    }
}
