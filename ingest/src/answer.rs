//! The bodies of the answers: what the site's pages and its back end read.
//!
//! `persisted` with `authenticated` is what a page checks before it tells the learner that progress
//! is saved. It means: stored on the queue.

use serde_json::{Value, json};
use shared::envelope::Envelope;
use shared::http::Response;
use shared::settings::Backend;
use shared::submission::{Rejection, RejectionCode};

/// The most single complaints that the answer to a wholly invalid batch repeats at its top; each
/// event's own stand beside it in full.
const DETAILS_MAX: usize = 20;

const INVALID_EVENT: &str = "Invalid track event payload";
const FALLBACK: &str = "The event queue did not take it; it is kept in the log";

/// An event of a batch that was not accepted, by its place from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    index: usize,
    code: &'static str,
    details: Vec<String>,
}

impl Refused {
    /// It is no valid event.
    pub fn invalid(index: usize, rejection: Rejection) -> Self {
        Self { index, code: rejection.code.as_str(), details: rejection.details }
    }

    /// It names nobody, and no token does.
    pub fn no_identity(index: usize) -> Self {
        let details = vec!["contactIdentifier: names nobody, and no token does".to_owned()];
        Self { index, code: "NO_IDENTITY", details }
    }

    /// The queue did not take it; it is kept in the log.
    pub fn fallback(index: usize) -> Self {
        Self { index, code: "FALLBACK", details: vec![FALLBACK.to_owned()] }
    }

    fn json(&self) -> Value {
        json!({ "index": self.index, "code": self.code, "details": self.details })
    }
}

/// A single event is on the queue.
pub fn queued(envelope: &Envelope, backend: Backend) -> Response {
    let mut body = persisted(backend);
    body["eventId"] = envelope.id.as_str().into();
    if let Some(contact_id) = envelope.person.contact_id() {
        body["contactId"] = contact_id.into();
    }
    Response::json(200, &body)
}

/// Events of a batch are on the queue, and some may not be.
pub fn batch(accepted: &[Envelope], mut refused: Vec<Refused>, backend: Backend) -> Response {
    refused.sort_by_key(|refused| refused.index);
    let mut body = persisted(backend);
    body["accepted"] = accepted.len().into();
    body["eventIds"] = accepted.iter().map(|envelope| envelope.id.as_str()).collect();
    body["rejected"] = refused.iter().map(Refused::json).collect();
    Response::json(200, &body)
}

fn persisted(backend: Backend) -> Value {
    let backend = match backend {
        Backend::Properties => "properties",
        Backend::Events => "events",
    };
    json!({ "status": "persisted", "mode": "authenticated", "backend": backend, "queued": true })
}

/// Nobody is named, or progress is not kept at all.
pub fn anonymous() -> Response {
    Response::json(200, &json!({ "status": "logged", "mode": "anonymous" }))
}

/// The queue took nothing.
pub fn fallback() -> Response {
    Response::json(200, &json!({ "status": "logged", "mode": "fallback", "error": FALLBACK }))
}

/// A token that does not hold, where one is needed.
pub fn invalid_token() -> Response {
    Response::rejection(401, "Invalid or expired token", "INVALID_TOKEN", &[])
}

/// The body as a whole is refused.
pub fn invalid(rejection: &Rejection) -> Response {
    let error = match rejection.code {
        RejectionCode::PayloadTooLarge => {
            "Request payload exceeds maximum size of 10KB (a batch: 512KB and 50 events)"
        }
        RejectionCode::InvalidJson => "Request body is not valid JSON",
        RejectionCode::SchemaValidationFailed => INVALID_EVENT,
    };
    Response::rejection(400, error, rejection.code.as_str(), &rejection.details)
}

/// A batch without a single valid event.
pub fn none_valid(refused: &[Refused]) -> Response {
    let details = refused.iter().flat_map(|refused| {
        let place = format!("events.{}", refused.index);
        refused.details.iter().map(move |detail| match detail.strip_prefix("root: ") {
            Some(what) => format!("{place}: {what}"),
            None => format!("{place}.{detail}"),
        })
    });
    let body = json!({
        "error": INVALID_EVENT,
        "details": {
            "code": RejectionCode::SchemaValidationFailed.as_str(),
            "details": details.take(DETAILS_MAX).collect::<Vec<_>>(),
        },
        "rejected": refused.iter().map(Refused::json).collect::<Vec<_>>(),
    });
    Response::json(400, &body)
}
