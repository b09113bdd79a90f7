//! Calls to AWS services that have no SDK here: signed by AWS's own signer, sent once.
//!
//! `doctor` makes three of them, and `console` one. Two SDKs would bring thousands of types for that, and minutes
//! of building; the signer and the HTTP client are in the program already.
//!
//! **Invariant**: only reads are sent, and what goes to an emulator never goes to AWS.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use chrono::{DateTime, Utc};
use host::environment;
use reqwest::{Client, Method, header};
use serde_json::Value;
use shared::ports::Clock;
use sqs::client::ClientSettings;

/// How long a connection and a whole call may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Who asks, and by what.
pub(crate) struct Aws {
    settings: ClientSettings,
    clock: Arc<dyn Clock>,
    client: Option<Client>,
}

/// A service that is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Service {
    Lambda,
    CloudWatch,
}

/// One call.
pub(crate) struct Question {
    pub(crate) service: Service,
    /// From the leading slash, with the query.
    pub(crate) path: String,
    /// `X-Amz-Target` and the JSON body, for a service that is called so.
    pub(crate) posted: Option<(&'static str, Value)>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// Whoever asks may not.
    Forbidden(String),
    /// It is not to be asked from here.
    NotHere(String),
    /// It did not answer.
    Silent(String),
}

impl Service {
    /// Its name in signatures, and in addresses.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Lambda => ("lambda", "lambda"),
            Self::CloudWatch => ("monitoring", "monitoring"),
        }
    }

    fn endpoint_variable(self) -> &'static str {
        match self {
            Self::Lambda => "AWS_ENDPOINT_URL_LAMBDA",
            Self::CloudWatch => "AWS_ENDPOINT_URL_CLOUDWATCH",
        }
    }
}

impl Aws {
    /// As this process's role.
    pub(crate) fn new(settings: ClientSettings, clock: Arc<dyn Clock>) -> Self {
        // A second call finds the provider in place, which is just as well.
        let _already_installed = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("milepost/", env!("CARGO_PKG_VERSION")))
            .build()
            .ok();
        Self { settings, clock, client }
    }

    /// What time an answer from this address says it is; any answer has a date, a refusal too.
    pub(crate) async fn date_of(&self, url: &str) -> Result<Option<DateTime<Utc>>, String> {
        let client = self.client.as_ref().ok_or("HTTP can't be set up")?;
        let answer = client.get(url).send().await.map_err(|error| cause(&error))?;
        let date = answer.headers().get(header::DATE).and_then(|date| date.to_str().ok());
        Ok(date
            .and_then(|date| DateTime::parse_from_rfc2822(date).ok())
            .map(|date| date.with_timezone(&Utc)))
    }

    /// Asks, and gives the JSON of the answer.
    pub(crate) async fn ask(&self, question: Question) -> Result<Value, NoAnswer> {
        let Question { service, path, posted } = question;
        let client = self.client.as_ref().ok_or(NoAnswer::Silent("HTTP can't be set up".into()))?;
        let url = format!("{}{path}", self.endpoint(service)?);
        let mut headers = Vec::new();
        let (method, body) = match posted {
            None => (Method::GET, String::new()),
            Some((target, body)) => {
                headers.push(("content-type", "application/x-amz-json-1.0".to_owned()));
                headers.push(("x-amz-target", target.to_owned()));
                (Method::POST, body.to_string())
            }
        };
        let signature = self
            .signature(service, &method, &url, &headers, &body)
            .map_err(|error| NoAnswer::NotHere(format!("the call can't be signed: {error}")))?;
        let mut request = client.request(method, &url).body(body);
        for (name, value) in headers.into_iter().map(|(n, v)| (n.to_owned(), v)).chain(signature) {
            request = request.header(name, value);
        }
        let answer = request.send().await.map_err(|error| NoAnswer::Silent(cause(&error)))?;
        let status = answer.status().as_u16();
        match status {
            200..=299 => {}
            401 | 403 => return Err(NoAnswer::Forbidden(format!("status {status}"))),
            400..=499 => return Err(NoAnswer::NotHere(format!("refused with status {status}"))),
            _ => return Err(NoAnswer::Silent(format!("status {status}"))),
        }
        let body = answer.bytes().await.map_err(|error| NoAnswer::Silent(cause(&error)))?;
        serde_json::from_slice(&body)
            .map_err(|_| NoAnswer::NotHere("the answer is no JSON".to_owned()))
    }

    fn endpoint(&self, service: Service) -> Result<String, NoAnswer> {
        let given = |name: &str| environment::lookup(name).filter(|url| !url.is_empty());
        let variable = service.endpoint_variable();
        if let Some(url) = given(variable).or_else(|| given("AWS_ENDPOINT_URL")) {
            return Ok(url.trim_end_matches('/').to_owned());
        }
        if self.settings.endpoint.is_some() {
            let why = format!("SQS is at an address of its own; {variable} names none for this");
            return Err(NoAnswer::NotHere(why));
        }
        let (_, host) = service.names();
        let region = &self.settings.region;
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        Ok(format!("https://{host}.{region}.{suffix}"))
    }

    fn signature(
        &self,
        service: Service,
        method: &Method,
        url: &str,
        headers: &[(&str, String)],
        body: &str,
    ) -> Result<Vec<(String, String)>, Box<dyn std::error::Error>> {
        let ClientSettings { region, access_key_id, secret_access_key, session_token, .. } =
            &self.settings;
        let identity = Credentials::new(
            access_key_id.clone(),
            secret_access_key.clone(),
            session_token.clone(),
            None,
            "environment",
        )
        .into();
        let (name, _) = service.names();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(name)
            .time(SystemTime::from(self.clock.now()))
            .settings(SigningSettings::default())
            .build()?
            .into();
        let headers = headers.iter().map(|(name, value)| (*name, value.as_str()));
        let body = SignableBody::Bytes(body.as_bytes());
        let request = SignableRequest::new(method.as_str(), url, headers, body)?;
        let (instructions, _signature) = sign(request, &params)?.into_parts();
        let signed = instructions.headers();
        Ok(signed.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// The innermost cause says it best, and names no address.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() { "no answer in time".to_owned() } else { cause.to_string() }
}
