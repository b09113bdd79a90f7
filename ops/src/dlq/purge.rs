//! `milepost dlq purge`: deletes dead letters permanently, after a confirmation.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;

use dead_letters::filter::Filter;
use serde::Serialize;

use super::dead_letter::DeadLetter;
use super::filter::Filters;
use super::note_unseen;
use super::scan::{AT_ONCE, Mode, Scan};
use crate::ending::{Ending, Stopped};
use crate::output::Output;
use crate::queues::{Place, Queues};
use crate::stop::Stop;

/// Delete dead letters permanently
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Delete dead letters permanently: those that the filters match, without a filter \
                  all of them. It says what it would delete and asks; without a terminal it needs \
                  --yes.\n\n\
                  Their events are lost. Keep them first with `milepost dlq export`.",
    after_help = "Example: milepost dlq purge --reason UNREADABLE --until 2026-01-18\n\
                  Read on in docs/queue.md, Reasons."
)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    filters: Filters,

    /// Delete without asking
    #[arg(long)]
    yes: bool,
}

/// What `dlq purge --json` prints.
#[derive(Debug, Default, Serialize)]
struct Purged {
    /// Dead letters that the filters match.
    matched: u64,
    /// Dead letters that were deleted.
    purged: u64,
    /// By reason, how many matched.
    reasons: BTreeMap<String, u64>,
}

/// Runs the command.
///
/// # Errors
/// [`Stopped`].
pub(super) async fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(Stopped::Usage(
            "there is no terminal to ask on; hint: look with `dlq list` first, then purge with --yes"
                .into(),
        ));
    }
    let queues = args.place.open()?;
    // What dies after the question is not deleted.
    let filter = args.filters.at(queues.clock.now()).died_before(queues.clock.now());
    let stop = Stop::listen();
    if !args.yes && !agreed(&queues, &filter, &stop, output).await? {
        output.note("nothing was deleted");
        return Ok(Ending::Found);
    }
    let mut scan = Scan::new(&queues, stop.signal(), Mode::Drain);
    let bar = output.progress(Some(scan.total().await?));
    let mut purged = Purged::default();
    while !filter.is_enough(purged.matched) {
        let seen = scan.next(filter.room(purged.matched, AT_ONCE)).await?;
        if seen.is_empty() {
            break;
        }
        bar.inc(seen.len() as u64);
        let letters: Vec<DeadLetter> =
            seen.into_iter().filter(|letter| filter.matches(letter)).collect();
        let left = scan.remove(letters.iter().map(|letter| letter.message_id.as_str())).await;
        purged.matched += letters.len() as u64;
        purged.purged += letters.len() as u64 - left;
        for letter in letters {
            *purged.reasons.entry(letter.reason).or_default() += 1;
        }
    }
    bar.finish_and_clear();
    let unseen = scan.unseen;
    scan.hand_back().await;
    output.result(&purged, || text(&purged))?;
    note_unseen(unseen, output);
    let is_done = purged.purged == purged.matched && unseen.is_none() && !stop.is_requested();
    Ok(if is_done { Ending::Done } else { Ending::Found })
}

/// Counts what matches, shows it, and asks.
async fn agreed(
    queues: &Queues,
    filter: &Filter,
    stop: &Stop,
    output: &Output,
) -> Result<bool, Stopped> {
    let mut scan = Scan::new(queues, stop.signal(), Mode::Peek);
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    let mut count = 0;
    while !filter.is_enough(count) {
        let seen = scan.next(AT_ONCE).await?;
        if seen.is_empty() {
            break;
        }
        for letter in seen.into_iter().filter(|letter| filter.matches(letter)) {
            if !filter.is_enough(count) {
                count += 1;
                *reasons.entry(letter.reason).or_default() += 1;
            }
        }
    }
    let unseen = scan.unseen;
    scan.hand_back().await;
    if stop.is_requested() {
        return Ok(false);
    }
    for (reason, count) in &reasons {
        output.note(format!("{reason}  {count}"));
    }
    if unseen.behind > 0 {
        output.note(format!(
            "and those that match among {} more, which are hidden behind these",
            unseen.behind
        ));
    }
    output.note(format!("Delete these {count} dead letters permanently? Type yes:"));
    Ok(stop.is_yes_typed().await)
}

fn text(purged: &Purged) -> String {
    let Purged { matched, purged, reasons } = purged;
    let mut text = format!("{purged} of {matched} dead letters deleted");
    for (reason, count) in reasons {
        text.push_str(&format!("\n  {reason} {count}"));
    }
    text
}
