//! 10,000 dead letters replayed beside a running stack: without a break, for the rate that is
//! reached, and by a command that is killed five times.
//!
//! It checks what the test checks with fewer. `cargo bench -p milepost --bench replay`; with
//! `--profile dev` it needs no release build.
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
    let whole = killed_replay::replay(LETTERS, RATE, 0).await;
    let took_s = whole.last["sendingSeconds"].as_f64().unwrap();
    let asked_s = f64::from(LETTERS) / f64::from(RATE);
    println!(
        "{LETTERS} dead letters: sent in {took_s:.1} s, {:.2} times what the rate of {RATE}/s asks \
         for; none left, none lost, each applied once",
        took_s / asked_s,
    );
    let killed = killed_replay::replay(LETTERS, RATE, 5).await;
    println!(
        "killed five times: none left, none lost, each applied once; {:.1} s in all, of which the \
         last run waits 30 s for what the killed ones had in hand",
        killed.runs_s,
    );
}
