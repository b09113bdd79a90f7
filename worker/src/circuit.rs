//! The circuit: while HubSpot refuses the app or can't be reached, it is probed and not hammered.
//!
//! In: failures and answers, with their uptimes. Out: whether to call, or how long to wait. A refusal
//! (401, 403, a missing property) ends when a person acts, so there is one probe a minute. An outage
//! ends without help, so the probes come at growing distances of up to half a minute.
//!
//! **Invariant**: one pass at a time is the probe. The others wait for the next probe.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::settlement::Cause;

/// How often a portal that refuses the app is probed.
pub(crate) const PROBE_EVERY: Duration = Duration::from_secs(60);
/// The first distance between probes in an outage. Each further one is twice as long, …
const OUTAGE_FIRST: Duration = Duration::from_secs(2);
/// … up to this. With it, everything is applied within 90 s once HubSpot is well again.
const OUTAGE_MAX: Duration = Duration::from_secs(30);

/// Why HubSpot is not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The portal refuses the app.
    Refusal,
    /// HubSpot can't be reached.
    Outage,
}

/// Whether HubSpot may be called. Times are uptimes.
#[derive(Debug, Default)]
pub(crate) struct Circuit(Mutex<Option<Open>>);

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
    /// Whether HubSpot may be called. Asking makes nobody the probe.
    pub(crate) fn is_closed(&self, now: Duration) -> bool {
        self.open().is_none_or(|open| open.until <= now)
    }

    /// How long to leave HubSpot alone, and why; `None`: call it. The first pass that gets `None`
    /// after a failure is the probe, and the next ones wait for its result.
    pub(crate) fn wait(&self, now: Duration) -> Option<(Duration, Cause)> {
        let mut state = self.open();
        let open = state.as_mut()?;
        if open.until <= now {
            open.until = now + open.distance();
            return None;
        }
        let cause = match open.trouble {
            Trouble::Refusal => Cause::Parked,
            Trouble::Outage => Cause::Transient,
        };
        Some((open.until - now, cause))
    }

    /// A call failed in this way.
    pub(crate) fn failed(&self, now: Duration, trouble: Trouble) {
        let mut state = self.open();
        let failures = state.map_or(0, |open| open.failures + 1);
        let open = Open { trouble, failures, until: now };
        *state = Some(Open { until: now + open.distance(), ..open });
    }

    /// HubSpot answered.
    pub(crate) fn answered(&self) {
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
        assert_eq!(circuit.wait(at(61)), Some((at(59), Cause::Parked)), "nobody else until then");
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
            assert_eq!(cause, Cause::Transient);
            distances.push(wait.as_secs());
            now += wait;
            assert_eq!(circuit.wait(now), None, "the probe");
        }
        assert_eq!(distances, [2, 4, 8, 16, 30, 30, 30]);
    }
}
