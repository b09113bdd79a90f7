//! One signed call: signed by AWS's own signer, sent, and tried again where that can help.
//!
//! In: a [`Call`]. Out: the JSON of the answer, or a [`CallFault`]. Each try is signed anew, so that a
//! late one carries its own time.
//!
//! **Invariant**: a call ends within [`Limits::total`] and after [`ATTEMPTS_MAX`] tries at most.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use chrono::{DateTime, Utc};
use reqwest::{Method, Response};
use serde_json::Value;
use shared::ports::{Clock, Entropy};

use crate::refusal::{self, CallFault};
use crate::{Identity, Service, Trust};

/// How often one call is tried.
pub const ATTEMPTS_MAX: u32 = 3;
/// The longest wait before the second try. It doubles with each further one, and chance takes a
/// share of it: the callers that were throttled together do not come back together.
pub const BACKOFF_FIRST_MAX: Duration = Duration::from_secs(1);
/// An idle connection is dropped after this long: a frozen function wakes up with dead ones.
const IDLE_CONNECTION_MAX: Duration = Duration::from_secs(20);
/// The longest answer that is read. A hundred alarms take a quarter of it.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// How long a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// To a connection.
    pub connect: Duration,
    /// One try, connection included.
    pub attempt: Duration,
    /// All tries and the waits between them.
    pub total: Duration,
}

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The service that is called.
    pub service: Service,
    /// Where it is, without a slash at its end.
    pub endpoint: String,
    /// From the leading slash, with the query.
    pub path: String,
    /// `X-Amz-Target` and the JSON body, for a service that is called by a target.
    pub posted: Option<(&'static str, Value)>,
}

/// Calls AWS as one identity. It has no `Debug`, because it holds a secret.
#[derive(Clone)]
pub struct Client {
    identity: Identity,
    limits: Limits,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Client {
    /// A client that opens no connection yet.
    ///
    /// # Errors
    /// When HTTP can't be set up on this machine.
    pub fn new(
        identity: Identity,
        trust: Trust,
        limits: Limits,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(aws::tls_config(trust))
            .connect_timeout(limits.connect)
            .pool_idle_timeout(IDLE_CONNECTION_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .user_agent(concat!("milepost/", env!("CARGO_PKG_VERSION")));
        let http = match trust {
            // A function calls AWS directly, as the SDK's client of its queue does.
            Trust::Public => http.no_proxy(),
            Trust::System => http,
        };
        Ok(Self { identity, limits, http: http.build()?, clock, entropy })
    }

    /// The region of the identity.
    pub fn region(&self) -> &str {
        &self.identity.region
    }

    /// Calls, and gives the JSON of the answer.
    ///
    /// # Errors
    /// [`CallFault`]: the last try's, where there were several.
    pub async fn call(&self, call: &Call) -> Result<Value, CallFault> {
        let deadline = self.clock.uptime() + self.limits.total;
        let mut tries = 1;
        loop {
            let left = deadline.saturating_sub(self.clock.uptime());
            let fault = match self.attempt(call, left.min(self.limits.attempt)).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            let wait = backoff(tries, self.entropy.next_u64());
            let is_late = self.clock.uptime() + wait >= deadline;
            if !matches!(fault, CallFault::NoAnswer(_)) || tries == ATTEMPTS_MAX || is_late {
                return Err(fault);
            }
            self.clock.sleep(wait).await;
            tries += 1;
        }
    }

    /// The time at an address, by the date of its answer. Every answer has one, a refusal too, so this
    /// request isn't signed.
    ///
    /// # Errors
    /// [`CallFault::NoAnswer`].
    pub async fn date_of(&self, url: &str) -> Result<Option<DateTime<Utc>>, CallFault> {
        let request = self.http.get(url).timeout(self.limits.attempt);
        let answer = request.send().await.map_err(no_answer)?;
        Ok(refusal::date(answer.headers()))
    }

    async fn attempt(&self, call: &Call, timeout: Duration) -> Result<Value, CallFault> {
        let Call { service, endpoint, path, posted } = call;
        let url = format!("{endpoint}{path}");
        let (method, headers, body) = match posted {
            None => (Method::GET, Vec::new(), String::new()),
            Some((target, body)) => {
                let headers =
                    vec![("content-type", service.content_type()), ("x-amz-target", *target)];
                (Method::POST, headers, body.to_string())
            }
        };
        let signature = self
            .signature(*service, &method, &url, &headers, &body)
            .map_err(|error| CallFault::Refused(format!("the call can't be signed: {error}")))?;
        let mut request = self.http.request(method, &url).timeout(timeout).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        for (name, value) in signature {
            request = request.header(name, value);
        }
        let answer = request.send().await.map_err(no_answer)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = whole(answer).await?;
        if !status.is_success() {
            return Err(refusal::fault(status.as_u16(), &headers, &body, self.clock.now()));
        }
        serde_json::from_slice(&body)
            .map_err(|_| CallFault::Refused("the answer isn't valid JSON".to_owned()))
    }

    /// The headers that sign a request.
    fn signature(
        &self,
        service: Service,
        method: &Method,
        url: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Vec<(String, String)>, Box<dyn Error + Send + Sync>> {
        let Identity { region, access_key_id, secret_access_key, session_token } =
            self.identity.clone();
        let credentials =
            Credentials::new(access_key_id, secret_access_key, session_token, None, "environment");
        let identity = credentials.into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&region)
            .name(service.name())
            .time(SystemTime::from(self.clock.now()))
            .settings(SigningSettings::default())
            .build()?
            .into();
        let body = SignableBody::Bytes(body.as_bytes());
        let request = SignableRequest::new(method.as_str(), url, headers.iter().copied(), body)?;
        let (instructions, _signature) = sign(request, &params)?.into_parts();
        let signed = instructions.headers();
        Ok(signed.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// The wait after this many tries, by a uniformly distributed number.
fn backoff(tries: u32, chance: u64) -> Duration {
    let share = (chance >> 11) as f64 / (1_u64 << 53) as f64;
    (BACKOFF_FIRST_MAX * 2_u32.saturating_pow(tries - 1)).mul_f64(share)
}

async fn whole(mut answer: Response) -> Result<Vec<u8>, CallFault> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(no_answer)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(CallFault::Refused("the answer is longer than 1 MiB".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The innermost cause says it best, and names no address.
fn no_answer(error: reqwest::Error) -> CallFault {
    let mut cause: &dyn Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    CallFault::NoAnswer(match error.is_timeout() {
        true => "no answer in time".to_owned(),
        false => cause.to_string(),
    })
}
