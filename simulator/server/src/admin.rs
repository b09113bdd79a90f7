//! The admin API under `/_portal/`, for whoever sits at this machine.
//!
//! | call | what it does |
//! |---|---|
//! | `GET /_portal/stats` | counts, and the most calls in any ten seconds |
//! | `GET /_portal/calls?since=N` | the calls with a number above N |
//! | `GET, POST, DELETE /_portal/faults`, `DELETE /_portal/faults/ID` | list, set and clear faults |
//! | `GET, PATCH /_portal/settings` | the switches, limits, clock skew and traffic of others |
//! | `POST /_portal/day` `{"used":N}` | how many calls the day has seen |
//! | `POST, DELETE /_portal/tokens` `{"token":…,"scopes":[…]}` | accept a token, or no more |
//! | `GET, POST /_portal/contacts?limit=&offset=` | list contacts, add one |
//! | `GET, PATCH, DELETE /_portal/contacts/ID` | show, edit or rename, archive (`?forever=true`: delete) |
//! | `POST /_portal/merge` `{"primary":ID,"loser":ID}` | merge two contacts |
//! | `DELETE /_portal/properties/NAME` | archive a definition |
//! | `POST /_portal/reset` `{"seed":N}` | a fresh portal with Milepost's properties |
//!
//! **Invariant**: it answers callers on the loopback interface only, and bodies must be sent as
//! JSON, so that no page in a browser can reach it.

use std::collections::BTreeMap;

