//! `serve` on one machine: how many events it accepts in a second, each on disk before its answer;
//! how soon it answers at half of that; and what a long queue costs it.
//!
//! Beside the process under HTTP, in turns and on the same disk: its queue without HTTP, and SQLite
//! with a commit for each event. Load comes from this process, which takes its share of the
//! processors: on a machine of two, about as much as the server does.
//!
//! `cargo bench -p tests --bench serve`, or with `-- accept`, `-- depth`; with `slow-disk` each commit
//! takes 4 ms more; `-- --short` takes shorter samples and fails on a ratio that is worse than its
//! bound.
#![allow(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and one that can't go on panics"
)]

/// Events per second, and how soon they are answered.
#[path = "serve/accept.rs"]
mod accept;
/// What a million queued events cost.
#[path = "serve/depth.rs"]
mod depth;
/// Connections that post.
#[path = "serve/load.rs"]
mod load;
/// The process that is measured.
#[path = "serve/server.rs"]
mod server;
/// A commit that takes time.
#[path = "serve/slow_disk.rs"]
mod slow_disk;

use std::process::ExitCode;
use std::sync::Arc;

use host::clock::SystemClock;
use shared::ports::Clock;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let is_short = has("--short");
    if has("slow-disk") {
        slow_disk::begin();
    }
    let is_all = !has("accept") && !has("depth");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let mut is_good = true;
    if is_all || has("accept") {
        is_good &= accept::measure(&clock, is_short).await;
    }
    if is_all || has("depth") {
        is_good &= depth::measure(&clock, is_short).await;
    }
    if is_good || !is_short { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Says whether a ratio keeps its bound.
fn holds(what: &str, ratio: f64, least: f64) -> bool {
    let is_good = ratio >= least;
    println!("{what}: {ratio:.2} (at least {least}{})", if is_good { "" } else { ", BROKEN" });
    is_good
}

/// The value that this share of all is not above.
fn at(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}
