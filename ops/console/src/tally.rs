//! What the stack has done lately, for the console: a journal that passes everything on and keeps
//! a few figures of the last five minutes.
//!
//! In: the figures and lines that ingest and worker journal anyway. Out: [`Seen`].
//!
//! **Invariant**: its size has a bound, and it holds what a journal may hold: nobody's name.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use shared::journal::{Figure, Line};
use shared::ports::{Clock, Journal};

use crate::lately::{Lately, Seen, Trend, Written};

/// The width of a slot of time, and how many are kept.
const SLOT_S: u64 = 5;
const SLOTS: usize = 60;
/// The slots of a minute.
const MINUTE: usize = 60 / SLOT_S as usize;
/// How many written contacts are kept.
const WRITTEN_MAX: usize = 20;

/// A journal that remembers.
pub struct Tally {
    onward: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The newest last; none is older than five minutes after [`Tally::turn`].
    slots: VecDeque<Slot>,
    burst_left: Option<(u64, Duration)>,
    day_left: Option<(u64, Duration)>,
    /// Each with when it was, as uptime.
    written: VecDeque<(Written, Duration)>,
}

/// What happened in some seconds.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    number: u64,
    accepted: f64,
    applied: f64,
    parked: f64,
    quarantined: f64,
    throttled: f64,
    ratio_sum: f64,
    passes: f64,
}

