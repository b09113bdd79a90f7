//! The process's variables, and how a start that can't be made ends.
//!
//! Settings are read through [`lookup`] and nowhere else. What is wrong with them is one line on
//! standard error and an exit code, whoever starts the process: a shell, Lambda, a supervisor.

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

/// The exit code of a start that a setting stops: the caller's mistake.
pub const EXIT_USAGE: u8 = 2;

/// A variable of the process. One that is no Unicode is taken as absent, and what needs it says so.
#[expect(clippy::disallowed_methods, reason = "this is the home of the environment")]
pub fn lookup(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Says why the process can't start, in one line on standard error, and gives its exit code.
pub fn stop_with(problem: &dyn Display) -> ExitCode {
    // If standard error is closed there is nobody to tell; the exit code still speaks.
    let _told = writeln!(std::io::stderr().lock(), "cannot start: {problem}");
    ExitCode::from(EXIT_USAGE)
}
