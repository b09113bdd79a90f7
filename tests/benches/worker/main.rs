//! What the worker costs in HubSpot calls and virtual time, against the simulator: a table to read
//! and to compare with. Time is virtual and no figure depends on the machine, but in `growth`, which
//! judges ratios. A bound that is missed ends the run with an error.
//!
//! `cargo bench -p tests --bench worker`; arguments choose the sections whose name holds them, and
//! `--short` what takes seconds, in any profile.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]
#![expect(clippy::unwrap_used, reason = "a benchmark that can't go on ends")]

mod backlog;
mod calls;
mod cost;
mod culprits;
mod growth;
mod outages;
mod people;
mod steady;
mod table;

use std::process::ExitCode;

use crate::table::Table;

/// A section: its name, whether it is part of the short run, and what prints it.
type Section = (&'static str, bool, fn(&mut Table));

const SECTIONS: [Section; 10] = [
    ("calls", true, calls::calls),
    ("backlog", true, backlog::backlog),
    ("light load", true, steady::light),
    ("steady", false, steady::steady),
    ("goals", false, steady::goals),
    ("cost", false, cost::cost),
    ("growth", true, growth::growth),
    ("culprits", false, culprits::culprits),
    ("outages", false, outages::outages),
    ("late writes", false, outages::late_writes),
];

fn main() -> ExitCode {
    let (options, wanted): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|arg| arg.starts_with("--"));
    let is_short = options.iter().any(|option| option == "--short");
    let mut table = Table::new(is_short);
    for (name, is_of_short, section) in SECTIONS {
        let is_named = wanted.iter().any(|wanted| name.contains(wanted.as_str()));
        if is_named || (wanted.is_empty() && (is_of_short || !is_short)) {
            println!("\n{name}");
            section(&mut table);
        }
    }
    let missed = table.missed();
    missed.iter().for_each(|missed| println!("\nmissed: {missed}"));
    if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
