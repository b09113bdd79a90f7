//! `milepost` as a process, and HTTP to it: the world as a shell sees it.
//!
//! **Invariant**: no process outlives its test, and none sees the variables of whoever runs it.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use host::clock::SystemClock;
use serde_json::Value;
use shared::ports::Clock as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// The longest that anything here is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// The command line, not yet run, in the repository's root.
pub(crate) fn milepost(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
    command
        .args(arguments)
        .env_clear()
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// A stack that runs.
pub(crate) struct Running {
    child: Child,
    /// What it printed when it was ready.
    pub(crate) ready: Value,
}

impl Running {
    /// Starts `milepost local --json` on free ports and waits until it is ready.
    pub(crate) async fn local(arguments: &[&str]) -> Self {
        let mut command = milepost(&["local", "--json", "--port", "0"]);
        // A restart leaves alone for so long what its predecessor had in hand.
        command.args(arguments).env("QUARANTINE_S", "1");
        Self::start(&mut command).await
    }

    /// Starts a stack that prints JSON and waits until it is ready.
    pub(crate) async fn start(command: &mut Command) -> Self {
        Self::start_telling(command, Stdio::null()).await
    }

    /// The same, with its log lines put there.
    pub(crate) async fn start_telling(command: &mut Command, log: Stdio) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        let first = first.expect("it starts in time").unwrap().expect("it starts");
        Self { child, ready: serde_json::from_str(&first).unwrap() }
    }

    /// The HTTP API.
    pub(crate) fn api(&self) -> &str {
        self.ready["api"].as_str().unwrap()
    }

    /// The simulator.
    pub(crate) fn portal(&self) -> &str {
        self.ready["portal"].as_str().unwrap()
    }

    /// Sends a signal by name, as a shell does, and waits for the end.
    pub(crate) async fn stop(mut self, signal: &str) -> (ExitStatus, Duration) {
        let clock = SystemClock::start();
        let kill = format!("kill -{signal} {}", self.child.id().unwrap());
        assert!(Command::new("sh").args(["-c", &kill]).status().await.unwrap().success());
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        (ended.expect("it ends in time").unwrap(), clock.uptime())
    }
}

/// An HTTP client.
pub(crate) fn client() -> reqwest::Client {
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
}

/// Posts JSON; the status and the JSON that comes back.
pub(crate) async fn post(
    client: &reqwest::Client,
    url: &str,
    body: String,
) -> Result<(u16, Value), reqwest::Error> {
    let request = client.post(url).header("content-type", "application/json").body(body);
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    let body = answer.bytes().await?;
    Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
}

/// Gets JSON.
pub(crate) async fn get(client: &reqwest::Client, url: &str) -> Value {
    let answer = client.get(url).send().await.unwrap().bytes().await.unwrap();
    serde_json::from_slice(&answer).unwrap()
}

/// Asks again until what is wanted is there; how long that took. The error says what is lacking.
pub(crate) async fn eventually<T>(
    mut ask: impl AsyncFnMut() -> Result<T, String>,
) -> (T, Duration) {
    let clock = SystemClock::start();
    loop {
        match ask().await {
            Ok(answer) => return (answer, clock.uptime()),
            Err(lacking) => assert!(clock.uptime() < PATIENCE, "in vain: {lacking}"),
        }
        clock.sleep(Duration::from_millis(50)).await;
    }
}
