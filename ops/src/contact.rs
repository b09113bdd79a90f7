//! `milepost contact`: one contact, looked at or forgotten.
//!
//! Whom the operator means stands on the command line, as an e-mail or a contact id; [`named`] finds
//! all names that HubSpot and the queue know that person by.
//!
//! **Invariant**: an address that was typed is printed nowhere.

mod forget;
mod named;
mod show;

use clap::Subcommand;

use crate::ending::{Ending, Stopped};
use crate::output::Output;

/// Look at one contact, or forget one
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Look at one contact, or forget one. It asks HubSpot, as HUBSPOT_PRIVATE_APP_TOKEN \
                  says, and looks into the dead letters, as QUEUE_URL and DLQ_URL or --data say.",
    after_help = "Example: milepost contact show ada@example.org\n\
                  Read on in docs/repair.md."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Show(show::Args),
    Forget(forget::Args),
}

/// Runs the command.
///
/// # Errors
/// [`Stopped`].
pub(crate) async fn run(args: Args, output: &Output) -> Result<Ending, Stopped> {
    match args.action {
        Action::Show(args) => show::run(args, output).await,
        Action::Forget(args) => forget::run(args, output).await,
    }
}
