//! `milepost dlq purge`: dead letters deleted for good, after a yes.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;

use dead_letters::meant::Meant;
use serde::Serialize;

use super::filter::Filters;
use super::letter::Letter;
use super::note_unseen;
use super::walk::{AT_ONCE, Manner, Walk};
use crate::ending::{Ending, Stopped};
use crate::output::Output;
use crate::queues::{Place, Queues};
use crate::stop::Stop;

/// Delete dead letters for good
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Delete dead letters for good: those that the filters name, and without a filter \
                  all of them. It says what it would delete and asks; without a terminal it needs \
                  --yes.\n\n\
                  Their events are lost then. `milepost dlq export` keeps them.",
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
    /// Letters that are meant.
    matched: u64,
    /// Letters that are gone.
    purged: u64,
    /// By reason, how many were meant.
    reasons: BTreeMap<String, u64>,
}

/// Runs the command.
///
/// # Errors
/// [`Stopped`].
pub(super) async fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(Stopped::Usage(
            "nobody can be asked here; hint: look with `dlq list` first, then purge with --yes"
                .into(),
        ));
    }
    let queues = args.place.open()?;
    // What dies after the question is not part of the answer.
    let meant = args.filters.meant(queues.clock.now()).that_died_before(queues.clock.now());
    let stop = Stop::listen();
    if !args.yes && !agreed(&queues, &meant, &stop, output).await? {
        output.note("nothing was deleted");
        return Ok(Ending::Found);
    }
    let mut walk = Walk::new(&queues, stop.signal(), Manner::Insists);
    let bar = output.progress(Some(walk.total().await?));
    let mut purged = Purged::default();
    while !meant.is_enough(purged.matched) {
        let seen = walk.next(meant.room(purged.matched, AT_ONCE)).await?;
        if seen.is_empty() {
            break;
        }
        bar.inc(seen.len() as u64);
        let letters: Vec<Letter> =
            seen.into_iter().filter(|letter| meant.includes(letter)).collect();
        let left = walk.remove(letters.iter().map(|letter| letter.message_id.as_str())).await;
        purged.matched += letters.len() as u64;
        purged.purged += letters.len() as u64 - left;
        for letter in letters {
            *purged.reasons.entry(letter.reason).or_default() += 1;
        }
    }
    bar.finish_and_clear();
    let unseen = walk.unseen;
    walk.hand_back().await;
    output.result(&purged, || text(&purged))?;
    note_unseen(unseen, output);
    let is_done = purged.purged == purged.matched && unseen.is_none() && !stop.is_requested();
    Ok(if is_done { Ending::Done } else { Ending::Found })
}

/// Counts what is meant, says so, and asks.
async fn agreed(
    queues: &Queues,
    meant: &Meant,
    stop: &Stop,
    output: &Output,
) -> Result<bool, Stopped> {
    let mut walk = Walk::new(queues, stop.signal(), Manner::Looks);
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    let mut count = 0;
    while !meant.is_enough(count) {
        let seen = walk.next(AT_ONCE).await?;
        if seen.is_empty() {
            break;
        }
        for letter in seen.into_iter().filter(|letter| meant.includes(letter)) {
            if !meant.is_enough(count) {
                count += 1;
                *reasons.entry(letter.reason).or_default() += 1;
            }
        }
    }
    let unseen = walk.unseen;
    walk.hand_back().await;
    if stop.is_requested() {
        return Ok(false);
    }
    for (reason, count) in &reasons {
        output.note(format!("{reason}  {count}"));
    }
    if unseen.behind > 0 {
        output.note(format!("and of {} more, behind these, those that are meant", unseen.behind));
    }
    output.note(format!("Delete these {count} letters for good? Type yes:"));
    Ok(stop.is_yes_typed().await)
}

fn text(purged: &Purged) -> String {
    let Purged { matched, purged, reasons } = purged;
    let mut text = format!("{purged} of {matched} letters deleted");
    for (reason, count) in reasons {
        text.push_str(&format!("\n  {reason} {count}"));
    }
    text
}
