//! A line of a log, in whatever shape it was exported → the events that it keeps.
//!
//! A fallback line is a JSON object with the phrase as `message` and a body as `fallback`. It can
//! stand alone, behind a time, as a text inside other JSON (`message`, `@message`, `value`), on one
//! line of a JSON document that has many, or in a field of CSV.
//!
//! **Invariant**: a line that holds the phrase and the field gives a message or a complaint.

use ingest::story::{FALLBACK_FIELD, FALLBACK_MESSAGE};
use serde_json::Value;
use shared::envelope::Envelope;

use crate::requeue::Found;

/// How deep a log line can be wrapped in other JSON.
const DEPTH_MAX: usize = 16;

/// The events in a line.
pub(super) fn in_line(line: &str) -> Found {
    let mut found = Found::default();
    if !line.contains(FALLBACK_MESSAGE) || !line.contains(FALLBACK_FIELD) {
        return found;
    }
    // Text output of the AWS command line puts tabs between records; JSON never holds one.
    for record in line.split('\t').filter(|record| record.contains(FALLBACK_FIELD)) {
        let before = found.messages.len() + found.unreadable.len();
        let whole = parsed(record);
        let is_json = whole.is_some();
        search(&whole.unwrap_or_default(), 0, &mut found);
        let is_nothing = found.messages.len() + found.unreadable.len() == before;
        if !is_json && is_nothing {
            found.unreadable.push("a fallback line that can't be read".to_owned());
        }
    }
    found
}

/// The JSON in a record, whatever is around it.
fn parsed(record: &str) -> Option<Value> {
    let record = record.trim();
    let whole = || serde_json::from_str(record).ok();
    let member = || serde_json::from_str(&format!("{{{}}}", record.trim_end_matches(','))).ok();
    let between = |text: &str| {
        let (from, to) = (text.find('{')?, text.rfind('}')?);
        serde_json::from_str(text.get(from..=to)?).ok()
    };
    whole()
        .filter(|value: &Value| !value.is_string())
        .or_else(member)
        .or_else(|| between(record))
        .or_else(|| between(&record.replace("\"\"", "\"")))
}

/// Looks for fallback lines in a value, and in the texts inside it.
fn search(value: &Value, depth: usize, found: &mut Found) {
    if depth > DEPTH_MAX {
        return;
    }
    match value {
        Value::Object(fields) => {
            let is_fallback =
                fields.get("message").and_then(Value::as_str) == Some(FALLBACK_MESSAGE);
            match fields.get(FALLBACK_FIELD).and_then(Value::as_str) {
                Some(body) if is_fallback => open(body, found),
                _ => fields.values().for_each(|value| search(value, depth + 1, found)),
            }
        }
        Value::Array(values) => values.iter().for_each(|value| search(value, depth + 1, found)),
        Value::String(text) if text.contains(FALLBACK_FIELD) => {
            if let Some(inner) = parsed(text) {
                search(&inner, depth + 1, found);
            }
        }
        _ => {}
    }
}

fn open(body: &str, found: &mut Found) {
    match Envelope::open(body) {
        Ok(envelope) => found.messages.push(envelope.seal()),
        Err(fault) => found.unreadable.push(fault.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BODY: &str = r#"{"v":1,"kind":"event","id":"e-1","correlationId":"c","acceptedAt":"2026-01-18T17:30:02.114Z","contact":{"email":"ada@example.org"},"event":{"name":"learning_pathway_enrolled","at":"2026-01-18T17:30:00.000Z","pathway":"p"}}"#;

    fn line() -> String {
        json!({"timestamp": "2026-01-18T17:30:02.114Z", "level": "error",
               "message": FALLBACK_MESSAGE, "cause": "away", FALLBACK_FIELD: BODY})
        .to_string()
    }

    #[track_caller]
    fn check(exported: &str, messages: usize, unreadable: usize) {
        let mut all = Found::default();
        for line in exported.lines() {
            let Found { messages, unreadable } = in_line(line);
            all.messages.extend(messages);
            all.unreadable.extend(unreadable);
        }
        assert_eq!(
            (all.messages.len(), all.unreadable.len()),
            (messages, unreadable),
            "{exported}"
        );
        let expected = Envelope::open(BODY).unwrap().seal();
        assert!(all.messages.iter().all(|message| *message == expected));
        assert!(all.unreadable.iter().all(|why| !why.contains('@')), "nobody is named");
    }

    #[test]
    fn a_fallback_line_is_found_in_each_form_of_export() {
        let line = line();
        check(&line, 1, 0);
        check(&format!("2026-01-18T17:30:02.114Z {line}"), 1, 0);
        check(&format!("2026-01-18T17:30:02 2026/01/18/[$LATEST]0f {line}"), 1, 0);
        check(&format!("{line}\t{line}"), 2, 0);
        let events = json!({"events": [{"timestamp": 1, "message": format!("{line}\n")},
                                       {"timestamp": 2, "message": "START RequestId: x"}],
                            "searchedLogStreams": []});
        check(&events.to_string(), 1, 0);
        check(&serde_json::to_string_pretty(&events).unwrap(), 1, 0);
        check(&json!({"@timestamp": "x", "@message": line}).to_string(), 1, 0);
        check(
            &json!({"@message": serde_json::from_str::<Value>(&line).unwrap()}).to_string(),
            1,
            0,
        );
        let insights = json!({"results": [[{"field": "@timestamp", "value": "x"},
                                           {"field": "@message", "value": line}]]});
        check(&insights.to_string(), 1, 0);
        check(&serde_json::to_string_pretty(&insights).unwrap(), 1, 0);
        check(&format!("2026-01-18 17:30:02.114,\"{}\"", line.replace('"', "\"\"")), 1, 0);
    }

    #[test]
    fn other_lines_are_skipped() {
        check("", 0, 0);
        check("START RequestId: x", 0, 0);
        check(&json!({"message": FALLBACK_MESSAGE, "reason": "REJECTED"}).to_string(), 0, 0);
        check(&json!({"message": "Request answered", "fallback": 3}).to_string(), 0, 0);
    }

    #[test]
    fn a_fallback_line_that_is_broken_is_named() {
        let line = line();
        check(&line[..line.len() - 40], 0, 1);
        check(&line.replace("learning_pathway_enrolled", "no_such_event"), 0, 1);
    }
}
