//! A front door's answer → what became of each line of the request.
//!
//! An answer to a batch names what was not accepted by its place. Where a whole batch was logged
//! instead of queued, the answer names nothing: the lines are judged here, by the front door's own
//! rules.
//!
//! **Invariant**: a request has as many fates as lines, in order. What can't be understood is
//! *failed*, never *accepted*.

use serde::Deserialize;
use shared::submission::{self, Submitted};

use super::batches::Batch;
use super::lines::{Line, Unsent};
use super::send::Reply;

/// What became of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is on the queue.
    Accepted,
    /// It names nobody, or progress is not kept; nothing is stored.
    Anonymous,
    /// It isn't a valid event: to send it again does not help.
    Rejected(Reason),
    /// It was not taken: to send it again may help.
    Failed(Reason),
    /// It was not sent, because no event can be made of it.
    Refused(Reason),
    /// It was not sent, because it has no values.
    Skipped,
}

/// Why a line was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reason {
    /// The front door's code for it, or ours where it gave none.
    pub(super) code: String,
    /// What is wrong, one text for each thing.
    pub(super) details: Vec<String>,
}

/// The answers' bodies, as far as they matter here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    status: String,
    mode: String,
    accepted: Option<usize>,
    rejected: Option<Vec<Refused>>,
    details: Details,
}

#[derive(Deserialize)]
struct Refused {
    index: usize,
    code: String,
    #[serde(default)]
    details: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    code: String,
    details: Vec<String>,
}

/// The fates of a batch's lines, in order. `has_token`: a token was sent along.
pub(super) fn fates(batch: &Batch, reply: &Reply, has_token: bool) -> Vec<Fate> {
    let all = |fate: Fate| vec![fate; batch.lines.len()];
    let (status, body) = match reply {
        Reply::Unsent(Unsent::Empty) => return all(Fate::Skipped),
        Reply::Unsent(Unsent::Refused(why)) => {
            return all(Fate::Refused(Reason::new("UNREADABLE_ROW", why)));
        }
        Reply::Nothing(cause) => return all(failed("NO_ANSWER", cause)),
        Reply::Answer { status, body } => (*status, body),
    };
    if !matches!(status, 200 | 400 | 401) {
        return all(failed(&format!("HTTP_{status}"), "the front door answered with this status"));
    }
    let Ok(body) = serde_json::from_slice::<Body>(body) else {
        return all(failed("UNREADABLE_ANSWER", "the answer is not a front door's"));
    };
    let judged = |otherwise: Fate| {
        batch.lines.iter().map(|line| judge(line, has_token, &otherwise)).collect()
    };
    match (status, body.status.as_str(), body.mode.as_str()) {
        (200, "persisted", _) | (400, ..) if body.rejected.is_some() => by_place(batch, body),
        (200, "persisted", _) => all(Fate::Accepted),
        (200, "logged", "anonymous") => judged(Fate::Anonymous),
        (200, "logged", "fallback") => judged(failed(
            "FALLBACK",
            "the queue was away; the front door keeps the event in its log",
        )),
        (400 | 401, ..) if !body.details.code.is_empty() => {
            let Details { code, details } = body.details;
            all(Fate::Rejected(Reason { code, details }))
        }
        _ => all(failed("UNREADABLE_ANSWER", "the answer is not a front door's")),
    }
}

fn by_place(batch: &Batch, body: Body) -> Vec<Fate> {
    let mut fates = vec![Fate::Accepted; batch.lines.len()];
    for Refused { index, code, details } in body.rejected.unwrap_or_default() {
        if let Some(fate) = fates.get_mut(index) {
            *fate = match code.as_str() {
                "NO_IDENTITY" => Fate::Anonymous,
                "FALLBACK" => Fate::Failed(Reason { code, details }),
                _ => Fate::Rejected(Reason { code, details }),
            };
        }
    }
    let accepted = fates.iter().filter(|fate| **fate == Fate::Accepted).count();
    if accepted == body.accepted.unwrap_or_default() {
        return fates;
    }
    vec![failed("UNREADABLE_ANSWER", "the answer's counts do not add up"); batch.lines.len()]
}

/// What a line of a batch is that was answered as a whole.
fn judge(line: &Line, has_token: bool, otherwise: &Fate) -> Fate {
    match submission::read(&line.text) {
        Err(rejection) => Fate::Rejected(Reason {
            code: rejection.code.as_str().to_owned(),
            details: rejection.details,
        }),
        Ok(submission) => match submission.events {
            Submitted::Single(event)
                if event.contact.is_none() && submission.token.is_none() && !has_token =>
            {
                Fate::Anonymous
            }
            _ => otherwise.clone(),
        },
    }
}

