//! Requests and answers as values; routes under any stage prefix; CORS.
//!
//! Every door (API Gateway, the local stack's server, a test) makes a [`Request`] and delivers a
//! [`Response`]; what stands between is the same for all of them.
//!
//! **Invariant**: an origin is allowed as a whole host or not at all, never by substring.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::json;

/// How long a browser may remember a preflight, in seconds.
pub const PREFLIGHT_MAX_AGE_S: u32 = 3_600;

/// HubSpot's content hosts, on which the site's pages are previewed.
const HUBSPOT_CONTENT_DOMAINS: [&str; 5] = [
    "hubspotusercontent-na1.net",
    "hubspotusercontent00.net",
    "hubspotusercontent20.net",
    "hubspotusercontent30.net",
    "hubspotusercontent40.net",
];

/// An HTTP request, decoded: no base64, no percent signs in the query.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The method, in upper case.
    pub method: String,
    /// The path as it came, perhaps with a stage before it.
    pub path: String,
    /// The query's parameters; of a repeated one, the last.
    pub query: BTreeMap<String, String>,
    /// The headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body's bytes.
    pub body: Vec<u8>,
    /// The door's own name for the request, which ties log lines together. Never something that
    /// the client chose: it is logged.
    pub id: Option<String>,
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers, without a length.
    pub headers: BTreeMap<&'static str, String>,
    /// The body; JSON, or empty.
    pub body: String,
}

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `POST /events/track`
    Track,
    /// `GET /progress/read`
    ProgressRead,
    /// `GET /progress/aggregate`
    ProgressAggregate,
    /// `GET /enrollments/list`
    EnrollmentsList,
    /// `GET /api/health`
    Health,
}

/// Path, method, and what is asked.
const ROUTES: [(&str, &str, Route); 5] = [
    ("/events/track", "POST", Route::Track),
    ("/progress/read", "GET", Route::ProgressRead),
    ("/progress/aggregate", "GET", Route::ProgressAggregate),
    ("/enrollments/list", "GET", Route::EnrollmentsList),
    ("/api/health", "GET", Route::Health),
];

impl Request {
    /// A header's value, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// What is asked, or the answer to a request that asks for nothing: a preflight, an unknown
    /// path, a wrong method.
    ///
    /// # Errors
    /// The `Err` is that answer.
    pub fn route(&self) -> Result<Route, Response> {
        if self.method == "OPTIONS" {
            return Err(Response::empty(200)
                .with("access-control-max-age", PREFLIGHT_MAX_AGE_S.to_string()));
        }
        let (method, route) = find(&self.path).ok_or_else(|| Response::error(404, "Not found"))?;
        let is_allowed = self.method == method || (self.is_head() && method == "GET");
        if !is_allowed {
            let allow = if method == "GET" { "GET, HEAD" } else { method };
            return Err(Response::error(405, "Method not allowed").with("allow", allow.into()));
        }
        Ok(route)
    }

    /// Whether only the headers are asked for. It is answered wherever `GET` is.
    pub fn is_head(&self) -> bool {
        self.method == "HEAD"
    }
}

impl std::fmt::Debug for Request {
    /// Method and path only: query, headers and body hold what must not be logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Request({} {})", self.method, self.path)
    }
}

/// Method and route of a path, which may begin with one stage segment. Empty segments, as a slash
/// at the end or a doubled one makes them, don't count.
fn find(path: &str) -> Option<(&'static str, Route)> {
    let segments: Vec<&str> =
        path.strip_prefix('/')?.split('/').filter(|segment| !segment.is_empty()).collect();
    ROUTES.into_iter().find_map(|(known, method, route)| {
        let known = known.split('/').skip(1);
        let is_known = |found: &[&str]| {
            found.len() == known.clone().count()
                && found.iter().zip(known.clone()).all(|(a, b)| a.eq_ignore_ascii_case(b))
        };
        let behind_stage = || segments.split_first().is_some_and(|(_stage, rest)| is_known(rest));
        (is_known(&segments) || behind_stage()).then_some((method, route))
    })
}

impl Response {
    /// A JSON answer.
    #[expect(clippy::expect_used, reason = "what answers are made of never fails to be JSON")]
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        let body = serde_json::to_string(body).expect("an answer is JSON");
        Self::empty(status)
            .with("content-type", "application/json; charset=utf-8".into())
            .body(body)
    }

    /// `{"error": …}`.
    pub fn error(status: u16, error: &str) -> Self {
        Self::json(status, &json!({ "error": error }))
    }

    /// `{"error": …, "details": {"code": …, "details": […]}}`.
    pub fn rejection(status: u16, error: &str, code: &str, details: &[String]) -> Self {
        let mut inner = json!({ "code": code });
        if !details.is_empty() {
            inner["details"] = json!(details);
        }
        Self::json(status, &json!({ "error": error, "details": inner }))
    }

    /// The answer of `GET /api/health`.
    pub fn health(now: DateTime<Utc>) -> Self {
        let timestamp = now.to_rfc3339_opts(SecondsFormat::Millis, true);
        Self::json(200, &json!({ "status": "healthy", "timestamp": timestamp }))
    }

    /// The answer to this request: one to `HEAD` has no body.
    #[must_use]
    pub fn to(self, request: &Request) -> Self {
        if request.is_head() { self.body(String::new()) } else { self }
    }

    fn empty(status: u16) -> Self {
        Self { status, headers: BTreeMap::new(), body: String::new() }
    }

    fn body(mut self, body: String) -> Self {
        self.body = body;
        self
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.insert(name, value);
        self
    }
}

