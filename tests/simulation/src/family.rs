//! The families of histories: what each is about, what goes wrong in it, and what must strike at
//! least once for it to prove anything.

use std::time::Duration;

use shared::settings::Backend;
use simulator::faults::FaultKind;
use worker::Room;

use crate::fate::Strikes;
use crate::marketer::Deed;
use crate::queue::Troubles;
use crate::site::Crowd;
use crate::storm::{Spell, Storm};
use crate::wire::SIDE_BY_SIDE;

/// A family.
#[derive(Debug, Clone)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Who learns.
    pub crowd: Crowd,
    /// How many events at least, and how many more by chance.
    pub events: (u64, u64),
    /// The longest pause between two posts.
    pub pause_max: Duration,
    /// What goes wrong.
    pub storm: Storm,
    /// What the marketer does.
    pub deeds: &'static [Deed],
    /// How long it may take, once everything is well again, until all is where it belongs.
    pub rest_max: Duration,
    /// Calls that the portal allows in any ten seconds; a tenth of them is others'.
    pub burst_limit: u32,
    /// Where the worker writes.
    pub backend: Backend,
    /// How much a pass takes in, where a history must have more waiting than that.
    pub room: Option<Room>,
}

impl Family {
    /// A family in which nothing goes wrong.
    fn calm(name: &'static str) -> Self {
        Self {
            name,
            crowd: Crowd {
                people: (2, 4),
                has_doomed: false,
                counts_events: false,
                has_older: false,
            },
            events: (6, 20),
            pause_max: Duration::from_secs(4),
            storm: Storm { lasts: minutes(2), ..Storm::default() },
            deeds: &[],
            rest_max: minutes(10),
            burst_limit: 100,
            backend: Backend::Properties,
            room: None,
        }
    }

    /// The names of all that must strike in it.
    pub fn must_strike(&self) -> Vec<&'static str> {
        let Troubles { throttled, lost, stale, twice, held_back, slow, away: _ } = self.storm.queue;
        let mut names: Vec<&'static str> =
            self.storm.portal.iter().map(|(name, ..)| *name).collect();
        names.extend(self.storm.spells.iter().map(|spell| spell.name()));
        names.extend(self.deeds.iter().map(|deed| deed.name()));
        let mut when = |probability: f64, of: &[&'static str]| {
            if probability > 0.0 {
                names.extend(of);
            }
        };
        when(throttled, &["send throttled", "receive throttled", "settling throttled"]);
        when(lost, &["send's answer lost", "receive's answer lost", "settling's answer lost"]);
        when(stale, &["visibility ended too soon"]);
        when(twice, &["delivered twice"]);
        when(held_back, &["group held back"]);
        when(slow, &["queue slow"]);
        when(self.storm.strikes.kill, &["process killed"]);
        when(self.storm.strikes.freeze, &["process frozen"]);
        when(f64::from(self.crowd.has_older), &["older envelope"]);
        when(f64::from(self.room.is_some()), &[SIDE_BY_SIDE]);
        names
    }
}

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

fn unknown_outcomes() -> Vec<(&'static str, FaultKind, f64)> {
    vec![
        ("lands 25 s late", FaultKind::LateLanding { after_ms: 25_000 }, 0.08),
        ("lands 11 s late", FaultKind::LateLanding { after_ms: 11_000 }, 0.08),
        ("lands 2 s late", FaultKind::LateLanding { after_ms: 2_000 }, 0.06),
        ("cut after applying", FaultKind::CutAfter, 0.05),
        ("cut before applying", FaultKind::CutBefore, 0.05),
        ("applied, then 502", FaultKind::AppliedThen { status: 502 }, 0.04),
        ("applied, then 500", FaultKind::AppliedThen { status: 500 }, 0.03),
        ("silent no-op", FaultKind::SilentNoOp { rows: 1 }, 0.04),
        ("answer after the time-out", FaultKind::Slow { wait_ms: 22_000 }, 0.03),
        ("slow answer", FaultKind::Slow { wait_ms: 5_000 }, 0.05),
    ]
}

