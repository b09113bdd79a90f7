//! The three Lambda functions and the command line as compiled programs.
//!
//! `cargo test` builds no other package's binaries. So the first test that asks for a function has
//! all three built, in the profile and the target folder of the running test, and the others wait
//! for it; the command line is built by itself, since what it needs of a library is more than what
//! is deployed. Two test processes that build at once are kept apart by cargo's own lock. With
//! `MILEPOST_BINARIES=release` they are the release binaries, whatever the test's profile is, and
//! the functions are built as they are deployed, with `functions.toml`.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

/// One of the functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// The front door.
    Ingest,
    /// Messages to contacts.
    Worker,
    /// The answers.
    Reader,
}

/// The command line's package and program.
const MILEPOST: &str = "milepost";

/// What benches compare the functions with, as a program of the same profile.
pub const SMALLEST: &str = "smallest";

/// What cargo tells each test about its own package. Build scripts watch these, and would run
/// again for a build that inherits them.
const OF_THIS_PACKAGE: [&str; 4] =
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_NAME"];

impl Function {
    /// All of them.
    pub const ALL: [Function; 3] = [Function::Ingest, Function::Worker, Function::Reader];

    /// The name of its package and program.
    pub fn name(self) -> &'static str {
        match self {
            Function::Ingest => "ingest",
            Function::Worker => "worker",
            Function::Reader => "reader",
        }
    }

    /// Where its program is, built if need be.
    ///
    /// # Errors
    /// When it can't be built.
    pub async fn program(self) -> Result<&'static Path> {
        static BUILT: OnceLock<Built> = OnceLock::new();
        let packages = || build(&Function::ALL.map(Function::name));
        let built = tokio::task::spawn_blocking(move || BUILT.get_or_init(packages)).await?;
        program(built, self.name())
    }
}

/// Where the command line is, built if need be.
///
/// # Errors
/// When it can't be built.
pub async fn milepost() -> Result<&'static Path> {
    static BUILT: OnceLock<Built> = OnceLock::new();
    let built = tokio::task::spawn_blocking(|| BUILT.get_or_init(|| build(&[MILEPOST]))).await?;
    program(built, MILEPOST)
}

/// The paths of programs by name, or why there are none.
type Built = Result<BTreeMap<String, PathBuf>>;

fn program(built: &'static Built, name: &str) -> Result<&'static Path> {
    let programs = built.as_ref().map_err(|error| anyhow!("{error:#}"))?;
    let program = programs.get(name);
    program.map(PathBuf::as_path).with_context(|| format!("cargo built no {name}"))
}

/// Builds the programs of these packages; gives their paths by name.
///
/// # Errors
/// When one can't be built.
pub fn build(packages: &[&str]) -> Result<BTreeMap<String, PathBuf>> {
    let test = env::current_exe()?;
    // target/PROFILE/deps/THIS_TEST
    let profile_folder = test.ancestors().nth(2).context("the test is in no target folder")?;
    let target_folder = profile_folder.parent().context("the test is in no target folder")?;
    let profile = match profile_folder.file_name().and_then(|name| name.to_str()) {
        _ if asks_for_release() => "release",
        Some("debug") => "dev",
        Some(name) => name,
        None => anyhow::bail!("the test is in no profile's folder"),
    };
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--message-format", "json-render-diagnostics"])
        .args(["--profile", profile, "--target-dir"])
        .arg(target_folder)
        .args(packages.iter().flat_map(|package| ["--package", package]))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null());
    if profile == "release" && packages != [MILEPOST] {
        cargo.args(["--config", concat!(env!("CARGO_MANIFEST_DIR"), "/../functions.toml")]);
    }
    for (name, _) in env::vars_os() {
        if OF_THIS_PACKAGE.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            cargo.env_remove(name);
        }
    }
    let output = cargo.output().context("cargo can't be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{packages:?} can't be built: {said}");
    let messages = output.stdout.split(|byte| *byte == b'\n');
    Ok(messages.filter_map(|message| executable(&serde_json::from_slice(message).ok()?)).collect())
}

/// Whether the programs as they are deployed are wanted.
fn asks_for_release() -> bool {
    env::vars_os().any(|(name, value)| name == "MILEPOST_BINARIES" && value == "release")
}

/// The name and the path of a program, if this message of cargo's announces one.
fn executable(message: &Value) -> Option<(String, PathBuf)> {
    let path = message["executable"].as_str()?;
    Some((message["target"]["name"].as_str()?.to_owned(), PathBuf::from(path)))
}
