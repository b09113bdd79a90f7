//! A command that ran to its end, and what it left on its outputs.

use std::process::Output;

use serde_json::Value;
use tokio::process::Command;

use crate::process::PATIENCE;

/// Runs a command to its end.
pub(crate) async fn run(command: &mut Command) -> Output {
    let ended = tokio::time::timeout(PATIENCE, command.output());
    ended.await.expect("it ends in time").expect("it can be started")
}

/// What stands on standard output.
pub(crate) fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

/// What stands on standard error.
pub(crate) fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// The one JSON document on standard output.
#[track_caller]
pub(crate) fn document(output: &Output) -> Value {
    serde_json::from_str(stdout(output)).expect("standard output is one JSON document")
}