/// Which origins may read an answer, credentials included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// Whole origins, as `ALLOWED_ORIGINS` lists them.
    pub origins: Vec<String>,
}

impl Cors {
    /// Whether a page of this origin may read our answers.
    pub fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| allowed == origin) || is_hubspot_content(origin)
    }

    /// Adds to an answer what CORS asks for.
    pub fn apply(&self, origin: Option<&str>, response: Response) -> Response {
        let response = response
            .with("vary", "Origin".into())
            .with("access-control-allow-headers", "Content-Type, Authorization".into())
            .with("access-control-allow-methods", "GET, POST, OPTIONS".into());
        match origin.filter(|origin| self.allows(origin)) {
            Some(origin) => response
                .with("access-control-allow-origin", origin.to_owned())
                .with("access-control-allow-credentials", "true".into())
                // A browser hides it across origins else, and the page would come back too soon.
                .with("access-control-expose-headers", "Retry-After".into()),
            None => response,
        }
    }
}

fn is_hubspot_content(origin: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    origin.strip_prefix("https://").is_some_and(|host| {
        HUBSPOT_CONTENT_DOMAINS.iter().any(|domain| {
            host.strip_suffix(domain)
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|labels| labels.split('.').all(label))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(method: &str, path: &str) -> Result<Route, u16> {
        let request = Request { method: method.into(), path: path.into(), ..Request::default() };
        request.route().map_err(|response| response.status)
    }

    #[test]
    fn a_path_matches_with_or_without_a_stage_in_any_case() {
        assert_eq!(route("POST", "/events/track"), Ok(Route::Track));
        assert_eq!(route("POST", "/prod/Events/Track"), Ok(Route::Track));
        assert_eq!(route("GET", "/dev/ENROLLMENTS/LIST"), Ok(Route::EnrollmentsList));
        assert_eq!(route("GET", "/prod/api/health"), Ok(Route::Health));
    }

    #[test]
    fn a_path_that_only_ends_alike_is_unknown() {
        for path in ["/xevents/track", "/events/tracks", "/a/b/events/track", "/track", "/", ""] {
            assert_eq!(route("POST", path), Err(404), "{path}");
        }
    }

    #[test]
    fn an_empty_segment_of_a_path_does_not_count() {
        for path in ["/events/track/", "//events/track", "/prod//Events/track//"] {
            assert_eq!(route("POST", path), Ok(Route::Track), "{path}");
        }
    }

    #[test]
    fn a_head_request_is_answered_wherever_a_get_is() {
        assert_eq!(route("HEAD", "/api/health"), Ok(Route::Health));
        assert_eq!(route("HEAD", "/prod/progress/read/"), Ok(Route::ProgressRead));
        assert_eq!(route("HEAD", "/events/track"), Err(405));
        let request = Request { method: "HEAD".into(), ..Request::default() };
        assert_eq!(Response::health(DateTime::UNIX_EPOCH).to(&request).body, "");
    }

    #[test]
    fn a_known_path_refuses_other_methods() {
        assert_eq!(route("GET", "/events/track"), Err(405));
        assert_eq!(route("DELETE", "/prod/progress/read"), Err(405));
        assert_eq!(route("DELETE", "/x"), Err(404));
    }

    #[test]
    fn an_origin_is_matched_on_whole_host_labels() {
        let cors = Cors { origins: vec!["https://hedgehog.cloud".into()] };
        for (origin, allowed) in [
            ("https://hedgehog.cloud", true),
            ("http://hedgehog.cloud", false),
            ("https://HEDGEHOG.cloud", false),
            ("https://hedgehog.cloud:443", false),
            ("https://hedgehog.cloud.evil.com", false),
            ("https://x.hubspotusercontent-na1.net", true),
            ("https://a.b.hubspotusercontent20.net", true),
            ("https://hubspotusercontent20.net", false),
            ("https://xhubspotusercontent20.net", false),
            ("https://.hubspotusercontent20.net", false),
            ("https://evil.com/.hubspotusercontent30.net", false),
            ("https://x.hubspotusercontent40.net.evil.com", false),
            ("https://x@y.hubspotusercontent40.net", false),
            ("http://x.hubspotusercontent40.net", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(cors.allows(origin), allowed, "{origin}");
        }
    }

    #[test]
    fn a_page_of_an_allowed_origin_may_read_when_to_come_back() {
        let cors = Cors { origins: vec!["https://hedgehog.cloud".into()] };
        for (origin, exposed) in [
            (Some("https://hedgehog.cloud"), Some("Retry-After")),
            (Some("https://evil.com"), None),
            (None, None),
        ] {
            let answer = cors.apply(origin, Response::error(404, "Not found"));
            let header = answer.headers.get("access-control-expose-headers");
            assert_eq!(header.map(String::as_str), exposed, "{origin:?}");
        }
    }

    #[test]
    fn an_origin_that_is_not_allowed_gets_no_allow_header_but_vary() {
        let cors = Cors { origins: Vec::new() };
        let answer = cors.apply(Some("https://evil.com"), Response::error(404, "Not found"));
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
        assert!(!answer.headers.contains_key("access-control-allow-credentials"));
        assert_eq!(answer.headers["vary"], "Origin");
    }
}
