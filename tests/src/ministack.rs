//! ministack, an emulator that speaks SQS's JSON protocol, as a process of the test's own.
//!
//! The first call makes a Python environment under `target/tools/` from `tests/requirements.txt`;
//! all that is needed is a `python3` with `venv`. A lock file keeps parallel tests from doing it
//! twice. The process listens on a free loopback port and ends with the value that holds it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName as Attribute;
use sqs::client::{ClientSettings, Identity, Timeouts, Trust};
use tempfile::TempDir;

/// What the environment holds.
const REQUIREMENTS: &str = include_str!("../requirements.txt");

/// How often a start is looked at, and how many looks it gets: 30 s for a busy machine.
const LOOK_EVERY: Duration = Duration::from_millis(100);
pub(crate) const LOOKS_MAX: u32 = 300;

/// Another process may take the free port before the one that was started does.
pub(crate) const STARTS_MAX: u32 = 5;

/// A running ministack. It is killed when the value is dropped.
pub struct Ministack {
    process: Child,
    port: u16,
    /// Where it unpacks functions. It goes with the process.
    _folder: TempDir,
}

/// How the queues of a test are made.
#[derive(Debug, Clone, Copy)]
pub struct QueueShape {
    /// `DelaySeconds` of the events queue.
    pub delay: Duration,
    /// `maxReceiveCount` of its redrive policy.
    pub max_receive_count: u32,
}

/// A FIFO queue and its dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueUrls {
    /// The queue of events.
    pub events: String,
    /// The queue of dead letters.
    pub dead_letters: String,
}

impl Ministack {
    /// Starts one and waits until it answers.
    pub async fn start() -> Result<Ministack> {
        let program = tokio::task::spawn_blocking(program).await??;
        for _ in 0..STARTS_MAX {
            let mut ministack = Ministack::spawn(&program)?;
            if ministack.answers().await? {
                return Ok(ministack);
            }
        }
        anyhow::bail!("ministack did not start on any of {STARTS_MAX} free ports")
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// What a client of it is made from.
    pub fn client_settings(&self) -> ClientSettings {
        ClientSettings {
            identity: Identity {
                region: "us-east-1".to_owned(),
                access_key_id: "test".to_owned(),
                secret_access_key: "test".to_owned(),
                session_token: None,
            },
            endpoint: Some(self.endpoint()),
            timeouts: Timeouts { attempt: Duration::from_secs(20), ..Timeouts::default() },
            trust: Trust::Public,
        }
    }

    /// Makes `NAME.fifo` and `NAME-dlq.fifo` in high-throughput mode, the second as the first's
    /// dead-letter queue.
    pub async fn create_queues(&self, name: &str, shape: QueueShape) -> Result<QueueUrls> {
        let client = sqs::client(&self.client_settings());
        let dead_letters = create_fifo(&client, &format!("{name}-dlq.fifo"), &[]).await?;
        let described = client
            .get_queue_attributes()
            .queue_url(&dead_letters)
            .attribute_names(Attribute::QueueArn)
            .send()
            .await?;
        let arn = described.attributes().and_then(|all| all.get(&Attribute::QueueArn));
        let redrive = serde_json::json!({
            "deadLetterTargetArn": arn.context("the dead-letter queue has no ARN")?,
            "maxReceiveCount": shape.max_receive_count,
        });
        let attributes = [
            (Attribute::DelaySeconds, shape.delay.as_secs().to_string()),
            (Attribute::RedrivePolicy, redrive.to_string()),
        ];
        let events = create_fifo(&client, &format!("{name}.fifo"), &attributes).await?;
        Ok(QueueUrls { events, dead_letters })
    }

    fn spawn(program: &Path) -> Result<Ministack> {
        // Bound and let go: the port is free just now.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let folder = tempfile::tempdir_in(tools())?;
        let process = Command::new(program)
            .env("GATEWAY_PORT", port.to_string())
            .env("BIND_HOST", Ipv4Addr::LOCALHOST.to_string())
            // Its functions get this variable too, and so reach its other services.
            .env("AWS_ENDPOINT_URL", format!("http://{}:{port}", Ipv4Addr::LOCALHOST))
            .env("LOG_LEVEL", "ERROR")
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} can't be started", program.display()))?;
        Ok(Ministack { process, port, _folder: folder })
    }

    /// Whether it comes up; false if it ended instead.
    async fn answers(&mut self) -> Result<bool> {
        let client = sqs::client(&self.client_settings());
        for _ in 0..LOOKS_MAX {
            if self.process.try_wait()?.is_some() {
                return Ok(false);
            }
            if tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.is_ok()
                && client.list_queues().send().await.is_ok()
            {
                return Ok(true);
            }
            pause().await;
        }
        Ok(false)
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        // It may have ended by itself; waiting for it leaves no zombie behind.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "another process is waited for, in real time")]
pub(crate) async fn pause() {
    tokio::time::sleep(LOOK_EVERY).await;
}

async fn create_fifo(
    client: &Client,
    name: &str,
    attributes: &[(Attribute, String)],
) -> Result<String> {
    let mut call = client
        .create_queue()
        .queue_name(name)
        .attributes(Attribute::FifoQueue, "true")
        .attributes(Attribute::DeduplicationScope, "messageGroup")
        .attributes(Attribute::FifoThroughputLimit, "perMessageGroupId");
    for (name, value) in attributes {
        call = call.attributes(name.clone(), value);
    }
    let created = call.send().await?;
    Ok(created.queue_url().context("a new queue has no URL")?.to_owned())
}

/// The path of ministack's program, installed if need be.
fn program() -> Result<PathBuf> {
    let environment = python_environment()?;
    Ok(environment.join("bin/ministack"))
}

/// The Python environment of `tests/requirements.txt`, made or brought up to date if need be.
pub fn python_environment() -> Result<PathBuf> {
    let tools = tools();
    fs::create_dir_all(&tools)?;
    let lock = File::create(tools.join("python.lock"))?;
    lock.lock()?;
    let environment = tools.join("python");
    let stamp = environment.join("requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == REQUIREMENTS) {
        return Ok(environment);
    }
    let requirements = tools.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS)?;
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    run(Command::new(environment.join("bin/python")).args(pip).arg(&requirements))?;
    fs::write(&stamp, REQUIREMENTS)?;
    Ok(environment)
}

/// Where what the tests install lies, beside the compiler's own results.
pub(crate) fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools")
}

pub(crate) fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| {
        format!("{command:?} can't be started; hint: install python3 with venv")
    })?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {said}");
    Ok(())
}
