//! What an attacker can send from outside, through both functions: tokens that are none, origins
//! that only look allowed, bodies and headers without end, and answers that might tell too much.
//!
//! Tokens are made here, with a signer of the test's own, so that the check under test is met by
//! nothing of itself. What a body may be is in `bad_input`, and what a log may hold in `log_canary`.

/// What answers tell.
mod answers;
/// Lengths, over a socket.
mod limits;
/// Whose pages may read answers.
mod origins;
/// Tokens, good and forged.
mod tokens;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::doors::SECRET;

/// The header of a token that holds.
fn hs256() -> Value {
    json!({ "alg": "HS256", "typ": "JWT" })
}

/// Ada's claims, which hold until 2033, with these in place of theirs; `null` takes one away.
fn claims(others: &Value) -> Value {
    let mut claims = json!({
        "iss": "hedgehog-learn",
        "aud": "hedgehog-learn-frontend",
        "exp": 2_000_000_000,
        "email": "ada@example.org",
        "contactId": "201",
    });
    for (name, value) in others.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

/// A token of these parts, signed with this key by HMAC-SHA-256, whatever its header says.
fn signed_with(key: &str, header: &Value, claims: &Value) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// Ada's token, with these claims in place of its own.
pub(crate) fn token(others: &Value) -> String {
    signed_with(SECRET, &hs256(), &claims(others))
}
