//! Whom a request is about: what a token must say, what an e-mail looks like, and who is believed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use shared::identity::{InvalidToken, Person, Policy, check_email, identify};

const SECRET: &str = "secret";
const NOW_S: i64 = 1_795_550_400;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(NOW_S * 1_000).unwrap()
}

fn sign(header: &Value, claims: &Value) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn person(email: &str) -> Option<Person> {
    Person::new(Some(email), None)
}

/// A token of Ada's that holds for another second, with these claims in place of its own; `null`
/// takes one away.
fn token(others: &Value) -> String {
    let mut claims = json!({
        "email": "Ada@example.org",
        "iss": "hedgehog-learn",
        "aud": "hedgehog-learn-frontend",
        "exp": NOW_S + 1,
    });
    for (name, value) in others.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    sign(&json!({"alg": "HS256", "typ": "JWT"}), &claims)
}

fn signed(token: &str) -> Result<Option<Person>, InvalidToken> {
    identify(Policy::Signed, Some(SECRET), Some(token), person("eve@example.org").as_ref(), now())
}

#[test]
fn a_token_holds_from_its_beginning_until_its_end_for_our_audience_from_our_issuer() {
    let ada = Ok(person("ada@example.org"));
    let good = [
        json!({}),
        json!({"exp": NOW_S as f64 + 0.001}),
        json!({"nbf": NOW_S}),
        json!({"nbf": NOW_S as f64 - 0.5}),
        json!({"aud": ["somebody", "hedgehog-learn-frontend"]}),
    ];
    for others in good {
        assert_eq!(signed(&token(&others)), ada, "{others}");
    }
    let bad = [
        json!({"exp": null}),
        json!({"exp": NOW_S}),
        json!({"exp": NOW_S - 1}),
        json!({"exp": NOW_S.to_string()}),
        json!({"nbf": NOW_S + 1}),
        json!({"nbf": "now"}),
        json!({"aud": null}),
        json!({"aud": "somebody"}),
        json!({"aud": ["somebody", 5]}),
        json!({"aud": {"hedgehog-learn-frontend": true}}),
        json!({"iss": null}),
        json!({"iss": "somebody"}),
    ];
    for others in bad {
        assert_eq!(signed(&token(&others)), Err(InvalidToken), "{others}");
    }
}

