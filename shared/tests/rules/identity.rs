//! Whom a request is about: what a token must say, what an e-mail looks like, and who is believed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use shared::contact_id::{ContactId, ContactIdFault, RecordId};
use shared::email::{Email, EmailFault};
use shared::identity::{InvalidToken, Person, Policy, identify};

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
fn an_email_has_an_unquoted_local_part_and_a_domain_of_labels() {
    let local = |chars: usize| format!("{}@b.co", "x".repeat(chars));
    for email in [
        "a@b.co",
        "A_b'c+d-e.9@x-y.Example.org",
        "tom&jerry@example.com",
        "!#$%&'*+-/=?^_`{|}~@b.co",
        "a'@b.co",
        "a@9.co",
        "a@b.c",
        "a@b.c1",
        "a@xn--bcher-kva.example",
        "a@r3---sn.b.xn--p1ai",
        &local(64),
    ] {
        assert_eq!(Email::parse(email).unwrap().as_str(), email.to_lowercase());
    }
    for email in [
        "",
        " ",
        "a",
        "@",
        "@b.co",
        "a@",
        "a@b",
        "a@.co",
        "a@b.",
        "a@b.co.",
        "a@-b.co",
        "a@b-.co",
        "a@b.-c.co",
        "a@b.co-",
        "a@b_c.co",
        "a@b..co",
        ".a@b.co",
        "a.@b.co",
        "a..b@c.co",
        "a b@c.co",
        "a@b c.co",
        "ä@b.co",
        "a\"@b.co",
        "\"a\"@b.co",
        "a@b@c.co",
        "a@[1.2.3.4]",
        "a@127.0.0.1",
        "a@b.1",
        "a@b\u{202E}.co",
        "a@b\u{AD}\u{AD}.",
        "a@ä",
        "a,b@c.co",
        "a(b)@c.co",
        "a;b@c.co",
        &local(65),
        &format!("a@{}.co", "b".repeat(64)),
    ] {
        assert_eq!(Email::parse(email), Err(EmailFault::Form), "{email}");
    }
    let long = |chars: usize| format!("aaa@{}co", "b.".repeat((chars - 6) / 2));
    assert_eq!(Email::parse(&long(254)).unwrap().as_str().len(), 254);
    assert_eq!(Email::parse(&long(256)), Err(EmailFault::TooLong));
    assert_eq!(Email::parse(&format!("a@{}", "ü.".repeat(600))), Err(EmailFault::TooLong));
}

#[test]
fn one_address_has_one_email_however_it_is_written() {
    for (spelled, canonical) in [
        (" Ada@Example.ORG\n", "ada@example.org"),
        ("\u{A0}ada@example.org\u{3000}", "ada@example.org"),
        ("ada@Bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@bu\u{308}cher.example", "ada@xn--bcher-kva.example"),
        ("ada@XN--Bcher-KVA.example", "ada@xn--bcher-kva.example"),
        ("ada@почта。рф", "ada@xn--80a1acny.xn--p1ai"),
    ] {
        assert_eq!(Email::parse(spelled).unwrap().as_str(), canonical, "{spelled}");
    }
}

#[test]
fn only_what_hubspot_gives_its_records_is_a_record_id() {
    for id in ["1", "101", "9999999999999999999"] {
        assert_eq!(ContactId::parse(id), Ok(ContactId::Record(RecordId::parse(id).unwrap())));
    }
    let digits = "4".repeat(40);
    for id in
        ["0", "0101", "-1", "1.0", " 101", "1e3", "١٠١", "a-7", "10000000000000000000", &digits]
    {
        assert_eq!(ContactId::parse(id), Ok(ContactId::Other(id.into())), "{id}");
    }
    assert_eq!(ContactId::parse(&"7".repeat(51)), Err(ContactIdFault::TooLong));
    assert_eq!(ContactId::parse(""), Err(ContactIdFault::Empty));
    assert_eq!(ContactId::parse("7\u{1b}"), Err(ContactIdFault::Character));
}

#[test]
fn a_numeric_contact_id_claim_is_its_digits() {
    for (claim, id) in [
        (json!(101), Some("101")),
        (json!(101.0), Some("101")),
        (json!(9_007_199_254_740_991_u64), Some("9007199254740991")),
        (json!(1.5), None),
        (json!(-1), None),
        (json!(1e30), None),
        (json!(true), None),
    ] {
        let named = signed(&token(&json!({"email": null, "contactId": claim}))).unwrap();
        assert_eq!(named, Person::new(None, id), "{claim}");
    }
}

#[test]
fn a_claim_that_nobody_uses_costs_a_token_nothing() {
    let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
    let claims = token(&json!({}));
    let claims = claims.split('.').nth(1).unwrap();
    let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    let claims = claims.replacen('{', r#"{"name":"Ada \ud83d","more":[[[1e999]]],"#, 1);
    let signed_part = format!("{}.{}", part(r#"{"alg":"HS256"}"#), part(&claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(signed_part.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    assert_eq!(signed(&format!("{signed_part}.{signature}")), Ok(person("ada@example.org")));
}

#[test]
fn a_name_that_somebody_typed_is_an_email_or_a_contact_id() {
    assert_eq!(Person::typed(" Ada@Example.org").unwrap().email(), Some("ada@example.org"));
    assert_eq!(Person::typed("7").unwrap().contact_id(), Some("7"));
    for name in ["", "ada@", "ada@example", "7\n"] {
        assert!(Person::typed(name).is_err(), "{name:?}");
    }
}

#[test]
fn a_person_is_who_they_are_called_and_nobody_is_no_person() {
    let person = Person::new(Some(" Ada@Example.org "), Some("a-7")).unwrap();
    assert_eq!(person.email(), Some("ada@example.org"));
    assert_eq!((person.contact_id(), person.record_id()), (Some("a-7"), None));
    assert!(person.has_ignored_id());
    let person = Person::new(Some(" "), Some("7")).unwrap();
    assert_eq!((person.email(), person.contact_id()), (None, Some("7")));
    for (email, id) in [(None, None), (Some(" "), None), (None, Some("")), (Some(""), Some(""))] {
        assert_eq!(Person::new(email, id), None);
    }
    let sha_256_of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(Person::new(None, Some("abc")).unwrap().group(), sha_256_of_abc);
}
