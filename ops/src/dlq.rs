//! `milepost dlq`: the dead letters, over whichever queue holds them.
//!
//! A [`scan`] receives every dead letter and holds it, and [`filter`] says which ones were chosen.
//! [`list`] and [`show`] print them, [`export`] writes them down, [`replay`] sends them back, [`purge`]
//! deletes them. What these commands share with the console is in `dead_letters`.
//!
//! **Invariant**: the output names no person, unless the operator asked for it.

mod export;
mod filter;
mod list;
mod purge;
pub(crate) mod replay;
mod show;

use clap::Subcommand;
pub(crate) use dead_letters::{dead_letter, reasons, scan};

use crate::ending::{Ending, Stopped};
use crate::output::Output;

/// Look at dead letters, replay, export or purge them
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Look at dead letters, replay, export or purge them.\n\n\
                  A dead letter is an event that can't succeed as it is; it says why. Look at them \
                  with `list` and `show`, fix the cause, then `replay`. Nothing expires before 14 \
                  days.\n\n\
                  The queues are those of QUEUE_URL and DLQ_URL on SQS, or with --data those of a \
                  `serve` or `local`, which may be running.",
    after_help = "Example: milepost dlq list && milepost dlq replay --reason REJECTED --dry-run\n\
                  Read on in docs/queue.md, Reasons."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(list::Args),
    Show(show::Args),
    Replay(replay::Args),
    Export(export::Args),
    Purge(purge::Args),
}

/// Runs the command.
///
/// # Errors
/// [`Stopped`].
pub(crate) async fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    match args.action {
        Action::List(args) => list::run(args, output).await,
        Action::Show(args) => show::run(args, output).await,
        Action::Replay(args) => replay::run(args, output).await,
        Action::Export(args) => export::run(args, output).await,
        Action::Purge(args) => purge::run(args, output).await,
    }
}

/// Says what a scan did not see.
pub(crate) fn note_unseen(unseen: scan::Unseen, output: &Output) {
    let scan::Unseen { behind, in_other_hands } = unseen;
    if behind > 0 {
        output.note(format!(
            "note: {behind} more are hidden behind dead letters of the same contact; `dlq export` \
             reaches all"
        ));
    }
    if in_other_hands > 0 {
        output.note(format!(
            "note: another command holds {in_other_hands} more, or held them when it was killed; they \
             are back within {} s",
            scan::HOLD.as_secs()
        ));
    }
}
