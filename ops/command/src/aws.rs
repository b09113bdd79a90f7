//! Lambda and CloudWatch, for `doctor` and `console`: reads, signed with the operator's credentials.
//!
//! **Invariant**: what belongs to an emulator is never asked of AWS.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use host::entropy::SystemEntropy;
use host::environment;
use serde_json::Value;
use shared::ports::Clock;
use signed::{Call, CallFault, Client, Limits, Service, Trust};
use sqs::client::ClientSettings;

/// How long a connection, a try and a whole call may take: somebody waits for the answer.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(3),
    attempt: Duration::from_secs(6),
    total: Duration::from_secs(10),
};

/// AWS, called with the operator's credentials.
pub struct Aws {
    client: Result<Client, CallFault>,
    /// Whether SQS is at an address of its own, as an emulator's is.
    is_elsewhere: bool,
}

/// One call.
pub struct Question {
    /// The service that answers it.
    pub service: Service,
    /// From the leading slash, with the query.
    pub path: String,
    /// `X-Amz-Target` and the JSON body, for a service that is called by a target.
    pub posted: Option<(&'static str, Value)>,
}

impl Aws {
    /// AWS, as the one who asks SQS.
    pub fn new(settings: ClientSettings, clock: Arc<dyn Clock>) -> Self {
        let ClientSettings { identity, endpoint, .. } = settings;
        let client = || {
            let entropy = Arc::new(SystemEntropy::seeded().map_err(|error| error.to_string())?);
            Client::new(identity, Trust::System, LIMITS, clock, entropy)
                .map_err(|_| "HTTP can't be set up".to_owned())
        };
        Self { client: client().map_err(CallFault::NoAnswer), is_elsewhere: endpoint.is_some() }
    }

    /// The time at this address; none if its answer has no date.
    ///
    /// # Errors
    /// [`CallFault`] when AWS did not answer.
    pub async fn date_of(&self, url: &str) -> Result<Option<DateTime<Utc>>, CallFault> {
        self.client.as_ref().map_err(Clone::clone)?.date_of(url).await
    }

    /// Asks, and gives the JSON of the answer.
    ///
    /// # Errors
    /// [`CallFault`]: it could not be asked, refused, or did not answer.
    pub async fn ask(&self, question: Question) -> Result<Value, CallFault> {
        let client = self.client.as_ref().map_err(Clone::clone)?;
        let Question { service, path, posted } = question;
        let endpoint = match service.endpoint_given(&environment::lookup) {
            Some(endpoint) => endpoint,
            None if self.is_elsewhere => {
                let variable = service.endpoint_variable();
                let why =
                    format!("SQS is at an address of its own; {variable} names none for this");
                return Err(CallFault::Refused(why));
            }
            None => service.endpoint_in(client.region()),
        };
        client.call(&Call { service, endpoint, path, posted }).await
    }
}
