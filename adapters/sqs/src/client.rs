//! The SDK's client from explicit values: nothing is read from the process's environment here.
//!
//! In: a lookup by the AWS SDK's own variable names. Out: settings, then a client. Every call has
//! a time limit for the attempt and for all its attempts, because the SDK sets none of its own.

use std::time::Duration;

pub use aws::{Identity, Missing, Trust};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};

/// How often one call is tried. A repeated send is safe by its deduplication id, a repeated
/// receive by its attempt id, and the rest is idempotent.
const ATTEMPTS_MAX: u32 = 3;

/// Where SQS is, and who asks. It has no `Debug`, because it holds a secret.
#[derive(Clone)]
pub struct ClientSettings {
    /// Who asks, and in which region.
    pub identity: Identity,
    /// Another address than the region's own, as `http://127.0.0.1:4566`.
    pub endpoint: Option<String>,
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

impl ClientSettings {
    /// Reads the identity and `AWS_ENDPOINT_URL_SQS` (or `AWS_ENDPOINT_URL`). What the system trusts
    /// is trusted; a function says otherwise.
    ///
    /// # Errors
    /// [`Missing`], with the first variable that is.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<ClientSettings, Missing> {
        Ok(ClientSettings {
            identity: Identity::from_lookup(lookup)?,
            endpoint: aws::endpoint(lookup, "AWS_ENDPOINT_URL_SQS"),
            timeouts: Timeouts::default(),
            trust: Trust::System,
        })
    }
}

/// Builds a client. It opens no connection yet.
pub fn client(settings: &ClientSettings) -> Client {
    let Identity { region, access_key_id, secret_access_key, session_token } =
        settings.identity.clone();
    let credentials =
        Credentials::new(access_key_id, secret_access_key, session_token, None, "environment");
    let mut config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region))
        .credentials_provider(credentials)
        .http_client(aws::http_client(settings.trust, settings.timeouts.connect))
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX))
        .timeout_config(settings.timeouts.with_wait(Duration::ZERO));
    config.set_endpoint_url(settings.endpoint.clone());
    Client::from_conf(config.build())
}
