//! How fast a command sends: a rate per second, and no saving up.

use std::time::Duration;

/// When the next messages may be sent.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Messages per second; `None` has no limit.
    rate: Option<u32>,
    next_at: Duration,
}

impl Pace {
    /// A pace of `rate` messages per second. The first may be sent now.
    pub fn new(rate: Option<u32>, now: Duration) -> Self {
        Self { rate, next_at: now }
    }

    /// When `count` messages may be sent together. It delays the next ones by their share of time.
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
        // Unused time is not saved up.
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
