//! `milepost`, the one command line: the local stack, the self-hosted server, and operation.
//!
//! Arguments are parsed ([`cli`]), the command runs, and how it ended becomes the exit code. A
//! command is one file, here or in a package below: its arguments, its help, its `run`. All of them
//! print through [`output`].
//!
//! **Invariant**: data goes to standard output and everything else to standard error; with
//! `--json`, standard output holds JSON and nothing else.

mod audit;
mod backfill;
mod catalog;
mod cli;
mod completions;
mod console;
mod contact;
mod dlq;
mod example_catalog;
mod local;
mod repair;
mod serve;
mod stack;

use std::process::ExitCode;

use ::dead_letters::pace;
use clap::Parser as _;
use command::{aws, crm, ending, output, queues, stop};

use crate::cli::Cli;
use crate::ending::Stopped;
use crate::output::Output;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::of_process(cli.json);
    let ended = match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let ended = runtime.block_on(cli.run(&output));
            // What still hangs, a name look-up for one, must not hold up the end.
            runtime.shutdown_background();
            ended
        }
        Err(error) => Err(Stopped::Usage(format!("the runtime can't be started: {error}"))),
    };
    match ended {
        Ok(ending) => ending.into(),
        Err(stopped) => {
            if let Some(text) = stopped.text() {
                output.error(text);
            }
            stopped.into()
        }
    }
}
