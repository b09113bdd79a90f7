//! `milepost completions` and `milepost man`: what a shell and `man` know of the command line.
//!
//! Both are made from the definitions that the help comes from, so they can't fall behind it.

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;
use serde::Serialize;

use crate::cli::Cli;
use crate::ending::{Ending, Stopped};
use crate::output::Output;

/// Print a script that completes commands and options in a shell
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Print a script that completes commands and options in a shell. Put it where the \
                  shell looks for such scripts, or load it when the shell starts.",
    after_help = "Example: milepost completions bash > ~/.local/share/bash-completion/completions/milepost\n\
                  Example: milepost completions zsh > \"${fpath[1]}/_milepost\"\n\
                  Example: milepost completions fish > ~/.config/fish/completions/milepost.fish\n\
                  Read on in docs/cli.md, completions."
)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// Print a manual page
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Print the manual page of milepost, or of one of its commands, as roff.",
    after_help = "Example: milepost man | man -l -\n\
                  Example: milepost man dlq replay > /usr/local/share/man/man1/milepost-dlq-replay.1\n\
                  Read on in docs/cli.md, man."
)]
pub(crate) struct ManArgs {
    /// The command, as it is typed: `dlq replay` [default: milepost itself]
    command: Vec<String>,
}

/// What `completions --json` prints.
#[derive(Serialize)]
struct Script {
    shell: String,
    script: String,
}

/// What `man --json` prints.
#[derive(Serialize)]
struct Page {
    name: String,
    page: String,
}

/// Prints the script of a shell.
///
/// # Errors
/// [`Stopped`].
pub(crate) fn run(args: &Args, output: &Output) -> Result<Ending, Stopped> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "milepost", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    let script = Script { shell: args.shell.to_string(), script };
    output.result(&script, || script.script.clone())?;
    Ok(Ending::Done)
}

/// Prints the manual page of a command.
///
/// # Errors
/// [`Stopped`].
pub(crate) fn run_man(args: &ManArgs, output: &Output) -> Result<Ending, Stopped> {
    let mut command = Cli::command();
    command.build();
    for name in &args.command {
        let found = command.find_subcommand(name).cloned();
        command = found.ok_or_else(|| {
            Stopped::Usage(format!(
                "milepost has no command {:?}; hint: `milepost help` lists them",
                args.command.join(" ")
            ))
        })?;
    }
    let name = command.get_display_name().unwrap_or("milepost").to_owned();
    let mut page = Vec::new();
    let page_of = Man::new(command).source(concat!("milepost ", env!("CARGO_PKG_VERSION")));
    page_of.render(&mut page).map_err(Stopped::Output)?;
    let page = Page { name, page: String::from_utf8_lossy(&page).into_owned() };
    output.result(&page, || page.page.clone())?;
    Ok(Ending::Done)
}
