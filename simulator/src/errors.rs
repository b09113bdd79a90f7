//! What the portal answers when it does not do what it was asked: one function for each body.
//!
//! The engine adds the correlation id. Texts are HubSpot's, to the two spaces after a full stop.

use serde_json::{Value, json};
use simulator_portal::limits::Policy;
use simulator_portal::settings::Settings;
use simulator_portal::values::Invalid;

/// An answer before the engine dresses it.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Body,
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// What an answer holds.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Json(Value),
    Html(String),
    Empty,
}

impl Answer {
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self { status, body: Body::Json(body), headers: Vec::new() }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, body: Body::Empty, headers: Vec::new() }
    }

    pub(crate) fn with(mut self, header: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((header, value.into()));
        self
    }
}

pub(crate) fn resource_not_found() -> Answer {
    Answer::json(404, json!({"status": "error", "message": "resource not found"}))
}

pub(crate) fn id_is_not_numeric(id: &str) -> Answer {
    Answer::json(
        404,
        json!({"status": "error", "message": "Object not found.  objectId are usually numeric.",
               "context": {"id": [id]}, "category": "OBJECT_NOT_FOUND"}),
    )
}

pub(crate) fn not_found(message: String) -> Answer {
    Answer::json(
        404,
        json!({"status": "error", "message": message, "category": "OBJECT_NOT_FOUND"}),
    )
}

pub(crate) fn method_not_allowed() -> Answer {
    Answer::json(405, json!({"status": "error", "message": "HTTP 405 Method Not Allowed"}))
}

pub(crate) fn refused(message: impl Into<String>) -> Answer {
    let message: String = message.into();
    Answer::json(
        400,
        json!({"status": "error", "message": message, "category": "VALIDATION_ERROR"}),
    )
}

pub(crate) fn bad_json(reason: &serde_json::Error) -> Answer {
    let message = format!(
        "Invalid input JSON on line {}, column {}: {}",
        reason.line(),
        reason.column(),
        if reason.is_eof() { "Unexpected end-of-input" } else { "Unexpected character or value" },
    );
    Answer::json(400, json!({"status": "error", "message": message}))
}

/// A JSON value of another shape than the call takes.
pub(crate) fn wrong_shape(what: &str) -> Answer {
    let message = format!("Invalid input JSON on line 1, column 1: {what}");
    Answer::json(400, json!({"status": "error", "message": message}))
}

pub(crate) fn too_many_inputs(max: usize, of_histories: bool) -> Answer {
    let what = if of_histories { "batch request for property histories" } else { "batch" };
    refused(format!(
        "The maximum number of inputs supported in a {what} is {max}. \
         Please reduce the number of items and try again"
    ))
}

pub(crate) fn duplicate_ids(ids: &[String]) -> Answer {
    let message =
        format!("Duplicate IDs found in batch input: [{}]. IDs must be unique", ids.join(", "));
    Answer::json(
        400,
        json!({"status": "error", "message": message, "context": {"ids": ids},
               "category": "VALIDATION_ERROR"}),
    )
}

pub(crate) fn not_a_unique_property(name: &str, settings: &Settings) -> Answer {
    let place = match name {
        "hs_object_id" => format!(" in portal ID {}", settings.portal_id),
        _ => String::new(),
    };
    refused(format!("Unable to perform update/upsert by non-unique 0-1 property {name}{place}"))
}

/// The message of a refusal for values, with the JSON array inside.
pub(crate) fn invalid_message(invalid: &[Invalid], settings: &Settings) -> String {
    if !invalid.is_empty() && invalid.iter().all(|i| i.code.starts_with("MISSING_")) {
        return "The property values provided are invalid".into();
    }
    let inner: Vec<Value> = invalid
        .iter()
        .map(|i| {
            json!({"isValid": false, "message": i.message, "error": i.code, "name": i.name,
                   "localizedErrorMessage": i.message, "propertyValue": i.value,
                   "portalId": settings.portal_id})
        })
        .collect();
    format!("Property values were not valid: {}", Value::from(inner))
}

