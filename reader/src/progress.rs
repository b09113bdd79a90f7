//! The answer of `GET /progress/read`: a contact's state, as it stands.

use hubspot::contact::Contact;
use serde::Serialize;
use shared::facts::Progress;
use shared::http::Response;
use shared::properties::{
    LAST_VIEWED_AT, LAST_VIEWED_SLUG, LAST_VIEWED_TYPE, PROGRESS_STATE, PROGRESS_SUMMARY,
    PROGRESS_UPDATED_AT,
};
use shared::state;

/// What is answered. The state keeps the exact text of what Milepost does not know.
#[derive(Serialize)]
struct Body<'a> {
    mode: &'static str,
    progress: Progress,
    updated_at: Option<&'a str>,
    summary: Option<&'a str>,
    last_viewed: LastViewed<'a>,
}

#[derive(Serialize)]
struct LastViewed<'a> {
    #[serde(rename = "type")]
    content_type: Option<&'a str>,
    slug: Option<&'a str>,
    at: Option<&'a str>,
}

/// State, date, summary and the last view of a contact.
pub fn answer(contact: &Contact) -> Response {
    let body = Body {
        mode: "authenticated",
        progress: progress_of(contact),
        updated_at: text(contact, PROGRESS_UPDATED_AT),
        summary: text(contact, PROGRESS_SUMMARY),
        last_viewed: LastViewed {
            content_type: text(contact, LAST_VIEWED_TYPE),
            slug: text(contact, LAST_VIEWED_SLUG),
            at: text(contact, LAST_VIEWED_AT),
        },
    };
    Response::json(200, &body)
}

/// The contact's progress. A state that can't be understood reads as none: a page must go on, and
/// it is the worker that must not write over it.
pub(crate) fn progress_of(contact: &Contact) -> Progress {
    let text = contact.properties.get(PROGRESS_STATE).map(String::as_str);
    state::read(text).unwrap_or_default()
}

fn text<'a>(contact: &'a Contact, name: &str) -> Option<&'a str> {
    contact.properties.get(name).map(String::as_str).filter(|text| !text.is_empty())
}
