//! Many histories on all cores, and what they came to.
//!
//! **Fails** on any violation, on a fault that never struck, and on a run that is not the same twice.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::family::{Family, families};
use crate::history::{self, Options, Outcome};
use crate::plant;

/// So many histories of a family must be run before a fault that never struck is held against it.
const ENOUGH: u64 = 500;
/// Every so many histories one is run twice.
const TWICE_EVERY: u64 = 50;
/// So many violations are told.
const TOLD_MAX: usize = 20;
/// The command that a failing seed is replayed with.
const REPLAY: &str = "cargo run -p simulation -- replay";

/// A table, and whether all is well.
#[derive(Debug)]
pub struct Report {
    /// What to print.
    pub text: String,
    /// Whether nothing was found.
    pub is_sound: bool,
}

#[derive(Debug, Default)]
struct Tally {
    histories: u64,
    events: u64,
    calls: u64,
    points: u64,
    time: Duration,
    rest_max: Duration,
    fired: BTreeMap<&'static str, u64>,
    violations: Vec<String>,
}

impl Tally {
    fn add(&mut self, family: &Family, seed: u64, outcome: Outcome, kill_at: Option<u64>) {
        self.histories += 1;
        self.events += outcome.events;
        self.calls += outcome.calls;
        self.points += outcome.points;
        self.time += outcome.time;
        self.rest_max = self.rest_max.max(outcome.rest);
        for (name, count) in outcome.fired {
            *self.fired.entry(name).or_default() += count;
        }
        let killed = kill_at.map(|point| format!(" --kill-at {point}")).unwrap_or_default();
        let place = format!("{REPLAY} --family \"{}\" --seed {seed}{killed}", family.name);
        self.violations
            .extend(outcome.violations.iter().map(|what| format!("{what}\n    {place}")));
    }
}

/// Lives through so many histories, the families in turn.
///
/// # Errors
/// When there is no such family.
pub fn run(histories: u64, from: u64, only: Option<&str>) -> anyhow::Result<Report> {
    let mut families = families();
    if let Some(only) = only {
        families.retain(|family| family.name == only);
        if families.is_empty() {
            bail!("there is no family {only:?}");
        }
    }
    let count = families.len() as u64;
    let tallies: Vec<Mutex<Tally>> = families.iter().map(|_| Mutex::default()).collect();
    on_all_cores(histories, |nth| {
        let family = &families[(nth % count) as usize];
        let seed = from + nth / count;
        let mut outcome = history::run(family, seed, Options::default());
        if nth % TWICE_EVERY == 0
            && history::run(family, seed, Options::default()).hash != outcome.hash
        {
            outcome.violations.push("the same seed made another run".into());
        }
        locked(&tallies[(nth % count) as usize]).add(family, seed, outcome, None);
    });
    let mut text = String::new();
    let mut is_sound = true;
    let mut all = Tally::default();
    writeln!(
        text,
        "| family | histories | events | calls | simulated hours | longest rest, s | violations |\n\
         |---|---:|---:|---:|---:|---:|---:|"
    )?;
    for (family, tally) in families.iter().zip(&tallies) {
        let mut tally = locked(tally);
        row(&mut text, family.name, &tally)?;
        for name in family.must_strike() {
            if tally.histories >= ENOUGH && !tally.fired.contains_key(name) {
                tally.violations.push(format!("{name} never struck in {}", family.name));
            }
        }
        all.histories += tally.histories;
        all.events += tally.events;
        all.calls += tally.calls;
        all.time += tally.time;
        all.rest_max = all.rest_max.max(tally.rest_max);
        for (name, count) in &tally.fired {
            *all.fired.entry(name).or_default() += count;
        }
        all.violations.append(&mut tally.violations);
    }
    row(&mut text, "all", &all)?;
    writeln!(text, "\n| fault | struck |\n|---|---:|")?;
    for (name, count) in &all.fired {
        writeln!(text, "| {name} | {count} |")?;
    }
    is_sound &= tell(&mut text, &all.violations)?;
    Ok(Report { text, is_sound })
}

/// Lives through one history and tells every step.
///
/// # Errors
/// When there is no such family.
pub fn replay(family: &str, seed: u64, kill_at: Option<u64>) -> anyhow::Result<Report> {
    let families = families();
    let family =
        families.iter().find(|one| one.name == family).context("there is no such family")?;
    let options = Options { kill_at, keeps_trace: true, is_small: kill_at.is_some() };
    let outcome = history::run(family, seed, options);
    let mut text = outcome.trace.join("\n");
    writeln!(text, "\n\n{} events, {} calls, {:?}", outcome.events, outcome.calls, outcome.time)?;
    writeln!(text, "trace {:016x}", outcome.hash)?;
    let is_sound = tell(&mut text, &outcome.violations)?;
    Ok(Report { text, is_sound })
}

