//! The answer of `GET /progress/read`: a contact's state, as it stands.

use hubspot::contact::Contact;
use serde_json::{Value, json};
use shared::facts::Progress;
use shared::http::Response;
use shared::properties::{
    LAST_VIEWED_AT, LAST_VIEWED_SLUG, LAST_VIEWED_TYPE, PROGRESS_STATE, PROGRESS_SUMMARY,
    PROGRESS_UPDATED_AT,
};
use shared::state;

/// State, date, summary and the last view of a contact.
pub fn answer(contact: &Contact) -> Response {
    let body = json!({
        "mode": "authenticated",
        "progress": state::to_value(&progress_of(contact)),
        "updated_at": text(contact, PROGRESS_UPDATED_AT),
        "summary": text(contact, PROGRESS_SUMMARY),
        "last_viewed": {
            "type": text(contact, LAST_VIEWED_TYPE),
            "slug": text(contact, LAST_VIEWED_SLUG),
            "at": text(contact, LAST_VIEWED_AT),
        },
    });
    Response::json(200, &body)
}

/// The contact's progress. A state that can't be understood reads as none: a page must go on, and
/// it is the worker that must not write over it.
pub(crate) fn progress_of(contact: &Contact) -> Progress {
    let text = contact.properties.get(PROGRESS_STATE).map(String::as_str);
    state::read(text).unwrap_or_default()
}

fn text(contact: &Contact, name: &str) -> Value {
    match contact.properties.get(name) {
        Some(text) if !text.is_empty() => text.as_str().into(),
        _ => Value::Null,
    }
}
