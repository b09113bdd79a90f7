//! The commands, and what their help says together. A command's own file says what it takes.
//!
//! To add one: a file with its `Args` and `run`, a variant of [`Command`], an arm in [`Cli::run`].

use clap::{Parser, Subcommand};
use sending::{recover, track};
use setup::{doctor, properties, quota};

use crate::ending::{Ending, Stopped};
use crate::output::Output;
use crate::{audit, backfill, catalog, completions, console, contact, dlq, local, serve};

/// Learning progress in HubSpot, without losing an event
#[derive(Debug, Parser)]
#[command(
    name = "milepost",
    version,
    max_term_width = 100,
    long_about = "Milepost takes the events of a learning site (enrolled, started, completed, \
                  viewed), keeps them on a durable queue, and brings them to HubSpot as contact \
                  properties.",
    after_help = "Example: milepost local\n\n\
                  Exit codes: 0 done, 1 found or partly failed, 2 usage, 3 the other side failed.\n\
                  Read on in docs/start.md."
)]
pub(crate) struct Cli {
    /// Print JSON on standard output, and nothing else there
    #[arg(long, global = true, display_order = 100)]
    pub(crate) json: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Local(local::Args),
    Serve(serve::Args),
    Track(track::Args),
    Dlq(dlq::Args),
    Console(console::Args),
    Recover(recover::Args),
    Audit(audit::Args),
    Backfill(backfill::Args),
    Contact(contact::Args),
    Properties(properties::Args),
    Catalog(catalog::Args),
    Quota(quota::Args),
    Doctor(doctor::Args),
    Completions(completions::Args),
    Man(completions::ManArgs),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Stopped`].
    pub(crate) async fn run(self, output: &Output) -> Result<Ending, Stopped> {
        match self.command {
            Command::Local(args) => local::run(args, output).await,
            Command::Serve(args) => serve::run(args, output).await,
            Command::Track(args) => track::run(args, output).await,
            Command::Dlq(args) => dlq::run(args, output).await,
            Command::Console(args) => console::run(args, output).await,
            Command::Recover(args) => recover::run(args, output).await,
            Command::Audit(args) => audit::run(args, output).await,
            Command::Backfill(args) => backfill::run(args, output).await,
            Command::Contact(args) => contact::run(args, output).await,
            Command::Properties(args) => properties::run(args, output).await,
            Command::Catalog(args) => catalog::run(args, output),
            Command::Quota(args) => quota::run(args, output).await,
            Command::Doctor(args) => doctor::run(args, output).await,
            Command::Completions(args) => completions::run(&args, output),
            Command::Man(args) => completions::run_man(&args, output),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_contradict_each_other_nowhere() {
        Cli::command().debug_assert();
    }
}
