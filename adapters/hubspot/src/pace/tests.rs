//! The pace on virtual time: its law over random days of several workers, then its table of waits.

use proptest::prelude::*;

use super::*;
use crate::rate::WINDOW;
use crate::virtual_time::{Always, TurnedClock};

const SETTINGS: PaceSettings =
    PaceSettings { burst_limit: 100, headroom: 0.1, workers: 2, day_begins_at: None };

fn pace(settings: PaceSettings, clock: &Arc<TurnedClock>) -> Pace {
    let clock: Arc<dyn Clock> = Arc::clone(clock) as Arc<dyn Clock>;
    Pace::new(settings, clock, Arc::new(Always(0))).unwrap()
}

fn clock() -> Arc<TurnedClock> {
    TurnedClock::at("2026-11-24T20:00:00Z")
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        let name = http::HeaderName::from_static(name);
        (name, http::HeaderValue::from_static(value))
    });
    pairs.collect()
}

/// Something that happens to the workers of a portal.
#[derive(Debug, Clone)]
enum Step {
    Idle(Duration),
    Calls { worker: usize, count: usize },
    Restart { worker: usize },
    LimitSeen { worker: usize, max: u32 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u64..15_000).prop_map(|ms| Step::Idle(Duration::from_millis(ms))),
        8 => (0_usize..4, 1_usize..60)
            .prop_map(|(worker, count)| Step::Calls { worker, count }),
        1 => (0_usize..4).prop_map(|worker| Step::Restart { worker }),
        1 => (0_usize..4, 20_u32..300)
            .prop_map(|(worker, max)| Step::LimitSeen { worker, max }),
    ]
}

proptest! {
    #[test]
    fn no_window_exceeds_the_limit_whatever_the_workers_do(
        limit in 20_u32..300,
        headroom in 0.0_f64..0.5,
        workers in 1_u32..=4,
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let clock = clock();
        let settings = PaceSettings { burst_limit: limit, headroom, workers, day_begins_at: None };
        let count = workers as usize;
        let mut paces: Vec<Pace> = (0..count).map(|_| pace(settings, &clock)).collect();
        let mut calls: Vec<Vec<Duration>> = vec![Vec::new(); count];
        let share = paces[0].snapshot().share as usize;
        for step in steps {
            match step {
                Step::Idle(wait) => clock.turn(wait),
                Step::Calls { worker, count: wanted } => for _ in 0..wanted {
                    match paces[worker % count].try_permit() {
                        Ok(()) => calls[worker % count].push(clock.uptime()),
                        Err(pause) => clock.turn(pause.wait),
                    }
                },
                Step::Restart { worker } => paces[worker % count] = pace(settings, &clock),
                Step::LimitSeen { worker, max } => {
                    let pace = &paces[worker % count];
                    pace.adopt_limit(&mut pace.state(), max);
                }
            }
        }
        let fullest = |calls: &[Duration]| {
            let from = |(first, start): (usize, &Duration)| {
                calls[first..].iter().take_while(|at| **at <= *start + WINDOW).count()
            };
            calls.iter().enumerate().map(from).max().unwrap_or(0)
        };
        for one in &calls {
            prop_assert!(fullest(one) <= share, "{} calls of {share}", fullest(one));
        }
        let mut all = calls.concat();
        all.sort();
        let allowed = f64::from(limit) * (1.0 - headroom) + 1e-6;
        prop_assert!(fullest(&all) as f64 <= allowed, "{} calls in all", fullest(&all));
    }

    #[test]
    fn what_is_said_to_be_available_can_be_taken(
        gaps_ms in proptest::collection::vec(0_u64..4_000, 1..100),
    ) {
        let clock = clock();
        let pace = pace(SETTINGS, &clock);
        for gap in gaps_ms {
            clock.turn(Duration::from_millis(gap));
            for _ in 0..pace.available() {
                prop_assert!(pace.try_permit().is_ok());
            }
        }
    }
}

#[tokio::test]
async fn a_busy_process_uses_nearly_all_of_its_share() {
    let clock = clock();
    let pace = pace(SETTINGS, &clock);
    for _ in 0..430 {
        pace.permit(PERMIT_WAIT_MAX).await.unwrap();
    }
    // 45 in ten seconds, 2 of them burst: the rest comes back at 4.3 a second.
    assert_eq!(clock.uptime().as_secs(), 100);
    assert_eq!(pace.snapshot().calls, 430);
}

#[tokio::test]
async fn a_new_process_has_no_burst_and_an_idle_one_has_all_of_it() {
    let clock = clock();
    let pace = pace(SETTINGS, &clock);
    assert_eq!(pace.available(), 0);
    clock.turn(WINDOW);
    assert_eq!(pace.available(), 2);
    pace.permit(Duration::ZERO).await.unwrap();
    assert_eq!(pace.available(), 1);
}