#[test]
fn only_our_signature_by_our_algorithm_makes_a_token() {
    let good = token(&json!({}));
    let (signed_part, signature) = good.rsplit_once('.').unwrap();
    let (header, claims) = signed_part.split_once('.').unwrap();
    let mut other = URL_SAFE_NO_PAD.decode(signature).unwrap();
    other[0] ^= 1;
    let other = URL_SAFE_NO_PAD.encode(other);
    let foreign_claims = token(&json!({"email": "eve@example.org"}));
    let foreign_claims = foreign_claims.split('.').nth(1).unwrap();
    let claims_json = |token: &str| -> Value {
        let part = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    for bad in [
        format!("{header}.{claims}.{other}"),
        format!("{header}.{foreign_claims}.{signature}"),
        format!("{header}.{claims}."),
        format!("{header}.{claims}.###"),
        format!("{header}.{claims}"),
        "a.b.c".to_owned(),
        String::new(),
        sign(&json!({"alg": "none"}), &claims_json(&good)),
        sign(&json!({"alg": "HS512"}), &claims_json(&good)),
        sign(&json!({}), &claims_json(&good)),
        sign(&json!({"alg": 256}), &claims_json(&good)),
        sign(&json!({"alg": "HS256"}), &json!("claims")),
    ] {
        assert_eq!(signed(&bad), Err(InvalidToken), "{bad}");
    }
}

#[test]
fn a_token_has_at_most_8192_bytes() {
    let of_length = |length: usize| {
        let filled = |filler| token(&json!({ "filler": "x".repeat(filler) }));
        let made = (5_900..6_100).map(filled).find(|token| token.len() >= length);
        made.filter(|token| token.len() == length).unwrap()
    };
    assert_eq!(signed(&of_length(8_191)), Ok(person("ada@example.org")));
    assert_eq!(signed(&of_length(8_192)), Ok(person("ada@example.org")));
    assert_eq!(signed(&of_length(8_195)), Err(InvalidToken));
}

#[test]
fn a_token_names_whom_it_can() {
    let named = |others: Value| signed(&token(&others)).unwrap();
    assert_eq!(named(json!({"contactId": "7"})), Person::new(Some("ada@example.org"), Some("7")));
    assert_eq!(named(json!({"email": "ada", "contactId": "7"})), Person::new(None, Some("7")));
    assert_eq!(named(json!({"email": " ada@example.org "})), person("ada@example.org"));
    assert_eq!(named(json!({"email": null})), None, "a valid token that names nobody");
    let id = |units| json!({"email": null, "contactId": "7".repeat(units)});
    assert_eq!(named(id(50)), Person::new(None, Some(&"7".repeat(50))));
    assert_eq!(named(id(51)), None);
}

#[test]
fn the_policy_chooses_between_a_token_and_the_word_of_the_request() {
    let (ada, eve) = (person("ada@example.org"), person("eve@example.org"));
    let good = token(&json!({}));
    let nobody = token(&json!({"email": null}));
    let check = |policy, secret, token: Option<&str>, expected: Result<Option<Person>, _>| {
        assert_eq!(identify(policy, secret, token, eve.as_ref(), now()), expected);
    };
    let secret = Some(SECRET);
    check(Policy::Open, secret, None, Ok(eve.clone()));
    check(Policy::Open, secret, Some("bad"), Ok(eve.clone()));
    check(Policy::Open, secret, Some(&good), Ok(ada.clone()));
    check(Policy::Open, secret, Some(&nobody), Ok(None));
    check(Policy::Open, None, Some(&good), Ok(eve.clone()));
    check(Policy::Open, Some("other"), Some(&good), Ok(eve.clone()));
    check(Policy::Signed, secret, None, Ok(None));
    check(Policy::Signed, secret, Some("bad"), Err(InvalidToken));
    check(Policy::Signed, secret, Some(&good), Ok(ada.clone()));
    check(Policy::Signed, None, Some(&good), Err(InvalidToken));
}

#[test]
fn an_email_is_ascii_with_a_dotted_domain_and_a_top_level_domain_of_letters() {
    let long = |units: usize| format!("{}@b.co", "x".repeat(units - 5));
    for email in [
        "a@b.co",
        "A_b'c+d-e.9@x-y.Example.org",
        "-a@b.co",
        "a-@b.co",
        "a_@b.co",
        "a+@b.co",
        "'a@b.co",
        "a@9.co",
        "a@b-.co",
        &long(255),
    ] {
        assert_eq!(check_email(email), Ok(()), "{email}");
    }
    for email in [
        "",
        "a",
        "@",
        "@b.co",
        "a@",
        "a@b",
        "a@co",
        "a@.co",
        "a@b.",
        "a@b.c",
        "a@b.c1",
        "a@b.1c",
        "a@-b.co",
        "a@b.-c.co",
        "a@b_c.co",
        "a@b..co",
        ".a@b.co",
        "a.@b.co",
        "a'@b.co",
        "a..b@c.co",
        "a b@c.co",
        "a@b c.co",
        "a@b.co ",
        "ä@b.co",
        "a@ä.co",
        "a\"@b.co",
        "a@b@c.co",
        "a@b.c-o",
    ] {
        assert_eq!(check_email(email), Err("Invalid email".to_owned()), "{email}");
    }
    let too_long = "String must contain at most 255 character(s)";
    assert_eq!(check_email(&long(256)), Err(too_long.to_owned()));
}

#[test]
fn a_person_is_who_they_are_called_and_nobody_is_no_person() {
    let person = Person::new(Some(" Ada@Example.org "), Some("a-7")).unwrap();
    assert_eq!(person.email(), Some("ada@example.org"));
    assert_eq!((person.contact_id(), person.record_id()), (Some("a-7"), None));
    let person = Person::new(Some(" "), Some("7")).unwrap();
    assert_eq!((person.email(), person.contact_id()), (None, Some("7")));
    for (email, id) in [(None, None), (Some(" "), None), (None, Some("")), (Some(""), Some(""))] {
        assert_eq!(Person::new(email, id), None);
    }
    let sha_256_of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(Person::new(None, Some("abc")).unwrap().group(), sha_256_of_abc);
}
