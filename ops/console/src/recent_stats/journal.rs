//! A journal that passes everything on and keeps recent figures for the console.
//!
//! In: the figures and the written contacts that ingest and worker journal anyway. Out:
//! [`RecentStats`] of the last five minutes.
//!
//! **Invariant**: its size is bounded, and it holds only what a journal may hold: no person's name.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use shared::journal::{ContactWritten, Figure, Line};
use shared::ports::{Clock, Journal};

use super::{RecentStats, StatsSource, Trend};

/// The length of a slot of time, and how many are kept.
const SLOT_S: u64 = 5;
const SLOTS: usize = 60;
/// Slots in a minute.
const MINUTE: usize = 60 / SLOT_S as usize;
/// The maximum number of written contacts kept.
const WRITTEN_MAX: usize = 20;

/// A journal that keeps recent figures.
pub struct StatsJournal {
    onward: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The newest last; none is older than five minutes after [`Kept::drop_old`].
    slots: VecDeque<Slot>,
    burst_left: Option<(u64, Duration)>,
    day_left: Option<(u64, Duration)>,
    /// Each with its uptime; a contact is here once.
    written: VecDeque<(ContactWritten, Duration)>,
}

/// What happened in a slot.
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

impl StatsJournal {
    /// A journal that passes everything on to `onward`.
    pub fn new(onward: Arc<dyn Journal>, clock: Arc<dyn Clock>) -> Self {
        Self { onward, clock, kept: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl StatsSource for StatsJournal {
    async fn recent_stats(&self) -> Result<RecentStats, String> {
        let now = self.clock.uptime();
        let mut kept = self.lock();
        let present = kept.drop_old(now);
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
        Ok(RecentStats {
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
    /// Drops slots that are too old. Returns the number of the present slot.
    fn drop_old(&mut self, now: Duration) -> u64 {
        let present = now.as_secs() / SLOT_S;
        let first = (present + 1).saturating_sub(SLOTS as u64);
        while self.slots.front().is_some_and(|slot| slot.number < first) {
            self.slots.pop_front();
        }
        present
    }
}

impl Journal for StatsJournal {
    fn line(&self, line: Line) {
        self.onward.line(line);
    }

    fn contact_written(&self, contact: ContactWritten) {
        let now = self.clock.uptime();
        let mut kept = self.lock();
        kept.written.retain(|(known, _)| known.group != contact.group);
        if kept.written.len() == WRITTEN_MAX {
            kept.written.pop_front();
        }
        kept.written.push_back((contact.clone(), now));
        drop(kept);
        self.onward.contact_written(contact);
    }

    fn figures(&self, figures: &[(Figure, f64)]) {
        let now = self.clock.uptime();
        let mut kept = self.lock();
        let number = kept.drop_old(now);
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

    fn stats() -> (StatsJournal, Arc<Hand>, Arc<Counted>) {
        let clock = Arc::new(Hand(Mutex::default()));
        let onward = Arc::new(Counted::default());
        (StatsJournal::new(onward.clone(), clock.clone()), clock, onward)
    }

    #[tokio::test]
    async fn figures_count_for_a_minute_and_are_passed_on() {
        let (stats, clock, onward) = stats();
        stats.figures(&[(Figure::EventsApplied, 1.0), (Figure::CoalescingRatio, 4.0)]);
        *clock.0.lock().unwrap() = Duration::from_secs(40);
        stats.figures(&[(Figure::EventsApplied, 2.0), (Figure::CoalescingRatio, 2.0)]);
        let recent = stats.recent_stats().await.unwrap();
        assert_eq!((recent.applied, recent.ratio), (3, Some(3.0)));
        *clock.0.lock().unwrap() = Duration::from_secs(80);
        let recent = stats.recent_stats().await.unwrap();
        assert_eq!((recent.applied, recent.trend.counts.iter().sum()), (2, 3_u64));
        *clock.0.lock().unwrap() = Duration::from_secs(1_000);
        let recent = stats.recent_stats().await.unwrap();
        assert_eq!((recent.applied, recent.ratio), (0, None));
        assert_eq!(recent.trend.counts, [0; SLOTS]);
        assert_eq!(*onward.0.lock().unwrap(), (0, 4));
    }

    #[tokio::test]
    async fn the_last_twenty_contacts_written_are_kept_each_once() {
        let (stats, clock, onward) = stats();
        let contact = |group: &str| ContactWritten {
            group: Some(group.to_owned()),
            record_id: "101".to_owned(),
            is_new: true,
            events: 3,
            event_names: ["learning_module_completed"].into(),
            properties: vec!["hhl_total_progress".to_owned()],
            state_chars: 2,
            correlation_id: None,
        };
        for number in 0..WRITTEN_MAX + 5 {
            stats.contact_written(contact(&format!("group {number}")));
        }
        stats.contact_written(contact("group 20"));
        stats.line(Line::new(LogLevel::Info, "Pass").with("contacts", 1));
        *clock.0.lock().unwrap() = Duration::from_secs(9);
        let written = stats.recent_stats().await.unwrap().written.unwrap();
        assert_eq!(written.len(), WRITTEN_MAX);
        assert_eq!(written[0].0, contact("group 20"));
        assert_eq!(written[0].1, Duration::from_secs(9));
        assert_eq!(written.iter().filter(|(w, _)| *w == contact("group 20")).count(), 1);
        // Each is passed on, as a line.
        assert_eq!(onward.0.lock().unwrap().0, WRITTEN_MAX + 7);
    }
}