fn refusals_of_the_moment() -> Vec<(&'static str, FaultKind, f64)> {
    vec![
        ("429 of ten seconds", FaultKind::TenSecondly, 0.05),
        ("429 of the second", FaultKind::Secondly, 0.05),
        ("423", FaultKind::Locked, 0.05),
        ("477", FaultKind::Migrating { retry_after_s: 20 }, 0.02),
        ("500", FaultKind::InternalError, 0.03),
        ("502 in HTML", FaultKind::Edge { status: 502 }, 0.03),
        ("503 in HTML", FaultKind::Edge { status: 503 }, 0.03),
        ("521 in HTML", FaultKind::Edge { status: 521 }, 0.03),
        ("524 in HTML", FaultKind::Edge { status: 524 }, 0.02),
        ("connection refused", FaultKind::Refused, 0.05),
    ]
}

const QUEUE_TROUBLES: Troubles = Troubles {
    throttled: 0.05,
    lost: 0.05,
    stale: 0.05,
    twice: 0.05,
    held_back: 0.10,
    slow: 0.05,
    away: false,
};

/// Ten contacts make a backlog, so that passes go side by side in worlds of a few people.
const FULL_SOON: Option<Room> = Some(Room { contacts: 10, messages: 20 });

const DEEDS: &[Deed] = &[
    Deed::Note,
    Deed::Add,
    Deed::Rename,
    Deed::Merge,
    Deed::Archive,
    Deed::Forget,
    Deed::EmptyList,
    Deed::EmptyState,
    Deed::BreakState,
];

