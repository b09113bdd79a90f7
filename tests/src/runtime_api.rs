//! Lambda's Runtime API with one function behind it, for benches: it adds as little of its own time
//! as it can, and tells what the function's process has cost.
//!
//! Tests use AWS's own [emulator](crate::emulator), which is the better judge of what a function may
//! do, and whose time is many times that of a function.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use shared::ports::Clock;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::emulator::Variables;
use crate::http_stub::{self, Answer, Request};

/// The longest that a function may keep the bench waiting.
const PATIENCE: Duration = Duration::from_secs(30);
/// Far enough away for any bench: the year 2100, in milliseconds.
const DEADLINE_MS: u64 = 4_102_444_800_000;

/// A function that has been started, and has asked for work.
pub struct RunningFunction {
    process: Child,
    asks: mpsc::UnboundedReceiver<Ask>,
    /// The request for work that waits for its answer.
    next: oneshot::Sender<String>,
    clock: Arc<dyn Clock>,
    server: JoinHandle<()>,
    /// What the start has cost.
    pub start: Start,
}

/// From the start of a process to its first request for work.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// As everybody sees it.
    pub time: Duration,
    /// What processors spent on it: the same on a busy machine as on an idle one, or nearly.
    pub cpu: Duration,
    /// The most memory that it held, in bytes.
    pub memory: u64,
}

/// What a function asks of the API.
enum Ask {
    Next(oneshot::Sender<String>),
    Done { body: Vec<u8>, is_error: bool, at: Duration },
}

impl RunningFunction {
    /// Starts a function with these variables, those that Lambda sets, and no others.
    ///
    /// # Errors
    /// When it does not ask for work.
    pub async fn start(
        program: &Path,
        variables: &Variables,
        clock: Arc<dyn Clock>,
    ) -> Result<RunningFunction> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (tell, mut asks) = mpsc::unbounded_channel();
        let server = tokio::spawn(serve(listener, tell, Arc::clone(&clock)));
        let begun_at = clock.uptime();
        let process = spawn(program, variables, address)?;
        let next = next(&mut asks).await?;
        let time = clock.uptime() - begun_at;
        let id = process.id().context("the function has ended")?;
        let start = Start { time, cpu: cpu(id)?, memory: memory(id)? };
        Ok(RunningFunction { process, asks, next, clock, server, start })
    }

    /// Invokes it once: its answer, and the time from the event to the answer.
    ///
    /// # Errors
    /// When it fails, or does not answer.
    pub async fn invoke(&mut self, event: String) -> Result<(Vec<u8>, Duration)> {
        let (ended, _) = oneshot::channel();
        let waiting = std::mem::replace(&mut self.next, ended);
        let given_at = self.clock.uptime();
        ensure!(waiting.send(event).is_ok(), "the function no longer waits for an event");
        let ask = timeout(PATIENCE, self.asks.recv()).await.context("no answer")?;
        let Some(Ask::Done { body, is_error, at }) = ask else {
            bail!("the function asked for work before it was done")
        };
        ensure!(!is_error, "the function failed: {}", String::from_utf8_lossy(&body));
        self.next = next(&mut self.asks).await?;
        Ok((body, at - given_at))
    }

    /// The most memory that it has held so far, in bytes.
    ///
    /// # Errors
    /// When it has ended.
    pub fn memory(&self) -> Result<u64> {
        memory(self.process.id().context("the function has ended")?)
    }

    /// What processors have spent on it so far.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cpu(&self) -> Result<Duration> {
        cpu(self.process.id().context("the function has ended")?)
    }
}

impl Drop for RunningFunction {
    fn drop(&mut self) {
        // The process is killed as its handle is dropped.
        self.server.abort();
    }
}

fn spawn(program: &Path, variables: &Variables, api: SocketAddr) -> Result<Child> {
    Command::new(program)
        .env_clear()
        .envs(variables)
        .env("AWS_LAMBDA_RUNTIME_API", api.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "measured")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{} can't be started", program.display()))
}

async fn next(asks: &mut mpsc::UnboundedReceiver<Ask>) -> Result<oneshot::Sender<String>> {
    match timeout(PATIENCE, asks.recv()).await.context("the function asks for no work")? {
        Some(Ask::Next(next)) => Ok(next),
        Some(Ask::Done { body, .. }) => {
            bail!("the function can't start: {}", String::from_utf8_lossy(&body))
        }
        None => bail!("the Runtime API has ended"),
    }
}

async fn serve(listener: TcpListener, tell: mpsc::UnboundedSender<Ask>, clock: Arc<dyn Clock>) {
    http_stub::serve(listener, move |request: Request| {
        let at = clock.uptime();
        let tell = tell.clone();
        async move {
            if request.line.ends_with("/invocation/next") {
                let (give, given) = oneshot::channel();
                tell.send(Ask::Next(give)).ok()?;
                let event = given.await.ok()?;
                return Some(Answer {
                    status: 200,
                    headers: format!(
                        "lambda-runtime-aws-request-id: measured\r\n\
                         lambda-runtime-deadline-ms: {DEADLINE_MS}\r\n\
                         lambda-runtime-invoked-function-arn: arn:aws:lambda:x:0:function:measured\r\n"
                    ),
                    body: event.into_bytes(),
                });
            }
            let is_error = !request.line.ends_with("/response");
            tell.send(Ask::Done { body: request.body, is_error, at }).ok()?;
            Some(Answer { status: 202, ..Answer::default() })
        }
    })
    .await;
}

/// What processors have spent on a process, whatever its threads.
///
/// # Errors
/// When there is no such process.
pub fn cpu(process: u32) -> Result<Duration> {
    let mut sum = 0;
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let spent = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        let nanoseconds = spent.split(' ').next().context("schedstat is empty")?;
        sum += nanoseconds.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(sum))
}

/// The most memory that a process has held, in bytes.
///
/// # Errors
/// When there is no such process.
pub fn memory(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).context("no VmHWM")?;
    Ok(kib.trim().parse::<u64>()? * 1_024)
}
