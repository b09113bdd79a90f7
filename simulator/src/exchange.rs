//! What passes a door of the portal: a request in, a reply and how to deliver it out.
//!
//! The engine decides everything, the end of the connection included, so that the two doors can
//! only differ in how they carry it out.
//!
//! **Invariant**: a door waits `wait`, then does what `ending` says, and decides nothing itself.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, Method};

/// One request, as HubSpot's edge would see it.
#[derive(Clone)]
pub struct PortalRequest {
    /// The method.
    pub method: Method,
    /// Path and query from the leading slash.
    pub path: String,
    /// The bearer token, if one was sent.
    pub token: Option<String>,
    /// The body; empty when there is none.
    pub body: Bytes,
}

impl std::fmt::Debug for PortalRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PortalRequest({} {} bytes)", self.method, self.body.len())
    }
}

/// What the portal answers, and how.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// How the door delivers it.
    pub delivery: Delivery,
}

/// How a reply reaches its client, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// How long the door waits before it does what `ending` says.
    pub wait: Duration,
    /// How it ends.
    pub ending: Ending,
    /// When the request will be applied, if it is not yet: a landing that comes late.
    pub lands_at: Option<DateTime<Utc>>,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With the answer.
    Answer,
    /// Nobody listens: the request never arrived. Over a listening socket this is a cut.
    Refused,
    /// The connection breaks without an answer; the request may or may not be applied.
    Cut,
}
