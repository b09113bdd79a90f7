//! The console: one page at `/` that shows queue, work, contacts and dead letters, replays dead
//! letters, and switches the simulator's faults.
//!
//! The server makes the page for each request, and it works without a script; the page's own script
//! refreshes it in place. `local` and `serve` answer with it on their own address, `milepost console`
//! on an address for itself. [`access`] decides who sees it and what may act.
//!
//! **Invariant**: only a `POST` acts, and only if [`access`] allows it; a `GET` changes nothing.

pub mod access;
mod contacts;
mod dead_letter_list;
mod dead_letter_queue;
mod fault_list;
mod faults;
mod figures;
mod format;
mod page;
pub mod recent_stats;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use dead_letters::Queues;
use http_body_util::{BodyExt as _, Limited};
use maud::Markup;
use simulator::Portal;
use sqlite::SqliteQueues;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::access::{Access, Denied, LogIn, Visitor};
use crate::dead_letter_queue::{Busy, Chosen, DeadLetterQueue};
use crate::faults::Fault;
use crate::figures::NotEmpty;
use crate::recent_stats::StatsSource;

/// Loads only what this server serves.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
                                       connect-src 'self'; img-src data:; form-action 'self'; \
                                       base-uri 'none'; frame-ancestors 'none'";
const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// The maximum length of a form.
const FORM_BYTES_MAX: usize = 4_096;
/// The field of a form that carries the CSRF token.
const CSRF_FIELD: &str = "csrf_token";

/// What the console watches.
pub struct Watched {
    /// The queues.
    pub queues: Queues,
    /// The same queues, if they are embedded: they tell more than the port does.
    pub embedded: Option<SqliteQueues>,
    /// What ingest and the workers did recently; `None` if this process can't know.
    pub stats: Option<Arc<dyn StatsSource>>,
    /// The simulator; `None` beside the real HubSpot.
    pub portal: Option<Arc<Portal>>,
    /// What this is, in a few words.
    pub place: String,
}

/// The console.
pub struct Console {
    watched: Watched,
    access: Access,
    dead_letters: DeadLetterQueue,
    not_empty: NotEmpty,
}

/// The fields of a form or a query; of several with one name, the last.
type Fields = BTreeMap<String, String>;

impl Console {
    /// A console. Replays end soon after `stop` holds `true`.
    pub fn new(watched: Watched, access: Access, stop: watch::Receiver<bool>) -> Self {
        let dead_letters = DeadLetterQueue::new(watched.queues.clone(), stop);
        Self { watched, access, dead_letters, not_empty: NotEmpty::default() }
    }

    /// Whether the console answers this request.
    pub fn owns(&self, method: &Method, path: &str) -> bool {
        (path == "/" && method == Method::GET)
            || path == "/console"
            || path.starts_with("/console/")
    }

    /// Answers a request.
    pub async fn answer(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: Body,
    ) -> Response {
        let path = uri.path();
        match (method.as_str(), path) {
            ("GET", "/console/page.css") => {
                return finish(StatusCode::OK, "text/css; charset=utf-8", STYLE.to_owned());
            }
            ("GET", "/console/page.js") => {
                return finish(StatusCode::OK, "text/javascript; charset=utf-8", SCRIPT.to_owned());
            }
            ("POST", "/console/login") => return self.log_in(headers, body).await,
            _ => {}
        }
        let clock = &self.watched.queues.clock;
        let chance = self.watched.queues.entropy.next_u64();
        let visitor = match self.access.visitor(headers, clock.now(), chance) {
            Ok(visitor) => visitor,
            Err(Denied::LogIn) => return self.log_in_page(None),
            Err(denied) => return refused(denied),
        };
        let mut answer = match (method.as_str(), path) {
            ("GET", "/" | "/console") => self.page(&visitor).await,
            ("GET", "/console/replay") => self.dry_run(uri, &visitor).await,
            ("POST", _) => match form(body).await {
                None => plain(StatusCode::BAD_REQUEST, "this is not a form of the console"),
                Some(form) => match self.access.may_act(&visitor, headers, csrf_token(&form)) {
                    Ok(()) => self.act(path, &form, headers),
                    Err(denied) => refused(denied),
                },
            },
            _ => plain(StatusCode::NOT_FOUND, "there is no such page"),
        };
        if let Some(cookie) = visitor.cookie.as_deref().and_then(|cookie| cookie.parse().ok()) {
            answer.headers_mut().append(header::SET_COOKIE, cookie);
        }
        answer
    }

