//! `milepost dlq export`: dead letters as JSON lines, whole.

use super::filter::Filters;
use super::note_unseen;
use super::walk::{AT_ONCE, Manner, Walk};
use crate::ending::{Ending, Stopped};
use crate::output::Output;
use crate::queues::Place;
use crate::stop::Stop;

/// Write dead letters down as JSON lines, addresses included
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Write dead letters to standard output as JSON lines: reason, and the envelope \
                  with e-mail and all. Treat the file as what it is: personal data.\n\n\
                  The letters stay on the queue. Where a contact has more than ten, those in front \
                  are put at the end to reach the ones behind: the order changes, nothing else.\n\n\
                  `milepost track --envelopes` puts the lines on the events queue again, after an \
                  edit too: a wrong address can be corrected in `envelope.contact`.",
    after_help = "Example: milepost dlq export --reason INVALID_EMAIL > letters.jsonl\n\
                  Then, corrected: milepost track --envelopes letters.jsonl\n\
                  Read on in docs/queue.md, Reasons."
)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    filters: Filters,
}

/// Runs the command.
///
/// # Errors
/// [`Stopped`].
pub(super) async fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    let queues = args.place.open()?;
    let meant = args.filters.meant(queues.clock.now());
    let stop = Stop::listen();
    let mut walk = Walk::new(&queues, stop.signal(), Manner::Insists);
    let bar = output.progress(Some(walk.total().await?));
    let mut written = 0;
    let mut told = Ok(());
    'walk: while !meant.is_enough(written) {
        let seen = walk.next(AT_ONCE).await?;
        if seen.is_empty() {
            break;
        }
        bar.inc(seen.len() as u64);
        for letter in seen.iter().filter(|letter| meant.includes(letter)) {
            if meant.is_enough(written) {
                break 'walk;
            }
            told = bar.suspend(|| output.json_line(&letter.exported()));
            if told.is_err() {
                break 'walk;
            }
            written += 1;
        }
    }
    bar.finish_and_clear();
    let unseen = walk.unseen;
    walk.hand_back().await;
    told?;
    output.note(format!("{written} letters exported"));
    note_unseen(unseen, output);
    let is_whole = unseen.is_none() && !stop.is_requested();
    Ok(if is_whole { Ending::Done } else { Ending::Found })
}
