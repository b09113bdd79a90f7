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
use serde_json::Number;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::contact_id::{ContactId, RecordId};
use crate::email::Email;
use crate::json::{self, Members};

/// The longest token, in bytes: API Gateway's limit on all headers together is 10,240. A batch has
/// room for a longer one, and each of its events would have it hashed.
pub const TOKEN_BYTES_MAX: usize = 8_192;

const ISSUER: &str = "hedgehog-learn";
const AUDIENCE: &str = "hedgehog-learn-frontend";

/// The claims that count.
const CLAIMS: [&str; 6] = ["iss", "aud", "exp", "nbf", "email", "contactId"];
/// JavaScript's `Number.MAX_SAFE_INTEGER`.
const WHOLE_MAX: f64 = 9_007_199_254_740_991.0;

/// Somebody: an e-mail, a contact id, or both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Person {
    email: Option<Email>,
    contact_id: Option<ContactId>,
}

impl Person {
    /// Somebody by an e-mail, a contact id or both; nobody is `None`.
    pub fn of(email: Option<Email>, contact_id: Option<ContactId>) -> Option<Self> {
        (email.is_some() || contact_id.is_some()).then_some(Self { email, contact_id })
    }

    /// Somebody by texts that nobody waits to hear a complaint about, such as a contact's own
    /// properties or a token's claims: a text that is no e-mail or no contact id is an absent one.
    pub fn new(email: Option<&str>, contact_id: Option<&str>) -> Option<Self> {
        let email = email.and_then(|email| Email::parse(email).ok());
        let contact_id = contact_id.and_then(|id| ContactId::parse(id).ok());
        Self::of(email, contact_id)
    }

    /// Somebody by a name that a person typed: an e-mail if it has an `@`, else a contact id.
    ///
    /// # Errors
    /// What is wrong with the name, without the name.
    pub fn typed(name: &str) -> Result<Self, String> {
        let (email, contact_id) = if name.contains('@') {
            (Some(Email::parse(name).map_err(|fault| fault.to_string())?), None)
        } else {
            (None, Some(ContactId::parse(name).map_err(|fault| fault.to_string())?))
        };
        Ok(Self { email, contact_id })
    }

    /// The canonical e-mail.
    pub fn email(&self) -> Option<&str> {
        self.email.as_ref().map(Email::as_str)
    }

    /// The contact id as given, whether or not a contact can have it.
    pub fn contact_id(&self) -> Option<&str> {
        self.contact_id.as_ref().map(ContactId::as_str)
    }

    /// The contact id, if it can be one of HubSpot's record ids: the only form of an id that is
    /// sent there.
    pub fn record_id(&self) -> Option<&RecordId> {
        match &self.contact_id {
            Some(ContactId::Record(id)) => Some(id),
            Some(ContactId::Other(_)) | None => None,
        }
    }

    /// Whether there is a contact id that no contact can have beside an e-mail, which serves alone.
    pub fn has_ignored_id(&self) -> bool {
        self.email.is_some() && matches!(self.contact_id, Some(ContactId::Other(_)))
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
    let verified = token.and_then(|token| verify(token, secret?, now));
    match (verified, policy) {
        (Some(person), _) => Ok(person),
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

/// The digits of a whole number, as JavaScript writes it.
fn digits(number: &Number) -> Option<String> {
    let whole = |number: &f64| number.fract() == 0.0 && (0.0..=WHOLE_MAX).contains(number);
    match number.as_u64() {
        Some(number) => Some(number.to_string()),
        None => number.as_f64().filter(whole).map(|number| format!("{number:.0}")),
    }
}

/// Whom a token names, if the token holds: `Some(None)` is a valid token that names nobody.
fn verify(token: &str, secret: &str, now: DateTime<Utc>) -> Option<Option<Person>> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let header = URL_SAFE_NO_PAD.decode(header).ok()?;
    let algorithm = json::members(json::document(&header).ok()?, ["alg"])?.get("alg")?;
    if json::text(algorithm)? != "HS256" {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(signed.as_bytes());
    mac.verify_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;

    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims = json::members(json::document(&claims).ok()?, CLAIMS)?;
    // Seconds, and `NumericDate` may carry a fraction.
    let seconds = |name: &str| claims.get(name).map(|time| json::number(time)?.as_f64());
    let now_s = now.timestamp_millis() as f64 / 1_000.0;
    let expires = seconds("exp").flatten()?;
    let begins = match seconds("nbf") {
        None => f64::NEG_INFINITY,
        Some(begins) => begins?,
    };
    let is = |value: &RawValue, text: &str| json::text(value).is_some_and(|value| value == text);
    let audience = claims.get("aud")?;
    let audience_fits = match json::elements(audience) {
        Some(many) => many.into_iter().any(|one| is(one, AUDIENCE)),
        None => is(audience, AUDIENCE),
    };
    let issuer_fits = is(claims.get("iss")?, ISSUER);
    (issuer_fits && audience_fits && begins <= now_s && now_s < expires).then(|| person_of(&claims))
}

fn person_of<const N: usize>(claims: &Members<'_, N>) -> Option<Person> {
    let email = claims.get("email").and_then(json::text);
    let contact_id = claims.get("contactId").and_then(|id| match json::number(id) {
        Some(number) => digits(&number),
        None => json::text(id),
    });
    Person::new(email.as_deref(), contact_id.as_deref())
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
        let record_id =
            |id| Person::new(None, Some(id)).unwrap().record_id().map(ToString::to_string);
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
