//! The portal as one function: the time and a request in, a reply and its delivery out.
//!
//! In order: what lands late, lands; the faults that hit the call; the token; the limits; the
//! scopes; the call itself; the faults that come after it; the headers; the log.
//!
//! **Invariant**: no clock, no thread, no I/O: the same seed, times and requests give the same
//! replies, byte for byte.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderValue, header::HeaderName};
use serde_json::{Value, json};
use simulator_portal::faults::{FaultKind, Faults, Fired, LANDING_MS_MAX};
use simulator_portal::limits::Policy;
use simulator_portal::settings::Settings;
use simulator_portal::world::World;

use crate::call::{self, Call};
use crate::calls::{self, CallLog, CallSeen};
use crate::errors::{self, Answer, Body};
use crate::exchange::{Delivery, Ending, PortalRequest, Reply};
use crate::routes::{self, Endpoint, Query, Route, SCOPES};

/// The token that every portal accepts until it is revoked.
pub const LOCAL_TOKEN: &str = "pat-na1-00000000-0000-4000-8000-milepostlocal";

/// A portal's whole state, and what it does with a request.
#[derive(Debug)]
pub struct Engine {
    pub(crate) world: World,
    pub(crate) faults: Faults,
    pub(crate) calls: CallLog,
    /// Token to the scopes it has.
    pub(crate) tokens: BTreeMap<String, BTreeSet<String>>,
    late: Vec<Late>,
}

/// A request that is applied when its time has come.
#[derive(Debug)]
struct Late {
    lands_at: DateTime<Utc>,
    request: PortalRequest,
}

/// A request, taken apart once.
struct Arrived<'a> {
    request: &'a PortalRequest,
    path: &'a str,
    query: Query,
    route: Result<Route, Answer>,
    body: serde_json::Result<Value>,
}

impl<'a> Arrived<'a> {
    fn read(request: &'a PortalRequest) -> Self {
        let (path, query) = Query::split(&request.path);
        let route = routes::find(&request.method, path);
        Self { request, path, query, route, body: serde_json::from_slice(&request.body) }
    }

    /// How many inputs a batch has; 0 for other calls.
    fn inputs(&self) -> usize {
        let inputs = self.body.as_ref().ok().and_then(|body| body.get("inputs")?.as_array());
        if self.path.contains("/batch") { inputs.map_or(0, Vec::len) } else { 0 }
    }
}

impl Engine {
    /// A fresh portal; all chance comes from the seed.
    pub fn new(seed: u64) -> Self {
        let all = SCOPES.iter().map(|scope| (*scope).to_owned()).collect();
        Self {
            world: World::new(seed),
            faults: Faults::default(),
            calls: CallLog::default(),
            tokens: BTreeMap::from([(LOCAL_TOKEN.to_owned(), all)]),
            late: Vec::new(),
        }
    }

    /// Answers one request that arrives now.
    pub fn handle(&mut self, now: DateTime<Utc>, request: &PortalRequest) -> Reply {
        self.settle(now);
        let arrived = Arrived::read(request);
        let is_search = arrived.route.as_ref().is_ok_and(|route| route.endpoint.is_search());
        let fired = self.faults.fire(now, &request.method, &request.path, &mut self.world.chance);
        let token = request.token.as_deref().unwrap_or_default();
        let mut written = Vec::new();
        let answer = match fired.end {
            // Nobody will see it.
            Some(FaultKind::Refused | FaultKind::CutBefore) => errors::edge_page(502),
            _ => self.answer(now, &arrived, &fired, &mut written),
        };
        if fired.end != Some(FaultKind::Refused) {
            self.world.limits.arrive(now, token, is_search);
        }
        let delivery = self.delivery(now, &fired);
        let reply = self.dress(now, token, is_search, answer, delivery);
        let status = (reply.delivery.ending == Ending::Answer).then_some(reply.status);
        self.calls.note(CallSeen {
            number: 0,
            at: now,
            token_hash: calls::token_hash(token),
            method: request.method.to_string(),
            path: calls::anonymous_path(arrived.path),
            inputs: arrived.inputs(),
            status,
            written,
        });
        reply
    }

    /// Applies what was to land late and is due. Every call does so first; a view of the
    /// contacts should, too.
    pub fn settle(&mut self, now: DateTime<Utc>) {
        self.late.sort_by_key(|late| late.lands_at);
        let due = self.late.partition_point(|late| late.lands_at <= now);
        for late in self.late.drain(..due).collect::<Vec<_>>() {
            let arrived = Arrived::read(&late.request);
            if let Ok(route) = &arrived.route {
                perform(&mut self.world, late.lands_at, &arrived, route, &Fired::default());
            }
        }
    }

