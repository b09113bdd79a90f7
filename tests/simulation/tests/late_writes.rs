//! Histories with late writes, over the seeds of an ordinary test run. The benchmark command of
//! docs/performance.md runs ten thousand.

use std::time::Duration;

use simulation::late_writes::{QUARANTINE, run};

const SEEDS: u64 = 300;

#[test]
fn every_history_with_late_writes_ends_as_the_join_of_its_events() {
    for seed in 1..=SEEDS {
        if let Err(what) = run(seed, QUARANTINE) {
            panic!("seed {seed}: {what}");
        }
    }
}

#[test]
fn without_a_quarantine_the_same_histories_lose_progress() {
    let lost = (1..=SEEDS).find(|seed| run(*seed, Duration::ZERO).is_err());
    assert!(lost.is_some(), "{SEEDS} seeds did not notice a worker that writes again at once");
}
