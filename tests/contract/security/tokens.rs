//! Tokens: which are believed, where from, and what a forged one comes to under each policy.

use serde_json::{Value, json};
use shared::http::Response;

use super::{claims, hs256, signed_with, token};
use crate::doors::{self, Doors, SECRET};

/// The public key of a site that signs by RSA: everybody may know it.
const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD9\n\
                          0vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit+CqvjWYzv\n\
                          QwECAwEAAQ==\n-----END PUBLIC KEY-----\n";

/// 20:00 on the 24th of November 2026, when the doors open.
const NOW_S: i64 = 1_795_550_400;

/// Tokens that must not be believed, by what is wrong with them.
fn forged() -> Vec<(&'static str, String)> {
    let good = token(&json!({}));
    let (unsigned, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = unsigned.split_once('.').unwrap();
    let of_eve = token(&json!({ "email": "eve@example.org" }));
    let of_eve = of_eve.split('.').nth(1).unwrap();
    let by = |alg: Value| signed_with(SECRET, &json!({ "alg": alg, "typ": "JWT" }), &ada());
    let without_signature = |alg: &str| {
        let whole = by(json!(alg));
        whole[..=whole.rfind('.').unwrap()].to_owned()
    };
    let own_key =
        json!({ "alg": "HS256", "jwk": { "kty": "oct", "k": "bXkga2V5" }, "kid": "mine" });
    vec![
        ("no algorithm", without_signature("none")),
        ("no algorithm, written otherwise", without_signature("NonE")),
        ("no algorithm, and a signature", by(json!("none"))),
        ("another algorithm of the family", by(json!("HS512"))),
        ("a public-key algorithm, signed with the secret", by(json!("RS256"))),
        ("the right algorithm in another case", by(json!("hs256"))),
        ("the right algorithm among others", by(json!(["HS256"]))),
        ("an algorithm of another type", by(json!(null))),
        ("a public key for a secret", signed_with(PUBLIC_KEY, &hs256(), &ada())),
        ("a key that it brings along", signed_with("my key", &own_key, &ada())),
        ("an empty key", signed_with("", &hs256(), &ada())),
        ("the secret with a space", signed_with(&format!("{SECRET} "), &hs256(), &ada())),
        ("no signature", format!("{unsigned}.")),
        ("half a signature", format!("{unsigned}.{}", &signature[..20])),
        ("a signature in another alphabet", format!("{unsigned}.{signature}=")),
        ("another's claims", format!("{header}.{of_eve}.{signature}")),
        ("four parts", format!("{good}.{signature}")),
        ("two parts", format!("{header}.{payload}")),
        ("no token", "eyJ".to_owned()),
        ("an end that is past", token(&json!({ "exp": NOW_S - 1 }))),
        ("an end that is now", token(&json!({ "exp": NOW_S }))),
        ("an end as a text", token(&json!({ "exp": "2000000000" }))),
        ("no end", token(&json!({ "exp": null }))),
        ("a beginning to come", token(&json!({ "nbf": NOW_S + 60 }))),
        ("another issuer", token(&json!({ "iss": "hedgehog-learn.evil.com" }))),
        ("no issuer", token(&json!({ "iss": null }))),
        ("another audience", token(&json!({ "aud": "hedgehog-learn-frontend-2" }))),
        ("other audiences", token(&json!({ "aud": ["a", "b"] }))),
        ("no audience", token(&json!({ "aud": null }))),
        // In base64 it is a third longer, and over the limit on tokens; the event is not.
        ("more than any site says", token(&json!({ "more": "x".repeat(6_200) }))),
    ]
}

fn ada() -> Value {
    claims(&json!({}))
}

/// Somebody's module, as the body says whose.
fn event(email: &str) -> Value {
    json!({
        "eventName": "learning_module_started",
        "contactIdentifier": { "email": email },
        "payload": { "module_slug": "m", "course_slug": "c", "pathway_slug": "p" },
    })
}

/// Sends an event of Bob's with a token in the header, the body, or both.
async fn track(doors: &Doors, header: Option<&str>, body: Option<&str>) -> Response {
    let mut event = event("bob@example.org");
    if let Some(token) = body {
        event["token"] = token.into();
    }
    let mut request = doors::post(event.to_string());
    if let Some(token) = header {
        request.headers.insert("authorization".into(), format!("Bearer {token}"));
    }
    doors.answer(request).await
}

/// Whom the events on the queue are about.
async fn named(doors: &Doors) -> Vec<String> {
    let queued = doors.queued().await;
    queued.iter().map(|one| one.person.email().unwrap_or_default().to_owned()).collect()
}

fn signed() -> Doors {
    Doors::with(&[("IDENTITY_POLICY", "signed")])
}

#[tokio::test]
async fn under_signed_a_forged_token_is_a_401_everywhere_and_nothing_is_queued() {
    let doors = signed();
    let refused =
        json!({ "error": "Invalid or expired token", "details": { "code": "INVALID_TOKEN" } });
    for (what, token) in forged() {
        for response in
            [track(&doors, Some(&token), None).await, track(&doors, None, Some(&token)).await]
        {
            assert_eq!((response.status, doors::body(&response)), (401, refused.clone()), "{what}");
        }
        for path in ["/progress/read", "/progress/aggregate", "/enrollments/list"] {
            let query = [("type", "course"), ("slug", "c"), ("email", "ada@example.org")];
            let mut request = doors::get(path, &query);
            request.headers.insert("authorization".into(), format!("Bearer {token}"));
            let response = doors.answer(request).await;
            let found = (response.status, doors::body(&response));
            assert_eq!(found, (401, refused.clone()), "{what} at {path}");
        }
    }
    assert_eq!(named(&doors).await, [""; 0]);
}

#[tokio::test]
async fn under_open_a_forged_token_counts_for_nothing() {
    for (what, token) in forged() {
        let doors = Doors::with(&[]);
        assert_eq!(track(&doors, Some(&token), None).await.status, 200, "{what}");
        assert_eq!(named(&doors).await, ["bob@example.org"], "{what}");
    }
}

#[tokio::test]
async fn a_token_that_holds_beats_whom_the_request_names() {
    for policy in ["open", "signed"] {
        let doors = Doors::with(&[("IDENTITY_POLICY", policy)]);
        let good = token(&json!({}));
        assert_eq!(track(&doors, Some(&good), None).await.status, 200);
        assert_eq!(named(&doors).await, ["ada@example.org"], "{policy}");

        let events = json!({ "token": good, "events": [event("bob@example.org"), event("eve@example.org")] });
        assert_eq!(doors.track(events.to_string()).await.status, 200);
        assert_eq!(named(&doors).await, ["ada@example.org"; 2], "{policy}, a batch");

        // One that names nobody does not let the request name somebody.
        let nobody = token(&json!({ "email": null, "contactId": null }));
        let answer = doors::body(&track(&doors, Some(&nobody), None).await);
        assert_eq!(answer, json!({ "status": "logged", "mode": "anonymous" }), "{policy}");
        assert_eq!(named(&doors).await, [""; 0], "{policy}");
    }
}

#[tokio::test]
async fn of_two_tokens_the_header_s_alone_is_looked_at() {
    let doors = signed();
    let of_ada = token(&json!({}));
    let of_eve = token(&json!({ "email": "eve@example.org", "contactId": null }));
    assert_eq!(track(&doors, Some(&of_ada), Some(&of_eve)).await.status, 200);
    assert_eq!(track(&doors, Some(&of_ada), Some("forged")).await.status, 200);
    assert_eq!(named(&doors).await, ["ada@example.org"; 2]);
    assert_eq!(track(&doors, Some("forged"), Some(&of_ada)).await.status, 401);

    // Another scheme is no token, and leaves the body's.
    let mut event = event("bob@example.org");
    event["token"] = of_eve.into();
    let mut request = doors::post(event.to_string());
    request.headers.insert("authorization".into(), "Basic YWRhOmE=".into());
    assert_eq!(doors.answer(request).await.status, 200);
    assert_eq!(named(&doors).await, ["eve@example.org"]);
}

#[tokio::test]
async fn under_signed_no_word_of_a_request_identifies() {
    let doors = signed();
    let answer = doors::body(&track(&doors, None, None).await);
    assert_eq!(answer, json!({ "status": "logged", "mode": "anonymous" }));
    assert_eq!(named(&doors).await, [""; 0]);
    let query = [("email", "ada@example.org"), ("contactId", "201")];
    let read = doors.answer(doors::get("/progress/read", &query)).await;
    assert_eq!(doors::body(&read), json!({ "mode": "anonymous" }));

    // A query beside a token is not even read: it can't name another.
    let mut request = doors::get("/progress/read", &[("email", "bob@example.org")]);
    let bob = [("email", "bob@example.org"), ("hhl_progress_summary", "bob's")];
    let bob = bob.map(|(name, value)| (name.to_owned(), value.to_owned()));
    doors.add("301", &bob.into());
    let of_ada = token(&json!({ "contactId": null }));
    request.headers.insert("authorization".into(), format!("Bearer {of_ada}"));
    assert_eq!(doors::body(&doors.answer(request).await), json!({ "mode": "anonymous" }));
}

#[test]
fn a_public_key_is_no_secret_and_stops_the_start() {
    for key in [PUBLIC_KEY, &PUBLIC_KEY.replace("PUBLIC KEY", "CERTIFICATE")] {
        let opened = Doors::open("2026-11-24T20:00:00Z".parse().unwrap(), &[("JWT_SECRET", key)]);
        let wrong = opened.err().expect("a start");
        assert_eq!(wrong.name, "JWT_SECRET");
        assert!(!wrong.to_string().contains("MFww"), "{wrong}");
    }
}
