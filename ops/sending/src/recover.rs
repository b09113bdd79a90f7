//! `milepost recover`: events that ingest logged while the queue was away, put on the queue.
//!
//! `found` finds the fallback lines in whatever a log was exported as. The message is the one that
//! ingest would have sent, deduplication id and all: what the queue took after all, it stores once.

mod found;

use command::ending::{Ending, Stopped};
use command::output::Output;
use command::queues::Place;

use std::path::PathBuf;

use crate::requeue;

/// Put the events on the queue that ingest logged when the queue was away
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Put the events on the queue that ingest logged when the queue was away: the lines \
                  `Failed to persist event to CRM` with a field `fallback`. Other lines are \
                  skipped.\n\n\
                  The file may be a local log, plain lines of CloudWatch with or without a time \
                  before them, what `aws logs filter-log-events`, `get-log-events` or `tail` print, \
                  the results of Logs Insights as JSON or CSV.\n\n\
                  It can be run again: the same event never counts twice. It ends with 1 when a \
                  line could not be understood, and names it.",
    after_help = "Example: milepost recover fallback.jsonl\n\
                  Example: aws logs filter-log-events --log-group-name … | milepost recover -\n\
                  Read on in docs/operate.md, Events in fallback."
)]
pub struct Args {
    /// The log; - reads standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,

    /// Maximum events a second [default: no limit]
    #[arg(long, value_name = "EVENTS", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,

    #[command(flatten)]
    place: Place,
}

/// Runs the command.
///
/// # Errors
/// [`Stopped`].
pub async fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    let queues = args.place.open()?;
    requeue::run(&args.file, found::in_line, args.rate, &queues, output).await
}
