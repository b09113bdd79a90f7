//! The HubSpot token from AWS Systems Manager: `HUBSPOT_TOKEN_PARAMETER`.
//!
//! A secret of Secrets Manager is read through the same call, under the name
//! `/aws/reference/secretsmanager/<secret>`, so that one call serves both.
//!
//! **Invariant**: the token leaves this module as a return value and in no other way.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hubspot::token::{ReadToken, TokenSource};
use serde_json::json;
use shared::ports::{Clock, Entropy};
use shared::settings::{Lookup, Token};

use crate::{Call, Client, Identity, Limits, Service, Trust};

/// The longest that a read takes, tries and waits included: calls to HubSpot wait for it.
pub const READ_TIME_MAX: Duration = Duration::from_secs(5);
/// The longest that one try takes, so that a lost answer leaves time for another.
const ATTEMPT_TIME_MAX: Duration = Duration::from_secs(3);
/// The longest that a connection takes, so that a lost one leaves time for another.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);

/// Where a function takes its HubSpot token from, by its settings.
pub fn token_source(
    token: &Token,
    lookup: Lookup<'_>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> TokenSource {
    match token {
        Token::Fixed(token) => TokenSource::fixed(token),
        Token::Parameter(name) => {
            let store = ParameterStore::from_lookup(lookup, Trust::Public, clock.clone(), entropy);
            TokenSource::named(name, Arc::new(store), clock)
        }
    }
}

/// Reads tokens from the parameter store.
#[derive(Clone)]
pub struct ParameterStore(Result<Reachable, String>);

#[derive(Clone)]
struct Reachable {
    client: Client,
    endpoint: String,
}

impl ParameterStore {
    /// A store in this process's region, as this process's role: what [`Identity::from_lookup`] reads,
    /// and `AWS_ENDPOINT_URL_SSM` (or `AWS_ENDPOINT_URL`). What is missing shows at the first read.
    pub fn from_lookup(
        lookup: Lookup<'_>,
        trust: Trust,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let limits =
            Limits { connect: CONNECT_TIME_MAX, attempt: ATTEMPT_TIME_MAX, total: READ_TIME_MAX };
        let reachable = || {
            let identity = Identity::from_lookup(lookup).map_err(|missing| missing.to_string())?;
            let endpoint = Service::Ssm.endpoint_given(lookup);
            let endpoint = endpoint.unwrap_or_else(|| Service::Ssm.endpoint_in(&identity.region));
            let client = Client::new(identity, trust, limits, clock, entropy)
                .map_err(|_| "HTTP can't be set up".to_owned())?;
            Ok(Reachable { client, endpoint })
        };
        Self(reachable())
    }
}

#[async_trait]
impl ReadToken for ParameterStore {
    async fn read_token(&self, name: &str) -> Result<String, String> {
        let unread = |why: &dyn fmt::Display| format!("the parameter {name} can't be read: {why}");
        let Reachable { client, endpoint } = self.0.as_ref().map_err(|why| unread(why))?;
        let call = Call {
            service: Service::Ssm,
            endpoint: endpoint.clone(),
            path: "/".to_owned(),
            posted: Some((
                "AmazonSSM.GetParameter",
                json!({ "Name": name, "WithDecryption": true }),
            )),
        };
        let answer = client.call(&call).await.map_err(|fault| unread(&fault))?;
        let value = answer["Parameter"]["Value"].as_str();
        value.map(str::to_owned).ok_or_else(|| format!("the parameter {name} has no value"))
    }
}
