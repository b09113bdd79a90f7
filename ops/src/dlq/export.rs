//! `milepost dlq export`: dead letters as JSON lines, whole.

use super::filter::Filters;
use super::note_unseen;
use super::scan::{AT_ONCE, Mode, Scan};
use crate::ending::{Ending, Stopped};
use crate::output::Output;
use crate::queues::Place;
use crate::stop::Stop;

/// Write dead letters down as JSON lines, addresses included
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Write dead letters to standard output as JSON lines: the reason, and the whole \
                  envelope with e-mail. The file is personal data: treat it as such.\n\n\
                  The dead letters stay on the queue. If a contact has more than ten, the first \
                  ones are put at the end to reach the rest: only the order changes.\n\n\
                  `milepost track --envelopes` puts the lines on the events queue again. Edit them \
                  first to correct a wrong address, in `envelope.contact`.",
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
    let filter = args.filters.at(queues.clock.now());
    let stop = Stop::listen();
    let mut scan = Scan::new(&queues, stop.signal(), Mode::Drain);
    let bar = output.progress(Some(scan.total().await?));
    let mut written = 0;
    let mut printed = Ok(());
    'scan: while !filter.is_enough(written) {
        let seen = scan.next(AT_ONCE).await?;
        if seen.is_empty() {
            break;
        }
        bar.inc(seen.len() as u64);
        for letter in seen.iter().filter(|letter| filter.matches(letter)) {
            if filter.is_enough(written) {
                break 'scan;
            }
            printed = bar.suspend(|| output.json_line(&letter.exported()));
            if printed.is_err() {
                break 'scan;
            }
            written += 1;
        }
    }
    bar.finish_and_clear();
    let unseen = scan.unseen;
    scan.hand_back().await;
    printed?;
    output.note(format!("{written} dead letters exported"));
    note_unseen(unseen, output);
    let is_whole = unseen.is_none() && !stop.is_requested();
    Ok(if is_whole { Ending::Done } else { Ending::Found })
}
