//! Answers and headers as values.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::{Value, json};
use shared::http::{Cors, Request, Response, Route};

fn request(method: &str, path: &str) -> Request {
    Request {
        method: method.into(),
        path: path.into(),
        query: BTreeMap::from([("email".into(), "ada@example.org".into())]),
        headers: BTreeMap::from([("authorization".into(), "Bearer a.b.c".into())]),
        body: b"body".into(),
        id: Some("r-1".into()),
    }
}

fn body(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap()
}

#[test]
fn every_route_has_its_path_and_its_method() {
    for (method, path, route) in [
        ("POST", "/events/track", Route::Track),
        ("GET", "/progress/read", Route::ProgressRead),
        ("GET", "/progress/aggregate", Route::ProgressAggregate),
        ("GET", "/enrollments/list", Route::EnrollmentsList),
        ("GET", "/api/health", Route::Health),
    ] {
        assert_eq!(request(method, path).route(), Ok(route), "{path}");
        let other = request("PUT", path).route().unwrap_err();
        let allowed = if method == "GET" { "GET, HEAD" } else { method };
        assert_eq!((other.status, other.headers["allow"].as_str()), (405, allowed), "{path}");
        assert_eq!(body(&other), json!({"error": "Method not allowed"}));
    }
    let unknown = request("GET", "/").route().unwrap_err();
    assert_eq!((unknown.status, body(&unknown)), (404, json!({"error": "Not found"})));
    assert_eq!(unknown.headers["content-type"], "application/json; charset=utf-8");
}

#[test]
fn a_preflight_is_answered_for_any_path_and_may_be_remembered_for_an_hour() {
    let answer = request("OPTIONS", "/anything").route().unwrap_err();
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    let headers = BTreeMap::from([("access-control-max-age", "3600".to_owned())]);
    assert_eq!(answer.headers, headers);
}

#[test]
fn a_request_shows_nothing_of_its_sender() {
    let request = request("GET", "/progress/read");
    assert_eq!(format!("{request:?}"), "Request(GET /progress/read)");
    assert_eq!(request.header("authorization"), Some("Bearer a.b.c"));
    assert_eq!(request.header("origin"), None);
}

#[test]
fn a_rejection_has_its_code_and_its_details_if_there_are_any() {
    let details = |details: &[String]| {
        let response = Response::rejection(400, "Invalid", "CODE", details);
        assert_eq!(response.status, 400);
        body(&response)
    };
    let with = json!({"error": "Invalid", "details": {"code": "CODE", "details": ["a: b"]}});
    assert_eq!(details(&["a: b".to_owned()]), with);
    assert_eq!(details(&[]), json!({"error": "Invalid", "details": {"code": "CODE"}}));
}

#[test]
fn who_is_healthy_says_what_time_it_is() {
    let response = Response::health(DateTime::from_timestamp_millis(1_500).unwrap());
    assert_eq!(response.status, 200);
    let expected = json!({"status": "healthy", "timestamp": "1970-01-01T00:00:01.500Z"});
    assert_eq!(body(&response), expected);
}

#[test]
fn an_allowed_origin_gets_itself_back_and_may_send_credentials() {
    let cors = Cors { origins: vec!["https://a.example".into(), "https://b.example".into()] };
    let common = [
        ("access-control-allow-headers", "Content-Type, Authorization"),
        ("access-control-allow-methods", "GET, POST, OPTIONS"),
        ("content-type", "application/json; charset=utf-8"),
        ("vary", "Origin"),
    ];
    let allowed = [
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-origin", "https://b.example"),
        ("access-control-expose-headers", "Retry-After"),
    ];
    let headers = |origin| cors.apply(origin, Response::json(200, &json!({}))).headers;
    let expect = |headers: &[(&'static str, &str)]| {
        headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(headers(Some("https://b.example")), expect(&[&common[..], &allowed].concat()));
    assert_eq!(headers(Some("https://c.example")), expect(&common));
    assert_eq!(headers(None), expect(&common));
}

#[test]
fn a_host_of_hubspots_is_made_of_plain_labels() {
    let cors = Cors { origins: Vec::new() };
    for (label, allowed) in
        [("a-1", true), ("A", true), ("-", true), ("a_b", false), ("a..b", false), ("ä", false)]
    {
        let origin = format!("https://{label}.hubspotusercontent00.net");
        assert_eq!(cors.allows(&origin), allowed, "{origin}");
    }
}