    /// Does what a form asks for, once it may act.
    fn act(&self, path: &str, form: &Fields, headers: &HeaderMap) -> Response {
        match path {
            "/console/replay" => {
                let until = form.get("until").and_then(|until| until.parse::<DateTime<Utc>>().ok());
                let (Some(chosen), Some(until)) = (chosen(form), until) else {
                    return plain(StatusCode::BAD_REQUEST, "nothing is chosen for a replay");
                };
                match self.dead_letters.start(chosen, until) {
                    Ok(()) => see("/#replay"),
                    Err(Busy) => plain(StatusCode::CONFLICT, "another replay is under way"),
                }
            }
            "/console/fault" => {
                let fault = form.get("fault").and_then(|key| Fault::from_key(key));
                let on = form.get("on").and_then(|on| on.parse().ok());
                match (&self.watched.portal, fault, on) {
                    (Some(portal), Some(fault), Some(on)) => {
                        fault.switch(portal, on);
                        see(&format!("/#fault-{}", fault.key()))
                    }
                    _ => plain(StatusCode::BAD_REQUEST, "there is no such fault"),
                }
            }
            "/console/logout" => {
                let mut answer = see("/");
                if let Ok(cookie) = self.access.log_out(headers).parse::<HeaderValue>() {
                    answer.headers_mut().append(header::SET_COOKIE, cookie);
                }
                answer
            }
            _ => plain(StatusCode::NOT_FOUND, "there is no such page"),
        }
    }

    async fn dry_run(&self, uri: &Uri, visitor: &Visitor) -> Response {
        let Some(chosen) = chosen(&fields(uri.query().unwrap_or_default().as_bytes())) else {
            return plain(StatusCode::BAD_REQUEST, "nothing is chosen for a replay");
        };
        let until = self.watched.queues.clock.now();
        let Ok(report) = self.dead_letters.dry_run(&chosen).await else {
            return plain(StatusCode::BAD_GATEWAY, "the dead-letter queue does not answer");
        };
        let depth = self.watched.queues.dead_letters.depth().await.unwrap_or_default();
        let peeked = self.dead_letters.peek(depth.total()).await.ok();
        let peeked = peeked.as_deref();
        let page = dead_letter_list::dry_run_page(&chosen, &report, peeked, until, visitor);
        finish_html(StatusCode::OK, page)
    }

    async fn log_in(&self, headers: &HeaderMap, body: Body) -> Response {
        if !access::is_same_origin(headers) {
            return refused(Denied::Elsewhere);
        }
        let form = form(body).await.unwrap_or_default();
        let token = form.get("token").map_or("", String::as_str);
        let Queues { clock, entropy, .. } = &self.watched.queues;
        let (now, uptime) = (clock.now(), clock.uptime());
        match self.access.log_in(token, headers, now, uptime, entropy.next_u64()) {
            LogIn::Welcome(cookie) => {
                let mut answer = see("/");
                if let Ok(cookie) = cookie.parse::<HeaderValue>() {
                    answer.headers_mut().append(header::SET_COOKIE, cookie);
                }
                answer
            }
            LogIn::Wrong => self.log_in_page(Some("That is not the token.")),
            LogIn::Later => self.log_in_page(Some("Too many wrong tokens: wait a minute.")),
        }
    }

    fn log_in_page(&self, wrong: Option<&str>) -> Response {
        finish_html(StatusCode::UNAUTHORIZED, page::log_in(wrong))
    }
}

/// Serves a console on an address for itself until `stop` ends.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    console: Arc<Console>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let answer = async |State(console): State<Arc<Console>>, request: Request| {
        let (parts, body) = request.into_parts();
        console.answer(&parts.method, &parts.uri, &parts.headers, body).await
    };
    let router = Router::new().fallback(answer).with_state(console);
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

fn chosen(fields: &Fields) -> Option<Chosen> {
    let given = |name: &str| fields.get(name).filter(|value| !value.is_empty()).cloned();
    given("reason").map(Chosen::Reason).or_else(|| given("id").map(Chosen::Id))
}

fn csrf_token(form: &Fields) -> &str {
    form.get(CSRF_FIELD).map_or("", String::as_str)
}

/// The fields of a form; `None` if its body is too long or breaks off.
async fn form(body: Body) -> Option<Fields> {
    let bytes = Limited::new(body, FORM_BYTES_MAX).collect().await.ok()?.to_bytes();
    Some(fields(&bytes))
}

fn fields(encoded: &[u8]) -> Fields {
    form_urlencoded::parse(encoded).into_owned().collect()
}

fn refused(denied: Denied) -> Response {
    let why = match denied {
        Denied::Closed => {
            "the console is closed: without a token it is open on loopback only; hint: set \
             MILEPOST_CONSOLE_TOKEN"
        }
        Denied::Name => "open this page by its address, not by a name",
        Denied::Proxy => {
            "this came through a proxy, so it is not from this machine; hint: set \
             MILEPOST_CONSOLE_TOKEN"
        }
        Denied::LogIn => "log in first",
        Denied::Elsewhere => "this did not come from a page of the console, and did nothing",
        Denied::CsrfToken => "this form is too old, and did nothing; hint: load the page again",
    };
    plain(StatusCode::FORBIDDEN, why)
}

/// Where a browser goes after a form has acted.
fn see(place: &str) -> Response {
    let mut answer = finish(StatusCode::SEE_OTHER, HTML, String::new());
    if let Ok(place) = place.parse() {
        answer.headers_mut().insert(header::LOCATION, place);
    }
    answer
}

fn finish_html(status: StatusCode, page: Markup) -> Response {
    finish(status, HTML, page.into_string())
}

fn plain(status: StatusCode, text: &str) -> Response {
    finish(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

fn finish(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // A stricter policy would hide from us where a form came from.
        (header::REFERRER_POLICY, "same-origin"),
    ];
    (status, headers, body).into_response()
}