    fn answer(
        &mut self,
        now: DateTime<Utc>,
        arrived: &Arrived<'_>,
        fired: &Fired,
        written: &mut Vec<u64>,
    ) -> Answer {
        let scopes = arrived.route.as_ref().map_or(&[][..], |route| route.endpoint.scopes());
        if let Some(end) = &fired.end {
            let request_id = self.world.chance.uuid_v7(now);
            if let Some(answer) = instead(end, scopes, &self.world.settings, request_id) {
                return answer;
            }
        }
        let token = arrived.request.token.as_deref().unwrap_or_default();
        let Some(granted) = self.tokens.get(token) else { return errors::unauthorized() };
        let has_scope = scopes.is_empty() || scopes.iter().any(|scope| granted.contains(*scope));
        let is_search = arrived.route.as_ref().is_ok_and(|route| route.endpoint.is_search());
        if let Err(policy) = self.world.admit(now, token, is_search) {
            let request_id = self.world.chance.uuid_v7(now);
            return errors::throttled(policy, &self.world.settings, request_id);
        }
        let route = match &arrived.route {
            Ok(route) if has_scope => route,
            Ok(_) => return errors::missing_scopes(scopes),
            Err(answer) => return answer.clone(),
        };
        if let Some(lands_at) = lands_at(now, fired) {
            self.late.push(Late { lands_at, request: arrived.request.clone() });
            return errors::edge_page(504);
        }
        let act = |world: &mut World| perform(world, now, arrived, route, fired);
        let (answer, ids) = self.world.noting_writes(act);
        written.extend(ids);
        match fired.end {
            Some(FaultKind::AppliedThen { status: 500 }) => errors::internal_error(),
            Some(FaultKind::AppliedThen { status }) => errors::edge_page(status),
            _ => answer,
        }
    }

    fn delivery(&mut self, now: DateTime<Utc>, fired: &Fired) -> Delivery {
        let (low, high) = self.world.settings.latency_ms;
        let latency = Duration::from_millis(self.world.chance.between(low, high));
        let ending = match fired.end {
            Some(FaultKind::Refused) => Ending::Refused,
            Some(FaultKind::CutBefore | FaultKind::CutAfter | FaultKind::LateLanding { .. }) => {
                Ending::Cut
            }
            _ => Ending::Answer,
        };
        let wait = if ending == Ending::Refused { Duration::ZERO } else { latency + fired.wait };
        Delivery { wait, ending, lands_at: lands_at(now, fired) }
    }

    /// Puts on what every answer carries: ids, rate headers, the content type.
    fn dress(
        &mut self,
        now: DateTime<Utc>,
        token: &str,
        is_search: bool,
        answer: Answer,
        delivery: Delivery,
    ) -> Reply {
        let correlation_id = self.world.chance.uuid_v7(now);
        let request_id = self.world.chance.uuid_v7(now);
        let is_edge = matches!(answer.body, Body::Html(_));
        let mut headers = HeaderMap::new();
        let mut put = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        put("cf-cache-status", "DYNAMIC");
        put("cf-ray", &format!("{:016x}-LAX", self.world.chance.next_u64()));
        put("server", "cloudflare");
        if !is_edge {
            put("x-hubspot-correlation-id", &correlation_id);
            put("x-request-id", &request_id);
            put("access-control-allow-credentials", "false");
            put("vary", "origin, accept-encoding");
            if self.tokens.contains_key(token) && !is_search {
                for (name, value) in self.world.limits.headers(now, token, &self.world.settings) {
                    put(name, &value);
                }
            }
        }
        for (name, value) in &answer.headers {
            put(name, value);
        }
        let body = match answer.body {
            Body::Empty => Bytes::new(),
            Body::Html(page) => {
                put("content-type", "text/html");
                page.into()
            }
            Body::Json(mut body) => {
                put("content-type", "application/json;charset=utf-8");
                if body.get("status") == Some(&json!("error")) {
                    body["correlationId"] = json!(correlation_id);
                }
                body.to_string().into()
            }
        };
        Reply { status: answer.status, headers, body, delivery }
    }
}

fn perform(
    world: &mut World,
    now: DateTime<Utc>,
    arrived: &Arrived<'_>,
    route: &Route,
    fired: &Fired,
) -> Answer {
    let skew = TimeDelta::milliseconds(world.settings.clock_skew_ms);
    let usage =
        (route.endpoint == Endpoint::Usage).then(|| world.limits.usage(now, &world.settings));
    let call = Call {
        now: to_the_millisecond(now + skew),
        version: route.version,
        query: &arrived.query,
        body: &arrived.body,
        undefined: &fired.undefined,
        silent_rows: fired.silent_rows,
        usage,
    };
    call::perform(world, route, &call)
}

/// The answer of a fault that comes instead of doing anything.
fn instead(
    end: &FaultKind,
    scopes: &[&str],
    settings: &Settings,
    request_id: String,
) -> Option<Answer> {
    let throttled = |policy, request_id| Some(errors::throttled(policy, settings, request_id));
    match end {
        FaultKind::Unauthorized => Some(errors::unauthorized()),
        FaultKind::Forbidden => Some(errors::missing_scopes(scopes)),
        FaultKind::Locked => Some(errors::locked()),
        FaultKind::TenSecondly => throttled(Policy::TenSecondly, request_id),
        FaultKind::Secondly => throttled(Policy::Secondly, request_id),
        FaultKind::Daily => throttled(Policy::Daily, request_id),
        FaultKind::Migrating { retry_after_s } => {
            Some(Answer::empty(477).with("retry-after", retry_after_s.to_string()))
        }
        FaultKind::InternalError => Some(errors::internal_error()),
        FaultKind::Edge { status } => Some(errors::edge_page(*status)),
        _ => None,
    }
}

/// Records carry milliseconds, so that a contact read back from disk is the one that was written.
pub(crate) fn to_the_millisecond(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at.timestamp_millis()).unwrap_or(at)
}

/// When a request is applied, if a fault makes it land late.
fn lands_at(now: DateTime<Utc>, fired: &Fired) -> Option<DateTime<Utc>> {
    match fired.end {
        Some(FaultKind::LateLanding { after_ms }) => {
            Some(now + TimeDelta::milliseconds(after_ms.min(LANDING_MS_MAX) as i64))
        }
        _ => None,
    }
}
