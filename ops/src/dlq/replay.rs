//! `milepost dlq replay`: sends dead letters back to the events queue, and prints what became of
//! each. The replay itself is `dead_letters::replay`.

use std::time::Duration;

pub(crate) use dead_letters::replay::send;
use dead_letters::replay::{Order, Step, replay};
use dead_letters::scan::Unseen;

use super::filter::Filters;
use super::note_unseen;
use crate::ending::{Ending, Stopped};
use crate::output::Output;
use crate::queues::Place;
use crate::stop::Stop;

/// Send dead letters back to the events queue
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Send dead letters back to the events queue, in their contact's group, and say what \
                  became of each. Fix the cause first: `milepost dlq list` names it.\n\n\
                  It can be stopped and killed at any time: run it again, and it goes on. No event \
                  is lost, and none counts twice. What a killed run held is back after 30 seconds.\n\n\
                  It ends with 1 when dead letters died again or are left.",
    after_help = "Example: milepost dlq replay --reason REJECTED --dry-run\n\
                  Example: milepost dlq replay --reason REJECTED --rate 50\n\
                  Read on in docs/queue.md, Reasons."
)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    filters: Filters,

    /// Say what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,

    /// Maximum dead letters per second, as 50 or 50/s
    #[arg(long, value_name = "RATE", default_value = "100", value_parser = per_second)]
    rate: u32,

    /// Maximum time to wait for the worker, to say how each ended; 0 does not wait
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    follow: u32,
}

/// Runs the command.
///
/// # Errors
/// [`Stopped`].
pub(super) async fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    let queues = args.place.open()?;
    let stop = Stop::listen();
    let order = Order {
        filter: args.filters.at(queues.clock.now()),
        rate: args.rate,
        is_dry_run: args.dry_run,
        follow_max: Duration::from_secs(args.follow.into()),
    };
    let mut bar = output.progress(None);
    let mut tell = |step| match step {
        Step::Begun { total } => bar = output.progress(Some(total)),
        Step::Scanned { seen, sent, skipped } => {
            bar.set_position(seen);
            bar.set_message(format!("{sent} sent, {skipped} skipped"));
        }
        Step::Following { depth } => {
            if bar.length().is_some() {
                bar.finish_and_clear();
                bar = output.progress(None);
            }
            bar.set_message(format!("{depth} events on the queue"));
            bar.tick();
        }
    };
    let replayed = replay(&queues, &order, stop.signal(), &mut tell).await;
    bar.finish_and_clear();
    let report = replayed.report;
    output.result(&report.document(), || report.text())?;
    note_unseen(Unseen { behind: report.behind, in_other_hands: report.in_other_hands }, output);
    if let Some(fault) = replayed.fault {
        return Err(fault.into());
    }
    if report.is_unfinished() {
        output.note("hint: run it again; it goes on with what is left");
    }
    Ok(if report.is_all_well() { Ending::Done } else { Ending::Found })
}

/// `50` or `50/s`.
fn per_second(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    number
        .parse()
        .ok()
        .filter(|rate| *rate > 0)
        .ok_or_else(|| "write it like 50 or 50/s, and at least 1".to_owned())
}