pub(crate) fn invalid_values(invalid: &[Invalid], settings: &Settings) -> Answer {
    let errors: Vec<Value> = invalid
        .iter()
        .map(|i| {
            json!({"message": i.message, "code": i.code, "context": {"propertyName": [i.name]}})
        })
        .collect();
    Answer::json(
        400,
        json!({"status": "error", "message": invalid_message(invalid, settings),
               "errors": errors, "category": "VALIDATION_ERROR"}),
    )
}

pub(crate) fn conflict_message(existing: u64) -> String {
    format!("Contact already exists. Existing ID: {existing}")
}

pub(crate) fn conflict(existing: u64) -> Answer {
    Answer::json(
        409,
        json!({"status": "error", "message": conflict_message(existing), "category": "CONFLICT"}),
    )
}

/// The long variant, with the holder's identity.
pub(crate) fn conflict_with_profile(existing: u64, email: &str, timestamp_ms: i64) -> Answer {
    let told = format!("A contact with email {email} already exists. Existing ID: {existing}");
    Answer::json(
        409,
        json!({"status": "error", "message": conflict_message(existing),
               "identityProfile": {"vid": existing, "linkedVid": [existing], "isContact": true,
                   "identity": [{"value": email, "type": "EMAIL", "timestamp": timestamp_ms,
                                 "isPrimary": true}]},
               "errors": [{"message": told, "in": "email"}],
               "category": "OBJECT_ALREADY_EXISTS", "error": "CONTACT_EXISTS"}),
    )
}

pub(crate) fn unauthorized() -> Answer {
    Answer::json(
        401,
        json!({"status": "error", "message": "Authentication credentials not found. This API \
               supports OAuth 2.0 authentication and you can find more details at \
               https://developers.hubspot.com/docs/methods/auth/oauth-overview",
               "category": "INVALID_AUTHENTICATION"}),
    )
}

pub(crate) fn missing_scopes(any_of: &[&str]) -> Answer {
    Answer::json(
        403,
        json!({"status": "error", "message": "This app hasn't been granted all required scopes to \
               make this call. Read more about required scopes here: \
               https://developers.hubspot.com/scopes.",
               "errors": [{"message": "One or more of the following scopes are required.",
                           "context": {"requiredGranularScopes": any_of}}],
               "links": {"scopes": "https://developers.hubspot.com/scopes"},
               "category": "MISSING_SCOPES"}),
    )
}

pub(crate) fn throttled(policy: Policy, settings: &Settings, request_id: String) -> Answer {
    let (name, words, retry_after_s) = match policy {
        Policy::TenSecondly => {
            ("TEN_SECONDLY_ROLLING", "You have reached your ten_secondly_rolling limit.", 10)
        }
        Policy::Secondly => ("SECONDLY", "You have reached your secondly limit.", 1),
        Policy::Daily => ("DAILY", "You have reached your daily limit.", 3_600),
    };
    let mut body = json!({"status": "error", "message": words, "errorType": "RATE_LIMIT",
                          "policyName": name});
    match policy {
        Policy::TenSecondly => {
            body["groupName"] = json!(format!(
                "publicapi:private_app-api-calls-ten-secondly:{0}:{0}",
                settings.portal_id
            ));
        }
        Policy::Secondly | Policy::Daily => body["requestId"] = json!(request_id),
    }
    let answer = Answer::json(429, body);
    if settings.retry_after_on_429 {
        answer.with("retry-after", retry_after_s.to_string())
    } else {
        answer
    }
}

pub(crate) fn locked() -> Answer {
    Answer::json(
        423,
        json!({"status": "error", "message": "The resource is locked for about 2 seconds.",
               "category": "LOCKED"}),
    )
}

pub(crate) fn internal_error() -> Answer {
    Answer::json(500, json!({"status": "error", "message": "internal error"}))
}

/// A page of HubSpot's edge.
pub(crate) fn edge_page(status: u16) -> Answer {
    let words = match status {
        502 => "Bad Gateway",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        521 => "Web server is down",
        522 => "Connection timed out",
        523 => "Origin is unreachable",
        524 => "Origin Time-out",
        _ => "Error",
    };
    let page = format!(
        "<html>\n<head><title>{status} {words}</title></head>\n<body>\n<center><h1>{status} \
         {words}</h1></center>\n<hr><center>cloudflare</center>\n</body>\n</html>\n"
    );
    Answer { status, body: Body::Html(page), headers: Vec::new() }
}