use axum::extract::{ConnectInfo, Path, Query, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http_door::{Door, Line};
use simulator::EditFault;
use simulator::faults::FaultRule;

type Properties = BTreeMap<String, String>;

/// How many contacts a page holds when nothing is asked for.
const PAGE: usize = 100;
/// How many contacts a page holds at most.
const PAGE_MAX: usize = 1_000;

pub(crate) fn routes() -> Router<Door> {
    Router::new()
        .route("/stats", get(async |State(door): State<Door>| Json(door.portal.stats())))
        .route("/calls", get(calls))
        .route("/faults", get(faults).post(set_fault).delete(clear_faults))
        .route("/faults/{id}", delete(clear_fault))
        .route("/settings", get(settings).patch(change_settings))
        .route("/day", post(spend_day))
        .route("/events", get(events))
        .route("/tokens", post(grant).delete(revoke))
        .route("/contacts", get(contacts).post(add_contact))
        .route("/contacts/{id}", get(contact).merge(patch(edit_contact)).delete(end_contact))
        .route("/merge", post(merge))
        .route("/properties/{name}", delete(archive_property))
        .route("/reset", post(reset))
        .layer(from_fn(loopback_only))
}

async fn loopback_only(
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
    next: Next,
) -> Response {
    if !line.peer.ip().to_canonical().is_loopback() {
        return StatusCode::NOT_FOUND.into_response();
    }
    next.run(request).await
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    since: u64,
}

async fn calls(State(door): State<Door>, Query(query): Query<Since>) -> Response {
    Json(json!({"calls": door.portal.calls_since(query.since)})).into_response()
}

async fn events(State(door): State<Door>) -> Response {
    Json(json!({"events": door.portal.accepted_events()})).into_response()
}

async fn faults(State(door): State<Door>) -> Response {
    Json(json!({"faults": door.portal.faults()})).into_response()
}

async fn set_fault(State(door): State<Door>, Json(rule): Json<FaultRule>) -> Response {
    if let Err(wrong) = rule.check() {
        return refused(wrong);
    }
    (StatusCode::CREATED, Json(json!({"id": door.portal.set_fault(rule)}))).into_response()
}

async fn clear_faults(State(door): State<Door>) -> StatusCode {
    door.portal.clear_faults();
    StatusCode::NO_CONTENT
}

async fn clear_fault(State(door): State<Door>, Path(id): Path<u64>) -> StatusCode {
    found(door.portal.clear_fault(id))
}

async fn settings(State(door): State<Door>) -> Response {
    Json(door.portal.settings()).into_response()
}

async fn change_settings(State(door): State<Door>, Json(patch): Json<Value>) -> Response {
    match door.portal.settings().patched(&patch) {
        Ok(settings) => {
            door.portal.set(|present| *present = settings.clone());
            Json(settings).into_response()
        }
        Err(wrong) => refused(wrong),
    }
}

#[derive(Deserialize)]
struct Day {
    used: u64,
}

async fn spend_day(State(door): State<Door>, Json(day): Json<Day>) -> StatusCode {
    door.portal.spend_today(door.clock.now(), day.used);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Token {
    token: String,
    #[serde(default)]
    scopes: Vec<String>,
}

async fn grant(State(door): State<Door>, Json(token): Json<Token>) -> StatusCode {
    let scopes: Vec<&str> = token.scopes.iter().map(String::as_str).collect();
    door.portal.grant(&token.token, &scopes);
    StatusCode::NO_CONTENT
}

async fn revoke(State(door): State<Door>, Json(token): Json<Token>) -> StatusCode {
    door.portal.revoke(&token.token);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    offset: usize,
}

async fn contacts(State(door): State<Door>, Query(page): Query<Page>) -> Response {
    door.portal.settle(door.clock.now());
    let limit = page.limit.unwrap_or(PAGE).min(PAGE_MAX);
    let total = door.portal.stats().contacts;
    Json(json!({"total": total, "contacts": door.portal.contacts(limit, page.offset)}))
        .into_response()
}

async fn contact(State(door): State<Door>, Path(id): Path<u64>) -> Response {
    door.portal.settle(door.clock.now());
    match door.portal.contact(id) {
        Some(contact) => Json(contact).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn add_contact(State(door): State<Door>, Json(properties): Json<Properties>) -> Response {
    edited(StatusCode::CREATED, door.portal.add_contact(door.clock.now(), &properties))
}

async fn edit_contact(
    State(door): State<Door>,
    Path(id): Path<u64>,
    Json(properties): Json<Properties>,
) -> Response {
    edited(StatusCode::OK, door.portal.edit_contact(door.clock.now(), id, &properties))
}

#[derive(Deserialize)]
struct End {
    #[serde(default)]
    forever: bool,
}

async fn end_contact(
    State(door): State<Door>,
    Path(id): Path<u64>,
    Query(end): Query<End>,
) -> StatusCode {
    let now = door.clock.now();
    found(if end.forever {
        door.portal.forget_contact(now, id)
    } else {
        door.portal.archive_contact(now, id)
    })
}

#[derive(Deserialize)]
struct Merge {
    primary: u64,
    loser: u64,
}

async fn merge(State(door): State<Door>, Json(merge): Json<Merge>) -> Response {
    let merged = door.portal.merge_contacts(door.clock.now(), merge.primary, merge.loser);
    edited(StatusCode::OK, merged)
}

async fn archive_property(State(door): State<Door>, Path(name): Path<String>) -> StatusCode {
    found(door.portal.archive_property(door.clock.now(), &name))
}

#[derive(Deserialize)]
struct Reset {
    #[serde(default)]
    seed: u64,
}

async fn reset(State(door): State<Door>, Json(reset): Json<Reset>) -> Response {
    match door.portal.reset(reset.seed) {
        Ok(()) => {
            door.portal.define_milepost_properties();
            door.portal.define_milepost_events();
            StatusCode::NO_CONTENT.into_response()
        }
        Err(fault) => {
            let body = Json(json!({"error": fault.to_string()}));
            (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
        }
    }
}

fn edited(done: StatusCode, outcome: Result<u64, EditFault>) -> Response {
    match outcome {
        Ok(id) => (done, Json(json!({"id": id}))).into_response(),
        Err(EditFault::Missing) => StatusCode::NOT_FOUND.into_response(),
        Err(fault @ EditFault::Refused(_)) => refused(fault.to_string()),
    }
}

fn refused(wrong: String) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": wrong}))).into_response()
}

fn found(was_there: bool) -> StatusCode {
    if was_there { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}
