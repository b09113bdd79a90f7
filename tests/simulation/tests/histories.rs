//! What an ordinary test run asks of the simulation itself. The histories by the ten thousand are
//! run by `tests/run`, after the tests.
#![allow(
    clippy::unwrap_used,
    reason = "a test that can't go on panics; clippy sees helpers of a test as no test"
)]

use std::path::Path;

use simulation::family::{Family, families};
use simulation::history::{self, Options};
use simulation::plant;

/// So many of each family's first seeds.
const SEEDS: u64 = 15;

/// Family, seed, and what it found.
const REGRESSIONS: [(&str, u64, &str); 4] = [
    ("frozen", 40, "a process that stood still since it read wrote over what came meanwhile"),
    ("frozen", 161, "a process that stood still in its wait for a permit made the call"),
    ("marketer", 136, "a message that had hopped was written beside the contact's new group"),
    ("renames", 244, "a message came back to its first group, where its id was known already"),
];

fn family(name: &str) -> Family {
    families().into_iter().find(|family| family.name == name).unwrap()
}

#[track_caller]
fn holds(family: &Family, seed: u64) {
    let outcome = history::run(family, seed, Options::default());
    assert_eq!(outcome.violations, [""; 0], "{} {seed}", family.name);
}

#[test]
fn every_family_holds_for_its_first_seeds() {
    for family in families() {
        for seed in 1..=SEEDS {
            holds(&family, seed);
        }
    }
}

#[test]
fn what_was_found_once_is_not_found_again() {
    for (name, seed, _found) in REGRESSIONS {
        holds(&family(name), seed);
    }
}

#[test]
fn the_same_seed_is_the_same_run_step_for_step() {
    for family in families() {
        let run = |keeps_trace| {
            let options = Options { keeps_trace, ..Options::default() };
            history::run(&family, 3, options).hash
        };
        assert_eq!(run(false), run(true), "{}", family.name);
    }
}

#[test]
fn another_seed_is_another_run() {
    let family = family("coalescing");
    let hash = |seed| history::run(&family, seed, Options::default()).hash;
    assert_ne!(hash(1), hash(2));
}

#[test]
fn every_planted_bug_has_its_place_in_the_sources() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    assert!(plant::bugs().unwrap().len() >= 25);
    plant::patched(&workspace).unwrap();
}
