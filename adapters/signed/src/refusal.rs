//! What an answer without success means, and whether another try can help.
//!
//! In: the status, the headers, the body and the time of day. Out: a [`CallFault`] that names AWS's
//! code for the refusal.
//!
//! **Invariant**: of a body only the code goes into a text, and a code has letters, digits, dots and
//! underscores only. AWS's messages quote what was sent.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{DATE, HeaderMap};
use serde_json::Value;

/// Why a call has no result. The text is AWS's code, or what became of the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallFault {
    /// The caller lacks the right, or its credentials are wrong. Another try is refused too.
    #[error("{0}")]
    Forbidden(String),
    /// AWS will not do it, the call can't be made from here, or the clock is wrong. Another try is refused too.
    #[error("{0}")]
    Refused(String),
    /// No answer, throttled, or a failure on AWS's side. Another try may succeed.
    #[error("{0}")]
    NoAnswer(String),
}

/// The longest code that is shown.
const CODE_BYTES_MAX: usize = 64;
/// With clocks this far apart, a signature that AWS calls wrong is one that AWS calls late.
const SKEW: TimeDelta = TimeDelta::minutes(4);

/// How AWS's services say that calls come too fast, as AWS's SDKs list it.
const THROTTLED: [&str; 14] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "RequestThrottled",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
];
/// Failures of AWS's own that come with a 400.
const TRANSIENT: [&str; 3] = ["RequestTimeout", "RequestTimeoutException", "InternalServerError"];
/// The codes of a signature that AWS does not accept; a wrong clock is one of the causes.
const SIGNATURE: [&str; 3] = ["InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure"];
/// The codes of a wrong clock alone.
const LATE: [&str; 3] = ["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"];
/// The codes of a missing right and of credentials that AWS does not know.
const FORBIDDEN: [&str; 8] = [
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "MissingAuthenticationTokenException",
    "UnrecognizedClientException",
];

/// What an answer with this status, which isn't a 2xx, means at this time of day.
pub(crate) fn fault(
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
    now: DateTime<Utc>,
) -> CallFault {
    let code = code(headers, body);
    let is = |codes: &[&str]| code.as_deref().is_some_and(|code| codes.contains(&code));
    let text = code.clone().unwrap_or_else(|| format!("status {status}"));
    let ahead = date(headers).map(|theirs| now - theirs);
    let is_skewed = ahead.is_some_and(|ahead| ahead.abs() > SKEW);
    if is(&LATE) || (is(&SIGNATURE) && is_skewed) {
        let distance = match ahead {
            Some(ahead) if ahead < TimeDelta::zero() => {
                format!("{} s behind AWS's", -ahead.num_seconds())
            }
            Some(ahead) => format!("{} s ahead of AWS's", ahead.num_seconds()),
            None => "another than AWS's".to_owned(),
        };
        return CallFault::Refused(format!(
            "{text}: this machine's clock is {distance}; hint: set the clock"
        ));
    }
    match status {
        _ if is(&THROTTLED) || is(&TRANSIENT) => CallFault::NoAnswer(text),
        429 | 500.. => CallFault::NoAnswer(text),
        401 | 403 => CallFault::Forbidden(text),
        _ if is(&FORBIDDEN) || is(&SIGNATURE) => CallFault::Forbidden(text),
        _ => CallFault::Refused(text),
    }
}

/// AWS's time, as any of its answers says it.
pub(crate) fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let date = headers.get(DATE)?.to_str().ok()?;
    Some(DateTime::parse_from_rfc2822(date).ok()?.with_timezone(&Utc))
}

/// AWS's code for the refusal: `ParameterNotFound`.
fn code(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let in_header = headers.get("x-amzn-errortype").and_then(|code| code.to_str().ok());
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let in_body = ["__type", "code", "Code"].iter().find_map(|name| body[*name].as_str());
    // `com.amazonaws.ssm#ParameterNotFound` and `ParameterNotFound:http://…` are the same code.
    let code = in_header.or(in_body)?;
    let code = code.split(':').next()?.rsplit('#').next()?.trim();
    let is_a_code = (1..=CODE_BYTES_MAX).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte));
    is_a_code.then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-24T20:00:00Z";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn of(status: u16, pairs: &[(&'static str, &str)], body: &str) -> CallFault {
        fault(status, &headers(pairs), body.as_bytes(), NOW.parse().unwrap())
    }

    #[track_caller]
    fn check(status: u16, body: &str, expected: CallFault) {
        assert_eq!(of(status, &[], body), expected);
    }

    fn forbidden(text: &str) -> CallFault {
        CallFault::Forbidden(text.to_owned())
    }

    fn refused(text: &str) -> CallFault {
        CallFault::Refused(text.to_owned())
    }

    fn no_answer(text: &str) -> CallFault {
        CallFault::NoAnswer(text.to_owned())
    }

    #[test]
    fn a_refusal_is_named_by_its_code() {
        let missing = r#"{"__type":"com.amazonaws.ssm#ParameterNotFound","message":"private"}"#;
        check(400, missing, refused("ParameterNotFound"));
        check(400, r#"{"__type":"AccessDeniedException"}"#, forbidden("AccessDeniedException"));
        check(403, "<html>private</html>", forbidden("status 403"));
        check(404, "", refused("status 404"));
        let by_header = [("x-amzn-errortype", "ResourceNotFoundException:http://internal/")];
        assert_eq!(of(404, &by_header, "{}"), refused("ResourceNotFoundException"));
    }

    #[test]
    fn what_is_not_a_code_is_not_shown() {
        check(400, r#"{"__type":"pat-na1 is wrong"}"#, refused("status 400"));
        check(400, r#"{"__type":"pat-na1-1234"}"#, refused("status 400"));
        check(400, &format!(r#"{{"__type":"{}"}}"#, "x".repeat(65)), refused("status 400"));
        check(400, r#"{"__type":7}"#, refused("status 400"));
    }

    #[test]
    fn throttling_and_failures_of_aws_may_be_tried_again() {
        check(400, r#"{"__type":"ThrottlingException"}"#, no_answer("ThrottlingException"));
        check(400, r#"{"__type":"InternalServerError"}"#, no_answer("InternalServerError"));
        check(429, "", no_answer("status 429"));
        check(500, r#"{"__type":"InternalServerError"}"#, no_answer("InternalServerError"));
        check(503, "busy", no_answer("status 503"));
    }

    #[test]
    fn a_refused_signature_of_a_wrong_clock_names_the_clock() {
        let wrong = r#"{"__type":"InvalidSignatureException"}"#;
        let dated = |date: &str| of(400, &[("date", date)], wrong);
        let behind = "InvalidSignatureException: this machine's clock is 600 s behind AWS's; \
                      hint: set the clock";
        assert_eq!(dated("Tue, 24 Nov 2026 20:10:00 GMT"), refused(behind));
        let ahead = "InvalidSignatureException: this machine's clock is 3600 s ahead of AWS's; \
                     hint: set the clock";
        assert_eq!(dated("Tue, 24 Nov 2026 19:00:00 GMT"), refused(ahead));
        // With clocks together, it is the secret that is wrong.
        let secret = forbidden("InvalidSignatureException");
        assert_eq!(dated("Tue, 24 Nov 2026 20:01:00 GMT"), secret);
        assert_eq!(of(400, &[], wrong), secret);
        let late = "RequestTimeTooSkewed: this machine's clock is another than AWS's; \
                    hint: set the clock";
        check(403, r#"{"Code":"RequestTimeTooSkewed"}"#, refused(late));
    }
}
