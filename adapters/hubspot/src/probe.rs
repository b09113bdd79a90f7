//! What the token may do and what time HubSpot has, asked without changing anything.
//!
//! HubSpot tells nobody the scopes of a private app. But it refuses a call whose scope is missing
//! (403), whatever the call holds: so a batch without inputs asks, and writes nothing.
//!
//! **Invariant**: no call of this module has an input.

use chrono::{DateTime, Utc};
use http::{Method, header};
use serde::Serialize;

use crate::call::Call;
use crate::client::Client;
use crate::fault::CallFault;
use crate::wire::{self, Batch};

/// What an app may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// Read contacts.
    ReadContacts,
    /// Create, update and delete contacts.
    WriteContacts,
    /// Send custom events.
    SendEvents,
}

impl Ability {
    /// The scope that gives it.
    pub fn scope(self) -> &'static str {
        match self {
            Self::ReadContacts => "crm.objects.contacts.read",
            Self::WriteContacts => "crm.objects.contacts.write",
            Self::SendEvents => "analytics.behavioral_events.send",
        }
    }
}

impl Client {
    /// Asks whether the token may do this; `Ok` is a yes.
    ///
    /// # Errors
    /// [`PortalFault::MissingScope`](crate::fault::PortalFault::MissingScope) is a no; else as every
    /// read: see [`CallFault`].
    pub async fn may(&self, ability: Ability) -> Result<(), CallFault> {
        #[derive(Serialize)]
        struct NoInput {}
        let path = match ability {
            Ability::ReadContacts => format!("{}/batch/read", self.version().contacts()),
            Ability::WriteContacts => format!("{}/batch/update", self.version().contacts()),
            Ability::SendEvents => format!("{}/send/batch", self.version().events()),
        };
        let body = wire::body(&Batch { inputs: Vec::<NoInput>::new() })?;
        // Nothing is written, so it can be made again as a read can; and whether a batch of nothing
        // is in order or a bad request (400) is all the same here.
        let call = Call::read(Method::POST, path).with_body(body).expecting(&[400]);
        self.call(call).await.map(|_| ())
    }

    /// What time HubSpot's answers say it is, to the second; `None` if they don't.
    ///
    /// # Errors
    /// As every read: see [`CallFault`].
    pub async fn time(&self) -> Result<Option<DateTime<Utc>>, CallFault> {
        let path = format!("{}/details", self.version().account_info());
        let answer = self.call(Call::read(Method::GET, path)).await?;
        let date = answer.headers.get(header::DATE).and_then(|date| date.to_str().ok());
        Ok(date
            .and_then(|date| DateTime::parse_from_rfc2822(date).ok())
            .map(|date| date.with_timezone(&Utc)))
    }
}
