//! 10,000 dead letters replayed beside a running stack, by a command that is killed five times.
//!
//! It checks what the test checks with fewer, and prints the time against the rate that was asked
//! for. `cargo bench -p milepost --bench replay`; with `--profile dev` it needs no release build.
#![allow(
    dead_code,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a run that can't go on panics; the tests use more of what they share with it"
)]

#[path = "../tests/support/ended.rs"]
mod ended;
#[path = "../tests/support/killed_replay.rs"]
mod killed_replay;
#[path = "../tests/support/letters.rs"]
mod letters;
#[path = "../tests/support/process.rs"]
mod process;

const LETTERS: u32 = 10_000;
const RATE: u32 = 500;

#[tokio::main]
async fn main() {
    let replayed = killed_replay::replay(LETTERS, RATE).await;
    let last = &replayed.last;
    println!(
        "{LETTERS} dead letters, killed five times: none left, none lost, each applied once; \
         {:.1} s in all, of which the last run slept for what the killed ones had in hand; asked \
         were {RATE}/s, which is {} s at least; the last run sent {} in {:.1} s",
        replayed.runs_s,
        LETTERS / RATE,
        last["matched"],
        last["sendingSeconds"].as_f64().unwrap_or_default(),
    );
}
