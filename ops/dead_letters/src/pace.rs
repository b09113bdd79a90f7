//! How fast a command sends: so many a second, and no saving up.

use std::time::Duration;

/// When the next may start.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How many a second; `None` is as many as are taken.
    rate: Option<u32>,
    next_at: Duration,
}

impl Pace {
    /// A pace of so many a second, the first of which may start now.
    pub fn new(rate: Option<u32>, now: Duration) -> Self {
        Self { rate, next_at: now }
    }

    /// When so many may start together; the next ones, so much later.
    pub fn start_of(&mut self, count: usize, now: Duration) -> Duration {
        let start_at = self.next_at.max(now);
        if let Some(rate) = self.rate {
            self.next_at = start_at + Duration::from_secs_f64(count as f64 / f64::from(rate));
        }
        start_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_starts_faster_than_the_rate() {
        let mut pace = Pace::new(Some(100), Duration::ZERO);
        let ms = Duration::from_millis;
        assert_eq!(pace.start_of(50, ms(0)), ms(0));
        assert_eq!(pace.start_of(25, ms(10)), ms(500));
        assert_eq!(pace.start_of(50, ms(20)), ms(750));
        // What was not used is not saved up.
        assert_eq!(pace.start_of(50, ms(9_000)), ms(9_000));
        assert_eq!(pace.start_of(50, ms(9_000)), ms(9_500));
    }

    #[test]
    fn without_a_rate_all_start_at_once() {
        let mut pace = Pace::new(None, Duration::ZERO);
        assert_eq!(pace.start_of(50, Duration::from_secs(1)), Duration::from_secs(1));
        assert_eq!(pace.start_of(50, Duration::from_secs(1)), Duration::from_secs(1));
    }
}
