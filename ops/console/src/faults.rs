//! The simulator's faults that the console can switch, to watch an outage: a handful of those in
//! `docs/portal.md`, each with a name.
//!
//! **Invariant**: a switch is on exactly if the simulator has what the switch sets.

use simulator::Portal;
use simulator::faults::{FaultKind, FaultRule};
use simulator::settings::RequiredRule;

/// A fault with a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Away,
    Token,
    Limit,
    Slow,
    Property,
    Rule,
}

/// The property that goes missing, and the one that the rule requires.
const MISSING: &str = "hhl_progress_state";
const RULED: &str = "city";
/// The delay of a slow answer, in milliseconds.
const SLOW_MS: u64 = 3_000;

impl Fault {
    /// All of them.
    pub(crate) const ALL: [Self; 6] =
        [Self::Away, Self::Token, Self::Limit, Self::Slow, Self::Property, Self::Rule];

    /// Its name in forms.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Token => "token",
            Self::Limit => "limit",
            Self::Slow => "slow",
            Self::Property => "property",
            Self::Rule => "rule",
        }
    }

    /// Its title, and what it does to the events.
    pub(crate) fn title(self) -> (&'static str, &'static str) {
        match self {
            Self::Away => (
                "HubSpot is away",
                "Calls break off or end in 502 to 522. Events wait, and are applied when it is back.",
            ),
            Self::Token => (
                "The token is revoked",
                "Every call ends in 401. Events are parked, and one call a minute tries again.",
            ),
            Self::Limit => (
                "The limit is reached",
                "Every call ends in 429. The worker waits as long as HubSpot says.",
            ),
            Self::Slow => ("HubSpot is slow", "Every answer is three seconds late."),
            Self::Property => (
                "A property is missing",
                "Somebody deleted hhl_progress_state. Events are parked until it is back.",
            ),
            Self::Rule => (
                "A rule refuses contacts",
                "A new contact needs a city. Events of new people become dead letters; switch it \
                 off, and replay them.",
            ),
        }
    }

    /// The fault with this name in forms.
    pub(crate) fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.key() == key)
    }

    pub(crate) fn is_on(self, portal: &Portal) -> bool {
        match self.rule() {
            Some(rule) => portal.faults().iter().any(|set| set.rule == rule),
            None => portal.settings().required.contains(&required()),
        }
    }

    /// Switches it; does nothing if it is already so.
    pub(crate) fn switch(self, portal: &Portal, on: bool) {
        if self.is_on(portal) == on {
            return;
        }
        match (self.rule(), on) {
            (Some(rule), true) => {
                let _id = portal.set_fault(rule);
            }
            (Some(rule), false) => {
                for set in portal.faults().iter().filter(|set| set.rule == rule) {
                    let _was_there = portal.clear_fault(set.id);
                }
            }
            (None, true) => portal.set(|settings| settings.required.push(required())),
            (None, false) => {
                portal.set(|settings| settings.required.retain(|rule| *rule != required()));
            }
        }
    }

    /// What it sets, if that is a fault and not a setting.
    fn rule(self) -> Option<FaultRule> {
        let kind = match self {
            Self::Away => FaultKind::Away,
            Self::Token => FaultKind::Unauthorized,
            Self::Limit => FaultKind::TenSecondly,
            Self::Slow => FaultKind::Slow { wait_ms: SLOW_MS },
            Self::Property => FaultKind::UnknownProperty { name: MISSING.into() },
            Self::Rule => return None,
        };
        Some(FaultRule::every(kind))
    }
}

fn required() -> RequiredRule {
    RequiredRule { property: RULED.into(), when: None }
}

/// The number of faults in force that no switch here sets.
pub(crate) fn others(portal: &Portal) -> usize {
    let ours =
        |rule: &FaultRule| Fault::ALL.iter().any(|fault| fault.rule().as_ref() == Some(rule));
    portal.faults().iter().filter(|set| !ours(&set.rule)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_leaves_the_others_as_they_are() {
        let portal = Portal::in_memory(1);
        let own = portal.set_fault(FaultRule::on("/batch/", FaultKind::CutAfter));
        for fault in Fault::ALL {
            assert!(!fault.is_on(&portal));
            fault.switch(&portal, true);
            fault.switch(&portal, true);
            assert!(fault.is_on(&portal));
            assert_eq!(Fault::from_key(fault.key()), Some(fault));
        }
        assert_eq!(portal.faults().len(), Fault::ALL.len());
        assert_eq!(others(&portal), 1);
        for fault in Fault::ALL {
            fault.switch(&portal, false);
            assert!(!fault.is_on(&portal));
        }
        let left: Vec<u64> = portal.faults().iter().map(|set| set.id).collect();
        assert_eq!(left, [own]);
        assert!(portal.settings().required.is_empty());
    }
}