#[tokio::test]
async fn each_call_is_counted_by_who_asks_first() {
    let clock = clock();
    let pace = pace(SETTINGS, &clock);
    for _ in 0..3 {
        pace.permit(PERMIT_WAIT_MAX).await.unwrap();
    }
    pace.throttled(LimitPolicy::Secondly, Duration::ZERO);
    assert_eq!(pace.spent(), Spent { calls: 3, throttled: 1 });
    assert_eq!(pace.spent(), Spent::default());
}

#[test]
fn a_process_with_a_first_call_has_one_and_keeps_its_share_for_all_that() {
    for (workers, calls_in_window) in [(2, 43), (10, 9), (90, 1)] {
        let clock = clock();
        let settings = PaceSettings { workers, ..SETTINGS };
        let shared_clock: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
        let pace = Pace::with_a_first_call(settings, shared_clock, Arc::new(Always(0))).unwrap();
        assert_eq!(pace.available(), 1);
        let mut calls = 0;
        while clock.uptime() <= WINDOW {
            match pace.try_permit() {
                Ok(()) => calls += 1,
                Err(pause) => clock.turn(pause.wait),
            }
        }
        assert_eq!(calls, calls_in_window, "of {workers} processes");
    }
}

#[tokio::test]
async fn who_would_wait_too_long_is_told_at_once() {
    let clock = clock();
    let pace = pace(SETTINGS, &clock);
    pace.throttled(LimitPolicy::TenSecondly, Duration::from_secs(30));
    let pause = pace.permit(PERMIT_WAIT_MAX).await.unwrap_err();
    assert_eq!((pause.policy, pause.wait.as_secs()), (LimitPolicy::TenSecondly, 30));
    assert_eq!(clock.uptime(), Duration::ZERO);
    assert_eq!(pace.paused_until(), Some(pause));
    assert_eq!(pace.available(), 0);
}

#[test]
fn a_429_is_waited_out_by_its_policy() {
    use LimitPolicy::{Daily, Secondly, TenSecondly};
    #[track_caller]
    fn check(day: Option<&str>, policy: LimitPolicy, asked_s: u64, wait_s: u64) {
        let day_begins_at = day.map(|at| at.parse().unwrap());
        let pace = pace(PaceSettings { day_begins_at, ..SETTINGS }, &clock());
        let wait = pace.throttled(policy, Duration::from_secs(asked_s));
        assert_eq!(wait, Duration::from_secs(wait_s));
        assert_eq!(pace.paused_until().map(|pause| pause.policy), Some(policy));
    }
    check(None, TenSecondly, 0, 10);
    check(None, TenSecondly, 17, 17);
    check(None, TenSecondly, 10_000, 60);
    check(None, Secondly, 0, 1);
    check(None, Secondly, 3, 3);
    // Nobody knows when the day begins: a call an hour finds out.
    check(None, Daily, 0, 3600);
    // It begins at five: nine hours to go, and the margin.
    check(Some("2026-11-25T05:00:00Z"), Daily, 0, 9 * 3600 + 15);
    check(Some("2026-03-02T05:00:00Z"), Daily, 0, 9 * 3600 + 15);
    check(Some("2027-03-02T05:00:00Z"), Daily, 0, 9 * 3600 + 15);
    // It should have begun half an hour ago: it may be late, and is not given up for a day.
    check(Some("2026-11-24T19:30:00Z"), Daily, 0, 600);
}

