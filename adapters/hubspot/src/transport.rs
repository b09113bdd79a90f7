//! The `Transport` port: an HTTP request out; an answer, *not sent*, or *unknown* back.
//!
//! It is cut this low so that paths, wire shapes, fault kinds, pacing and retries are inside what
//! the simulation runs. [`Dial`] is the production side, over `reqwest`, and the only code of the
//! project that opens a connection to HubSpot.
//!
//! **Invariant**: what may have been applied is never reported as not sent.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};

/// One HTTP request to HubSpot.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query, from the leading slash: `/crm/objects/2026-09/contacts/batch/read`.
    pub path: String,
    /// The bearer token. It is kept out of `Debug`.
    pub token: String,
    /// The JSON body, if there is one.
    pub body: Option<Bytes>,
    /// How long an answer is waited for.
    pub timeout: Duration,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Request({} {})", self.method, shown_path(&self.path))
    }
}

/// A path as texts may show it: without its query, and without a segment that had to be encoded,
/// which is an e-mail address.
pub(crate) fn shown_path(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let segments = path.split('/').map(|segment| if segment.contains('%') { "…" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

/// What came back, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// No answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The request never left: it was certainly not applied.
    #[error("not sent: {0}")]
    NotSent(String),
    /// It left, and what became of it nobody knows: it may be applied, now or seconds later.
    #[error("outcome unknown: {0}")]
    Unknown(String),
}

/// The way to HubSpot.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends one request and waits for its answer, once: no retries here.
    async fn call(&self, request: Request) -> Result<Answer, NoAnswer>;
}

/// The production transport: one pooled HTTP client.
#[derive(Debug, Clone)]
pub struct Dial {
    client: reqwest::Client,
    base_url: String,
}

/// Idle connections are dropped before HubSpot's edge or a frozen Lambda makes them stale.
const POOL_IDLE: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest answer that is read. A batch of 100 contacts with a state of 64 KiB each is 6.5 MB.
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

impl Dial {
    /// A client for `base_url` (scheme and host, without a trailing slash).
    ///
    /// # Errors
    /// When the TLS configuration of this machine can't be used (no root certificates).
    pub fn new(base_url: &str) -> Result<Self, reqwest::Error> {
        // A second call finds the provider in place, which is just as well.
        let _already_installed = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .user_agent(concat!("milepost/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, base_url: base_url.trim_end_matches('/').to_owned() })
    }
}

#[async_trait]
impl Transport for Dial {
    async fn call(&self, request: Request) -> Result<Answer, NoAnswer> {
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", request.token))
            .map_err(|_| NoAnswer::NotSent("the token holds characters no header may".into()))?;
        bearer.set_sensitive(true);
        let mut outgoing = self
            .client
            .request(request.method, format!("{}{}", self.base_url, request.path))
            .header(header::AUTHORIZATION, bearer)
            .timeout(request.timeout);
        if let Some(body) = request.body {
            outgoing = outgoing.header(header::CONTENT_TYPE, "application/json").body(body);
        }
        let mut incoming = outgoing.send().await.map_err(no_answer)?;
        let status = incoming.status().as_u16();
        let headers = std::mem::take(incoming.headers_mut());
        let mut body = Vec::new();
        while let Some(chunk) = incoming.chunk().await.map_err(no_answer)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(NoAnswer::Unknown("the answer is longer than 32 MiB".into()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body: body.into() })
    }
}

fn no_answer(error: reqwest::Error) -> NoAnswer {
    let never_left = error.is_connect() || error.is_builder();
    // The URL may hold an e-mail address, and this text is logged.
    let text = error.without_url().to_string();
    if never_left { NoAnswer::NotSent(text) } else { NoAnswer::Unknown(text) }
}
