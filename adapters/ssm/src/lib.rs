//! The HubSpot token from AWS Systems Manager: `HUBSPOT_TOKEN_PARAMETER`.
//!
//! A secret of Secrets Manager is read through the same call, under the name
//! `/aws/reference/secretsmanager/<secret>`, so that one client serves both.
//!
//! **Invariant**: the token leaves this crate as a return value and in no other way.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
pub use aws::Trust;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::config::retry::RetryConfig;
use aws_sdk_ssm::config::timeout::TimeoutConfig;
use aws_sdk_ssm::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ssm::error::ProvideErrorMetadata;
use hubspot::token::{ReadToken, TokenSource};
use shared::ports::Clock;
use shared::settings::{Lookup, Token};

/// The longest that a read takes, retries included: calls to HubSpot wait for it.
const READ_TIME_MAX: Duration = Duration::from_secs(5);
/// The longest that a connection takes, so that one that is lost leaves time for another.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);

/// Where a function takes its HubSpot token from, by its settings.
pub fn token_source(token: &Token, lookup: Lookup<'_>, clock: Arc<dyn Clock>) -> TokenSource {
    match token {
        Token::Fixed(token) => TokenSource::fixed(token),
        Token::Parameter(name) => {
            let store = Arc::new(ParameterStore::from_lookup(lookup, Trust::Public));
            TokenSource::named(name, store, clock)
        }
    }
}

/// Reads tokens from the parameter store.
#[derive(Debug, Clone)]
pub struct ParameterStore {
    client: Client,
}

impl ParameterStore {
    /// A store in this process's region, as this process's role: `AWS_REGION`,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_ENDPOINT_URL_SSM`
    /// (or `AWS_ENDPOINT_URL`). What is missing shows at the first read.
    pub fn from_lookup(lookup: Lookup<'_>, trust: Trust) -> Self {
        let given = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let either = |first: &str, second: &str| given(first).or_else(|| given(second));
        let timeouts = TimeoutConfig::builder().operation_timeout(READ_TIME_MAX).build();
        let mut config = aws_sdk_ssm::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(aws::http_client(trust, CONNECT_TIME_MAX))
            .retry_config(RetryConfig::standard())
            .timeout_config(timeouts);
        config.set_region(either("AWS_REGION", "AWS_DEFAULT_REGION").map(Region::new));
        config.set_endpoint_url(either("AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL"));
        if let (Some(id), Some(secret)) =
            (given("AWS_ACCESS_KEY_ID"), given("AWS_SECRET_ACCESS_KEY"))
        {
            let session = given("AWS_SESSION_TOKEN");
            config = config.credentials_provider(Credentials::new(
                id,
                secret,
                session,
                None,
                "environment",
            ));
        }
        Self { client: Client::from_conf(config.build()) }
    }
}

#[async_trait]
impl ReadToken for ParameterStore {
    async fn read_token(&self, name: &str) -> Result<String, String> {
        let read = self.client.get_parameter().name(name).with_decryption(true).send().await;
        let output = read.map_err(|error| {
            let code = error.code().unwrap_or("no answer").to_owned();
            format!("the parameter {name} can't be read: {code}")
        })?;
        output
            .parameter
            .and_then(|parameter| parameter.value)
            .ok_or_else(|| format!("the parameter {name} has no value"))
    }
}
