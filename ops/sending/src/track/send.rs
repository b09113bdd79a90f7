//! A batch out, an answer back; network faults, 429 and 5xx are tried again with full jitter.
//!
//! To send again is safe: every event has an id, and the same id never counts twice.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use command::ending::Stopped;
use reqwest::{Client, StatusCode, Url, header};
use shared::jitter::full_jitter;
use shared::ports::{Clock, Entropy};

use super::batches::Batch;
use super::lines::Unsent;

/// How often a request is tried again.
const RETRIES_MAX: u32 = 5;
/// The wait before the first retry is between zero and this; the ceiling doubles from one to the
/// next.
const RETRY_WAIT: Duration = Duration::from_millis(200);
const RETRY_WAIT_MAX: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// API Gateway cuts at 30 s.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// The way to a front door.
pub(super) struct Sender {
    client: Client,
    url: String,
    token: Option<String>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// What came of a request, after its retries.
#[derive(Debug)]
pub(super) enum Reply {
    /// An answer, whatever it says.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: Vec<u8>,
    },
    /// None, and why.
    Nothing(String),
    /// The batch isn't sent.
    Unsent(Unsent),
}

impl Sender {
    /// A way to the front door at `url`.
    ///
    /// # Errors
    /// [`Stopped::Usage`], when it can't be a front door.
    pub(super) fn new(
        url: &Url,
        token: Option<String>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Stopped> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Stopped::Usage(
                "--url is not an http address; hint: write it like http://127.0.0.1:8787".into(),
            ));
        }
        // A second call finds the provider in place, which is fine.
        let _already_installed = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .user_agent(concat!("milepost/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Stopped::Usage(format!("HTTP can't be set up: {error}")))?;
        let url = format!("{}/events/track", url.as_str().trim_end_matches('/'));
        Ok(Self { client, url, token, clock, entropy })
    }

    /// Sends a batch, with retries.
    pub(super) async fn send(&self, batch: &Batch) -> Reply {
        if let Some(why) = batch.unsent() {
            return Reply::Unsent(why.clone());
        }
        let body = Bytes::from(batch.body());
        let mut retries = 0;
        loop {
            let reply = self.attempt(body.clone()).await;
            if retries == RETRIES_MAX || !reply.is_worth_a_retry() {
                return reply;
            }
            let wait_max = RETRY_WAIT.saturating_mul(1 << retries).min(RETRY_WAIT_MAX);
            self.clock.sleep(full_jitter(self.entropy.next_u64(), wait_max)).await;
            retries += 1;
        }
    }

    async fn attempt(&self, body: Bytes) -> Reply {
        let mut request =
            self.client.post(&self.url).header(header::CONTENT_TYPE, "application/json").body(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = async {
            let answer = request.send().await?;
            let status = answer.status().as_u16();
            Ok::<_, reqwest::Error>(Reply::Answer { status, body: answer.bytes().await?.to_vec() })
        };
        answer.await.unwrap_or_else(|error| Reply::Nothing(cause(&error)))
    }
}

impl Reply {
    fn is_worth_a_retry(&self) -> bool {
        match self {
            Self::Nothing(_) => true,
            Self::Unsent(_) => false,
            Self::Answer { status, .. } => {
                *status == StatusCode::TOO_MANY_REQUESTS.as_u16() || *status >= 500
            }
        }
    }
}

/// The innermost cause says it best: "connection refused", not "error sending request".
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
