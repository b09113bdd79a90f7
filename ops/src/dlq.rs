//! `milepost dlq`: the dead letters, over whichever queue holds them.
//!
//! A [`walk`] receives every letter and holds it, [`filter`] says which are meant, and each command
//! does its own with those (what they share with the console stands in `dead_letters`): [`list`] and [`show`] look, [`export`] writes them down, [`replay`]
//! sends them back, [`purge`] deletes them.
//!
//! **Invariant**: nobody is named in what is printed, unless the operator asked for that.

mod export;
mod filter;
mod list;
mod purge;
pub(crate) mod replay;
mod show;

use clap::Subcommand;
pub(crate) use dead_letters::{letter, reasons, walk};

use crate::ending::{Ending, Stopped};
use crate::output::Output;

/// Look at dead letters, replay, export or purge them
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Look at dead letters, replay, export or purge them.\n\n\
                  A dead letter is an event that can't succeed as it is; it says why. Look at them \
                  with `list` and `show`, mend the cause, then `replay`. Nothing expires before 14 \
                  days.\n\n\
                  The queue is SQS's, as QUEUE_URL and DLQ_URL say, or with --data the one of a \
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

/// Says what a walk did not see.
pub(crate) fn note_unseen(unseen: walk::Unseen, output: &Output) {
    let walk::Unseen { behind, in_other_hands } = unseen;
    if behind > 0 {
        output.note(format!(
            "note: {behind} more stand behind letters of the same contact, where a queue does not \
             show them; `dlq export` brings all"
        ));
    }
    if in_other_hands > 0 {
        output.note(format!(
            "note: {in_other_hands} more are in other hands, of another command or of one that was \
             killed; they are back after {} s at most",
            walk::HOLD.as_secs()
        ));
    }
}
