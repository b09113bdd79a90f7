//! Answers as HubSpot gives them, and what each must come to.

use http::{HeaderName, HeaderValue};

use super::*;
use crate::fault::Effect::{Read, Write};

const PATH: &str = "/crm/objects/2026-09/contacts/batch/update?archived=false";
const HTML: &str = "<html><head><title>524 Origin Time-out</title></head></html>";

fn classified(status: u16, headers: &[(&str, &str)], body: &str, effect: Effect) -> CallFault {
    let headers = headers.iter().map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    });
    let body = body.as_bytes().to_vec().into();
    of_answer(&Answer { status, headers: headers.collect(), body }, effect, PATH)
}

fn refusal(status: u16, body: &str) -> Refusal {
    match classified(status, &[], body, Write) {
        CallFault::Request(refusal) => *refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_portal_as_a_whole_is_told_from_its_records() {
    #[track_caller]
    fn check(status: u16, body: &str, fault: PortalFault) {
        for effect in [Read, Write] {
            assert_eq!(classified(status, &[], body, effect), CallFault::Portal(fault.clone()));
        }
    }
    let path = PortalFault::UnknownPath("/crm/objects/2026-09/contacts/batch/update".into());
    let scope = PortalFault::MissingScope("crm.objects.contacts.write".into());
    check(
        401,
        r#"{"status":"error","message":"Authentication credentials not found.","category":"INVALID_AUTHENTICATION"}"#,
        PortalFault::Unauthorized,
    );
    check(
        401,
        r#"{"status":"error","message":"The OAuth token used expired.","category":"EXPIRED_AUTHENTICATION"}"#,
        PortalFault::Unauthorized,
    );
    check(
        403,
        r#"{"status":"error","message":"This app hasn't been granted all required scopes.","errors":[{"message":"One or more of the following scopes are required.","context":{"requiredGranularScopes":["crm.objects.contacts.write"]}}],"links":{"scopes":"https://developers.hubspot.com/scopes"},"category":"MISSING_SCOPES"}"#,
        scope.clone(),
    );
    check(
        403,
        r#"{"status":"error","message":"One or more of the following scopes are required.","context":{"requiredGranularScopes":["crm.objects.contacts.write"],"links":["https://x.y"]},"category":"MISSING_SCOPES"}"#,
        scope,
    );
    check(
        403,
        r#"{"category":"MISSING_SCOPES"}"#,
        PortalFault::MissingScope("which one is not said".into()),
    );
    check(
        403,
        r#"{"status":"error","message":"You do not have permissions to view object type contact","category":"FORBIDDEN"}"#,
        PortalFault::Forbidden("FORBIDDEN".into()),
    );
    check(403, HTML, PortalFault::Forbidden("no reason is given".into()));
    check(404, HTML, path.clone());
    check(404, r#"{"status":"error","message":"resource not found"}"#, path.clone());
    check(301, "", path.clone());
    check(405, "", path.clone());
    check(
        400,
        r#"{"message":"Unable to infer object type from: kontacts","category":"VALIDATION_ERROR"}"#,
        path,
    );
    check(
        400,
        r#"{"status":"error","message":"Property values were not valid: [{\"isValid\":false,\"message\":\"Property \\\"hhl_total_progress\\\" does not exist\",\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"hhl_total_progress\",\"propertyValue\":\"7\",\"portalId\":891936587}]","category":"VALIDATION_ERROR"}"#,
        PortalFault::UnknownProperty("hhl_total_progress".into()),
    );
    check(
        400,
        r#"{"status":"error","message":"no JSON here","errors":[{"message":"Property \"hhl_progress_state\" does not exist","code":"PROPERTY_DOESNT_EXIST","context":{"propertyName":["hhl_progress_state"]}}],"category":"VALIDATION_ERROR"}"#,
        PortalFault::UnknownProperty("hhl_progress_state".into()),
    );
}

#[test]
fn each_429_is_told_by_policy_name_or_words() {
    #[track_caller]
    fn check(headers: &[(&str, &str)], body: &str, policy: LimitPolicy, wait_s: u64) {
        let wait = Duration::from_secs(wait_s);
        for effect in [Read, Write] {
            let throttled = CallFault::Throttled { policy, wait };
            assert_eq!(classified(429, headers, body, effect), throttled);
        }
    }
    const DAY: &str = r#"{"message":"You have reached your daily limit.","errorType":"RATE_LIMIT","policyName":"DAILY"}"#;
    const TEN: &str = r#"{"message":"You have reached your ten_secondly_rolling limit.","errorType":"RATE_LIMIT","policyName":"TEN_SECONDLY_ROLLING","groupName":"publicapi:private_app-api-calls-ten-secondly:1:2"}"#;
    const SECOND: &str = r#"{"message":"You have reached your secondly limit.","errorType":"RATE_LIMIT","policyName":"SECONDLY"}"#;
    check(&[], DAY, LimitPolicy::Daily, 3600);
    check(&[], TEN, LimitPolicy::TenSecondly, 10);
    check(&[("retry-after", "23")], TEN, LimitPolicy::TenSecondly, 23);
    check(&[("retry-after", "2")], TEN, LimitPolicy::TenSecondly, 10);
    check(
        &[("x-hubspot-ratelimit-interval-milliseconds", "12000")],
        TEN,
        LimitPolicy::TenSecondly,
        12,
    );
    check(&[], SECOND, LimitPolicy::Secondly, 1);
    check(&[], r#"{"message":"daily limit","category":"RATE_LIMITS"}"#, LimitPolicy::Daily, 3600);
    check(
        &[],
        r#"{"message":"You have reached your ten_secondly_rolling limit."}"#,
        LimitPolicy::TenSecondly,
        10,
    );
    check(&[], HTML, LimitPolicy::TenSecondly, 10);
    check(&[], "", LimitPolicy::TenSecondly, 10);
}

#[test]
fn what_was_refused_before_any_work_is_of_the_moment_for_writes_too() {
    #[track_caller]
    fn check(status: u16, headers: &[(&str, &str)], wait_s: u64) {
        for effect in [Read, Write] {
            match classified(status, headers, "", effect) {
                CallFault::Transient { wait, detail } => {
                    assert_eq!(wait, Duration::from_secs(wait_s));
                    assert_eq!(detail, format!("status {status}"));
                }
                other => panic!("{other:?}"),
            }
        }
    }
    check(423, &[], 2);
    check(423, &[("retry-after", "5")], 5);
    check(477, &[("retry-after", "7200")], 7200);
    check(477, &[("retry-after", "999999999")], 24 * 3600);
    check(477, &[], 60);
    check(477, &[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")], 60);
    check(402, &[], 0);
    check(407, &[], 0);
}

#[test]
fn from_behind_the_work_a_read_failed_and_a_writes_outcome_is_unknown() {
    let json = r#"{"status":"error","message":"internal error","correlationId":"0193-ab"}"#;
    for status in [408, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 599] {
        for body in [HTML, json, ""] {
            let detail = match body == json {
                true => format!("status {status}, correlation id 0193-ab"),
                false => format!("status {status}"),
            };
            assert_eq!(classified(status, &[], body, Write), CallFault::Unknown(detail.clone()));
            match classified(status, &[], body, Read) {
                CallFault::Transient { detail: told, .. } => assert_eq!(told, detail),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn no_answer_to_a_write_that_left_is_unknown_and_never_failed() {
    let unknown = || NoAnswer::Unknown("timed out".to_owned());
    let not_sent = || NoAnswer::NotSent("connection refused".to_owned());
    let moment =
        |detail: &str| CallFault::Transient { detail: detail.to_owned(), wait: Duration::ZERO };
    assert_eq!(of_no_answer(unknown(), Write), CallFault::Unknown("timed out".to_owned()));
    assert_eq!(of_no_answer(unknown(), Read), moment("timed out"));
    assert_eq!(of_no_answer(not_sent(), Write), moment("connection refused"));
    assert_eq!(of_no_answer(not_sent(), Read), moment("connection refused"));
}

#[test]
fn a_refusal_names_what_it_is_about() {
    let refused = refusal(
        409,
        r#"{"status":"error","message":"Contact already exists. Existing ID: 37765128953","correlationId":"0193-ab","category":"CONFLICT"}"#,
    );
    assert_eq!(refused.existing_id.as_deref(), Some("37765128953"));
    assert_eq!((refused.status, refused.category.as_str()), (409, "CONFLICT"));
    assert_eq!(refused.correlation_id, "0193-ab");

    let refused = refusal(
        409,
        r#"{"message":"Contact already exists.","identityProfile":{"vid":51,"identity":[{"value":"a@b.co","type":"EMAIL"}]},"errors":[{"message":"A contact with email a@b.co already exists. Existing ID: 51","in":"email"}],"status":"error","category":"OBJECT_ALREADY_EXISTS","error":"CONTACT_EXISTS"}"#,
    );
    assert_eq!(refused.existing_id.as_deref(), Some("51"));

    let refused = refusal(
        400,
        r#"{"status":"error","message":"Duplicate IDs found in batch input: [12877907025]. IDs must be unique","context":{"ids":["12877907025"]},"category":"VALIDATION_ERROR"}"#,
    );
    assert_eq!(refused.ids, ["12877907025"]);
    assert_eq!(refused.properties, []);

    let refused = refusal(
        400,
        r#"{"status":"error","message":"Property values were not valid: [{\"isValid\":false,\"message\":\"Email address a@b.con is invalid\",\"error\":\"INVALID_EMAIL\",\"name\":\"email\"}]","errors":[{"message":"Email address a@b.con is invalid","code":"INVALID_EMAIL","context":{"propertyName":["email"]}}],"category":"VALIDATION_ERROR"}"#,
    );
    assert_eq!(refused.properties, [("email".to_owned(), "INVALID_EMAIL".to_owned())]);
    assert_eq!(refused.to_string(), "400 VALIDATION_ERROR, email: INVALID_EMAIL");

    let refused = refusal(
        400,
        r#"{"message":"The property values provided are invalid","errors":[{"message":"A value for firstname must be provided","code":"MISSING_REQUIRED_PROPERTY","context":{"propertyName":["firstname"]}}],"category":"VALIDATION_ERROR"}"#,
    );
    let code = "MISSING_REQUIRED_PROPERTY".to_owned();
    assert_eq!(refused.properties, [("firstname".to_owned(), code)]);

    // A property that is not ours is the record's own affair.
    let refused = refusal(
        400,
        r#"{"errors":[{"code":"PROPERTY_DOESNT_EXIST","context":{"propertyName":["foo"]}}],"category":"VALIDATION_ERROR"}"#,
    );
    assert_eq!(refused.undefined_property(), None);

    for status in [400, 409, 413, 414, 422] {
        for body in ["", HTML, "null", "[]", "{\"category\":7,\"errors\":{\"a\":1},\"context\":[]}"]
        {
            assert_eq!(refusal(status, body), Refusal { status, ..Refusal::default() });
        }
    }
}

#[test]
fn no_text_of_a_fault_shows_an_address_or_a_value() {
    let body = r#"{"status":"a@b.co","message":"Email address a@b.co is invalid, token pat-na1","category":"a@b.co","correlationId":"a@b.co","policyName":"a@b.co","context":{"ids":["a@b.co"],"requiredGranularScopes":["a@b.co"],"existingId":["a@b.co"]},"errors":[{"message":"a@b.co","code":"a@b.co","context":{"propertyName":["a@b.co"]}}]}"#;
    for status in 300..600 {
        for effect in [Read, Write] {
            let fault = classified(status, &[("x-hubspot-correlation-id", "a@b.co")], body, effect);
            for text in [fault.to_string(), format!("{fault:?}")] {
                assert!(!text.contains('@') && !text.contains("pat-na1"), "{text}");
            }
        }
    }
    let path = "/crm/objects/2026-09/contacts/a.b%40c.co?idProperty=email";
    let answer = Answer { status: 405, headers: HeaderMap::new(), body: Default::default() };
    assert_eq!(
        of_answer(&answer, Read, path).to_string(),
        "the portal refuses this app: HubSpot does not know the path \
         /crm/objects/2026-09/contacts/…"
    );
}
