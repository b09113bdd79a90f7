//! From an answer to the kind of failure it is.
//!
//! Every error field of HubSpot's is optional, and bodies from its edge are HTML; the status
//! decides where the body says nothing. Whether a call was a read or a write decides what an answer
//! from behind the work means: a read failed, a write's outcome is unknown.
//!
//! **Invariant**: a write that may have been applied is [`CallFault::Unknown`], and nothing that
//! HubSpot wrote in sentences gets through: its messages quote values. Only names, codes and ids do.

use std::time::Duration;

use http::HeaderMap;

use crate::fault::{CallFault, Effect, LimitPolicy, PortalFault, Refusal};
use crate::transport::{Answer, NoAnswer, shown_path};
use crate::wire::ErrorBody;

/// Least wait after a 423: HubSpot's lock lasts two seconds.
const LOCKED_WAIT: Duration = Duration::from_secs(2);
/// Wait after a 477 (the portal moves to another data center) that says no time itself.
const MOVING_WAIT: Duration = Duration::from_secs(60);
/// Wait after 525 and 526: a broken certificate takes a while to fix.
const TLS_WAIT: Duration = Duration::from_secs(30);
/// Wait after a 429 for the day that nobody knows better about.
const DAILY_WAIT: Duration = Duration::from_secs(3600);
/// The longest `Retry-After` that is believed: a portal's move takes up to a day.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);

/// What an answer that is no success means.
pub(crate) fn of_answer(answer: &Answer, effect: Effect, path: &str) -> CallFault {
    let body = ErrorBody::of(&answer.body);
    let status = answer.status;
    let transient = |wait| CallFault::Transient { detail: detail(answer, &body), wait };
    let asked = retry_after(&answer.headers);
    let path = || shown_path(path);
    match status {
        401 => CallFault::Portal(PortalFault::Unauthorized),
        403 => CallFault::Portal(forbidden(&body)),
        // The paths that can be absent in a sound portal are asked for as such; a redirect, a wrong
        // method and a sunset version are signs of a wrong base URL or version like a 404.
        300..=399 | 404 | 405 | 410 => CallFault::Portal(PortalFault::UnknownPath(path())),
        // What the two do to a request in flight is not known.
        408 | 499 => in_doubt(effect, transient(asked.unwrap_or_default())),
        400 | 409 | 413 | 414 | 422 => {
            let mut refusal = Refusal::of(status, &body);
            if refusal.correlation_id.is_empty() {
                refusal.correlation_id = correlation_id(answer, &body);
            }
            if let Some(property) = refusal.undefined_property() {
                return CallFault::Portal(PortalFault::UnknownProperty(property.to_owned()));
            }
            if body.messages().any(|text| text.starts_with("Unable to infer object type")) {
                return CallFault::Portal(PortalFault::UnknownPath(path()));
            }
            CallFault::Request(Box::new(refusal))
        }
        // Refused before any work: a lock on the portal's writes, a portal on its way to another
        // data center, a spent limit. A write that met one of them was not executed.
        423 => transient(asked.unwrap_or_default().max(LOCKED_WAIT)),
        477 => transient(asked.unwrap_or(MOVING_WAIT)),
        429 => {
            let policy = policy(&body);
            let wait = asked.or_else(|| interval(&answer.headers)).unwrap_or_default();
            let least = match policy {
                LimitPolicy::TenSecondly => crate::rate::WINDOW,
                LimitPolicy::Secondly => Duration::from_secs(1),
                LimitPolicy::Daily => DAILY_WAIT,
            };
            CallFault::Throttled { policy, wait: wait.max(least) }
        }
        // Any other 4xx is a refusal too, but not of a record: nothing may be dead-lettered for
        // a suspended portal or a proxy that wants a password.
        400..=499 => transient(asked.unwrap_or_default()),
        525 | 526 => in_doubt(effect, transient(asked.unwrap_or_default().max(TLS_WAIT))),
        // 5xx. A 503 too may come from an edge whose origin has worked; a needless quarantine
        // costs seconds, a mistaken "not applied" costs progress.
        _ => in_doubt(effect, transient(asked.unwrap_or_default())),
    }
}

