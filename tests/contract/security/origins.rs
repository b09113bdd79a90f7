//! Origins: an answer is readable for whole origins that are listed, and for nothing that contains,
//! begins or ends with one.

use shared::http::Request;

use crate::doors::{self, Doors};

/// Origins that look like one of ours and are another's, or are none.
const FOREIGN: [&str; 33] = [
    "https://hedgehog.cloud.evil.com",
    "https://evil-hedgehog.cloud",
    "https://evilhedgehog.cloud",
    "https://sub.hedgehog.cloud",
    "https://hedgehog.cloud.",
    "https://hedgehog.cloud/",
    "https://hedgehog.cloud/evil",
    "https://hedgehog.cloud:443",
    "https://hedgehog.cloud:8443",
    "https://hedgehog.cloud@evil.com",
    "https://evil.com#https://hedgehog.cloud",
    "https://evil.com?https://hedgehog.cloud",
    "https://hedgehog.cloud,https://evil.com",
    "https://evil.com https://hedgehog.cloud",
    "https://hedgehog.cloud\r\nset-cookie: a=b",
    " https://hedgehog.cloud",
    "http://hedgehog.cloud",
    "wss://hedgehog.cloud",
    "file://hedgehog.cloud",
    "HTTPS://hedgehog.cloud",
    "https://HEDGEHOG.cloud",
    "hedgehog.cloud",
    "//hedgehog.cloud",
    "null",
    "*",
    "",
    "https://hubspotusercontent-na1.net",
    "https://evilhubspotusercontent-na1.net",
    "https://a.hubspotusercontent-na1.net.evil.com",
    "https://a.hubspotusercontent-na1.net:8443",
    "https://evil.com/a.hubspotusercontent-na1.net",
    "https://a@b.hubspotusercontent20.net",
    "https://a.hubspotusercontent10.net",
];

/// Origins that are ours.
const OURS: [&str; 4] = [
    "https://hedgehog.cloud",
    "https://www.hedgehog.cloud",
    "https://a.hubspotusercontent-na1.net",
    "https://a.b.hubspotusercontent00.net",
];

#[tokio::test]
async fn an_origin_is_allowed_whole_or_not_at_all() {
    let doors = Doors::with(&[]);
    for origin in FOREIGN.into_iter().chain(OURS) {
        let is_ours = OURS.contains(&origin);
        for mut request in [
            doors::post("{}"),
            doors::get("/progress/read", &[]),
            doors::get("/nowhere", &[]),
            Request { method: "OPTIONS".into(), ..doors::post("") },
            Request { method: "DELETE".into(), ..doors::post("") },
        ] {
            request.headers.insert("origin".into(), origin.into());
            let case = format!("{origin:?} by {}", request.method);
            let response = doors.answer(request).await;
            let header = |name: &str| response.headers.get(name).map(String::as_str);
            let allowed = header("access-control-allow-origin");
            assert_eq!(allowed, is_ours.then_some(origin), "{case}");
            let credentials = header("access-control-allow-credentials");
            assert_eq!(credentials, is_ours.then_some("true"), "{case}");
            // A cache must not hand the answer for one origin to another.
            assert_eq!(header("vary"), Some("Origin"), "{case}");
        }
    }
}

#[test]
fn a_list_that_would_allow_everybody_stops_the_start() {
    for list in ["*", "https://*", "https://*.hedgehog.cloud", "null", "hedgehog.cloud"] {
        let now = "2026-11-24T20:00:00Z".parse().unwrap();
        let opened = Doors::open(now, &[("ALLOWED_ORIGINS", list)]);
        assert_eq!(opened.err().map(|wrong| wrong.name), Some("ALLOWED_ORIGINS"), "{list}");
    }
}