#[tokio::test]
async fn a_burst_429_does_not_shorten_the_wait_for_the_day() {
    let clock = clock();
    let pace = pace(SETTINGS, &clock);
    pace.throttled(LimitPolicy::Daily, Duration::ZERO);
    pace.throttled(LimitPolicy::TenSecondly, Duration::ZERO);
    assert_eq!(pace.paused_until().map(|p| p.policy), Some(LimitPolicy::Daily));
    clock.turn(Duration::from_secs(3600));
    assert_eq!(pace.paused_until(), None);
    assert_eq!(pace.snapshot().throttled, 2);
    pace.permit(Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn a_wait_as_long_as_the_longest_is_waited() {
    let clock = clock();
    let pace = pace(SETTINGS, &clock);
    assert_eq!(pace.paused_until(), None);
    pace.throttled(LimitPolicy::TenSecondly, Duration::ZERO);
    pace.permit(WINDOW).await.unwrap();
    assert_eq!(clock.uptime(), WINDOW);
}

#[test]
fn a_pause_says_how_long_it_lasts_yet_and_until_when() {
    let clock = clock();
    let pace = pace(SETTINGS, &clock);
    pace.throttled(LimitPolicy::TenSecondly, Duration::ZERO);
    clock.turn(Duration::from_secs(4));
    let (policy, wait) = (LimitPolicy::TenSecondly, Duration::from_secs(6));
    let until = "2026-11-24T20:00:10Z".parse().unwrap();
    assert_eq!(pace.paused_until(), Some(Pause { policy, wait, until }));
}

#[test]
fn of_two_pauses_the_longer_holds_and_of_equal_ones_the_first() {
    use LimitPolicy::{Secondly, TenSecondly};
    #[track_caller]
    fn check(answers: [(LimitPolicy, u64); 2], policy: LimitPolicy, wait_s: u64) {
        let pace = pace(SETTINGS, &clock());
        for (policy, asked_s) in answers {
            pace.throttled(policy, Duration::from_secs(asked_s));
        }
        let found = pace.paused_until().map(|pause| (pause.policy, pause.wait.as_secs()));
        assert_eq!(found, Some((policy, wait_s)));
    }
    check([(Secondly, 5), (TenSecondly, 20)], TenSecondly, 20);
    check([(TenSecondly, 20), (Secondly, 5)], TenSecondly, 20);
    check([(Secondly, 20), (TenSecondly, 20)], Secondly, 20);
}

#[test]
fn a_nearly_spent_window_is_waited_out_behind_a_shorter_pause() {
    let pace = pace(SETTINGS, &clock());
    pace.throttled(LimitPolicy::Secondly, Duration::from_secs(1));
    pace.observe(&headers(&[("x-hubspot-ratelimit-remaining", "5")]));
    let found = pace.paused_until().map(|pause| (pause.policy, pause.wait.as_secs()));
    assert_eq!(found, Some((LimitPolicy::TenSecondly, 5)));
    assert_eq!(pace.snapshot().window_remaining, Some(5));
    pace.throttled(LimitPolicy::Daily, Duration::ZERO);
    assert_eq!(pace.paused_until().map(|pause| pause.policy), Some(LimitPolicy::Daily));
}

#[test]
fn the_day_begins_when_it_was_last_told_and_the_first_call_is_late_by_chance() {
    let clock = clock();
    let shared: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
    let pace = Pace::new(SETTINGS, shared, Arc::new(Always(u64::MAX / 3 + 1))).unwrap();
    let wait = || pace.throttled(LimitPolicy::Daily, Duration::ZERO).as_secs();
    assert_eq!(wait(), 3600);
    pace.learn_day("2026-11-25T05:00:00Z".parse().unwrap());
    assert_eq!(wait(), 9 * 3600 + 15 + 5);
    // An hour after it should have begun it is no longer awaited at any moment.
    pace.learn_day("2026-11-24T19:00:00Z".parse().unwrap());
    assert_eq!(wait(), 23 * 3600 + 15 + 5);
}

#[test]
fn the_day_s_remainder_is_told_whatever_the_window_of_the_answer() {
    let pace = pace(SETTINGS, &clock());
    assert_eq!(pace.snapshot().daily_remaining, None);
    let daily = ("x-hubspot-ratelimit-daily-remaining", " 249000 ");
    pace.observe(&headers(&[daily, ("x-hubspot-ratelimit-interval-milliseconds", "1000")]));
    assert_eq!(pace.snapshot().daily_remaining, Some(249_000));
}

#[test]
fn successes_pay_for_retries_and_a_retry_waits_by_chance() {
    let shared: Arc<dyn Clock> = clock() as Arc<dyn Clock>;
    let pace = Pace::new(SETTINGS, shared, Arc::new(Always(1 << 63))).unwrap();
    assert_eq!((0..100).take_while(|_| pace.take_retry()).count(), 10);
    (0..10).for_each(|_| pace.succeeded());
    assert!(pace.take_retry() && !pace.take_retry());
    assert_eq!(pace.jitter(0), Duration::from_millis(100));
}

#[test]
fn headers_only_ever_slow_it_down() {
    #[track_caller]
    fn check(pairs: &[(&'static str, &'static str)], wait_ms: u128, share: u32) {
        let clock = clock();
        let pace = pace(SETTINGS, &clock);
        pace.observe(&headers(pairs));
        let wait = pace.paused_until().map_or(0, |pause| pause.wait.as_millis());
        assert_eq!((wait, pace.snapshot().share), (wait_ms, share));
    }
    const MAX: &str = "x-hubspot-ratelimit-max";
    const REMAINING: &str = "x-hubspot-ratelimit-remaining";
    const INTERVAL: &str = "x-hubspot-ratelimit-interval-milliseconds";
    check(&[], 0, 45);
    check(&[(MAX, "100"), (REMAINING, "98"), (INTERVAL, "10000")], 0, 45);
    // More than was set is not taken, less is.
    check(&[(MAX, "250"), (REMAINING, "98")], 0, 45);
    check(&[(MAX, "50"), (REMAINING, "48")], 0, 22);
    // Somebody eats the headroom: the less is left, the longer the wait, up to a window.
    check(&[(REMAINING, "10")], 0, 45);
    check(&[(REMAINING, "9")], 1_000, 45);
    check(&[(REMAINING, "0")], 10_000, 45);
    // Another window, or no number: not understood, not used.
    check(&[(MAX, "10"), (REMAINING, "0"), (INTERVAL, "1000")], 0, 45);
    check(&[(MAX, "many"), (REMAINING, "-1")], 0, 45);
}

#[test]
fn more_workers_than_calls_is_an_error_with_a_remedy() {
    let settings = PaceSettings { workers: 91, ..SETTINGS };
    let error = Pace::new(settings, clock(), Arc::new(Always(0))).unwrap_err().to_string();
    assert!(error.contains("hint: lower WORKER_CONCURRENCY"), "{error}");
}
