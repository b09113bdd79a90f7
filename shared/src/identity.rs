//! Who an event or a question is about: a token or the body, and the policy that chooses.
//!
//! A token is a JWT that the site's back end signed (HS256 only); the body's word is believed
//! under [`Policy::Open`] alone. Out of it comes a [`Person`], whose canonical name makes the
//! message group: one person, one group.
//!
//! **Invariant**: a [`Person`] has an e-mail or a contact id, and its e-mail is lower-cased.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::limits::units;

/// The longest e-mail, in UTF-16 units.
pub const EMAIL_UNITS_MAX: usize = 255;
/// The longest contact id, in UTF-16 units.
pub const CONTACT_ID_UNITS_MAX: usize = 50;

/// The longest token, in bytes: API Gateway's limit on all headers together is 10,240. A batch has
/// room for a longer one, and each of its events would have it hashed.
pub const TOKEN_BYTES_MAX: usize = 8_192;

const ISSUER: &str = "hedgehog-learn";
const AUDIENCE: &str = "hedgehog-learn-frontend";

/// Somebody: an e-mail, a contact id, or both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Person {
    email: Option<String>,
    contact_id: Option<String>,
}

impl Person {
    /// Somebody by an e-mail (trimmed and lower-cased here) or a contact id; empty texts are
    /// absent ones, and nobody is `None`.
    pub fn new(email: Option<&str>, contact_id: Option<&str>) -> Option<Self> {
        let email = email.map(|e| e.trim().to_lowercase()).filter(|e| !e.is_empty());
        let contact_id = contact_id.filter(|id| !id.is_empty()).map(str::to_owned);
        (email.is_some() || contact_id.is_some()).then_some(Self { email, contact_id })
    }

    /// The lower-cased e-mail.
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// The contact id as given: HubSpot's record id, if it is one.
    pub fn contact_id(&self) -> Option<&str> {
        self.contact_id.as_deref()
    }

    /// The contact id, if it can be one of HubSpot's record ids: digits only.
    pub fn record_id(&self) -> Option<&str> {
        self.contact_id().filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// The message group: the SHA-256, in hex, of the e-mail, or of the contact id where there is
    /// none. It also stands for the person in logs.
    pub fn group(&self) -> String {
        let canonical = self.email().or(self.contact_id()).unwrap_or_default();
        sha256_hex(canonical)
    }
}

/// The SHA-256 of a text, in hex.
pub(crate) fn sha256_hex(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// Whom we believe: `IDENTITY_POLICY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// A valid token, else the body's or the query's word. Whoever knows an e-mail address can
    /// write that person's progress.
    Open,
    /// A valid token only.
    Signed,
}

/// A token under [`Policy::Signed`] that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid or expired token")]
pub struct InvalidToken;

/// Decides whom a request is about. `None` is nobody: anonymous.
///
/// A valid token wins over what the request says of itself, even a token that names nobody.
///
/// # Errors
/// A bad token under [`Policy::Signed`]. Under [`Policy::Open`] a bad token counts for nothing.
pub fn identify(
    policy: Policy,
    secret: Option<&str>,
    token: Option<&str>,
    named: Option<&Person>,
    now: DateTime<Utc>,
) -> Result<Option<Person>, InvalidToken> {
    let claims = token.and_then(|token| verify(token, secret?, now));
    match (claims, policy) {
        (Some(claims), _) => Ok(person_of(&claims)),
        (None, Policy::Open) => Ok(named.cloned()),
        (None, Policy::Signed) if token.is_some() => Err(InvalidToken),
        (None, Policy::Signed) => Ok(None),
    }
}

/// The token of an `Authorization` header's value.
pub fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn person_of(claims: &Map<String, Value>) -> Option<Person> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let email = text("email").filter(|email| check_email(email.trim()).is_ok());
    let contact_id = text("contactId").filter(|id| units(id) <= CONTACT_ID_UNITS_MAX);
    Person::new(email, contact_id)
}

fn verify(token: &str, secret: &str, now: DateTime<Utc>) -> Option<Map<String, Value>> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    if json_part(header)?.get("alg")?.as_str()? != "HS256" {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(signed.as_bytes());
    mac.verify_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;

    let claims = json_part(claims)?;
    // Seconds, and `NumericDate` may carry a fraction.
    let seconds = |name: &str| claims.get(name).map(Value::as_f64);
    let now_s = now.timestamp_millis() as f64 / 1_000.0;
    let expires = seconds("exp").flatten()?;
    let begins = match seconds("nbf") {
        None => f64::NEG_INFINITY,
        Some(begins) => begins?,
    };
    let audience_fits = match claims.get("aud")? {
        Value::String(one) => one == AUDIENCE,
        Value::Array(many) => many.iter().any(|one| one.as_str() == Some(AUDIENCE)),
        _ => false,
    };
    let issuer_fits = claims.get("iss")?.as_str() == Some(ISSUER);
    (issuer_fits && audience_fits && begins <= now_s && now_s < expires).then_some(claims)
}

fn json_part(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// Whether an e-mail has the form that the learning site's own validation asks for (and that
/// HubSpot takes): ASCII, a dotted domain, a top-level domain of letters.
///
/// # Errors
/// What is wrong, without the address.
pub fn check_email(email: &str) -> Result<(), String> {
    let well_formed = email.rsplit_once('@').is_some_and(|(local, domain)| {
        let local_byte = |b: u8| b.is_ascii_alphanumeric() || b"_'+-.".contains(&b);
        let ends_well =
            local.bytes().last().is_some_and(|b| local_byte(b) && b != b'\'' && b != b'.');
        let label = |label: &str| {
            label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && label.bytes().next().is_some_and(|b| b != b'-')
        };
        let domain_fits = domain.rsplit_once('.').is_some_and(|(labels, top)| {
            labels.split('.').all(label)
                && top.len() >= 2
                && top.bytes().all(|b| b.is_ascii_alphabetic())
        });
        local.bytes().all(local_byte)
            && ends_well
            && !local.starts_with('.')
            && !email.contains("..")
            && domain_fits
    });
    if !well_formed {
        return Err("Invalid email".into());
    }
    if units(email) > EMAIL_UNITS_MAX {
        return Err(format!("String must contain at most {EMAIL_UNITS_MAX} character(s)"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_has_one_group_however_the_address_is_written() {
        let group = |email: &str| Person::new(Some(email), None).unwrap().group();
        assert_eq!(group("Ada@Example.org"), group(" ada@example.org "));
        assert_ne!(group("ada@example.org"), group("bob@example.org"));
    }

    #[test]
    fn an_email_names_the_group_even_beside_a_contact_id() {
        let with_id = Person::new(Some("ada@example.org"), Some("7")).unwrap();
        let without = Person::new(Some("ada@example.org"), None).unwrap();
        assert_eq!(with_id.group(), without.group());
    }

    #[test]
    fn only_digits_can_be_a_record_id() {
        let record_id = |id| Person::new(None, Some(id)).unwrap().record_id().map(str::to_owned);
        assert_eq!(record_id("4242").as_deref(), Some("4242"));
        assert_eq!(record_id("a@b.co"), None);
        assert_eq!(record_id("🥐"), None);
    }

    #[test]
    fn the_bearer_scheme_is_read_in_any_case() {
        assert_eq!(bearer("Bearer a.b.c"), Some("a.b.c"));
        assert_eq!(bearer("bearer  a.b.c "), Some("a.b.c"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer(""), None);
    }
}