fn failed(code: &str, detail: &str) -> Fate {
    Fate::Failed(Reason::new(code, detail))
}

impl Reason {
    fn new(code: &str, detail: &str) -> Self {
        Self { code: code.to_owned(), details: vec![detail.to_owned()] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = r#"{"eventName":"learning_pathway_enrolled","pathway_slug":"p","contactIdentifier":{"email":"a@b.co"}}"#;
    const NOBODY: &str = r#"{"eventName":"learning_pathway_enrolled","pathway_slug":"p"}"#;
    const INVALID: &str = r#"{"eventName":"no_such"}"#;

    #[track_caller]
    fn check(lines: &[&str], status: u16, body: &str, expected: &str) {
        let line = |(number, text): (u64, &&str)| Line {
            number,
            after: 0,
            text: text.as_bytes().to_vec(),
            is_alone: false,
            bytes: 0,
            unsent: None,
        };
        let lines = (1..).zip(lines).map(line).collect();
        let batch = Batch { lines, is_single: false };
        let reply = Reply::Answer { status, body: body.as_bytes().to_vec() };
        let told: Vec<String> = fates(&batch, &reply, false)
            .into_iter()
            .map(|fate| match fate {
                Fate::Accepted => "accepted".into(),
                Fate::Anonymous => "anonymous".into(),
                Fate::Rejected(reason) => format!("rejected {}", reason.code),
                Fate::Failed(reason) => format!("failed {}", reason.code),
                Fate::Refused(_) | Fate::Skipped => "not sent".into(),
            })
            .collect();
        assert_eq!(told.join(", "), expected);
    }

    #[test]
    fn every_answer_of_a_front_door_gives_each_line_its_fate() {
        let single = r#"{"status":"persisted","mode":"authenticated","queued":true,"eventId":"e"}"#;
        check(&[VALID], 200, single, "accepted");
        let batch = r#"{"status":"persisted","mode":"authenticated","accepted":1,"eventIds":["e"],
            "rejected":[{"index":1,"code":"NO_IDENTITY","details":[]},
                        {"index":2,"code":"SCHEMA_VALIDATION_FAILED","details":["eventName: …"]},
                        {"index":3,"code":"FALLBACK","details":[]}]}"#;
        check(
            &[VALID, NOBODY, INVALID, VALID],
            200,
            batch,
            "accepted, anonymous, rejected SCHEMA_VALIDATION_FAILED, failed FALLBACK",
        );
        let none = r#"{"error":"…","details":{"code":"SCHEMA_VALIDATION_FAILED","details":[]},
            "rejected":[{"index":0,"code":"SCHEMA_VALIDATION_FAILED","details":[]}]}"#;
        check(&[INVALID], 400, none, "rejected SCHEMA_VALIDATION_FAILED");
        let whole = r#"{"error":"…","details":{"code":"INVALID_JSON"}}"#;
        check(&["{"], 400, whole, "rejected INVALID_JSON");
        let token = r#"{"error":"…","details":{"code":"INVALID_TOKEN"}}"#;
        check(&[VALID, VALID], 401, token, "rejected INVALID_TOKEN, rejected INVALID_TOKEN");
    }

    #[test]
    fn a_batch_that_was_logged_as_a_whole_is_judged_line_by_line() {
        let anonymous = r#"{"status":"logged","mode":"anonymous"}"#;
        check(
            &[NOBODY, INVALID, VALID],
            200,
            anonymous,
            "anonymous, rejected SCHEMA_VALIDATION_FAILED, anonymous",
        );
        let fallback = r#"{"status":"logged","mode":"fallback","error":"…"}"#;
        check(
            &[VALID, NOBODY, INVALID],
            200,
            fallback,
            "failed FALLBACK, anonymous, rejected SCHEMA_VALIDATION_FAILED",
        );
    }

    #[test]
    fn what_is_no_front_doors_answer_is_never_accepted() {
        check(&[VALID], 200, "<html>", "failed UNREADABLE_ANSWER");
        check(&[VALID], 200, r#"{"ok":true}"#, "failed UNREADABLE_ANSWER");
        check(&[VALID], 404, r#"{"error":"Not found"}"#, "failed HTTP_404");
        check(&[VALID], 503, "", "failed HTTP_503");
        let short = r#"{"status":"persisted","accepted":1,"rejected":[]}"#;
        check(&[VALID, VALID], 200, short, "failed UNREADABLE_ANSWER, failed UNREADABLE_ANSWER");
    }
}