/// Repeats small histories once for every point at which a process can be killed.
///
/// # Errors
/// Never, but for memory.
pub fn kills(seeds: u64) -> anyhow::Result<Report> {
    let families: Vec<Family> = families()
        .into_iter()
        .filter(|family| {
            ["coalescing", "backlog", "unknown outcomes", "queue"].contains(&family.name)
        })
        .collect();
    let tally = Mutex::new(Tally::default());
    on_all_cores(seeds, |nth| {
        let family = &families[(nth % families.len() as u64) as usize];
        let small = Options { is_small: true, ..Options::default() };
        let points = history::run(family, nth + 1, small).points;
        for point in 1..=points {
            let options = Options { kill_at: Some(point), ..small };
            let outcome = history::run(family, nth + 1, options);
            locked(&tally).add(family, nth + 1, outcome, Some(point));
        }
    });
    let tally = locked(&tally);
    let mut text = String::new();
    writeln!(text, "{seeds} seeds, killed at each of {} points in turn", tally.histories)?;
    let is_sound = tell(&mut text, &tally.violations)?;
    Ok(Report { text, is_sound })
}

/// Looks for every planted bug, and says at which seed it was found.
///
/// # Errors
/// When the list of bugs can't be read, or names a family that there is not.
pub fn planted(seeds: u64, only: &str) -> anyhow::Result<Report> {
    let families = families();
    let bugs: Vec<_> = plant::bugs()?.into_iter().filter(|bug| bug.name.contains(only)).collect();
    let mut places = Vec::new();
    for bug in &bugs {
        let place = families.iter().find(|family| family.name == bug.family);
        places.push(place.with_context(|| format!("{}: no such family", bug.family))?);
    }
    let found: Vec<Mutex<Option<(u64, String)>>> = bugs.iter().map(|_| Mutex::default()).collect();
    on_all_cores(bugs.len() as u64, |nth| {
        let nth = nth as usize;
        // A name lives as long as the process: there are some dozens of them.
        let name: &'static str = bugs[nth].name.clone().leak();
        for seed in 1..=seeds {
            planted::put(Some(name));
            let outcome = history::run(places[nth], seed, Options::default());
            planted::put(None);
            if let Some(violation) = outcome.violations.into_iter().next() {
                *locked(&found[nth]) = Some((seed, violation));
                break;
            }
        }
    });
    let mut text = String::new();
    writeln!(text, "| bug | family | seeds | seen as |\n|---|---|---:|---|")?;
    let mut missed = 0;
    for (bug, found) in bugs.iter().zip(&found) {
        match &*locked(found) {
            Some((seed, violation)) => {
                writeln!(text, "| {} | {} | {seed} | {violation} |", bug.name, bug.family)?;
            }
            None => {
                missed += 1;
                writeln!(text, "| {} | {} | **not in {seeds}** | |", bug.name, bug.family)?;
            }
        }
    }
    writeln!(text, "\n{} of {} bugs found", bugs.len() - missed, bugs.len())?;
    Ok(Report { text, is_sound: missed == 0 })
}

fn row(text: &mut String, name: &str, tally: &Tally) -> anyhow::Result<()> {
    writeln!(
        text,
        "| {name} | {} | {} | {} | {:.0} | {:.0} | {} |",
        tally.histories,
        tally.events,
        tally.calls,
        tally.time.as_secs_f64() / 3_600.0,
        tally.rest_max.as_secs_f64(),
        tally.violations.len()
    )?;
    Ok(())
}

fn tell(text: &mut String, violations: &[String]) -> anyhow::Result<bool> {
    writeln!(text, "\n{} violations", violations.len())?;
    for violation in violations.iter().take(TOLD_MAX) {
        writeln!(text, "- {violation}")?;
    }
    Ok(violations.is_empty())
}

/// Calls `each` with 0 to `count`, on as many threads as there are cores.
fn on_all_cores(count: u64, each: impl Fn(u64) + Sync) {
    // A panic in a history is a violation of that history, and its text would only stand between.
    panic::set_hook(Box::new(|_| {}));
    let next = AtomicU64::new(0);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= count {
                        break;
                    }
                    each(nth);
                }
            });
        }
    });
}

fn locked<T>(held: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    held.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