impl Tally {
    /// A tally that passes everything on to `onward`.
    pub fn new(onward: Arc<dyn Journal>, clock: Arc<dyn Clock>) -> Self {
        Self { onward, clock, kept: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Lately for Tally {
    async fn seen(&self) -> Result<Seen, String> {
        let now = self.clock.uptime();
        let mut kept = self.lock();
        let present = kept.turn(now);
        let sum = |slots: usize, of: fn(&Slot) -> f64| {
            let from = (present + 1).saturating_sub(slots as u64);
            kept.slots.iter().filter(|slot| slot.number >= from).map(of).sum::<f64>()
        };
        let minute = |of| sum(MINUTE, of) as u64;
        let passes = sum(SLOTS, |slot| slot.passes);
        let mut counts = vec![0; SLOTS];
        for slot in &kept.slots {
            let ago = present.saturating_sub(slot.number) as usize;
            if let Some(bar) = counts.iter_mut().rev().nth(ago) {
                *bar = slot.applied as u64;
            }
        }
        let ago = |at: Duration| now.saturating_sub(at);
        let written = kept.written.iter().rev().map(|(written, at)| (written.clone(), ago(*at)));
        Ok(Seen {
            over: Duration::from_secs(60),
            accepted: minute(|slot| slot.accepted),
            applied: minute(|slot| slot.applied),
            parked: minute(|slot| slot.parked),
            quarantined: minute(|slot| slot.quarantined),
            throttled: minute(|slot| slot.throttled),
            ratio: (passes > 0.0).then(|| sum(SLOTS, |slot| slot.ratio_sum) / passes),
            oldest: None,
            trend: Trend { every: Duration::from_secs(SLOT_S), counts },
            burst_left: kept.burst_left.map(|(left, at)| (left, ago(at))),
            day_left: kept.day_left.map(|(left, at)| (left, ago(at))),
            written: Some(written.collect()),
        })
    }
}

impl Kept {
    /// Drops what is too old; the number of the present slot.
    fn turn(&mut self, now: Duration) -> u64 {
        let present = now.as_secs() / SLOT_S;
        let first = (present + 1).saturating_sub(SLOTS as u64);
        while self.slots.front().is_some_and(|slot| slot.number < first) {
            self.slots.pop_front();
        }
        present
    }
}

impl Journal for Tally {
    fn line(&self, line: Line) {
        if let Some(written) = written(&line) {
            let now = self.clock.uptime();
            let mut kept = self.lock();
            kept.written.retain(|(known, _)| known.contact != written.contact);
            if kept.written.len() == WRITTEN_MAX {
                kept.written.pop_front();
            }
            kept.written.push_back((written, now));
        }
        self.onward.line(line);
    }

    fn figures(&self, figures: &[(Figure, f64)]) {
        let now = self.clock.uptime();
        let mut kept = self.lock();
        let number = kept.turn(now);
        if kept.slots.back().is_none_or(|slot| slot.number != number) {
            kept.slots.push_back(Slot { number, ..Slot::default() });
        }
        let Kept { slots, burst_left, day_left, .. } = &mut *kept;
        if let Some(slot) = slots.back_mut() {
            for (figure, value) in figures {
                match figure {
                    Figure::EventsAccepted => slot.accepted += value,
                    Figure::EventsApplied => slot.applied += value,
                    Figure::Parked => slot.parked += value,
                    Figure::Quarantined => slot.quarantined += value,
                    Figure::HubSpotThrottled => slot.throttled += value,
                    Figure::CoalescingRatio if *value > 0.0 => {
                        slot.ratio_sum += value;
                        slot.passes += 1.0;
                    }
                    Figure::HubSpotRemaining => *burst_left = Some((*value as u64, now)),
                    Figure::DailyRemaining => *day_left = Some((*value as u64, now)),
                    _ => {}
                }
            }
        }
        drop(kept);
        self.onward.figures(figures);
    }
}

/// The worker's line of a contact written has these fields, and no other line has all of them.
fn written(line: &Line) -> Option<Written> {
    let text = |name: &str| line.fields.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Written {
        record: text("contact_id")?,
        contact: text("contact")?,
        properties: text("properties")?,
        is_new: line.fields.get("created")?.as_bool()?,
        events: line.fields.get("events")?.as_u64()?,
    })
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use shared::journal::LogLevel;

    use super::*;

    struct Hand(Mutex<Duration>);

    #[async_trait]
    impl Clock for Hand {
        fn now(&self) -> DateTime<Utc> {
            DateTime::UNIX_EPOCH
        }
        fn uptime(&self) -> Duration {
            *self.0.lock().unwrap()
        }
        async fn sleep(&self, _wait: Duration) {}
    }

    #[derive(Default)]
    struct Counted(Mutex<(usize, usize)>);

    impl Journal for Counted {
        fn line(&self, _line: Line) {
            self.0.lock().unwrap().0 += 1;
        }
        fn figures(&self, figures: &[(Figure, f64)]) {
            self.0.lock().unwrap().1 += figures.len();
        }
    }

    fn tally() -> (Tally, Arc<Hand>, Arc<Counted>) {
        let clock = Arc::new(Hand(Mutex::default()));
        let onward = Arc::new(Counted::default());
        (Tally::new(onward.clone(), clock.clone()), clock, onward)
    }

    #[tokio::test]
    async fn a_minute_counts_what_a_minute_saw_and_all_of_it_is_passed_on() {
        let (tally, clock, onward) = tally();
        tally.figures(&[(Figure::EventsApplied, 1.0), (Figure::CoalescingRatio, 4.0)]);
        *clock.0.lock().unwrap() = Duration::from_secs(40);
        tally.figures(&[(Figure::EventsApplied, 2.0), (Figure::CoalescingRatio, 2.0)]);
        let seen = tally.seen().await.unwrap();
        assert_eq!((seen.applied, seen.ratio), (3, Some(3.0)));
        *clock.0.lock().unwrap() = Duration::from_secs(80);
        let seen = tally.seen().await.unwrap();
        assert_eq!((seen.applied, seen.trend.counts.iter().sum()), (2, 3_u64));
        *clock.0.lock().unwrap() = Duration::from_secs(1_000);
        let seen = tally.seen().await.unwrap();
        assert_eq!((seen.applied, seen.ratio), (0, None));
        assert_eq!(seen.trend.counts, [0; SLOTS]);
        assert_eq!(*onward.0.lock().unwrap(), (0, 4));
    }

    #[tokio::test]
    async fn a_contact_stands_once_among_those_written_lately() {
        let (tally, clock, _) = tally();
        let line = |contact: &str| {
            Line::new(LogLevel::Info, "written")
                .with("contact", contact)
                .with("contact_id", "101")
                .with("created", true)
                .with("events", 3)
                .with("properties", "hhl_total_progress")
        };
        for number in 0..WRITTEN_MAX + 5 {
            tally.line(line(&format!("group {number}")));
        }
        tally.line(line("group 20"));
        tally.line(Line::new(LogLevel::Info, "Pass").with("contacts", 1));
        *clock.0.lock().unwrap() = Duration::from_secs(9);
        let written = tally.seen().await.unwrap().written.unwrap();
        assert_eq!(written.len(), WRITTEN_MAX);
        assert_eq!(written[0].0.contact, "group 20");
        assert_eq!(written[0].1, Duration::from_secs(9));
        assert_eq!(written.iter().filter(|(w, _)| w.contact == "group 20").count(), 1);
    }
}
