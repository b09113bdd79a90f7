//! `simulate`: many histories, one verdict each, and a table.

use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use simulation::{campaign, plant};

/// Lives through simulated histories and judges them.
#[derive(Parser)]
#[command(name = "simulate")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Many histories of every family.
    Run {
        /// How many in all.
        #[arg(long, default_value_t = 20_000)]
        histories: u64,
        /// The first seed.
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// Only this family.
        #[arg(long)]
        family: Option<String>,
    },
    /// One history, step by step.
    Replay {
        /// Its family.
        #[arg(long)]
        family: String,
        /// Its seed.
        #[arg(long)]
        seed: u64,
        /// The point at which a process is killed.
        #[arg(long)]
        kill_at: Option<u64>,
    },
    /// Small histories, each once for every point at which a process can be killed.
    Kills {
        /// How many seeds.
        #[arg(long, default_value_t = 300)]
        seeds: u64,
    },
    /// Makes a copy of the sources with the planted bugs.
    Plant {
        /// Where to.
        copy: PathBuf,
    },
    /// Looks for each planted bug; only the copy that `plant` makes has them.
    Planted {
        /// In so many seeds each.
        #[arg(long, default_value_t = 2_000)]
        seeds: u64,
        /// Only the bugs whose name holds this.
        #[arg(long, default_value = "")]
        only: String,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let report = match Arguments::parse().command {
        Command::Run { histories, from, family } => {
            campaign::run(histories, from, family.as_deref())?
        }
        Command::Replay { family, seed, kill_at } => campaign::replay(&family, seed, kill_at)?,
        Command::Kills { seeds } => campaign::kills(seeds)?,
        Command::Plant { copy } => {
            plant::plant(Path::new("."), &copy)?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Planted { seeds, only } => campaign::planted(seeds, &only)?,
    };
    stdout().write_all(report.text.as_bytes())?;
    Ok(if report.is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
