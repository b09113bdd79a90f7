//! The kinds of failure: one variant for each thing that a caller can do about it.
//!
//! `classify` makes them from answers. If HubSpot refuses some inputs of a batch, the call did not fail;
//! it has the same shape, and is handed over with what was written.
//!
//! **Invariant**: no text here holds an e-mail address, a token or a body.

use std::time::Duration;

use shared::properties::PROPERTIES;

/// Why a call brought no usable result. One variant for each different reaction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallFault {
    /// The whole portal refuses us, whatever we send: park everything, alarm, probe.
    #[error("the portal refuses this app: {0}")]
    Portal(PortalFault),
    /// 429. Nothing was applied.
    #[error("HubSpot's {policy:?} limit is reached")]
    Throttled {
        /// Which limit it is.
        policy: LimitPolicy,
        /// How long to stay away, if the answer or the policy says so.
        wait: Duration,
    },
    /// It certainly was not applied, and will work again by itself: not sent, 423, 477, a read
    /// that failed. Retry with jitter, not before `wait`.
    #[error("HubSpot can't be reached just now: {detail}")]
    Transient {
        /// Status or reason, without personal data.
        detail: String,
        /// The least time to wait, if the answer says so; else zero.
        wait: Duration,
    },
    /// A write that may have been applied, or may be applied yet: quarantine, then read.
    #[error("the write's outcome is unknown: {0}")]
    Unknown(String),
    /// 400, 409 or 413 on the whole call: at least one input of it is at fault.
    #[error("HubSpot refuses the request: {0}")]
    Request(Box<Refusal>),
}

/// What the portal as a whole holds against us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortalFault {
    /// 401: the token is missing, wrong, revoked or expired.
    #[error("the token is not accepted (401)")]
    Unauthorized,
    /// 403: the app lacks a scope.
    #[error("the app lacks a scope (403): {0}")]
    MissingScope(String),
    /// 403 for another reason: the category, or that there is none (a firewall's page).
    #[error("the call is forbidden (403): {0}")]
    Forbidden(String),
    /// A property of ours is not defined in this portal.
    #[error("the portal has no property {0}; hint: run `milepost properties create`")]
    UnknownProperty(String),
    /// The definition of an event of ours is missing, or takes not what we send.
    #[error("the portal's events are not as they must be: {0}")]
    UnfitEvent(String),
    /// 404 on a path that always exists: a wrong base URL or API version.
    #[error("HubSpot does not know the path {0}")]
    UnknownPath(String),
    /// The token could not be obtained at all.
    #[error("the token could not be read: {0}")]
    NoToken(String),
}

/// The limit that a 429 names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitPolicy {
    /// The burst: a rolling window of ten seconds.
    TenSecondly,
    /// The search endpoints' own.
    Secondly,
    /// The portal's day.
    Daily,
}

/// What HubSpot says against a request, or against some inputs of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status it came with; 207 for an entry of a multi-status answer.
    pub status: u16,
    /// HubSpot's `category`: `VALIDATION_ERROR`, `CONFLICT`, `OBJECT_NOT_FOUND`, … or empty.
    pub category: String,
    /// HubSpot's correlation id, for their support; may be empty.
    pub correlation_id: String,
    /// The `objectWriteTraceId`s of the inputs it speaks of; empty when it names none.
    pub trace_ids: Vec<String>,
    /// The record ids (or asked-for ids) it speaks of; empty when it names none.
    pub ids: Vec<String>,
    /// The record that holds the e-mail already, on a conflict.
    pub existing_id: Option<String>,
    /// The properties at fault with HubSpot's code for each: `("email", "INVALID_EMAIL")`.
    pub properties: Vec<(String, String)>,
}

impl std::fmt::Display for Refusal {
    /// Status, category and codes; never HubSpot's message, which quotes values.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, self.category)?;
        for (property, code) in &self.properties {
            write!(f, ", {property}: {code}")?;
        }
        Ok(())
    }
}

impl Refusal {
    /// The property of ours that the portal does not define, if it is that. It then fails for
    /// every record, and is the portal's fault and not the input's.
    pub fn undefined_property(&self) -> Option<&'static str> {
        self.properties
            .iter()
            .filter(|(_, code)| code == "PROPERTY_DOESNT_EXIST")
            .find_map(|(name, _)| PROPERTIES.iter().map(|ours| ours.name).find(|ours| ours == name))
    }
}

/// What a call does on HubSpot's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing: it can be made again at any time.
    Read,
    /// It changes something.
    Write,
}