/// All families.
pub fn families() -> Vec<Family> {
    let calm = Family::calm;
    let storm = |lasts, portal| Storm { lasts, portal, ..Storm::default() };
    let spells =
        |lasts, spells: &[Spell]| Storm { lasts, spells: spells.to_vec(), ..Storm::default() };
    vec![
        Family {
            crowd: Crowd { people: (1, 3), ..calm("").crowd },
            events: (20, 60),
            pause_max: Duration::from_millis(300),
            ..calm("coalescing")
        },
        Family {
            burst_limit: 24,
            crowd: Crowd { people: (8, 12), ..calm("").crowd },
            events: (100, 100),
            pause_max: Duration::from_millis(300),
            storm: Storm {
                strikes: Strikes { kill: 0.01, ..Strikes::default() },
                ..storm(minutes(1), Vec::new())
            },
            ..calm("tight limit")
        },
        Family { storm: storm(minutes(2), unknown_outcomes()), ..calm("unknown outcomes") },
        Family {
            crowd: Crowd { people: (15, 15), has_doomed: true, ..calm("").crowd },
            events: (40, 40),
            pause_max: Duration::from_millis(20),
            room: FULL_SOON,
            storm: Storm {
                strikes: Strikes { kill: 0.01, ..Strikes::default() },
                ..storm(minutes(2), unknown_outcomes())
            },
            ..calm("backlog")
        },
        Family {
            storm: Storm {
                spells: vec![Spell::BusyOthers, Spell::ClockSkew, Spell::DaySpent],
                ..storm(minutes(4), refusals_of_the_moment())
            },
            // After a day's 429 calls rest for an hour.
            rest_max: minutes(75),
            ..calm("limits")
        },
        Family {
            storm: spells(
                minutes(120),
                &[Spell::Outage, Spell::TokenRevoked, Spell::ScopeLost, Spell::PropertyGone],
            ),
            pause_max: minutes(8),
            ..calm("refused for hours")
        },
        Family {
            crowd: Crowd { has_doomed: true, ..calm("").crowd },
            storm: Storm {
                spells: vec![Spell::Poison, Spell::NewerMessage],
                ..storm(minutes(3), vec![("silent no-op", FaultKind::SilentNoOp { rows: 1 }, 0.05)])
            },
            ..calm("bad records")
        },
        Family {
            storm: storm(
                minutes(3),
                vec![("slow answer", FaultKind::Slow { wait_ms: 3_000 }, 0.2)],
            ),
            deeds: DEEDS,
            ..calm("marketer")
        },
        Family {
            crowd: Crowd { people: (1, 1), ..calm("").crowd },
            storm: storm(
                minutes(3),
                vec![
                    ("cut after applying", FaultKind::CutAfter, 0.1),
                    ("cut before applying", FaultKind::CutBefore, 0.1),
                    ("423", FaultKind::Locked, 0.2),
                ],
            ),
            deeds: &[Deed::Rename],
            ..calm("renames")
        },
        Family {
            storm: Storm {
                queue: QUEUE_TROUBLES,
                spells: vec![Spell::QueueAway],
                ..storm(minutes(3), Vec::new())
            },
            ..calm("queue")
        },
        Family {
            storm: Storm {
                strikes: Strikes { kill: 0.01, ..Strikes::default() },
                ..storm(minutes(3), unknown_outcomes())
            },
            ..calm("killed")
        },
        Family {
            storm: Storm {
                strikes: Strikes { freeze: 0.03, freeze_max: minutes(20), kill: 0.0 },
                ..storm(minutes(10), Vec::new())
            },
            // Calls wait for permits, so that processes stand still in the wait, too.
            burst_limit: 24,
            events: (20, 40),
            pause_max: Duration::from_secs(15),
            rest_max: minutes(40),
            ..calm("frozen")
        },
        Family {
            crowd: Crowd { has_older: true, ..calm("").crowd },
            storm: Storm {
                spells: vec![Spell::CatalogGrows, Spell::NewerMessage],
                strikes: Strikes { kill: 0.005, ..Strikes::default() },
                ..storm(minutes(3), Vec::new())
            },
            ..calm("deploys")
        },
        Family {
            crowd: Crowd { counts_events: true, ..calm("").crowd },
            storm: Storm {
                queue: QUEUE_TROUBLES,
                strikes: Strikes { kill: 0.005, ..Strikes::default() },
                spells: vec![Spell::Outage, Spell::QueueAway],
                lasts: minutes(4),
                portal: vec![
                    ("429 of ten seconds", FaultKind::TenSecondly, 0.05),
                    ("connection refused", FaultKind::Refused, 0.05),
                    ("cut after applying", FaultKind::CutAfter, 0.08),
                    ("cut before applying", FaultKind::CutBefore, 0.05),
                    ("lands 11 s late", FaultKind::LateLanding { after_ms: 11_000 }, 0.08),
                    ("502 in HTML", FaultKind::Edge { status: 502 }, 0.05),
                ],
            },
            backend: Backend::Events,
            ..calm("events backend")
        },
        Family {
            crowd: Crowd { people: (15, 15), counts_events: true, ..calm("").crowd },
            events: (40, 40),
            pause_max: Duration::from_millis(20),
            room: FULL_SOON,
            storm: Storm {
                strikes: Strikes { kill: 0.01, ..Strikes::default() },
                ..storm(
                    minutes(2),
                    vec![
                        ("cut after applying", FaultKind::CutAfter, 0.08),
                        ("lands 11 s late", FaultKind::LateLanding { after_ms: 11_000 }, 0.08),
                        ("slow answer", FaultKind::Slow { wait_ms: 5_000 }, 0.05),
                    ],
                )
            },
            backend: Backend::Events,
            ..calm("backlog of events")
        },
        everything(),
    ]
}

fn everything() -> Family {
    let mut portal = unknown_outcomes();
    portal.extend(refusals_of_the_moment());
    for (_, _, probability) in &mut portal {
        *probability /= 3.0;
    }
    let calm = Family::calm("everything");
    Family {
        crowd: Crowd { people: (2, 6), has_doomed: true, ..calm.crowd },
        storm: Storm {
            lasts: minutes(10),
            portal,
            queue: Troubles {
                throttled: 0.02,
                lost: 0.02,
                stale: 0.02,
                twice: 0.02,
                held_back: 0.05,
                slow: 0.02,
                away: false,
            },
            strikes: Strikes { kill: 0.002, freeze: 0.002, freeze_max: minutes(10) },
            spells: vec![
                Spell::Outage,
                Spell::TokenRevoked,
                Spell::PropertyGone,
                Spell::BusyOthers,
                Spell::QueueAway,
                Spell::ClockSkew,
                Spell::CatalogGrows,
                Spell::NewerMessage,
                Spell::Poison,
            ],
        },
        pause_max: Duration::from_secs(20),
        deeds: DEEDS,
        rest_max: minutes(75),
        ..calm
    }
}