/// What it means that no answer came.
pub(crate) fn of_no_answer(no_answer: NoAnswer, effect: Effect) -> CallFault {
    match no_answer {
        NoAnswer::NotSent(detail) => CallFault::Transient { detail, wait: Duration::ZERO },
        NoAnswer::Unknown(detail) => {
            in_doubt(effect, CallFault::Transient { detail, wait: Duration::ZERO })
        }
    }
}

/// A read may simply be made again; a write may have been applied.
fn in_doubt(effect: Effect, transient: CallFault) -> CallFault {
    match (effect, transient) {
        (Effect::Write, CallFault::Transient { detail, .. }) => CallFault::Unknown(detail),
        (_, fault) => fault,
    }
}

fn forbidden(body: &ErrorBody) -> PortalFault {
    let scopes = body.context(&["requiredGranularScopes", "missingScopes", "requiredScopes"]);
    let scopes: Vec<String> =
        scopes.into_iter().map(word).filter(|scope| !scope.is_empty()).collect();
    let category = word(body.text("category"));
    match (scopes.is_empty(), category.as_str()) {
        (false, _) => PortalFault::MissingScope(scopes.join(" or ")),
        (true, "MISSING_SCOPES") => PortalFault::MissingScope("which one is not said".to_owned()),
        (true, "") => PortalFault::Forbidden("no reason is given".to_owned()),
        (true, _) => PortalFault::Forbidden(category),
    }
}

/// By the policy's name, else by the message's words; the burst is the likeliest.
fn policy(body: &ErrorBody) -> LimitPolicy {
    let name = body.text("policyName").to_lowercase();
    let said = if name.is_empty() { body.text("message").to_lowercase() } else { name };
    if said.contains("daily") {
        LimitPolicy::Daily
    } else if said.contains("secondly") && !said.contains("ten_secondly") {
        LimitPolicy::Secondly
    } else {
        LimitPolicy::TenSecondly
    }
}

/// `context.existingId`, or the number after "Existing ID:" in a message.
fn existing_id(body: &ErrorBody) -> Option<String> {
    let named = body.context(&["existingId"]).first().map(|id| (*id).to_owned());
    let told = || {
        body.messages().find_map(|message| {
            let (_, rest) = message.split_once("Existing ID:")?;
            let rest = rest.trim_start();
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            Some(rest[..end].to_owned())
        })
    };
    let digits = |id: &String| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    named.filter(digits).or_else(|| told().filter(digits))
}

fn detail(answer: &Answer, body: &ErrorBody) -> String {
    match correlation_id(answer, body).as_str() {
        "" => format!("status {}", answer.status),
        id => format!("status {}, correlation id {id}", answer.status),
    }
}

fn correlation_id(answer: &Answer, body: &ErrorBody) -> String {
    let header = answer.headers.get("x-hubspot-correlation-id");
    match body.text("correlationId") {
        "" => word(header.and_then(|value| value.to_str().ok()).unwrap_or_default()),
        id => word(id),
    }
}

/// In seconds. HubSpot documents it for 477 only; a date, which it never sends, counts as none.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

fn interval(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("x-hubspot-ratelimit-interval-milliseconds")?;
    Some(Duration::from_millis(value.to_str().ok()?.trim().parse().ok()?))
}

impl Refusal {
    /// From an error body: a whole answer's, or an entry of a 207.
    pub(crate) fn of(status: u16, body: &ErrorBody) -> Self {
        let own = |texts: Vec<&str>| -> Vec<String> {
            texts.into_iter().map(word).filter(|text| !text.is_empty()).collect()
        };
        let mut properties: Vec<(String, String)> = body.properties();
        for (name, code) in &mut properties {
            *name = word(name);
            *code = word(code);
        }
        Self {
            status,
            category: word(body.text("category")),
            correlation_id: word(body.text("correlationId")),
            // These are ours, echoed.
            trace_ids: body
                .context(&["objectWriteTraceId"])
                .into_iter()
                .map(str::to_owned)
                .collect(),
            ids: own(body.context(&["ids", "id"])),
            existing_id: existing_id(body),
            properties,
        }
    }
}

/// The longest name, code or id that is taken from a body.
const WORD_CHARS_MAX: usize = 128;

/// The text, if it is a name, a code or an id; else nothing. An e-mail address is none, nor is
/// a sentence, so neither gets any further.
fn word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
    if text.len() <= WORD_CHARS_MAX && text.bytes().all(plain) {
        text.to_owned()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests;
