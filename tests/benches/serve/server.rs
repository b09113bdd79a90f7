//! `milepost serve` in a process of its own, with nobody to write to: HubSpot is away, and events
//! stay on the queue.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tests::{binaries, runtime_api};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use crate::slow_disk;

/// A server. It is killed when this value goes.
pub(crate) struct Server {
    process: Child,
    /// `127.0.0.1:40000`.
    pub(crate) address: String,
}

impl Server {
    /// Starts it on this folder. New events wait for `window_s` before a worker sees them.
    pub(crate) async fn start(folder: &Path, window_s: u32) -> Server {
        // A port that nobody listens on any more.
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let mut process = Command::new(binaries::milepost().await.unwrap())
            .args(["serve", "--json", "--listen", "127.0.0.1:0", "--window", &window_s.to_string()])
            .arg("--data")
            .arg(folder)
            .env_clear()
            .envs(slow_disk::variable())
            .env("ENABLE_CRM_PROGRESS", "true")
            .env("HUBSPOT_BASE_URL", format!("http://{nobody}"))
            .env("HUBSPOT_PRIVATE_APP_TOKEN", "pat-na1-none")
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let ready = lines.next_line().await.unwrap().unwrap();
        let ready: Value = serde_json::from_str(&ready).unwrap();
        let address = ready["api"].as_str().unwrap().trim_start_matches("http://").to_owned();
        Server { process, address }
    }

    /// The most memory that it has held so far, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        runtime_api::memory(self.process.id().unwrap()).unwrap()
    }

    /// What processors have spent on it so far.
    pub(crate) fn cpu(&self) -> Duration {
        runtime_api::cpu(self.process.id().unwrap()).unwrap()
    }

    /// Ends it.
    pub(crate) async fn stop(mut self) {
        self.process.kill().await.unwrap();
    }
}
