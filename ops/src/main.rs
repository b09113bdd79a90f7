//! `milepost`, the one command line: the local stack, the self-hosted server, and operation.
//!
//! Arguments are parsed ([`cli`]), the command runs, and how it ended becomes the exit code. A
//! command is one file: its arguments, its help, its `run`. All of them say what they have to say
//! through [`output`].
//!
//! **Invariant**: data goes to standard output and everything else to standard error; with
//! `--json`, standard output holds JSON and nothing else.

mod catalog;
mod cli;
mod crm;
mod ending;
mod example_catalog;
mod local;
mod output;
mod properties;
mod serve;
mod stack;
mod track;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::Cli;
use crate::ending::Stopped;
use crate::output::Output;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::of_process(cli.json);
    let ended = tokio::runtime::Runtime::new()
        .map_err(|error| Stopped::Usage(format!("the runtime can't be started: {error}")))
        .and_then(|runtime| runtime.block_on(cli.run(&output)));
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
