//! The portal away: while it refuses us altogether, one probe a minute and no more.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a portal that refuses us is left alone before it is probed.
pub const PROBE_EVERY: Duration = Duration::from_secs(60);

/// Whether the portal may be called. Times are uptimes.
#[derive(Debug, Default)]
pub struct Circuit(Mutex<Option<Duration>>);

impl Circuit {
    /// Whether nothing is held against calling the portal. Asking makes nobody the probe.
    pub fn is_closed(&self, now: Duration) -> bool {
        let open_until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open_until.is_none_or(|until| until <= now)
    }

    /// How long the portal is still to be left alone; `None`: call it. Whoever is told so first
    /// after a refusal is the probe, and the next one waits for what it finds.
    pub fn wait(&self, now: Duration) -> Option<Duration> {
        let mut open_until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = (*open_until)?;
        if until > now {
            return Some(until - now);
        }
        *open_until = Some(now + PROBE_EVERY);
        None
    }

    /// The portal refused us.
    pub fn refused(&self, now: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now + PROBE_EVERY);
    }

    /// The portal answered.
    pub fn answered(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portal_that_refuses_is_probed_once_a_minute_until_it_answers() {
        let circuit = Circuit::default();
        let at = Duration::from_secs;
        assert_eq!(circuit.wait(at(0)), None);
        circuit.refused(at(0));
        assert_eq!(circuit.wait(at(1)), Some(at(59)));
        assert_eq!(circuit.wait(at(60)), None, "the probe");
        assert_eq!(circuit.wait(at(61)), Some(at(59)), "nobody else meanwhile");
        circuit.answered();
        assert_eq!(circuit.wait(at(62)), None);
    }
}
