//! The SDK's client from explicit values: nothing is read from the process's environment here.
//!
//! In: a lookup by the AWS SDK's own variable names. Out: settings, then a client. Every call has
//! a time limit for the attempt and for all its attempts, because the SDK sets none of its own.

use std::time::Duration;

pub use aws::Trust;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};

/// How often one call is tried. A repeated send is safe by its deduplication id, a repeated
/// receive by its attempt id, and the rest is idempotent.
const ATTEMPTS_MAX: u32 = 3;

/// Where SQS is, and who asks. It has no `Debug`: it holds a secret.
#[derive(Clone)]
pub struct ClientSettings {
    /// `eu-central-1`.
    pub region: String,
    /// Another address than the region's own, as `http://127.0.0.1:4566`.
    pub endpoint: Option<String>,
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`, which comes with a role's credentials.
    pub session_token: Option<String>,
    /// How long a call may take.
    pub timeouts: Timeouts,
    /// Whose certificates are believed.
    pub trust: Trust,
}

/// How long a call may take. A receive's wait comes on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To a connection.
    pub connect: Duration,
    /// One attempt.
    pub attempt: Duration,
    /// All attempts and the pauses between them.
    pub operation: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            connect: Duration::from_secs(2),
            attempt: Duration::from_secs(4),
            operation: Duration::from_secs(10),
        }
    }
}

impl Timeouts {
    pub(crate) fn with_wait(self, wait: Duration) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .operation_attempt_timeout(self.attempt + wait)
            .operation_timeout(self.operation + wait)
            .build()
    }
}

/// A variable without which SQS can't be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not set; hint: Lambda sets it by itself, elsewhere export it")]
pub struct Missing(pub &'static str);

impl ClientSettings {
    /// Reads `AWS_REGION` (or `AWS_DEFAULT_REGION`), `AWS_ENDPOINT_URL_SQS` (or `AWS_ENDPOINT_URL`),
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`. An empty value is none.
    /// What the system trusts is trusted; a function says otherwise.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<ClientSettings, Missing> {
        let given = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let needed = |name| given(name).ok_or(Missing(name));
        Ok(ClientSettings {
            region: needed("AWS_REGION")
                .or_else(|missing| given("AWS_DEFAULT_REGION").ok_or(missing))?,
            endpoint: given("AWS_ENDPOINT_URL_SQS").or_else(|| given("AWS_ENDPOINT_URL")),
            access_key_id: needed("AWS_ACCESS_KEY_ID")?,
            secret_access_key: needed("AWS_SECRET_ACCESS_KEY")?,
            session_token: given("AWS_SESSION_TOKEN"),
            timeouts: Timeouts::default(),
            trust: Trust::System,
        })
    }
}

/// Builds a client. It opens no connection yet.
pub fn client(settings: &ClientSettings) -> Client {
    let credentials = Credentials::new(
        settings.access_key_id.clone(),
        settings.secret_access_key.clone(),
        settings.session_token.clone(),
        None,
        "environment",
    );
    let mut config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(settings.region.clone()))
        .credentials_provider(credentials)
        .http_client(aws::http_client(settings.trust, settings.timeouts.connect))
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX))
        .timeout_config(settings.timeouts.with_wait(Duration::ZERO));
    config.set_endpoint_url(settings.endpoint.clone());
    Client::from_conf(config.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_a_missing_one() {
        let lookup = |name: &str| match name {
            "AWS_REGION" => Some(String::new()),
            name => Some(format!("value of {name}")),
        };
        let settings = ClientSettings::from_lookup(&lookup).expect("the other region is given");
        assert_eq!(settings.region, "value of AWS_DEFAULT_REGION");
        let nothing = ClientSettings::from_lookup(&|_| None);
        assert_eq!(nothing.err(), Some(Missing("AWS_REGION")));
    }
}
