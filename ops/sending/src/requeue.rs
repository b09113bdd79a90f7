//! Envelopes from a file onto the events queue: what `recover` and `track --envelopes` share.
//!
//! In: lines, and a reader that finds messages in a line. Out: the counts. Sends are batches of ten
//! in the order of the lines.
//!
//! **Invariant**: the same line makes the same message in every run, so to run again after a break
//! counts nothing twice.

use std::io::BufRead as _;
use std::path::Path;
use std::time::Duration;

use command::ending::{Ending, Stopped};
use command::output::Output;
use command::queues::{Queues, stopped};
use dead_letters::pace::Pace;
use serde::Serialize;
use shared::ports::{Outgoing, QueueFault};
use tokio::sync::mpsc;

use crate::input;

/// How many messages go together.
const BATCH: usize = 10;
/// Lines that are read ahead.
const LINES_AHEAD: usize = 1_000;
/// How often a send is tried that the queue did not answer, and the pause between.
const TRIES_MAX: u32 = 5;
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How many lines are named; the rest is counted.
const NAMED_MAX: usize = 100;

/// What a line turned out to hold: messages, and why something that should be one is none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// To be sent.
    pub(crate) messages: Vec<Outgoing>,
    /// What can't be.
    pub(crate) unreadable: Vec<String>,
}

/// What is printed.
#[derive(Debug, Default, Serialize)]
struct Tally {
    /// Lines that were read.
    lines: u64,
    /// Events that were found.
    found: u64,
    /// On the queue.
    queued: u64,
    /// No envelopes.
    unreadable: u64,
    /// Refused by the queue.
    refused: u64,
    /// The first of the lines that went wrong.
    wrong: Vec<Wrong>,
}

#[derive(Debug, Serialize)]
struct Wrong {
    line: u64,
    why: String,
}

/// Reads the file, or standard input for `-`, and puts on the queue what `find` finds.
///
/// # Errors
/// [`Stopped`]: the file can't be read, or the queue does not answer.
pub(crate) async fn run(
    file: &Path,
    find: fn(&str) -> Found,
    rate: Option<u32>,
    queues: &Queues,
    output: &Output,
) -> Result<Ending, Stopped> {
    let mut lines = read(file)?;
    let mut pace = Pace::new(rate, queues.clock.uptime());
    let bar = output.progress(None);
    let mut tally = Tally::default();
    let mut waiting: Vec<(u64, Outgoing)> = Vec::new();
    let mut ended = Ok(());
    while let Some(line) = lines.recv().await {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                ended = Err(input::unreadable(file, &error));
                break;
            }
        };
        tally.lines += 1;
        let number = tally.lines;
        let found = find(&line);
        tally.found += (found.messages.len() + found.unreadable.len()) as u64;
        for why in found.unreadable {
            tally.unreadable += 1;
            tally.name(number, why);
        }
        waiting.extend(found.messages.into_iter().map(|message| (number, message)));
        while ended.is_ok() && (waiting.len() >= BATCH || (lines.is_empty() && !waiting.is_empty()))
        {
            let rest = waiting.split_off(waiting.len().min(BATCH));
            let batch = std::mem::replace(&mut waiting, rest);
            ended = send(batch, &mut pace, queues, &mut tally).await;
        }
        if ended.is_err() {
            break;
        }
        bar.set_message(format!("{} queued", tally.queued));
        bar.tick();
    }
    if ended.is_ok() && !waiting.is_empty() {
        ended = send(waiting, &mut pace, queues, &mut tally).await;
    }
    bar.finish_and_clear();
    for Wrong { line, why } in &tally.wrong {
        output.note(format!("line {line}: {why}"));
    }
    output.result(&tally, || tally.text())?;
    ended?;
    Ok(if tally.unreadable + tally.refused == 0 { Ending::Done } else { Ending::Found })
}

async fn send(
    batch: Vec<(u64, Outgoing)>,
    pace: &mut Pace,
    queues: &Queues,
    tally: &mut Tally,
) -> Result<(), Stopped> {
    let clock = &*queues.clock;
    let start_at = pace.start_of(batch.len(), clock.uptime());
    clock.sleep(start_at.saturating_sub(clock.uptime())).await;
    let mut open = batch;
    for attempt in 1.. {
        let messages = open.iter().map(|(_, message)| message.clone()).collect();
        let results = queues.events.send(messages).await;
        let mut again = Vec::new();
        for ((line, message), result) in open.into_iter().zip(results) {
            match result {
                Ok(()) => tally.queued += 1,
                Err(fault @ QueueFault::Unavailable(_)) if attempt == TRIES_MAX => {
                    return Err(stopped(&fault));
                }
                Err(QueueFault::Unavailable(_)) => again.push((line, message)),
                Err(fault) => {
                    tally.refused += 1;
                    tally.name(line, fault.to_string());
                }
            }
        }
        if again.is_empty() {
            break;
        }
        open = again;
        clock.sleep(TRY_AGAIN).await;
    }
    Ok(())
}

/// The lines, read by a thread of its own: standard input may stay silent for long, and must not
/// hold up the end of the process.
fn read(file: &Path) -> Result<mpsc::Receiver<std::io::Result<String>>, Stopped> {
    let (input, _) = input::open(file)?;
    let (lines_in, lines_out) = mpsc::channel(LINES_AHEAD);
    std::thread::spawn(move || {
        for line in input.split(b'\n') {
            let line = line.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            let is_end = line.is_err();
            if lines_in.blocking_send(line).is_err() || is_end {
                return;
            }
        }
    });
    Ok(lines_out)
}

impl Tally {
    fn name(&mut self, line: u64, why: String) {
        if self.wrong.len() < NAMED_MAX {
            self.wrong.push(Wrong { line, why });
        }
    }

    fn text(&self) -> String {
        let Self { lines, found, queued, unreadable, refused, .. } = self;
        format!(
            "{found} events in {lines} lines = {queued} queued + {unreadable} unreadable + \
             {refused} refused"
        )
    }
}
